// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_scale CONTROL threads|processes|vmas|fds|reserved N   a process that does nothing
 * and has N threads, N processes with it, N mappings, N open files or N GiB that it never
 * touches. It waits to be asked for something (enum request); asked to CHECK, it looks
 * whether all of that is there. Prints a line when ready.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "bench.h"

#define PAGE 4096ul
#define STACK 65536ul

static struct control *control;
static char *memory;
static long count;

static _Noreturn void rest(void)
{
	for (;;)
		pause();
}

static void *thread(void *arg)
{
	(void)arg;
	rest();
}

static void make_threads(void)
{
	pthread_attr_t attr;
	pthread_t id;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	for (long i = 1; i < count; i++)
		if ((errno = pthread_create(&id, &attr, thread, NULL)))
			err(1, "cannot start thread %ld", i);
}

static int check_threads(void)
{
	char line[128];
	long threads = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f) && sscanf(line, "Threads: %ld", &threads) != 1)
		;
	if (f)
		fclose(f);
	return threads == count;
}

static void make_processes(void)
{
	for (long i = 1; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "cannot start process %ld", i);
		if (!pid)
			rest();
	}
}

static int check_processes(void)
{
	/* they end with the first one: its group is theirs */
	return !kill(0, 0);
}

/* Every second page can be written: no two neighbours are one mapping. */
static int is_writable(long i)
{
	return i % 2 == 0;
}

/* Two of four have contents, a readable one among them. */
static uint64_t contents(long i)
{
	return i % 4 < 2 ? (uint64_t)i * 0x9e3779b97f4a7c15ul + 1 : 0;
}

static volatile uint64_t *word(long i)
{
	return (volatile uint64_t *)(memory + (size_t)i * PAGE + i % 64 * sizeof(uint64_t));
}

static void make_vmas(void)
{
	memory = mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || madvise(memory, (size_t)count * PAGE, MADV_NOHUGEPAGE))
		err(1, "cannot map memory");
	for (long i = 0; i < count; i++) {
		if (contents(i))
			*word(i) = contents(i);
		if (!is_writable(i) && mprotect(memory + (size_t)i * PAGE, PAGE, PROT_READ))
			err(1, "cannot make mapping %ld", i);
	}
}

static int check_vmas(void)
{
	for (long i = 0; i < count; i++) {
		if (*word(i) != contents(i))
			return 0;
		/* ends the process where it cannot be written */
		if (is_writable(i))
			*word(i) = contents(i);
	}
	return 1;
}

/* Of a file that is there on every machine, on its own disk. */
static void make_fds(void)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 100000, 100000 });
	for (long i = 0; i < count; i++)
		if (open("/etc/passwd", O_RDONLY) < 0)
			err(1, "cannot open file %ld", i);
}

static int check_fds(void)
{
	for (long i = 0; i < count; i++)
		if (fcntl(3 + (int)i, F_GETFL) < 0)
			return 0;
	return 1;
}

/* One half cannot be accessed, one half could be. */
static void make_reserved(void)
{
	size_t half = (size_t)count << 29;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	if (half && (mmap(NULL, half, PROT_NONE, flags, -1, 0) == MAP_FAILED ||
		     mmap(NULL, half, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED))
		err(1, "cannot reserve memory");
}

static int check_reserved(void)
{
	return 1; /* the resume compared the mappings */
}

static const struct kind {
	const char *name;
	void (*make)(void);
	int (*check)(void);
} kinds[] = {
	{ "threads", make_threads, check_threads },
	{ "processes", make_processes, check_processes },
	{ "vmas", make_vmas, check_vmas },
	{ "fds", make_fds, check_fds },
	{ "reserved", make_reserved, check_reserved },
};

static _Noreturn void serve(const struct kind *kind)
{
	for (;;) {
		enum request request = next_request(control);

		if (request == END)
			kill(0, SIGKILL); /* with all who belong to it */
		if (request == CHECK && !kind->check())
			errx(1, "not all %ld %s are there as they were", count, kind->name);
		request_done(control);
	}
}

int main(int argc, char **argv)
{
	const struct kind *kind = kinds, *end = kinds + sizeof(kinds) / sizeof(kinds[0]);

	while (argc == 4 && kind < end && strcmp(kind->name, argv[2]))
		kind++;
	if (argc != 4 || kind == end)
		errx(2, "usage: bench_scale CONTROL threads|processes|vmas|fds|reserved N");
	control = map_control(argv[1]);
	count = atol(argv[3]);
	kind->make();
	puts("ready");
	fflush(stdout);
	serve(kind);
}
