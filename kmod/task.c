// SPDX-License-Identifier: GPL-2.0-only
/* Which tasks belong to a group: scans, newborns, the right to look. */
#include <linux/cred.h>
#include <linux/elf.h>
#include <linux/hashtable.h>
#include <linux/pid_namespace.h>
#include <linux/regset.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/tracepoint.h>

#include "compat/task.h"
#include "freeze.h"
#include "symbols.h"
#include "task.h"

DEFINE_SPINLOCK(members_lock);
static DEFINE_HASHTABLE(members, 10);

static struct kmem_cache *member_cache;

static atomic_t nr_watching = ATOMIC_INIT(0);
static atomic_t nr_newborns_lost = ATOMIC_INIT(0);
static struct tracepoint *fork_tracepoint;

int refuse(struct refusal *refusal, int err, enum xckpt_reason reason, struct task_struct *task)
{
	refusal->reason = reason;
	refusal->pid = task ? task_pid_vnr(task) : 0;
	return err;
}

static void group_free(struct kref *ref)
{
	struct group *group = container_of(ref, struct group, ref);

	target_put(group);
	if (group->ns)
		put_pid_ns(group->ns);
	kfree(group);
}

struct group *group_alloc(void)
{
	struct group *group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);

	if (!group)
		return NULL;
	kref_init(&group->ref);
	INIT_LIST_HEAD(&group->members);
	init_waitqueue_head(&group->arrived);
	xa_init(&group->files);
	xa_init(&group->roots);
	return group;
}

void group_put(struct group *group)
{
	kref_put(&group->ref, group_free);
}

static void member_free(struct kref *ref)
{
	struct member *member = container_of(ref, struct member, ref);

	put_task_struct(member->task);
	group_put(member->group);
	kmem_cache_free(member_cache, member);
}

void member_put(struct member *member)
{
	kref_put(&member->ref, member_free);
}

static struct member *member_lookup(struct task_struct *task)
{
	struct member *member;

	lockdep_assert_held(&members_lock);
	hash_for_each_possible(members, member, hash_node, (unsigned long)task) {
		if (member->task == task)
			return member;
	}
	return NULL;
}

struct member *member_find(struct group *group, struct task_struct *task)
{
	struct member *member = member_lookup(task);

	return member && member->group == group ? member : NULL;
}

/*
 * Shall @task become a member of *@group, or of @parent's group when that is given
 * and is being frozen? 1 if so, 0 if not, EBUSY if another group has it.
 */
static int member_wanted(struct group **group, struct task_struct *parent, struct task_struct *task)
{
	struct member *other;

	if (parent) {
		other = member_lookup(parent);
		if (!other || !other->group->holding)
			return 0;
		*group = other->group;
	}
	other = member_lookup(task);
	if (!other)
		return 1;
	return other->group == *group ? 0 : -EBUSY;
}

static void member_insert(struct member *member, struct group *group, struct task_struct *task)
{
	kref_init(&member->ref); /* the list's */
	kref_get(&member->ref); /* the work's, see park_post() */
	member->task = get_task_struct(task);
	member->group = group;
	member->state = MEMBER_PENDING;
	kref_get(&group->ref);
	hash_add(members, &member->hash_node, (unsigned long)task);
	list_add_tail_rcu(&member->node, &group->members);
	group->nr_members++;
	group->nr_pending++;
}

/* Into a pipe, maybe, where a notification would cut it short; it ends by itself. */
static bool dumps_core(struct task_struct *task)
{
	return READ_ONCE(task->flags) & PF_DUMPCORE;
}

/*
 * Make @task a member if it is wanted. Returns 1 if it is new there, 0 if not, or
 * -errno. Called under RCU: may not sleep.
 */
static int member_add(struct group *group, struct task_struct *parent, struct task_struct *task)
{
	struct member *member;
	int ret;

	member = kmem_cache_alloc(member_cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!member)
		return -ENOMEM;
	*member = (struct member){ .slept = !parent && task_asleep(task) };

	spin_lock(&members_lock);
	ret = member_wanted(&group, parent, task);
	if (ret > 0)
		member_insert(member, group, task);
	spin_unlock(&members_lock);
	if (ret <= 0) {
		kmem_cache_free(member_cache, member);
		return ret;
	}
	member->soft = !parent && freeze_may_sleep(group, task);
	park_post(member, !parent && !member->soft && !task_stopped(task) && !dumps_core(task));
	return 1;
}

/* The group lets go of all its members; their works may still run and hold them. */
void members_forget(struct group *group)
{
	struct member *member, *next;
	LIST_HEAD(list);

	spin_lock(&members_lock);
	list_splice_init(&group->members, &list);
	list_for_each_entry(member, &list, node)
		hash_del(&member->hash_node);
	group->nr_members = 0;
	spin_unlock(&members_lock);

	list_for_each_entry_safe(member, next, &list, node) {
		list_del_init(&member->node);
		member_put(member);
	}
}

/* An io_uring or vhost worker never goes to user mode. */
static bool can_park(const struct task_struct *task)
{
	return !task->exit_state && !(task->flags & (COMPAT_PF_WORKER | PF_KTHREAD));
}

/* Are all threads of @process members already? Mostly so, after the first scan. */
static bool process_known(struct group *group, struct task_struct *process)
{
	struct task_struct *task;
	bool known = true;

	spin_lock(&members_lock);
	for_each_thread(process, task) {
		if (can_park(task) && !member_find(group, task)) {
			known = false;
			break;
		}
	}
	spin_unlock(&members_lock);
	return known;
}

