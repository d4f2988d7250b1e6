/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes of several groups and sessions, each counting at a place of its own. */
#ifndef PLAYERS_H
#define PLAYERS_H

#include "session.h"

/* One of them spins, the others sleep now and then: there are few processors. */
static inline _Noreturn void count_at(int n)
{
	if (!n)
		count_forever(n);
	for (;;)
		napping_thread((void *)(long)n);
}

/* Runs @prepare, and then counts at @n. */
static inline pid_t player(int n, void (*prepare)(void))
{
	uint64_t before = shared[n];
	pid_t pid = fork();

	ASSERT(pid >= 0);
	if (!pid) {
		alarm(0);
		syscall(SYS_close_range, 3, ~0u, 0);
		if (prepare)
			prepare();
		count_at(n);
	}
	EXPECT(reaches(n, before + 1));
	return pid;
}

static inline void own_session(void)
{
	if (setsid() < 0)
		_exit(97);
}

static inline void own_group(void)
{
	if (setpgid(0, 0))
		_exit(97);
}

static inline int one_moves(int n)
{
	uint64_t before = shared[n];

	nap_ms(100);
	return shared[n] != before;
}

/* Exactly the counters in @held stand still, of the first @nr. */
static inline void expect_held(unsigned int held, int nr)
{
	for (int n = 0; n < nr; n++)
		if (held & (1u << n) ? !EXPECT(!one_moves(n)) : !EXPECT(moves(n, 1)))
			printf("# counter %d\n", n);
}

/* Children that end at once, each counted. */
static inline _Noreturn void fork_forever(int n)
{
	for (;;) {
		pid_t pid = fork();

		if (!pid) {
			__atomic_fetch_add(&shared[n], 1, __ATOMIC_RELAXED);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

#endif
