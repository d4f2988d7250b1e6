/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What load.c and load_copiers.c have in common: all of it lives in the loader. */
#ifndef LOAD_COPIERS_H
#define LOAD_COPIERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "pack.h"

/* A part of a core that is memory of the program. */
struct range {
	uint64_t offset, len, addr;
};

/* A process in the program's memory that copies: restorer/copy.c. */
struct copier {
	int socket; /* -1: there is none */
	atomic_flag busy;
};

struct target {
	pid_t pid;
	struct range *ranges; /* by offset */
	size_t nr;
	struct copier copiers[COPIERS_MAX];
	unsigned int nr_copiers;
};

/* In the loader. */
struct loading {
	const struct plan *plan;
	struct target *targets; /* as plan->processes */
	uint64_t bytes; /* of all ranges */
	uint64_t left; /* bytes that were not compared yet */
	_Atomic uint64_t done;
	atomic_bool impossible;
};

size_t load_find_range(const struct target *target, uint64_t offset);
/* All @len bytes; false at the end of it, or where that cannot be read. */
bool load_get(int fd, void *buf, size_t len);

/* Those that the restorer with this @head has; what cannot be had is done from here. */
void copiers_find(struct target *target, const struct record_head *head);
/* An image_hash_fn with struct loading as @ctx. */
int copiers_take(void *ctx, const struct image_process *p, uint64_t block, uint64_t *hash);
void copiers_leave(struct target *target);

#endif
