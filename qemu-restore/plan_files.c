// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Descriptors. The launcher opens each description once, into a slot, and puts
 * it at all its numbers: under QEMU the program's descriptors are the engine's.
 */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#define X86_O_ACCMODE 3u
#define X86_O_RDONLY 0u
#define X86_O_WRONLY 1u
#define X86_O_PATH 010000000u
#define X86_F_SETFD 2
#define X86_FD_CLOEXEC 1

/* What becomes of an open file description of the image. */
struct description {
	const struct open_file *file;
	int pid, fd; /* its first descriptor */
	int slot; /* -1: none */
	bool is_own; /* qemu-resume's own descriptors stand for it; */
	int own; /* this one, where it was not itself at 0, 1 or 2 */
};

struct files {
	struct plan *plan;
	struct description *all; /* as img->files */
	int own_slot[3]; /* of qemu-resume's own descriptors */
};

static struct description *description_of(const struct files *files, const struct open_file *f)
{
	return &files->all[f - files->plan->img->files];
}

/* PATH of --fd N=PATH: for what is at N in the first process that has something there. */
static const char *override_of(const struct files *files, const struct description *d)
{
	const struct plan_host *host = files->plan->host;
	const struct image *img = files->plan->img;
	size_t n, i, j;

	for (n = 0; n < host->nr_override; n++) {
		const struct open_file *found = NULL;

		for (i = 0; host->override[n] && i < img->nr_processes && !found; i++)
			for (j = 0; j < img->processes[i].nr_fds; j++)
				if ((size_t)img->processes[i].fds[j].fd == n)
					found = img->processes[i].fds[j].file;
		if (found == d->file)
			return host->override[n];
	}
	return NULL;
}

/* Things that live outside the image and that qemu-resume's own descriptors stand for. */
static bool is_outside(const struct open_file *f)
{
	return f->kind == FILE_TTY || (f->kind == FILE_PIPE && !f->inside);
}

static bool is_same_terminal(const struct open_file *f, const struct open_file *g)
{
	return f->kind == FILE_TTY && g->kind == FILE_TTY && f->rdev && f->rdev == g->rdev;
}

/*
 * Which of qemu-resume's own descriptors takes the place of @f: one that @f was,
 * rather a terminal if it was one; else that of the same terminal. -1: none.
 */
static int own_descriptor(const struct plan *plan, const struct open_file *f)
{
	const bool *tty = plan->host->tty;
	int found = -1;
	size_t i, j;

	for (i = 0; i < plan->img->nr_processes; i++) {
		const struct image_process *p = &plan->img->processes[i];

		for (j = 0; j < p->nr_fds && p->fds[j].fd < 3; j++) {
			int fd = p->fds[j].fd;

			if (p->fds[j].file != f && !is_same_terminal(p->fds[j].file, f))
				continue;
			if (found < 0 || (f->kind == FILE_TTY && !tty[found] && tty[fd]))
				found = fd;
		}
	}
	return found;
}

static enum open_check check_of(const struct open_file *f)
{
	switch (f->kind) {
	case FILE_REGULAR:
		return CHECK_REGULAR;
	case FILE_DIRECTORY:
		return CHECK_DIRECTORY;
	case FILE_DEVICE:
		return CHECK_DEVICE;
	default:
		return CHECK_NOTHING;
	}
}

static void plan_open(struct plan *plan, struct description *d, const char *path)
{
	const struct open_file *f = d->file;
	struct plan_op *op = plan_add_shared(plan, OP_OPEN, 0);

	d->slot = (int)plan->nr_slots++;
	op->arg[0] = d->slot;
	op->value = d->pid;
	op->path = path ? path : f->path;
	op->arg[1] = path ? f->flags & X86_O_ACCMODE : f->flags;
	if (path) {
		op->arg[3] = CHECK_CREATE;
	} else {
		op->arg[2] = f->kind == FILE_REGULAR || f->kind == FILE_DIRECTORY ? f->pos : 0;
		op->arg[3] = check_of(f);
		op->arg[5] = f->rdev;
	}
}

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

/* A further description of what there is one of in @slot. */
static void reopen(struct plan *plan, struct description *d, int slot)
{
	struct plan_op *op = plan_add_shared(plan, OP_REOPEN, 0);

	d->slot = (int)plan->nr_slots++;
	op->arg[0] = d->slot;
	op->arg[1] = slot;
	op->arg[2] = d->file->flags;
	op->arg[3] = is_pipe(d->file) ? 0 : d->file->pos;
	op->object = d->file->path;
}

/* A file without a name: its contents are in memory that is shared, or it has none. */
static void plan_nameless(struct files *files, struct description *d)
{
	const struct segment *s = image_whole_mapping(files->plan->img, d->file);
	struct plan *plan = files->plan;
	const struct description *other;
	struct plan_op *op;

	if (s) {
		reopen(plan, d, plan_object_slot(plan, s));
		return;
	}
	for (other = files->all; other < d; other++)
		if (other->slot >= 0 && other->file->deleted && other->file->dev == d->file->dev &&
		    other->file->ino == d->file->ino) {
			reopen(plan, d, other->slot);
			return;
		}
	op = plan_add_shared(plan, OP_MEMORY, 0);
	op->arg[0] = plan->nr_slots++;
	op->object = d->file->path;
	reopen(plan, d, (int)plan->nr_slots - 1);
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

static void plan_fill(struct plan *plan, const struct pipe_state *state, int slot)
{
	struct plan_op *op;

	if (!state->full)
		return;
	op = plan_add_shared(plan, OP_FILL, 0);
	op->arg[0] = slot;
	op->arg[1] = state->full->data_size;
	op->path = state->full->data;
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
	op->path = first->file->path;
	op->value = first->pid;
	plan_fill(plan, &state, slot);
	for (d = first; d < end; d++)
		if (is_of_pipe(first, d))
			reopen(plan, d, slot);
}

/*
 * A pipe, @first being the first of its descriptions: its ends are those of the first
 * ones for reading and for writing. An end that nobody has is closed when the
 * program starts: the other then has an end of file, or is broken.
 */
static void plan_pipe(struct files *files, struct description *first)
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
	op->object = first->file->path;
	plan_fill(plan, &state, slot + 1);
	if (r)
		r->slot = slot;
	if (w)
		w->slot = slot + 1;
	for (d = first; d < end; d++)
		if (is_of_pipe(first, d))
			reopen(plan, d, is_end(d, X86_O_WRONLY) ? slot + 1 : slot);
}

