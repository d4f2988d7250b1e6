// SPDX-License-Identifier: GPL-2.0-only
/*
 * The freeze: each thread runs a task work on its way to user mode and sleeps
 * there until the group is released (park.c). A thread that does not come there
 * counts as still while it is stopped, waits in vfork() for a held child, sleeps
 * in a call that can be made again, or has exited.
 */
#include <linux/delay.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>

#include "compat/task.h"
#include "freeze.h"
#include "restart.h"
#include "symbols.h"
#include "trace.h"

#define SPIN_NS (100 * NSEC_PER_USEC) /* about two switches of tasks */

/* Post the works again that came at a bad place, after their threads moved on. */
static void group_retry(struct group *group)
{
	struct member *member;
	bool running = true; /* all of them, while we look */

	list_for_each_entry_rcu(member, &group->members, node, true) {
		if (READ_ONCE(member->state) == MEMBER_RETRY)
			running &= READ_ONCE(member->task->on_cpu);
	}
	if (running)
		udelay(2); /* the whole of clock_gettime() takes less */
	else
		usleep_range(20, 50);
	/* newborns are added meanwhile, but nothing is removed before the thaw */
	list_for_each_entry_rcu(member, &group->members, node, true) {
		if (READ_ONCE(member->state) == MEMBER_RETRY)
			park_again(member);
	}
}

static bool has_arrived(struct group *group)
{
	return !READ_ONCE(group->nr_pending) || READ_ONCE(group->stirred);
}

/*
 * Who runs on another processor parks within microseconds: to sleep and be woken
 * would take longer. Like a mutex whose owner runs, for a bounded time.
 */
static void group_spin(struct group *group)
{
	u64 end = local_clock() + SPIN_NS;

	if (READ_ONCE(group->nr_pending) >= num_online_cpus())
		return;
	while (!has_arrived(group) && !need_resched() && local_clock() < end)
		cpu_relax();
}

/*
 * Wait until all have arrived. Parking tells, but some come to rest in other ways
 * (on their way into a stop, or to sleep): look for those at every tick.
 */
static int group_wait(struct group *group, bool again)
{
	long ret;

	if (READ_ONCE(group->nr_retry))
		group_retry(group);
	group_spin(group);
	if (again) /* to give up would be to thaw what the caller holds */
		ret = wait_event_killable_timeout(group->arrived, has_arrived(group), 1);
	else
		ret = wait_event_interruptible_timeout(group->arrived, has_arrived(group), 1);
	return ret < 0 ? -EINTR : 0;
}

/* When all known ones have arrived, look whether there are more. */
static int group_look(struct group *group, struct refusal *refusal)
{
	int lost = newborns_lost();
	int added = task_scan(group, refusal);

	if (added < 0)
		return added;
	group->nr_rounds++;
	if (!group->nr_members)
		return refuse(refusal, -ESRCH, XCKPT_REASON_GONE, NULL);
	return added || lost != newborns_lost();
}

/*
 * A processor keeps the floating-point registers of a thread until that has left it,
 * which who parks does at once, after it told that.
 */
static void group_leave(struct group *group)
{
	struct member *member;

	/* nothing is removed before the thaw */
	list_for_each_entry_rcu(member, &group->members, node, true) {
		while (READ_ONCE(member->state) == MEMBER_PARKED &&
		       smp_load_acquire(&member->task->on_cpu)) {
			cpu_relax();
			cond_resched();
		}
	}
}

static int group_gather(struct group *group, unsigned long deadline, bool again,
			struct refusal *refusal)
{
	struct member *member;
	int more, ret;

	for (;;) {
		WRITE_ONCE(group->stirred, false);
		more = 1;
		if (!READ_ONCE(group->nr_pending))
			more = group_look(group, refusal);
		if (more < 0)
			return more;
		if (group_settle(group, !more)) {
			group_leave(group);
			return 0;
		}
		if (time_after(jiffies, deadline))
			break;
		ret = group_wait(group, again);
		if (ret)
			return ret;
	}
	list_for_each_entry_rcu(member, &group->members, node, true) {
		if (!member_quiet(READ_ONCE(member->state)))
			return refuse(refusal, -ETIMEDOUT, XCKPT_REASON_TIMEOUT, member->task);
	}
	return refuse(refusal, -ETIMEDOUT, XCKPT_REASON_TIMEOUT, NULL);
}

