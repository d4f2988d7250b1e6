// SPDX-License-Identifier: GPL-2.0-only
/* TASKS: what a frozen group consists of, zombies included. */
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "compat/task.h"
#include "freeze.h"
#include "list.h"
#include "task.h"

struct listed {
	struct xckpt_task task;
	unsigned int depth; /* generations below the system's first process */
};

static unsigned int task_depth(struct task_struct *process, struct xarray *depths)
{
	struct task_struct *task;
	unsigned int steps = 0;
	void *known = NULL;

	for (task = process; task->pid > 1; task = rcu_dereference(task->real_parent)) {
		known = ancestors_known(depths, task);
		if (known)
			break;
		steps++;
	}
	ancestors_keep(depths, process, steps, steps + (known ? xa_to_value(known) : 0));
	return steps + (known ? xa_to_value(known) : 0);
}

/* A member may have left the target (setsid()) after it was found there. */
static bool is_listed(struct group *group, struct task_struct *process, struct xarray *seen)
{
	bool found;

	if (process->flags & PF_KTHREAD)
		return false;
	if (task_in_target(group, process, seen))
		return true;
	spin_lock(&members_lock);
	found = member_find(group, process);
	spin_unlock(&members_lock);
	return found;
}

static u32 task_state(struct group *group, struct task_struct *task)
{
	static const u32 states[] = {
		[MEMBER_PENDING] = XCKPT_TASK_EXITING, [MEMBER_RETRY] = XCKPT_TASK_EXITING,
		[MEMBER_PARKED] = XCKPT_TASK_PARKED,   [MEMBER_STOPPED] = XCKPT_TASK_STOPPED,
		[MEMBER_CGROUP] = XCKPT_TASK_PARKED,   [MEMBER_VFORK] = XCKPT_TASK_VFORK,
		[MEMBER_ASLEEP] = XCKPT_TASK_ASLEEP,   [MEMBER_GONE] = XCKPT_TASK_EXITING,
	};
	struct member *member;
	u32 state = XCKPT_TASK_EXITING;

	if (task->exit_state)
		return XCKPT_TASK_ZOMBIE;
	spin_lock(&members_lock);
	member = member_find(group, task);
	if (member)
		state = states[member->state];
	spin_unlock(&members_lock);
	return state;
}

static void list_one(struct group *group, struct task_struct *task, struct xarray *depths,
		     struct listed *listed)
{
	memset(listed, 0, sizeof(*listed));
	listed->task.pid = task_tgid_vnr(task);
	listed->task.tid = task_pid_vnr(task);
	listed->task.ppid = task_tgid_vnr(rcu_dereference(task->real_parent));
	listed->task.state = task_state(group, task);
	if (task->exit_state && thread_group_leader(task))
		listed->task.exit_code = task->exit_code;
	listed->depth = task_depth(task->group_leader, depths);
}

/* How many there are; the first @size of them in @list. */
static unsigned int list_all(struct group *group, struct listed *list, unsigned int size)
{
	struct task_struct *process, *task;
	unsigned int nr = 0;
	struct xarray seen, depths;

	xa_init(&seen);
	xa_init(&depths);
	rcu_read_lock();
	for_each_process(process) {
		if (!is_listed(group, process, &seen))
			continue;
		for_each_thread(process, task) {
			if (task->flags & (COMPAT_PF_WORKER | PF_KTHREAD))
				continue;
			if (nr < size)
				list_one(group, task, &depths, &list[nr]);
			nr++;
		}
	}
	rcu_read_unlock();
	xa_destroy(&depths);
	xa_destroy(&seen);
	return nr;
}

/* Parents before children, leaders before other threads. */
static int list_order(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	if (x->task.pid != y->task.pid)
		return x->task.pid < y->task.pid ? -1 : 1;
	if ((x->task.tid == x->task.pid) != (y->task.tid == y->task.pid))
		return x->task.tid == x->task.pid ? -1 : 1;
	return x->task.tid < y->task.tid ? -1 : x->task.tid > y->task.tid;
}

static int list_copy(const struct listed *list, unsigned int nr, const struct xckpt_tasks *arg)
{
	char __user *to = u64_to_user_ptr(arg->tasks);
	unsigned int i;

	for (i = 0; i < nr && i < arg->nr_tasks; i++) {
		u32 size = min_t(u32, arg->task_size, sizeof(list[i].task));

		if (copy_to_user(to, &list[i].task, size) ||
		    clear_user(to + size, arg->task_size - size))
			return -EFAULT;
		to += arg->task_size;
	}
	return 0;
}

int group_list(struct group *group, struct xckpt_tasks *arg)
{
	unsigned int size, nr;
	struct listed *list;
	int ret;

	if (arg->nr_tasks &&
	    (arg->task_size < sizeof(struct xckpt_task) || arg->task_size > PAGE_SIZE))
		return -EINVAL;
	for (size = group->nr_members + 64;; size = nr + 64) {
		list = kvmalloc_array(size, sizeof(*list), GFP_KERNEL_ACCOUNT);
		if (!list)
			return -ENOMEM;
		nr = list_all(group, list, size);
		if (nr <= size)
			break;
		kvfree(list);
	}
	sort(list, nr, sizeof(*list), list_order, NULL);
	ret = list_copy(list, nr, arg);
	kvfree(list);
	arg->out_nr_tasks = nr;
	arg->out_nr_disturbed = group_disturbed(group);
	return ret;
}
