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

static int add_packet(struct dump *d, struct open_file *f, size_t size)
{
	f->packets = arena_grow(&d->priv.arena, f->packets, f->nr_packets, sizeof(*f->packets));
	if (!f->packets)
		return -1;
	f->packets[f->nr_packets++] = (uint32_t)size;
	return 0;
}

/*
 * Read all of a pipe's copy, which is its size. A stream comes in one piece, and a
 * packet by itself: the writer may have gone, and the reader's flags do not tell.
 */
static int read_copy(struct dump *d, struct open_file *f, int fd, char *data, size_t *got)
{
	*got = 0;
	while (*got < f->size) {
		ssize_t n = read(fd, data + *got, f->size - *got);

		if (n <= 0)
			break;
		*got += (size_t)n;
		if (add_packet(d, f, (size_t)n))
			return -1;
	}
	return 0;
}

/* A stream has no borders; one in front of packets cannot be told from them. */
static bool has_clear_borders(struct open_file *f, bool packets)
{
	if (f->nr_packets == 1 && !packets)
		f->nr_packets = 0;
	for (size_t i = 0; i < f->nr_packets; i++)
		if (f->packets[i] > PIPE_PACKET_MAX)
			return false;
	return true;
}

/*
 * Copy what a pipe holds without taking it out: tee() into a pipe of the same
 * capacity, which has a slot for each of the first one's. Where such a pipe
 * cannot be had, @f gets no contents, and image_unsupported() says so.
 */
static int copy_pipe(struct dump *d, struct open_file *f, int fd, bool packets)
{
	struct buffer *b;
	int ends[2], ret = 0;
	size_t got = 0;

	d->buffers = arena_grow(&d->priv.arena, d->buffers, d->nr_buffers, sizeof(*b));
	if (!d->buffers)
		return -1;
	b = &d->buffers[d->nr_buffers];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return fail("cannot make a pipe: %s", strerror(errno));
	b->data = arena_alloc(&d->priv.arena, f->size, 1);
	b->name = arena_printf(&d->priv.arena, MANIFEST_FILES "/pipe-%u", f->id);
	if (!b->data || !b->name)
		ret = -1;
	else if (fcntl(ends[1], F_SETPIPE_SZ, (int)f->capacity) >= (int)f->capacity &&
		 tee(fd, ends[1], INT32_MAX, SPLICE_F_NONBLOCK) == (ssize_t)f->size)
		ret = read_copy(d, f, ends[0], (char *)b->data, &got);
	if (!ret && got == f->size && has_clear_borders(f, packets)) {
		b->size = got;
		f->data = b->name;
		f->data_size = got;
		d->nr_buffers++;
	}
	close(ends[0]);
	close(ends[1]);
	return ret;
}

/* Capacity and contents of the pipe whose reading end is @f. */
static int read_pipe(struct dump *d, struct open_file *f, bool packets)
{
	int fd = holder_reopen(d, f), bytes = 0, capacity, ret = 0;

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
	bool packets;
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
		users.packets |= g->flags & X86_O_DIRECT;
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
