// SPDX-License-Identifier: GPL-2.0-or-later
/* Several files copied at once, in blocks that all threads take from one queue. */
#include "checksum.h"
#include "image.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct copy_run {
	struct checksum_copy *copies;
	size_t nr;
	pthread_mutex_t lock;
	size_t at; /* the file whose blocks are handed out */
	uint64_t next; /* where to look there for the next block with data */
	struct checksum_copy *failed;
};

struct block {
	struct checksum_copy *c;
	uint64_t offset;
	size_t slot; /* of its entry in c->blocks */
};

static int new_slot(struct checksum_copy *c, size_t *slot)
{
	if (c->nr_blocks == c->room) {
		size_t room = c->room ? c->room * 2 : 64;
		void *more = reallocarray(c->blocks, room, sizeof(*c->blocks));

		if (!more)
			return -1;
		c->blocks = more;
		c->room = room;
	}
	*slot = c->nr_blocks++;
	c->pending++;
	return 0;
}

/* A block can turn out to be all zero: it has no entry. */
static void drop_empty(struct checksum_copy *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->nr_blocks; i++)
		if (c->blocks[i].offset != UINT64_MAX)
			c->blocks[kept++] = c->blocks[i];
	c->nr_blocks = kept;
}

/* No more of it is read. Called with the lock held, which is dropped meanwhile. */
static void finish(struct copy_run *run, struct checksum_copy *c)
{
	pthread_mutex_unlock(&run->lock);
	drop_empty(c);
	if (c->finished)
		c->finished(c);
	pthread_mutex_lock(&run->lock);
}

/* The next block with data of the file at hand; 1, 0 at its end, -1 on error. */
static int next_block(struct copy_run *run, struct block *b)
{
	struct checksum_copy *c = &run->copies[run->at];
	int64_t data = checksum_data(c, run->next, c->size);

	if (data < 0)
		return checksum_error(c, errno, false, run->next);
	if ((uint64_t)data >= c->size)
		return 0;
	if (new_slot(c, &b->slot))
		return checksum_error(c, ENOMEM, false, run->next);
	b->c = c;
	b->offset = (uint64_t)data / CHECKSUM_BLOCK * CHECKSUM_BLOCK;
	run->next = b->offset + CHECKSUM_BLOCK;
	return 1;
}

static bool claim(struct copy_run *run, struct block *b)
{
	int ret = 0;

	pthread_mutex_lock(&run->lock);
	while (!run->failed && run->at < run->nr && !ret) {
		struct checksum_copy *c = &run->copies[run->at];

		ret = next_block(run, b);
		if (ret < 0)
			run->failed = c;
		if (ret)
			break;
		run->at++;
		run->next = 0;
		c->claimed = true;
		if (!c->pending)
			finish(run, c);
	}
	pthread_mutex_unlock(&run->lock);
	return ret > 0;
}

static void hand_in(struct copy_run *run, const struct block *b, int result, uint64_t hash)
{
	pthread_mutex_lock(&run->lock);
	b->c->blocks[b->slot] =
		(struct checksum_block){ result > 0 ? b->offset : UINT64_MAX, hash };
	b->c->pending--;
	if (result < 0 && !run->failed)
		run->failed = b->c;
	if (!run->failed && b->c->claimed && !b->c->pending)
		finish(run, b->c);
	pthread_mutex_unlock(&run->lock);
}

static void *copy_worker(void *ctx)
{
	struct copy_run *run = ctx;
	struct checksum_worker w;
	struct block b = { 0 };
	uint64_t hash = 0;

	if (checksum_worker_begin(&w)) {
		pthread_mutex_lock(&run->lock);
		checksum_error(&run->copies[0], ENOMEM, false, 0);
		run->failed = &run->copies[0];
		pthread_mutex_unlock(&run->lock);
	}
	while (claim(run, &b)) {
		int n = checksum_one(b.c, b.offset, &w, &hash);

		hand_in(run, &b, n, hash);
	}
	checksum_worker_end(&w);
	return NULL;
}

/* No more threads than there can be blocks. */
static unsigned int useful_jobs(const struct checksum_copy *copies, size_t nr, unsigned int jobs)
{
	uint64_t blocks = 0;

	for (size_t i = 0; i < nr && blocks < jobs; i++)
		blocks += copies[i].size / CHECKSUM_BLOCK + 1;
	return blocks < jobs ? (unsigned int)blocks : jobs;
}

struct checksum_copy *checksum_copy_all(struct checksum_copy *copies, size_t nr, unsigned int jobs)
{
	struct copy_run run = { .copies = copies, .nr = nr, .lock = PTHREAD_MUTEX_INITIALIZER };

	for (size_t i = 0; i < nr; i++)
		pthread_mutex_init(&copies[i].turn, NULL);
	run_parallel(useful_jobs(copies, nr, jobs), copy_worker, &run);
	for (size_t i = 0; i < nr; i++)
		pthread_mutex_destroy(&copies[i].turn);
	for (size_t i = 0; run.failed && i < nr; i++) {
		free(copies[i].blocks);
		copies[i].blocks = NULL;
		copies[i].nr_blocks = 0;
	}
	return run.failed;
}
