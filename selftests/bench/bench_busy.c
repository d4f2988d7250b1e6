// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_busy MS   how much a program gets done in MS milliseconds of each: computing;
 * touching new memory; writing to memory that it shares with a forked child; waking
 * another process and waiting for it. All on one processor: to wake another one takes
 * as long as that happens to sleep. Prints members of a JSON object.
 *
 * bench_busy CONTROL MIB compute|write|calls   a program with MIB of written memory that does
 * the same thing all the time, and counts it in CONTROL: computing, a thread on each processor;
 * writing to its pages at random; sending a byte to another thread and back by pipes. The
 * last two on the first processor. Prints a line when ready.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "bench.h"

#define PAGE 4096
#define PAGES 256

static int ping[2], pong[2];
static char *shared, *memory;
static size_t nr_pages;
static volatile uint64_t sink;

static uint64_t next_random(uint64_t x)
{
	return x * 6364136223846793005u + 1442695040888963407u;
}

static void compute(void)
{
	uint64_t x = sink + 1;

	for (int i = 0; i < 100000; i++)
		x = next_random(x);
	sink = x;
}

/* All of a page: an emulated processor is bad at finding pages, which is not what is asked. */
static void write_page(void)
{
	static uint64_t x;
	volatile uint64_t *page;

	x = next_random(x);
	page = (uint64_t *)(memory + (x >> 32) % nr_pages * PAGE);
	for (size_t i = 0; i < PAGE / sizeof(*page); i++)
		page[i] += x;
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

static void answer(void)
{
	char byte;

	while (read(ping[0], &byte, 1) == 1 && write(pong[1], &byte, 1) == 1)
		;
}

static const struct {
	const char *name;
	void (*once)(void);
} kinds[] = { { "compute", compute }, { "touch", touch }, { "cow", cow }, { "wake", wake } };

static void *answering(void *arg)
{
	pin_to(0);
	answer();
	return NULL;
}

static const struct job {
	const char *name;
	void (*once)(void);
	int everywhere; /* or on the first processor only */
} jobs[] = { { "compute", compute, 1 }, { "write", write_page, 0 }, { "calls", wake, 0 } };
#define NR_JOBS (sizeof(jobs) / sizeof(jobs[0]))

static const struct job *job;
static struct control *control;

static void *work(void *nr)
{
	uint64_t *done = &control->done[(uintptr_t)nr];

	pin_to((int)(uintptr_t)nr);
	for (;; __atomic_store_n(done, *done + 1, __ATOMIC_RELAXED))
		job->once();
	return NULL;
}

static void start(void *(*run)(void *), uintptr_t nr)
{
	pthread_t id;

	errno = pthread_create(&id, NULL, run, (void *)nr);
	if (errno)
		err(1, "cannot start a thread");
}

static _Noreturn void be_busy(const char *path, size_t mib, const char *name)
{
	long nr = sysconf(_SC_NPROCESSORS_ONLN);

	for (job = jobs; job < jobs + NR_JOBS && strcmp(job->name, name); job++)
		;
	nr_pages = (mib << 20) / PAGE;
	memory = mmap(NULL, nr_pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (job == jobs + NR_JOBS || memory == MAP_FAILED || nr > MAX_WORKERS ||
	    madvise(memory, nr_pages * PAGE, MADV_NOHUGEPAGE))
		errx(2, "cannot begin to %s with %zu MiB", name, mib);
	for (size_t i = 0; i < nr_pages; i++)
		*(uint64_t *)(memory + i * PAGE) = i + 1;
	control = map_control(path);
	for (long i = job->everywhere ? nr : 1; i > 0; i--)
		start(work, (uintptr_t)i - 1);
	if (job->once == wake)
		start(answering, 0);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

static void measure_all(uint64_t ms)
{
	shared = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || madvise(shared, PAGES * PAGE, MADV_NOHUGEPAGE))
		err(1, "cannot get memory");
	pin_to(0);
	if (!fork()) {
		close(ping[1]); /* ends when the first process has */
		answer();
		_exit(0);
	}
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
}

int main(int argc, char **argv)
{
	if (pipe(ping) || pipe(pong))
		err(1, "cannot make pipes");
	if (argc == 4)
		be_busy(argv[1], strtoul(argv[2], NULL, 10), argv[3]);
	measure_all(argc > 1 ? strtoull(argv[1], NULL, 0) : 1000);
	return 0;
}
