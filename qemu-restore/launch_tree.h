/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes, from their birth until each becomes the engine. */
#ifndef LAUNCH_TREE_H
#define LAUNCH_TREE_H

#include "launch.h"
#include "launch_exec.h"

/* What they all have from qemu-resume. */
struct nursery {
	const struct plan *plan;
	const struct slots *slots;
	const struct world *world;
	struct launch_files *files; /* one for each process of the plan */
	size_t *first_op; /* of each birth */
	int sockets; /* the first birth's; each has one, and behind those are our ends */
};

/*
 * Make all processes and bring each of them where the next word makes it the
 * engine. Returns 0, or -1 after one line on stderr; then tree_end() is due.
 */
int tree_make(struct launched *l, struct nursery *nursery);
/* Give a process the word to go on, WORD_*. */
int tree_word(const struct launched *l, unsigned int birth, char word);
/* Kill them and reap those that are our children. Namespaces stay. */
void tree_end(struct launched *l, const struct plan *plan);

/* A message of process @birth, waited for: 1; 0: it has ended; -1: the user does not want it. */
int tree_listen(struct launched *l, unsigned int birth, struct record_status *status);
/* The signal by which the user ended this, or 0. */
int tree_interrupted(void);

/* launch_birth.c: make the process of an OP_FORK; *@made is its pid, or that of who let it go. */
int birth_make(const struct nursery *nursery, const struct plan_op *op, pid_t *made);
/* Wait for a child's end; returns its status. */
int birth_reap(pid_t pid);

#endif
