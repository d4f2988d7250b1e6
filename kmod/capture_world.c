// SPDX-License-Identifier: GPL-2.0-only
/* What a process has in common with others, or has for itself instead of the dumper's. */
#include <linux/cred.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/user_namespace.h>

#include "capture.h"

static bool is_sharer(struct task_struct *task, struct task_struct *leader, struct mm_struct *mm)
{
	return READ_ONCE(task->mm) == mm && !same_thread_group(task, leader) &&
	       !(task->flags & PF_KTHREAD) && !READ_ONCE(task->vfork_done);
}

/* vfork() shares memory, too, but the one waits for the other. */
static bool shares_memory(struct task_struct *leader, struct mm_struct *mm)
{
	struct task_struct *process, *task;
	bool shares = false;
	int own = 0;

	if (READ_ONCE(leader->vfork_done))
		return false;
	rcu_read_lock();
	/* threads that have ended have no memory, but may still be counted as threads */
	for_each_thread(leader, task)
		own += READ_ONCE(task->mm) == mm;
	/* beside these there is whoever captures; others have to be looked for everywhere */
	if (atomic_read(&mm->mm_users) > own + 1) {
		for_each_process_thread(process, task)
			shares |= is_sharer(task, leader, mm);
	}
	rcu_read_unlock();
	return shares;
}

/* unshare(2) and setns(2) are for the calling thread only. */
static u32 thread_namespaces(struct task_struct *task)
{
	struct nsproxy *ns;
	u32 flags = 0;

	task_lock(task);
	ns = task->nsproxy;
	if (ns && ns->uts_ns != current->nsproxy->uts_ns)
		flags |= XCKPT_PROCESS_OWN_UTS;
	if (ns && ns->net_ns != current->nsproxy->net_ns)
		flags |= XCKPT_PROCESS_OWN_NET;
	task_unlock(task);
	return flags;
}

static u32 own_namespaces(struct task_struct *leader, struct pid_namespace *pids)
{
	struct task_struct *task;
	u32 flags = 0;

	rcu_read_lock();
	for_each_thread(leader, task)
		flags |= thread_namespaces(task);
	if (__task_cred(leader)->user_ns != current_user_ns())
		flags |= XCKPT_PROCESS_OWN_USER;
	if (task_active_pid_ns(leader) != pids)
		flags |= XCKPT_PROCESS_OWN_PID;
	rcu_read_unlock();
	return flags;
}

u32 capture_world_flags(struct capture *capture)
{
	return own_namespaces(capture->leader, capture->group->ns) |
	       (shares_memory(capture->leader, capture->mm) ? XCKPT_PROCESS_ODD_MM : 0);
}
