// SPDX-License-Identifier: GPL-2.0-or-later
/* Who in the group has an open file, and what the kernel tells of it there. */
#include "dump.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int live_tid(const struct dump *d, const struct image_process *p)
{
	for (size_t i = 0; i < d->nr_tasks; i++)
		if (d->tasks[i].pid == p->outer_pid && has_registers(d->tasks[i].state))
			return d->tasks[i].tid;
	return p->outer_pid;
}

int find_holders(struct dump *d)
{
	d->holders = arena_alloc(&d->priv.arena, d->img.nr_files, sizeof(*d->holders));
	if (!d->holders)
		return -1;
	for (size_t i = 0; i < d->img.nr_processes; i++) {
		const struct image_process *p = &d->img.processes[i];
		int tid = p->nr_fds ? live_tid(d, p) : 0;

		for (size_t j = 0; j < p->nr_fds; j++) {
			struct holder *h = &d->holders[p->fds[j].file - d->img.files];

			if (!h->process)
				*h = (struct holder){ p, tid, p->fds[j].fd };
		}
	}
	return 0;
}

static const struct holder *holder_of(const struct dump *d, const struct open_file *f)
{
	return &d->holders[f - d->img.files];
}

bool has_write_lease(const struct dump *d, uint64_t dev, uint64_t ino)
{
	for (size_t i = 0; i < d->img.nr_files; i++) {
		const struct open_file *f = &d->img.files[i];

		if (f->dev != dev || f->ino != ino)
			continue;
		for (size_t j = 0; j < f->nr_locks; j++)
			if (f->locks[j].kind == LOCK_LEASE && f->locks[j].exclusive)
				return true;
	}
	return false;
}

int holder_reopen(const struct dump *d, const struct open_file *f)
{
	const struct holder *h = holder_of(d, f);
	char path[96];

	if (has_write_lease(d, f->dev, f->ino)) {
		errno = EBUSY; /* that would break it */
		return -1;
	}
	snprintf(path, sizeof(path), "/proc/%d/task/%d/fd/%d", h->process->outer_pid, h->tid,
		 h->fd);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

int holder_duplicate(const struct dump *d, const struct open_file *f)
{
	const struct holder *h = holder_of(d, f);
	int pidfd, fd, error;

	pidfd = (int)syscall(SYS_pidfd_open, h->process->outer_pid, 0);
	if (pidfd < 0)
		return -1;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, h->fd, 0);
	error = errno;
	close(pidfd);
	errno = error;
	return fd;
}

/* To open and close an end of a pipe may be a signal to who has it, and is an event. */
int holder_look(const struct dump *d, const struct open_file *f)
{
	int fd = f->flags & X86_O_PATH ? -1 : holder_duplicate(d, f);

	return fd >= 0 ? fd : holder_reopen(d, f);
}

FILE *holder_info(const struct holder *h)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/fdinfo/%d", h->process->outer_pid, h->tid,
		 h->fd);
	return fopen(path, "re");
}
