// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Time-outs run on while a thread is frozen. What is allowed: to be as late as an
 * untouched twin beside it, by 1 %, and by the longest time that the group was held.
 * Noise of the machine mostly adds, so the best of three tries counts. A time-out
 * counted in jiffies may also be early, untouched as well: jiffies stand still for a
 * while where a machine's own ticks are late, and then catch up. What is early because
 * of the freezes is so each time.
 */
#include "calls.h"

#define TRIES 3
#define PAUSE_MS 30 /* between two freezes */

static const int64_t whole_ns = 2000000000;
static const int64_t allowed_ns = 20000000;

static pid_t start_waiter(volatile uint64_t *counters)
{
	volatile uint64_t *own = shared;
	pid_t pid;

	shared = counters;
	pid = target(waiter);
	calls_asleep();
	shared = own;
	return pid;
}

/* Freezes @pid until all time-outs should be over; the longest time it was held. */
static int64_t freeze_meanwhile(pid_t pid, uint32_t mode)
{
	uint64_t end = now_ns() + (uint64_t)whole_ns;
	int64_t longest = 0;
	int fd = session();

	while (now_ns() < end) {
		struct xckpt_freeze f;
		uint64_t start = now_ns();
		int64_t held;

		ASSERT(!freeze_mode(fd, pid, &f, mode) && !thaw(fd));
		held = (int64_t)(now_ns() - start);
		longest = held > longest ? held : longest;
		nap_ms(PAUSE_MS);
	}
	close(fd);
	return longest;
}

/* In strict mode, a call that is made again waits as long again. */
static int is_tested(size_t n, uint32_t mode)
{
	return calls[n].timeout == TIMEOUT_STAYS ||
	       (calls[n].timeout == TIMEOUT_STARTS_OVER && mode != XCKPT_MODE_STRICT);
}

/* By how much call n was late and early at best, beyond what is allowed. */
struct best {
	int64_t late[NR_CALLS], early[NR_CALLS];
};

static void keep_best(int64_t *best, int64_t by)
{
	if (by < *best)
		*best = by;
}

static void one_try(uint32_t mode, struct best *best)
{
	volatile uint64_t *twin;
	int64_t longest, latest = 0;
	pid_t pids[2];

	share_counters();
	twin = shared;
	share_counters();
	pids[0] = start_waiter(twin);
	pids[1] = start_waiter(shared);
	longest = freeze_meanwhile(pids[1], mode);
	nap_ms(300);
	for (size_t n = 0; n < NR_CALLS; n++) {
		int64_t by = (int64_t)twin[CALL_NS + n] - whole_ns;

		latest = calls[n].timeout != TIMEOUT_NONE && by > latest ? by : latest;
	}
	for (size_t n = 0; n < NR_CALLS; n++) {
		int64_t by = (int64_t)shared[CALL_NS + n] - whole_ns;

		if (!is_tested(n, mode))
			continue;
		if (!shared[CALL_RETURNS + n])
			by = whole_ns;
		else if (!EXPECT(shared[CALL_RESULT + n] == twin[CALL_RESULT + n]))
			printf("# %s: after %.3f ms errno %d, untouched %.3f ms errno %d\n",
			       calls[n].name, (double)shared[CALL_NS + n] / 1e6,
			       (int)shared[CALL_RESULT + n], (double)twin[CALL_NS + n] / 1e6,
			       (int)twin[CALL_RESULT + n]);
		keep_best(&best->early[n], -by - allowed_ns);
		keep_best(&best->late[n], by - (longest + latest + allowed_ns));
	}
	kill(pids[0], SIGKILL);
	kill(pids[1], SIGKILL);
}

static void time_outs(uint32_t mode)
{
	struct best best;
	int good = 0;

	call_time.tv_sec = whole_ns / 1000000000;
	block_some_signals();
	for (size_t n = 0; n < NR_CALLS; n++)
		best.late[n] = best.early[n] = INT64_MAX;
	for (int i = 0; i < TRIES && !good; i++) {
		one_try(mode, &best);
		good = 1;
		for (size_t n = 0; n < NR_CALLS; n++)
			good &= !is_tested(n, mode) || (best.late[n] <= 0 && best.early[n] <= 0);
	}
	for (size_t n = 0; n < NR_CALLS; n++)
		if (is_tested(n, mode) && !EXPECT(best.late[n] <= 0 && best.early[n] <= 0))
			printf("# %s: later than allowed by %.1f ms, earlier by %.1f\n",
			       calls[n].name, (double)best.late[n] / 1e6,
			       (double)best.early[n] / 1e6);
}

TEST(time_outs_in_auto_mode)
{
	time_outs(XCKPT_MODE_AUTO);
}

TEST(time_outs_in_soft_mode)
{
	time_outs(XCKPT_MODE_SOFT);
}

TEST(time_outs_in_strict_mode)
{
	time_outs(XCKPT_MODE_STRICT);
}
