/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a file what it was at the checkpoint? */
#ifndef MAPPED_H
#define MAPPED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "plan.h"

/* Who copies files may keep whole seconds only. */
bool is_same_time(const struct stat *st, int64_t ns);

/* plan_host.look_at of this machine */
enum mapped_state mapped_look_at(const char *path, const struct xckpt_vma *vma, int *error);
/* plan_host.find_place as well */
bool mapped_find_place(const char *path, const struct open_file *f, uint64_t *pos);

#endif
