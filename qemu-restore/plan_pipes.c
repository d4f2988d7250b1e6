// SPDX-License-Identifier: GPL-2.0-or-later
/* Pipes and FIFOs: made once, filled, opened once more for each further description. */
#include "plan_files.h"

static bool is_end(const struct description *d, uint32_t access)
{
	return !(d->file->flags & X86_O_PATH) && (d->file->flags & X86_O_ACCMODE) == access;
}

static bool is_same_pipe(const struct open_file *f, const struct open_file *g)
{
	return is_pipe(g) && g->dev == f->dev && g->ino == f->ino;
}

/* Of the pipe of @first, in use, and not replaced by a file of the user's. */
static bool is_of_pipe(const struct description *first, const struct description *d)
{
	return d->fd >= 0 && d->slot < 0 && is_same_pipe(first->file, d->file);
}

/* One that has a name is opened once for its contents, and then for each description. */
static bool has_name(const struct open_file *f)
{
	return f->kind == FILE_FIFO && !f->deleted;
}

/* What a pipe holds, and how much it may. */
struct pipe_state {
	const struct open_file *full; /* NULL: it is empty */
	uint32_t capacity;
};

static struct pipe_state state_of(const struct files *files, const struct description *first)
{
	const struct description *end = files->all + files->plan->img->nr_files, *d;
	struct pipe_state state = { 0 };

	for (d = first; d < end; d++) {
		if (!is_same_pipe(first->file, d->file))
			continue;
		if (d->file->data && d->file->data_size)
			state.full = d->file;
		if (d->file->capacity)
			state.capacity = d->file->capacity;
	}
	return state;
}

static struct plan_op *plan_write(struct plan *plan, const struct open_file *full, int slot,
				  uint64_t bytes)
{
	struct plan_op *op = plan_add_shared(plan, OP_FILL, 0);

	op->arg[0] = slot;
	op->arg[1] = bytes;
	op->path = full->data;
	return op;
}

static void plan_fill(struct plan *plan, const struct pipe_state *state, int slot)
{
	const struct open_file *full = state->full;
	uint64_t at = 0;
	size_t i;

	if (full && !full->nr_packets)
		plan_write(plan, full, slot, full->data_size);
	for (i = 0; full && i < full->nr_packets; i++) {
		struct plan_op *op = plan_write(plan, full, slot, full->packets[i]);

		op->arg[2] = at;
		op->arg[3] = true;
		at += full->packets[i];
	}
}

static void plan_fifo(struct files *files, struct description *first)
{
	struct pipe_state state = state_of(files, first);
	struct plan *plan = files->plan;
	struct description *end = files->all + plan->img->nr_files, *d;
	struct plan_op *op = plan_add_shared(plan, OP_FIFO, 0);
	int slot = (int)plan->nr_slots++;

	op->arg[0] = slot;
	op->arg[1] = state.capacity;
	op->path = plan_path(plan, first->file->path);
	op->value = first->pid;
	plan_fill(plan, &state, slot);
	for (d = first; d < end; d++)
		if (is_of_pipe(first, d))
			files_reopen(plan, d, slot);
}

/*
 * A pipe, @first being the first of its descriptions: its ends are those of the first
 * ones for reading and for writing. An end that nobody has is closed when the
 * program starts: the other then has an end of file, or is broken.
 */
static void plan_unnamed(struct files *files, struct description *first)
{
	struct pipe_state state = state_of(files, first);
	struct plan *plan = files->plan;
	struct description *end = files->all + plan->img->nr_files, *d, *r = NULL, *w = NULL;
	int slot = (int)plan->nr_slots;
	struct plan_op *op = plan_add_shared(plan, OP_PIPE, 0);

	plan->nr_slots += 2;
	for (d = first; d < end; d++) {
		if (!is_of_pipe(first, d))
			continue;
		if (!r && is_end(d, X86_O_RDONLY))
			r = d;
		else if (!w && is_end(d, X86_O_WRONLY))
			w = d;
	}
	op->arg[0] = slot;
	op->arg[1] = slot + 1;
	op->arg[2] = state.capacity;
	op->arg[3] = r ? r->file->flags : 0;
	op->arg[4] = w ? w->file->flags : 0;
	op->arg[5] = (uint64_t)first->file->gid << 32 | first->file->uid;
	op->object = first->file->path;
	plan_fill(plan, &state, slot + 1);
	if (r)
		r->slot = slot;
	if (w)
		w->slot = slot + 1;
	for (d = first; d < end; d++)
		if (is_of_pipe(first, d))
			files_reopen(plan, d, is_end(d, X86_O_WRONLY) ? slot + 1 : slot);
}

void plan_pipe(struct files *files, struct description *first)
{
	if (has_name(first->file))
		plan_fifo(files, first);
	else
		plan_unnamed(files, first);
}
