// SPDX-License-Identifier: GPL-2.0-only
/*
 * The freeze: each thread runs a task work on its way to user mode and sleeps
 * there until the group is released. A thread that cannot come there counts as
 * still while it is stopped, waits in vfork() for a held child, or has exited.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/time_namespace.h>
#include <linux/wait_bit.h>
#include <asm/vdso.h>

#include "freeze.h"
#include "restart.h"
#include "symbols.h"
#include "trace.h"

/* Works queued or running, of all groups: the module stays while there are any. */
static atomic_t nr_works = ATOMIC_INIT(0);

static void work_done(struct member *member)
{
	member_put(member);
	if (atomic_dec_and_test(&nr_works))
		wake_up_var(&nr_works);
}

static void member_set_state(struct member *member, enum member_state state)
{
	struct group *group = member->group;

	lockdep_assert_held(&members_lock);
	group->nr_pending += member_quiet(member->state) - member_quiet(state);
	group->nr_retry += (state == MEMBER_RETRY) - (member->state == MEMBER_RETRY);
	WRITE_ONCE(member->state, state);
}

/*
 * The vDSO of another kernel or engine has other code, and its data pages stay
 * behind: nobody may be caught in the middle of it.
 */
static bool in_vdso(struct pt_regs *regs)
{
	struct mm_struct *mm = current->mm;
	unsigned long start = (unsigned long)mm->context.vdso;

	return mm->context.vdso_image && regs->ip >= start &&
	       regs->ip < start + mm->context.vdso_image->size;
}

/* What becomes of a member whose work runs now. */
static enum member_state park_decide(struct member *member)
{
	struct group *group = member->group;

	if ((current->flags & PF_EXITING) || !group->holding)
		return MEMBER_GONE;
	if (group->frozen)
		group->nr_disturbed++;
	else if (in_vdso(current_pt_regs()))
		return MEMBER_RETRY;
	return MEMBER_PARKED;
}

static void park_sleep(struct group *group)
{
	DEFINE_WAIT(wait);

	for (;;) {
		/* neither load average nor hung-task detector nor suspend mind us */
		prepare_to_wait(&group->release, &wait,
				TASK_KILLABLE | TASK_NOLOAD | TASK_FREEZABLE);
		if (!READ_ONCE(group->holding) || fatal_signal_pending(current))
			break;
		schedule();
	}
	finish_wait(&group->release, &wait);
}

static void park(struct callback_head *work)
{
	struct member *member = container_of(work, struct member, work);
	struct group *group = member->group;
	enum member_state state;

	if (!(current->flags & PF_EXITING))
		restart_interrupted(current_pt_regs());
	spin_lock(&members_lock);
	state = park_decide(member);
	member->parked_ns = ktime_get_ns();
	member_set_state(member, state);
	if (!group->nr_pending || state == MEMBER_RETRY)
		wake_up(&group->arrived);
	spin_unlock(&members_lock);

	if (state == MEMBER_RETRY)
		return; /* the freezer posts it again, or thaws: it keeps the work's reference */

	if (state == MEMBER_PARKED) {
		trace_park_begin(current);
		park_sleep(group);
		trace_park_end(current);

		spin_lock(&members_lock);
		if (group->holding) { /* killed */
			member_set_state(member, MEMBER_GONE);
			group->nr_disturbed += group->frozen;
		}
		spin_unlock(&members_lock);
	}
	work_done(member);
}

void freeze_post(struct member *member, bool newborn)
{
	atomic_inc(&nr_works);
	init_task_work(&member->work, park);
	/* a newborn will pass by the exit to user mode, and has nothing to interrupt */
	if (!task_work_add(member->task, &member->work, newborn ? TWA_RESUME : TWA_SIGNAL))
		return;
	/* past exit_task_work(), and so without memory or files already */
	spin_lock(&members_lock);
	member_set_state(member, MEMBER_GONE);
	spin_unlock(&members_lock);
	work_done(member);
}

