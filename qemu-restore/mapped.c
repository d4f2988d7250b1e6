// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
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
