// SPDX-License-Identifier: GPL-2.0-or-later
/* Contents to a directory or a stream, of a snapshot or of the frozen group. */
#include "dump.h"
#include "interrupt.h"
#include "report.h"
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool to_stdout(const struct dump *d)
{
	return strcmp(d->opt.output, "-") == 0;
}

int read_failed(const struct checksum_copy *c)
{
	const struct image_process *p = c->owner;

	if (c->error == ECANCELED)
		return -1; /* main() tells of the interrupt */
	if (!p)
		return fail("cannot read what goes into %s of the image: %s", c->name,
			    c->error == ENODATA ? "its file was cut meanwhile (dump again)"
						: strerror(c->error));
	if (c->error == ESTALE || c->error == ESRCH)
		return fail("cannot read the memory of pid %d (%s): it ended during the dump",
			    p->info.pid, p->info.comm);
	return fail("cannot read the memory of pid %d (%s): %s", p->info.pid, p->info.comm,
		    c->error == EFAULT ? "a page of it is lost (the kernel's log may tell why)"
				       : strerror(c->error));
}

static struct manifest_file *new_sum(struct dump *d, const char *name, uint64_t size)
{
	struct manifest_file *f = &d->priv.manifest.sums[d->priv.manifest.nr_sums++];

	f->name = name;
	f->size = size;
	return f;
}

/* What was captured of it is given back at once. */
static void close_core(struct checksum_copy *c)
{
	struct image_process *p = c->owner;

	close(p->core_fd);
	p->core_fd = -1;
}

static int keep_sums(struct dump *d, struct checksum_copy *c)
{
	struct manifest_file *sum = new_sum(d, c->name, c->size);

	d->bytes_written += c->written;
	sum->nr_blocks = c->nr_blocks;
	sum->blocks = arena_alloc(&d->priv.arena, c->nr_blocks, sizeof(*c->blocks));
	if (!sum->blocks)
		return -1;
	if (c->nr_blocks)
		memcpy(sum->blocks, c->blocks, c->nr_blocks * sizeof(*c->blocks));
	return 0;
}

/* Of a stream's cores the first one that could not be read. */
static struct checksum_copy *find_unread(struct checksum_copy *copies, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (copies[i].error)
			return &copies[i];
	return NULL;
}

static int write_files(struct dump *d, struct stream *stream, struct checksum_copy *copies,
		       size_t nr)
{
	struct checksum_copy *unread = NULL;
	int ret;

	if (stream) {
		ret = stream_add_copies(stream, copies, nr, d->opt.jobs);
		unread = ret ? find_unread(copies, nr) : NULL;
	} else {
		ret = store_copies(d, copies, nr, &unread);
	}
	return unread ? read_failed(unread) : ret;
}

/* Write them, keep their sums, free them. */
static int copy_files(struct dump *d, struct stream *stream, struct checksum_copy *copies,
		      size_t nr)
{
	int ret = write_files(d, stream, copies, nr);

	for (size_t i = 0; i < nr; i++) {
		if (!ret)
			ret = keep_sums(d, &copies[i]);
		free(copies[i].blocks);
	}
	return ret;
}

/* Of open files: the group stands still meanwhile. */
static int copy_contents(struct dump *d, struct stream *stream)
{
	struct checksum_copy *copies = arena_alloc(&d->priv.arena, d->nr_contents, sizeof(*copies));
	int ret;

	if (!copies)
		return -1;
	for (size_t i = 0; i < d->nr_contents; i++)
		copies[i] = (struct checksum_copy){
			.name = d->contents[i].name,
			.in_fd = d->contents[i].fd,
			.out_fd = -1,
			.size = d->contents[i].size,
			.unsought = d->contents[i].borrowed,
			.stop = &interrupted,
		};
	ret = copy_files(d, stream, copies, d->nr_contents);
	if (ret || check_contents(d) || session_undisturbed(d))
		return -1;
	close_contents(d);
	return snapshot_outlives(d) ? session_thaw(d, 0) : 0;
}

