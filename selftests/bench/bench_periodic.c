// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_periodic CONTROL MS [PERIOD_MS COMMAND...]   what the busy program behind CONTROL (see
 * bench_busy.c) gets done in MS milliseconds while COMMAND is run every PERIOD_MS, at once where
 * the one before took longer, and to the end of the last one. Prints members of a JSON object.
 */
#include <spawn.h>

#include "bench.h"

extern char **environ;

static uint64_t done(const struct control *control)
{
	uint64_t sum = 0;

	for (int i = 0; i < MAX_WORKERS; i++)
		sum += __atomic_load_n(&control->done[i], __ATOMIC_RELAXED);
	return sum;
}

static void run(char **argv)
{
	int status;
	pid_t pid;

	errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno)
		err(1, "cannot start %s", argv[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "%s failed with status 0x%x", argv[0], status);
}

static void sleep_until(uint64_t ns)
{
	const struct timespec t = { .tv_sec = (time_t)(ns / 1000000000),
				    .tv_nsec = (long)(ns % 1000000000) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int main(int argc, char **argv)
{
	uint64_t start, end, next, before, took = 0, period, nr = 0;
	struct control *control;

	if (argc != 3 && argc < 5)
		errx(2, "usage: bench_periodic CONTROL MS [PERIOD_MS COMMAND...]");
	control = map_control(argv[1]);
	period = argc > 3 ? strtoull(argv[3], NULL, 10) * 1000000 : 0;
	before = done(control);
	next = start = now_ns();
	end = start + strtoull(argv[2], NULL, 10) * 1000000;
	while (now_ns() < end) {
		uint64_t from = now_ns();

		if (period) {
			run(argv + 4);
			took += now_ns() - from;
			nr++;
		}
		next = period ? next + period : end;
		sleep_until(earlier(next, end));
		if (next < now_ns())
			next = now_ns();
	}
	end = now_ns();
	printf("\"done\":%llu,\"span_ns\":%llu,\"checkpoints\":%llu,\"took_ns\":%llu",
	       (unsigned long long)(done(control) - before), (unsigned long long)(end - start),
	       (unsigned long long)nr, (unsigned long long)took);
	return 0;
}
