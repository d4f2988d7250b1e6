// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch_cover.h"

/* where a tmpfs is mounted for a moment, and what is made in it */
#define STAGE "/proc"
#define STAGE_FILE STAGE "/restart"
#define STAGE_LOWER STAGE "/lower"
#define STAGE_UPPER STAGE "/upper"
#define STAGE_WORK STAGE "/work"
#define OVERLAY "lowerdir=" STAGE_LOWER ",upperdir=" STAGE_UPPER ",workdir=" STAGE_WORK

/* The path comes from the image: absolute, and every component goes down. */
static bool is_plain(const char *path)
{
	size_t len;

	if (*path != '/' || strlen(path) >= PATH_MAX - sizeof(STAGE_UPPER))
		return false;
	while (*path) {
		len = strcspn(++path, "/");
		if (!len || (len == 1 && *path == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += len;
	}
	return true;
}

/* Make the directories above @path, which lie below the first @from bytes of it. */
static int make_parents(char *path, size_t from)
{
	char *slash;
	int ret = 0;

	for (slash = strchr(path + from + 1, '/'); slash && !ret; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		ret = mkdir(path, 0755) && errno != EEXIST ? -1 : 0;
		*slash = '/';
	}
	return ret;
}

/* A file that can be executed, with the contents of @from unless that is -1. */
static int make_file(const char *path, int from)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755), ret = 0;
	char buf[65536];
	off_t at = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	while (from >= 0 && (n = pread(from, buf, sizeof(buf), at)) != 0) {
		if (n < 0 || write(fd, buf, n) != n) {
			ret = -1;
			break;
		}
		at += n;
	}
	return close(fd) || fchmodat(AT_FDCWD, path, 0755, 0) ? -1 : ret;
}

static int stage_begin(void)
{
	return mount("restart", STAGE, "tmpfs", MS_NOSUID, "mode=0755");
}

/* What was made lives on as long as something is mounted or open. */
static void stage_end(void)
{
	int error = errno;

	umount2(STAGE, MNT_DETACH);
	errno = error;
}

static int cover_file(struct cover *c)
{
	if (make_file(STAGE_FILE, c->restart) || mount(STAGE_FILE, c->path, NULL, MS_BIND, NULL))
		return -1;
	strcpy(c->mounted, c->path);
	return 0;
}

/* The deepest directory above @path that exists: the length of its name. */
static size_t parent_length(const char *path)
{
	char parent[PATH_MAX], *slash;
	struct stat st;

	strcpy(parent, path);
	while ((slash = strrchr(parent, '/')) != parent) {
		*slash = 0;
		if (!stat(parent, &st) && S_ISDIR(st.st_mode))
			break;
	}
	return slash - parent;
}

/* Nothing there to be covered: over the directory above, show it with this file in it. */
static int cover_directory(struct cover *c)
{
	size_t len = parent_length(c->path);
	char file[PATH_MAX];

	if (!len) {
		errno = ENOENT;
		return -1;
	}
	memcpy(c->mounted, c->path, len);
	c->mounted[len] = 0;
	snprintf(file, sizeof(file), STAGE_UPPER "%s", c->path + len);
	if (mkdir(STAGE_LOWER, 0755) || mkdir(STAGE_UPPER, 0755) || mkdir(STAGE_WORK, 0755) ||
	    make_parents(file, strlen(STAGE_UPPER)) || make_file(file, c->restart) ||
	    mount(c->mounted, STAGE_LOWER, NULL, MS_BIND, NULL) ||
	    mount("restart", c->mounted, "overlay", MS_NOSUID, OVERLAY)) {
		c->mounted[0] = 0;
		return -1;
	}
	return 0;
}

int cover_on(struct cover *c)
{
	struct stat st;
	int error = 0;

	if (c->mounted[0])
		return 0;
	if (!is_plain(c->path))
		return EINVAL;
	if (stage_begin())
		return errno;
	if (!stat(c->path, &st) && S_ISREG(st.st_mode) ? cover_file(c) : cover_directory(c))
		error = errno;
	stage_end();
	/* an overlay shows one file system: not what is mounted further down */
	if (!error && access(c->engine, X_OK)) {
		error = errno;
		cover_off(c);
	}
	return error;
}

int cover_off(struct cover *c)
{
	int error = c->mounted[0] && umount2(c->mounted, MNT_DETACH) ? errno : 0;

	c->mounted[0] = 0;
	return error;
}

char *cover_prepare(const char *path)
{
	char *first;

	if (!is_plain(path) || parent_length(path) || !strchr(path + 1, '/'))
		return NULL;
	first = strndup(path, strcspn(path + 1, "/") + 1);
	if (first && !mkdir(first, 0755))
		return first;
	free(first);
	return NULL;
}

void cover_forget(char *made)
{
	if (made)
		rmdir(made);
	free(made);
}

int cover_name(const char *path)
{
	char file[PATH_MAX];
	int fd = -1;

	if (!is_plain(path)) {
		errno = EINVAL;
		return -1;
	}
	if (stage_begin())
		return -1;
	snprintf(file, sizeof(file), STAGE "%s", path);
	if (!make_parents(file, strlen(STAGE)) && !make_file(file, -1))
		fd = open(file, O_RDONLY | O_CLOEXEC);
	stage_end();
	return fd;
}
