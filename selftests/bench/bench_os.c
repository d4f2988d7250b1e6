// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_os [ROUNDS]   what operations of the system cost, each for itself: a set in the
 * spirit of lmbench (McVoy and Staelin, "lmbench: Portable tools for performance analysis",
 * USENIX 1996), whose idea it is; written anew. Prints "ready", waits for the end of its input,
 * then prints lines "OPERATION NANOSECONDS", of one operation. What it has by then, pipes, a file
 * and shared memory, is moved with it when it is dumped there.
 */
#include <signal.h>

#include "bench.h"

#define PAGE 4096
#define AREA (16 * PAGE)
#define MANY 500 /* pages, of which each is touched once: less than a huge one */

static int to[2], from[2], file;
static uint32_t *turn; /* shared by two processes: whose it is, the child's if odd */
static pid_t child;
static char *fresh;
static volatile sig_atomic_t signals;

static void must(int good, const char *what)
{
	if (!good)
		err(1, "cannot %s", what);
}

static void *map_memory(size_t size, int prot, int flags)
{
	void *p = mmap(NULL, size, prot, flags | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED, "get memory");
	return p;
}

static void null_call(void)
{
	syscall(SYS_getppid);
}

static void read_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
}

static void note_signal(int sig)
{
	signals++;
}

static void install(void)
{
	const struct sigaction action = { .sa_handler = note_signal };

	must(!sigaction(SIGUSR1, &action, NULL), "install a handler");
}

static void deliver(void)
{
	const sig_atomic_t before = signals;

	must(!raise(SIGUSR1) && signals == before + 1, "get a signal");
}

static void start_child(void (*run)(void))
{
	child = fork();
	if (!child) {
		run();
		_exit(1);
	}
	must(child > 0, "fork");
}

static void end_child(void)
{
	must(!kill(child, SIGKILL) && waitpid(child, NULL, 0) == child, "end a child");
}

static void echo(void)
{
	char byte;

	while (read(to[0], &byte, 1) == 1 && write(from[1], &byte, 1) == 1)
		;
}

static void start_echo(void)
{
	start_child(echo);
}

static void round_trip(void)
{
	char byte = 0;

	must(write(to[1], &byte, 1) == 1 && read(from[0], &byte, 1) == 1, "use a pipe");
}

/* From whoever has the turn to the other, until that gives it back. */
static void pass(uint32_t own)
{
	__atomic_store_n(turn, own + 1, __ATOMIC_RELEASE);
	futex(turn, FUTEX_WAKE, 1);
	while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) == own + 1)
		futex(turn, FUTEX_WAIT, own + 1);
}

static void take_turns(void)
{
	while (!(__atomic_load_n(turn, __ATOMIC_ACQUIRE) & 1))
		futex(turn, FUTEX_WAIT, *turn);
	for (;;)
		pass(__atomic_load_n(turn, __ATOMIC_ACQUIRE));
}

static void start_turns(void)
{
	*turn = 0;
	start_child(take_turns);
}

static void switch_twice(void)
{
	pass(*turn);
}

static void fork_exit(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
}

static void map_unmap(void)
{
	volatile char *p = map_memory(AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	for (size_t at = 0; at < AREA; at += PAGE)
		p[at] = 1;
	munmap((void *)p, AREA);
}

/* Between two pages that are closed it is too small for a huge page, whatever the engine lets ask.
 */
static void get_fresh(void)
{
	fresh = map_memory((MANY + 2) * PAGE, PROT_NONE, MAP_PRIVATE);
	fresh += PAGE;
	must(!mprotect(fresh, MANY * PAGE, PROT_READ | PROT_WRITE), "open memory");
}

static void fault(void)
{
	*(volatile char *)fresh = 1;
	fresh += PAGE;
}

static void drop_fresh(void)
{
	munmap(fresh - (MANY + 1) * PAGE, (MANY + 2) * PAGE);
}

static void open_close(void)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	must(fd >= 0 && !close(fd), "open /etc/passwd");
}

static void read_page(void)
{
	static char page[PAGE];

	must(pread(file, page, PAGE, 0) == PAGE, "read a page");
}

static const struct operation {
	const char *name;
	unsigned int times;
	void (*run)(void), (*before)(void), (*after)(void);
} operations[] = {
	{ .name = "getppid", .times = 20000, .run = null_call },
	{ .name = "clock_gettime", .times = 20000, .run = read_clock },
	{ .name = "sigaction", .times = 20000, .run = install },
	{ .name = "signal", .times = 5000, .run = deliver, .before = install },
	{ .name = "pipe",
	  .times = 2000,
	  .run = round_trip,
	  .before = start_echo,
	  .after = end_child },
	{ .name = "futex",
	  .times = 2000,
	  .run = switch_twice,
	  .before = start_turns,
	  .after = end_child },
	{ .name = "fork", .times = 100, .run = fork_exit },
	{ .name = "mmap", .times = 1000, .run = map_unmap },
	{ .name = "fault", .times = MANY, .run = fault, .before = get_fresh, .after = drop_fresh },
	{ .name = "open", .times = 5000, .run = open_close },
	{ .name = "read", .times = 10000, .run = read_page },
};
#define NR_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* Once beforehand: what is done for the first time is not what is asked for. */
static void measure(const struct operation *o)
{
	uint64_t start, end;

	if (o->before)
		o->before();
	if (o->run != fault)
		o->run();
	start = now_ns();
	for (unsigned int i = 0; i < o->times; i++)
		o->run();
	end = now_ns();
	if (o->after)
		o->after();
	printf("%s %.2f\n", o->name, (double)(end - start) / o->times);
	fflush(stdout);
}

static void get_ready(void)
{
	static const char page[PAGE] = "a page";

	must(!pipe(to) && !pipe(from), "make pipes");
	turn = map_memory(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	file = memfd_create("page", MFD_CLOEXEC);
	must(file >= 0 && write(file, page, PAGE) == PAGE, "make a file");
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;

	get_ready();
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	pin_to(0); /* to wake another processor takes as long as that happens to sleep */
	for (unsigned long i = 0; i < rounds; i++)
		for (const struct operation *o = operations; o < operations + NR_OPERATIONS; o++)
			measure(o);
	return 0;
}
