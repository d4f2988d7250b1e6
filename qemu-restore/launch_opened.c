// SPDX-License-Identifier: GPL-2.0-or-later
/* Is what was opened by its path what the program had? */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "build_id.h"
#include "launch_slots.h"
#include "mapped.h"
#include "pseudo.h"
#include "report.h"

/* @rdev is the kernel's new_encode_dev() of the device */
static bool is_device(const struct stat *st, uint64_t rdev)
{
	unsigned int ma = rdev >> 8 & 0xfff, mi = (rdev & 0xff) | (rdev >> 12 & ~0xffull);

	return (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) && major(st->st_rdev) == ma &&
	       (minor(st->st_rdev) == mi ||
		ma >= 234); /* from there on numbers are given out at will */
}

/* Size and time may be those of another build: of a distribution's other architecture, say. */
static int check_build(const struct plan_op *op, int fd, int pid)
{
	char id[BUILD_ID_ROOM];

	if (!op->build_id || !*op->build_id)
		return 0;
	build_id_read(fd, id);
	if (!strcmp(id, op->build_id))
		return 0;
	return fail("cannot resume pid %d: %s has build-id %s, at the checkpoint it had %s, and "
		    "a thin image does not hold it (make one without --thin)",
		    pid, op->path, *id ? id : "none", op->build_id);
}

/* Asked once for each file system, one after the other. */
static bool is_on_pseudo(int fd, const struct stat *st)
{
	static dev_t last;
	static bool known, pseudo;

	if (!known || st->st_dev != last)
		pseudo = is_pseudo_file(fd);
	known = true;
	last = st->st_dev;
	return pseudo;
}

static int check_same(const struct plan_op *op, int fd, const struct stat *st, int pid)
{
	static const char remedy[] = "put the file back as it was at the checkpoint, or give "
				     "--allow-changed";

	if (!S_ISREG(st->st_mode))
		return fail("cannot resume pid %d: %s is no regular file any more", pid, op->path);
	if (is_on_pseudo(fd, st))
		return 0;
	if ((uint64_t)st->st_size != op->arg[4])
		return fail(
			"cannot resume pid %d: %s has changed since the checkpoint: it has %lld "
			"bytes, it had %llu (%s)",
			pid, op->path, (long long)st->st_size, (unsigned long long)op->arg[4],
			remedy);
	if (!is_same_time(st, (int64_t)op->arg[5]))
		return fail("cannot resume pid %d: %s has changed since the checkpoint: it was "
			    "written at another time (%s)",
			    pid, op->path, remedy);
	return 0;
}

int opened_check(const struct plan_op *op, int fd, int pid)
{
	struct stat st;

	if (fstat(fd, &st))
		return fail("cannot resume pid %d: %s: %s", pid, op->path, strerror(errno));
	switch (op->arg[3]) {
	case CHECK_REGULAR:
		if (!S_ISREG(st.st_mode))
			return fail("cannot resume pid %d: %s is no regular file any more", pid,
				    op->path);
		if ((uint64_t)st.st_size < op->arg[4])
			return fail("cannot resume pid %d: %s has only %lld bytes, %llu are needed "
				    "(put the file back as it was at the checkpoint)",
				    pid, op->path, (long long)st.st_size,
				    (unsigned long long)op->arg[4]);
		return 0;
	case CHECK_SAME:
		return check_same(op, fd, &st, pid);
	case CHECK_UNCHANGED:
		if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != op->arg[4] ||
		    st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec != (int64_t)op->arg[5])
			return fail(
				"cannot resume pid %d: %s has changed since the checkpoint, and "
				"a thin image does not hold it (make one without --thin)",
				pid, op->path);
		return check_build(op, fd, pid);
	case CHECK_DIRECTORY:
		if (!S_ISDIR(st.st_mode))
			return fail("cannot resume pid %d: %s is no directory any more", pid,
				    op->path);
		return 0;
	case CHECK_DEVICE:
		if (!is_device(&st, op->arg[5]))
			return fail("cannot resume pid %d: %s is another device than it was", pid,
				    op->path);
		return 0;
	default:
		return 0;
	}
}
