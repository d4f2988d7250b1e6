// SPDX-License-Identifier: GPL-2.0-or-later
/* Unpack an image from a tar stream that anybody may have written. */
#include "image_priv.h"
#include "interrupt.h"
#include "report.h"
#include "stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACTION "cannot read the image from the stream"
#define READ_BYTES ((size_t)1 << 20)

struct receiving {
	int fd, dir_fd;
	void *buf;
	int error; /* errno of the last failed read */
	bool manifest;
};

static la_ssize_t read_in(struct archive *a, void *ctx, const void **buf)
{
	struct receiving *r = ctx;
	ssize_t n;

	*buf = r->buf;
	do
		n = read(r->fd, r->buf, READ_BYTES);
	while (n < 0 && errno == EINTR && !interrupted);
	if (n < 0) {
		r->error = errno;
		archive_set_error(a, errno, "%s", strerror(errno));
	}
	return n;
}

static int read_fail(const struct receiving *r, struct archive *a)
{
	if (interrupted)
		return fail(ACTION ": interrupted");
	if (r->error)
		return fail(ACTION ": %s", strerror(r->error));
	return fail(ACTION ": truncated or no tar stream: %s",
		    archive_error_string(a) ? archive_error_string(a) : "unknown error");
}

/* Write the non-zero pages of a piece. */
static int write_piece(int fd, const char *buf, size_t len, uint64_t offset)
{
	static const char zeros[IMAGE_PAGE_SIZE];

	while (len) {
		/* up to the next page of the file, so that whole pages can be told zero */
		size_t part = IMAGE_PAGE_SIZE - offset % IMAGE_PAGE_SIZE;
		ssize_t n;

		if (part > len)
			part = len;
		if (memcmp(buf, zeros, part) != 0) {
			/* and on while pages have something in them */
			while (part < len) {
				size_t more =
					len - part < IMAGE_PAGE_SIZE ? len - part : IMAGE_PAGE_SIZE;

				if (memcmp(buf + part, zeros, more) == 0)
					break;
				part += more;
			}
			n = pwrite(fd, buf, part, (off_t)offset);
			if (n < 0 && errno == EINTR && !interrupted)
				continue;
			if (n <= 0)
				return -1;
			part = (size_t)n;
		}
		buf += part;
		offset += part;
		len -= part;
	}
	return 0;
}

static int receive_contents(struct receiving *r, struct archive *a, const char *name, int fd,
			    uint64_t size)
{
	const void *buf;
	la_int64_t offset;
	size_t len;
	int n;

	if (ftruncate(fd, (off_t)size))
		return fail(ACTION ": cannot write %s: %s", name, strerror(errno));
	while ((n = archive_read_data_block(a, &buf, &len, &offset)) == ARCHIVE_OK) {
		if (offset < 0 || (uint64_t)offset > size || len > size - (uint64_t)offset)
			return fail(ACTION ": %s has more contents than it says", name);
		if (write_piece(fd, buf, len, (uint64_t)offset))
			return fail(ACTION ": cannot write %s: %s", name, strerror(errno));
	}
	return n == ARCHIVE_EOF ? 0 : read_fail(r, a);
}

/* "./" in front and "/" at the end are how tar(1) writes the same names. */
static const char *plain_name(const char *path, char *buf, size_t size)
{
	size_t len;

	if (strncmp(path, "./", 2) == 0)
		path += 2;
	len = strlen(path);
	if (len && path[len - 1] == '/')
		len--;
	if (len >= size)
		return NULL;
	memcpy(buf, path, len);
	buf[len] = 0;
	return buf;
}

static int make_files(struct receiving *r)
{
	if (mkdirat(r->dir_fd, MANIFEST_FILES, 0700) && errno != EEXIST)
		return fail(ACTION ": cannot make " MANIFEST_FILES ": %s", strerror(errno));
	return 0;
}

