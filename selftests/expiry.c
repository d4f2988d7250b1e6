// SPDX-License-Identifier: GPL-2.0-or-later
/* What a core tells of POSIX timers, which expire in a frozen process, too. Root, module loaded. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "corefile.h"

#define MS 1000000ll
#define S (1000 * MS)
#define HOUR (3600 * S)
#define FAR_DATE (4000000000 * S + 5) /* in the year 2096 */
/* Nothing takes that long here. */
#define SLACK (600 * S)
#define CROWD 20000
#define CROWD_KILLED 2000

#define THREAD_ID 8 /* in shared[] */
#define READY 9

/* The kernel's own calls: glibc's timer_t is not always its id. */
static int make(int32_t clock, int notify, int signo, uint64_t value, pid_t tid)
{
	struct sigevent event = { .sigev_notify = notify,
				  .sigev_signo = signo,
				  .sigev_value.sival_ptr = (void *)value };
	int id;

	event._sigev_un._tid = tid;
	return syscall(SYS_timer_create, clock, &event, &id) ? (_exit(97), -1) : id;
}

static void set_by(int id, int flags, int64_t value, int64_t interval)
{
	struct itimerspec it = { { interval / S, interval % S }, { value / S, value % S } };

	if (syscall(SYS_timer_settime, id, flags, &it, NULL))
		_exit(97);
}

static void set(int id, int64_t value, int64_t interval)
{
	set_by(id, 0, value, interval);
}

static const struct xckpt_timer *timers;
static size_t nr_timers;

/* Takes the core's note; there may be none. */
static void load_timers(void)
{
	const struct xckpt_note_table *table;
	size_t size;

	table = note(XCKPT_NT_TIMER, 0, &size);
	timers = NULL;
	nr_timers = 0;
	if (!table)
		return;
	ASSERT(size >= sizeof(*table) && table->size == sizeof(*table));
	ASSERT(table->entry_size == sizeof(*timers) && table->entries_off == sizeof(*table));
	ASSERT(size == sizeof(*table) + table->nr_entries * sizeof(*timers));
	timers = (const void *)(table + 1);
	nr_timers = table->nr_entries;
}

static void get_timers(int fd, pid_t pid)
{
	core_load(core_of(fd, pid, 0));
	load_timers();
	close(core.fd);
}

static const struct xckpt_timer *timer(int id)
{
	for (size_t i = 0; i < nr_timers; i++)
		if (timers[i].id == id)
			return &timers[i];
	return NULL;
}

/* Signals pending for the process or a thread that a timer has sent. */
static int pending_of(int id)
{
	const struct xckpt_note_table *table;
	const siginfo_t *info;
	size_t size;
	int found = 0;

	for (unsigned int n = 0; (table = note(XCKPT_NT_SIGPENDING, n, &size)); n++) {
		info = (const void *)((const char *)table + table->entries_off);
		for (uint32_t i = 0; i < table->nr_entries; i++)
			found += info[i].si_code == SI_TIMER && info[i].si_timerid == id;
	}
	return found;
}

static int around(uint64_t value, int64_t what)
{
	return (int64_t)value <= what && (int64_t)value > what - SLACK;
}

static const int32_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI };
#define NR_CLOCKS 4
#define FIRST_CPU (NR_CLOCKS + 1) /* one before it is ended */
#define UNARMED (FIRST_CPU + 3)
#define SILENT (UNARMED + 1)
#define DATED (SILENT + 1)
#define NR_KINDS (DATED + 1)

static void of_every_kind(void)
{
	int id;

	signal(SIGUSR1, SIG_IGN);
	shared[THREAD_ID] = (uint64_t)gettid();
	for (int i = 0; i < NR_CLOCKS; i++)
		set(make(clocks[i], SIGEV_THREAD_ID, SIGUSR1, 0x1234567800000000 + (uint64_t)i,
			 gettid()),
		    HOUR, i * S);
	id = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, 0);
	syscall(SYS_timer_delete, id);
	set(make(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 1, 0), HOUR, 5 * MS);
	set(make(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 2, 0), HOUR, 0);
	set(make((int32_t)(~(uint32_t)getpid() << 3) | 1, SIGEV_SIGNAL, SIGUSR1, 3, 0), HOUR, 0);
	make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 4, 0);
	set(make(CLOCK_REALTIME, SIGEV_NONE, 0, 5, 0), HOUR, 0);
	set_by(make(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 6, 0), TIMER_ABSTIME, FAR_DATE, 7 * S);
	shared[READY] = 1;
	count_forever(0);
}