int task_scan(struct group *group, struct refusal *refusal)
{
	struct task_struct *process, *task;
	int ret = 0, added = 0;
	struct xarray seen;

	xa_init(&seen);
	rcu_read_lock();
	for_each_process(process) {
		if ((process->flags & PF_KTHREAD) || !task_in_target(group, process, &seen))
			continue;
		if (same_thread_group(process, current)) {
			ret = refuse(refusal, -EDEADLK, XCKPT_REASON_SELF, process);
			break;
		}
		if (is_global_init(process)) {
			ret = refuse(refusal, -EINVAL, XCKPT_REASON_INIT, process);
			break;
		}
		if (process_known(group, process))
			continue;
		for_each_thread(process, task) {
			if (!can_park(task))
				continue;
			ret = member_add(group, NULL, task);
			if (ret == -EBUSY)
				refuse(refusal, ret, XCKPT_REASON_BUSY, task);
			if (ret < 0)
				break;
			added += ret;
		}
		if (ret < 0)
			break;
	}
	rcu_read_unlock();
	xa_destroy(&seen);
	return ret < 0 ? ret : added;
}

/*
 * Threads of one process differ only by their credentials in who may look into them: all are
 * of one pid namespace.
 */
static bool same_access(struct task_struct *task, struct task_struct *other)
{
	return other && same_thread_group(task, other) &&
	       rcu_access_pointer(task->real_cred) == rcu_access_pointer(other->real_cred);
}

/* 64-bit code, not x32; its registers are on its stack. Who has none any more was killed. */
static bool is_native(struct member *member)
{
	struct task_struct *task = member->task;
	bool ret;

	if (test_tsk_thread_flag(task, TIF_ADDR32))
		return false;
	if (member->state == MEMBER_PARKED && member->native)
		return true;
	if (!try_get_task_stack(task))
		return true;
	ret = task_user_regset_view(task)->e_machine == EM_X86_64;
	kernel_call(put_task_stack)(task);
	return ret;
}

int task_check_access(struct group *group, struct refusal *refusal)
{
	struct task_struct *task, *allowed = NULL;
	struct member *member;

	/* the list cannot change: the group is frozen, and the session locked */
	list_for_each_entry(member, &group->members, node) {
		task = member->task;
		if (!member_held(READ_ONCE(member->state)))
			continue;
		/* nor one that the caller's pid namespace does not have */
		if (!same_access(task, allowed) &&
		    (!task_pid_vnr(task) ||
		     !kernel_call(ptrace_may_access)(task, PTRACE_MODE_ATTACH_REALCREDS)))
			return refuse(refusal, -EPERM, XCKPT_REASON_DENIED, task);
		allowed = task;
		if (!is_native(member))
			return refuse(refusal, -EOPNOTSUPP, XCKPT_REASON_COMPAT, task);
	}
	return 0;
}

s64 task_clock_offset(struct task_struct *task, clockid_t clock)
{
	struct timespec64 offset = {};

#ifdef CONFIG_TIME_NS
	task_lock(task);
	if (task->nsproxy && clock == CLOCK_MONOTONIC)
		offset = task->nsproxy->time_ns->offsets.monotonic;
	else if (task->nsproxy && clock == CLOCK_BOOTTIME)
		offset = task->nsproxy->time_ns->offsets.boottime;
	task_unlock(task);
#endif
	return timespec64_to_ns(&offset);
}

/*
 * The child is in the task list, but was not woken yet. A scan that started
 * before its parent became a member may miss it, so the parent's group takes it
 * here. Without memory for that, the freezer is told to scan once more.
 */
static void newborn(void *data, struct task_struct *parent, struct task_struct *child)
{
	if (!atomic_read(&nr_watching) || !can_park(child))
		return;
	rcu_read_lock();
	if (member_add(NULL, parent, child) < 0)
		atomic_inc(&nr_newborns_lost);
	rcu_read_unlock();
}

int newborns_lost(void)
{
	return atomic_read(&nr_newborns_lost);
}

void newborn_watch(void)
{
	atomic_inc(&nr_watching);
	/* forks past the check above must have put their child where a scan sees it */
	smp_mb__after_atomic();
}

void newborn_unwatch(void)
{
	atomic_dec(&nr_watching);
}

static void find_fork(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "sched_process_fork"))
		fork_tracepoint = tp;
}

/*
 * The kernel clears an object each time it is allocated (init_on_alloc), and a byte at a
 * time where `rep stosb` is slow, but for those of a cache that has a constructor: that takes
 * more instructions than member_add() itself has.
 */
static void member_construct(void *member)
{
}

int task_init(void)
{
	int ret;

	for_each_kernel_tracepoint(find_fork, NULL);
	if (!fork_tracepoint) {
		pr_err("this kernel has no tracepoint sched_process_fork\n");
		return -ENOENT;
	}
	member_cache =
		kmem_cache_create("xckpt_member", sizeof(struct member), 0, 0, member_construct);
	if (!member_cache)
		return -ENOMEM;
	ret = tracepoint_probe_register(fork_tracepoint, newborn, NULL);
	if (ret)
		kmem_cache_destroy(member_cache);
	return ret;
}

void task_exit(void)
{
	tracepoint_probe_unregister(fork_tracepoint, newborn, NULL);
	tracepoint_synchronize_unregister();
	kmem_cache_destroy(member_cache);
}
