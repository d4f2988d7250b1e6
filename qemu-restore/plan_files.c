// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Descriptors. The launcher opens each description once, into a slot, and puts
 * it at all its numbers: under QEMU the program's descriptors are the engine's.
 */
#include <string.h>

#include "plan.h"

#define X86_O_ACCMODE 3u
#define X86_O_WRONLY 1u
#define X86_F_SETFD 2
#define X86_FD_CLOEXEC 1

static const char *override_of(const struct plan *plan, const struct open_file *f)
{
	const struct image_process *p = plan->process;
	size_t i;

	for (i = 0; i < p->nr_fds; i++)
		if (p->fds[i].file == f && (size_t)p->fds[i].fd < plan->host->nr_override &&
		    plan->host->override[p->fds[i].fd])
			return plan->host->override[p->fds[i].fd];
	return NULL;
}

static int first_fd(const struct plan *plan, const struct open_file *f)
{
	const struct image_process *p = plan->process;
	size_t i;

	for (i = 0; i < p->nr_fds; i++)
		if (p->fds[i].file == f)
			return p->fds[i].fd;
	return -1;
}

/* Things that live outside the image and that qemu-resume's own descriptors stand for. */
static bool is_outside(const struct open_file *f)
{
	return f->kind == FILE_TTY || (f->kind == FILE_PIPE && !f->inside);
}

/*
 * Which of qemu-resume's own descriptors takes the place of @f: one that @f was,
 * rather a terminal if it was one; else that of the same terminal. -1: none.
 */
static int own_descriptor(const struct plan *plan, const struct open_file *f)
{
	const struct image_process *p = plan->process;
	int found = -1;
	size_t i;

	for (i = 0; i < p->nr_fds && p->fds[i].fd < 3; i++) {
		const struct open_file *g = p->fds[i].file;
		bool same = g == f || (g->kind == FILE_TTY && f->kind == FILE_TTY && f->rdev &&
				       g->rdev == f->rdev);

		if (!same)
			continue;
		if (found < 0 || (f->kind == FILE_TTY && !plan->host->tty[found] &&
				  plan->host->tty[p->fds[i].fd]))
			found = p->fds[i].fd;
	}
	return found;
}

static void place(struct plan *plan, unsigned int slot, int fd)
{
	struct plan_op *op = plan_add(plan, OP_PLACE, 0);

	op->arg[0] = slot;
	/* the engine's own messages must not go to the program's file */
	op->arg[1] = fd == 2 ? plan->fds.park2 : fd;
}

static void place_all(struct plan *plan, unsigned int slot, const struct open_file *f)
{
	const struct image_process *p = plan->process;
	size_t i;

	for (i = 0; i < p->nr_fds; i++)
		if (p->fds[i].file == f)
			place(plan, slot, p->fds[i].fd);
}

