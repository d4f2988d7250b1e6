// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packed files go to where they were, each as a whole, before anything is opened. What
 * stood there is kept under another name until the program runs: a resume that fails
 * puts it back.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch_slots.h"
#include "report.h"

/* A file that was made. */
struct unpacked {
	char *path;
	char *at; /* the same by its folder, @dir, that no link put there meanwhile leads away */
	char *before; /* where what it replaces is, as @at, or NULL: there was none */
	int dir;
	bool made; /* it stands at the path */
	size_t parents; /* the folders on its path from there on were made, too; 0: none */
};

/* 1: what @fd has is what @in has; -1 with errno */
static int is_same(int fd, int in, uint64_t size)
{
	static char mine[CONTENTS_PIECE], other[CONTENTS_PIECE];
	uint64_t pos;

	for (pos = 0; pos < size;) {
		size_t want = size - pos < CONTENTS_PIECE ? size - pos : CONTENTS_PIECE;
		ssize_t n = pread(fd, mine, want, (off_t)pos), m;

		m = n > 0 ? pread(in, other, n, (off_t)pos) : n;
		if (n <= 0 || m != n)
			return n < 0 || m < 0 ? -1 : 0;
		if (memcmp(mine, other, n))
			return 0;
		pos += n;
	}
	return 1;
}

/* Only root can give a file to others, so to others than root it may be this user's. */
static bool is_owned(const struct plan_op *op, const struct stat *st)
{
	if (geteuid())
		return st->st_uid == geteuid() || st->st_uid == op->arg[3];
	return st->st_uid == op->arg[3] && st->st_gid == op->arg[4] &&
	       (st->st_mode & 07777) == op->arg[1];
}

/* 1: there is a file, and it may be used as it is; -1 with errno; -2: that has been told */
static int look_at_present(const struct plan *plan, const struct plan_op *op, int in)
{
	int fd = open(op->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), same = 0;
	bool owned = false;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st)) {
		same = -1;
	} else if (S_ISREG(st.st_mode) && (uint64_t)st.st_size == op->arg[0]) {
		owned = is_owned(op, &st);
		same = is_same(fd, in, op->arg[0]);
	}
	close(fd);
	if (same < 0 || (same && owned) || plan->host->replace_files)
		return same > 0 ? owned : same;
	if (plan->host->allow_changed)
		return 1;
	fail("cannot put back %s: there is another file of that name%s (--replace-files replaces "
	     "it, --allow-changed takes it as it is)",
	     op->path, same ? ": with the same contents, but another owner or mode" : "");
	return -2;
}

/* Below @from, which is the root; what the user has named is the user's. */
static int open_folder(int from, const char *path)
{
	size_t slashes = strspn(path, "/");
	const char *below = path[slashes] ? path + slashes : ".";
	int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;

	if (!slashes || geteuid())
		return open(path, flags);
	return trusted_open(from, below, flags, 0);
}

/* Who may write to the file can make others beside it, as a data base does. */
static int make_folder(int parent, const char *path, const struct plan_op *op)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int fd;

	if (mkdirat(parent, name, 0755))
		return -1;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !geteuid() && fchown(fd, (uid_t)op->arg[3], (gid_t)op->arg[4])) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* The folder that the file is to be in, made if it is not there. */
static int open_parent(struct unpacked *u, const struct plan_op *op)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int dir = open(*op->path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC), next;
	char copy[PATH_MAX], *slash;

	snprintf(copy, sizeof(copy), "%s", op->path);
	for (slash = strchr(copy + 1, '/'); slash && dir >= 0; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		next = open_folder(root, copy);
		if (next < 0 && errno == ENOENT) {
			next = make_folder(dir, copy, op);
			if (next >= 0 && !u->parents)
				u->parents = (size_t)(slash - copy);
		}
		*slash = '/';
		close(dir);
		dir = next;
	}
	close(root);
	return dir;
}

/* Descriptors of files that the program will have are not to be in its way. */
static int enter_parent(struct slots *slots, const struct plan *plan, struct unpacked *u,
			const struct plan_op *op)
{
	const char *slash = strrchr(op->path, '/');
	int dir;

	errno = ENAMETOOLONG;
	dir = strlen(op->path) < PATH_MAX ? open_parent(u, op) : -1;
	if (dir < 0)
		return -1;
	u->dir = fcntl(dir, F_DUPFD_CLOEXEC, slots_first(plan));
	close(dir);
	if (u->dir < 0)
		return -1;
	if (u->dir > slots->top)
		slots->top = u->dir;
	return asprintf(&u->at, "/proc/self/fd/%d/%s", u->dir, slash ? slash + 1 : op->path) < 0
		       ? -1
		       : 0;
}

/* The deepest first, as far as nothing else has come into them. */
static void remove_parents(const struct unpacked *u)
{
	char copy[PATH_MAX], *slash;

	strcpy(copy, u->path);
	while (u->parents && (slash = strrchr(copy, '/')) && slash >= copy + u->parents) {
		*slash = 0;
		if (rmdir(copy))
			return;
	}
}

