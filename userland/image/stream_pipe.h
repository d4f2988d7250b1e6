/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading ahead for a stream: some threads read, the caller hashes and writes. */
#ifndef XCKPT_STREAM_PIPE_H
#define XCKPT_STREAM_PIPE_H

#include "checksum.h"

#include <pthread.h>

/* More readers than these do not help: one thread writes. */
#define MAX_READERS 16

/* Where a file has data, in whole pages. */
struct extent {
	size_t copy;
	uint64_t from, end;
};

/* A piece of a file on its way from a reading thread to the writing one. */
struct piece {
	size_t copy;
	uint64_t offset;
	size_t len;
	void *data;
	enum { PIECE_FREE, PIECE_READING, PIECE_FULL } state;
};

struct pipeline {
	struct checksum_copy *copies;
	const struct extent *extents;
	size_t nr_extents;
	pthread_t threads[MAX_READERS];
	unsigned int nr_threads;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* the next piece to read: its number, its extent and how far in there */
	uint64_t claimed;
	size_t extent;
	uint64_t done;
	struct piece *pieces; /* number n is at n % nr_pieces */
	unsigned int nr_pieces;
	char *buffers;
	bool stop;
	atomic_bool failed;
};

/* Start up to @jobs threads; -1 when there is no memory for any. */
int pipeline_start(struct pipeline *pl, unsigned int jobs);
/* Piece number @n, once it is full; NULL after the last one, or when reading failed. */
struct piece *pipeline_wait(struct pipeline *pl, uint64_t n);
/* The writer is done with it. */
void pipeline_free(struct pipeline *pl, struct piece *piece);
/* No more pieces are wanted. */
void pipeline_stop(struct pipeline *pl);

#endif
