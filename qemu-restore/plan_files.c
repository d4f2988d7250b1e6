// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Descriptors. The launcher opens each description once, into a slot, and puts
 * it at all its numbers: under QEMU the program's descriptors are the engine's.
 */
#include <linux/major.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "plan_files.h"

#define X86_F_SETFD 2
#define X86_FD_CLOEXEC 1

static struct description *description_of(const struct files *files, const struct open_file *f)
{
	return &files->all[f - files->plan->img->files];
}

struct description *files_find(const struct files *files, uint32_t id)
{
	const struct image *img = files->plan->img;
	size_t low = 0, high = img->nr_files;

	while (high - low > 1) { /* ids ascend */
		size_t mid = low + (high - low) / 2;

		if (img->files[mid].id <= id)
			low = mid;
		else
			high = mid;
	}
	return &files->all[low];
}

/* PATH of --fd N=PATH: for what is at N in the first process that has something there. */
const char *files_override(const struct plan *plan, const struct open_file *f)
{
	const struct plan_host *host = plan->host;
	const struct image *img = plan->img;
	size_t n, i, j;

	for (n = 0; n < host->nr_override; n++) {
		const struct open_file *found = NULL;

		for (i = 0; host->override[n] && i < img->nr_processes && !found; i++)
			for (j = 0; j < img->processes[i].nr_fds; j++)
				if ((size_t)img->processes[i].fds[j].fd == n)
					found = img->processes[i].fds[j].file;
		if (found == f)
			return host->override[n];
	}
	return NULL;
}