static int receive_entry(struct receiving *r, struct archive *a, struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry), *name;
	char buf[128];
	int fd, ret;

	name = path ? plain_name(path, buf, sizeof(buf)) : NULL;
	if (!name)
		return fail(ACTION ": a file in it has no credible name");
	if (archive_entry_hardlink(entry) || archive_entry_symlink(entry))
		return fail(ACTION ": %s in it is a link", name);
	if (archive_entry_filetype(entry) == AE_IFDIR) {
		if (!name[0] || strcmp(name, ".") == 0)
			return 0;
		if (strcmp(name, MANIFEST_FILES) == 0)
			return make_files(r);
		return fail(ACTION ": %s in it is not part of an image", name);
	}
	if (!manifest_name_ok(name) || strcmp(name, MANIFEST_FILES) == 0)
		return fail(ACTION ": %s in it is not part of an image", name);
	if (archive_entry_filetype(entry) != AE_IFREG || !archive_entry_size_is_set(entry) ||
	    archive_entry_size(entry) < 0)
		return fail(ACTION ": %s in it is not a regular file", name);
	if (strchr(name, '/') && make_files(r))
		return -1;
	fd = openat(r->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(ACTION ": cannot make %s: %s", name, strerror(errno));
	ret = receive_contents(r, a, name, fd, (uint64_t)archive_entry_size(entry));
	if (close(fd) && !ret)
		ret = fail(ACTION ": cannot write %s: %s", name, strerror(errno));
	r->manifest |= strcmp(name, MANIFEST_NAME) == 0;
	return ret;
}

static int receive_all(struct receiving *r, struct archive *a)
{
	struct archive_entry *entry;
	int n;

	fcntl(r->fd, F_SETPIPE_SZ, 1 << 20); /* fewer switches, where that works */
	archive_read_support_format_tar(a);
	if (archive_read_open(a, r, NULL, read_in, NULL) != ARCHIVE_OK)
		return read_fail(r, a);
	while ((n = archive_read_next_header(a, &entry)) == ARCHIVE_OK)
		if (receive_entry(r, a, entry))
			return -1;
	if (n != ARCHIVE_EOF)
		return read_fail(r, a);
	/* it comes last, so with it everything has come */
	if (!r->manifest)
		return fail(ACTION ": truncated: " MANIFEST_NAME " is missing");
	/* who writes the stream shall not be hit by EPIPE for its last bytes */
	for (n = 0; n < 64 && read(r->fd, r->buf, READ_BYTES) > 0; n++)
		;
	return 0;
}

static int receive(int fd, int dir_fd)
{
	struct receiving r = { .fd = fd, .dir_fd = dir_fd };
	struct archive *a = archive_read_new();
	int ret;

	r.buf = malloc(READ_BYTES);
	ret = a && r.buf ? receive_all(&r, a) : fail(ACTION ": out of memory");
	archive_read_free(a);
	free(r.buf);
	return ret;
}

char *image_receive(int fd, const char *tmpdir)
{
	char *path;
	int dir_fd, ret;

	if (asprintf(&path, "%s/xckpt-image-XXXXXX", tmpdir && tmpdir[0] ? tmpdir : "/tmp") < 0) {
		fail(ACTION ": out of memory");
		return NULL;
	}
	interrupt_catch();
	if (!mkdtemp(path)) {
		fail(ACTION ": cannot make a directory in %s: %s", tmpdir, strerror(errno));
		free(path);
		interrupt_release();
		return NULL;
	}
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	ret = dir_fd >= 0 ? receive(fd, dir_fd)
			  : fail(ACTION ": cannot open %s: %s", path, strerror(errno));
	if (dir_fd >= 0)
		close(dir_fd);
	if (interrupted && !ret)
		ret = fail(ACTION ": interrupted");
	if (ret) {
		image_remove(path);
		free(path);
		path = NULL;
	}
	interrupt_release();
	return path;
}
