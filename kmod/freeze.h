/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef XCKPT_FREEZE_H
#define XCKPT_FREEZE_H

#include "group.h"
#include "task.h"

/* Make @member's thread park; called once it is in the hash and in its group's list. */
void freeze_post(struct member *member, bool newborn);

int group_freeze(struct group *group, struct xckpt_freeze *arg, struct refusal *refusal);
void group_thaw(struct group *group, unsigned int flags);

/* Wait until no thread runs this module's code any more. */
void freeze_exit(void);

#endif
