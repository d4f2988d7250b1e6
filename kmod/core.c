// SPDX-License-Identifier: GPL-2.0-only
/* CORE: capture one process of a frozen group and open it as a file. */
#include <linux/err.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "capture.h"
#include "core.h"
#include "task.h"
#include "trace.h"

void core_free(struct core *core)
{
	if (core->mm)
		mmdrop(core->mm);
	group_put(core->group);
	kvfree(core->head);
	kvfree(core->segments);
	kvfree(core->extents);
	kfree(core);
}

/* A held thread of the process @pid, the leader if it lives; with a reference. */
static struct task_struct *find_leader(struct group *group, pid_t pid)
{
	struct task_struct *found = NULL;
	struct member *member;

	list_for_each_entry(member, &group->members, node) {
		if (task_tgid_vnr(member->task) != pid || !member_held(READ_ONCE(member->state)))
			continue;
		if (!found || thread_group_leader(member->task))
			found = member->task;
	}
	return found ? get_task_struct(found) : NULL;
}

static struct core *core_capture(struct group *group, struct task_struct *leader, bool thin)
{
	struct mm_struct *mm;
	struct core *core;
	int ret;

	core = kzalloc(sizeof(*core), GFP_KERNEL_ACCOUNT);
	if (!core)
		return ERR_PTR(-ENOMEM);
	kref_get(&group->ref);
	core->group = group;
	core->pid = task_tgid_nr(leader);
	mm = get_task_mm(leader);
	if (!mm) {
		core_free(core);
		return ERR_PTR(-ESRCH);
	}
	mmgrab(mm);
	core->mm = mm;
	ret = capture_process(core, leader, mm, thin);
	mmput(mm);
	if (ret) {
		core_free(core);
		return ERR_PTR(ret);
	}
	return core;
}

struct file *core_open(struct group *group, struct xckpt_core *arg)
{
	struct task_struct *leader;
	struct file *file;
	struct core *core;

	leader = find_leader(group, arg->pid);
	if (!leader)
		return ERR_PTR(-ESRCH);
	trace_capture_begin(task_tgid_nr(leader));
	core = core_capture(group, leader, arg->flags & XCKPT_CORE_THIN);
	trace_capture_end(task_tgid_nr(leader), IS_ERR(core) ? 0 : core->nr_segments,
			  IS_ERR(core) ? 0 : core->data_bytes, PTR_ERR_OR_ZERO(core));
	arg->out_nr_threads = leader->signal->nr_threads;
	put_task_struct(leader);
	if (IS_ERR(core))
		return ERR_CAST(core);
	arg->out_nr_segments = core->nr_segments;
	arg->out_size = core->size;
	arg->out_data_bytes = core->data_bytes + core->head_size;
	file = corefs_open(core);
	if (IS_ERR(file))
		core_free(core);
	return file;
}