/* Things that live outside the image and that qemu-resume's own descriptors stand for. */
static bool is_outside(const struct files *files, const struct open_file *f)
{
	return (f->kind == FILE_TTY && !has_master(files, f)) ||
	       (f->kind == FILE_PIPE && !f->inside);
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

/* What was packed has been compared already. */
static enum open_check check_of(const struct plan *plan, const struct open_file *f)
{
	if (f->flags & X86_O_PATH)
		return CHECK_NOTHING;
	switch (f->kind) {
	case FILE_REGULAR:
		return plan->host->allow_changed || plan_is_packed(plan, f->dev, f->ino)
			       ? CHECK_REGULAR
			       : CHECK_SAME;
	case FILE_DIRECTORY:
		return CHECK_DIRECTORY;
	case FILE_DEVICE:
		return CHECK_DEVICE;
	default:
		return CHECK_NOTHING;
	}
}

/* Where @d stands in what it has open. */
static uint64_t position_of(struct plan *plan, const struct description *d)
{
	const struct open_file *f = d->file;
	uint64_t pos = file_seeks(f) ? f->pos : 0;

	if (f->kind != FILE_DIRECTORY || !pos || f->flags & X86_O_PATH ||
	    plan->host->find_place(plan_path(plan, f->path), f, &pos))
		return pos;
	plan_issue(plan, true,
		   "cannot resume pid %d: fd %d has read a part of the directory %s, and %s: some "
		   "names would be missed, others told twice (resume it where that directory is)",
		   d->pid, d->fd, f->path,
		   f->place.names ? "the one that is here has its names in another order"
				  : "the image does not tell which, for the one that is here");
	return pos;
}

/* A character device whose driver may keep something for who has it open, as ioctl(2) set it. */
static bool has_driver_state(const struct open_file *f)
{
	/* not /dev/null, zero, full, random, urandom, kmsg */
	return f->kind == FILE_DEVICE && (f->mode & S_IFMT) == S_IFCHR &&
	       (f->rdev >> 8 & 0xfff) != MEM_MAJOR && !(f->flags & X86_O_PATH);
}

/* /proc/pressure, or memory.pressure of a cgroup: what is written there is when to tell. */
static bool is_pressure(const struct open_file *f)
{
	static const char end[] = ".pressure";
	size_t len = strlen(f->path);

	return f->kind == FILE_REGULAR && f->flags & X86_O_ACCMODE &&
	       (!strncmp(f->path, "/proc/pressure/", 15) ||
		(!strncmp(f->path, "/sys/fs/cgroup/", 15) && len >= sizeof(end) &&
		 !strcmp(f->path + len - (sizeof(end) - 1), end)));
}

static void tell_lost_settings(struct plan *plan, const struct description *d)
{
	if (has_driver_state(d->file))
		plan_warning(plan,
			     "pid %d: fd %d (%s) is opened anew: what its driver kept for the "
			     "program, as ioctl(2) sets it, is not in the image",
			     d->pid, d->fd, d->file->path);
	if (is_pressure(d->file))
		plan_warning(plan,
			     "pid %d: fd %d (%s) does not tell of pressure any more: what it was "
			     "to be told of is not in the image",
			     d->pid, d->fd, d->file->path);
}

/* What is read or written next has to be there; the position may be behind the end, too. */
static uint64_t size_needed(enum open_check check, uint64_t pos, const struct open_file *f)
{
	if (check == CHECK_SAME)
		return f->size;
	return check == CHECK_REGULAR ? (pos < f->size ? pos : f->size) : 0;
}

static void plan_open(struct plan *plan, struct description *d, const char *path)
{
	const struct open_file *f = d->file;
	struct plan_op *op = plan_add_shared(plan, OP_OPEN, 0);

	d->slot = (int)plan->nr_slots++;
	d->replaced = path;
	op->arg[0] = d->slot;
	op->value = d->pid;
	op->path = path ? path : plan_path(plan, f->path);
	op->arg[1] = path ? f->flags & X86_O_ACCMODE : f->flags;
	if (path) {
		op->arg[3] = CHECK_CREATE;
	} else {
		tell_lost_settings(plan, d);
		op->arg[2] = position_of(plan, d);
		op->arg[3] = check_of(plan, f);
		op->arg[4] = size_needed(op->arg[3], op->arg[2], f);
		op->arg[5] = op->arg[3] == CHECK_SAME ? (uint64_t)f->mtime_ns : f->rdev;
	}
}

/* One that a description of what is made anew is to have, too. */
static bool has_position(const struct open_file *f)
{
	return !is_pipe(f) && f->kind != FILE_TTY && f->kind != FILE_DIRECTORY;
}

void files_reopen(struct plan *plan, struct description *d, int slot)
{
	struct plan_op *op = plan_add_shared(plan, OP_REOPEN, 0);

	d->slot = (int)plan->nr_slots++;
	op->arg[0] = d->slot;
	op->arg[1] = slot;
	op->arg[2] = d->file->flags;
	op->arg[3] = has_position(d->file) ? d->file->pos : 0;
	op->object = d->file->path;
}

static void plan_description(struct files *files, struct description *d)
{
	struct plan *plan = files->plan;
	const struct open_file *f = d->file;
	const char *path = files_override(plan, f);

	if (path) {
		plan_open(plan, d, path);
	} else if (is_outside(files, f)) {
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
	} else if (d->slot >= 0) {
		return; /* made with the first of a pipe's descriptions, or a master */
	} else if (f->kind == FILE_TTY) {
		plan_slave(files, d);
	} else if (is_pipe(f)) {
		plan_pipe(files, d);
	} else if (is_nameless(f)) {
		plan_nameless(files, d);
	} else if (is_lost_directory(f)) {
		plan_lost_directory(files, d);
	} else if (f->kind == FILE_ANON_INODE) {
		plan_event(files, d);
	} else if (!is_of_process(plan->img, f)) {
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

	if (is_pidfd(fd->file) && d->slot < 0) {
		op = plan_add(plan, OP_PIDFD, 0);
		op->arg[0] = fd->fd == 2 ? plan->fds.park2 : fd->fd;
		op->arg[1] = fd->file->event.pid;
		op->arg[2] = fd->file->flags;
		return;
	}
	if (d->is_own)
		slot = own_slot(files, d, fd->fd < 3 ? fd->fd : d->own);
	if (slot < 0)
		return; /* refused, or the process opens it itself */
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
		files->all[i] = (struct description){
			.file = &img->files[i], .fd = -1, .slot = -1, .slave = -1
		};
	for (i = 0; i < img->nr_processes; i++) {
		const struct image_process *p = &img->processes[i];

		for (j = 0; j < p->nr_fds; j++) {
			struct description *d = description_of(files, p->fds[j].file);

			if (d->fd >= 0)
				continue;
			d->fd = p->fds[j].fd;
			d->pid = p->info.pid;
			d->process = (int)i;
		}
	}
}

void plan_files(struct plan *plan)
{
	struct files files = { .plan = plan, .own_slot = { -1, -1, -1 } };
	const struct image *img = plan->img;
	size_t i, j;

	find_descriptions(&files);
	plan_unpack(&files);
	plan_masters(&files);
	for (i = 0; i < img->nr_files; i++)
		if (files.all[i].fd >= 0)
			plan_description(&files, &files.all[i]);
	for (i = 0; i < img->nr_files; i++)
		if (files.all[i].fd < 0 && is_nameless(&img->files[i]))
			plan_unopened(plan, &img->files[i]);
	plan_modes(&files);
	for (i = 0; i < img->nr_processes; i++)
		for (j = 0; j < img->processes[i].nr_fds; j++)
			place(&files, &plan->processes[i], &img->processes[i].fds[j]);
	plan_entries(&files);
	plan_locks(&files);
	free(files.all);
}

/*
 * An engine may give signals other numbers than the program's, and has to know which of
 * its descriptors tell of signals: so the program sets them itself.
 */
static void plan_signalfds(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	size_t i;

	for (i = 0; i < p->nr_fds; i++) {
		const struct event_state *e = &p->fds[i].file->event;
		struct plan_op *op;

		if (p->fds[i].file->kind != FILE_ANON_INODE || e->kind != EVENT_SIGNALS)
			continue;
		op = plan_syscall(plan, p->info.pid, NR_SIGNALFD4, p->fds[i].fd,
				  buffer_add(&plan->data, &e->mask, sizeof(e->mask), 8),
				  sizeof(e->mask), 0);
		op->refs = 1 << 1;
		op->object = p->fds[i].file->path;
	}
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
	plan_signalfds(plan);
	plan_late_fcntls(plan);
}
