// SPDX-License-Identifier: GPL-2.0-or-later
/* Threads in states that are rare, or made on purpose. Root, module loaded. */
#include <elf.h>
#include <linux/io_uring.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/reg.h>

#include "calls.h"
#include "corefile.h"

#define HEAP (256ul << 20)

/*
 * A way in the vDSO to make any system call: "syscall", and then only what returns to what
 * was pushed before, with @saved behind another word; NULL: there is none.
 */
static const unsigned char *vdso_call(int *saved)
{
	const unsigned char *code = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);

	for (size_t i = 0; code && i + 4 < 8192; i++) {
		if (code[i] != 0x0f || code[i + 1] != 0x05)
			continue;
		*saved = code[i + 2] == 0x5d; /* pop %rbp */
		if (code[i + 2 + (size_t)*saved] == 0xc3)
			return code + i;
	}
	return NULL;
}

static long call_in_vdso(long nr, long a, const void *b, size_t c)
{
	int saved = 0;
	register const unsigned char *code asm("r9") = vdso_call(&saved);
	register long with_rbp asm("r10") = saved;

	if (!code)
		_exit(77);
	asm volatile("sub	$128, %%rsp\n" /* the red zone */
		     "	lea	1f(%%rip), %%r8\n"
		     "	push	%%r8\n"
		     "	test	%%r10, %%r10\n"
		     "	jz	2f\n"
		     "	push	%%rbp\n"
		     "2:	jmp	*%%r9\n"
		     "1:	add	$128, %%rsp"
		     : "+a"(nr)
		     : "D"(a), "S"(b), "d"(c), "r"(code), "r"(with_rbp)
		     : "rcx", "r8", "r11", "memory", "cc");
	return nr;
}

/* Writes more than a pipe takes, by a call in the vDSO; has much to give up when it ends. */
static void ends_after_a_short_write(void)
{
	char *heap = mmap(NULL, HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[2];

	if (heap == MAP_FAILED || pipe(fds))
		_exit(97);
	for (size_t i = 0; i < HEAP; i += 4096)
		heap[i] = 1;
	shared[0]++;
	call_in_vdso(SYS_write, fds[1], heap, 1 << 20);
	_exit(0);
}

TEST(a_transfer_in_the_vdso)
{
	struct xckpt_freeze f;
	int fd = session(), status;
	pid_t pid;

	if (!vdso_call(&status))
		SKIP("no call in this vDSO returns at once");
	for (int i = 0; i < 3 * NR_MODES; i++) {
		share_counters();
		pid = target(ends_after_a_short_write);
		EXPECT(reaches_state(pid, 'S'));
		/* whatever comes first, the freeze or its end */
		if (!freeze_mode(fd, pid, &f, all_modes[i % NR_MODES]))
			ASSERT(!thaw(fd));
		EXPECT(waitpid(pid, &status, 0) == pid && !status);
	}
}

static void *ticks_twice(void *arg)
{
	shared[8 + (long)arg] = (uint64_t)syscall(SYS_gettid);
	shared[0]++;
	asm volatile("xor %eax, %eax\n1:	inc %rax\n	movq %rax, %xmm0\n	jmp 1b");
	return arg;
}

static void two_that_compute(void)
{
	in_thread(ticks_twice, 0);
	in_thread(ticks_twice, 1);
	napping_thread(NULL);
}

/* Two registers that are the same at each moment but one. */
TEST(all_registers_are_of_one_moment)
{
	const struct user_fpregs_struct *fpu;
	struct xckpt_freeze f;
	int fd = session();
	size_t size;
	pid_t pid;

	share_counters();
	pid = target(two_that_compute);
	EXPECT(reaches(8, 1) && reaches(9, 1));
	for (int i = 0; i < 300; i++) {
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i % NR_MODES]));
		core_load(core_of(fd, pid, 0));
		for (int n = 0; n < 2; n++) {
			pid_t tid = (pid_t)shared[8 + n];
			uint64_t xmm0;

			fpu = thread_note(tid, NT_PRFPREG, &size);
			ASSERT(fpu);
			memcpy(&xmm0, fpu->xmm_space, sizeof(xmm0));
			EXPECT(thread_regs(tid)->rax - xmm0 <= 1);
		}
		ASSERT(!thaw(fd));
		close(core.fd);
	}
}

