// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A target that a debugger has: it can be dumped, and the debugger goes on with it
 * as if nothing had been. Runs as root with the module loaded.
 */
#include <sys/ptrace.h>

#include "corefile.h"

#define TICKS 0 /* in shared[] */

/* Where the breakpoints go. */
__attribute__((noinline)) void tick(void);

void tick(void)
{
	shared[TICKS]++;
	asm volatile("");
}

static void ticking(void)
{
	for (;;)
		tick();
}

/* Nothing that the tracer would have to hear of happened to @pid. */
static int is_quiet(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WNOHANG | __WALL) == 0;
}

static int stops_with(pid_t pid, int signo)
{
	int status;

	return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) &&
	       WSTOPSIG(status) == signo;
}

static struct user_regs_struct regs_of(pid_t pid)
{
	struct user_regs_struct regs;

	ASSERT(!ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	return regs;
}

static void seize(pid_t pid)
{
	ASSERT(!ptrace(PTRACE_SEIZE, pid, NULL, NULL));
}

static void interrupt(pid_t pid)
{
	ASSERT(!ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	ASSERT(stops_with(pid, SIGTRAP));
}

/* The word at tick() before the breakpoint was set there. */
static long set_breakpoint(pid_t pid)
{
	long word = ptrace(PTRACE_PEEKTEXT, pid, (void *)tick, NULL);

	ASSERT(!ptrace(PTRACE_POKETEXT, pid, (void *)tick, (void *)((word & ~0xffl) | 0xcc)));
	return word;
}

/* Lets @pid run until it hits the breakpoint, and puts it before it. */
static void run_to_breakpoint(pid_t pid)
{
	struct user_regs_struct regs;

	ASSERT(!ptrace(PTRACE_CONT, pid, NULL, NULL));
	ASSERT(stops_with(pid, SIGTRAP));
	regs = regs_of(pid);
	ASSERT(regs.rip == (uintptr_t)tick + 1);
	regs.rip--;
	ASSERT(!ptrace(PTRACE_SETREGS, pid, NULL, &regs));
}

/* As a debugger does it: the instruction alone, then the breakpoint again. */
static void step_over_breakpoint(pid_t pid, long word)
{
	ASSERT(!ptrace(PTRACE_POKETEXT, pid, (void *)tick, (void *)word));
	ASSERT(!ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) && stops_with(pid, SIGTRAP));
	EXPECT(regs_of(pid).rip != (uintptr_t)tick);
	set_breakpoint(pid);
}

/* Freezes @pid in a mode, dumps it, lets it go on. */
static void dump_in_between(pid_t pid, uint32_t mode, int with_snapshot, struct xckpt_freeze *f)
{
	struct xckpt_snapshot s;
	int fd = session();

	ASSERT(!freeze_mode(fd, pid, f, mode));
	if (with_snapshot)
		EXPECT(!snapshot(fd, 0, &s));
	core_load(core_of(fd, pid, 0));
	ASSERT(!thaw(fd));
	close(core.fd);
	close(fd);
}

static void stopped_under_a_tracer(int with_snapshot)
{
	struct user_regs_struct before, after;
	struct xckpt_freeze f;
	pid_t pid;

	share_counters();
	pid = target(ticking);
	seize(pid);
	for (int i = 0; i < NR_MODES; i++) {
		interrupt(pid);
		before = regs_of(pid);
		dump_in_between(pid, all_modes[i], with_snapshot, &f);
		EXPECT(f.out_nr_threads == 1 && f.out_nr_stopped == 1);
		EXPECT(!memcmp(thread_regs(pid), &before, sizeof(before)));
		EXPECT(is_quiet(pid) && proc_state(pid) == 't');
		after = regs_of(pid);
		EXPECT(!memcmp(&before, &after, sizeof(before)));
		for (int step = 0; step < 10; step++)
			ASSERT(!ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) &&
			       stops_with(pid, SIGTRAP));
		ASSERT(!ptrace(PTRACE_CONT, pid, NULL, NULL));
		EXPECT(moves(TICKS, 1) && is_quiet(pid));
	}
}

TEST(stopped_by_its_tracer)
{
	stopped_under_a_tracer(0);
}

TEST(stopped_by_its_tracer_with_a_snapshot)
{
	stopped_under_a_tracer(1);
}

