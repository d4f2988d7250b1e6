// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mapped.h"
#include "pseudo.h"

bool is_same_time(const struct stat *st, int64_t ns)
{
	int64_t rest = (ns % 1000000000 + 1000000000) % 1000000000; /* before 1970, too */

	return st->st_mtim.tv_sec == (ns - rest) / 1000000000 &&
	       (!st->st_mtim.tv_nsec || st->st_mtim.tv_nsec == rest);
}

static bool is_same_file(int fd, const struct stat *st, const struct xckpt_vma *vma)
{
	return is_pseudo_file(fd) ||
	       ((uint64_t)st->st_size == vma->file_size && is_same_time(st, vma->file_mtime_ns));
}

enum mapped_state mapped_look_at(const char *path, const struct xckpt_vma *vma, int *error)
{
	enum mapped_state state = MAPPED_CHANGED;
	struct stat st;
	int fd;

	/* opening another thing than a file may do something */
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return MAPPED_CHANGED;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		*error = errno;
		state = MAPPED_MISSING;
	} else if (is_same_file(fd, &st, vma)) {
		state = MAPPED_SAME;
	}
	if (fd >= 0)
		close(fd);
	return state;
}

/* @dev is the kernel's new_encode_dev() of it */
static bool is_same_directory(const struct stat *st, const struct open_file *f)
{
	return st->st_ino == f->ino &&
	       st->st_dev ==
		       makedev(f->dev >> 8 & 0xfff, (f->dev & 0xff) | (f->dev >> 12 & 0xfff00));
}

/*
 * Elsewhere the same position is another place; and numbers of devices and inodes may be the
 * same elsewhere. Only the same directory, changed, is none with the same names.
 */
static bool find_place(int fd, const struct open_file *f, uint64_t *pos)
{
	struct stat st;
	int64_t found;

	/* what cannot be looked at is told of when it is opened */
	if (fd < 0 || fstat(fd, &st) || is_pseudo_file(fd) ||
	    (is_same_directory(&st, f) && is_same_time(&st, f->mtime_ns)))
		return true;
	found = f->place.names ? directory_place_find(fd, &f->place) : -1;
	if (found >= 0)
		*pos = (uint64_t)found;
	return found >= 0 || is_same_directory(&st, f);
}

bool mapped_find_place(const char *path, const struct open_file *f, uint64_t *pos)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found = find_place(fd, f, pos);

	if (fd >= 0)
		close(fd);
	return found;
}
