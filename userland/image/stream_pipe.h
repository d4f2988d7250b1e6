/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading ahead for a stream: one thread reads, the caller hashes and writes. */
#ifndef XCKPT_STREAM_PIPE_H
#define XCKPT_STREAM_PIPE_H

#include "checksum.h"

#include <pthread.h>

#define NR_BUFFERS 4

/* A piece of a file on its way from the reading thread to the writing one. */
struct piece {
	void *data;
	size_t len; /* 0: the end */
	uint64_t offset;
	bool full;
};

struct pipeline {
	struct checksum_copy *c;
	const struct checksum_block *extents; /* offset, and the end as hash */
	size_t nr_extents;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct piece pieces[NR_BUFFERS];
	bool stop;
};

/* The reading thread: fills pieces in order, the last one has no bytes. */
void *pipeline_read(void *pipeline);
/* The next piece, once it is full; give it back by pipeline_next(). */
struct piece *pipeline_wait(struct pipeline *pl, unsigned int nr);
void pipeline_next(struct pipeline *pl, struct piece *piece);
/* No more pieces are wanted. */
void pipeline_stop(struct pipeline *pl);

#endif
