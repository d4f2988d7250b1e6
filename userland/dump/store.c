// SPDX-License-Identifier: GPL-2.0-or-later
/* An image directory that appears under its name when it is complete, or never. */
#include "checksum.h"
#include "dump.h"
#include "interrupt.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int store_fail(const struct dump *d, const char *name, int error)
{
	const char *remedy = error == ENOSPC   ? " (choose a place with more room, or -o -)"
			     : error == EDQUOT ? " (the user's quota is used up)"
			     : error == EFBIG  ? " (see ulimit -f)"
					       : "";

	return fail("cannot write %s%s%s: %s%s", d->opt.output, name ? "/" : "", name ? name : "",
		    strerror(error), remedy);
}

/* DIR to the directory it lies in and its name there. */
static int split_path(struct dump *d)
{
	char *path = arena_strdup(&d->priv.arena, d->opt.output), *slash;
	size_t len = strlen(d->opt.output);

	if (!path)
		return -1;
	while (len > 1 && path[len - 1] == '/')
		path[--len] = 0;
	slash = strrchr(path, '/');
	if (!slash) {
		d->store.parent = ".";
		d->store.name = path;
	} else {
		d->store.name = slash + 1;
		*slash = 0;
		d->store.parent = slash == path ? "/" : path;
	}
	if (!d->store.name[0] || strcmp(d->store.name, ".") == 0 ||
	    strcmp(d->store.name, "..") == 0)
		return fail("cannot write %s: File exists (give the name of a new directory)",
			    d->opt.output);
	return 0;
}

