/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef XCKPT_FREEZE_H
#define XCKPT_FREEZE_H

#include "group.h"
#include "task.h"

int group_freeze(struct group *group, struct xckpt_freeze *arg, struct refusal *refusal);
int group_refreeze(struct group *group, enum xckpt_mode mode, struct refusal *refusal);
/* thaw.c; @flags: XCKPT_THAW_* */
void group_thaw(struct group *group, unsigned int flags);

/*
 * settle.c: recognize the members that are still without having parked. When all are, and
 * @all are known, the group is frozen from that moment on.
 */
bool group_settle(struct group *group, bool all);
/* How many threads moved since the group was found frozen. */
unsigned int group_disturbed(struct group *group);

/* The pid, in @ns, of the member that @task waits for in vfork(); 0: of none. */
pid_t freeze_vfork_child(struct group *group, struct task_struct *task, struct pid_namespace *ns);

bool task_asleep(struct task_struct *task);
bool task_stopped(struct task_struct *task);
/* Is @task asleep, and may it stay so while it is captured? */
bool freeze_may_sleep(struct group *group, struct task_struct *task);

/*
 * park.c: make @member's thread park, once it is in the hash and in its group's
 * list; at once, or when it next comes by. park_again(): those that were
 * MEMBER_RETRY or may not rest any more. park_cancel(): the group is thawed.
 */
void park_post(struct member *member, bool wake);
void park_again(struct member *member);
void park_cancel(struct member *member);
/* Is such a work queued for the current thread? */
bool park_is_posted(void);
void member_set_state(struct member *member, enum member_state state);

/* Wait until no thread runs this module's code any more. */
void park_exit(void);

#endif
