// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TIMER note: what timer_create(2) made.
 *
 * A frozen process neither makes nor ends timers, but they expire all the same. That
 * happens under it_lock, which comes before siglock: here it can only be tried for.
 * Who has it is about to queue the timer's signal, so such a timer is told as one that
 * expires at once; its signal, if it was queued by then, is in SIGPENDING, which is
 * written later. Whoever is killed loses all of its timers at once, under siglock.
 */
#include <linux/alarmtimer.h>
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/posix-timers.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sort.h>

#include "capture.h"
#include "compat/timer.h"
#include "symbols.h"

/* for as many siglock is held, with interrupts off */
#define TIMERS_AT_ONCE 512

/* User and system time, user time, time on a processor: as CPUCLOCK_PROF, _VIRT, _SCHED. */
struct samples {
	u64 ns[CPUCLOCK_MAX];
};

struct timers {
	struct task_struct *leader;
	struct pid_namespace *ns;
	struct samples own; /* of all threads together */
};

/* How a timer stands with its clock. */
struct standing {
	s64 left; /* ns until it expires, or did */
	bool armed;
	bool none; /* it sends no signal, and nobody watches when it expires */
	bool dated;
	s64 date; /* if so, when it expires, or did */
};

static void add_task(struct samples *to, const struct task_struct *task)
{
	u64 utime = READ_ONCE(task->utime), stime = READ_ONCE(task->stime);

	to->ns[CPUCLOCK_PROF] += utime + stime;
	to->ns[CPUCLOCK_VIRT] += utime;
	to->ns[CPUCLOCK_SCHED] += READ_ONCE(task->se.sum_exec_runtime);
}

static void add_group(struct samples *to, struct task_struct *leader)
{
	const struct signal_struct *signal = leader->signal;
	struct task_struct *task;

	to->ns[CPUCLOCK_PROF] = signal->utime + signal->stime;
	to->ns[CPUCLOCK_VIRT] = signal->utime;
	to->ns[CPUCLOCK_SCHED] = signal->sum_sched_runtime;
	rcu_read_lock();
	for_each_thread(leader, task)
		add_task(to, task);
	rcu_read_unlock();
}

/* While a timer on it runs, the process's clock is one that ticks count. */
static void add_running(struct samples *to, struct task_struct *task)
{
	struct task_cputime_atomic *clock = &task->signal->cputimer.cputime_atomic;
	u64 utime = atomic64_read(&clock->utime);

	to->ns[CPUCLOCK_PROF] = utime + atomic64_read(&clock->stime);
	to->ns[CPUCLOCK_VIRT] = utime;
	to->ns[CPUCLOCK_SCHED] = atomic64_read(&clock->sum_exec_runtime);
}

/* The processor clock of a thread or process; false: of one that is not known. */
static bool sample(const struct timers *all, const struct k_itimer *timer, struct task_struct *task,
		   struct samples *to)
{
	memset(to, 0, sizeof(*to));
	if (CPUCLOCK_PERTHREAD(timer->it_clock))
		add_task(to, task);
	else if (READ_ONCE(task->signal->posix_cputimers.timers_active))
		add_running(to, task);
	else if (task->signal == all->leader->signal)
		*to = all->own;
	else
		return false;
	return true;
}

/* Under RCU; NULL when it is gone. */
static struct task_struct *counted_task(const struct k_itimer *timer)
{
	enum pid_type type = CPUCLOCK_PERTHREAD(timer->it_clock) ? PIDTYPE_PID : PIDTYPE_TGID;

	return pid_task(timer->it.cpu.pid, type);
}

static void stand_cpu(const struct timers *all, struct k_itimer *timer, struct xckpt_timer *to,
		      struct standing *standing)
{
	pid_t nr = pid_nr_ns(timer->it.cpu.pid, all->ns);
	struct task_struct *task;
	struct samples now;

	to->clock = make_process_cpuclock(nr, timer->it_clock & CLOCKFD_MASK);
	rcu_read_lock();
	task = counted_task(timer);
	if (!task || !nr) {
		to->flags |= XCKPT_TIMER_CLOCK_GONE;
	} else if (cpu_timer_getexpires(&timer->it.cpu)) {
		standing->armed = true;
		if (sample(all, timer, task, &now))
			standing->left = cpu_timer_getexpires(&timer->it.cpu) -
					 now.ns[CPUCLOCK_WHICH(timer->it_clock)];
	}
	rcu_read_unlock();
}

/* Of CLOCK_REALTIME, what is to expire after some time counts that by another clock. */
static void stand_real(struct k_itimer *timer, struct standing *standing)
{
	struct hrtimer *real = &timer->it.real.timer;

	standing->left = hrtimer_get_remaining(real);
	standing->dated =
		timer->it_clock == CLOCK_REALTIME && real->base->clockid == CLOCK_REALTIME;
	standing->date = ktime_to_ns(hrtimer_get_expires(real));
}

static void stand(const struct timers *all, struct k_itimer *timer, struct xckpt_timer *to,
		  struct standing *standing)
{
	to->clock = timer->it_clock;
	if (timer->it_clock < 0) {
		stand_cpu(all, timer, to, standing);
		return;
	}
	/* without a signal nothing is started that could expire: only the time is kept */
	standing->armed = compat_timer_armed(timer) || standing->none;
	if (timer->it_clock == CLOCK_REALTIME_ALARM || timer->it_clock == CLOCK_BOOTTIME_ALARM)
		standing->left = alarm_expires_remaining(&timer->it.alarm.alarmtimer);
	else
		stand_real(timer, standing);
}

