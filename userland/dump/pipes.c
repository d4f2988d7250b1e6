// SPDX-License-Identifier: GPL-2.0-or-later
/* The contents of pipes inside of the group. */
#include "dump.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool reads(const struct open_file *f)
{
	return !(f->flags & X86_O_PATH) && (f->flags & X86_O_ACCMODE) != X86_O_WRONLY;
}

static bool writes(const struct open_file *f)
{
	return !(f->flags & X86_O_PATH) && ((f->flags & X86_O_ACCMODE) == X86_O_WRONLY ||
					    (f->flags & X86_O_ACCMODE) == X86_O_RDWR);
}

/* Two copies of what a pipe holds: reading ends, or -1. */
struct copies {
	int data, probe;
	bool packets; /* that is what is written to it now */
};

/* What one read(2) of all that there is gives: it ends behind the first packet. */
enum piece {
	PIECE_STREAM,
	PIECE_PACKET,
	PIECE_MIXED, /* a stream with a packet behind it */
};

/* Bytes that are left in @fd after @nr were read; -1: there were not so many. */
static int left_after(int fd, size_t nr)
{
	static char junk[1 << 16];
	int left = -1;

	while (nr) {
		ssize_t n = read(fd, junk, nr < sizeof(junk) ? nr : sizeof(junk));

		if (n <= 0)
			return -1;
		nr -= (size_t)n;
	}
	return ioctl(fd, FIONREAD, &left) ? -1 : left;
}

/*
 * What the next @size bytes of @fd are, which are taken out: who reads a part of a
 * packet loses the rest of it. That does not tell of one byte: alone it is what is
 * written to this pipe (@packets), behind a stream a part of that.
 */
static enum piece look_at_piece(int fd, int size, bool packets)
{
	int all = left_after(fd, 0), left = left_after(fd, 1);

	if (size == 1 && left == 0 && !packets)
		return PIECE_STREAM;
	if (left == all - size)
		return PIECE_PACKET;
	if (left != all - 1 || (size > 2 && left_after(fd, (size_t)size - 2) != all - size + 1))
		return PIECE_MIXED;
	return left_after(fd, 1) == all - size ? PIECE_STREAM : PIECE_MIXED;
}

static int add_packet(struct dump *d, struct open_file *f, size_t size)
{
	f->packets = arena_grow(&d->priv.arena, f->packets, f->nr_packets, sizeof(*f->packets));
	if (!f->packets)
		return -1;
	f->packets[f->nr_packets++] = (uint32_t)size;
	return 0;
}

/*
 * A copy of what a pipe holds, which stays in it: tee() into a pipe of the same
 * capacity, which has a slot for each of the first one's. *@copy is its reading end,
 * or -1 where such a pipe cannot be had.
 */
static int tee_pipe(const struct open_file *f, int fd, int *copy)
{
	int ends[2];

	*copy = -1;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return fail("cannot make a pipe: %s", strerror(errno));
	if (fcntl(ends[1], F_SETPIPE_SZ, (int)f->capacity) >= (int)f->capacity &&
	    tee(fd, ends[1], INT32_MAX, SPLICE_F_NONBLOCK) == (ssize_t)f->size)
		*copy = ends[0];
	else
		close(ends[0]);
	close(ends[1]);
	return 0;
}

/*
 * Read one copy into @data, looking at each piece in the other: the flags do not
 * tell, since whoever wrote packets may have gone. *@whole is set when it is all
 * there: a stream or packets, and not one behind the other.
 */
static int read_pieces(struct dump *d, struct open_file *f, struct copies *copies, char *data,
		       bool *whole)
{
	size_t got = 0;

	while (got < f->size) {
		ssize_t n = read(copies->data, data + got, f->size - got);
		enum piece piece =
			n > 0 ? look_at_piece(copies->probe, (int)n, copies->packets) : PIECE_MIXED;

		if (piece != PIECE_PACKET || n > PIPE_PACKET_MAX) {
			*whole = piece == PIECE_STREAM && (uint64_t)n == f->size;
			return 0;
		}
		if (add_packet(d, f, (size_t)n))
			return -1;
		got += (size_t)n;
	}
	*whole = true;
	return 0;
}

