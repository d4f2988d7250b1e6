// SPDX-License-Identifier: GPL-2.0-only
/* What a group is about: trees, a process group, a session or a cgroup. */
#include <linux/cgroup.h>
#include <linux/init_task.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "symbols.h"
#include "task.h"

static bool in_tree(struct group *group, struct task_struct *process, struct xarray *seen)
{
	void *found = NULL, *known = NULL;
	struct task_struct *task = process;
	unsigned int steps = 0;
	bool in = false;

	while (!found && !known && !is_global_init(task) && task != &init_task) {
		found = xa_load(&group->roots, (unsigned long)task_tgid(task));
		known = ancestors_known(seen, task);
		task = rcu_dereference(task->real_parent);
		steps++;
	}
	in = found || (known && xa_to_value(known));
	ancestors_keep(seen, process, steps, in);
	return in;
}

static bool in_cgroup(struct group *group, struct task_struct *process)
{
#ifdef CONFIG_CGROUPS
	return cgroup_is_descendant(task_dfl_cgroup(process), group->cgroup);
#else
	return false;
#endif
}

bool task_in_target(struct group *group, struct task_struct *process, struct xarray *seen)
{
	switch (group->target) {
	case XCKPT_TARGET_TREE:
		return in_tree(group, process, seen);
	case XCKPT_TARGET_PGRP:
		return task_pgrp(process) == group->pid;
	case XCKPT_TARGET_SESSION:
		return task_session(process) == group->pid;
	case XCKPT_TARGET_CGROUP:
		return in_cgroup(group, process);
	}
	return false;
}

/* Only a tree has a root that can be refused by itself; a scan sees to the others. */
static int check_root(struct pid *pid, struct refusal *refusal)
{
	struct task_struct *root;
	int ret = 0;

	rcu_read_lock();
	root = pid_task(pid, PIDTYPE_TGID);
	if (!root)
		ret = refuse(refusal, -ESRCH, XCKPT_REASON_GONE, NULL);
	else if (root->flags & PF_KTHREAD)
		ret = refuse(refusal, -EINVAL, XCKPT_REASON_KTHREAD, root);
	else if (is_global_init(root))
		ret = refuse(refusal, -EINVAL, XCKPT_REASON_INIT, root);
	rcu_read_unlock();
	return ret;
}

static int add_root(struct group *group, int fd, struct refusal *refusal)
{
	unsigned int flags;
	struct pid *pid;
	void *old;
	int ret;

	pid = kernel_call(pidfd_get_pid)(fd, &flags);
	if (IS_ERR(pid))
		return PTR_ERR(pid);
	ret = check_root(pid, refusal);
	if (ret)
		goto out;
	old = xa_store(&group->roots, (unsigned long)pid, pid, GFP_KERNEL_ACCOUNT);
	ret = xa_err(old);
	if (ret || old)
		goto out; /* given twice: once is enough */
	if (!group->pid)
		group->pid = get_pid(pid);
	return 0;
out:
	put_pid(pid);
	return ret;
}

static int set_trees(struct group *group, const struct xckpt_freeze *arg, struct refusal *refusal)
{
	s32 __user *fds = u64_to_user_ptr(arg->target_fds);
	unsigned int i;
	s32 fd;
	int ret;

	if (arg->target_id || arg->nr_target_fds > XCKPT_TARGET_FDS_MAX)
		return -EINVAL;
	ret = add_root(group, arg->target_fd, refusal);
	for (i = 0; !ret && i < arg->nr_target_fds; i++) {
		if (get_user(fd, &fds[i]))
			return -EFAULT;
		ret = add_root(group, fd, refusal);
	}
	return ret;
}

static int set_number(struct group *group, const struct xckpt_freeze *arg, struct refusal *refusal)
{
	if (arg->target_id <= 0)
		return -EINVAL;
	group->pid = find_get_pid(arg->target_id);
	return group->pid ? 0 : refuse(refusal, -ESRCH, XCKPT_REASON_GONE, NULL);
}

static int set_cgroup(struct group *group, const struct xckpt_freeze *arg)
{
#ifdef CONFIG_CGROUPS
	struct cgroup *cgroup;

	if (arg->target_id)
		return -EINVAL;
	cgroup = cgroup_get_from_fd(arg->target_fd);
	if (IS_ERR(cgroup))
		return PTR_ERR(cgroup);
	group->cgroup = cgroup;
	return 0;
#else
	return -EOPNOTSUPP;
#endif
}

int target_set(struct group *group, const struct xckpt_freeze *arg, struct refusal *refusal)
{
	struct xarray seen;
	int ret;

	if (arg->target > XCKPT_TARGET_CGROUP || arg->__reserved)
		return -EINVAL;
	if (arg->target != XCKPT_TARGET_TREE && (arg->target_fds || arg->nr_target_fds))
		return -EINVAL;
	group->target = arg->target;
	switch (group->target) {
	case XCKPT_TARGET_TREE:
		ret = set_trees(group, arg, refusal);
		break;
	case XCKPT_TARGET_CGROUP:
		ret = set_cgroup(group, arg);
		break;
	default:
		ret = set_number(group, arg, refusal);
	}
	if (ret)
		return ret;

	xa_init(&seen);
	rcu_read_lock();
	if (task_in_target(group, current->group_leader, &seen))
		ret = refuse(refusal, -EDEADLK, XCKPT_REASON_SELF, current->group_leader);
	rcu_read_unlock();
	xa_destroy(&seen);
	return ret;
}

void target_put(struct group *group)
{
	unsigned long index;
	struct pid *pid;

	xa_for_each(&group->roots, index, pid)
		put_pid(pid);
	xa_destroy(&group->roots);
	put_pid(group->pid);
#ifdef CONFIG_CGROUPS
	if (group->cgroup)
		cgroup_put(group->cgroup);
#endif
}

static bool pid_in_ns(struct pid *pid, struct pid_namespace *ns)
{
	return ns->level <= pid->level && pid->numbers[ns->level].ns == ns;
}

/*
 * Ids in an image are those that the group's own processes see: of the innermost
 * pid namespace that has them all.
 */
void target_find_ns(struct group *group)
{
	const struct signal_struct *last = NULL;
	struct pid_namespace *ns = NULL;
	struct member *member;
	struct pid *pid;

	rcu_read_lock();
	list_for_each_entry(member, &group->members, node) {
		if (member->task->signal == last)
			continue; /* threads of a process are of one namespace */
		pid = READ_ONCE(member->task->thread_pid);
		if (!pid)
			continue; /* dead and gone */
		last = member->task->signal;
		ns = ns ?: ns_of_pid(pid);
		while (!pid_in_ns(pid, ns))
			ns = ns->parent;
	}
	/* every pid in a namespace holds it, so it lives while RCU holds the pid */
	ns = get_pid_ns(ns ?: &init_pid_ns);
	rcu_read_unlock();
	if (group->ns)
		put_pid_ns(group->ns);
	group->ns = ns;
}
