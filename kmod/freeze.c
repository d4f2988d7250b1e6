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

static unsigned long task_switches(const struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

/* Off its processor, and not about to get one: its registers are in memory. */
static bool task_off_cpu(struct task_struct *task)
{
	return !smp_load_acquire(&task->on_cpu) && compat_off_queue(task);
}

/* Asleep until what it waits for happens, or a signal comes. */
bool task_asleep(struct task_struct *task)
{
	return (READ_ONCE(task->__state) & TASK_INTERRUPTIBLE) && task_off_cpu(task);
}

static bool at_cgroup_trap(struct task_struct *task)
{
	return compat_cgroup_frozen(task) && task_asleep(task);
}

/* By a signal, its tracer or the freezer of cgroups. */
bool task_stopped(struct task_struct *task)
{
	return (task_is_stopped_or_traced(task) && task_off_cpu(task)) || at_cgroup_trap(task);
}

bool freeze_may_sleep(struct group *group, struct task_struct *task)
{
	bool ret;

	if (group->mode == XCKPT_MODE_STRICT || !task_asleep(task) || task_stopped(task))
		return false;
	/* it may have been woken and have ended since */
	if (!try_get_task_stack(task))
		return false;
	ret = restart_starts_again(task, group->mode == XCKPT_MODE_SOFT);
	kernel_call(put_task_stack)(task);
	return ret;
}

/* Is @task asleep in vfork()? Its completion lies on its stack, known to the child. */
static bool waits_for(struct task_struct *task, struct task_struct *child)
{
	unsigned long done = (unsigned long)READ_ONCE(child->vfork_done);
	unsigned long stack = (unsigned long)task_stack_page(task);

	return done >= stack && done < stack + THREAD_SIZE && task_off_cpu(task);
}

/* @member is still where it is; from now on it counts as moved when it was switched to. */
static void member_rest(struct member *member, enum member_state state)
{
	member->switches = task_switches(member->task);
	member_set_state(member, state);
}

static bool member_moved(const struct member *member)
{
	struct task_struct *task = member->task;

	return member_resting(member->state) &&
	       (!task_off_cpu(task) || task_switches(task) != member->switches);
}

/* Find the threads that wait in vfork() for @member. Under members_lock and RCU. */
static bool settle_vfork(struct member *member)
{
	struct task_struct *parent, *task;
	struct member *waiter;
	bool found = false;

	if (!READ_ONCE(member->task->vfork_done) || !member_held(member->state))
		return false;
	parent = thread_group_leader(member->task) ? rcu_dereference(member->task->real_parent)
						   : member->task;
	for_each_thread(parent, task) {
		waiter = member_find(member->group, task);
		if (waiter && waiter->state == MEMBER_PENDING && waits_for(task, member->task)) {
			member_rest(waiter, MEMBER_VFORK);
			found = true;
		}
	}
	return found;
}

pid_t freeze_vfork_child(struct group *group, struct task_struct *task, struct pid_namespace *ns)
{
	struct member *member;
	pid_t pid = 0;

	rcu_read_lock();
	spin_lock(&members_lock);
	list_for_each_entry(member, &group->members, node) {
		if (READ_ONCE(member->task->vfork_done) && waits_for(task, member->task))
			pid = task_tgid_nr_ns(member->task, ns);
	}
	spin_unlock(&members_lock);
	rcu_read_unlock();
	return pid;
}

static void settle_resting(struct member *member)
{
	struct task_struct *task = member->task;

	if (member_resting(member->state))
		member_set_state(member, MEMBER_PENDING); /* it may have moved on */
	if (member->state != MEMBER_PENDING)
		return;
	if (at_cgroup_trap(task))
		member_rest(member, MEMBER_CGROUP);
	else if (task_stopped(task))
		member_rest(member, MEMBER_STOPPED);
	else if (member->soft && task_asleep(task))
		member_rest(member, MEMBER_ASLEEP);
}

/*
 * Recognize the members that are still without having parked. When all are, and
 * @all are known, the group is frozen from that moment on.
 */
static bool group_settle(struct group *group, bool all)
{
	struct member *member;
	bool again;

	rcu_read_lock();
	spin_lock(&members_lock);
	list_for_each_entry(member, &group->members, node)
		settle_resting(member);
	do { /* a vfork child may itself wait in vfork(), and mostly is behind its parent here */
		again = false;
		list_for_each_entry_reverse(member, &group->members, node)
			again |= settle_vfork(member);
	} while (again && group->nr_pending);
	if (all && !group->nr_pending) {
		group->epoch++;
		group->frozen = true;
	}
	spin_unlock(&members_lock);
	rcu_read_unlock();
	return group->frozen;
}

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

unsigned int group_disturbed(struct group *group)
{
	struct member *member;
	unsigned int nr;

	spin_lock(&members_lock);
	nr = group->nr_disturbed;
	list_for_each_entry(member, &group->members, node)
		nr += member_moved(member);
	spin_unlock(&members_lock);
	return nr;
}
