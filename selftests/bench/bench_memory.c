// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_memory CONTROL MIB 4k|thp|shared|file|writers|zeros|sparse [idle]   a process with MIB of
 * written memory or, file, of memory that is a file's and was only read. With zeros, each second
 * page was written nothing but zeroes to; with sparse, it was never touched.
 * Its main thread sleeps until it is asked for something (enum request). Threads
 * that do nothing but look at the clock tell how long the process was kept from
 * running: one on the first processor, before all others there; or, with writers,
 * the eight of them, each of which writes all the time; or, idle, none. Prints a
 * line when ready.
 */
#include <pthread.h>
#include <sys/resource.h>

#include "bench.h"

#define PAGE 4096
#define NR_WRITERS MAX_WATCHERS
#define LONG_GAP_NS 1000000

static struct control *control;
static char *memory;
static size_t size;
static enum { FILLED, ZEROS, SPARSE } odd_pages;

static void touch(void)
{
	for (size_t at = 0; at < size; at += PAGE)
		++*(volatile uint64_t *)(memory + at);
}

/* The contents differ from page to page: nothing to merge or leave out. */
static void fill_page(char *page)
{
	static uint64_t x = 88172645463325252ull;

	for (size_t at = 0; at < PAGE; at += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(page + at, &x, sizeof(x));
	}
}

static void fill(void)
{
	for (size_t at = 0; at < size; at += PAGE) {
		if (!odd_pages || at / PAGE % 2 == 0)
			fill_page(memory + at);
		else if (odd_pages == ZEROS)
			memset(memory + at, 0, PAGE);
	}
}

static size_t huge_kib(void)
{
	char line[256];
	size_t kib = 0, sum = 0;
	FILE *f = fopen("/proc/self/smaps_rollup", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %zu", &kib) == 1)
			sum += kib;
	if (f)
		fclose(f);
	return sum;
}

static void take_memory(int huge, int flags)
{
	const size_t align = 2 << 20;

	memory = mmap(NULL, size + align, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "cannot get %zu bytes", size);
	memory += -(uintptr_t)memory % align;
	if (madvise(memory, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		err(1, "cannot choose the size of pages");
	fill();
	if (huge_kib() < (huge ? size / 1024 : 0) || (!huge && huge_kib()))
		errx(1, "%zu KiB in huge pages of %zu KiB", huge_kib(), size / 1024);
}

/* One call writes 2 GiB at most. */
static int write_all(int fd)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, memory + done, size - done);

		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

/* A file with the same contents, mapped and looked at. */
static void take_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	volatile char *page;

	take_memory(0, MAP_PRIVATE);
	if (fd < 0 || write_all(fd))
		err(1, "cannot write %s", path);
	munmap(memory, size);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED)
		err(1, "cannot map %s", path);
	close(fd);
	for (page = memory; page < memory + size; page += PAGE)
		(void)*page;
}

static void note_gap(struct watch *w, uint64_t from, uint64_t to)
{
	if (to - from > w->longest_ns)
		w->longest_ns = to - from;
	if (to - from < LONG_GAP_NS)
		return;
	if (w->nr < MAX_GAPS)
		w->gaps[w->nr] = (struct gap){ from, to };
	__atomic_store_n(&w->nr, w->nr + 1, __ATOMIC_RELEASE);
}

/* Looks at the clock after each step, if there is any to do. */
static _Noreturn void watch(unsigned int nr, size_t from, size_t to)
{
	struct watch *w = &control->watches[nr];
	uint64_t last = now_ns(), now;
	uint32_t seen = 0, reset, rest;
	size_t at = from;

	for (;;) {
		if (at < to) {
			++*(volatile uint64_t *)(memory + at);
			at = at + PAGE < to ? at + PAGE : from;
		}
		/* before the clock: the gap that made somebody ask for rest is noted first */
		rest = __atomic_load_n(&control->rest, __ATOMIC_ACQUIRE);
		reset = __atomic_load_n(&control->reset, __ATOMIC_ACQUIRE);
		now = now_ns();
		if (reset != seen)
			w->longest_ns = w->nr = 0;
		else
			note_gap(w, last, now);
		seen = reset;
		last = now;
		if (rest && from == to) {
			futex(&control->rest, FUTEX_WAIT, 1);
			last = now_ns();
		}
	}
}

static void *spinner(void *nr)
{
	pin_to(0);
	if (setpriority(PRIO_PROCESS, 0, -20))
		err(1, "cannot get ahead of others");
	watch(0, 0, 0);
}

static void *writer(void *nr)
{
	size_t share = size / NR_WRITERS, from = (size_t)nr * share;

	watch((unsigned int)(uintptr_t)nr, from, from + share);
}

static void start_threads(int writers)
{
	pthread_t id;

	control->nr_watches = writers ? NR_WRITERS : 1;
	for (long i = 0; i < control->nr_watches; i++)
		if ((errno = pthread_create(&id, NULL, writers ? writer : spinner, (void *)i)))
			err(1, "cannot start a thread");
}

static void bare_fork(void)
{
	pid_t pid;

	control->fork.from = now_ns();
	pid = fork();
	if (!pid)
		_exit(0);
	control->fork.to = now_ns();
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		err(1, "cannot fork");
}

static _Noreturn void serve(void)
{
	for (;;) {
		enum request request = next_request(control);

		if (request == TOUCH)
			touch();
		else if (request == FORK)
			bare_fork();
		else if (request == END)
			exit(0);
		request_done(control);
	}
}

static const char *data_path(const char *path)
{
	static char data[PATH_MAX];

	snprintf(data, sizeof(data), "%s.data", path);
	return data;
}

int main(int argc, char **argv)
{
	size = argc == 4 || argc == 5 ? strtoul(argv[2], NULL, 10) << 20 : 0;
	if (!size)
		errx(2,
		     "usage: bench_memory CONTROL MIB 4k|thp|shared|file|writers|zeros|sparse [idle]");
	if (!strcmp(argv[3], "zeros"))
		odd_pages = ZEROS;
	else if (!strcmp(argv[3], "sparse"))
		odd_pages = SPARSE;
	control = map_control(argv[1]);
	if (!strcmp(argv[3], "file"))
		take_file(data_path(argv[1]));
	else
		take_memory(!strcmp(argv[3], "thp"),
			    strcmp(argv[3], "shared") ? MAP_PRIVATE : MAP_SHARED);
	if (argc == 4)
		start_threads(!strcmp(argv[3], "writers"));
	puts("ready");
	fflush(stdout);
	serve();
}
