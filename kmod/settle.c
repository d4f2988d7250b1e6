// SPDX-License-Identifier: GPL-2.0-only
/* Who of a group is still without having parked, and who has moved since. */
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>

#include "compat/task.h"
#include "freeze.h"
#include "restart.h"
#include "symbols.h"

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
	bool traced;

	if (member_resting(member->state))
		member_set_state(member, MEMBER_PENDING); /* it may have moved on */
	if (member->state != MEMBER_PENDING)
		return;
	traced = READ_ONCE(task->ptrace); /* before it is seen to be stopped */
	if (at_cgroup_trap(task))
		member_rest(member, MEMBER_CGROUP);
	else if (task_stopped(task))
		member_rest(member, MEMBER_STOPPED);
	else if (member->soft && task_asleep(task))
		member_rest(member, MEMBER_ASLEEP);
	member->traced = traced;
}

bool group_settle(struct group *group, bool all)
{
	struct member *member;
	bool again = true;

	rcu_read_lock();
	spin_lock(&members_lock);
	list_for_each_entry(member, &group->members, node)
		settle_resting(member);
	/* a vfork child may itself wait in vfork(), and mostly is behind its parent here */
	while (again && group->nr_pending) {
		again = false;
		list_for_each_entry_reverse(member, &group->members, node)
			again |= settle_vfork(member);
	}
	if (all && !group->nr_pending) {
		group->epoch++;
		group->frozen = true;
	}
	spin_unlock(&members_lock);
	rcu_read_unlock();
	return group->frozen;
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
