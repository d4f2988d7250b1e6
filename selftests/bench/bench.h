/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the measuring programs and their victim share. */
#ifndef BENCH_H
#define BENCH_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What a victim with memory is asked to do, one thing at a time. */
enum request {
	IDLE,
	TOUCH, /* write to every page, so that none is shared with a clone any more */
	FORK, /* a bare fork(): fork_ns is what it took in the parent */
	ANSWER, /* nothing but to say that it is done */
	CHECK, /* is all that it has as it made it? It ends if not */
	END,
};

#define MAX_WATCHERS 8
#define MAX_WORKERS 64
#define MAX_GAPS 1000

/* A time that a watching thread did not run, as CLOCK_MONOTONIC tells it. */
struct gap {
	uint64_t from, to;
};

/* Of one watching thread: the longest gap since the last reset, and the first long ones. */
struct watch {
	uint64_t longest_ns;
	uint64_t nr;
	struct gap gaps[MAX_GAPS];
};

/* A file that the victim and the measuring program both map. */
struct control {
	uint32_t request; /* a futex; back at IDLE when it is done */
	uint32_t reset; /* a new value makes each watching thread forget its gaps */
	uint32_t rest; /* a futex; not 0: the spinning thread sleeps */
	uint32_t nr_watches;
	struct gap fork; /* when the last one was */
	struct watch watches[MAX_WATCHERS];
	uint64_t done[MAX_WORKERS]; /* how much each thread of a busy program has done */
};

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline void nap_ms(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static inline long futex(uint32_t *word, int op, uint32_t value)
{
	return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static inline struct control *map_control(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct control *control;

	if (fd < 0 || ftruncate(fd, sizeof(*control)))
		err(1, "cannot make %s", path);
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (control == MAP_FAILED)
		err(1, "cannot map %s", path);
	close(fd);
	return control;
}

/* The victim's side: waits until it is asked for something, and tells that it is done. */
static inline enum request next_request(struct control *control)
{
	uint32_t request;

	while ((request = __atomic_load_n(&control->request, __ATOMIC_ACQUIRE)) == IDLE)
		futex(&control->request, FUTEX_WAIT, IDLE);
	return request;
}

static inline void request_done(struct control *control)
{
	__atomic_store_n(&control->request, IDLE, __ATOMIC_RELEASE);
	futex(&control->request, FUTEX_WAKE, INT_MAX);
}

static inline void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "cannot run on processor %d", cpu);
}

#endif /* BENCH_H */
