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

/* A place where the file system of device @dev can be entered, or -1. */
static int open_mount(unsigned int dev)
{
	unsigned int major = dev >> KERNEL_MINOR_BITS, ma, mi;
	unsigned int minor = dev & ((1u << KERNEL_MINOR_BITS) - 1);
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, place[PATH_MAX];
	size_t room = 0;
	int fd = -1;

	while (mounts && fd < 0 && getline(&line, &room, mounts) > 0) {
		struct stat st;

		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &ma, &mi, place) != 3 || ma != major ||
		    mi != minor)
			continue;
		unescape(place);
		fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		/* something else may be mounted over it */
		if (fd >= 0 &&
		    (fstat(fd, &st) || major(st.st_dev) != ma || minor(st.st_dev) != mi)) {
			close(fd);
			fd = -1;
		}
	}
	free(line);
	if (mounts)
		fclose(mounts);
	return fd;
}

/* Many watches are on one file system. */
static int mount_of(struct dump *d, unsigned int dev)
{
	if (d->mount_fd < 0 || d->mount_dev != dev) {
		if (d->mount_fd >= 0)
			close(d->mount_fd);
		d->mount_fd = open_mount(dev);
		d->mount_dev = dev;
	}
	return d->mount_fd;
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

const char *watch_path(struct dump *d, const char *line)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h;
	char link[64], path[PATH_MAX];
	const char *dev = strstr(line, "sdev:");
	ssize_t len = -1;
	int mount, fd;

	if (!dev || !read_handle(line, &h.handle))
		return "";
	mount = mount_of(d, (unsigned int)strtoul(dev + 5, NULL, 16));
	fd = mount < 0 ? -1 : open_by_handle_at(mount, &h.handle, O_PATH | O_CLOEXEC);
	if (fd >= 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		len = readlink(link, path, sizeof(path) - 1);
		close(fd);
	}
	if (len <= 0 || path[0] != '/')
		return "";
	path[len] = 0;
	/* one that was removed meanwhile has " (deleted)" there, and cannot be watched again */
	return access(path, F_OK) ? "" : arena_strdup(&d->priv.arena, path);
}
