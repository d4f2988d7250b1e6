// SPDX-License-Identifier: GPL-2.0-only
/* SNAPSHOT: every process of a frozen group at once, so that the group can go on. */
#include <linux/err.h>
#include <linux/ipc_namespace.h>
#include <linux/nsproxy.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "capture.h"
#include "clone.h"
#include "compat/mm.h"
#include "compat/task.h"
#include "freeze.h"
#include "snapshot.h"
#include "task.h"
#include "trace.h"

/* One process while it is captured. */
struct shot {
	struct task_struct *leader; /* with a reference */
	struct capture *capture;
	struct clone *clone;
};

struct shots {
	unsigned int nr;
	struct shot list[];
};

void snapshot_free(struct snapshot *snapshot)
{
	unsigned int i;

	if (!snapshot)
		return;
	for (i = 0; i < snapshot->nr; i++) {
		if (snapshot->cores[i])
			core_put(snapshot->cores[i]);
	}
	kvfree(snapshot);
}

struct core *snapshot_find(struct snapshot *snapshot, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < snapshot->nr; i++) {
		if (pid_vnr(snapshot->cores[i]->process) == pid)
			return snapshot->cores[i];
	}
	return NULL;
}

/* One held thread of each process, by its signal_struct: the leader if it lives. */
static int find_processes(struct group *group, struct xarray *found)
{
	struct member *member;
	unsigned long key;
	int nr = 0;

	/* the list cannot change: the group is frozen, and the session locked */
	list_for_each_entry(member, &group->members, node) {
		if (!member_held(READ_ONCE(member->state)))
			continue;
		key = (unsigned long)member->task->signal;
		if (xa_load(found, key)) {
			if (!thread_group_leader(member->task))
				continue;
			nr--;
		}
		if (xa_is_err(xa_store(found, key, member->task, GFP_KERNEL_ACCOUNT)))
			return -ENOMEM;
		nr++;
	}
	return nr;
}

static struct shots *shots_alloc(struct group *group)
{
	struct shots *shots = NULL;
	struct task_struct *leader;
	struct xarray found;
	unsigned long key;
	int nr;

	xa_init(&found);
	nr = find_processes(group, &found);
	if (nr > 0)
		shots = kvzalloc(struct_size(shots, list, nr), GFP_KERNEL_ACCOUNT);
	if (shots) {
		xa_for_each(&found, key, leader)
			shots->list[shots->nr++].leader = get_task_struct(leader);
	}
	xa_destroy(&found);
	if (nr <= 0)
		return ERR_PTR(nr ?: -ESRCH);
	return shots ?: ERR_PTR(-ENOMEM);
}

/*
 * Who reads asynchronously past the page cache may have pages that a device writes to.
 * They are pinned meanwhile, which makes a clone copy them at once; but before Linux 6.5
 * they were not, and would become the clone's when the process writes to them.
 */
static bool is_written_by_devices(struct task_struct *leader, struct mm_struct *mm)
{
	struct task_struct *task;
	bool found = false;

	if (COMPAT_PINS_FOR_DEVICES)
		return false;
#ifdef CONFIG_AIO
	found = rcu_access_pointer(mm->ioctx_table);
#endif
	rcu_read_lock();
	for_each_thread(leader, task)
		found |= compat_uses_io_uring(task);
	rcu_read_unlock();
	return found;
}

/* The memory's layout and copies, and the clone under way. */
static int shot_begin(struct shot *shot, struct group *group, u32 flags, struct xarray *stores)
{
	struct capture *capture;
	int ret;

	if (flags & XCKPT_SNAPSHOT_FROZEN)
		stores = NULL;
	capture = capture_begin(group, shot->leader, flags & XCKPT_SNAPSHOT_THIN, stores);
	if (IS_ERR(capture))
		return PTR_ERR(capture);
	shot->capture = capture;
	if (!stores)
		capture->core->uncloned = XCKPT_UNCLONED_ASKED;
	else if (is_written_by_devices(shot->leader, capture->mm))
		capture->core->uncloned = XCKPT_UNCLONED_DEVICE;
	ret = capture_memory(capture);
	if (ret || capture->core->uncloned)
		return ret;
	shot->clone = clone_begin(capture->mm, capture->core->pid);
	if (!shot->clone)
		capture->core->uncloned = XCKPT_UNCLONED_MEMORY;
	return 0;
}

