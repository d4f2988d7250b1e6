// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copying without a buffer: pages go from the core through a pipe to the file, and
 * the checksum is taken of them there. Half of what reading and writing copies.
 */
#include "checksum.h"
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20)
/* In one piece. A hole is made by a call that takes the page out of every page table. */
#define MAX_HOLES 16

static void close_pipe(struct checksum_worker *w)
{
	for (int i = 0; i < 2; i++) {
		if (w->pipe[i] >= 0)
			close(w->pipe[i]);
		w->pipe[i] = -1;
	}
}

/* Not with this file: from here on it is read and written. */
static int give_up(struct checksum_copy *c, struct checksum_worker *w)
{
	close_pipe(w); /* it may hold something */
	c->splice = false;
	return 1;
}

static bool prepare(struct checksum_copy *c, struct checksum_worker *w, uint64_t block)
{
	void *map;

	if (w->pipe[0] < 0) {
		if (pipe2(w->pipe, O_CLOEXEC)) {
			w->pipe[0] = w->pipe[1] = -1;
			return false;
		}
		/* it works with less as well */
		fcntl(w->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
	}
	if (w->map && w->map_at == block)
		return true;
	map = mmap(NULL, CHECKSUM_BLOCK, PROT_READ, MAP_SHARED, c->out_fd, (off_t)block);
	if (map == MAP_FAILED)
		return false;
	w->map = map;
	w->map_at = block;
	return true;
}

/*
 * Into a file one writes at a time anyway (its inode's lock): who waits for that in the kernel
 * spins for as long as the other one runs, on a processor that somebody else may want.
 */
static ssize_t write_out(struct checksum_copy *c, struct checksum_worker *w, off64_t *out,
			 size_t len)
{
	ssize_t n;

	pthread_mutex_lock(&c->turn);
	n = splice(w->pipe[0], NULL, c->out_fd, out, len, 0);
	pthread_mutex_unlock(&c->turn);
	return n;
}

/* 0; 1: not possible here; -1 with c->error */
static int move(struct checksum_copy *c, struct checksum_worker *w, size_t len, uint64_t offset)
{
	off64_t in = (off64_t)offset, out = (off64_t)offset, end = in + (off64_t)len;

	while (out < end) {
		ssize_t n;

		if ((c->stop && *c->stop) || c->error)
			return checksum_error(c, ECANCELED, false, offset);
		if (in == out) {
			n = splice(c->in_fd, &in, w->pipe[1], NULL, (size_t)(end - in), 0);
			if (n < 0 && errno == EINVAL)
				return give_up(c, w);
			if (n == 0 || (n < 0 && errno != EINTR))
				return checksum_error(c, n ? errno : ENODATA, false, (uint64_t)in);
		} else {
			n = write_out(c, w, &out, (size_t)(in - out));
			if (n < 0 && errno == EINVAL)
				return give_up(c, w);
			if (n == 0) { /* Linux 6.1, of the kernel's own pages: the vDSO */
				close_pipe(w);
				return 1;
			}
			if (n < 0 && errno != EINTR)
				return checksum_error(c, errno, true, (uint64_t)out);
		}
	}
	if (c->done)
		*c->done += len;
	return 0;
}

static int punch(struct checksum_copy *c, uint64_t from, uint64_t end)
{
	/* a file system that cannot has zeros there, which is as good */
	if (from < end && fallocate(c->out_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				    (off_t)from, (off_t)(end - from)))
		return errno == EIO ? checksum_error(c, EIO, true, from) : 0;
	return 0;
}

/*
 * Hash what has arrived; pages of zeros become holes again. Where they are strewn among the
 * others that takes longer than to read and write, which leaves them out: so with the rest.
 */
static int hash(struct checksum_copy *c, struct checksum_worker *w, size_t len, uint64_t offset)
{
	const char *data = w->map + (offset - w->map_at);
	uint64_t zeros = offset, pos;
	unsigned int holes = 0;

	/* an error of the file system is to be one, and no signal */
	if (madvise((void *)data, len, MADV_POPULATE_READ))
		return checksum_error(c, errno == EFAULT ? EIO : errno, true, offset);
	for (pos = offset; pos < offset + len; pos += IMAGE_PAGE_SIZE) {
		if (!checksum_page(w->state, pos, data + (pos - offset)))
			continue;
		c->written += IMAGE_PAGE_SIZE;
		if (punch(c, zeros, pos))
			return -1;
		holes += zeros < pos;
		zeros = pos + IMAGE_PAGE_SIZE;
	}
	w->strewn = holes > MAX_HOLES;
	return punch(c, zeros, pos);
}

int checksum_splice(struct checksum_copy *c, struct checksum_worker *w, size_t len, uint64_t offset)
{
	int ret;

	if (!c->splice || w->strewn || len % IMAGE_PAGE_SIZE || offset < c->head_size)
		return 1;
	if (!prepare(c, w, offset / CHECKSUM_BLOCK * CHECKSUM_BLOCK))
		return give_up(c, w);
	ret = move(c, w, len, offset);
	return ret ? ret : hash(c, w, len, offset);
}

/* At the end of a block. */
void checksum_unmap(struct checksum_worker *w)
{
	if (w->map)
		munmap(w->map, CHECKSUM_BLOCK);
	w->map = NULL;
	w->strewn = false;
}

int checksum_worker_begin(struct checksum_worker *w)
{
	w->pipe[0] = w->pipe[1] = -1;
	w->map = NULL;
	w->strewn = false;
	w->state = checksum_begin();
	w->buf = aligned_alloc(IMAGE_PAGE_SIZE, CHECKSUM_CHUNK);
	return w->state && w->buf ? 0 : -1;
}

void checksum_worker_end(struct checksum_worker *w)
{
	close_pipe(w);
	checksum_unmap(w);
	checksum_free(w->state);
	free(w->buf);
}
