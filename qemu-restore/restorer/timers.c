// SPDX-License-Identifier: GPL-2.0-or-later
/* Handlers for what is told by clocks: time-outs and timers. */
#include "restorer.h"

#define NS_PER_S 1000000000

/* A timespec, or with a divisor a number of so many ns; never 0, which may mean "do not wait". */
int64_t do_left(struct record_head *head, const struct record *r)
{
	volatile int64_t *to = (volatile int64_t *)r->arg[0];
	int64_t now[2], left, divisor = r->arg[3];
	int64_t ret = syscall3(SYS_CLOCK_GETTIME, r->arg[1], (uint64_t)now, 0);

	(void)head;
	if (ret < 0)
		return ret;
	left = (int64_t)r->arg[2] - now[0] * NS_PER_S - now[1];
	if (left < 1)
		left = 1;
	to[0] = left / (divisor ? divisor : NS_PER_S);
	if (divisor)
		to[0] += left % divisor != 0;
	else
		to[1] = left % NS_PER_S;
	return 0;
}

/*
 * Ids are counted up, for each process by itself. Where the kernel takes the one that
 * it is asked for (PR_TIMER_CREATE_RESTORE_IDS) the first try is it, elsewhere those
 * before it are made and ended.
 */
int64_t do_timer(struct record_head *head, const struct record *r)
{
	int32_t id, wanted = r->arg[2];
	int64_t ret;

	(void)head;
	do {
		id = wanted;
		ret = syscall3(SYS_TIMER_CREATE, r->arg[0], r->arg[1], (uint64_t)&id);
		if (!ret && id < wanted)
			ret = syscall3(SYS_TIMER_DELETE, id, 0, 0);
	} while (!ret && id < wanted);
	return ret ? ret : id;
}
