// SPDX-License-Identifier: GPL-2.0-or-later
/* What an inotify instance watches, by name: fdinfo tells of it as a file handle. */
#include "dump.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The kernel's own form of a device number, in fdinfo */
#define KERNEL_MINOR_BITS 20

/* What a watch is on. */
struct watched {
	const struct image_process *process; /* who watches */
	unsigned int dev;
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h;
	const char *root; /* where its paths begin, for us */
	bool link; /* it is a symbolic link */
};

/* \040 and the like */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		unsigned int c;

		if (*s == '\\' && sscanf(s + 1, "%3o", &c) == 1) {
			*to++ = (char)c;
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = 0;
}

static bool read_handle(const char *line, struct file_handle *handle)
{
	unsigned int bytes, type;
	int at = 0;

	line = strstr(line, "fhandle-bytes:");
	if (!line ||
	    sscanf(line, "fhandle-bytes:%x fhandle-type:%x f_handle:%n", &bytes, &type, &at) != 2 ||
	    !at || bytes > MAX_HANDLE_SZ)
		return false;
	handle->handle_bytes = bytes;
	handle->handle_type = (int)type;
	for (unsigned int i = 0; i < bytes; i++) {
		unsigned int byte;

		if (sscanf(line + at + 2 * i, "%2x", &byte) != 1)
			return false;
		handle->f_handle[i] = (unsigned char)byte;
	}
	return true;
}

/* To open a folder would be an event in it, which somebody may wait for; to work in it is none. */
static int open_handle(int place, struct file_handle *handle)
{
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

	if (here < 0)
		return -1;
	if (fchdir(place) == 0)
		fd = open_by_handle_at(AT_FDCWD, handle, O_PATH | O_CLOEXEC);
	if (fchdir(here) && fd >= 0) {
		close(fd);
		fd = -1;
	}
	close(here);
	return fd;
}

/* Does @path, below @root, lead to what @fd is? It may be removed, or something mounted over it. */
static bool leads_to(const char *root, const char *path, int fd, bool *link)
{
	char full[96 + PATH_MAX];
	struct stat st, there;

	snprintf(full, sizeof(full), "%s%s", root, path);
	if (fstat(fd, &st) || lstat(full, &there) || st.st_dev != there.st_dev ||
	    st.st_ino != there.st_ino)
		return false;
	*link = S_ISLNK(st.st_mode);
	return true;
}

/* One of the watched, on the file system that can be entered at @place. */
static const char *name_at(struct dump *d, int place, struct watched *w)
{
	int fd = open_handle(place, &w->h.handle);
	char itself[64], path[PATH_MAX];
	bool good = false;
	ssize_t len;

	if (fd < 0)
		return NULL;
	snprintf(itself, sizeof(itself), "/proc/self/fd/%d", fd);
	len = readlink(itself, path, sizeof(path) - 1);
	if (len > 0) {
		path[len] = 0;
		good = path[0] == '/' && leads_to(w->root, path, fd, &w->link);
	}
	close(fd);
	return good ? arena_strdup(&d->priv.arena, path) : NULL;
}

/* A place below @root where the file system can be entered, or -1. */
static int open_place(const char *root, char *line, unsigned int dev)
{
	unsigned int ma, mi;
	char place[PATH_MAX], full[96 + PATH_MAX];
	struct stat st;
	int fd;

	if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &ma, &mi, place) != 3 ||
	    ma != dev >> KERNEL_MINOR_BITS || mi != (dev & ((1u << KERNEL_MINOR_BITS) - 1)))
		return -1;
	unescape(place);
	snprintf(full, sizeof(full), "%s%s", root, place);
	fd = open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* something else may be mounted over it */
	if (fd >= 0 && (fstat(fd, &st) || major(st.st_dev) != ma || minor(st.st_dev) != mi)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* By what is mounted below @root, as @mountinfo tells. A part of a file system may be, too. */
static const char *search(struct dump *d, const char *root, const char *mountinfo,
			  struct watched *w)
{
	FILE *mounts = fopen(mountinfo, "re");
	const char *name = NULL;
	char *line = NULL;
	size_t room = 0;

	while (mounts && !name && getline(&line, &room, mounts) > 0) {
		int fd = open_place(root, line, w->dev);

		if (fd < 0)
			continue;
		name = name_at(d, fd, w);
		if (d->mount_fd >= 0)
			close(d->mount_fd);
		d->mount_fd = fd;
		d->mount_dev = w->dev;
		d->mount_process = w->process;
	}
	free(line);
	if (mounts)
		fclose(mounts);
	return name;
}

/*
 * Paths are as the mount namespace of the process has them, whatever its own root in that
 * is; what is mounted is told as from there.
 */
static const char *find_watched(struct dump *d, const struct holder *h, struct watched *w)
{
	bool ours = shares_mounts(h->process->outer_pid, h->tid);
	char root[96], mountinfo[96];
	const char *name = NULL;

	snprintf(root, sizeof(root), "/proc/%d/task/%d/root", h->process->outer_pid, h->tid);
	snprintf(mountinfo, sizeof(mountinfo), "/proc/%d/task/%d/mountinfo", h->process->outer_pid,
		 h->tid);
	w->root = ours ? "" : root;
	/* many watches are on one file system */
	if (d->mount_fd >= 0 && d->mount_dev == w->dev && d->mount_process == w->process)
		name = name_at(d, d->mount_fd, w);
	if (!name)
		name = search(d, root, mountinfo, w);
	if (!name && ours)
		name = search(d, "", "/proc/thread-self/mountinfo", w);
	return name;
}

const char *watch_path(struct dump *d, const struct holder *h, const char *line, bool *link)
{
	struct watched w = { .process = h->process };
	const char *dev = strstr(line, "sdev:"), *name;

	if (!dev || !read_handle(line, &w.h.handle))
		return "";
	w.dev = (unsigned int)strtoul(dev + 5, NULL, 16);
	name = find_watched(d, h, &w);
	*link = w.link;
	return name ? name : "";
}
