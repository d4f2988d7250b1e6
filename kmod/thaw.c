// SPDX-License-Identifier: GPL-2.0-only
/* The thaw: a frozen group goes on, is stopped, or is killed, before any of it runs. */
#include <linux/sched/signal.h>

#include "freeze.h"
#include "trace.h"

/* To each process; to one of which threads are far apart in the list more than once. */
static void group_signal(struct group *group, int sig)
{
	const struct signal_struct *last = NULL;
	struct member *member;

	list_for_each_entry(member, &group->members, node) {
		if (member->task->signal == last)
			continue;
		last = member->task->signal;
		rcu_read_lock();
		kill_pid(task_tgid(member->task), sig, 1);
		rcu_read_unlock();
	}
}

/*
 * Only one thread is told of a signal for its process, and the others run until
 * that one has taken it: tell all, so that none returns to user mode before.
 */
static void group_stop_signal(struct group *group)
{
	struct member *member;

	group_signal(group, SIGSTOP);
	list_for_each_entry(member, &group->members, node)
		set_tsk_thread_flag(member->task, TIF_SIGPENDING);
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
		group_stop_signal(group);

	spin_lock(&members_lock);
	group->frozen = false;
	WRITE_ONCE(group->holding, false);
	spin_unlock(&members_lock);

	list_for_each_entry(member, &group->members, node) {
		if (READ_ONCE(member->state) == MEMBER_PARKED)
			wake_up_process(member->task);
		else
			park_cancel(member);
	}
	members_forget(group);
	trace_thaw_end(group);
}
