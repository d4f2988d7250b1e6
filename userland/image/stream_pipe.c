// SPDX-License-Identifier: GPL-2.0-or-later
#include "stream_pipe.h"
#include "image.h"

#include <stdlib.h>

/* Take the next piece to read, once there is room for it; NULL when there is none. */
static struct piece *claim(struct pipeline *pl)
{
	const struct extent *e;
	struct piece *piece;
	uint64_t left;

	for (;;) {
		if (pl->stop || pl->failed || pl->extent == pl->nr_extents)
			return NULL;
		piece = &pl->pieces[pl->claimed % pl->nr_pieces];
		if (piece->state == PIECE_FREE)
			break;
		pthread_cond_wait(&pl->changed, &pl->lock);
	}
	e = &pl->extents[pl->extent];
	left = e->end - e->from - pl->done;
	piece->copy = e->copy;
	piece->offset = e->from + pl->done;
	piece->len = left < CHECKSUM_CHUNK ? left : CHECKSUM_CHUNK;
	piece->state = PIECE_READING;
	pl->claimed++;
	pl->done += piece->len;
	if (piece->len == left) {
		pl->extent++;
		pl->done = 0;
	}
	return piece;
}

static void *reader(void *ctx)
{
	struct pipeline *pl = ctx;
	struct piece *piece;

	pthread_mutex_lock(&pl->lock);
	while ((piece = claim(pl))) {
		int ret;

		pthread_mutex_unlock(&pl->lock);
		ret = checksum_read(&pl->copies[piece->copy], piece->data, piece->len,
				    piece->offset);
		pthread_mutex_lock(&pl->lock);
		piece->state = PIECE_FULL;
		if (ret)
			pl->failed = true;
		pthread_cond_broadcast(&pl->changed);
	}
	/* who waits for a piece may have to see that there is none */
	pthread_cond_broadcast(&pl->changed);
	pthread_mutex_unlock(&pl->lock);
	return NULL;
}

int pipeline_start(struct pipeline *pl, unsigned int jobs)
{
	if (jobs > MAX_READERS)
		jobs = MAX_READERS;
	pl->nr_pieces = 2 * jobs + 2;
	pl->pieces = calloc(pl->nr_pieces, sizeof(*pl->pieces));
	pl->buffers = aligned_alloc(IMAGE_PAGE_SIZE, pl->nr_pieces * CHECKSUM_CHUNK);
	if (!pl->pieces || !pl->buffers)
		return -1;
	for (size_t i = 0; i < pl->nr_pieces; i++)
		pl->pieces[i].data = pl->buffers + i * CHECKSUM_CHUNK;
	while (pl->nr_threads < jobs &&
	       pthread_create(&pl->threads[pl->nr_threads], NULL, reader, pl) == 0)
		pl->nr_threads++;
	return pl->nr_threads ? 0 : -1;
}

struct piece *pipeline_wait(struct pipeline *pl, uint64_t n)
{
	struct piece *piece = &pl->pieces[n % pl->nr_pieces];

	pthread_mutex_lock(&pl->lock);
	for (;;) {
		bool end = pl->extent == pl->nr_extents && n == pl->claimed;

		if (pl->failed || end)
			piece = NULL;
		if (!piece || (n < pl->claimed && piece->state == PIECE_FULL))
			break;
		pthread_cond_wait(&pl->changed, &pl->lock);
	}
	pthread_mutex_unlock(&pl->lock);
	return piece;
}

void pipeline_free(struct pipeline *pl, struct piece *piece)
{
	pthread_mutex_lock(&pl->lock);
	piece->state = PIECE_FREE;
	pthread_cond_broadcast(&pl->changed);
	pthread_mutex_unlock(&pl->lock);
}

void pipeline_stop(struct pipeline *pl)
{
	pthread_mutex_lock(&pl->lock);
	pl->stop = true;
	pthread_cond_broadcast(&pl->changed);
	pthread_mutex_unlock(&pl->lock);
	while (pl->nr_threads)
		pthread_join(pl->threads[--pl->nr_threads], NULL);
	free(pl->pieces);
	free(pl->buffers);
}
