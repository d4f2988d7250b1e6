// SPDX-License-Identifier: GPL-2.0-or-later
/* What a core tells of a process by flags, each of them by itself. Root, module loaded. */
#include <asm/ldt.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/io.h>
#include <sys/prctl.h>

#include "corefile.h"

/* in shared[]: that all is as it is to be; which of XCKPT_PROCESS_* it got */
enum { READY = 5, ASKED = 7 };

/* of @pid, as it is now */
static struct xckpt_note_process note_of(pid_t pid)
{
	const struct xckpt_note_process *process;
	struct xckpt_note_process copy;
	struct xckpt_freeze f;
	int fd = session();
	size_t size;

	ASSERT(!freeze(fd, pid, &f));
	core_load(core_of(fd, pid, 0));
	process = note(XCKPT_NT_PROCESS, 0, &size);
	ASSERT(process);
	copy = *process;
	ASSERT(!thaw(fd));
	close(core.fd);
	close(fd);
	return copy;
}

static uint32_t flags_of(pid_t pid)
{
	return note_of(pid).flags;
}

static long ask_processor(uint32_t what)
{
	static const struct user_desc segment = { .entry_number = 1, .limit = 1, .useable = 1 };

	switch (what) {
	case XCKPT_PROCESS_SEGMENTS:
		return syscall(SYS_modify_ldt, 1, &segment, sizeof(segment));
	case XCKPT_PROCESS_IO_PORTS:
		return ioperm(0x80, 1, 1);
	case XCKPT_PROCESS_TRAPS:
		return prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
	default:
		return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, ~0ul, NULL);
	}
}

/* Each in another thread, and none in the first; a kernel may be built without some. */
static void *asking_thread(void *arg)
{
	long missing = ask_processor((uint32_t)(uintptr_t)arg);

	if (missing && errno != ENOSYS)
		_exit(97);
	shared[ASKED] = missing ? 0 : (uint64_t)(uintptr_t)arg;
	shared[READY] = 1;
	return pausing_thread(NULL);
}

static uint32_t asked;

static void with_asking_thread(void)
{
	in_thread(asking_thread, asked);
	napping_thread(NULL);
}

TEST(what_was_asked_of_the_processor)
{
	pid_t pid;

	for (asked = XCKPT_PROCESS_SEGMENTS; asked <= XCKPT_PROCESS_DISPATCH; asked <<= 1) {
		share_counters();
		pid = target(with_asking_thread);
		EXPECT(reaches(READY, 1));
		EXPECT((flags_of(pid) & (XCKPT_PROCESS_SEGMENTS | XCKPT_PROCESS_IO_PORTS |
					 XCKPT_PROCESS_TRAPS | XCKPT_PROCESS_DISPATCH)) ==
		       shared[ASKED]);
	}
}

/* The second is another user, in other groups; the third is as the first. */
static void *user_thread(void *arg)
{
	static const gid_t groups[] = { 50, 60 };

	if (syscall(SYS_setgroups, 2, groups) || syscall(SYS_setresgid, 5, 6, 7) ||
	    syscall(SYS_setfsgid, 8) != 6 || syscall(SYS_setresuid, 2, 3, 4))
		_exit(97);
	shared[ASKED] = (uint64_t)syscall(SYS_gettid);
	shared[READY] = 1;
	return pausing_thread(NULL);
}

static void with_user(void)
{
	in_thread(user_thread, 0);
	in_thread(pausing_thread, 0);
	napping_thread(NULL);
}

TEST(a_thread_that_acts_as_another_user)
{
	const struct xckpt_note_creds *creds;
	const uint32_t *groups;
	struct xckpt_freeze f;
	size_t size;
	pid_t pid;
	int fd;

	share_counters();
	pid = target(with_user);
	EXPECT(reaches(READY, 1));
	fd = session();
	ASSERT(!freeze(fd, pid, &f));
	core_load(core_of(fd, pid, 0));
	creds = thread_note((pid_t)shared[ASKED], XCKPT_NT_CREDS, &size);
	ASSERT(creds);
	EXPECT(creds->uid == 2 && creds->euid == 3 && creds->suid == 4 && creds->fsuid == 3);
	EXPECT(creds->gid == 5 && creds->egid == 6 && creds->sgid == 7 && creds->fsgid == 8);
	EXPECT(!creds->cap_effective && !creds->cap_permitted && creds->cap_bset);
	groups = (const uint32_t *)((const char *)creds + creds->groups_off);
	EXPECT(creds->nr_groups == 2 && groups[0] == 50 && groups[1] == 60);
	EXPECT(note(XCKPT_NT_CREDS, 0, &size) && !note(XCKPT_NT_CREDS, 1, &size));
	ASSERT(!thaw(fd));
	close(core.fd);
	close(fd);
}

static int share(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	shared[READY] = 1;
	pausing_thread(NULL);
	return 0;
}

/* Another process with the same memory; it ends with the thread that made it. */
static void with_sharer(void)
{
	static char stack[65536] __attribute__((aligned(16)));

	if (clone(share, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL) < 0)
		_exit(97);
	napping_thread(NULL);
}

static void *sharing_thread(void *arg)
{
	with_sharer();
	return NULL;
}

/* Who has ended has no memory, and is counted as a thread all the same. */
static void with_sharer_and_ended_threads(void)
{
	in_thread(sharing_thread, 0);
	syscall(SYS_exit, 0);
}

static void with_threads(void)
{
	in_thread(pausing_thread, 0);
	in_thread(pausing_thread, 0);
	shared[READY] = 1;
	napping_thread(NULL);
}

static void *lonely_thread(void *arg)
{
	shared[READY] = unshare(CLONE_NEWUTS | CLONE_NEWNET) ? 97 : 1;
	napping_thread(NULL);
	return NULL;
}

