// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * threads [TURNS]: nine threads. Three workers pass a turn around by a mutex and
 * a condition; the others are blocked at the dump, each in another way: a
 * relative sleep, a raw futex, a pipe, poll, a condition with a deadline. What
 * they saw is told at the end, when the first thread collects them.
 */
#include <errno.h>
#include <poll.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t late_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t late;
static pthread_mutex_t recursive;
static unsigned int turn, turns;
static int ended, late_flag, gate;
static int data_pipe[2], poll_pipe[2];
static __thread long mine = 7;

static void *worker(void *arg)
{
	long id = (long)arg;
	uint64_t hash = (uint64_t)id;
	char name[16];

	mine = 100 + id;
	snprintf(name, sizeof(name), "worker-%ld", id);
	prctl(PR_SET_NAME, name);
	for (unsigned int i = 0; i < turns; i++) {
		hash = work(hash, STEP);
		pthread_mutex_lock(&lock);
		while (turn % 3 != id)
			pthread_cond_wait(&turned, &lock);
		prctl(PR_GET_NAME, name);
		say("%s turn %u %016jx %ld", name, i, (uintmax_t)hash, mine);
		turn++;
		pthread_cond_broadcast(&turned);
		pthread_mutex_unlock(&lock);
	}
	return (void *)(id * 11 + mine);
}

static int64_t monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* Relative sleeps, again and again: never too short, never interrupted. */
static void *sleeper(void *arg)
{
	const struct timespec second = { 1, 0 };
	long bad = 0;

	while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE)) {
		int64_t before = monotonic();

		if (nanosleep(&second, NULL))
			bad++;
		if (monotonic() - before < 1000000000)
			bad++;
	}
	return (void *)bad;
}

static void *futex_waiter(void *arg)
{
	long bad = 0;

	while (!__atomic_load_n(&gate, __ATOMIC_ACQUIRE))
		if (syscall(SYS_futex, &gate, FUTEX_WAIT_PRIVATE, 0, NULL) && errno != EAGAIN)
			bad++;
	return (void *)bad;
}

static void *pipe_reader(void *arg)
{
	char buf[16];

	return (void *)(long)(read(data_pipe[0], buf, sizeof(buf)) != 5 || memcmp(buf, "hello", 5));
}

static void *poller(void *arg)
{
	struct pollfd pfd = { .fd = poll_pipe[0], .events = POLLIN };

	int ready = poll(&pfd, 1, -1);

	if (ready != 1 || pfd.revents != POLLIN)
		say("poll: %d, events %x, %s", ready, pfd.revents, strerror(errno));
	return (void *)(long)(ready != 1 || pfd.revents != POLLIN);
}

static void *deadline_waiter(void *arg)
{
	struct timespec ts;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += 100000;
	pthread_mutex_lock(&late_lock);
	while (!late_flag && !err)
		err = pthread_cond_timedwait(&late, &late_lock, &ts);
	pthread_mutex_unlock(&late_lock);
	return (void *)(long)err;
}

static void *try_recursive(void *arg)
{
	return (void *)(long)pthread_mutex_trylock(&recursive);
}

static long joined(pthread_t thread)
{
	void *result;

	if (pthread_join(thread, &result))
		die("pthread_join");
	return (long)result;
}

static pthread_t started(void *(*fn)(void *), long arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, (void *)arg))
		die("pthread_create");
	return thread;
}

static void set_up(void)
{
	pthread_mutexattr_t mutex_attr;
	pthread_condattr_t cond_attr;

	pthread_mutexattr_init(&mutex_attr);
	pthread_mutexattr_settype(&mutex_attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&recursive, &mutex_attr);
	/* held by this thread across the dump: it is known by its tid */
	pthread_mutex_lock(&recursive);
	pthread_condattr_init(&cond_attr);
	pthread_condattr_setclock(&cond_attr, CLOCK_MONOTONIC);
	pthread_cond_init(&late, &cond_attr);
	if (pipe(data_pipe) || pipe(poll_pipe))
		die("pipe");
}

static void wake_all(void)
{
	__atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&gate, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &gate, FUTEX_WAKE_PRIVATE, 1);
	if (write(data_pipe[1], "hello", 5) != 5 || write(poll_pipe[1], "x", 1) != 1)
		die("write");
	pthread_mutex_lock(&late_lock);
	late_flag = 1;
	pthread_cond_signal(&late);
	pthread_mutex_unlock(&late_lock);
}

int main(int argc, char **argv)
{
	pthread_t workers[3], sleeps, waits, reads, polls, expects;
	pid_t pid = getpid();
	long sum = 0;

	turns = number(argv, argc, 1, 12);
	set_up();
	sleeps = started(sleeper, 0);
	waits = started(futex_waiter, 0);
	reads = started(pipe_reader, 0);
	polls = started(poller, 0);
	expects = started(deadline_waiter, 0);
	for (long i = 0; i < 3; i++)
		workers[i] = started(worker, i);
	for (int i = 0; i < 3; i++)
		sum += joined(workers[i]);
	say("workers joined %ld", sum);

	check(getpid() == pid && syscall(SYS_gettid) == pid, "the first thread kept its ids");
	check(mine == 7, "its own variable is its own");
	check(!pthread_mutex_lock(&recursive), "the mutex knows its owner");
	check(joined(started(try_recursive, 0)) == EBUSY, "and nobody else");
	check(!pthread_mutex_unlock(&recursive) && !pthread_mutex_unlock(&recursive), "unlocked");
	wake_all();
	check(!joined(sleeps), "sleeps were whole");
	check(!joined(waits), "the futex woke");
	check(!joined(reads), "the pipe was read");
	check(!joined(polls), "the poll returned");
	check(!joined(expects), "the condition came");
	turn = 0;
	turns = 1;
	say("new thread %ld", joined(started(worker, 0)));
	return failures != 0;
}
