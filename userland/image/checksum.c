// SPDX-License-Identifier: GPL-2.0-or-later
#include "checksum.h"
#include "image.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

struct checksum_state {
	XXH64_state_t *xxh;
	bool any;
};

struct checksum_state *checksum_begin(void)
{
	struct checksum_state *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	s->xxh = XXH64_createState();
	if (!s->xxh) {
		free(s);
		return NULL;
	}
	checksum_reset(s);
	return s;
}

void checksum_free(struct checksum_state *s)
{
	if (s)
		XXH64_freeState(s->xxh);
	free(s);
}

void checksum_reset(struct checksum_state *s)
{
	XXH64_reset(s->xxh, 0);
	s->any = false;
}

bool page_is_zero(const void *page)
{
	const uint64_t *p = page;

	for (size_t i = 0; i < IMAGE_PAGE_SIZE / 8; i += 8)
		if (p[i] | p[i + 1] | p[i + 2] | p[i + 3] | p[i + 4] | p[i + 5] | p[i + 6] |
		    p[i + 7])
			return false;
	return true;
}

bool checksum_page(struct checksum_state *s, uint64_t offset, const void *page)
{
	if (page_is_zero(page))
		return false;
	XXH64_update(s->xxh, &offset, sizeof(offset));
	XXH64_update(s->xxh, page, IMAGE_PAGE_SIZE);
	s->any = true;
	return true;
}

bool checksum_end(struct checksum_state *s, uint64_t *hash)
{
	*hash = s->any ? XXH64_digest(s->xxh) : 0;
	return s->any;
}

uint64_t checksum_buffer(const void *buf, size_t len)
{
	return XXH64(buf, len, 0);
}

/* The first error counts; later ones are mostly its consequences. */
int checksum_error(struct checksum_copy *c, int error, bool writing, uint64_t offset)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	if (!c->error) {
		c->error = error;
		c->writing = writing;
		c->error_offset = offset;
	}
	pthread_mutex_unlock(&lock);
	return -1;
}

static int write_run(struct checksum_copy *c, const char *buf, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(c->out_fd, buf, len, (off_t)offset);

		if (n < 0 && errno == EINTR) {
			if (c->stop && *c->stop)
				return checksum_error(c, ECANCELED, false, offset);
			continue;
		}
		if (n <= 0)
			return checksum_error(c, n < 0 ? errno : EIO, true, offset);
		buf += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
		c->written += (uint64_t)n;
	}
	return 0;
}

/* Hash the pages of @buf, which lies at @offset, and write runs of non-zero ones. */
static int take_pages(struct checksum_copy *c, struct checksum_state *s, char *buf, size_t len,
		      uint64_t offset)
{
	size_t start = 0, full = (len + IMAGE_PAGE_SIZE - 1) & ~(size_t)(IMAGE_PAGE_SIZE - 1);
	size_t pos;

	memset(buf + len, 0, full - len);
	for (pos = 0; pos < full; pos += IMAGE_PAGE_SIZE) {
		if (checksum_page(s, offset + pos, buf + pos))
			continue;
		if (c->out_fd >= 0 && write_run(c, buf + start, pos - start, offset + start))
			return -1;
		start = pos + IMAGE_PAGE_SIZE;
	}
	if (c->out_fd >= 0 && start < len)
		return write_run(c, buf + start, len - start, offset + start);
	return 0;
}

static int copy_extent(struct checksum_copy *c, struct checksum_worker *w, uint64_t pos,
		       uint64_t end)
{
	while (pos < end) {
		size_t room = c->splice ? CHECKSUM_SPLICE : CHECKSUM_CHUNK;
		size_t len = end - pos < room ? end - pos : room;
		int ret = checksum_splice(c, w, len, pos);

		if (ret > 0) {
			len = len < CHECKSUM_CHUNK ? len : CHECKSUM_CHUNK;
			ret = checksum_read(c, w->buf, len, pos) ||
					      take_pages(c, w->state, w->buf, len, pos)
				      ? -1
				      : 0;
		}
		if (ret)
			return -1;
		pos += len;
	}
	return 0;
}

int checksum_one(struct checksum_copy *c, uint64_t block, struct checksum_worker *w, uint64_t *hash)
{
	uint64_t end = c->size - block < CHECKSUM_BLOCK ? c->size : block + CHECKSUM_BLOCK;
	uint64_t pos = block;
	int ret = 0;

	checksum_reset(w->state);
	while (pos < end && !ret) {
		int64_t data = checksum_data(c, pos, end);
		uint64_t stop;

		if (data < 0)
			ret = checksum_error(c, errno, false, pos);
		if (ret || (uint64_t)data >= end)
			break;
		/* file systems may have smaller blocks than pages */
		pos = (uint64_t)data & ~(uint64_t)(IMAGE_PAGE_SIZE - 1);
		stop = checksum_hole(c, (uint64_t)data, end);
		stop = (stop + IMAGE_PAGE_SIZE - 1) & ~(uint64_t)(IMAGE_PAGE_SIZE - 1);
		if (stop > end)
			stop = end;
		ret = copy_extent(c, w, pos, stop);
		pos = stop;
	}
	checksum_unmap(w);
	return ret ? ret : checksum_end(w->state, hash);
}

void run_parallel(unsigned int jobs, void *(*fn)(void *ctx), void *ctx)
{
	pthread_t threads[MAX_JOBS];
	unsigned int started = 0;

	if (jobs > MAX_JOBS)
		jobs = MAX_JOBS;
	/* when threads cannot be had, this one does all of the work */
	while (started + 1 < jobs && pthread_create(&threads[started], NULL, fn, ctx) == 0)
		started++;
	fn(ctx);
	while (started)
		pthread_join(threads[--started], NULL);
}

unsigned int nr_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return (unsigned int)CPU_COUNT(&set);
	return 1;
}
