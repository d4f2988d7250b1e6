// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * events [LINES]: descriptors of things that happen: eventfd, timerfd, signalfd,
 * epoll, inotify and pidfd. What had happened before and was not looked at must be
 * there after, once; what is waited for must still come, by its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

#define WATCHED "events.watched"
/* a number that nothing is at any more when epoll tells of it */
#define GONE 77

static struct {
	int counter, semaphore, full, once, ticks, far, signals, epoll, outer, edge[2], shot, watch,
		child, dead, hold;
} fd;
static int wd;

static int got(int n, const char *what)
{
	if (n < 0)
		die(what);
	return n;
}

static uint64_t take(int n)
{
	uint64_t v = 0;

	return read(n, &v, sizeof(v)) == sizeof(v) ? v : ~0ull;
}

static void give(int n, uint64_t v)
{
	if (write(n, &v, sizeof(v)) != sizeof(v))
		die("eventfd");
}

static int timer(int clock, long first_ms, long every_ms)
{
	int n = got(timerfd_create(clock, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
	struct itimerspec its = {
		.it_value = { first_ms / 1000, first_ms % 1000 * 1000000 },
		.it_interval = { every_ms / 1000, every_ms % 1000 * 1000000 },
	};

	if (timerfd_settime(n, 0, &its, NULL))
		die("timerfd_settime");
	return n;
}

static void add(int epoll, int n, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, n, &event))
		die("epoll_ctl");
}

static int child(int *pid)
{
	int ends[2];

	if (pipe(ends))
		die("pipe");
	*pid = fork();
	if (!*pid) {
		char c;

		close(ends[1]);
		_exit(read(ends[0], &c, 1) == 1 ? 7 : 8);
	}
	close(ends[0]);
	return ends[1];
}

static int opened(int pid)
{
	return got((int)syscall(SYS_pidfd_open, pid, 0), "pidfd_open");
}

/* Of turn @i: one of those that an engine may give other numbers, too. */
static int signal_of(unsigned int i)
{
	return i % 2 ? SIGRTMIN + 3 : SIGUSR1;
}

/* In the order of numbers: what epoll knows by GONE had that one for a moment. */
static void set_up(int *pid)
{
	sigset_t set;
	int other;

	fd.counter = got(eventfd(0, EFD_NONBLOCK), "eventfd");
	fd.semaphore = got(eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE), "eventfd");
	fd.full = got(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
	give(fd.full, 0xfffffffffffffffeull);
	fd.once = timer(CLOCK_MONOTONIC, 1, 0);
	fd.ticks = timer(CLOCK_REALTIME, 5, 5);
	fd.far = timer(CLOCK_BOOTTIME, 1000000, 2000000);
	sigemptyset(&set);
	sigaddset(&set, signal_of(0));
	sigaddset(&set, signal_of(1));
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd.signals = got(signalfd(-1, &set, SFD_NONBLOCK), "signalfd");
	fd.watch = got(inotify_init1(IN_NONBLOCK), "inotify_init");
	close(got(open(WATCHED, O_CREAT | O_WRONLY, 0644), WATCHED));
	/* so that the number that is kept is not the first one */
	inotify_rm_watch(fd.watch, inotify_add_watch(fd.watch, ".", IN_DELETE));
	wd = got(inotify_add_watch(fd.watch, WATCHED, IN_MODIFY), "inotify_add_watch");
	while (read(fd.watch, (char[4096]){ 0 }, 4096) > 0)
		;
	fd.hold = child(pid);
	fd.child = opened(*pid);
	close(child(&other));
	fd.dead = opened(other);
	waitpid(other, NULL, 0);
	fd.shot = got(eventfd(0, EFD_NONBLOCK), "eventfd");
	if (pipe2(fd.edge, O_NONBLOCK))
		die("pipe");
	fd.epoll = got(epoll_create1(EPOLL_CLOEXEC), "epoll_create");
	fd.outer = got(epoll_create1(0), "epoll_create");
	add(fd.epoll, fd.counter, EPOLLIN, 0x1122334455667788);
	add(fd.epoll, fd.edge[0], EPOLLIN | EPOLLET, 2);
	add(fd.epoll, fd.shot, EPOLLIN | EPOLLONESHOT, 3);
	add(fd.epoll, fd.child, EPOLLIN, 4);
	got(dup2(fd.full, GONE), "dup2");
	add(fd.outer, GONE, EPOLLOUT | EPOLLIN | EPOLLET, 5);
	close(GONE);
	add(fd.outer, fd.epoll, EPOLLIN, 6);
}

/* What an epoll instance tells at once; 0: nothing. */
static uint64_t told(int epoll)
{
	struct epoll_event event = { 0 };

	return epoll_wait(epoll, &event, 1, 0) == 1 ? event.data.u64 : 0;
}

