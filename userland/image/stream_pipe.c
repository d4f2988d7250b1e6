// SPDX-License-Identifier: GPL-2.0-or-later
#include "stream_pipe.h"

#include <errno.h>
#include <unistd.h>

static int read_fully(struct checksum_copy *c, char *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n;

		if (c->stop && *c->stop)
			n = -1, errno = ECANCELED;
		else
			n = pread(c->in_fd, buf + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			c->error = n < 0 ? errno : ENODATA;
			c->error_offset = offset + done;
			return -1;
		}
		done += (size_t)n;
		if (c->done)
			*c->done += (uint64_t)n;
	}
	return 0;
}

/* Hand on a piece; false when the other side has given up. */
static bool pass(struct pipeline *pl, struct piece *piece, size_t len, uint64_t offset)
{
	bool go_on;

	pthread_mutex_lock(&pl->lock);
	piece->len = len;
	piece->offset = offset;
	piece->full = true;
	pthread_cond_broadcast(&pl->changed);
	go_on = !pl->stop;
	pthread_mutex_unlock(&pl->lock);
	return go_on;
}

static bool wait_for(struct pipeline *pl, struct piece *piece, bool full)
{
	bool go_on;

	pthread_mutex_lock(&pl->lock);
	while (piece->full != full && !pl->stop)
		pthread_cond_wait(&pl->changed, &pl->lock);
	go_on = !pl->stop;
	pthread_mutex_unlock(&pl->lock);
	return go_on;
}

void *pipeline_read(void *pipeline)
{
	struct pipeline *pl = pipeline;
	unsigned int next = 0;

	for (size_t i = 0; i < pl->nr_extents; i++) {
		uint64_t pos = pl->extents[i].offset, end = pl->extents[i].hash;

		while (pos < end) {
			struct piece *piece = &pl->pieces[next++ % NR_BUFFERS];
			size_t len = end - pos < CHECKSUM_CHUNK ? end - pos : CHECKSUM_CHUNK;

			if (!wait_for(pl, piece, false))
				return NULL;
			if (read_fully(pl->c, piece->data, len, pos)) {
				pass(pl, piece, 0, 0);
				return NULL;
			}
			if (!pass(pl, piece, len, pos))
				return NULL;
			pos += len;
		}
	}
	if (wait_for(pl, &pl->pieces[next % NR_BUFFERS], false))
		pass(pl, &pl->pieces[next % NR_BUFFERS], 0, 0);
	return NULL;
}

struct piece *pipeline_wait(struct pipeline *pl, unsigned int nr)
{
	struct piece *piece = &pl->pieces[nr % NR_BUFFERS];

	wait_for(pl, piece, true);
	return piece;
}

void pipeline_next(struct pipeline *pl, struct piece *piece)
{
	pthread_mutex_lock(&pl->lock);
	piece->full = false;
	pthread_cond_broadcast(&pl->changed);
	pthread_mutex_unlock(&pl->lock);
}

void pipeline_stop(struct pipeline *pl)
{
	pthread_mutex_lock(&pl->lock);
	pl->stop = true;
	pthread_cond_broadcast(&pl->changed);
	pthread_mutex_unlock(&pl->lock);
}
