// SPDX-License-Identifier: GPL-2.0-or-later
/* FREEZE, TASKS and THAW of /dev/xckpt. Runs as root with the module loaded. */
#include <sched.h>

#include "session.h"

TEST(info_tells_the_abi)
{
	struct xckpt_info info = { .size = sizeof(info) };

	ASSERT(!ioctl(session(), XCKPT_IOCTL_INFO, &info));
	EXPECT(info.out_abi_version == XCKPT_ABI_VERSION);
	EXPECT(info.out_page_size == 4096);
	EXPECT(info.out_targets & (1u << XCKPT_TARGET_TREE));
	EXPECT(info.out_modes & (1u << XCKPT_MODE_STRICT));
	EXPECT((info.out_xfeatures & 3) == 3);
}

TEST(nothing_moves_while_frozen)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(three_threads);
	EXPECT(moves(1, 1) && moves(2, 1));
	ASSERT(!freeze(fd, pid, &f));
	EXPECT(f.out_nr_processes == 1 && f.out_nr_threads == 4);
	EXPECT(f.out_reason == XCKPT_REASON_NONE && f.out_rounds >= 1);
	EXPECT(stands_still(3));
	EXPECT(!thaw(fd));
	EXPECT(moves(0, 1) && moves(1, 1) && moves(2, 1));
}

TEST(freezes_again_and_again)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(three_threads);
	for (int i = 0; i < 50; i++) {
		ASSERT(!freeze(fd, pid, &f));
		EXPECT(f.out_nr_threads == 4);
		ASSERT(!thaw(fd));
	}
	EXPECT(moves(0, 1) && moves(1, 1) && moves(2, 1));
}

TEST(clocks_and_times_make_sense)
{
	struct xckpt_freeze f;
	struct timespec before, after;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(three_threads);
	clock_gettime(CLOCK_MONOTONIC, &before);
	ASSERT(!freeze(fd, pid, &f));
	clock_gettime(CLOCK_MONOTONIC, &after);
	EXPECT(f.out_monotonic_ns >= before.tv_sec * 1000000000ull + before.tv_nsec);
	EXPECT(f.out_monotonic_ns <= after.tv_sec * 1000000000ull + after.tv_nsec);
	EXPECT(f.out_boottime_ns >= f.out_monotonic_ns && f.out_realtime_ns > f.out_boottime_ns);
	EXPECT(f.out_skew_ns <= f.out_latency_ns);
}

TEST(close_thaws)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(three_threads);
	ASSERT(!freeze(fd, pid, &f));
	EXPECT(stands_still(3));
	close(fd);
	EXPECT(moves(0, 1) && moves(2, 1));
}

TEST(an_inherited_descriptor_keeps_it_frozen)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid, heir;

	share_counters();
	pid = target(three_threads);
	ASSERT(!freeze(fd, pid, &f));
	heir = fork();
	if (!heir)
		for (;;)
			pause();
	close(fd);
	EXPECT(stands_still(3));
	kill(heir, SIGKILL);
	EXPECT(moves(0, 1));
}

TEST(death_of_the_holder_thaws)
{
	pid_t pid, holder;

	share_counters();
	pid = target(three_threads);
	holder = fork();
	if (!holder) {
		struct xckpt_freeze f;

		shared[8] = freeze(session(), pid, &f) ? 2 : 1;
		for (;;)
			pause();
	}
	EXPECT(moves(8, 1));
	ASSERT(shared[8] == 1);
	EXPECT(stands_still(3));
	kill(holder, SIGKILL);
	EXPECT(moves(0, 1) && moves(2, 1));
}

TEST(sigkill_ends_a_frozen_process)
{
	struct xckpt_freeze f;
	int fd = session(), status;
	pid_t pid;

	share_counters();
	pid = target(three_threads);
	ASSERT(!freeze(fd, pid, &f));
	kill(pid, SIGKILL);
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT(!thaw(fd));
}

