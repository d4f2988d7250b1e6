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
#include "oflags.h"
#include "report.h"

#define PIECE ((size_t)1 << 20)

static char piece[PIECE];

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
		ssize_t n = pread(in, piece, len < PIECE ? len : PIECE, (off_t)from);

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

/* All @size bytes, holes as holes. */
static int copy_sparse(int in, int out, uint64_t size)
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

static int open_content(const struct plan *plan, const char *name)
{
	int fd = openat(plan->img->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? fail("cannot open %s of the image: %s", name, strerror(errno)) : fd;
}

/* "/memfd:NAME (deleted)": the name is seen in /proc. */
static void memory_name(const char *path, char *name, size_t room)
{
	static const char end[] = " (deleted)";
	size_t len;

	snprintf(name, room, "%s", path && !strncmp(path, "/memfd:", 7) ? path + 7 : "xckpt");
	len = strlen(name);
	if (len >= sizeof(end) && !strcmp(name + len - (sizeof(end) - 1), end))
		name[len - (sizeof(end) - 1)] = 0;
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
	    (op->arg[2] && fchmod(fd, (mode_t)op->arg[2])))
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
	int in = open_content(plan, op->path), ret;

	if (in < 0)
		return -1;
	ret = copy_sparse(in, slots->fd[op->arg[0]], op->arg[1]);
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

/* 1: what @fd has is what @in has; -1 with errno */
static int is_same(int fd, int in, uint64_t size)
{
	static char other[PIECE];
	struct stat st;
	uint64_t pos;

	if (fstat(fd, &st))
		return -1;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return 0;
	for (pos = 0; pos < size;) {
		size_t want = size - pos < PIECE ? size - pos : PIECE;
		ssize_t n = pread(fd, piece, want, (off_t)pos), m;

		m = n > 0 ? pread(in, other, n, (off_t)pos) : n;
		if (n <= 0 || m != n)
			return n < 0 || m < 0 ? -1 : 0;
		if (memcmp(piece, other, n))
			return 0;
		pos += n;
	}
	return 1;
}

static int make_parents(const char *path)
{
	char copy[PATH_MAX], *slash;

	if (strlen(path) >= sizeof(copy)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(copy, path);
	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(copy, 0755) && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return 0;
}

static int write_unpacked(const struct plan_op *op, int in, int out)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW } };
	int64_t ns = (int64_t)op->arg[2];
	mode_t mode = (mode_t)op->arg[1];

	times[1].tv_nsec = (long)((ns % 1000000000 + 1000000000) % 1000000000);
	times[1].tv_sec = (time_t)((ns - times[1].tv_nsec) / 1000000000);
	if (copy_sparse(in, out, op->arg[0]))
		return -1;
	/* to others only root can give it, and what is then set is not for them */
	if (fchown(out, (uid_t)op->arg[3], (gid_t)op->arg[4])) {
		if (!geteuid())
			return -1;
		mode &= 0777;
		warn("%s is this user's now: %s", op->path, strerror(errno));
	}
	return fchmod(out, mode) || futimens(out, times) || fsync(out);
}

/* Under another name first: what is there stays whole until all is written. */
static int unpack_new(const struct plan_op *op, int in)
{
	char name[PATH_MAX];
	int fd, error;

	if (snprintf(name, sizeof(name), "%s.xckpt-XXXXXX", op->path) >= (int)sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (make_parents(op->path))
		return -1;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -1;
	error = write_unpacked(op, in, fd) || rename(name, op->path) ? errno : 0;
	close(fd);
	if (error)
		unlink(name);
	errno = error;
	return error ? -1 : 0;
}

/* 1: there is a file, and it may be used as it is */
static int look_at_present(const struct plan *plan, const struct plan_op *op, int in)
{
	int fd = open(op->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), same;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	same = is_same(fd, in, op->arg[0]);
	close(fd);
	if (same || plan->host->replace_files)
		return same;
	if (plan->host->allow_changed)
		return 1;
	fail("cannot put back %s: there is another file of that name (--replace-files replaces it, "
	     "--allow-changed takes it as it is)",
	     op->path);
	return -2;
}

int contents_unpack(const struct plan *plan, const struct plan_op *op)
{
	int in = open_content(plan, op->object), ret;

	if (in < 0)
		return -1;
	ret = look_at_present(plan, op, in);
	if (!ret)
		ret = unpack_new(op, in);
	if (ret == -1)
		fail("cannot put back %s: %s", op->path, strerror(errno));
	close(in);
	return ret < 0 ? -1 : 0;
}

/* At @dir, from which @path leads to it, for a moment: a descriptor, or -1. */
static int pass_directory(int dir, const char *path, mode_t mode)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && fchmod(fd, mode)) {
		close(fd);
		fd = -1;
	}
	unlinkat(dir, path, AT_REMOVEDIR);
	return fd;
}

/* Where it was, if that is free: /proc tells the name. */
static int directory_there(const struct slots *slots, const char *was, mode_t mode)
{
	char path[PATH_MAX];
	size_t slashes = strspn(was, "/");

	snprintf(path, sizeof(path), "%.*s", (int)(strlen(was + slashes) - strlen(PATH_REMOVED)),
		 was + slashes);
	return mkdirat(slots->root, path, 0700) ? -1 : pass_directory(slots->root, path, mode);
}

static int directory_elsewhere(mode_t mode)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.4000s/xckpt-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(path) ? pass_directory(AT_FDCWD, path, mode) : -1;
}

int contents_lost_directory(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	int fd = -1, ret;

	if (is_path_removed(op->path))
		fd = directory_there(slots, op->path, (mode_t)op->arg[1]);
	if (fd < 0)
		fd = directory_elsewhere((mode_t)op->arg[1]);
	if (fd < 0)
		return fail("cannot make a directory in the place of %s, which was removed: %s",
			    op->path, strerror(errno));
	ret = slot_keep(slots, plan, op->arg[0], fd);
	close(fd);
	return ret;
}
