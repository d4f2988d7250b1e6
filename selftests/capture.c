// SPDX-License-Identifier: GPL-2.0-or-later
/* What a core tells of a thread, against what the thread holds. Root, module loaded. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/rseq.h>

#include "corefile.h"
#include "held.h"

/* One way to get a core. */
struct way {
	uint32_t mode;
	int snapshot;
};
static const struct way ways[] = {
	{ XCKPT_MODE_AUTO, 0 }, { XCKPT_MODE_SOFT, 0 }, { XCKPT_MODE_STRICT, 0 },
	{ XCKPT_MODE_AUTO, 1 }, { XCKPT_MODE_SOFT, 1 }, { XCKPT_MODE_STRICT, 1 },
};
#define NR_WAYS (sizeof(ways) / sizeof(ways[0]))

/* Loads a core of @pid; with a snapshot the process runs on before it is read. */
static void get_core(int fd, pid_t pid, const struct way *way)
{
	struct xckpt_freeze f;
	struct xckpt_snapshot s;

	ASSERT(!freeze_mode(fd, pid, &f, way->mode));
	if (way->snapshot)
		ASSERT(!snapshot(fd, 0, &s));
	core_load(core_of(fd, pid, 0));
	if (way->snapshot)
		ASSERT(!thaw(fd));
}

/*
 * @check with the core of each way; a complaint is followed by the way's name. @sleeper:
 * a thread that is to be asleep each time, and not still on its way back there; or 0.
 */
static void in_every_way(pid_t pid, pid_t sleeper, void (*check)(void))
{
	for (size_t i = 0; i < NR_WAYS; i++) {
		int before = failed_here, fd = session();

		if (sleeper)
			EXPECT(reaches_state(sleeper, 'S'));
		get_core(fd, pid, &ways[i]);
		check();
		if (failed_here > before)
			printf("# with mode %s%s\n", mode_name(ways[i].mode),
			       ways[i].snapshot ? " and a snapshot" : "");
		close(core.fd);
		close(fd);
	}
}

static void *held_thread(void *arg)
{
	uint64_t known = xfeatures();

	held_fill();
	shared[HELD_TID] = (uint64_t)gettid();
	syscall(SYS_arch_prctl, ARCH_SET_GS, HELD_GS);
	shared[HELD_FS] = (uintptr_t)pthread_self();
	if (known & XFEATURE_PKRU)
		asm volatile("wrpkru" : : "a"(HELD_PKRU), "c"(0), "d"(0));
	held_go(!!(known & XFEATURE_AVX));
}

static void in_user_code(void)
{
	in_thread(pausing_thread, 0);
	held_thread(NULL);
}

static int quiet_pipe[2];

static void in_a_system_call(void)
{
	static char byte;

	if (pipe(quiet_pipe))
		_exit(97);
	held_gpr[0] = SYS_read;
	held_gpr[2] = 0;
	held_gpr[3] = 1;
	held_gpr[4] = (uintptr_t)&byte;
	held_gpr[5] = (uint64_t)quiet_pipe[0];
	in_thread(napping_thread, 0);
	held_thread(NULL);
}

static pid_t held_tid(void)
{
	return (pid_t)shared[HELD_TID];
}

static void check_common(void)
{
	const struct user_regs_struct *r = thread_regs(held_tid());

	EXPECT(r->rbx == held_gpr[1] && r->rbp == held_gpr[6]);
	EXPECT(r->r8 == held_gpr[7] && r->r9 == held_gpr[8] && r->r10 == held_gpr[9]);
	EXPECT(r->r12 == held_gpr[11] && r->r13 == held_gpr[12] && r->r14 == held_gpr[13]);
	EXPECT(r->r15 == (uintptr_t)shared && r->rsp == shared[HELD_RSP]);
	EXPECT(r->cs == 0x33 && r->ss == 0x2b && !r->ds && !r->es);
	EXPECT(r->fs_base == shared[HELD_FS] && r->gs_base == HELD_GS);
	EXPECT((r->eflags & 0x202) == 0x202); /* interrupts are on */
}

static void check_fpu(void)
{
	const struct user_fpregs_struct *fp;
	size_t size;

	fp = thread_note(held_tid(), NT_FPREGSET, &size);
	ASSERT(fp && size == sizeof(*fp));
	EXPECT(fp->cwd == HELD_FCW && fp->mxcsr == HELD_MXCSR);
	EXPECT(fp->ftw == 0xff && !(fp->swd & 0x3800)); /* all in use, the stack is full */
	for (int i = 0; i < 8; i++)
		EXPECT(!memcmp((const char *)fp->st_space + 16 * i, held_st[i], 10));
	for (int i = 0; i < 16; i++)
		EXPECT(!memcmp((const char *)fp->xmm_space + 16 * i, held_ymm[i], 16));
}

