/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the files that plan how memory comes to be: one mapping, and what is done for it. */
#ifndef PLAN_MEMORY_H
#define PLAN_MEMORY_H

#include "plan.h"

/* Where a mapping's contents come from. */
enum how {
	EAGER, /* copied */
	LAZY, /* mapped from the core */
	OBJECT, /* shared memory, which the launcher has made */
	THE_FILE,
	ATTACHED, /* System V's: it is there already */
	PATCHED, /* the vDSO */
	NOWHERE,
	RING, /* io_uring's, mapped before all else */
};

struct mapping {
	struct process_plan *plan;
	const struct segment *s;
	enum how how;
	const char *name; /* for messages */
	int tid;
	uint64_t prot;
};

/* Memory of its own; nothing where @end is not behind @start. */
void mapping_anonymous(const struct mapping *m, uint64_t start, uint64_t end, uint64_t prot,
		       uint64_t sharing);
/* @len bytes at @offset of the restorer's descriptor @fd */
void mapping_read(const struct mapping *m, int fd, uint64_t addr, uint64_t len, uint64_t offset);
/* From @from to its end, where it has @now: what it is to have. */
void mapping_protect(const struct mapping *m, uint64_t from, uint64_t now);

/* plan_stack.c: flags of memory that grows downwards; room below a stack, above @floor */
uint64_t mapping_growth(const struct mapping *m);
void mapping_reserve_stack(const struct mapping *m, uint64_t floor);
/* plan_rings.c: all of them; the address space is empty */
void plan_map_rings(struct process_plan *plan);
void plan_map_vdso(const struct mapping *m); /* plan_vdso.c */

#endif