static void plan_own(struct plan *plan, const struct open_file *f, int own)
{
	const struct image_process *p = plan->process;
	size_t i;

	for (i = 0; i < p->nr_fds; i++) {
		struct plan_op *op;

		if (p->fds[i].file != f)
			continue;
		op = plan_add(plan, OP_OWN, 0);
		op->arg[0] = plan->nr_slots;
		op->arg[1] = p->fds[i].fd < 3 ? p->fds[i].fd : own;
		op->object = f->path;
		place(plan, plan->nr_slots++, p->fds[i].fd);
	}
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

static void plan_open(struct plan *plan, const struct open_file *f, const char *path)
{
	struct plan_op *op = plan_add(plan, OP_OPEN, 0);

	op->arg[0] = plan->nr_slots;
	op->path = path ? path : f->path;
	op->arg[1] = path ? f->flags & X86_O_ACCMODE : f->flags;
	if (path) {
		op->arg[3] = CHECK_CREATE;
	} else {
		op->arg[2] = f->kind == FILE_REGULAR || f->kind == FILE_DIRECTORY ? f->pos : 0;
		op->arg[3] = check_of(f);
		op->arg[5] = f->rdev;
	}
	place_all(plan, plan->nr_slots++, f);
}

/* The other end of a pipe that is inside; what comes second was made with the first. */
static const struct open_file *other_end(const struct plan *plan, const struct open_file *f)
{
	const struct image *img = plan->img;
	bool writes = (f->flags & X86_O_ACCMODE) == X86_O_WRONLY;
	size_t i;

	for (i = 0; i < img->nr_files; i++) {
		const struct open_file *g = &img->files[i];

		if (g != f && g->kind == FILE_PIPE && g->dev == f->dev && g->ino == f->ino &&
		    ((g->flags & X86_O_ACCMODE) == X86_O_WRONLY) != writes &&
		    first_fd(plan, g) >= 0)
			return g;
	}
	return NULL;
}

static void plan_pipe(struct plan *plan, const struct open_file *f)
{
	const struct open_file *w, *r, *peer = other_end(plan, f);
	struct plan_op *op;

	if (!peer) {
		plan_issue(plan, false,
			   "cannot resume pid %d: fd %d: %s is a pipe without its other end "
			   "(give a file in its place with --fd %d=PATH)",
			   plan->process->info.pid, first_fd(plan, f), f->path, first_fd(plan, f));
		return;
	}
	if (first_fd(plan, peer) < first_fd(plan, f))
		return;
	w = (f->flags & X86_O_ACCMODE) == X86_O_WRONLY ? f : peer;
	r = w == f ? peer : f;
	op = plan_add(plan, OP_PIPE, 0);
	op->arg[0] = plan->nr_slots++;
	op->arg[1] = plan->nr_slots++;
	op->arg[2] = r->capacity ? r->capacity : w->capacity;
	op->arg[3] = r->flags;
	op->arg[4] = w->flags;
	op->object = r->path;
	if ((r->data && r->data_size) || (w->data && w->data_size)) {
		struct plan_op *fill = plan_add(plan, OP_FILL, 0);

		op = fill - 1;
		fill->arg[0] = op->arg[1];
		fill->arg[1] = r->data_size ? r->data_size : w->data_size;
		fill->path = r->data_size ? r->data : w->data;
	}
	place_all(plan, op->arg[0], r);
	place_all(plan, op->arg[1], w);
}

static void plan_file(struct plan *plan, const struct open_file *f)
{
	const char *path = override_of(plan, f);
	int fd = first_fd(plan, f), own;

	if (path) {
		plan_open(plan, f, path);
	} else if (is_outside(f)) {
		own = own_descriptor(plan, f);
		if (own == 0 && plan->host->stdin_taken)
			plan_open(plan, f, "/dev/null");
		else if (own >= 0)
			plan_own(plan, f, own);
		else if (f->kind == FILE_TTY && !strcmp(f->path, "/dev/tty"))
			plan_open(plan, f, NULL);
		else
			plan_issue(
				plan, false,
				"cannot resume pid %d: fd %d is %s, which leads out of the image "
				"(give a file in its place with --fd %d=PATH)",
				plan->process->info.pid, fd, f->path, fd);
	} else if (f->kind == FILE_PIPE) {
		plan_pipe(plan, f);
	} else {
		plan_open(plan, f, NULL);
	}
}

void plan_files(struct plan *plan)
{
	const struct image_process *p = plan->process;
	size_t i;

	for (i = 0; i < p->nr_fds; i++)
		if (first_fd(plan, p->fds[i].file) == p->fds[i].fd)
			plan_file(plan, p->fds[i].file);
}

void plan_descriptor_flags(struct plan *plan)
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
	for (i = 0; i < p->nr_fds; i++)
		if (p->fds[i].cloexec)
			plan_syscall(plan, tid, NR_FCNTL, p->fds[i].fd, X86_F_SETFD, X86_FD_CLOEXEC,
				     0);
}
