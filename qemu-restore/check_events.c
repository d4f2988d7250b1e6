// SPDX-License-Identifier: GPL-2.0-or-later
/* Compare what anonymous inodes hold, as fdinfo shows it: what time does not change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* How many lines of @text begin with @start. */
static size_t count_lines(const char *text, const char *start)
{
	size_t nr = 0, len = strlen(start);

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		nr += !strncmp(text, start, len);
	return nr;
}

static int compare(struct check *c, int fd, const char *what, uint64_t found, uint64_t expected)
{
	char object[80];

	snprintf(object, sizeof(object), "%s of fd %d", what, fd);
	return check_number(c, object, "%#llx", found, expected);
}

/* By its number here, which is that of the program when the same pid namespace shows /proc. */
static int check_pidfd(struct check *c, const struct process_fd *fd, const char *fdinfo)
{
	int pid = fd->file->event.pid;
	const char *line = strstr(fdinfo, "NSpid:");
	long found = 0;

	if (pid < 0) /* -1 or 0, as the kernel likes it */
		return compare(c, fd->fd, "the process", check_value(fdinfo, "\nPid:", 10) + 1 > 1,
			       false);
	/* the last number is that of the innermost namespace */
	while (line && *(line += strcspn(line, "\t\n")) == '\t')
		found = strtol(++line, NULL, 10);
	return line ? compare(c, fd->fd, "the process", (uint64_t)found, (uint64_t)pid) : 0;
}

/* What stands for a terminal, or for a pipe to somebody else, may be nothing to wait for. */
static bool may_be_file(const struct check *c, uint32_t id)
{
	const struct image *img = c->plan->img;
	size_t i;

	for (i = 0; i < img->nr_files && img->files[i].id != id; i++)
		;
	return c->plan->host->nr_override || i == img->nr_files ||
	       (img->files[i].kind == FILE_TTY && !img->files[i].master) ||
	       (img->files[i].kind == FILE_PIPE && !img->files[i].inside);
}

static int check_poll(struct check *c, const struct process_fd *fd, size_t found)
{
	const struct event_state *e = &fd->file->event;
	size_t i, files = 0;

	if (found == e->nr_entries)
		return 0;
	for (i = 0; i < e->nr_entries; i++)
		files += may_be_file(c, e->entries[i].file);
	return found < e->nr_entries && found + files >= e->nr_entries
		       ? 0
		       : compare(c, fd->fd, "the number of files", found, e->nr_entries);
}

/* Of one that is in use nothing is told. */
static int check_ring(struct check *c, const struct process_fd *fd, const char *fdinfo)
{
	const struct xckpt_ring *ring = &fd->file->event.ring;

	if (!strstr(fdinfo, "CachedSqHead:"))
		return 0;
	if (compare(c, fd->fd, "the number of requests taken",
		    check_value(fdinfo, "CachedSqHead:", 10), ring->sq_head))
		return -1;
	return compare(c, fd->fd, "the number of completions told",
		       check_value(fdinfo, "CachedCqTail:", 10), ring->cq_tail);
}

int check_event(struct check *c, const struct process_fd *fd, const char *fdinfo)
{
	const struct event_state *e = &fd->file->event;
	/* an engine has real-time signals by other numbers */
	uint64_t signals = check_natively(c) ? ~0ull : (1ull << (X86_SIGRTMIN - 1)) - 1;

	switch (e->kind) {
	case EVENT_COUNTER:
		return compare(c, fd->fd, "the count", check_value(fdinfo, "eventfd-count:", 16),
			       e->count);
	case EVENT_TIMER:
		return compare(c, fd->fd, "the clock", check_value(fdinfo, "clockid:", 10),
			       (uint64_t)e->clock);
	case EVENT_SIGNALS:
		return compare(c, fd->fd, "the signals",
			       check_value(fdinfo, "sigmask:", 16) & signals, e->mask & signals);
	case EVENT_POLL:
		return check_poll(c, fd, count_lines(fdinfo, "tfd:"));
	case EVENT_WATCHES:
		return compare(c, fd->fd, "the number of watches",
			       count_lines(fdinfo, "inotify wd:"), e->nr_watches);
	case EVENT_PROCESS:
		return check_pidfd(c, fd, fdinfo);
	case EVENT_RING:
		return check_ring(c, fd, fdinfo);
	default:
		return 0;
	}
}
