/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef XCKPT_SNAPSHOT_H
#define XCKPT_SNAPSHOT_H

#include "core.h"
#include "group.h"

struct snapshot {
	bool thin;
	unsigned int nr;
	struct core *cores[];
};

/*
 * Capture all of the frozen @group. An ERR_PTR on failure; with ETIMEDOUT or EINTR
 * the group may not be frozen any more, only held: thaw it when group->frozen is false.
 */
struct snapshot *snapshot_take(struct group *group, struct xckpt_snapshot *arg);
void snapshot_free(struct snapshot *snapshot);

/* The core of the process that the caller knows as @pid, or NULL. */
struct core *snapshot_find(struct snapshot *snapshot, pid_t pid);

#endif
