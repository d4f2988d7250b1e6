// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_crowd threads|asleep|tree N [OBJECTS]   N threads of one process, or N processes:
 * of 100 one runs (at least one of all, but with asleep none), the others sleep as those
 * of real programs do.
 * All processes have OBJECTS files and pieces of memory together.
 * Prints a line when all are where they stay.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "bench.h"

static uint32_t never;
static int quiet_pipe[2], epoll;

static void in_poll(void)
{
	struct pollfd p = { .fd = quiet_pipe[0], .events = POLLIN };

	poll(&p, 1, -1);
}

static void in_read(void)
{
	char c;

	if (read(quiet_pipe[0], &c, 1) != 1)
		pause();
}

static void in_futex(void)
{
	futex(&never, FUTEX_WAIT_PRIVATE, 0);
}

static void in_nanosleep(void)
{
	nap_ms(3600000);
}

static void in_epoll(void)
{
	struct epoll_event event;

	epoll_wait(epoll, &event, 1, -1);
}

static void (*const sleeps[])(void) = { in_futex, in_poll, in_read, in_nanosleep, in_epoll };

static volatile uint64_t sink;

static _Noreturn void live(long nr)
{
	for (;;) {
		if (nr % 100 == 0)
			sink++;
		else
			sleeps[(unsigned long)nr % (sizeof(sleeps) / sizeof(sleeps[0]))]();
	}
}

static void *thread(void *nr)
{
	live((long)nr);
}

static void more_threads(long n)
{
	pthread_attr_t attr;
	pthread_t id;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (long i = 1; i < n; i++)
		if ((errno = pthread_create(&id, &attr, thread, (void *)i)))
			err(1, "cannot start thread %ld", i);
}

/* Each has a few children: neither flat nor a chain. */
static void more_processes(long n)
{
	long me = 0;

	for (long i = 1; i < n; i++) {
		pid_t pid;

		if ((i - 1) / 10 != me)
			continue;
		pid = fork();
		if (pid < 0)
			err(1, "cannot start process %ld", i);
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			me = i;
		}
	}
	if (me)
		live(me);
}

static int removed_file(void)
{
	char name[] = "/tmp/bench-XXXXXX";
	int fd = mkstemp(name);

	if (fd >= 0)
		unlink(name);
	return fd;
}

/* One of five kinds, with something in it. */
static void make_object(long i)
{
	static const union {
		char text[100];
		uint64_t count;
	} contents = { .count = 1 };
	int fd = -1, ends[2];
	uint64_t *memory;

	switch (i % 5) {
	case 0:
		memory =
			mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED)
			err(1, "cannot map memory");
		*memory = (uint64_t)i;
		return;
	case 1:
		fd = pipe(ends) ? -1 : ends[1];
		break;
	case 2:
		fd = memfd_create("bench", 0);
		break;
	case 3:
		fd = removed_file();
		break;
	default:
		fd = eventfd(0, 0);
	}
	if (fd < 0 || write(fd, &contents, i % 5 == 4 ? 8 : sizeof(contents)) < 0)
		err(1, "cannot make object %ld", i);
}

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN };
	long n = argc >= 3 ? atol(argv[2]) : 0, objects = argc == 4 ? atol(argv[3]) : 0;

	if (n < 1 || argc > 4)
		errx(2, "usage: bench_crowd threads|asleep|tree N [OBJECTS]");
	if (pipe(quiet_pipe))
		err(1, "cannot make a pipe");
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, quiet_pipe[0], &event))
		err(1, "cannot make an epoll");
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 100000, 100000 });
	for (long i = 0; i < objects; i++)
		make_object(i);
	if (!strcmp(argv[1], "tree"))
		more_processes(n);
	else
		more_threads(n);
	nap_ms(500 + n);
	puts("ready");
	fflush(stdout);
	live(!strcmp(argv[1], "asleep"));
}
