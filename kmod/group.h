/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data structures that all stages share.
 *
 * A group is what one FREEZE holds; a member is one of its threads. The session
 * owns one reference to the group; each member and each open core own another.
 * Every member has a task work queued on its thread or running there; that work
 * owns a reference to the member, and the group's list another.
 *
 * Locks, outer to inner:
 *   session.lock   one command at a time
 *   rcu            walks of the task list
 *   members_lock   the hash of all members (task.c), each group's list, states
 *                  and counts, and group.holding
 * members_lock is a leaf: nothing is called under it that takes another lock,
 * except waking a queue of the group.
 */
#ifndef XCKPT_GROUP_H
#define XCKPT_GROUP_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/task_work.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "xckpt.h"

enum member_state {
	MEMBER_PENDING, /* its work is queued and did not run yet */
	MEMBER_RETRY, /* its work came at a bad place: queue it again */
	MEMBER_PARKED,
	MEMBER_STOPPED, /* stopped or traced; the work is still queued */
	MEMBER_CGROUP, /* frozen by its cgroup; the work is still queued */
	MEMBER_VFORK, /* waits for a held vfork child; the work is still queued */
	MEMBER_ASLEEP, /* in a call that can be made again; the work is still queued */
	MEMBER_GONE, /* exiting or dead; no work is queued */
};

struct member {
	struct callback_head work;
	struct kref ref;
	struct hlist_node hash_node;
	struct list_head node;
	struct group *group;
	struct task_struct *task;
	enum member_state state;
	bool slept; /* it was asleep when its work was posted */
	bool soft; /* and may stay so */
	bool woken; /* for its work, like by a signal */
	bool traced; /* of one that was found stopped: its tracer may let it go on */
	bool native; /* it comes from 64-bit code; of one that has parked */
	bool cut; /* its call was cut short by us (transfer.c) */
	unsigned long switches; /* to and from it, when it was found resting */
	u64 parked_ns;
};

struct group {
	struct kref ref;
	struct list_head members;
	bool holding; /* members shall park */
	u32 session; /* the number of the one that holds it, for trace events */
	const struct file *session_file; /* it owns the group; to compare only */
	unsigned int nr_members;
	unsigned int nr_pending; /* of them PENDING or RETRY */
	unsigned int nr_retry;
	unsigned int nr_disturbed; /* parked or killed while the group was frozen */
	unsigned int nr_rounds; /* scans, since the beginning */
	bool stirred; /* look at the members again */
	bool frozen; /* all members are quiescent: captures are valid */
	unsigned int epoch; /* how often it came to be frozen */
	wait_queue_head_t arrived; /* the freezer waits: a member changed its state */

	enum xckpt_mode mode;
	unsigned int timeout_ms;
	enum xckpt_target target;
	struct pid *pid; /* of the first root, of the process group or session; or NULL */
	struct xarray roots; /* of trees: struct pid of each root's thread group */
	struct cgroup *cgroup;
	struct pid_namespace *ns; /* ids in an image are those of this one; set when frozen */

	struct xarray files; /* struct file -> id, ids from 1 (capture_files.c) */
	unsigned int nr_files;
};

struct group *group_alloc(void);
void group_put(struct group *group);
void member_put(struct member *member);

/* Drop the references that FILE notes took (capture_files.c). */
void files_forget(struct group *group);
/* Of them, those with more to them than their path can give back. */
unsigned int files_count_stateful(struct group *group);

static inline bool member_quiet(enum member_state state)
{
	return state != MEMBER_PENDING && state != MEMBER_RETRY;
}

/* Still without having parked: somebody else may make it move. */
static inline bool member_resting(enum member_state state)
{
	return state == MEMBER_STOPPED || state == MEMBER_CGROUP || state == MEMBER_VFORK ||
	       state == MEMBER_ASLEEP;
}

/* It has registers and memory that stand still. */
static inline bool member_held(enum member_state state)
{
	return state == MEMBER_PARKED || member_resting(state);
}

#endif
