/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One dump from the first check to the last word, shared by the stages. */
#ifndef XCKPT_DUMP_H
#define XCKPT_DUMP_H

#include "core.h"
#include "image_priv.h"
#include "xckpt.h"

struct options {
	int pid;
	const char *output; /* "-": standard output */
	bool kill, leave_stopped, thin, force, quiet;
	unsigned int timeout_ms;
};

/* Contents that go to files/, read while the group is frozen. */
struct buffer {
	const char *name;
	void *data;
	size_t size;
};

/* An image directory under its temporary name. */
struct store {
	int parent_fd, dir_fd;
	const char *parent, *name;
	char temporary[256];
	int *fds; /* of the cores, open until they are synced */
	size_t nr_fds;
};

struct dump {
	struct options opt;
	int session_fd, pid_fd;
	bool frozen;
	struct xckpt_freeze freeze;
	uint64_t xfeatures;
	struct xckpt_task *tasks;
	size_t nr_tasks, nr_threads;
	uint64_t data_bytes; /* what the cores hold, for the progress line */

	struct image img; /* its priv points to @priv */
	struct image_priv priv;
	struct buffer *buffers;
	size_t nr_buffers;

	struct store store;
	_Atomic uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t start_ns, frozen_ns, thawed_ns;
};

uint64_t now_ns(void);

/* options.c: 0, or the exit status + 1 */
int parse_options(int argc, char **argv, struct options *opt);

/* freeze.c: the session and its ioctls */
int session_open(struct dump *d);
int session_freeze(struct dump *d);
int session_tasks(struct dump *d);
int session_undisturbed(struct dump *d); /* after the last byte was read */
int session_core(struct dump *d, int pid, uint64_t *data_bytes); /* the descriptor */
int session_thaw(struct dump *d, uint32_t flags);
/* The name of @pid, "?" when it has gone; @buf has 64 bytes. */
const char *comm_of(int pid, char *buf);

/* capture.c: every core's notes, gathered to one image */
int capture(struct dump *d);
/* files.c: open files that processes share, and what pipes hold */
int merge_files(struct dump *d, const struct core_files *files);
int capture_pipes(struct dump *d);
/* host.c: what the manifest tells about the machine */
int describe_host(struct dump *d);
int describe_mapped(struct dump *d);

/* transfer.c: contents to a directory or a stream */
int transfer(struct dump *d);

/* store.c: the directory */
int store_begin(struct dump *d);
int store_core(struct dump *d, struct checksum_copy *c, const char *name);
int store_buffer(struct dump *d, const char *name, const void *data, size_t size);
int store_commit(struct dump *d);
void store_abort(struct dump *d);

/* progress.c: one line on a terminal */
void progress_begin(struct dump *d);
void progress_end(void);
/* "12.3 MiB"; @buf has 32 bytes */
const char *human_bytes(uint64_t bytes, char *buf);

#endif
