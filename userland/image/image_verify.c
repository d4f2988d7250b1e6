// SPDX-License-Identifier: GPL-2.0-or-later
/* Contents against the manifest's checksums, by several threads. */
#include "checksum.h"
#include "image_priv.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One block that has data, or should have. */
struct verify_block {
	size_t file; /* index among the manifest's checksums */
	uint64_t offset, hash;
	bool expected; /* the manifest has an entry for it */
};

struct verify {
	const struct image *img;
	const struct manifest *m;
	unsigned int what; /* VERIFY_* */
	int *fds; /* per file */
	struct verify_block *blocks;
	size_t nr_blocks, room;
	uint64_t lazy_from, lazy_seen, left;
	atomic_size_t next;
	atomic_bool failed;
};

static const char *action(const struct image *img)
{
	return ((const struct image_priv *)img->priv)->action;
}

static int mismatch(const struct image *img, const char *name, uint64_t offset)
{
	return fail("%s: %s is damaged: checksum mismatch at offset %" PRIu64
		    " (dump again, or copy the image again)",
		    action(img), name, offset);
}

static const struct image_process *process_of(const struct image *img, const char *name)
{
	for (size_t i = 0; i < img->nr_processes; i++)
		if (strcmp(img->processes[i].core_name, name) == 0)
			return &img->processes[i];
	return NULL;
}

/* What a resume maps from the core, and so reads only when the program touches it. */
static bool is_lazy(const struct segment *s)
{
	return s->vma.kind == XCKPT_VMA_FILE;
}

/* Bytes of file-backed contents in a block that holds nothing else, or 0. */
static uint64_t lazy_bytes(const struct image_process *p, uint64_t block)
{
	uint64_t end = block + CHECKSUM_BLOCK, bytes = 0;
	uint64_t first = UINT64_MAX; /* of any segment's contents: before it is the head */

	for (size_t i = 0; p && i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];
		uint64_t from, to;

		if (!s->filesz)
			continue;
		if (first == UINT64_MAX)
			first = s->offset;
		if (s->offset >= end)
			break;
		if (s->offset + s->filesz <= block)
			continue;
		if (!is_lazy(s))
			return 0;
		from = s->offset > block ? s->offset : block;
		to = s->offset + s->filesz < end ? s->offset + s->filesz : end;
		bytes += to - from;
	}
	return first == UINT64_MAX || block < first ? 0 : bytes;
}

/* Note a block to check, unless it may be left for later. */
static int add_block(struct verify *v, size_t file, const struct image_process *p,
		     const struct verify_block *b)
{
	if (v->lazy_from) {
		uint64_t bytes = lazy_bytes(p, b->offset);

		if (bytes && v->lazy_seen >= v->lazy_from) {
			v->left += bytes;
			return 0;
		}
		v->lazy_seen += bytes;
	}
	if (v->nr_blocks == v->room) {
		size_t room = v->room ? v->room * 2 : 256;
		void *more = reallocarray(v->blocks, room, sizeof(*v->blocks));

		if (!more)
			return fail("%s: out of memory", action(v->img));
		v->blocks = more;
		v->room = room;
	}
	v->blocks[v->nr_blocks++] = *b;
	return 0;
}

/* All blocks below @limit with data in the file or an entry in the manifest. */
static int list_blocks(struct verify *v, size_t file, uint64_t limit)
{
	const struct manifest_file *f = &v->m->sums[file];
	const struct image_process *p = process_of(v->img, f->name);
	uint64_t pos = 0;
	size_t entry = 0;

	while (pos < f->size || entry < f->nr_blocks) {
		struct verify_block b = { .file = file };
		int64_t data = next_data(v->fds[file], pos, f->size);

		if (data < 0)
			return fail("%s: cannot read %s: %s", action(v->img), f->name,
				    strerror(errno));
		b.offset = (uint64_t)data < f->size
				   ? (uint64_t)data / CHECKSUM_BLOCK * CHECKSUM_BLOCK
				   : UINT64_MAX;
		if (entry < f->nr_blocks && f->blocks[entry].offset <= b.offset) {
			b.offset = f->blocks[entry].offset;
			b.hash = f->blocks[entry++].hash;
			b.expected = true;
		}
		if (b.offset >= limit)
			break;
		if (add_block(v, file, p, &b))
			return -1;
		pos = b.offset + CHECKSUM_BLOCK;
	}
	return 0;
}