static bool task_at_stop(struct task_struct *task)
{
	return task_is_stopped_or_traced(task) && !READ_ONCE(task->on_rq) &&
	       !READ_ONCE(task->on_cpu);
}

/* Is @task asleep in vfork()? Its completion lies on its stack, known to the child. */
static bool waits_for(struct task_struct *task, struct task_struct *child)
{
	unsigned long done = (unsigned long)READ_ONCE(child->vfork_done);
	unsigned long stack = (unsigned long)task_stack_page(task);

	return done >= stack && done < stack + THREAD_SIZE && !READ_ONCE(task->on_rq) &&
	       !READ_ONCE(task->on_cpu);
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
			member_set_state(waiter, MEMBER_VFORK);
			found = true;
		}
	}
	return found;
}

/*
 * Recognize the members that are still without having parked. True when all are;
 * from that moment on the group is frozen.
 */
static bool group_settle(struct group *group)
{
	struct member *member;
	bool again, still = false;

	rcu_read_lock();
	spin_lock(&members_lock);
	list_for_each_entry(member, &group->members, node) {
		if (member->state == MEMBER_STOPPED || member->state == MEMBER_VFORK)
			member_set_state(member, MEMBER_PENDING); /* it may have moved on */
		if (member->state == MEMBER_PENDING && task_at_stop(member->task))
			member_set_state(member, MEMBER_STOPPED);
	}
	do { /* a vfork child may itself wait in vfork() */
		again = false;
		list_for_each_entry(member, &group->members, node)
			again |= settle_vfork(member);
	} while (again && group->nr_pending);
	if (!group->nr_pending)
		still = group->frozen = true;
	spin_unlock(&members_lock);
	rcu_read_unlock();
	return still;
}

/* Post the works again that came at a bad place, after their threads moved on. */
static void group_retry(struct group *group)
{
	struct member *member;

	usleep_range(20, 50);
	/* newborns are added meanwhile, but nothing is removed before the thaw */
	list_for_each_entry_rcu(member, &group->members, node, true) {
		if (READ_ONCE(member->state) != MEMBER_RETRY)
			continue;
		spin_lock(&members_lock);
		member_set_state(member, MEMBER_PENDING);
		spin_unlock(&members_lock);
		atomic_dec(&nr_works); /* freeze_post() counts it again */
		freeze_post(member, false);
	}
}

/* Wait for members to arrive; a tick at most, since stops and vforks tell nobody. */
static int group_wait(struct group *group)
{
	long ret;

	if (READ_ONCE(group->nr_retry))
		group_retry(group);
	ret = wait_event_interruptible_timeout(
		group->arrived, !READ_ONCE(group->nr_pending) || READ_ONCE(group->nr_retry), 1);
	return ret < 0 ? -EINTR : 0;
}

static int group_gather(struct group *group, unsigned long deadline, struct xckpt_freeze *arg,
			struct refusal *refusal)
{
	struct member *member;
	int lost, added, ret;