/* SIGSTOP and SIGCONT make some return EINTR by themselves; but nothing that is no errno. */
TEST(calls_that_go_on_while_frozen)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	for (int i = 0; i < NR_MODES; i++) {
		share_counters();
		block_some_signals();
		pid = target(waiter);
		calls_asleep();
		kill(pid, SIGSTOP);
		EXPECT(threads_reach_state(pid, 'T'));
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i]));
		kill(pid, SIGCONT);
		nap_ms(50);
		ASSERT(!thaw(fd));
		nap_ms(200);
		for (size_t n = 0; n < NR_CALLS; n++)
			EXPECT(!shared[CALL_RETURNS + n] || shared[CALL_RESULT + n] == EINTR);
		kill(pid, SIGKILL);
	}
}

TEST(killed_without_its_leader)
{
	static const uint32_t flags[] = { 0, XCKPT_THAW_STOP, XCKPT_THAW_KILL };
	struct xckpt_thaw end = { .size = sizeof(end) };
	struct xckpt_snapshot s;
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	for (int i = 0; i < 6; i++) {
		share_counters();
		pid = target(without_leader);
		EXPECT(reaches_state(pid, 'Z'));
		ASSERT(!freeze(fd, pid, &f));
		if (i % 2)
			ASSERT(!snapshot(fd, 0, &s));
		kill(pid, SIGKILL);
		EXPECT(waitpid(pid, NULL, 0) == pid);
		end.flags = flags[i / 2];
		EXPECT(!ioctl(fd, XCKPT_IOCTL_THAW, &end));
	}
}

TEST(a_stopped_process_that_is_killed)
{
	struct xckpt_tasks t = { .size = sizeof(t) };
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(three_threads);
	kill(pid, SIGSTOP);
	EXPECT(threads_reach_state(pid, 'T'));
	ASSERT(!freeze(fd, pid, &f));
	ASSERT(!ioctl(fd, XCKPT_IOCTL_TASKS, &t) && !t.out_nr_disturbed);
	kill(pid, SIGKILL);
	EXPECT(waitpid(pid, NULL, 0) == pid);
	ASSERT(!ioctl(fd, XCKPT_IOCTL_TASKS, &t));
	EXPECT(t.out_nr_disturbed);
	EXPECT(core_of(fd, pid, 0) == -1);
}

static void sleeps_by_read(void)
{
	static char byte;

	shared[0]++;
	for (;;)
		if (read(0, &byte, 1) != 1)
			pause();
}

/* Its tracer has stopped it before its call: that is still to be made. */
TEST(a_call_that_is_about_to_be_made)
{
	struct xckpt_freeze f;
	int fd = session(), fds[2], status;
	pid_t pid;

	share_counters();
	ASSERT(!pipe(fds) && dup2(fds[0], 0) == 0);
	pid = target(sleeps_by_read);
	EXPECT(reaches_state(pid, 'S'));
	ASSERT(!ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD));
	ASSERT(!ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) && waitpid(pid, &status, 0) == pid);
	do
		ASSERT(!ptrace(PTRACE_SYSCALL, pid, NULL, NULL) &&
		       waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	while (WSTOPSIG(status) != (SIGTRAP | 0x80));
	ASSERT(!freeze(fd, pid, &f));
	EXPECT(f.out_nr_stopped == 1);
	core_load(core_of(fd, pid, 0));
	EXPECT(thread_regs(pid)->orig_rax == SYS_read);
	EXPECT((int64_t)thread_regs(pid)->rax == -513); /* ERESTARTNOINTR */
	ASSERT(!thaw(fd));
	/* the one that is stopped itself has not changed */
	EXPECT(ptrace(PTRACE_PEEKUSER, pid, (void *)(RAX * 8), NULL) == -ENOSYS);
}