/* The clocks as the first process of the group sees them. */
static void group_clocks(struct group *group, struct xckpt_freeze *arg)
{
	struct task_struct *task = list_first_entry(&group->members, struct member, node)->task;

	arg->out_realtime_ns = ktime_get_real_ns();
	arg->out_monotonic_ns = ktime_get_ns() + task_clock_offset(task, CLOCK_MONOTONIC);
	arg->out_boottime_ns = ktime_get_boottime_ns() + task_clock_offset(task, CLOCK_BOOTTIME);
}

static void group_count(struct group *group, struct xckpt_freeze *arg)
{
	u64 first = U64_MAX, last = 0;
	struct member *member;

	arg->out_nr_threads = arg->out_nr_processes = arg->out_nr_stopped = 0;
	arg->out_nr_vfork = arg->out_nr_asleep = arg->out_nr_exiting = 0;
	list_for_each_entry(member, &group->members, node) {
		arg->out_nr_threads += member_held(member->state);
		arg->out_nr_processes +=
			member_held(member->state) && thread_group_leader(member->task);
		arg->out_nr_stopped += member->state == MEMBER_STOPPED;
		arg->out_nr_asleep += member->state == MEMBER_ASLEEP;
		arg->out_nr_vfork += member->state == MEMBER_VFORK;
		arg->out_nr_exiting += member->state == MEMBER_GONE;
		if (member->state == MEMBER_PARKED) {
			first = min(first, member->parked_ns);
			last = max(last, member->parked_ns);
		}
	}
	arg->out_skew_ns = last > first ? last - first : 0;
}

/* Tell of each held thread; who was asleep may have been killed since. */
static void group_trace(struct group *group)
{
	struct member *member;

	list_for_each_entry(member, &group->members, node) {
		if (!member_held(READ_ONCE(member->state)) || !try_get_task_stack(member->task))
			continue;
		trace_freeze_thread(group, member, task_pt_regs(member->task));
		kernel_call(put_task_stack)(member->task);
	}
}

static int group_stop(struct group *group, bool again, struct refusal *refusal)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(group->timeout_ms) + 1;
	int ret;

	newborn_watch();
	ret = group_gather(group, deadline, again, refusal);
	newborn_unwatch();
	return ret;
}

/*
 * Freeze all of @group's target or nothing of it. @group was just allocated and
 * its target set; on an error it has been thawed again.
 */
int group_freeze(struct group *group, struct xckpt_freeze *arg, struct refusal *refusal)
{
	u64 start = ktime_get_ns();
	int ret;

	group->mode = arg->mode;
	group->timeout_ms = arg->timeout_ms ?: XCKPT_TIMEOUT_DEFAULT_MS;
	trace_freeze_begin(group);
	group->holding = true;
	ret = group_stop(group, false, refusal);
	if (!ret) {
		arg->out_latency_ns = ktime_get_ns() - start;
		arg->out_rounds = group->nr_rounds;
		group_clocks(group, arg);
		target_find_ns(group);
		group_count(group, arg);
		if (!arg->out_nr_threads)
			ret = refuse(refusal, -ESRCH, XCKPT_REASON_GONE, NULL);
		else
			ret = task_check_access(group, refusal);
		if (!ret && trace_freeze_thread_enabled())
			group_trace(group);
	}
	trace_freeze_end(group, arg, ret);
	if (ret)
		group_thaw(group, 0);
	return ret;
}

/*
 * Threads of the frozen group have moved: let it come to rest again, in @mode. On
 * an error it is still held, but not frozen: thaw it.
 */
int group_refreeze(struct group *group, enum xckpt_mode mode, struct refusal *refusal)
{
	struct member *member;
	int ret;

	spin_lock(&members_lock);
	group->frozen = false;
	group->nr_disturbed = 0;
	spin_unlock(&members_lock);

	group->mode = mode;
	list_for_each_entry(member, &group->members, node) {
		if (member->soft && mode == XCKPT_MODE_STRICT) {
			member->soft = false;
			park_again(member);
		}
	}
	ret = group_stop(group, true, refusal);
	if (ret)
		return ret;
	target_find_ns(group); /* there may be new ones */
	ret = task_check_access(group, refusal);
	if (ret) {
		spin_lock(&members_lock);
		group->frozen = false;
		spin_unlock(&members_lock);
	}
	return ret;
}