static int check_block(const struct verify *v, const struct verify_block *b,
		       struct checksum_worker *w)
{
	const struct manifest_file *f = &v->m->sums[b->file];
	struct checksum_copy c = { .in_fd = v->fds[b->file], .out_fd = -1, .size = f->size };
	uint64_t hash = 0;
	int n = checksum_one(&c, b->offset, w, &hash);

	if (n < 0)
		return fail("%s: cannot read %s at offset %" PRIu64 ": %s", action(v->img), f->name,
			    c.error_offset, strerror(c.error));
	if ((n > 0) != b->expected || (n > 0 && hash != b->hash))
		return mismatch(v->img, f->name, b->offset);
	return 0;
}

static void *verify_worker(void *ctx)
{
	struct verify *v = ctx;
	struct checksum_worker w;

	if (checksum_worker_begin(&w)) {
		if (!atomic_exchange(&v->failed, true))
			fail("%s: out of memory", action(v->img));
	}
	while (!v->failed) {
		size_t i = atomic_fetch_add(&v->next, 1);

		if (i >= v->nr_blocks)
			break;
		if (check_block(v, &v->blocks[i], &w))
			v->failed = true;
	}
	checksum_worker_end(&w);
	return NULL;
}

static int open_files(struct verify *v)
{
	v->fds = calloc(v->m->nr_sums + 1, sizeof(*v->fds));
	if (!v->fds)
		return fail("%s: out of memory", action(v->img));
	for (size_t i = 0; i < v->m->nr_sums; i++)
		v->fds[i] = -1;
	for (size_t i = 0; i < v->m->nr_sums; i++) {
		const char *name = v->m->sums[i].name;
		const struct image_process *p = process_of(v->img, name);

		if (!(v->what & (p ? VERIFY_CORES : VERIFY_FILES)))
			continue;
		/* the image's own descriptor may be older than what has that name now */
		v->fds[i] = p ? fcntl(p->core_fd, F_DUPFD_CLOEXEC, 0)
			      : openat(v->img->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (v->fds[i] < 0)
			return fail("%s: cannot open %s: %s", action(v->img), name,
				    strerror(errno));
		if (list_blocks(v, i, UINT64_MAX))
			return -1;
	}
	return 0;
}

int image_verify(struct image *img, unsigned int what, unsigned int jobs, uint64_t lazy_from,
		 uint64_t *left)
{
	struct verify v = {
		.img = img, .m = image_manifest(img), .what = what, .lazy_from = lazy_from
	};
	int ret = open_files(&v);

	if (!ret) {
		if (jobs > v.nr_blocks)
			jobs = (unsigned int)v.nr_blocks;
		run_parallel(jobs ? jobs : 1, verify_worker, &v);
		ret = v.failed ? -1 : 0;
	}
	if (left)
		*left = ret ? 0 : v.left;
	for (size_t i = 0; v.fds && i < v.m->nr_sums; i++)
		if (v.fds[i] >= 0)
			close(v.fds[i]);
	free(v.fds);
	free(v.blocks);
	return ret;
}

/* The blocks with the ELF headers and notes, which core_read() believed. */
int image_check_head(const struct image *img, const struct image_process *p)
{
	struct verify v = { .img = img, .m = image_manifest(img) };
	uint64_t head_end = p->core_size;
	size_t file = 0;

	for (size_t i = 0; i < p->nr_segments; i++) {
		if (p->segments[i].filesz) {
			head_end = p->segments[i].offset;
			break;
		}
	}
	while (file < v.m->nr_sums && strcmp(v.m->sums[file].name, p->core_name) != 0)
		file++;
	v.fds = calloc(file + 1, sizeof(*v.fds));
	if (!v.fds)
		return fail("%s: out of memory", action(img));
	v.fds[file] = p->core_fd;
	v.failed = file == v.m->nr_sums || list_blocks(&v, file, head_end);
	verify_worker(&v);
	free(v.fds);
	free(v.blocks);
	return v.failed ? -1 : 0;
}