static int make_temporary(struct dump *d)
{
	struct store *s = &d->store;

	for (int tries = 0; tries < 100; tries++) {
		uint32_t random;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			random = (uint32_t)now_ns();
		snprintf(s->current, sizeof(s->current), ".%.200s.xckpt-%08x", s->name, random);
		if (mkdirat(s->parent_fd, s->current, 0700) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	s->current[0] = 0;
	return fail("cannot make a directory in %s: %s", s->parent, strerror(errno));
}

int store_begin(struct dump *d)
{
	struct store *s = &d->store;
	struct stat st;

	if (split_path(d))
		return -1;
	s->parent_fd = open(s->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->parent_fd < 0)
		return fail("cannot write %s: %s: %s", d->opt.output, s->parent, strerror(errno));
	if (fstatat(s->parent_fd, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return fail("cannot write %s: File exists (remove it, or give another name)",
			    d->opt.output);
	if (errno != ENOENT)
		return store_fail(d, NULL, errno);
	if (make_temporary(d))
		return -1;
	s->dir_fd = openat(s->parent_fd, s->current, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->dir_fd < 0 ? store_fail(d, NULL, errno) : 0;
}

static int create(struct dump *d, const char *name)
{
	int fd = openat(d->store.dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? store_fail(d, name, errno) : fd;
}

static int make_folder(struct dump *d, const char *name)
{
	if (strchr(name, '/') && mkdirat(d->store.dir_fd, MANIFEST_FILES, 0700) && errno != EEXIST)
		return store_fail(d, MANIFEST_FILES, errno);
	return 0;
}

/* They stay open: syncing them can wait until the group runs again. */
int store_copies(struct dump *d, struct checksum_copy *copies, size_t nr,
		 struct checksum_copy **unread)
{
	struct store *s = &d->store;
	struct checksum_copy *failed;

	for (size_t i = 0; i < nr; i++) {
		struct open_copy *more =
			arena_grow(&d->priv.arena, s->copies, s->nr_copies, sizeof(*more));

		if (!more || make_folder(d, copies[i].name))
			return -1;
		s->copies = more;
		copies[i].out_fd = create(d, copies[i].name);
		if (copies[i].out_fd < 0)
			return -1;
		s->copies[s->nr_copies++] = (struct open_copy){ copies[i].out_fd, copies[i].name };
		if (ftruncate(copies[i].out_fd, (off_t)copies[i].size))
			return store_fail(d, copies[i].name, errno);
	}
	failed = checksum_copy_all(copies, nr, d->opt.jobs);
	if (failed && failed->writing)
		return store_fail(d, failed->name, failed->error);
	*unread = failed;
	return failed ? -1 : 0;
}

/* fsync() and close() are where a file system may first tell that it is full. */
static int finish(struct dump *d, int fd, const char *name)
{
	int error = 0;

	if (fsync(fd))
		error = errno;
	if (close(fd) && !error)
		error = errno;
	return error ? store_fail(d, name, error) : 0;
}

/* Bytes before the first page with anything in it: they may be holes. */
static size_t zero_pages(const char *from, size_t size)
{
	size_t at = 0;

	while (size - at >= IMAGE_PAGE_SIZE && page_is_zero(from + at))
		at += IMAGE_PAGE_SIZE;
	return at;
}

static size_t data_pages(const char *from, size_t size)
{
	size_t at = 0;

	while (size - at >= IMAGE_PAGE_SIZE && !page_is_zero(from + at))
		at += IMAGE_PAGE_SIZE;
	return size - at < IMAGE_PAGE_SIZE ? size : at;
}

static int store_end(struct dump *d, int fd, const char *name, int error)
{
	close(fd);
	return error == EINTR ? -1 : store_fail(d, name, error);
}

int store_buffer(struct dump *d, const char *name, const void *bytes, size_t size)
{
	const char *from = bytes;
	size_t at = 0;
	int fd;

	if (make_folder(d, name))
		return -1;
	fd = create(d, name);
	if (fd < 0)
		return -1;
	while (at < size) {
		size_t holes = zero_pages(from + at, size - at);
		size_t data = data_pages(from + at + holes, size - at - holes);
		ssize_t n = data ? pwrite(fd, from + at + holes, data, (off_t)(at + holes)) : 0;

		if (n < 0 && errno == EINTR && !interrupted)
			continue;
		if (data && n <= 0)
			return store_end(d, fd, name, n < 0 ? errno : ENOSPC);
		at += holes + (size_t)n;
	}
	if (ftruncate(fd, (off_t)size))
		return store_end(d, fd, name, errno);
	return finish(d, fd, name);
}

static int sync_dir(struct dump *d, int fd, const char *what)
{
	/* some file systems cannot, and need not */
	if (fsync(fd) && errno != EINVAL && errno != EROFS)
		return fail("cannot sync %s: %s", what, strerror(errno));
	return 0;
}

static int take_name(struct dump *d)
{
	struct store *s = &d->store;
	struct stat st;

	if (renameat2(s->parent_fd, s->current, s->parent_fd, s->name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOSYS) {
		/* this file system cannot refuse by itself */
		if (fstatat(s->parent_fd, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			errno = EEXIST;
		else if (renameat(s->parent_fd, s->current, s->parent_fd, s->name) == 0)
			return 0;
	}
	return fail("cannot write %s: %s", d->opt.output, strerror(errno));
}

int store_commit(struct dump *d)
{
	struct store *s = &d->store;
	int files;

	while (s->nr_copies) {
		struct open_copy *copy = &s->copies[--s->nr_copies];

		if (finish(d, copy->fd, copy->name))
			return -1;
	}
	files = openat(s->dir_fd, MANIFEST_FILES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (files >= 0) {
		int ret = sync_dir(d, files, d->opt.output);

		close(files);
		if (ret)
			return ret;
	}
	if (sync_dir(d, s->dir_fd, d->opt.output) || interrupted || take_name(d))
		return -1;
	snprintf(s->current, sizeof(s->current), "%s", s->name);
	return sync_dir(d, s->parent_fd, s->parent);
}

void store_keep(struct dump *d)
{
	d->store.current[0] = 0;
}

void store_abort(struct dump *d)
{
	struct store *s = &d->store;

	while (s->nr_copies)
		close(s->copies[--s->nr_copies].fd);
	if (s->current[0]) {
		if (s->dir_fd >= 0)
			image_remove_contents(s->dir_fd);
		if (unlinkat(s->parent_fd, s->current, AT_REMOVEDIR))
			fail("cannot remove %s/%s: %s", s->parent, s->current, strerror(errno));
		s->current[0] = 0;
	}
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	if (s->parent_fd >= 0)
		close(s->parent_fd);
	s->dir_fd = s->parent_fd = -1;
}