/* Where XSAVE puts a component in its standard form. */
static unsigned int xsave_offset(unsigned int component)
{
	unsigned int size, offset, c, d;

	__cpuid_count(0xd, component, size, offset, c, d);
	return offset;
}

static void check_xstate(void)
{
	const struct user_fpregs_struct *fp;
	const unsigned char *x;
	uint64_t known = xfeatures(), bv;
	uint32_t pkru;
	size_t size, fp_size;

	x = thread_note(held_tid(), NT_X86_XSTATE, &size);
	ASSERT(x && size >= 576);
	fp = thread_note(held_tid(), NT_FPREGSET, &fp_size);
	EXPECT(!memcmp(x, fp, 416)); /* both begin with the FXSAVE area */
	memcpy(&bv, x + 512, sizeof(bv));
	EXPECT((bv & 3) == 3 && !(bv & ~known));
	if (known & XFEATURE_AVX) {
		ASSERT((bv & XFEATURE_AVX) && size >= xsave_offset(2) + 256);
		for (int i = 0; i < 16; i++)
			EXPECT(!memcmp(x + xsave_offset(2) + 16 * i, held_ymm[i] + 16, 16));
	}
	if (known & XFEATURE_PKRU) {
		ASSERT((bv & XFEATURE_PKRU) && size >= xsave_offset(9) + 4);
		memcpy(&pkru, x + xsave_offset(9), sizeof(pkru));
		EXPECT(pkru == HELD_PKRU);
	}
}

static void check_user_code(void)
{
	const struct user_regs_struct *r = thread_regs(held_tid());

	check_common();
	EXPECT(r->rax == held_gpr[0] && r->rcx == held_gpr[2] && r->rdx == held_gpr[3]);
	EXPECT(r->rsi == held_gpr[4] && r->rdi == held_gpr[5] && r->r11 == held_gpr[10]);
	/* one of the two instructions of its loop: 3 and 2 bytes long */
	EXPECT(r->rip - shared[HELD_RIP] == 0 || r->rip - shared[HELD_RIP] == 3);
	EXPECT((int64_t)r->orig_rax == -1);
	EXPECT(!(thread_extra(held_tid())->flags & XCKPT_THREAD_IN_SYSCALL));
	check_fpu();
	check_xstate();
}

TEST(registers_in_user_code)
{
	pid_t pid;

	share_counters();
	held_fill();
	pid = target(in_user_code);
	in_every_way(pid, 0, check_user_code);
	EXPECT(moves(0, 1));
}

/* The call must start again in the image: -ERESTARTSYS and its kin. */
static int restarts(uint64_t rax)
{
	int64_t err = (int64_t)rax;

	return err == -512 || err == -513 || err == -514 || err == -516;
}

static void check_system_call(void)
{
	const struct user_regs_struct *r = thread_regs(held_tid());
	unsigned char code[2];

	check_common();
	EXPECT(r->orig_rax == SYS_read && restarts(r->rax));
	EXPECT(r->rdx == 1 && r->rsi && (int)r->rdi >= 0);
	EXPECT(r->rcx == r->rip && (r->r11 & 0x202) == 0x202);
	core_memory(code, 2, r->rip - 2);
	EXPECT(code[0] == 0x0f && code[1] == 0x05);
	EXPECT(thread_extra(held_tid())->flags & XCKPT_THREAD_IN_SYSCALL);
	check_fpu();
	check_xstate();
}

TEST(registers_in_a_system_call)
{
	pid_t pid;

	share_counters();
	held_fill();
	pid = target(in_a_system_call);
	EXPECT(reaches(1, 1));
	in_every_way(pid, held_tid(), check_system_call);
	EXPECT(!shared[HELD_RETURNED]);
}

/*
 * Threads that wait with a mask of their own for the time of the call. What they
 * block otherwise, and get back, differs from one to the other: bit of SIGRTMIN + n.
 */
static uint64_t own_mask(long n)
{
	return 1ull << (SIGRTMIN + n - 1) | 1ull << (SIGUSR2 - 1);
}

static void block_own(long n, sigset_t *other)
{
	sigset_t own;

	sigemptyset(&own);
	sigaddset(&own, SIGRTMIN + (int)n);
	sigaddset(&own, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &own, NULL);
	sigemptyset(other);
	sigaddset(other, SIGUSR1);
}

static void wait_in_ppoll(sigset_t *mask)
{
	ppoll(NULL, 0, NULL, mask);
}

static void wait_in_pselect(sigset_t *mask)
{
	pselect(0, NULL, NULL, NULL, NULL, mask);
}

static void wait_in_epoll_pwait(sigset_t *mask)
{
	struct epoll_event event;

	epoll_pwait(epoll_create1(0), &event, 1, -1, mask);
}

static void wait_in_sigsuspend(sigset_t *mask)
{
	sigsuspend(mask);
}