/* Leaves an event of the pipe seen but not taken, one shot used up, a signal to be read. */
static void begin(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (write(fd.edge[1], "a", 1) != 1 || told(fd.epoll) != 2)
		die("edge");
	give(fd.shot, 1);
	if (told(fd.epoll) != 3)
		die("one shot");
	if (epoll_ctl(fd.epoll, EPOLL_CTL_MOD, GONE + 1, &event) != -1 || errno != EBADF)
		die("a number that is closed");
	while (told(fd.outer) == 5)
		;
}

static void turn(unsigned int i)
{
	struct signalfd_siginfo info;
	union sigval value = { .sival_int = (int)i };
	uint64_t outer;

	/* two of them since the last turn but the first */
	if (i) {
		expect(read(fd.signals, &info, sizeof(info)) == sizeof(info) &&
			       info.ssi_signo == (uint32_t)signal_of(i - 1) &&
			       info.ssi_int == (int)i - 1,
		       "the signal of the turn before is read");
		expect(take(fd.counter) == i, "what was counted is there, once");
	}
	expect(told(fd.epoll) != 0x1122334455667788, "nothing to be read is told of");
	give(fd.counter, i);
	give(fd.counter, 1);
	expect(told(fd.epoll) == 0x1122334455667788 || told(fd.epoll) == 0x1122334455667788,
	       "what is to be read is told of");
	outer = told(fd.outer);
	if (outer == 5) /* an edge may be told of once more */
		outer = told(fd.outer);
	expect(outer == 6, "an instance within another as well");
	if (sigqueue(getpid(), signal_of(i), value))
		die("sigqueue");
}

static int readable(int n)
{
	struct pollfd p = { .fd = n, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void check_timers(void)
{
	struct itimerspec its;

	check(take(fd.once) == 1, "a timer that had expired tells so once");
	check(take(fd.once) == ~0ull, "and not again");
	check(take(fd.ticks) >= 1, "a timer that repeats has gone on");
	nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
	check(take(fd.ticks) >= 1, "and goes on");
	timerfd_gettime(fd.far, &its);
	check(its.it_value.tv_sec > 900 && its.it_value.tv_sec < 1000 &&
		      its.it_interval.tv_sec == 2000,
	      "one that is far away is as far as before");
}

static void check_counters(void)
{
	check(take(fd.semaphore) == 1 && take(fd.semaphore) == 1 && take(fd.semaphore) == 1 &&
		      take(fd.semaphore) == ~0ull,
	      "a semaphore is one");
	check(take(fd.full) == 0xfffffffffffffffeull, "a counter that is full");
	check(fcntl(fd.full, F_GETFD) == FD_CLOEXEC, "is closed on exec");
}

static void check_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = 33 };

	take(fd.counter);
	while (told(fd.epoll) == 2) /* an edge may be told of once more */
		;
	check(told(fd.epoll) == 0, "one shot that was used up stays so");
	if (epoll_ctl(fd.epoll, EPOLL_CTL_MOD, fd.shot, &event))
		die("epoll_ctl");
	check(told(fd.epoll) == 33, "until it is armed");
	if (write(fd.edge[1], "b", 1) != 1)
		die("pipe");
	check(told(fd.epoll) == 2, "a new edge is told of");
	check(told(fd.outer) == 5, "and a file whose number is gone");
}

static void check_watch(void)
{
	char buf[4096] __attribute__((aligned(8)));
	const struct inotify_event *event = (const struct inotify_event *)buf;
	int n = got(open(WATCHED, O_WRONLY | O_APPEND), WATCHED);

	check(read(fd.watch, buf, sizeof(buf)) == -1 && errno == EAGAIN, "nothing was changed");
	if (write(n, "x", 1) != 1)
		die(WATCHED);
	close(n);
	check(read(fd.watch, buf, sizeof(buf)) == sizeof(*event) && event->wd == wd &&
		      event->mask == IN_MODIFY,
	      "a change is seen, by its number");
}

static void check_processes(int pid)
{
	siginfo_t info = { 0 };
	int status;

	check(!readable(fd.child), "a child lives");
	check(syscall(SYS_pidfd_send_signal, fd.child, 0, NULL, 0) == 0, "and can be sent signals");
	check(syscall(SYS_pidfd_send_signal, fd.dead, 0, NULL, 0) == -1 && errno == ESRCH,
	      "another is gone");
	if (write(fd.hold, "x", 1) != 1)
		die("pipe");
	check(waitid(P_PIDFD, (id_t)fd.child, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == pid,
	      "the child's end is seen through the descriptor");
	check(told(fd.epoll) == 4, "and told of");
	check(waitpid(pid, &status, 0) == pid && status == 7 << 8, "it ends as it should");
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 40);
	uint64_t seed = 1;
	int pid;

	set_up(&pid);
	begin();
	for (unsigned int i = 0; i < lines; i++) {
		turn(i);
		seed = work(seed, STEP);
		say("line %u: %016llx", i, (unsigned long long)seed);
	}
	check_timers();
	check_counters();
	check_epoll();
	check_watch();
	check_processes(pid);
	return failures != 0;
}