/* The clone takes the place of the process's own memory; without one that stays. */
static int shot_clone(struct shot *shot, u64 *ns)
{
	struct core *core = shot->capture->core;
	struct mm_struct *mm = clone_finish(shot->clone, ns);

	shot->clone = NULL;
	if (mm == ERR_PTR(-EINTR))
		return -EINTR;
	if (IS_ERR(mm)) {
		core->uncloned =
			mm == ERR_PTR(-EAGAIN) ? XCKPT_UNCLONED_LIMIT : XCKPT_UNCLONED_MEMORY;
		return 0;
	}
	mmdrop(core->mm);
	core->mm = mm;
	core->cloned = true;
	return 0;
}

/*
 * Thousands of processes take minutes, and who catches signals wants to end, too. What is no
 * signal, as a freeze by another session, may wait: it would be for nothing.
 */
static int shots_check(void)
{
	return task_sigpending(current) ? -EINTR : 0;
}

static int shots_capture(struct shots *shots, struct group *group, u32 flags, struct xarray *stores,
			 u64 *clone_ns)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < shots->nr; i++) {
		ret = shots_check() ?: shot_begin(&shots->list[i], group, flags, stores);
		if (ret)
			return ret;
	}
	for (i = 0; i < shots->nr; i++) {
		ret = shots_check() ?: capture_rest(shots->list[i].capture);
		if (ret)
			return ret;
	}
	for (i = 0; i < shots->nr && !ret; i++) {
		ret = shots_check();
		if (!ret && shots->list[i].clone)
			ret = shot_clone(&shots->list[i], clone_ns);
	}
	return ret;
}

/* What was captured becomes @snapshot's, or nothing does. */
static void shots_end(struct shots *shots, int ret, struct snapshot *snapshot)
{
	unsigned int i;
	u64 ns = 0;

	/* they wait for each other: none is begun for nothing */
	for (i = 0; i < shots->nr && ret; i++) {
		if (shots->list[i].clone)
			clone_cancel(shots->list[i].clone);
	}
	for (i = 0; i < shots->nr; i++) {
		struct shot *shot = &shots->list[i];
		struct mm_struct *mm = shot->clone ? clone_finish(shot->clone, &ns) : NULL;
		struct core *core = shot->capture ? capture_end(shot->capture, ret) : NULL;

		if (!IS_ERR_OR_NULL(mm))
			mmput(mm);
		if (core)
			snapshot->cores[snapshot->nr++] = core;
		put_task_struct(shot->leader);
	}
	kvfree(shots);
}

static u64 stores_forget(struct xarray *stores)
{
	struct store *store;
	unsigned long key;
	u64 bytes = 0;

	xa_for_each(stores, key, store) {
		bytes += store->bytes;
		store_put(store);
	}
	xa_destroy(stores);
	return bytes;
}

static struct snapshot *snapshot_try(struct group *group, struct xckpt_snapshot *arg)
{
	struct snapshot *snapshot;
	struct xarray stores; /* of shared memory, by address_space */
	struct shots *shots;
	int ret;

	shots = shots_alloc(group);
	if (IS_ERR(shots))
		return ERR_CAST(shots);
	snapshot = kvzalloc(struct_size(snapshot, cores, shots->nr), GFP_KERNEL_ACCOUNT);
	xa_init(&stores);
	arg->out_clone_ns = 0;
	ret = snapshot ? shots_capture(shots, group, arg->flags, &stores, &arg->out_clone_ns)
		       : -ENOMEM;
	shots_end(shots, ret, snapshot);
	arg->out_copied_bytes = stores_forget(&stores);
	if (ret) {
		kvfree(snapshot);
		return ERR_PTR(ret);
	}
	snapshot->thin = arg->flags & XCKPT_SNAPSHOT_THIN;
	return snapshot;
}

