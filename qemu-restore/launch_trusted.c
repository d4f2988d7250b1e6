// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A file that is opened as root for a program of somebody else, by a path on which that
 * may have had a hand: a symbolic link put there since the checkpoint would give it any
 * file of the system. Paths of an image have no links, but here folders may be elsewhere;
 * so those that root has made are followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch_slots.h"

#define MOST_LINKS 40 /* as the kernel has it */

/* What is still to be gone, from @dir on. */
struct walk {
	int root, dir;
	unsigned int links;
	char rest[PATH_MAX];
};

static int enter(struct walk *w, int dir)
{
	close(w->dir);
	w->dir = dir;
	return dir < 0 ? -1 : 0;
}

/* @link is opened as such; where it leads to comes before the rest of the way. */
static int follow(struct walk *w, int link)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);
	struct stat st;

	if (n < 0 || fstat(link, &st))
		return -1;
	target[n] = 0;
	strcpy(rest, w->rest);
	errno = ELOOP;
	if ((st.st_uid && st.st_uid != geteuid()) || ++w->links > MOST_LINKS)
		return -1;
	errno = ENAMETOOLONG;
	if (snprintf(w->rest, sizeof(w->rest), "%s/%s", target, rest) >= (int)sizeof(w->rest))
		return -1;
	return *target == '/' ? enter(w, fcntl(w->root, F_DUPFD_CLOEXEC, 0)) : 0;
}

/* Onto @name, whatever it is. */
static int step(struct walk *w, const char *name)
{
	int fd = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), ret;
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		ret = -1;
	} else if (!S_ISLNK(st.st_mode)) {
		return enter(w, fd);
	} else {
		ret = follow(w, fd);
	}
	if (fd >= 0) {
		int error = errno;

		close(fd);
		errno = error;
	}
	return ret;
}

static int go(struct walk *w, int flags, mode_t mode)
{
	char name[NAME_MAX + 1];
	size_t len;
	int fd;

	for (;;) {
		char *at = w->rest + strspn(w->rest, "/");

		len = strcspn(at, "/");
		if (len >= sizeof(name)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, len ? at : ".", len ? len + 1 : 2);
		name[len ? len : 1] = 0;
		memmove(w->rest, at + len, strlen(at + len) + 1);
		if (!w->rest[strspn(w->rest, "/")]) {
			fd = openat(w->dir, name, flags | O_NOFOLLOW, mode);
			/* ENOTDIR: of a link, with O_DIRECTORY */
			if (fd >= 0 || (errno != ELOOP && errno != ENOTDIR) || flags & O_NOFOLLOW)
				return fd;
		}
		if (step(w, name))
			return -1;
	}
}

int trusted_open(int root, const char *path, int flags, mode_t mode)
{
	struct open_how how = { .flags = (unsigned int)flags, .resolve = RESOLVE_NO_SYMLINKS };
	struct walk w = { .root = root };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how)), error;

	/* nearly always there are no links; EINVAL: flags that only open(2) passes over */
	if (fd >= 0 || (errno != ELOOP && errno != EINVAL && errno != ENOSYS))
		return fd;
	if (strlen(path) >= sizeof(w.rest)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(w.rest, path);
	w.dir = fcntl(root, F_DUPFD_CLOEXEC, 0);
	fd = w.dir < 0 ? -1 : go(&w, flags, mode);
	error = errno;
	if (w.dir >= 0)
		close(w.dir);
	errno = error;
	return fd;
}
