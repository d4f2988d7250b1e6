// SPDX-License-Identifier: GPL-2.0-or-later
/* Write an image as a tar stream. */
#include "image.h"
#include "report.h"
#include "stream.h"
#include "stream_pipe.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One archive_write_data() call takes no more, and holes are fed in such pieces. */
#define HOLE_BYTES ((size_t)1 << 30)

struct stream {
	struct archive *archive;
	const char *action;
	int fd;
	int error; /* errno of the last failed write */
	const void *hole; /* HOLE_BYTES of address space, never read */
	int64_t realtime_ns;
};

static la_ssize_t write_out(struct archive *a, void *ctx, const void *buf, size_t len)
{
	struct stream *s = ctx;
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(s->fd, (const char *)buf + done, len - done);

		if (n < 0) {
			s->error = errno;
			archive_set_error(a, errno, "%s", strerror(errno));
			return -1;
		}
		done += (size_t)n;
	}
	return (la_ssize_t)done;
}

static int stream_fail(struct stream *s)
{
	if (s->error == EINTR)
		return fail("%s: interrupted", s->action);
	return fail("%s: %s", s->action,
		    s->error ? strerror(s->error) : archive_error_string(s->archive));
}

struct stream *stream_begin(int fd, const char *action, int64_t realtime_ns)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s || !(s->archive = archive_write_new())) {
		fail("%s: out of memory", action);
		free(s);
		return NULL;
	}
	s->fd = fd;
	s->action = action;
	s->realtime_ns = realtime_ns;
	s->hole = mmap(NULL, HOLE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		       0);
	if (s->hole == MAP_FAILED) {
		fail("%s: out of address space", action);
		s->hole = NULL;
		stream_abort(s);
		return NULL;
	}
	/* fewer switches to the reader; not a pipe, or not allowed: as it is */
	fcntl(fd, F_SETPIPE_SZ, 1 << 20);
	archive_write_set_format_pax(s->archive);
	archive_write_set_bytes_per_block(s->archive, 1 << 20);
	archive_write_set_bytes_in_last_block(s->archive, 1);
	if (archive_write_open(s->archive, s, NULL, write_out, NULL) != ARCHIVE_OK) {
		stream_fail(s);
		stream_abort(s);
		return NULL;
	}
	return s;
}

static struct archive_entry *new_entry(struct stream *s, const char *name, uint64_t size)
{
	struct archive_entry *entry = archive_entry_new();

	if (!entry)
		return NULL;
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_size(entry, (int64_t)size);
	archive_entry_set_mtime(entry, s->realtime_ns / 1000000000, 0);
	return entry;
}

static int put(struct stream *s, const void *data, uint64_t size)
{
	while (size) {
		la_ssize_t n = archive_write_data(s->archive, data, size);

		if (n <= 0)
			return stream_fail(s);
		data = (const char *)data + n;
		size -= (uint64_t)n;
	}
	return 0;
}

/* libarchive wants holes as data; it counts their bytes and does not look at them. */
static int put_hole(struct stream *s, uint64_t size)
{
	while (size) {
		size_t part = size < HOLE_BYTES ? size : HOLE_BYTES;
		la_ssize_t n = archive_write_data(s->archive, s->hole, part);

		if (n <= 0)
			return stream_fail(s);
		size -= (uint64_t)n;
	}
	return 0;
}

int stream_add(struct stream *s, const char *name, const void *data, size_t size)
{
	struct archive_entry *entry = new_entry(s, name, size);
	int ret;

	if (!entry)
		return fail("%s: out of memory", s->action);
	ret = archive_write_header(s->archive, entry) == ARCHIVE_OK ? 0 : stream_fail(s);
	archive_entry_free(entry);
	return ret ? ret : put(s, data, size);
}

/* Close the block that ends before @offset and open the one that has it. */
static int next_block(struct checksum_copy *c, struct checksum_state *sum, uint64_t *block,
		      uint64_t offset)
{
	uint64_t hash;

	if (offset / CHECKSUM_BLOCK * CHECKSUM_BLOCK == *block)
		return 0;
	if (checksum_end(sum, &hash)) {
		void *more = reallocarray(c->blocks, c->nr_blocks + 1, sizeof(*c->blocks));

		if (!more)
			return -1;
		c->blocks = more;
		c->blocks[c->nr_blocks++] = (struct checksum_block){ *block, hash };
	}
	checksum_reset(sum);
	*block = offset / CHECKSUM_BLOCK * CHECKSUM_BLOCK;
	return 0;
}

static int hash_piece(struct checksum_copy *c, struct checksum_state *sum, uint64_t *block,
		      const struct piece *piece)
{
	char last[IMAGE_PAGE_SIZE] = { 0 };

	for (size_t pos = 0; pos < piece->len; pos += IMAGE_PAGE_SIZE) {
		const char *page = (const char *)piece->data + pos;

		if (piece->len - pos < IMAGE_PAGE_SIZE)
			page = memcpy(last, page, piece->len - pos);
		if (next_block(c, sum, block, piece->offset + pos))
			return -1;
		if (checksum_page(sum, piece->offset + pos, page))
			c->written += IMAGE_PAGE_SIZE;
	}
	return 0;
}