/* First as it is; then with those parked that moved; then with nobody asleep. */
static struct snapshot *snapshot_attempts(struct group *group, struct xckpt_snapshot *arg)
{
	struct refusal refusal = {};
	struct snapshot *snapshot;
	int ret;

	for (arg->out_nr_attempts = 1;; arg->out_nr_attempts++) {
		snapshot = snapshot_try(group, arg);
		/* a process that was killed meanwhile is gone the next time */
		if (snapshot == ERR_PTR(-ESRCH) ? !group_disturbed(group) : IS_ERR(snapshot))
			return snapshot;
		if (!IS_ERR(snapshot)) {
			if (!group_disturbed(group))
				return snapshot;
			snapshot_free(snapshot);
		}
		if (arg->out_nr_attempts == 3)
			return ERR_PTR(-EAGAIN);
		ret = group_refreeze(group,
				     arg->out_nr_attempts == 1 ? group->mode : XCKPT_MODE_STRICT,
				     &refusal);
		if (ret)
			return ERR_PTR(ret);
	}
}

static void count_private(const struct core *core, struct xckpt_snapshot *arg)
{
	unsigned int i;

	for (i = 0; i < core->nr_segments; i++) {
		if (core->segments[i].store && core->segments[i].contents != CONTENTS_CACHE)
			arg->out_copied_bytes += core->segments[i].store->bytes;
	}
}

/* Are there System V objects in the IPC namespace of @task, whoever made them? */
static bool has_sysv(struct task_struct *task)
{
	const struct ipc_namespace *ns;
	bool found = false;
	unsigned int i;

	task_lock(task);
	ns = task->nsproxy ? task->nsproxy->ipc_ns : NULL;
	for (i = 0; ns && i < ARRAY_SIZE(ns->ids); i++)
		found |= READ_ONCE(ns->ids[i].in_use);
	task_unlock(task);
	return found;
}

/* Namespaces that have any; one may be counted more than once, but never missed. */
static unsigned int count_sysv(struct group *group)
{
	const struct nsproxy *last = NULL, *now;
	struct member *member;
	unsigned int nr = 0;

	list_for_each_entry(member, &group->members, node) {
		if (!member_held(READ_ONCE(member->state)))
			continue;
		/* compared only: what it points to may be gone */
		now = READ_ONCE(member->task->nsproxy);
		if (now != last)
			nr += has_sysv(member->task);
		last = now;
	}
	return nr;
}

static void snapshot_count(struct snapshot *snapshot, struct group *group,
			   struct xckpt_snapshot *arg)
{
	struct core *core;
	unsigned int i;

	arg->out_nr_processes = snapshot->nr;
	arg->out_nr_stateful = files_count_stateful(group) + count_sysv(group);
	for (i = 0; i < snapshot->nr; i++) {
		core = snapshot->cores[i];
		count_private(core, arg);
		arg->out_nr_stateful += core->nr_shm;
		if (core->cloned)
			continue;
		if (!arg->out_nr_uncloned++) {
			arg->out_uncloned = core->uncloned;
			arg->out_uncloned_pid = pid_vnr(core->process);
		}
	}
}

struct snapshot *snapshot_take(struct group *group, struct xckpt_snapshot *arg)
{
	u64 start = ktime_get_ns();
	struct snapshot *snapshot;

	arg->out_nr_uncloned = arg->out_uncloned = arg->out_uncloned_pid = 0;
	trace_snapshot_begin(group);
	snapshot = snapshot_attempts(group, arg);
	if (!IS_ERR(snapshot))
		snapshot_count(snapshot, group, arg);
	trace_snapshot_end(group, arg, PTR_ERR_OR_ZERO(snapshot));
	arg->out_total_ns = ktime_get_ns() - start;
	return snapshot;
}
