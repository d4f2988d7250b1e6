// SPDX-License-Identifier: GPL-2.0-or-later
/* Locks and leases of the group's files, as fdinfo shows them; proc(5). */
#include "dump.h"
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_kind(const char *name, enum lock_kind *kind)
{
	static const char *const names[] = {
		[LOCK_FLOCK] = "FLOCK",
		[LOCK_POSIX] = "POSIX",
		[LOCK_OFD] = "OFDLCK",
		[LOCK_LEASE] = "LEASE",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0) {
			*kind = (enum lock_kind)i;
			return true;
		}
	return false;
}

/*
 * lock:	1: POSIX  ADVISORY  WRITE 1234 fe:01:123456 0 EOF
 * False: no lock, or one that nobody can take anew (a lease that is being broken,
 * a delegation of a file server).
 */
static bool parse_lock(const char *line, struct file_lock *lock, int *pid)
{
	char kind[16], how[16], type[16], end[32];

	if (sscanf(line, "lock: %*d: %15s %15s %15s %d %*s %" SCNu64 " %31s", kind, how, type, pid,
		   &lock->start, end) != 6 ||
	    !parse_kind(kind, &lock->kind))
		return false;
	if (lock->kind == LOCK_LEASE && strcmp(how, "ACTIVE") != 0)
		return false;
	lock->exclusive = strcmp(type, "WRITE") == 0;
	lock->end = strcmp(end, "EOF") == 0 ? UINT64_MAX : strtoull(end, NULL, 10);
	return true;
}

static bool is_known(const struct open_file *f, const struct file_lock *lock)
{
	for (size_t i = 0; i < f->nr_locks; i++)
		if (f->locks[i].kind == lock->kind && f->locks[i].pid == lock->pid &&
		    f->locks[i].start == lock->start && f->locks[i].end == lock->end)
			return true;
	return false;
}

static int add_lock(struct dump *d, struct open_file *f, const struct file_lock *lock)
{
	if (is_known(f, lock))
		return 0; /* seen through another descriptor */
	f->locks = arena_grow(&d->priv.arena, f->locks, f->nr_locks, sizeof(*lock));
	if (!f->locks)
		return -1;
	f->locks[f->nr_locks++] = *lock;
	return 0;
}

/* Any description of a process shows all of its POSIX locks on the file: one will do. */
static bool is_locked_already(const struct dump *d, const struct open_file *f,
			      const struct file_lock *lock)
{
	for (const struct open_file *g = d->img.files; g < f; g++)
		if (g->nr_locks && g->dev == f->dev && g->ino == f->ino && is_known(g, lock))
			return true;
	return false;
}

static int read_locks(struct dump *d, const struct holder *h, struct open_file *f)
{
	FILE *info = holder_info(h);
	char *line = NULL;
	size_t room = 0;
	int ret = 0;

	if (!info)
		return fail("cannot tell the locks of %s in pid %d: %s", f->path,
			    h->process->info.pid, strerror(errno));
	while (!ret && getline(&line, &room, info) > 0) {
		struct file_lock lock = { 0 };
		int pid;

		if (!parse_lock(line, &lock, &pid))
			continue;
		if (lock.kind == LOCK_POSIX) {
			/* of whoever took it through a description that both have */
			if (pid != h->process->outer_pid)
				continue;
			lock.pid = h->process->info.pid;
			if (is_locked_already(d, f, &lock))
				continue;
		}
		ret = add_lock(d, f, &lock);
	}
	free(line);
	fclose(info);
	return ret;
}

/* Of each process: its own locks are nobody else's. */
int capture_locks(struct dump *d)
{
	for (size_t i = 0; i < d->img.nr_processes; i++) {
		const struct image_process *p = &d->img.processes[i];

		for (size_t j = 0; j < p->nr_fds; j++) {
			struct open_file *f = &d->img.files[p->fds[j].file - d->img.files];
			struct holder h = { p, 0, p->fds[j].fd };

			if (!(f->state & XCKPT_FILE_LOCKED))
				continue;
			h.tid = live_tid(d, p);
			if (read_locks(d, &h, f))
				return -1;
		}
	}
	return 0;
}