static int write_unpacked(const struct plan_op *op, int in, int out)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW } };
	int64_t ns = (int64_t)op->arg[2];
	mode_t mode = (mode_t)op->arg[1];

	times[1].tv_nsec = (long)((ns % 1000000000 + 1000000000) % 1000000000);
	times[1].tv_sec = (time_t)((ns - times[1].tv_nsec) / 1000000000);
	if (contents_copy_sparse(in, out, op->arg[0]))
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

static char *other_name(const char *path)
{
	char *name = NULL;

	return asprintf(&name, "%s.xckpt-XXXXXX", path) < 0 ? NULL : name;
}

/* For file systems that cannot exchange two names: for a moment there is none. */
static int set_aside(struct unpacked *u, const char *name)
{
	int fd, error;

	u->before = other_name(u->at);
	fd = u->before ? mkostemp(u->before, O_CLOEXEC) : -1;
	if (fd < 0)
		return -1;
	close(fd);
	if (rename(u->at, u->before)) {
		error = errno;
		unlink(u->before);
		free(u->before);
		u->before = NULL;
		errno = error;
		return -1;
	}
	return rename(name, u->at);
}

/* What is at @name stands at the path then, and at u->before what stood there; takes @name. */
static int put(struct unpacked *u, char *name)
{
	int ret = renameat2(AT_FDCWD, name, AT_FDCWD, u->at, RENAME_EXCHANGE);

	if (!ret) {
		u->made = true;
		u->before = name;
		return 0;
	}
	if (errno != ENOENT && errno != EINVAL && errno != ENOSYS)
		return -1;
	if (faccessat(AT_FDCWD, u->at, F_OK, AT_SYMLINK_NOFOLLOW) ? rename(name, u->at)
								  : set_aside(u, name))
		return -1;
	u->made = true;
	free(name);
	return 0;
}

/* Under another name first: what is there stays whole until all is written. */
static int unpack_new(struct unpacked *u, const struct plan_op *op, int in)
{
	char *name = other_name(u->at);
	int fd, error;

	fd = name ? mkostemp(name, O_CLOEXEC) : -1;
	if (fd < 0) {
		free(name);
		return -1;
	}
	error = write_unpacked(op, in, fd) || put(u, name) ? errno : 0;
	close(fd);
	if (error) {
		unlink(name);
		free(name);
	}
	errno = error;
	return error ? -1 : 0;
}

/* In the list before it is made: what comes of it is undone in any case. */
static struct unpacked *add_unpacked(struct slots *slots, const char *path)
{
	struct unpacked *all =
		realloc(slots->unpacked, (slots->nr_unpacked + 1) * sizeof(*slots->unpacked));
	char *copy = strdup(path);

	if (all)
		slots->unpacked = all;
	if (!all || !copy) {
		free(copy);
		return NULL;
	}
	all[slots->nr_unpacked] = (struct unpacked){ .path = copy, .dir = -1 };
	return &all[slots->nr_unpacked++];
}

int contents_unpack(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	int in = contents_open(plan, op->object), ret;
	struct unpacked *u;

	if (in < 0)
		return -1;
	ret = look_at_present(plan, op, in);
	if (!ret) {
		u = add_unpacked(slots, op->path);
		ret = u && !enter_parent(slots, plan, u, op) ? unpack_new(u, op, in) : -1;
	}
	if (ret == -1)
		fail("cannot put back %s: %s%s", op->path, strerror(errno), slot_remedy(errno));
	close(in);
	return ret < 0 ? -1 : 0;
}

/* Where that is which @u has replaced, for people. */
static const char *told(const struct unpacked *u)
{
	static char text[PATH_MAX + 16];
	const char *slash = strrchr(u->path, '/');

	snprintf(text, sizeof(text), "%.*s%s", slash ? (int)(slash - u->path) + 1 : 0, u->path,
		 strrchr(u->before, '/') + 1);
	return text;
}

static void forget(struct slots *slots)
{
	size_t i;

	for (i = 0; i < slots->nr_unpacked; i++) {
		if (slots->unpacked[i].dir >= 0)
			close(slots->unpacked[i].dir);
		free(slots->unpacked[i].path);
		free(slots->unpacked[i].at);
		free(slots->unpacked[i].before);
	}
	free(slots->unpacked);
	slots->unpacked = NULL;
	slots->nr_unpacked = 0;
}

void slots_keep_unpacked(struct slots *slots)
{
	size_t i;

	for (i = 0; i < slots->nr_unpacked; i++)
		if (slots->unpacked[i].before && unlink(slots->unpacked[i].before))
			warn("cannot remove %s, which was replaced: %s", told(&slots->unpacked[i]),
			     strerror(errno));
	forget(slots);
}

void slots_undo_unpacked(struct slots *slots)
{
	size_t i;

	for (i = slots->nr_unpacked; i-- > 0;) {
		const struct unpacked *u = &slots->unpacked[i];

		if (u->before && rename(u->before, u->at))
			warn("cannot put back what was %s and is %s now: %s", u->path, told(u),
			     strerror(errno));
		if (u->made && !u->before)
			unlink(u->at);
		remove_parents(u);
	}
	forget(slots);
}
