/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef XCKPT_TASK_H
#define XCKPT_TASK_H

#include <linux/spinlock.h>

#include "group.h"

extern spinlock_t members_lock;

/* Outcome of looking at a task: an errno, and for the caller which task and why. */
struct refusal {
	enum xckpt_reason reason;
	pid_t pid; /* in current's pid namespace */
};

int refuse(struct refusal *refusal, int err, enum xckpt_reason reason, struct task_struct *task);

/*
 * What a walk of all processes has found out of those that have many ancestors: who comes
 * later has the same ones, and a chain of n processes takes no n² steps. Good within one RCU
 * section, in which no other process can get the address of one.
 */
#define ANCESTORS_MANY 32
static inline void *ancestors_known(struct xarray *seen, const struct task_struct *task)
{
	return xa_load(seen, (unsigned long)task->group_leader);
}

static inline void ancestors_keep(struct xarray *seen, const struct task_struct *process,
				  unsigned int steps, unsigned long what)
{
	if (steps >= ANCESTORS_MANY) /* without memory for it, it is found out again */
		xa_store(seen, (unsigned long)process->group_leader, xa_mk_value(what),
			 GFP_ATOMIC | __GFP_NOWARN);
}

/* target.c: is @process (a thread-group leader) part of what @group is about? Under RCU. */
bool task_in_target(struct group *group, struct task_struct *process, struct xarray *seen);

/* Find a new group's target and refuse what may never be frozen. */
int target_set(struct group *group, const struct xckpt_freeze *arg, struct refusal *refusal);
void target_find_ns(struct group *group); /* of the frozen group; sets group->ns */
void target_put(struct group *group);

/* Add every thread of the target that is no member yet; returns how many, or -errno. */
int task_scan(struct group *group, struct refusal *refusal);

/* May the caller look into each of the held tasks? */
int task_check_access(struct group *group, struct refusal *refusal);

/* What @task sees on a clock, less what the kernel has, in ns: its time namespace. */
s64 task_clock_offset(struct task_struct *task, clockid_t clock);

/* The member of @group that @task is, or NULL. Under members_lock. */
struct member *member_find(struct group *group, struct task_struct *task);

void members_forget(struct group *group);

/* From here to newborn_unwatch() every fork of a member makes the child a member. */
void newborn_watch(void);
void newborn_unwatch(void);

/* Counts newborns that no group could take; if it moved, a scan is not the last. */
int newborns_lost(void);

int task_init(void);
void task_exit(void);

#endif