static int copy_cores(struct dump *d, struct stream *stream)
{
	size_t nr = d->img.nr_processes;
	struct checksum_copy *copies = arena_alloc(&d->priv.arena, nr, sizeof(*copies));

	if (!copies)
		return -1;
	for (size_t i = 0; i < nr; i++) {
		struct image_process *p = &d->img.processes[i];

		copies[i] = (struct checksum_copy){
			.name = p->core_name,
			.in_fd = p->core_fd,
			.out_fd = -1,
			.size = p->core_size,
			.stop = &interrupted,
			.done = &d->bytes_read,
			.finished = close_core,
			.owner = p,
			.splice = snapshot_outlives(d),
		};
	}
	return leave_out_shared(d, copies) ? -1 : copy_files(d, stream, copies, nr);
}

/* Contents of a pipe fit into a few blocks at most. */
static int sum_buffer(struct dump *d, const struct buffer *b)
{
	struct manifest_file *f = new_sum(d, b->name, b->size);
	struct checksum_state *s = checksum_begin();
	char page[IMAGE_PAGE_SIZE];
	size_t pos = 0;

	f->blocks = arena_alloc(&d->priv.arena, b->size / CHECKSUM_BLOCK + 1, sizeof(*f->blocks));
	if (!f->blocks || !s) {
		checksum_free(s);
		return fail("cannot write %s: out of memory", b->name);
	}
	while (pos < b->size) {
		struct checksum_block *block = &f->blocks[f->nr_blocks];

		block->offset = pos;
		checksum_reset(s);
		do {
			size_t len = b->size - pos < sizeof(page) ? b->size - pos : sizeof(page);

			memset(page, 0, sizeof(page));
			memcpy(page, (const char *)b->data + pos, len);
			checksum_page(s, pos, page);
			pos += len;
		} while (pos < b->size && pos % CHECKSUM_BLOCK);
		f->nr_blocks += checksum_end(s, &block->hash);
	}
	checksum_free(s);
	return 0;
}

static int put(struct dump *d, struct stream *stream, const char *name, const void *data,
	       size_t size)
{
	return stream ? stream_add(stream, name, data, size) : store_buffer(d, name, data, size);
}

static int copy_rest(struct dump *d, struct stream *stream)
{
	size_t len;
	char *text;
	int ret;

	for (size_t i = 0; i < d->nr_buffers; i++) {
		const struct buffer *b = &d->buffers[i];

		if (sum_buffer(d, b) || put(d, stream, b->name, b->data, b->size))
			return -1;
		d->bytes_written += b->size;
	}
	text = manifest_format(&d->priv.manifest, &len);
	if (!text)
		return -1;
	ret = put(d, stream, MANIFEST_NAME, text, len);
	free(text);
	return ret;
}

static int copy_all(struct dump *d, struct stream *stream)
{
	int ret;

	if (d->nr_contents && copy_contents(d, stream))
		return -1;
	if (!d->frozen)
		limits_watch(d);
	ret = copy_cores(d, stream) || check_mapped(d) ? -1 : 0;
	limits_end(d);
	if (ret || interrupted)
		return -1;
	if (d->frozen && session_undisturbed(d))
		return -1;
	/* nothing more is read of it; who is to be killed or stopped waits for the end */
	if (d->frozen && !d->opt.kill && !d->opt.leave_stopped && session_thaw(d, 0))
		return -1;
	return copy_rest(d, stream);
}

static int transfer_stream(struct dump *d)
{
	static const char action[] = "cannot write to standard output";
	struct stream *stream =
		stream_begin(STDOUT_FILENO, action, (int64_t)d->freeze.out_realtime_ns);

	if (!stream)
		return -1;
	if (copy_all(d, stream)) {
		stream_abort(stream);
		return -1;
	}
	if (stream_end(stream))
		return -1;
	/* a pipe cannot be synced, a file can be */
	if (fsync(STDOUT_FILENO) && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
		return fail("%s: %s", action, strerror(errno));
	return 0;
}

int transfer(struct dump *d)
{
	struct manifest *m = &d->priv.manifest;
	int ret;

	m->sums = arena_alloc(&d->priv.arena, d->img.nr_processes + d->nr_buffers + d->nr_contents,
			      sizeof(*m->sums));
	if (!m->sums)
		return -1;
	progress_begin(d);
	if (to_stdout(d))
		ret = transfer_stream(d);
	else
		ret = copy_all(d, NULL) || store_commit(d) ? -1 : 0;
	progress_end();
	return ret;
}
