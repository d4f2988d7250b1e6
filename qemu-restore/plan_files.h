/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that plan open files share; plan_files.c uses the others. */
#ifndef PLAN_FILES_H
#define PLAN_FILES_H

#include "plan.h"

/* What becomes of an open file description of the image. */
struct description {
	const struct open_file *file;
	int process, pid, fd; /* its first descriptor; fd -1: it has none */
	int slot; /* -1: none */
	bool replaced; /* by a file that the user names */
	bool is_own; /* qemu-resume's own descriptors stand for it; */
	int own; /* this one, where it was not itself at 0, 1 or 2 */
	int slave; /* of a master: slot of a slave that the launcher keeps, -1: none */
};

struct files {
	struct plan *plan;
	struct description *all; /* as img->files */
	int own_slot[3]; /* of qemu-resume's own descriptors */
};

/* The one with that id, which is there. */
struct description *files_find(const struct files *files, uint32_t id);
/* PATH of --fd N=PATH, or NULL. */
const char *files_override(const struct plan *plan, const struct open_file *f);
/* A further description of what there is one of in @slot. */
void files_reopen(struct plan *plan, struct description *d, int slot);

/* plan_pipes.c: a pipe or FIFO by its first description; all of them get slots. */
void plan_pipe(struct files *files, struct description *first);

/* plan_terminals.c: masters, first; then slaves; then what both have. */
void plan_masters(struct files *files);
bool has_master(const struct files *files, const struct open_file *slave);
void plan_slave(struct files *files, struct description *d);
void plan_modes(struct files *files);

/* plan_nameless.c: files without a name, and those that come with the image. */
void plan_nameless(struct files *files, struct description *d);
/* the same of what is only mapped: what no mapping shows of it */
void plan_unopened(struct plan *plan, const struct open_file *f);
void plan_unpack(struct files *files);
void plan_lost_directory(struct files *files, struct description *d);

/* plan_events.c: eventfd and the like; then, when all have slots, what epoll waits for. */
void plan_event(struct files *files, struct description *d);
/* plan_rings.c: what an OP_RING needs besides, and what its memory holds */
void plan_ring(struct plan *plan, const struct description *d, struct plan_op *op);
void plan_entries(struct files *files);
bool is_pidfd(const struct open_file *f);

/* plan_locks.c: who gets signals about a file; locks and leases on it. */
void plan_locks(struct files *files);

#endif
