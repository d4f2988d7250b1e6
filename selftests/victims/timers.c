// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * timers [LINES]: POSIX timers of every kind. They keep their numbers, which have a
 * gap, their signals with what these carry, and what is left of them, or their date; those that
 * repeat go on, what was to come once comes once, and what waits, blocked, tells how
 * often it would have come.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

#define MS 1000000ll
#define S (1000 * MS)
#define NAP (80 * MS)
#define HOUR (3600 * S)
/* A resume may be slow, and no timer runs before it is done. */
#define TOLERANCE (600 * S)
#define BLOCKED_EVERY (10 * MS)

#define VALUE(n) ((void *)(0x1122334455667700 + (n)))

enum { MONOTONIC, DELETED, REALTIME, THREAD, PROCESS_TIME, THREAD_TIME, ONCE, BLOCKED, NR_SIGNALS };

/* the kernel's timers in the order in which they are made; and glibc's own kind */
static timer_t timers[NR_SIGNALS], silent, dated, calling;
static volatile sig_atomic_t came[NR_SIGNALS], wrong, calls;
static volatile pid_t helper_tid;
static int64_t armed_at, date;

static pid_t own_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static int64_t now(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		die("clock_gettime");
	return ts.tv_sec * S + ts.tv_nsec;
}

static void handle(int signo, siginfo_t *info, void *context)
{
	int n = signo - SIGRTMIN;

	came[n]++;
	wrong += info->si_code != SI_TIMER || info->si_value.sival_ptr != VALUE(n) ||
		 info->si_timerid != (int)(intptr_t)timers[n];
	wrong += n == THREAD && own_tid() != helper_tid;
}

static void call(union sigval value)
{
	__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
	wrong += value.sival_ptr != VALUE(99);
}

static timer_t make(clockid_t clock, int notify, int n, pid_t tid)
{
	struct sigevent event = { .sigev_notify = notify,
				  .sigev_signo = SIGRTMIN + n,
				  .sigev_value.sival_ptr = VALUE(n) };
	timer_t timer;

	if (notify == SIGEV_THREAD_ID)
		event._sigev_un._tid = tid;
	if (notify == SIGEV_THREAD)
		event.sigev_notify_function = call;
	if (timer_create(clock, &event, &timer))
		die("timer_create");
	return timer;
}

static void set_by(timer_t timer, int flags, int64_t value, int64_t interval)
{
	struct itimerspec it = { { interval / S, interval % S }, { value / S, value % S } };

	if (timer_settime(timer, flags, &it, NULL))
		die("timer_settime");
}

static void set(timer_t timer, int64_t value, int64_t interval)
{
	set_by(timer, 0, value, interval);
}

/* ns; of a timer that repeats the interval has to be right */
static int64_t left(timer_t timer, int64_t interval)
{
	struct itimerspec it;

	if (timer_gettime(timer, &it))
		die("timer_gettime");
	expect(it.it_interval.tv_sec * S + it.it_interval.tv_nsec == interval, "the interval");
	return it.it_value.tv_sec * S + it.it_value.tv_nsec;
}

/* So much processor time, by a clock that may begin anew. */
static void spend(clockid_t clock, int64_t ns)
{
	int64_t begin = now(clock), t;

	while ((t = now(clock)) - begin < ns) {
		if (t < begin)
			begin = t;
		work(1, 20000);
	}
}

static void sleep_for(int64_t ns)
{
	int64_t end = now(CLOCK_MONOTONIC) + ns;
	struct timespec ts = { end / S, end % S };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* Has a timer for its own time, and gets another one's signals. */
static void *helper(void *arg)
{
	sigset_t set_of;

	timers[THREAD_TIME] = make(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, THREAD_TIME, 0);
	set(timers[THREAD_TIME], 5 * MS, 5 * MS);
	helper_tid = own_tid();
	sigemptyset(&set_of);
	sigaddset(&set_of, SIGRTMIN + THREAD);
	pthread_sigmask(SIG_UNBLOCK, &set_of, NULL);
	for (;;) {
		spend(CLOCK_THREAD_CPUTIME_ID, 2 * MS);
		sleep_for(20 * MS);
	}
	return arg;
}

static void start_helper(void)
{
	pthread_t thread;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, helper, NULL))
		die("pthread_create");
	while (!helper_tid)
		sleep_for(MS);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void block(int how)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN + BLOCKED);
	pthread_sigmask(how, &blocked, NULL);
}