static void with_lonely_thread(void)
{
	in_thread(lonely_thread, 0);
	napping_thread(NULL);
}

TEST(namespaces_of_a_thread)
{
	const uint32_t own = XCKPT_PROCESS_OWN_UTS | XCKPT_PROCESS_OWN_NET;
	pid_t pid;

	share_counters();
	pid = target(with_threads);
	EXPECT(reaches(READY, 1));
	EXPECT(!(flags_of(pid) & own));
	share_counters();
	pid = target(with_lonely_thread);
	EXPECT(reaches(READY, 1));
	EXPECT((flags_of(pid) & own) == own);
}

TEST(a_stop_of_job_control)
{
	static const int signals[] = { SIGSTOP, SIGTSTP, SIGTTIN };
	struct xckpt_note_process told;
	int status;
	pid_t pid;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		share_counters();
		pid = target(i == 1 ? without_leader : with_threads);
		setpgid(pid, 0); /* which its parent can let go on */
		if (i == 1)
			EXPECT(reaches_state(pid, 'Z'));
		kill(pid, signals[i]);
		EXPECT(!waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WSTOPPED | WNOWAIT));
		told = note_of(pid);
		EXPECT(told.flags & XCKPT_PROCESS_STOPPED &&
		       !(told.flags & XCKPT_PROCESS_STOP_TOLD) &&
		       told.stop_signal == (uint32_t)signals[i]);
		EXPECT(waitpid(pid, &status, WUNTRACED) == pid);
		told = note_of(pid);
		EXPECT(told.flags & XCKPT_PROCESS_STOP_TOLD &&
		       told.stop_signal == (uint32_t)signals[i]);
		kill(pid, SIGCONT);
		told = note_of(pid);
		EXPECT(!(told.flags & (XCKPT_PROCESS_STOPPED | XCKPT_PROCESS_STOP_TOLD)) &&
		       !told.stop_signal);
	}
}

TEST(memory_of_another_process)
{
	static const struct {
		void (*run)(void);
		uint32_t flag;
	} of[] = { { with_threads, 0 },
		   { with_sharer, XCKPT_PROCESS_ODD_MM },
		   { with_sharer_and_ended_threads, XCKPT_PROCESS_ODD_MM } };
	pid_t pid;

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		share_counters();
		pid = target(of[i].run);
		EXPECT(reaches(READY, 1));
		EXPECT((flags_of(pid) & XCKPT_PROCESS_ODD_MM) == of[i].flag);
	}
}

/* shared[ASKED]: the key that it has kept, and that the page at shared[READY + 1] is under */
static void with_keys(void)
{
	long first = syscall(SYS_pkey_alloc, 0, 0), second = syscall(SYS_pkey_alloc, 0, 0);
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* the kernel takes one for this */
	if (mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		_exit(97);
	if (second > 0 && (syscall(SYS_pkey_mprotect, page, 4096, PROT_READ, second) ||
			   syscall(SYS_pkey_free, first)))
		_exit(96);
	shared[READY + 1] = (uintptr_t)page;
	shared[ASKED] = second > 0 ? (uint64_t)second : 0;
	shared[READY] = 1;
	napping_thread(NULL);
}

TEST(protection_keys)
{
	const struct xckpt_note_mm *mm;
	struct xckpt_freeze f;
	int fd = session();
	size_t size;
	pid_t pid;

	share_counters();
	pid = target(with_keys);
	EXPECT(reaches(READY, 1));
	ASSERT(!freeze(fd, pid, &f));
	core_load(core_of(fd, pid, 0));
	mm = note(XCKPT_NT_MM, 0, &size);
	ASSERT(mm);
	if (shared[ASKED])
		EXPECT(mm->pkeys == (1u | 1u << shared[ASKED]));
	else
		EXPECT(mm->pkeys <= 1);
	EXPECT(vma_at(shared[READY + 1])->pkey == shared[ASKED]);
	ASSERT(!thaw(fd));
	close(core.fd);
	close(fd);
}

#define TRACING "/sys/kernel/tracing/"

static __attribute__((noinline)) void probed(void)
{
	asm volatile("" ::: "memory");
}

static void calls_probed(void)
{
	for (;;) {
		probed();
		shared[0]++;
		nap_ms(1);
	}
}

/* Where in the file of this program it lies. */
static unsigned long offset_of(void (*fn)(void))
{
	unsigned long start, end, offset, at = (unsigned long)fn, found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 && at >= start &&
		    at < end)
			found = at - start + offset;
	fclose(maps);
	return found;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND), ret;

	ret = fd < 0 || write(fd, text, strlen(text)) < 0;
	close(fd);
	return ret;
}

TEST(breakpoints_of_uprobes)
{
	char self[256] = "", event[400];
	pid_t pid;

	ASSERT(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	snprintf(event, sizeof(event), "p:xckpt_test/probed %s:0x%lx", self, offset_of(probed));
	share_counters();
	pid = target(calls_probed);
	EXPECT(!(flags_of(pid) & XCKPT_PROCESS_UPROBES));
	if (write_text(TRACING "uprobe_events", event))
		SKIP("this kernel has no uprobes");
	EXPECT(!write_text(TRACING "events/xckpt_test/probed/enable", "1"));
	EXPECT(moves(0, 2));
	EXPECT(flags_of(pid) & XCKPT_PROCESS_UPROBES);
	EXPECT(moves(0, 2));
	EXPECT(!write_text(TRACING "events/xckpt_test/probed/enable", "0"));
	EXPECT(!write_text(TRACING "uprobe_events", "-:xckpt_test/probed"));
	EXPECT(moves(0, 2));
}
