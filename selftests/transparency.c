// SPDX-License-Identifier: GPL-2.0-or-later
/* A thread that waits in a system call does not notice that it was frozen. */
#include "calls.h"

#define FREEZES 1000
#define SNAPSHOT_EVERY 25
#define CHILD 99 /* shared: its pid */

/* None of them returns; each one that does is named. */
static void expect_all_waiting(void)
{
	for (size_t n = 0; n < NR_CALLS; n++) {
		if (shared[CALL_RETURNS + n])
			printf("# %s returned, errno %d\n", calls[n].name,
			       (int)shared[CALL_RESULT + n]);
		EXPECT(!shared[CALL_RETURNS + n]);
	}
}

static void freeze_again_and_again(uint32_t mode)
{
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	uint64_t asleep = 0;
	int fd = session();
	pid_t pid;

	share_counters();
	block_some_signals();
	pid = target(waiter);
	calls_asleep();
	for (int i = 0; i < FREEZES; i++) {
		ASSERT(!freeze_mode(fd, pid, &f, mode));
		ASSERT(f.out_nr_threads == NR_CALLS + 1);
		asleep += f.out_nr_asleep;
		if (i % SNAPSHOT_EVERY == 0)
			ASSERT(!snapshot(fd, 0, &s));
		ASSERT(!thaw(fd));
		if (i % 100 == 50)
			calls_asleep();
	}
	nap_ms(200);
	expect_all_waiting();
	EXPECT(mode == XCKPT_MODE_STRICT ? !asleep : asleep);
	printf("# of %zu threads %.1f were left asleep\n", NR_CALLS + 1, (double)asleep / FREEZES);
}

TEST(no_call_ends_because_of_a_freeze_in_auto_mode)
{
	freeze_again_and_again(XCKPT_MODE_AUTO);
}

TEST(no_call_ends_because_of_a_freeze_in_soft_mode)
{
	freeze_again_and_again(XCKPT_MODE_SOFT);
}

TEST(no_call_ends_because_of_a_freeze_in_strict_mode)
{
	freeze_again_and_again(XCKPT_MODE_STRICT);
}

static void waiter_with_child(void)
{
	pid_t child = fork();

	if (!child)
		pausing_thread(NULL);
	shared[CHILD] = (uint64_t)child;
	waiter();
}

/* Somebody else holds one of them: those that were asked to park by then go on. */
TEST(no_call_ends_because_of_a_freeze_that_fails)
{
	int fd = session(), other = session();
	struct xckpt_freeze f;
	pid_t pid;

	share_counters();
	block_some_signals();
	pid = target(waiter_with_child);
	ASSERT(!freeze(other, (pid_t)shared[CHILD], &f));
	for (int i = 0; i < FREEZES; i++) {
		if (i % 100 == 0)
			calls_asleep();
		ASSERT(freeze_mode(fd, pid, &f, all_modes[i % NR_MODES]) == -1 && errno == EBUSY);
	}
	nap_ms(200);
	expect_all_waiting();
}
