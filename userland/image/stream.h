/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image as a pax tar stream: cores with their holes, files/, group.json last. */
#ifndef XCKPT_STREAM_H
#define XCKPT_STREAM_H

#include "checksum.h"

struct stream;

/* Write to @fd; NULL after one line on stderr. @action: "cannot write to standard output" */
struct stream *stream_begin(int fd, const char *action, int64_t realtime_ns);
/*
 * Add @nr files of their size read from their in_fd, holes as holes, by @jobs
 * threads, with their checksums going to them. Returns 0, or -1: the caller
 * reports when one of them has an error, else it has been.
 */
int stream_add_copies(struct stream *s, struct checksum_copy *copies, size_t nr, unsigned int jobs);
/* Add a file from memory. */
int stream_add(struct stream *s, const char *name, const void *data, size_t size);
/* The end of the archive; frees @s even on failure. */
int stream_end(struct stream *s);
/* Give up. */
void stream_abort(struct stream *s);

#endif
