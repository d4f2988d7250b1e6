// SPDX-License-Identifier: GPL-2.0-or-later
/* What is to be frozen: its descriptors for the module, its name for people. */
#include "dump.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* More pids than these are counted, not named. */
#define NAMED_PIDS 4

static const char *name_pids(struct dump *d)
{
	const struct options *opt = &d->opt;
	char text[NAMED_PIDS * 12];
	size_t len = 0;

	if (opt->nr_pids == 1)
		return arena_printf(&d->priv.arena, "pid %d", opt->pids[0]);
	if (opt->nr_pids > NAMED_PIDS)
		return arena_printf(&d->priv.arena, "pid %d and %zu others", opt->pids[0],
				    opt->nr_pids - 1);
	for (size_t i = 0; i < opt->nr_pids; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d", i ? ", " : "",
					opt->pids[i]);
	return arena_printf(&d->priv.arena, "pids %s", text);
}

static const char *name_of(struct dump *d)
{
	switch (d->opt.target) {
	case XCKPT_TARGET_PGRP:
		return arena_printf(&d->priv.arena, "process group %d", d->opt.id);
	case XCKPT_TARGET_SESSION:
		return arena_printf(&d->priv.arena, "session %d", d->opt.id);
	case XCKPT_TARGET_CGROUP:
		return arena_printf(&d->priv.arena, "cgroup %s", d->opt.cgroup);
	default:
		return name_pids(d);
	}
}

static int open_pid(int pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0)
		return fd;
	if (errno == ESRCH)
		return fail("cannot find pid %d: No such process", pid);
	if (errno == EINVAL || errno == ENOENT)
		return fail("cannot dump pid %d: it is a thread, not a process (give the process's "
			    "pid)",
			    pid);
	return fail("cannot open pid %d: %s", pid, strerror(errno));
}

static int open_pids(struct dump *d)
{
	d->fds = arena_alloc(&d->priv.arena, d->opt.nr_pids, sizeof(*d->fds));
	if (!d->fds)
		return -1;
	while (d->nr_fds < d->opt.nr_pids) {
		int fd = open_pid(d->opt.pids[d->nr_fds]);

		if (fd < 0)
			return -1;
		d->fds[d->nr_fds++] = fd;
	}
	return 0;
}

static int open_cgroup(struct dump *d)
{
	struct statfs fs;

	d->fds = arena_alloc(&d->priv.arena, 1, sizeof(*d->fds));
	if (!d->fds)
		return -1;
	d->fds[0] = open(d->opt.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fds[0] < 0)
		return fail("cannot open cgroup %s: %s (give its directory, as below "
			    "/sys/fs/cgroup)",
			    d->opt.cgroup, strerror(errno));
	d->nr_fds = 1;
	if (fstatfs(d->fds[0], &fs))
		return fail("cannot use cgroup %s: %s", d->opt.cgroup, strerror(errno));
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return fail("cannot use cgroup %s: it is not a directory of a cgroup2 file system "
			    "(findmnt -t cgroup2 tells where one is)",
			    d->opt.cgroup);
	return 0;
}

int target_open(struct dump *d)
{
	d->name = name_of(d);
	if (!d->name)
		return -1;
	if (d->opt.target == XCKPT_TARGET_TREE)
		return open_pids(d);
	return d->opt.target == XCKPT_TARGET_CGROUP ? open_cgroup(d) : 0;
}

void target_close(struct dump *d)
{
	while (d->nr_fds)
		close(d->fds[--d->nr_fds]);
}

bool target_is_pid(const struct dump *d)
{
	return d->opt.target == XCKPT_TARGET_TREE && d->opt.nr_pids == 1;
}