static int put_header(struct stream *s, const struct checksum_copy *c, const struct pipeline *pl,
		      size_t *extent)
{
	struct archive_entry *entry = new_entry(s, c->name, c->size);
	size_t first = *extent;
	int ret;

	if (!entry)
		return fail("%s: out of memory", s->action);
	for (; *extent < pl->nr_extents; ++*extent) {
		const struct extent *e = &pl->extents[*extent];

		if (&pl->copies[e->copy] != c)
			break;
		archive_entry_sparse_add_entry(entry, (int64_t)e->from,
					       (int64_t)(e->end - e->from));
	}
	/* nothing but a hole: an empty piece at the end says so */
	if (*extent == first && c->size)
		archive_entry_sparse_add_entry(entry, (int64_t)c->size, 0);
	ret = archive_write_header(s->archive, entry) == ARCHIVE_OK ? 0 : stream_fail(s);
	archive_entry_free(entry);
	return ret;
}

/* Take the pieces of copy number @i as they come, hash and write them. */
static int put_copy(struct stream *s, struct pipeline *pl, size_t i, struct checksum_state *sum,
		    uint64_t *next)
{
	struct checksum_copy *c = &pl->copies[i];
	uint64_t pos = 0, block = 0;
	struct piece *piece;

	checksum_reset(sum);
	while ((piece = pipeline_wait(pl, *next)) && piece->copy == i) {
		if (hash_piece(c, sum, &block, piece))
			return fail("%s: out of memory", s->action);
		if (put_hole(s, piece->offset - pos) || put(s, piece->data, piece->len))
			return -1;
		pos = piece->offset + piece->len;
		pipeline_free(pl, piece);
		++*next;
	}
	if (pl->failed)
		return -1;
	if (next_block(c, sum, &block, UINT64_MAX))
		return fail("%s: out of memory", s->action);
	if (c->finished)
		c->finished(c);
	return put_hole(s, c->size - pos);
}

static int put_copies(struct stream *s, struct pipeline *pl, size_t nr, unsigned int jobs)
{
	struct checksum_state *sum = checksum_begin();
	size_t extent = 0;
	uint64_t next = 0;
	int ret = 0;

	if (!sum || pipeline_start(pl, jobs))
		ret = fail("%s: out of memory", s->action);
	for (size_t i = 0; i < nr && !ret; i++)
		ret = put_header(s, &pl->copies[i], pl, &extent) || put_copy(s, pl, i, sum, &next)
			      ? -1
			      : 0;
	pipeline_stop(pl);
	checksum_free(sum);
	return ret;
}

struct extents {
	struct extent *list;
	size_t nr, room;
};

static int add_extent(struct extents *e, size_t copy, uint64_t from, uint64_t end)
{
	if (e->nr == e->room) {
		size_t room = e->room ? e->room * 2 : 256;
		void *more = reallocarray(e->list, room, sizeof(*e->list));

		if (!more)
			return -1;
		e->list = more;
		e->room = room;
	}
	e->list[e->nr++] = (struct extent){ copy, from, end };
	return 0;
}

/* Where data lies, in whole pages. */
static int list_extents(struct extents *extents, struct checksum_copy *c, size_t copy)
{
	uint64_t pos = 0;

	while (pos < c->size) {
		int64_t data = checksum_data(c, pos, c->size);
		uint64_t from, end;

		if (data < 0)
			return checksum_error(c, errno, false, pos);
		if ((uint64_t)data >= c->size)
			break;
		from = (uint64_t)data & ~(uint64_t)(IMAGE_PAGE_SIZE - 1);
		end = checksum_hole(c, (uint64_t)data, c->size) + IMAGE_PAGE_SIZE - 1;
		end &= ~(uint64_t)(IMAGE_PAGE_SIZE - 1);
		if (end > c->size)
			end = c->size;
		if (add_extent(extents, copy, from, end))
			return checksum_error(c, ENOMEM, false, pos);
		pos = end;
	}
	return 0;
}

int stream_add_copies(struct stream *s, struct checksum_copy *copies, size_t nr, unsigned int jobs)
{
	struct extents extents = { 0 };
	struct pipeline pl = { .copies = copies,
			       .lock = PTHREAD_MUTEX_INITIALIZER,
			       .changed = PTHREAD_COND_INITIALIZER };
	int ret = 0;

	for (size_t i = 0; i < nr && !ret; i++)
		ret = list_extents(&extents, &copies[i], i);
	pl.extents = extents.list;
	pl.nr_extents = extents.nr;
	if (!ret)
		ret = put_copies(s, &pl, nr, jobs);
	free(extents.list);
	return ret;
}

int stream_end(struct stream *s)
{
	int ret = archive_write_close(s->archive) == ARCHIVE_OK ? 0 : stream_fail(s);

	stream_abort(s);
	return ret;
}

void stream_abort(struct stream *s)
{
	if (!s)
		return;
	/* without this, freeing an archive writes its end */
	archive_write_fail(s->archive);
	archive_write_free(s->archive);
	if (s->hole)
		munmap((void *)s->hole, HOLE_BYTES);
	free(s);
}
