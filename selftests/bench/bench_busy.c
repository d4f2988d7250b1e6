// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_busy MS   how much a program gets done in MS milliseconds of each: computing;
 * touching new memory; writing to memory that it shares with a forked child; waking
 * another process and waiting for it. All on one processor: to wake another one takes
 * as long as that happens to sleep. Prints members of a JSON object.
 */
#include <sys/wait.h>

#include "bench.h"

#define PAGE 4096
#define PAGES 256

static int ping[2], pong[2];
static char *shared;
static volatile uint64_t sink;

static void compute(void)
{
	uint64_t x = sink + 1;

	for (int i = 0; i < 100000; i++)
		x = x * 6364136223846793005u + 1442695040888963407u;
	sink = x;
}

static void touch(void)
{
	char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	for (int i = 0; i < PAGES; i++)
		p[i * PAGE] = 1;
	munmap(p, PAGES * PAGE);
}

static void cow(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	for (int i = 0; i < PAGES; i++)
		shared[i * PAGE]++;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void wake(void)
{
	char byte = 0;

	if (write(ping[1], &byte, 1) != 1 || read(pong[0], &byte, 1) != 1)
		exit(1);
}

/* In the other process: until the first one has ended. */
static void answer(void)
{
	char byte;

	close(ping[1]);
	while (read(ping[0], &byte, 1) == 1 && write(pong[1], &byte, 1) == 1)
		;
	_exit(0);
}

static const struct {
	const char *name;
	void (*once)(void);
} kinds[] = { { "compute", compute }, { "touch", touch }, { "cow", cow }, { "wake", wake } };

int main(int argc, char **argv)
{
	uint64_t ms = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000;

	shared = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || madvise(shared, PAGES * PAGE, MADV_NOHUGEPAGE) || pipe(ping) ||
	    pipe(pong))
		return 1;
	pin_to(0);
	if (!fork())
		answer();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t start = now_ns(), end = start + ms * 1000000, n = 0, now;

		do {
			kinds[i].once();
			n++;
		} while ((now = now_ns()) < end);
		printf("%s\"%s_per_s\":%.1f", i ? "," : "", kinds[i].name,
		       (double)n * 1e9 / (double)(now - start));
	}
	putchar('\n');
	return 0;
}
