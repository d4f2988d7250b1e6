// SPDX-License-Identifier: GPL-2.0-only
/* CORE: one captured process as a file. */
#include <linux/err.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "capture.h"
#include "core.h"
#include "task.h"

struct core *core_alloc(struct group *group, struct task_struct *leader)
{
	struct core *core = kzalloc(sizeof(*core), GFP_KERNEL_ACCOUNT);

	if (!core)
		return NULL;
	kref_init(&core->ref);
	mutex_init(&core->find);
	kref_get(&group->ref);
	core->group = group;
	core->epoch = group->epoch;
	core->process = get_task_pid(leader, PIDTYPE_TGID);
	core->pid = pid_nr(core->process);
	core->nr_threads = leader->signal->nr_threads;
	return core;
}

void core_drop_stores(struct core *core)
{
	unsigned int i;

	for (i = 0; i < core->nr_segments; i++) {
		store_put(core->segments[i].store);
		core->segments[i].store = NULL;
	}
}

static void core_free(struct kref *ref)
{
	struct core *core = container_of(ref, struct core, ref);

	if (core->mm && core->cloned)
		mmput(core->mm);
	else if (core->mm)
		mmdrop(core->mm);
	core_drop_stores(core);
	extents_free(&core->extents);
	put_pid(core->process);
	group_put(core->group);
	kvfree(core->head);
	kvfree(core->segments);
	kfree(core);
}

void core_put(struct core *core)
{
	kref_put(&core->ref, core_free);
}

bool core_valid(struct core *core)
{
	if (core->cloned)
		return true;
	/* pairs with the lock in group_thaw(): what is read comes before the look */
	smp_rmb();
	return READ_ONCE(core->group->frozen) && READ_ONCE(core->group->epoch) == core->epoch;
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

struct core *core_capture(struct group *group, pid_t pid, bool thin)
{
	struct capture *capture;
	struct task_struct *leader;
	struct core *core;
	int ret;

	leader = find_leader(group, pid);
	if (!leader)
		return ERR_PTR(-ESRCH);
	capture = capture_begin(group, leader, thin, NULL);
	put_task_struct(leader);
	if (IS_ERR(capture))
		return ERR_CAST(capture);
	ret = capture_memory(capture);
	if (!ret)
		ret = capture_rest(capture);
	if (!ret)
		ret = core_find(capture->core);
	core = capture_end(capture, ret);
	return core ?: ERR_PTR(ret);
}

struct file *core_open(struct core *core, struct xckpt_core *arg)
{
	arg->out_nr_threads = core->nr_threads;
	arg->out_nr_segments = core->nr_segments;
	arg->out_size = core->size;
	arg->out_data_bytes = core->data_bytes + core->head_size;
	return corefs_open(core);
}