static void check_clocks(pid_t pid)
{
	for (int i = 0; i < NR_CLOCKS; i++) {
		const struct xckpt_timer *t = timer(i);

		ASSERT(t);
		EXPECT(t->clock == clocks[i] && t->notify == SIGEV_THREAD_ID);
		EXPECT(t->signo == SIGUSR1 && t->tid == pid);
		EXPECT(t->sigev_value == 0x1234567800000000 + (uint64_t)i);
		EXPECT(around(t->value_ns, HOUR) && (int64_t)t->interval_ns == i * S);
		EXPECT(!t->flags && !t->overrun && !t->__reserved);
	}
}

static void check_cpu_clocks(pid_t pid)
{
	static const int kinds[] = { 2, 4 | 2, 1 };

	for (int i = 0; i < 3; i++) {
		const struct xckpt_timer *t = timer(FIRST_CPU + i);

		ASSERT(t);
		EXPECT(t->clock == ((int32_t)(~(uint32_t)pid << 3) | kinds[i]));
		EXPECT(around(t->value_ns, HOUR) && !t->tid && !t->flags);
		EXPECT(t->interval_ns == (i ? 0 : 5 * MS));
		EXPECT(t->sigev_value == 1 + (uint64_t)i);
	}
}

TEST(timers_of_every_kind)
{
	struct xckpt_freeze f;
	pid_t pid;
	int fd;

	share_counters();
	pid = target(of_every_kind);
	EXPECT(reaches(READY, 1));
	fd = session();
	ASSERT(!freeze(fd, pid, &f));
	get_timers(fd, pid);
	ASSERT(nr_timers == NR_KINDS - 1);
	EXPECT(!timer(NR_CLOCKS)); /* the one that was ended */
	for (size_t i = 1; i < nr_timers; i++)
		EXPECT(timers[i].id > timers[i - 1].id);
	check_clocks(pid);
	check_cpu_clocks(pid);
	EXPECT(timer(UNARMED) && !timer(UNARMED)->value_ns && !timer(UNARMED)->interval_ns);
	EXPECT(timer(SILENT) && timer(SILENT)->notify == SIGEV_NONE);
	EXPECT(around(timer(SILENT)->value_ns, HOUR) && !timer(SILENT)->flags);
	ASSERT(timer(DATED));
	EXPECT(timer(DATED)->flags == XCKPT_TIMER_DATED && timer(DATED)->date_ns == FAR_DATE);
	EXPECT(timer(DATED)->interval_ns == 7 * S);
	close(fd);
	EXPECT(moves(0, 1));
}

/* Timers that repeat, that do not, and one of processor time, all of blocked signals. */
static void with_blocked(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	set(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 0, 0), 2 * MS, 2 * MS);
	set(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 0, 0), 2 * MS, 0);
	set(make(CLOCK_THREAD_CPUTIME_ID, SIGEV_THREAD_ID, SIGRTMIN, 0, gettid()), 2 * MS, 2 * MS);
	set(make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0), 2 * MS, 0);
	set(make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0), 2 * MS, 2 * MS);
	/* expires while it is frozen */
	set(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 0, 0), 3 * S, 10 * S);
	count_forever(0);
}

static void check_expired(void)
{
	for (int id = 0; id < 3; id += 2) {
		EXPECT(timer(id)->flags == XCKPT_TIMER_PENDING && pending_of(id) == 1);
		EXPECT(timer(id)->value_ns > 0 && timer(id)->value_ns <= 2 * MS);
		EXPECT(timer(id)->interval_ns == 2 * MS && timer(id)->overrun > 0);
	}
	EXPECT(!timer(1)->value_ns && !timer(1)->flags && pending_of(1) == 1);
	EXPECT(!timer(3)->value_ns && !timer(3)->flags);
	EXPECT(timer(4)->value_ns > 0 && timer(4)->value_ns <= 2 * MS && !timer(4)->flags);
}

TEST(timers_that_have_expired)
{
	struct xckpt_freeze f;
	pid_t pid;
	int fd;

	share_counters();
	pid = target(with_blocked);
	EXPECT(moves(0, 1));
	nap_ms(200);
	EXPECT(moves(0, 100000));
	fd = session();
	ASSERT(!freeze(fd, pid, &f));
	get_timers(fd, pid);
	ASSERT(nr_timers == 6);
	check_expired();
	nap_ms(4000);
	get_timers(fd, pid);
	check_expired();
	EXPECT(timer(5)->flags == XCKPT_TIMER_PENDING && pending_of(5) == 1);
	EXPECT(timer(5)->value_ns <= 10 * S && !timer(5)->overrun);
	close(fd);
}

