// SPDX-License-Identifier: GPL-2.0-or-later
/* What of a file is stored, and what is read of it in its place. */
#include "checksum.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int64_t next_data(int fd, uint64_t pos, uint64_t size)
{
	off_t at;

	if (pos >= size)
		return (int64_t)size;
	at = lseek(fd, (off_t)pos, SEEK_DATA);
	if (at >= 0)
		return at < (off_t)size ? (int64_t)at : (int64_t)size;
	if (errno == ENXIO)
		return (int64_t)size;
	return errno == EINVAL ? (int64_t)pos : -1; /* no holes here: all is data */
}

uint64_t next_hole(int fd, uint64_t pos, uint64_t size)
{
	off_t at = lseek(fd, (off_t)pos, SEEK_HOLE);

	return at > (off_t)pos && at < (off_t)size ? (uint64_t)at : size;
}

ssize_t read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* What is left out that ends behind @pos, or NULL. */
static const struct data_range *range_at(const struct checksum_copy *c, uint64_t pos)
{
	size_t i = data_map_find(&c->left_out, pos);

	return i < c->left_out.nr ? &c->left_out.ranges[i] : NULL;
}

int64_t checksum_data(const struct checksum_copy *c, uint64_t pos, uint64_t end)
{
	for (;;) {
		int64_t data = c->unsought ? (int64_t)pos : next_data(c->in_fd, pos, end);
		const struct data_range *r;

		if (data < 0 || (uint64_t)data >= end)
			return data;
		r = range_at(c, (uint64_t)data);
		if (!r || r->from > (uint64_t)data)
			return data;
		pos = r->end;
	}
}

uint64_t checksum_hole(const struct checksum_copy *c, uint64_t pos, uint64_t end)
{
	uint64_t hole = c->unsought ? end : next_hole(c->in_fd, pos, end);
	const struct data_range *r = range_at(c, pos);

	return r && r->from < hole ? r->from : hole;
}

static ssize_t read_some(const struct checksum_copy *c, char *buf, size_t len, uint64_t offset)
{
	size_t left = offset < c->head_size ? c->head_size - offset : 0;

	if (!left)
		return pread(c->in_fd, buf, len, (off_t)offset);
	if (len > left)
		len = left;
	memcpy(buf, (const char *)c->head + offset, len);
	return (ssize_t)len;
}

int checksum_read(struct checksum_copy *c, char *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n;

		if ((c->stop && *c->stop) || c->error)
			return checksum_error(c, ECANCELED, false, offset);
		n = read_some(c, buf + done, len - done, offset + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return checksum_error(c, n < 0 ? errno : ENODATA, false, offset + done);
		done += (size_t)n;
		if (c->done)
			*c->done += (uint64_t)n;
	}
	return 0;
}