TEST(thaw_can_kill)
{
	struct xckpt_freeze f;
	int fd = session(), status;
	pid_t pid;

	share_counters();
	pid = target(three_threads);
	ASSERT(!freeze(fd, pid, &f));
	EXPECT(!thaw_flags(fd, XCKPT_THAW_KILL));
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(thaw_can_stop)
{
	struct xckpt_freeze f;
	int fd = session(), status;
	pid_t pid;

	share_counters();
	pid = target(three_threads);
	ASSERT(!freeze(fd, pid, &f));
	EXPECT(!thaw_flags(fd, XCKPT_THAW_STOP));
	EXPECT(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	EXPECT(stands_still(3));
	kill(pid, SIGCONT);
	EXPECT(moves(0, 1) && moves(1, 1) && moves(2, 1));
}

#define COUNTERS 8

static void counting_threads(void)
{
	for (int i = 1; i < COUNTERS; i++)
		in_thread(counting_thread, i);
	count_forever(0);
}

/* Of many threads that all want to run. */
TEST(nothing_runs_between_the_freeze_and_the_stop)
{
	struct xckpt_freeze f;
	uint64_t held[COUNTERS];
	int fd = session(), status;
	pid_t pid;

	share_counters();
	pid = target(counting_threads);
	for (int round = 0; round < 20; round++) {
		ASSERT(!freeze(fd, pid, &f));
		for (int i = 0; i < COUNTERS; i++)
			held[i] = shared[i];
		ASSERT(!thaw_flags(fd, XCKPT_THAW_STOP));
		ASSERT(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
		for (int i = 0; i < COUNTERS; i++)
			EXPECT(shared[i] == held[i]);
		kill(pid, SIGCONT);
		EXPECT(moves(0, 1) && moves(COUNTERS - 1, 1));
	}
}

static void handler(int signo)
{
	shared[5]++;
}

static void with_handler(void)
{
	signal(SIGUSR1, handler);
	count_forever(0);
}

TEST(signals_come_after_the_thaw)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(with_handler);
	ASSERT(!freeze(fd, pid, &f));
	kill(pid, SIGUSR1);
	nap_ms(50);
	EXPECT(shared[5] == 0);
	ASSERT(!thaw(fd));
	EXPECT(reaches(5, 1));
}

static void blocked_reader(void)
{
	static int fds[2];
	char c;

	if (pipe(fds))
		_exit(97);
	in_thread(napping_thread, 0);
	/* the writing end is open: this waits for good */
	shared[4] = 1 + (uint64_t)(read(fds[0], &c, 1) != 0);
}

TEST(a_blocked_read_stays_blocked)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(blocked_reader);
	for (int i = 0; i < 10; i++) {
		ASSERT(!freeze(fd, pid, &f));
		ASSERT(!thaw(fd));
		EXPECT(moves(0, 3));
	}
	EXPECT(shared[4] == 0);
}

static int sit(void *arg)
{
	for (;;)
		pause();
	return 0;
}

static void *stuck_thread(void *arg)
{
	static char stack[16384] __attribute__((aligned(16)));

	/* a sibling of its process: outside the tree that is frozen */
	clone(sit, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_PARENT, NULL);
	return NULL;
}

static void one_is_stuck(void)
{
	in_thread(counting_thread, 1);
	in_thread(stuck_thread, 0);
	nap_ms(50);
	count_forever(0);
}

TEST(a_timeout_rolls_all_back)
{
	struct xckpt_freeze f;
	int fd = session();
	int64_t start;
	pid_t pid;

	share_counters();
	pid = target(one_is_stuck);
	start = now_ms();
	EXPECT(freeze_ms(fd, pid, &f, XCKPT_MODE_STRICT, 300) == -1 && errno == ETIMEDOUT);
	/* it is counted in ticks of the kernel, of which the first has begun */
	EXPECT(now_ms() - start >= 290);
	EXPECT(f.out_reason == XCKPT_REASON_TIMEOUT && f.out_pid > 0 && f.out_pid != pid);
	EXPECT(moves(0, 1) && moves(1, 1));
	EXPECT(thaw(fd) == -1 && errno == ENOENT);
	pid = target(three_threads);
	EXPECT(!freeze(fd, pid, &f));
}