static void plan_description(struct files *files, struct description *d)
{
	const char *path = override_of(files, d);
	struct plan *plan = files->plan;
	const struct open_file *f = d->file;

	if (path) {
		plan_open(plan, d, path);
	} else if (is_outside(f)) {
		d->own = own_descriptor(plan, f);
		if (d->own == 0 && plan->host->stdin_taken)
			plan_open(plan, d, "/dev/null");
		else if (d->own >= 0)
			d->is_own = true;
		else if (f->kind == FILE_TTY && !strcmp(f->path, "/dev/tty"))
			plan_open(plan, d, NULL);
		else
			plan_issue(
				plan, false,
				"cannot resume pid %d: fd %d is %s, which leads out of the image "
				"(give a file in its place with --fd %d=PATH)",
				d->pid, d->fd, f->path, d->fd);
	} else if (is_pipe(f)) {
		if (d->slot >= 0)
			return; /* made with the first of its descriptions */
		if (has_name(f))
			plan_fifo(files, d);
		else
			plan_pipe(files, d);
	} else if (f->kind == FILE_REGULAR && f->deleted) {
		plan_nameless(files, d);
	} else {
		plan_open(plan, d, NULL);
	}
}

static int own_slot(struct files *files, const struct description *d, int number)
{
	struct plan_op *op;

	if (files->own_slot[number] < 0) {
		files->own_slot[number] = (int)files->plan->nr_slots++;
		op = plan_add_shared(files->plan, OP_OWN, 0);
		op->arg[0] = files->own_slot[number];
		op->arg[1] = number;
		op->value = d->pid;
		op->object = d->file->path;
	}
	return files->own_slot[number];
}

static void place(struct files *files, struct process_plan *plan, const struct process_fd *fd)
{
	const struct description *d = description_of(files, fd->file);
	int slot = d->slot;
	struct plan_op *op;

	if (d->is_own)
		slot = own_slot(files, d, fd->fd < 3 ? fd->fd : d->own);
	if (slot < 0)
		return; /* refused */
	op = plan_add(plan, OP_PLACE, 0);
	op->arg[0] = slot;
	/* the engine's own messages must not go to the program's file */
	op->arg[1] = fd->fd == 2 ? plan->fds.park2 : fd->fd;
}

static void find_descriptions(struct files *files)
{
	const struct image *img = files->plan->img;
	size_t i, j;

	files->all = plan_must(calloc(img->nr_files + 1, sizeof(*files->all)));
	for (i = 0; i < img->nr_files; i++)
		files->all[i] =
			(struct description){ .file = &img->files[i], .fd = -1, .slot = -1 };
	for (i = 0; i < img->nr_processes; i++) {
		const struct image_process *p = &img->processes[i];

		for (j = 0; j < p->nr_fds; j++) {
			struct description *d = description_of(files, p->fds[j].file);

			if (d->fd >= 0)
				continue;
			d->fd = p->fds[j].fd;
			d->pid = p->info.pid;
		}
	}
}

void plan_files(struct plan *plan)
{
	struct files files = { .plan = plan, .own_slot = { -1, -1, -1 } };
	const struct image *img = plan->img;
	size_t i, j;

	find_descriptions(&files);
	for (i = 0; i < img->nr_files; i++)
		if (files.all[i].fd >= 0)
			plan_description(&files, &files.all[i]);
	for (i = 0; i < img->nr_processes; i++)
		for (j = 0; j < img->processes[i].nr_fds; j++)
			place(&files, &plan->processes[i], &img->processes[i].fds[j]);
	free(files.all);
}

void plan_descriptor_flags(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	bool have[3] = { false, false, false };
	int tid = p->info.pid;
	size_t i;
	int fd;

	for (i = 0; i < p->nr_fds; i++)
		if (p->fds[i].fd < 3)
			have[p->fds[i].fd] = true;
	if (have[2]) {
		plan_syscall(plan, tid, NR_DUP2, plan->fds.park2, 2, 0, 0);
		plan_syscall(plan, tid, NR_CLOSE, plan->fds.park2, 0, 0, 0);
	}
	/* while the engine starts, 0, 1 and 2 are always open */
	for (fd = 0; fd < 3; fd++)
		if (!have[fd])
			plan_syscall(plan, tid, NR_CLOSE, fd, 0, 0, 0);
	if (plan->vfork_fd >= 0)
		plan_syscall(plan, tid, NR_FCNTL, plan->vfork_fd, X86_F_SETFD, X86_FD_CLOEXEC, 0);
	for (i = 0; i < p->nr_fds; i++)
		if (p->fds[i].cloexec)
			plan_syscall(plan, tid, NR_FCNTL, p->fds[i].fd, X86_F_SETFD, X86_FD_CLOEXEC,
				     0);
}
