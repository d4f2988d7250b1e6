/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan as the restorer reads it: its file, and the ELF that starts it. */
#ifndef PACK_H
#define PACK_H

#include "plan.h"

/* Both return a memfd, or -1 after one line on stderr. */
int pack_restorer(struct process_plan *plan);
/* Where the head of the restorer is: what is at that address proves that it is there. */
uint64_t pack_head(const struct process_plan *plan);
/* How many copiers (restorer/copy.c) it is to have, if it can. */
unsigned int pack_copiers(const struct process_plan *plan);
int pack_restart_elf(const struct process_plan *plan);

#endif