static void *short_thread(void *arg)
{
	set(make(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 0, 0), HOUR, 0);
	set(make(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR1, 0, gettid()), HOUR, 0);
	return arg;
}

static void with_ended(void)
{
	pthread_t thread;

	signal(SIGUSR1, SIG_IGN);
	if (pthread_create(&thread, NULL, short_thread, NULL) || pthread_join(thread, NULL))
		_exit(97);
	count_forever(0);
}

TEST(timers_of_threads_that_have_ended)
{
	struct xckpt_freeze f;
	pid_t pid;
	int fd;

	share_counters();
	pid = target(with_ended);
	EXPECT(moves(0, 1));
	nap_ms(100); /* joined is not quite gone */
	fd = session();
	ASSERT(!freeze(fd, pid, &f));
	get_timers(fd, pid);
	ASSERT(nr_timers == 2);
	EXPECT(timers[0].flags == XCKPT_TIMER_CLOCK_GONE && !timers[0].value_ns);
	EXPECT(timers[1].flags == XCKPT_TIMER_TARGET_GONE && around(timers[1].value_ns, HOUR));
	close(fd);
}

/* As many as it may have; every other one expires all the time, and nobody cares. */
static void crowd(unsigned int nr)
{
	/* all of a user's count, also those of who has not quite ended */
	struct rlimit limit = { 2 * nr + 1000, 2 * nr + 1000 };

	if (setrlimit(RLIMIT_SIGPENDING, &limit))
		_exit(97);
	signal(SIGUSR1, SIG_IGN);
	for (unsigned int i = 0; i < nr; i++)
		set(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, i, 0),
		    i & 1 ? HOUR : (20 + i % 1000) * MS, i & 1 ? HOUR : 20 * S);
	count_forever(0);
}

static void big_crowd(void)
{
	crowd(CROWD);
}

TEST(a_crowd_of_timers)
{
	struct xckpt_freeze f;
	int fd, wrong = 0;
	pid_t pid;

	share_counters();
	pid = target(big_crowd);
	EXPECT(moves(0, 1));
	fd = session();
	ASSERT(!freeze(fd, pid, &f));
	for (int round = 0; round < 5; round++) {
		get_timers(fd, pid);
		ASSERT(nr_timers == CROWD);
		for (unsigned int i = 0; i < CROWD; i++)
			wrong += timers[i].id != (int)i || timers[i].sigev_value != i ||
				 !timers[i].value_ns || timers[i].value_ns > (uint64_t)HOUR;
	}
	EXPECT(!wrong);
	close(fd);
	EXPECT(moves(0, 1));
}

static void killed_crowd(void)
{
	crowd(CROWD_KILLED);
}

/* Timers end with their process while they are being looked at. */
TEST(killed_while_captured)
{
	struct xckpt_freeze f;

	share_counters();
	for (int round = 0; round < 20; round++) {
		pid_t pid = target(killed_crowd), killer;
		int fd, core_fd;

		EXPECT(moves(0, 1));
		fd = session();
		ASSERT(!freeze(fd, pid, &f));
		killer = fork();
		if (!killer) {
			const struct timespec ts = { 0, round * 200000 };

			nanosleep(&ts, NULL);
			kill(pid, SIGKILL);
			_exit(0);
		}
		while ((core_fd = core_of(fd, pid, 0)) >= 0)
			close(core_fd);
		waitpid(killer, NULL, 0);
		close(fd);
		waitpid(pid, NULL, 0);
	}
}

#define MANY 1200

static void with_many_timers(void)
{
	for (int i = 0; i < MANY; i++)
		if (make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0) < 0)
			_exit(97);
	count_forever(0);
}

/* More than are looked at at once. */
TEST(many_timers)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(with_many_timers);
	ASSERT(!freeze(fd, pid, &f));
	get_timers(fd, pid);
	ASSERT(nr_timers == MANY);
	for (size_t i = 1; i < nr_timers; i++)
		EXPECT(timers[i].id == timers[i - 1].id + 1);
	ASSERT(!thaw(fd));
}
