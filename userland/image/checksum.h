/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checksums of files with holes. The checksum of a block of 16 MiB is XXH64
 * (seed 0) over each page in it that is not all zero, in order: the page's
 * offset in the file as 64 bits little-endian, then its 4096 bytes, the last
 * page of a file filled up with zeros. A block without such a page has none, so
 * it does not matter how holes are stored or whether they are.
 */
#ifndef XCKPT_CHECKSUM_H
#define XCKPT_CHECKSUM_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "data_map.h"

#define CHECKSUM_BLOCK ((uint64_t)16 << 20)
/* bytes that one read, or one way through a pipe, takes at most; divisors of the block */
#define CHECKSUM_CHUNK ((size_t)256 << 10)
#define CHECKSUM_SPLICE ((size_t)1 << 20)

struct checksum_block {
	uint64_t offset, hash;
};

/* @page is a full one, at a multiple of 8. */
bool page_is_zero(const void *page);

/* The checksum of one block as it grows, pages in order. */
struct checksum_state;
struct checksum_state *checksum_begin(void); /* NULL: no memory */
void checksum_free(struct checksum_state *s);
void checksum_reset(struct checksum_state *s);
/* @page is a full one; nothing happens when it is all zero. True when it was not. */
bool checksum_page(struct checksum_state *s, uint64_t offset, const void *page);
/* False when no page counted. */
bool checksum_end(struct checksum_state *s, uint64_t *hash);

uint64_t checksum_buffer(const void *buf, size_t len);

/* Where the next stored byte at or after @pos is, @size when there is none, -1 on error. */
int64_t next_data(int fd, uint64_t pos, uint64_t size);
/* Where it ends, at most @size. */
uint64_t next_hole(int fd, uint64_t pos, uint64_t size);
/* Up to @len bytes at @offset: less only at the file's end. How many, or -1 with errno. */
ssize_t read_at(int fd, void *buf, size_t len, uint64_t offset);

/*
 * Reading all that is stored of a file of @size bytes and, when @out_fd is not -1,
 * writing its non-zero pages at the same offsets there. @blocks becomes a
 * malloc'ed table in order of offset. On failure @error is an errno, ECANCELED
 * when @stop became non-zero, and @writing tells which side failed.
 */
struct checksum_copy {
	const char *name;
	int in_fd, out_fd;
	uint64_t size;
	bool unsought; /* all of it is data: to look for holes would move @in_fd's position */
	struct data_map left_out; /* as if it were holes; the caller's */
	const void *head; /* in the place of what the file begins with: whole pages */
	size_t head_size;
	const volatile sig_atomic_t *stop;
	_Atomic uint64_t *done; /* bytes read, for who watches; may be NULL */
	void (*finished)(struct checksum_copy *c); /* @in_fd is not needed any more; may be NULL */
	void *owner; /* the caller's */
	/* @in_fd gives pages that never change, and @out_fd can be read as well */
	_Atomic bool splice;

	struct checksum_block *blocks;
	size_t nr_blocks;
	_Atomic uint64_t written; /* bytes of non-zero pages */
	_Atomic int error;
	bool writing;
	uint64_t error_offset;

	/* checksum_copy.c's */
	size_t room, pending;
	bool claimed;
	pthread_mutex_t turn; /* to write to @out_fd */
};

/*
 * Copy @nr files by @jobs threads, which share all their blocks: many small files
 * keep them as busy as a large one. Returns the first one that failed, or NULL.
 */
struct checksum_copy *checksum_copy_all(struct checksum_copy *copies, size_t nr, unsigned int jobs);
/* Note the first error of @c; returns -1. */
int checksum_error(struct checksum_copy *c, int error, bool writing, uint64_t offset);

/* next_data() and next_hole() of what is to be read of @c's file. */
int64_t checksum_data(const struct checksum_copy *c, uint64_t pos, uint64_t end);
uint64_t checksum_hole(const struct checksum_copy *c, uint64_t pos, uint64_t end);
/* All @len bytes at @offset; 0, or -1 with @c->error. */
int checksum_read(struct checksum_copy *c, char *buf, size_t len, uint64_t offset);

/* What one thread needs. */
struct checksum_worker {
	struct checksum_state *state;
	void *buf; /* CHECKSUM_CHUNK bytes, page-aligned */
	int pipe[2];
	char *map; /* a block of the file that is written */
	uint64_t map_at;
	bool strewn; /* with zeros: the rest of the block is better read and written */
};
/* -1 when there is no memory; either needs its end. */
int checksum_worker_begin(struct checksum_worker *w);
void checksum_worker_end(struct checksum_worker *w);
/* One block of @c's files only. Returns 1 with @hash, 0 when it is empty, -1 with @c->error. */
int checksum_one(struct checksum_copy *c, uint64_t block, struct checksum_worker *w,
		 uint64_t *hash);
/* checksum_splice.c: a piece of one block; 0, -1, or 1 when it must be read and written. */
int checksum_splice(struct checksum_copy *c, struct checksum_worker *w, size_t len,
		    uint64_t offset);
void checksum_unmap(struct checksum_worker *w);

/* Run @fn(@ctx) in @jobs threads at once, this one among them. */
#define MAX_JOBS 1024
void run_parallel(unsigned int jobs, void *(*fn)(void *ctx), void *ctx);
unsigned int nr_cpus(void);

#endif