static void at_a_breakpoint(int with_snapshot)
{
	struct xckpt_freeze f;
	pid_t pid;
	long word;

	share_counters();
	pid = target(ticking);
	seize(pid);
	interrupt(pid);
	word = set_breakpoint(pid);
	for (int i = 0; i < 4 * NR_MODES; i++) {
		uint64_t ticks;

		run_to_breakpoint(pid);
		ticks = shared[TICKS];
		dump_in_between(pid, all_modes[i % NR_MODES], with_snapshot, &f);
		EXPECT(thread_regs(pid)->rip == (uintptr_t)tick);
		EXPECT(is_quiet(pid) && shared[TICKS] == ticks);
		step_over_breakpoint(pid, word);
		run_to_breakpoint(pid);
		EXPECT(shared[TICKS] == ticks + 1);
		step_over_breakpoint(pid, word);
	}
	ASSERT(!ptrace(PTRACE_POKETEXT, pid, (void *)tick, (void *)word));
	ASSERT(!ptrace(PTRACE_DETACH, pid, NULL, NULL));
	EXPECT(moves(TICKS, 1000));
}

TEST(at_a_breakpoint_of_its_tracer)
{
	at_a_breakpoint(0);
}

TEST(at_a_breakpoint_of_its_tracer_with_a_snapshot)
{
	at_a_breakpoint(1);
}

static void running_under_a_tracer(int with_snapshot)
{
	struct xckpt_freeze f;
	pid_t pid;

	share_counters();
	pid = target(ticking);
	seize(pid);
	for (int i = 0; i < 4 * NR_MODES; i++) {
		dump_in_between(pid, all_modes[i % NR_MODES], with_snapshot, &f);
		EXPECT(f.out_nr_threads == 1 && f.out_nr_stopped == 0);
		EXPECT(moves(TICKS, 1) && is_quiet(pid));
		interrupt(pid);
		ASSERT(!ptrace(PTRACE_CONT, pid, NULL, NULL));
		EXPECT(moves(TICKS, 1));
	}
}

TEST(running_under_its_tracer)
{
	running_under_a_tracer(0);
}

TEST(running_under_its_tracer_with_a_snapshot)
{
	running_under_a_tracer(1);
}

/* Nor does it hear of the clone that a snapshot makes. */
TEST(a_tracer_of_forks_hears_nothing_of_a_snapshot)
{
	const long options =
		PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT;
	struct xckpt_freeze f;
	pid_t pid;

	share_counters();
	pid = target(ticking);
	ASSERT(!ptrace(PTRACE_SEIZE, pid, NULL, options));
	for (int i = 0; i < 4 * NR_MODES; i++) {
		dump_in_between(pid, all_modes[i % NR_MODES], 1, &f);
		EXPECT(moves(TICKS, 1) && is_quiet(pid));
		EXPECT(waitpid(-1, NULL, WNOHANG | __WALL) == 0);
	}
}

/* What the tracer asks for while the target is frozen comes after the thaw. */
TEST(interrupted_by_its_tracer_while_frozen)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(ticking);
	seize(pid);
	for (int i = 0; i < NR_MODES; i++) {
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i]));
		ASSERT(!ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
		EXPECT(stands_still(1) && is_quiet(pid));
		ASSERT(!thaw(fd));
		EXPECT(stops_with(pid, SIGTRAP));
		ASSERT(!ptrace(PTRACE_CONT, pid, NULL, NULL));
		EXPECT(moves(TICKS, 1));
	}
}

TEST(continued_by_its_tracer_while_frozen)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(ticking);
	seize(pid);
	for (int i = 0; i < NR_MODES; i++) {
		interrupt(pid);
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i]));
		EXPECT(f.out_nr_stopped == 1);
		ASSERT(!ptrace(PTRACE_CONT, pid, NULL, NULL));
		EXPECT(stands_still(1) && is_quiet(pid));
		ASSERT(!thaw(fd));
		EXPECT(moves(TICKS, 1) && is_quiet(pid));
	}
}

TEST(its_tracer_dies_while_it_is_frozen)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid, tracer;

	share_counters();
	pid = target(ticking);
	tracer = fork();
	if (!tracer) {
		seize(pid);
		interrupt(pid);
		shared[1] = 1;
		for (;;)
			pause();
	}
	EXPECT(reaches(1, 1));
	ASSERT(!freeze(fd, pid, &f));
	kill(tracer, SIGKILL);
	EXPECT(waitpid(tracer, NULL, 0) == tracer);
	EXPECT(stands_still(1));
	ASSERT(!thaw(fd));
	EXPECT(moves(TICKS, 1));
}
