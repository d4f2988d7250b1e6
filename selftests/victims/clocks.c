// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clocks [LINES]: reads clocks all the time, so that a dump finds it inside the
 * vDSO more often than not. No clock may ever go backwards.
 */
#include <sys/time.h>
#include <time.h>

#include "victim.h"

static int64_t now(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		die("clock_gettime");
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	static const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME,
					 CLOCK_MONOTONIC_COARSE, CLOCK_PROCESS_CPUTIME_ID };
	unsigned int lines = number(argv, argc, 1, 40);
	int64_t last[5] = { 0 };

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
	say("clocks read");
	return failures != 0;
}
