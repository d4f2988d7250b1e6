/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef XCKPT_LIST_H
#define XCKPT_LIST_H

#include "group.h"

/* Fill @arg and the array it points to with the tasks of the frozen @group. */
int group_list(struct group *group, struct xckpt_tasks *arg);

#endif