/* The kernel opens the mask for what is waited for: own signals, that are blocked */
static void wait_in_sigtimedwait(sigset_t *mask)
{
	const struct timespec hour = { .tv_sec = 3600 };

	pthread_sigmask(SIG_SETMASK, NULL, mask);
	sigtimedwait(mask, NULL, &hour);
}

static void wait_in_pause(sigset_t *mask)
{
	pause();
}

static const struct {
	const char *name;
	void (*wait)(sigset_t *mask);
} waits[] = {
	{ "ppoll", wait_in_ppoll },
	{ "pselect", wait_in_pselect },
	{ "epoll_pwait", wait_in_epoll_pwait },
	{ "sigsuspend", wait_in_sigsuspend },
	{ "sigtimedwait", wait_in_sigtimedwait },
	{ "pause", wait_in_pause },
};
#define NR_WAITS ((long)(sizeof(waits) / sizeof(waits[0])))

/* shared[8 + n]: tid, shared[16 + n]: returned */
static void *masked_thread(void *arg)
{
	long n = (long)arg;
	sigset_t mask;

	block_own(n, &mask);
	shared[8 + n] = (uint64_t)gettid();
	waits[n].wait(&mask);
	shared[16 + n]++;
	return pausing_thread(NULL);
}

static void with_masks(void)
{
	for (long n = 0; n < NR_WAITS; n++)
		in_thread(masked_thread, n);
	napping_thread(NULL);
}

static void check_masks(void)
{
	for (long n = 0; n < NR_WAITS; n++) {
		const struct xckpt_note_thread *extra = thread_extra((pid_t)shared[8 + n]);

		if (!EXPECT(extra->sigmask == own_mask(n)))
			printf("# of %s: %#llx, not %#llx\n", waits[n].name,
			       (unsigned long long)extra->sigmask, (unsigned long long)own_mask(n));
	}
}

TEST(signal_masks_are_those_after_the_call)
{
	pid_t pid;

	share_counters();
	pid = target(with_masks);
	for (long n = 0; n < NR_WAITS; n++) {
		EXPECT(reaches(8 + (int)n, 1));
		EXPECT(reaches_state((pid_t)shared[8 + n], 'S'));
	}
	in_every_way(pid, 0, check_masks);
	for (long n = 0; n < NR_WAITS; n++)
		EXPECT(!shared[16 + n]);
}

#define ALTSTACK_SIZE 32768

/* shared[8..]: what the thread registered with the kernel */
static void *registered_thread(void *arg)
{
	static char stack[ALTSTACK_SIZE];
	static struct robust_list_head {
		void *next;
		long offset;
		void *pending;
	} robust = { &robust, 0, NULL };
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	static int tid;

	if (sigaltstack(&alt, NULL) || syscall(SYS_set_tid_address, &tid) < 0 ||
	    syscall(SYS_set_robust_list, &robust, sizeof(robust)) || prctl(PR_SET_NAME, "a name") ||
	    prctl(PR_SET_TIMERSLACK, 123456) || prctl(PR_SET_PDEATHSIG, SIGUSR1) ||
	    setpriority(PRIO_PROCESS, 0, 7))
		_exit(97);
	shared[8] = (uintptr_t)stack;
	shared[9] = (uintptr_t)&tid;
	shared[10] = (uintptr_t)&robust;
	shared[11] =
		__rseq_size ? (uintptr_t)__builtin_thread_pointer() + (uintptr_t)__rseq_offset : 0;
	shared[HELD_TID] = (uint64_t)gettid();
	return pausing_thread(NULL);
}

static void with_registrations(void)
{
	in_thread(registered_thread, 0);
	napping_thread(NULL);
}

static void check_registrations(void)
{
	const struct xckpt_note_thread *extra = thread_extra(held_tid());

	EXPECT(extra->tid == held_tid());
	EXPECT(extra->altstack_sp == shared[8] && extra->altstack_size == ALTSTACK_SIZE);
	EXPECT(!extra->altstack_flags);
	EXPECT(extra->clear_child_tid == shared[9] && extra->robust_list == shared[10]);
	EXPECT(extra->rseq == shared[11]);
	EXPECT(!extra->rseq || (extra->rseq_len >= 32 && extra->rseq_sig == RSEQ_SIG));
	EXPECT(!strcmp(extra->comm, "a name") && extra->timer_slack_ns == 123456);
	EXPECT(extra->pdeath_signal == SIGUSR1);
	EXPECT(extra->policy == 0 && extra->nice == 7 && !extra->rt_priority);
}

TEST(what_a_thread_has_registered)
{
	pid_t pid;

	share_counters();
	pid = target(with_registrations);
	EXPECT(reaches(HELD_TID, 1));
	in_every_way(pid, 0, check_registrations);
}