	for (;;) {
		lost = newborns_lost();
		added = task_scan(group, refusal);
		if (added < 0)
			return added;
		arg->out_rounds++;
		if (!group->nr_members)
			return refuse(refusal, -ESRCH, XCKPT_REASON_GONE, NULL);
		if (!added && lost == newborns_lost() && group_settle(group))
			return 0;
		if (time_after(jiffies, deadline))
			break;
		ret = group_wait(group);
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
	struct member *member = list_first_entry(&group->members, struct member, node);
	struct timespec64 monotonic = {}, boottime = {};

#ifdef CONFIG_TIME_NS
	task_lock(member->task);
	if (member->task->nsproxy) {
		monotonic = member->task->nsproxy->time_ns->offsets.monotonic;
		boottime = member->task->nsproxy->time_ns->offsets.boottime;
	}
	task_unlock(member->task);
#endif
	arg->out_realtime_ns = ktime_get_real_ns();
	arg->out_monotonic_ns = ktime_get_ns() + timespec64_to_ns(&monotonic);
	arg->out_boottime_ns = ktime_get_boottime_ns() + timespec64_to_ns(&boottime);
}

static void group_count(struct group *group, struct xckpt_freeze *arg)
{
	u64 first = U64_MAX, last = 0;
	struct member *member;

	list_for_each_entry(member, &group->members, node) {
		arg->out_nr_threads += member_held(member->state);
		arg->out_nr_processes +=
			member_held(member->state) && thread_group_leader(member->task);
		arg->out_nr_stopped += member->state == MEMBER_STOPPED;
		arg->out_nr_vfork += member->state == MEMBER_VFORK;
		arg->out_nr_exiting += member->state == MEMBER_GONE;
		if (member->state == MEMBER_PARKED) {
			first = min(first, member->parked_ns);
			last = max(last, member->parked_ns);
		}
	}
	arg->out_skew_ns = last > first ? last - first : 0;
}

/*
 * Freeze all of @group's target or nothing of it. @group was just allocated and
 * its target set; on an error it has been thawed again.
 */
int group_freeze(struct group *group, struct xckpt_freeze *arg, struct refusal *refusal)
{
	unsigned long deadline;
	u64 start = ktime_get_ns();
	int ret;

	deadline = jiffies + msecs_to_jiffies(arg->timeout_ms ?: XCKPT_TIMEOUT_DEFAULT_MS) + 1;
	trace_freeze_begin(group);
	group->holding = true;
	newborn_watch();
	ret = group_gather(group, deadline, arg, refusal);
	newborn_unwatch();
	if (!ret) {
		arg->out_latency_ns = ktime_get_ns() - start;
		group_clocks(group, arg);
		group_count(group, arg);
		if (!arg->out_nr_threads)
			ret = refuse(refusal, -ESRCH, XCKPT_REASON_GONE, NULL);
		else
			ret = task_check_access(group, refusal);
	}
	trace_freeze_end(group, ret);
	if (ret)
		group_thaw(group, 0);
	return ret;
}

static bool is_work(struct callback_head *work, void *data)
{
	return work == data;
}

/* Take back a work that did not run; nobody waits for a thread that stays stopped. */
static void member_cancel(struct member *member)
{
	bool mine;

	spin_lock(&members_lock);
	mine = member->state == MEMBER_RETRY;
	if (mine)
		member_set_state(member, MEMBER_GONE);
	spin_unlock(&members_lock);

	if (mine || (member->state != MEMBER_PARKED &&
		     kernel_call(task_work_cancel_match)(member->task, is_work, &member->work)))
		work_done(member);
}

static void group_signal(struct group *group, int sig)
{
	struct member *member;

	list_for_each_entry(member, &group->members, node) {
		if (thread_group_leader(member->task) || member->task->group_leader->exit_state)
			kill_pid(task_tgid(member->task), sig, 1);
	}
}

void group_thaw(struct group *group, unsigned int flags)
{
	struct member *member;

	trace_thaw_begin(group);
	files_forget(group);
	/* before the first moves: none may run on */
	if (flags & XCKPT_THAW_KILL)
		group_signal(group, SIGKILL);
	else if (flags & XCKPT_THAW_STOP)
		group_signal(group, SIGSTOP);

	spin_lock(&members_lock);
	group->frozen = false;
	WRITE_ONCE(group->holding, false);
	spin_unlock(&members_lock);
	wake_up_all(&group->release);

	list_for_each_entry(member, &group->members, node)
		member_cancel(member);
	members_forget(group);
	trace_thaw_end(group);
}

void freeze_exit(void)
{
	wait_var_event(&nr_works, !atomic_read(&nr_works));
	/* the last ones may still be between work_done() and the end of park() */
	synchronize_rcu_tasks();
}
