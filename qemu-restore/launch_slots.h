/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What launch_files.c does by kind of operation. All return 0, or -1 after one line on stderr. */
#ifndef LAUNCH_SLOTS_H
#define LAUNCH_SLOTS_H

#include "launch.h"

/* Keep @fd, which stays the caller's, under a number that is in nobody's way. */
int slot_keep(struct slots *slots, const struct plan *plan, uint64_t slot, int fd);

/* open(2) with the program's root: a descriptor, or -1 with errno. */
int slot_open(const struct slots *slots, const char *path, int flags, mode_t mode);

/* What can be done against such an error of it: " (...)", or "". */
const char *slot_remedy(int error);

/* launch_trusted.c: the same as root, by no symbolic link but root's; @path is below @root. */
int trusted_open(int root, const char *path, int flags, mode_t mode);

/* launch_opened.c: of an OP_OPEN */
int opened_check(const struct plan_op *op, int fd, int pid);

/* launch_unpack.c: a packed file, in its place */
int contents_unpack(struct slots *slots, const struct plan *plan, const struct plan_op *op);

/* launch_contents.c: contents from the image */
#define CONTENTS_PIECE ((size_t)1 << 20) /* is read and written at once */
/* File @name of the image: a descriptor, or -1 after one line on stderr. */
int contents_open(const struct plan *plan, const char *name);
/* All @size bytes, holes as holes; -1 with errno. */
int contents_copy_sparse(int in, int out, uint64_t size);
int contents_memory(struct slots *slots, const struct plan *plan, const struct plan_op *op);
int contents_copy_core(const struct slots *slots, const struct plan *plan,
		       const struct plan_op *op);
int contents_copy_file(const struct slots *slots, const struct plan *plan,
		       const struct plan_op *op);
int contents_lost_directory(struct slots *slots, const struct plan *plan, const struct plan_op *op);
int contents_seal(const struct slots *slots, const struct plan_op *op);

/* launch_terminals.c: pseudo-terminals, in the launcher */
int terminal_make(struct slots *slots, const struct plan *plan, const struct plan_op *op);
/* and in a process that is being born */
int terminal_join(const struct slots *slots, const struct plan_op *op);

/* launch_rings.c: io_uring; one that is made is where it was */
int ring_make(struct slots *slots, const struct plan *plan, const struct plan_op *op);
int ring_fill(const struct slots *slots, const struct plan *plan, const struct plan_op *op);

/* launch_events.c: anonymous inodes and locks, in the launcher */
int event_make(struct slots *slots, const struct plan *plan, const struct plan_op *op);
int event_watch(const struct slots *slots, const struct plan_op *op);
int event_lock(const struct slots *slots, const struct plan_op *op);
/* and in a process, once its descriptors are in their places */
int event_place(const struct slots *slots, const struct plan_op *op);

#endif
