// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clocks [LINES]: reads clocks all the time, so that a dump finds it inside the
 * vDSO more often than not. No clock may ever go backwards. A timer that nobody
 * reads before the end must then tell of all the time there was.
 */
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

static int64_t now(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		die("clock_gettime");
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static int tick_every_ms(void)
{
	const struct itimerspec its = { { 0, 1000000 }, { 0, 1000000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, 0, &its, NULL))
		die("timerfd");
	return fd;
}

/* It stands while the program is being resumed, when its clocks go on already. */
static void check_ticks(int fd, int64_t ms)
{
	uint64_t ticks = 0;

	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		die("timerfd");
	check((int64_t)ticks > ms * 3 / 4 && (int64_t)ticks < ms + 1000, "all ticks counted");
}

int main(int argc, char **argv)
{
	static const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME,
					 CLOCK_MONOTONIC_COARSE, CLOCK_PROCESS_CPUTIME_ID };
	unsigned int lines = number(argv, argc, 1, 40);
	int64_t last[5] = { 0 }, start = now(CLOCK_MONOTONIC);
	int ticks = tick_every_ms();

	for (unsigned int i = 0; i < lines; i++) {
		/* long enough to be caught twice, and short when system calls are slow */
		int calls = i < lines * 4 / 5 ? 500000 : 20000;

		for (int k = 0; k < calls; k++) {
			/* the last one is a system call, not the vDSO: seldom */
			int c = k % 100 ? k % 4 : 4;
			int64_t t = now(ids[c]);

			/* processor time begins anew in a resumed process */
			expect(c == 4 ? t > 0 : t >= last[c], "clocks go forward");
			last[c] = t;
		}
		say("%u", i);
	}
	check_ticks(ticks, (now(CLOCK_MONOTONIC) - start) / 1000000);
	say("clocks read");
	return failures != 0;
}