/* The second datagram comes after the freeze, of which the next call does not hear. */
static void *receives_two(void *arg)
{
	char text[2][8];
	struct iovec iov[2] = { { text[0], 8 }, { text[1], 8 } };
	struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = &iov[0], .msg_iovlen = 1 } },
				       { .msg_hdr = { .msg_iov = &iov[1], .msg_iovlen = 1 } } };
	int fd = (int)(long)arg;

	shared[0]++;
	shared[22] = (uint64_t)recvmmsg(fd, messages, 2, 0, NULL);
	shared[23] = recv(fd, text[1], 8, MSG_DONTWAIT) == -1 ? (uint64_t)errno : 0;
	shared[24] = 1;
	return pausing_thread(NULL);
}

static void with_datagram(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) || write(fds[1], "message", 8) != 8)
		_exit(97);
	shared[25] = (uint64_t)fds[1];
	receives_two((void *)(long)fds[0]);
}

TEST(several_messages)
{
	struct xckpt_freeze f;
	int fd = session(), other;
	pid_t pid;

	for (int i = 0; i < NR_MODES; i++) {
		share_counters();
		pid = target(with_datagram);
		EXPECT(reaches_state(pid, 'S'));
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i]));
		ASSERT(!thaw(fd));
		other = (int)syscall(SYS_pidfd_getfd, pidfd(pid), (int)shared[25], 0);
		ASSERT(write(other, "message", 8) == 8);
		close(other);
		EXPECT(reaches(24, 1) && shared[22] == 2 && shared[23] == EAGAIN);
	}
}

/* For a completion of what another thread may submit one day. */
static void waits_for_a_ring(void)
{
	struct io_uring_params params = {};
	int fd = (int)syscall(SYS_io_uring_setup, 4, &params);

	if (fd < 0)
		_exit(97);
	shared[0]++;
	shared[22] =
		(uint64_t)syscall(SYS_io_uring_enter, fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	shared[23] = 1;
	pausing_thread(NULL);
}

/* It parks where it waits, in the middle of its call, which an image has to make again. */
TEST(a_wait_for_a_ring)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	if (syscall(SYS_io_uring_setup, 0, NULL) == -1 && errno == ENOSYS)
		SKIP("no io_uring");
	for (int i = 0; i < NR_MODES; i++) {
		share_counters();
		pid = target(waits_for_a_ring);
		EXPECT(reaches_state(pid, 'S'));
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i]));
		core_load(core_of(fd, pid, 0));
		EXPECT(thread_regs(pid)->orig_rax == SYS_io_uring_enter);
		EXPECT((int64_t)thread_regs(pid)->rax == -513); /* ERESTARTNOINTR */
		ASSERT(!thaw(fd));
		/* the one that runs on has noticed nothing */
		EXPECT(reaches_state(pid, 'S') && !shared[23]);
	}
}

static char *poisoned;

static void is_told(int sig)
{
	(void)sig;
}

static void loses_a_page(void)
{
	signal(SIGBUS, is_told);
	memset(poisoned, 1, 4096);
	if (madvise(poisoned, 4096, MADV_HWPOISON))
		_exit(97);
	count_forever(0);
}

/* Who touched it would get SIGBUS: it must not come back as zeros. */
TEST(a_page_that_is_lost)
{
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	int fd = session();
	char byte;
	pid_t pid;

	share_counters();
	poisoned = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(poisoned != MAP_FAILED);
	if (madvise(poisoned, 0, MADV_HWPOISON))
		SKIP("no MADV_HWPOISON");
	pid = target(loses_a_page);
	ASSERT(!freeze(fd, pid, &f));
	ASSERT(!snapshot(fd, 0, &s));
	ASSERT(!thaw(fd));
	core_load(core_of(fd, pid, 0));
	EXPECT(pread(core.fd, &byte, 1, (off_t)segment_of((uintptr_t)poisoned)->p_offset) == -1 &&
	       errno == EFAULT);
}