static void set_up(void)
{
	struct sigaction sa = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART };

	sigfillset(&sa.sa_mask);
	for (int n = 0; n < NR_SIGNALS; n++)
		if (sigaction(SIGRTMIN + n, &sa, NULL))
			die("sigaction");
	block(SIG_BLOCK);
	for (int n = MONOTONIC; n <= REALTIME; n++)
		timers[n] =
			make(n == REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, SIGEV_SIGNAL, n, 0);
	if (timer_delete(timers[DELETED]))
		die("timer_delete");
	start_helper();
	timers[THREAD] = make(CLOCK_BOOTTIME, SIGEV_THREAD_ID, THREAD, helper_tid);
	timers[PROCESS_TIME] = make(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, PROCESS_TIME, 0);
	timers[ONCE] = make(CLOCK_REALTIME, SIGEV_SIGNAL, ONCE, 0);
	timers[BLOCKED] = make(CLOCK_MONOTONIC, SIGEV_THREAD_ID, BLOCKED, own_tid());
	silent = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
	dated = make(CLOCK_REALTIME, SIGEV_NONE, 0, 0);
	calling = make(CLOCK_MONOTONIC, SIGEV_THREAD, 99, 0);

	armed_at = now(CLOCK_MONOTONIC);
	set(timers[MONOTONIC], 40 * MS, 40 * MS);
	set(timers[REALTIME], HOUR, 0);
	set(timers[THREAD], 60 * MS, 60 * MS);
	set(timers[PROCESS_TIME], 10 * MS, 10 * MS);
	set(timers[ONCE], 2400 * MS, 0);
	set(timers[BLOCKED], BLOCKED_EVERY, BLOCKED_EVERY);
	set(silent, HOUR, 0);
	date = now(CLOCK_REALTIME) + HOUR;
	set_by(dated, TIMER_ABSTIME, date, 0);
	set(calling, 100 * MS, 100 * MS);
}

/* However long the program was nowhere. */
static void check_date(void)
{
	int64_t before = now(CLOCK_REALTIME), is = left(dated, 0), after = now(CLOCK_REALTIME);

	expect(is <= date - before && is >= date - after, "a date");
}

/* What is left and what has passed make up the hour. */
static void check_hour(timer_t timer, int64_t *last)
{
	int64_t is = left(timer, 0), all = is + now(CLOCK_MONOTONIC) - armed_at;

	expect(all > HOUR - TOLERANCE && all < HOUR + TOLERANCE, "what is left");
	expect(is <= *last, "it gets less");
	*last = is;
}

static void step(unsigned int line)
{
	static int64_t last[2] = { HOUR, HOUR };
	struct itimerspec it;
	timer_t gone = timers[DELETED];

	sleep_for(NAP);
	spend(CLOCK_PROCESS_CPUTIME_ID, 4 * MS);
	check_hour(timers[REALTIME], &last[0]);
	check_hour(silent, &last[1]);
	check_date();
	expect(left(timers[MONOTONIC], 40 * MS) <= 40 * MS, "of one that repeats");
	expect(left(timers[THREAD], 60 * MS) <= 60 * MS, "of another");
	expect(left(timers[PROCESS_TIME], 10 * MS) <= 10 * MS, "of processor time");
	expect(timer_gettime(gone, &it) == -1 && errno == EINVAL, "the gap");
	expect(timer_getoverrun(timers[MONOTONIC]) >= 0, "overruns");
	expect(!came[BLOCKED] && !came[REALTIME] && !came[DELETED], "who must not come");
	say("%u", line);
}

/* Waits, with some processor time, until @count has grown by three. */
static void check_goes_on(volatile sig_atomic_t *count, const char *what)
{
	int before = *count;

	for (int i = 0; i < 1500 && *count < before + 3; i++) {
		sleep_for(5 * MS);
		spend(CLOCK_PROCESS_CPUTIME_ID, 5 * MS);
	}
	check(*count >= before + 3, what);
}

/* All that the blocked signal tells: how often its timer has expired. */
static void check_blocked(unsigned int lines)
{
	const struct timespec none = { 0, 0 };
	int64_t times = 0, passed;
	siginfo_t info;
	sigset_t blocked;
	int ret;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN + BLOCKED);
	while ((ret = sigtimedwait(&blocked, &info, &none)) > 0 || errno == EINTR) {
		if (ret < 0)
			continue;
		expect(info.si_code == SI_TIMER && info.si_value.sival_ptr == VALUE(BLOCKED),
		       "the blocked signal");
		times += 1 + info.si_overrun;
	}
	set(timers[BLOCKED], 0, 0);
	passed = now(CLOCK_MONOTONIC) - armed_at;
	check(times >= lines * NAP / BLOCKED_EVERY / 8 * 7, "the blocked signal counts all");
	check(times <= passed / BLOCKED_EVERY + 10, "and no more");
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 40);

	set_up();
	for (unsigned int i = 0; i < lines; i++)
		step(i);
	check_goes_on(&came[MONOTONIC], "CLOCK_MONOTONIC goes on");
	check_goes_on(&came[THREAD], "CLOCK_BOOTTIME goes on, for its thread");
	check_goes_on(&came[PROCESS_TIME], "the process's time goes on");
	check_goes_on(&came[THREAD_TIME], "the thread's time goes on");
	check_goes_on(&calls, "SIGEV_THREAD goes on");
	check_blocked(lines);
	for (int i = 0; i < 3000 && !came[ONCE]; i++)
		sleep_for(10 * MS);
	check(came[ONCE] == 1 && !left(timers[ONCE], 0), "what was to come once has");
	check(!wrong, "each with its value");
	say("timers %d %d %d %d %d %d %d", (int)(intptr_t)timers[MONOTONIC],
	    (int)(intptr_t)timers[REALTIME], (int)(intptr_t)timers[THREAD],
	    (int)(intptr_t)timers[PROCESS_TIME], (int)(intptr_t)timers[THREAD_TIME],
	    (int)(intptr_t)timers[ONCE], (int)(intptr_t)silent);
	return failures != 0;
}