/* Where they cannot be read, @f gets no contents, and image_unsupported() says so. */
static int copy_pipe(struct dump *d, struct open_file *f, int fd, bool packets)
{
	struct buffer *b;
	struct copies copies = { -1, -1, packets };
	bool whole = false;
	int ret;

	d->buffers = arena_grow(&d->priv.arena, d->buffers, d->nr_buffers, sizeof(*b));
	if (!d->buffers)
		return -1;
	b = &d->buffers[d->nr_buffers];
	b->data = arena_alloc(&d->priv.arena, f->size, 1);
	b->name = arena_printf(&d->priv.arena, MANIFEST_FILES "/pipe-%u", f->id);
	if (!b->data || !b->name)
		return -1;
	ret = tee_pipe(f, fd, &copies.data) || tee_pipe(f, fd, &copies.probe) ? -1 : 0;
	if (!ret && copies.data >= 0 && copies.probe >= 0)
		ret = read_pieces(d, f, &copies, (char *)b->data, &whole);
	if (whole) {
		b->size = f->size;
		f->data = b->name;
		f->data_size = b->size;
		d->nr_buffers++;
	}
	if (copies.data >= 0)
		close(copies.data);
	if (copies.probe >= 0)
		close(copies.probe);
	return ret;
}

/* Capacity and contents of the pipe whose reading end is @f. */
static int read_pipe(struct dump *d, struct open_file *f, bool packets)
{
	int fd = holder_look(d, f), bytes = 0, capacity, ret = 0;

	if (fd < 0)
		return fail("cannot open %s of the group: %s", f->path, strerror(errno));
	capacity = fcntl(fd, F_GETPIPE_SZ);
	if (capacity > 0)
		f->capacity = (uint32_t)capacity;
	if (ioctl(fd, FIONREAD, &bytes))
		ret = fail("cannot tell what %s holds: %s", f->path, strerror(errno));
	else if (bytes > 0) {
		f->size = (uint64_t)bytes;
		ret = copy_pipe(d, f, fd, packets);
	}
	close(fd);
	return ret;
}

static bool same_pipe(const struct open_file *a, const struct open_file *b)
{
	return is_pipe(a) && is_pipe(b) && a->dev == b->dev && a->ino == b->ino;
}

/* Of one pipe: who in the group has it. */
struct pipe_users {
	struct open_file *reader; /* the first one */
	uint32_t readers, writers;
	uint32_t all_readers, all_writers; /* whoever has them; not told of an O_PATH */
	bool packets; /* somebody writes them */
};

/* Its descriptions in the group are @f and some behind it; their contents are not known yet. */
static struct pipe_users find_users(struct dump *d, struct open_file *f)
{
	struct open_file *end = d->img.files + d->img.nr_files;
	struct pipe_users users = { 0 };

	for (struct open_file *g = f; g < end; g++) {
		if (!same_pipe(f, g))
			continue;
		g->size = 0;
		g->inside = false;
		users.readers += reads(g);
		users.writers += writes(g);
		if (g->readers > users.all_readers)
			users.all_readers = g->readers;
		if (g->writers > users.all_writers)
			users.all_writers = g->writers;
		users.packets |= writes(g) && g->flags & X86_O_DIRECT;
		if (!users.reader && reads(g))
			users.reader = g;
	}
	return users;
}

/* Both ends are here; or one, and there is no other: an end of file, or a broken pipe. */
static bool is_inside(const struct pipe_users *users)
{
	bool whole = users->readers == users->all_readers && users->writers == users->all_writers;

	return whole || (users->readers && users->writers);
}

int capture_pipes(struct dump *d)
{
	struct open_file *files = d->img.files;

	for (size_t i = 0; i < d->img.nr_files; i++) {
		struct open_file *f = &files[i];
		struct pipe_users users;

		if (!is_pipe(f) || f->inside)
			continue;
		users = find_users(d, f);
		if (!is_inside(&users))
			continue;
		if (users.reader && read_pipe(d, users.reader, users.packets))
			return -1;
		for (size_t j = i; j < d->img.nr_files; j++) {
			if (!same_pipe(f, &files[j]))
				continue;
			files[j].inside = true;
			if (users.reader)
				files[j].capacity = users.reader->capacity;
		}
	}
	return 0;
}