static u32 overrun_value(s64 overrun)
{
	return clamp_t(s64, overrun, 0, INT_MAX);
}

/* As timer_gettime(2) would have it. it_lock is held. */
static void fill_value(struct k_itimer *timer, struct xckpt_timer *to,
		       const struct standing *standing)
{
	s64 interval = timer->it_interval, left = standing->left;
	bool requeue = interval && compat_timer_requeue(timer);
	u64 times = 0;

	to->overrun = overrun_value(timer->it_overrun_last);
	if (to->flags & XCKPT_TIMER_CLOCK_GONE || !(standing->armed || requeue))
		return;
	if (interval && left <= 0 && (requeue || standing->none)) {
		times = div64_u64(-left, interval) + 1;
		left += times * interval;
	}
	if (left <= 0) /* it has just expired; who looks at one without a signal sees 0 */
		left = standing->none ? 0 : 1;
	to->value_ns = left;
	if (standing->dated && left) {
		to->flags |= XCKPT_TIMER_DATED;
		to->date_ns = standing->date + times * interval;
	}
	if (requeue) {
		to->flags |= XCKPT_TIMER_PENDING;
		to->overrun = overrun_value(timer->it_overrun + times);
	}
}

static void fill_notify(const struct timers *all, const struct k_itimer *timer,
			struct xckpt_timer *to)
{
	const kernel_siginfo_t *info = compat_timer_info(timer);

	to->notify = timer->it_sigev_notify;
	to->signo = info->si_signo;
	to->sigev_value = (unsigned long)info->si_value.sival_ptr;
	if (!(timer->it_sigev_notify & SIGEV_THREAD_ID))
		return;
	to->tid = pid_nr_ns(timer->it_pid, all->ns);
	rcu_read_lock();
	if (!to->tid || !pid_task(timer->it_pid, PIDTYPE_PID))
		to->flags |= XCKPT_TIMER_TARGET_GONE;
	rcu_read_unlock();
}

/* siglock is held. */
static void fill_timer(const struct timers *all, struct k_itimer *timer, struct xckpt_timer *to)
{
	struct standing standing = { .none = timer->it_sigev_notify == SIGEV_NONE };
	bool locked = spin_trylock(&timer->it_lock);

	to->id = timer->it_id;
	to->interval_ns = timer->it_interval;
	fill_notify(all, timer, to);
	stand(all, timer, to, &standing);
	if (locked) {
		fill_value(timer, to, &standing);
		spin_unlock(&timer->it_lock);
	} else {
		to->value_ns = 1;
	}
}

/* The timer behind @nr others, or NULL. siglock is held. */
static struct k_itimer *timer_at(struct signal_struct *signal, u32 nr)
{
	struct k_itimer *timer = compat_first_timer(signal);

	while (timer && nr--)
		timer = compat_next_timer(signal, timer);
	return timer;
}

/*
 * Fill in up to @room timers, some at a time; returns how many there are, or less if
 * the process is being killed. None is remembered while siglock is free: a thread whose
 * tracer stopped it before timer_delete(2), and lets it go on now, would free it.
 */
static u32 fill_timers(const struct timers *all, struct xckpt_timer *to, u32 room)
{
	struct signal_struct *signal = all->leader->signal;
	struct k_itimer *timer;
	unsigned long flags;
	u32 nr = 0, end;

	do {
		if (!compat_lock_sighand(all->leader, &flags))
			return 0;
		timer = timer_at(signal, nr);
		for (end = nr + TIMERS_AT_ONCE; timer && nr < end; nr++) {
			if (nr < room)
				fill_timer(all, timer, &to[nr]);
			timer = compat_next_timer(signal, timer);
		}
		spin_unlock_irqrestore(&all->leader->sighand->siglock, flags);
		cond_resched();
	} while (timer);
	return nr;
}

u32 count_timers(struct task_struct *leader)
{
	const struct timers all = { .leader = leader };

	return fill_timers(&all, NULL, 0);
}

static int compare_ids(const void *a, const void *b)
{
	s32 left = ((const struct xckpt_timer *)a)->id, right = ((const struct xckpt_timer *)b)->id;

	return left < right ? -1 : left > right;
}

void capture_timers(struct capture *capture)
{
	struct timers all = { .leader = capture->leader, .ns = capture->group->ns };
	struct xckpt_note_table table = { .size = sizeof(table) };
	struct notes *notes = &capture->notes;
	struct xckpt_timer *timers;
	u32 room = count_timers(capture->leader);

	if (!room)
		return;
	add_group(&all.own, capture->leader);
	notes_begin(notes, XCKPT_NOTE_NAME, XCKPT_NT_TIMER);
	notes_add(notes, sizeof(table));
	table.entry_size = sizeof(*timers);
	table.entries_off = capture_table(notes, room, sizeof(*timers));
	if (notes->err)
		return;
	timers = notes_at(notes, table.entries_off);
	table.nr_entries = min(room, fill_timers(&all, timers, room));
	sort(timers, table.nr_entries, sizeof(*timers), compare_ids, NULL);
	memcpy(notes_at(notes, 0), &table, sizeof(table));
	notes_end(notes);
}
