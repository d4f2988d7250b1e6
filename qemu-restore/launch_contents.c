// SPDX-License-Identifier: GPL-2.0-or-later
/* Files that are made anew from what the image holds of them. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "checksum.h"
#include "launch_slots.h"
#include "launch_tree.h"
#include "oflags.h"
#include "report.h"

static char piece[CONTENTS_PIECE];

/* Files of huge pages are written to through a mapping only. */
static ssize_t write_mapped(int out, const char *bytes, size_t len, uint64_t to)
{
	uint64_t start, end;
	struct stat st;
	char *p;

	if (fstat(out, &st))
		return -1;
	start = to - to % (uint64_t)st.st_blksize;
	end = to + len + (uint64_t)st.st_blksize - 1;
	end -= end % (uint64_t)st.st_blksize;
	p = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_SHARED, out, (off_t)start);
	if (p == MAP_FAILED)
		return -1;
	memcpy(p + (to - start), bytes, len);
	munmap(p, end - start);
	return (ssize_t)len;
}

static ssize_t write_at(int out, const char *bytes, size_t len, uint64_t to)
{
	ssize_t n = pwrite(out, bytes, len, (off_t)to);
	struct statfs fs;

	if (n >= 0 || errno != EINVAL || fstatfs(out, &fs) || fs.f_type != HUGETLBFS_MAGIC)
		return n;
	return write_mapped(out, bytes, len, to);
}

/* @len bytes of @in from @from on become those of @out from @to on. */
static int copy_range(int in, uint64_t from, int out, uint64_t to, uint64_t len)
{
	while (len) {
		ssize_t n;

		/* signals are held, and what is copied may be large */
		if (tree_interrupted()) {
			errno = EINTR;
			return -1;
		}
		n = pread(in, piece, len < CONTENTS_PIECE ? len : CONTENTS_PIECE, (off_t)from);

		if (n <= 0) {
			errno = n ? errno : EIO; /* it has become shorter */
			return -1;
		}
		for (ssize_t done = 0, part; done < n; done += part) {
			part = write_at(out, piece + done, n - done, to + done);
			if (part <= 0) {
				errno = part ? errno : ENOSPC;
				return -1;
			}
		}
		from += n;
		to += n;
		len -= n;
	}
	return 0;
}

int contents_copy_sparse(int in, int out, uint64_t size)
{
	uint64_t pos = 0;

	if (ftruncate(out, (off_t)size))
		return -1;
	while (pos < size) {
		int64_t data = next_data(in, pos, size);
		uint64_t end;

		if (data < 0)
			return -1;
		if ((uint64_t)data >= size)
			break;
		end = next_hole(in, data, size);
		if (copy_range(in, data, out, data, end - data))
			return -1;
		pos = end;
	}
	return 0;
}

int contents_open(const struct plan *plan, const char *name)
{
	int fd = openat(plan->img->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? fail("cannot open %s of the image: %s", name, strerror(errno)) : fd;
}

/* "/memfd:NAME (deleted)": the name is seen in /proc. */
static void memory_name(const char *path, char *name, size_t room)
{
	static const char end[] = " (deleted)";
	const size_t end_len = sizeof(end) - 1;
	size_t len;

	snprintf(name, room, "%s", path && !strncmp(path, "/memfd:", 7) ? path + 7 : "xckpt");
	len = strlen(name);
	if (len >= end_len && !strcmp(name + len - end_len, end))
		name[len - end_len] = 0;
}

/* On the disk where it was, if that is there; it never had a name for anybody. */
static int open_nameless(const struct slots *slots, const char *path)
{
	char copy[PATH_MAX];

	if (!path || strlen(path) >= sizeof(copy))
		return -1;
	return slot_open(slots, dirname(strcpy(copy, path)), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static unsigned int huge_flags(uint64_t shift)
{
	return shift ? MFD_HUGETLB | (unsigned int)shift << MFD_HUGE_SHIFT : 0;
}

int contents_memory(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	char name[250];
	int fd = open_nameless(slots, op->path), ret;

	memory_name(op->object, name, sizeof(name));
	if (fd < 0)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | huge_flags(op->arg[5]));
	if (fd < 0 || ftruncate(fd, (off_t)op->arg[1]) ||
	    (!geteuid() && fchown(fd, (uid_t)op->arg[3], (gid_t)op->arg[4])) ||
	    (op->arg[2] && fchmod(fd, (mode_t)op->arg[2] & 07777)))
		ret = fail("cannot make %llu bytes for a file without a name: %s",
			   (unsigned long long)op->arg[1], strerror(errno));
	else
		ret = slot_keep(slots, plan, op->arg[0], fd);
	if (fd >= 0)
		close(fd);
	return ret;
}

int contents_copy_core(const struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	const struct image_process *p = &plan->img->processes[op->arg[1]];

	if (copy_range(p->core_fd, op->arg[2], slots->fd[op->arg[0]], op->arg[4], op->arg[3]))
		return fail("cannot fill memory to be shared from %s: %s", p->core_name,
			    strerror(errno));
	return 0;
}

/* The description may be one for reading only. */
int contents_copy_file(const struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	int in = contents_open(plan, op->path), ret;

	if (in < 0)
		return -1;
	ret = contents_copy_sparse(in, slots->fd[op->arg[0]], op->arg[1]);
	if (ret)
		fail("cannot put back the contents of %s: %s", op->object, strerror(errno));
	close(in);
	return ret;
}

int contents_seal(const struct slots *slots, const struct plan_op *op)
{
	char path[32];
	int fd, ret;

	/* its own description may be one for reading only, and there sealing is refused */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", slots->fd[op->arg[0]]);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ret = fd < 0 ? -1 : fcntl(fd, F_ADD_SEALS, (int)op->arg[1]);
	if (ret)
		fail("cannot seal a memfd: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret ? -1 : 0;
}

/* At @dir, from which @path leads to it, for a moment: a descriptor, or -1. */
static int pass_directory(int dir, const char *path, const struct plan_op *op)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && ((!geteuid() && fchown(fd, (uid_t)op->arg[4], (gid_t)op->arg[5])) ||
			fchmod(fd, (mode_t)op->arg[1]))) {
		close(fd);
		fd = -1;
	}
	unlinkat(dir, path, AT_REMOVEDIR);
	return fd;
}

/* Where it was, if that is free: /proc tells the name. */
static int directory_there(const struct slots *slots, const struct plan_op *op)
{
	const char *was = op->path;
	char path[PATH_MAX];
	size_t slashes = strspn(was, "/");

	snprintf(path, sizeof(path), "%.*s", (int)(strlen(was + slashes) - strlen(PATH_REMOVED)),
		 was + slashes);
	return mkdirat(slots->root, path, 0700) ? -1 : pass_directory(slots->root, path, op);
}

static int directory_elsewhere(const struct plan_op *op)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.4000s/xckpt-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(path) ? pass_directory(AT_FDCWD, path, op) : -1;
}

int contents_lost_directory(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	int fd = -1, ret;

	if (is_path_removed(op->path))
		fd = directory_there(slots, op);
	if (fd < 0)
		fd = directory_elsewhere(op);
	if (fd < 0)
		return fail("cannot make a directory in the place of %s, which was removed: %s",
			    op->path, strerror(errno));
	ret = slot_keep(slots, plan, op->arg[0], fd);
	close(fd);
	return ret;
}
