// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The terminal that the group is in the foreground of. What an editor or a shell has set
 * there (stty(1)) it relies on; whoever is in the background has had no say in it.
 */
#include "dump.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The controlling terminal of @pid, in the kernel's new_encode_dev() form, and who has it. */
static bool find_terminal(int pid, unsigned int *dev, int *group)
{
	char path[64], text[512];
	char *end;
	size_t n;
	FILE *f;

	/* of the thread: for the process its threads would be added up, and all stand still */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	end = strrchr(text, ')'); /* the program chose its name */
	return end && sscanf(end, ") %*c %*d %*d %*d %u %d", dev, group) == 2 && *dev;
}

/* Descriptor @number of @pid as one of our own if it is the terminal @dev, or -1. */
static int take_terminal(int pid, int number, unsigned int dev)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), fd;
	unsigned int is = 0;

	if (pidfd < 0)
		return -1;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	close(pidfd);
	if (fd >= 0 && (ioctl(fd, TIOCGDEV, &is) || is != dev)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int read_front(struct dump *d, int pid, unsigned int dev)
{
	struct terminal *t = arena_alloc(&d->priv.arena, 1, sizeof(*t));
	int fd = -1;

	for (int number = 0; t && number < 3 && fd < 0; number++)
		fd = take_terminal(pid, number, dev);
	if (fd >= 0) {
		if (!terminal_modes(fd, t))
			d->priv.manifest.front = t;
		close(fd);
	}
	return t ? 0 : -1;
}

/* That of the first process, of which a resume makes its own. */
int find_front(struct dump *d)
{
	unsigned int dev;
	int group;

	d->priv.manifest.front = NULL;
	if (!find_terminal(d->tasks[0].pid, &dev, &group) || group <= 0)
		return 0;
	for (size_t i = 0; i < d->nr_tasks && !d->priv.manifest.front; i++)
		if (d->tasks[i].tid == d->tasks[i].pid && getpgid(d->tasks[i].pid) == group &&
		    read_front(d, d->tasks[i].pid, dev))
			return -1;
	return 0;
}
