/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan as the restorer reads it: its file, and the ELF that starts it. */
#ifndef PACK_H
#define PACK_H

#include "plan.h"

/* Both return a memfd, or -1 after one line on stderr. */
int pack_restorer(struct plan *plan);
int pack_restart_elf(const struct plan *plan);

/* The plan's operation that a message of the restorer is about, or NULL. */
const struct plan_op *pack_operation(const struct plan *plan, uint32_t index);

#endif
