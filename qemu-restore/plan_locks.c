// SPDX-License-Identifier: GPL-2.0-or-later
/* Who gets signals about a file, and the locks and leases that are held on it. */
#include <stdlib.h>

#include "plan_files.h"

/* struct flock of x86-64 */
struct x86_flock {
	int16_t type, whence;
	int32_t pad;
	int64_t start, len;
	int32_t pid, pad2;
};

#define X86_F_SETFL 4
#define X86_F_SETLK 6
#define X86_F_SETSIG 10
#define X86_F_RDLCK 0
#define X86_F_WRLCK 1
#define X86_F_OWNER_TID 0
#define X86_F_OWNER_PGRP 2

/* Bytes, 0: up to the end. */
static uint64_t length_of(const struct file_lock *lock)
{
	return lock->end == UINT64_MAX ? 0 : lock->end - lock->start + 1;
}

static bool has_group(const struct image *img, int pgid)
{
	size_t i;

	for (i = 0; i < img->nr_processes; i++)
		if (img->processes[i].info.pgid == pgid)
			return true;
	return false;
}

static void plan_owner(struct files *files, const struct description *d)
{
	const struct open_file *f = d->file;
	struct plan_op *op;
	bool there = f->owner_type == X86_F_OWNER_PGRP
			     ? has_group(files->plan->img, f->owner)
			     : image_find_process(files->plan->img, f->owner) != NULL;

	if (!f->owner)
		return;
	if (!there && f->owner_type == X86_F_OWNER_TID) {
		plan_issue(
			files->plan, true,
			"cannot resume pid %d: signals about fd %d (%s) go to thread %d, which is "
			"no first thread (let the program call F_SETOWN again)",
			d->pid, d->fd, f->path, f->owner);
		return;
	}
	if (!there)
		plan_warning(files->plan,
			     "pid %d: signals about fd %d (%s) went to %d, which is not in the "
			     "image; they go to nobody",
			     d->pid, d->fd, f->path, f->owner);
	if (!there)
		return;
	op = plan_add(&files->plan->processes[d->process], OP_OWNER, 0);
	op->arg[0] = (uint64_t)d->slot;
	op->arg[1] = f->owner_type;
	op->arg[2] = (uint64_t)f->owner;
	op->object = f->path;
}

static void add_late(struct process_plan *p, struct late_fcntl late)
{
	p->late = plan_must(realloc(p->late, (p->nr_late + 1) * sizeof(*p->late)));
	p->late[p->nr_late++] = late;
}

/* A description of the file in @p that allows such a lock: its number there. */
static int lockable_fd(const struct image_process *p, const struct open_file *f, bool exclusive)
{
	size_t i;

	for (i = 0; i < p->nr_fds; i++) {
		const struct open_file *g = p->fds[i].file;
		uint32_t access = g->flags & X86_O_ACCMODE;

		if (g->dev == f->dev && g->ino == f->ino && !(g->flags & X86_O_PATH) &&
		    access != (exclusive ? X86_O_RDONLY : X86_O_WRONLY))
			return p->fds[i].fd;
	}
	return -1;
}

/*
 * Such a lock belongs to the process and is gone as soon as it closes any descriptor
 * of the file: so the program takes it itself, last.
 */
static void plan_posix_lock(struct files *files, const struct open_file *f,
			    const struct file_lock *lock)
{
	struct x86_flock flock = { .type = lock->exclusive ? X86_F_WRLCK : X86_F_RDLCK,
				   .start = (int64_t)lock->start,
				   .len = (int64_t)length_of(lock) };
	struct plan *plan = files->plan;
	size_t i;

	for (i = 0; i < plan->nr_processes; i++) {
		struct process_plan *p = &plan->processes[i];
		int fd;

		if (p->process->info.pid != lock->pid)
			continue;
		fd = lockable_fd(p->process, f, lock->exclusive);
		if (fd < 0) {
			plan_warning(plan,
				     "pid %d: its lock on %s is gone: it has no descriptor left "
				     "that such a lock can be taken with",
				     lock->pid, f->path);
			continue;
		}
		add_late(p, (struct late_fcntl){
				    .fd = fd,
				    .command = X86_F_SETLK,
				    .arg = buffer_add(&p->data, &flock, sizeof(flock), 8),
				    .is_data = true,
				    .path = f->path,
			    });
	}
}

/*
 * An engine may give signals other numbers than the program's, and a signal tells
 * the descriptor by which it was asked for: so the program asks itself.
 */
static void plan_signal(struct files *files, const struct description *d)
{
	if (d->file->flags & X86_O_ASYNC)
		add_late(&files->plan->processes[d->process],
			 (struct late_fcntl){ .fd = d->fd,
					      .command = X86_F_SETFL,
					      .arg = d->file->flags,
					      .path = d->file->path });
	if (d->file->owner_signal)
		add_late(&files->plan->processes[d->process],
			 (struct late_fcntl){ .fd = d->fd,
					      .command = X86_F_SETSIG,
					      .arg = d->file->owner_signal,
					      .path = d->file->path });
}

void plan_late_fcntls(struct process_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr_late; i++) {
		const struct late_fcntl *late = &plan->late[i];
		struct plan_op *op = plan_syscall(plan, plan->process->info.pid, NR_FCNTL,
						  (uint64_t)late->fd, late->command, late->arg, 0);

		op->refs = late->is_data ? 1 << 2 : 0;
		op->object = late->path;
	}
}

static void plan_lock(struct files *files, const struct description *d,
		      const struct file_lock *lock)
{
	struct plan_op *op;

	switch (lock->kind) {
	case LOCK_POSIX:
		plan_posix_lock(files, d->file, lock);
		return;
	case LOCK_FLOCK:
		op = plan_add_shared(files->plan, OP_FLOCK, 0);
		break;
	case LOCK_OFD:
		op = plan_add_shared(files->plan, OP_OFD_LOCK, 0);
		op->arg[2] = lock->start;
		op->arg[3] = length_of(lock);
		break;
	default:
		op = plan_add(&files->plan->processes[d->process], OP_LEASE, 0);
	}
	op->arg[0] = (uint64_t)d->slot;
	op->arg[1] = lock->exclusive;
	op->object = d->file->path;
}

void plan_locks(struct files *files)
{
	const struct image *img = files->plan->img;
	size_t i, j;

	for (i = 0; i < img->nr_files; i++) {
		const struct description *d = &files->all[i];

		if (d->is_own && (d->file->owner || d->file->nr_locks))
			plan_warning(
				files->plan,
				"pid %d: fd %d (%s) is qemu-resume's: it sends no signals, and "
				"locks on it are gone",
				d->pid, d->fd, d->file->path);
		if (d->fd < 0 || d->slot < 0 || d->replaced)
			continue;
		plan_owner(files, d);
		plan_signal(files, d);
		for (j = 0; j < img->files[i].nr_locks; j++)
			plan_lock(files, d, &img->files[i].locks[j]);
	}
}
