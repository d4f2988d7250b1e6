// SPDX-License-Identifier: GPL-2.0-or-later
/* Contents against the manifest's checksums, by several threads, and out to who loads them. */
#include "checksum.h"
#include "image_priv.h"
#include "interrupt.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One block that has data, or should have. */
struct verify_block {
	size_t file; /* index among the manifest's checksums */
	uint64_t offset, hash;
	bool expected; /* the manifest has an entry for it */
};

/* What one thread needs. */
struct verify_worker {
	struct checksum_state *state;
	char *buf; /* CHECKSUM_CHUNK bytes, for who cannot be mapped */
};

struct verify {
	const struct image *img;
	const struct manifest *m;
	unsigned int what; /* VERIFY_* */
	int *fds; /* per file */
	struct data_map *maps; /* as well; of cores they are the image's */
	struct verify_block *blocks;
	size_t nr_blocks, room;
	uint64_t lazy_from, lazy_seen, left;
	image_take_fn *take; /* or NULL */
	image_hash_fn *hash; /* as well */
	void *ctx;
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

		if (!s->filesz || s->borrowed)
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
	const struct data_map *map = &v->maps[file];
	size_t range = 0, entry = 0;
	uint64_t pos = 0;

	for (;;) {
		struct verify_block b = { .file = file, .offset = UINT64_MAX };

		while (range < map->nr && map->ranges[range].end <= pos)
			range++;
		if (range < map->nr) {
			uint64_t from = map->ranges[range].from;

			b.offset = (from > pos ? from : pos) / CHECKSUM_BLOCK * CHECKSUM_BLOCK;
		}
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

static int read_failed(const struct verify *v, const struct verify_block *b, int error,
		       uint64_t offset)
{
	return fail("%s: cannot read %s at offset %" PRIu64 ": %s", action(v->img),
		    v->m->sums[b->file].name, offset, strerror(error));
}

static const char *read_piece(struct verify_worker *w, int fd, size_t len, uint64_t offset)
{
	ssize_t n;

	if (!w->buf && !(w->buf = malloc(CHECKSUM_CHUNK)))
		return NULL;
	n = read_at(fd, w->buf, len, offset);
	if (n < 0)
		return NULL;
	if ((size_t)n < len) {
		errno = ENODATA;
		return NULL;
	}
	memset(w->buf + len, 0, CHECKSUM_CHUNK - len);
	return w->buf;
}

/*
 * @len bytes at @offset, and zeros to the end of their page, or NULL with errno: of
 * the file's pages themselves, in @map of the block, where there is one.
 */
static const char *find_piece(struct verify_worker *w, char *map, int fd, size_t len,
			      uint64_t offset)
{
	char *piece = map + offset % CHECKSUM_BLOCK;

	if (map == MAP_FAILED)
		return read_piece(w, fd, len, offset);
	/* an error of the file system is to be one, and no signal; unknown before Linux 5.14 */
	if (!madvise(piece, len, MADV_POPULATE_READ) || errno == EINVAL)
		return piece;
	errno = errno == EFAULT ? EIO : errno;
	return NULL;
}

/* Data from @from to @end, of pages that the file has. */
static int take_extent(const struct verify *v, const struct verify_block *b,
		       struct verify_worker *w, char *map, uint64_t from, uint64_t end)
{
	const struct manifest_file *f = &v->m->sums[b->file];
	const struct image_process *p = v->take ? process_of(v->img, f->name) : NULL;

	while (from < end) {
		size_t len = end - from < CHECKSUM_CHUNK ? end - from : CHECKSUM_CHUNK;
		const char *data = find_piece(w, map, v->fds[b->file], len, from);

		if (!data)
			return read_failed(v, b, errno, from);
		for (size_t at = 0; at < len; at += IMAGE_PAGE_SIZE)
			checksum_page(w->state, from + at, data + at);
		if (p)
			v->take(v->ctx, p, from, data, len);
		from += len;
	}
	return 0;
}

static int take_block(const struct verify *v, const struct verify_block *b, struct verify_worker *w,
		      char *mapped)
{
	uint64_t size = v->m->sums[b->file].size, pos = b->offset;
	uint64_t end = size - pos < CHECKSUM_BLOCK ? size : pos + CHECKSUM_BLOCK;
	const struct data_map *map = &v->maps[b->file];
	size_t i;
	int ret = 0;

	for (i = data_map_find(map, pos); i < map->nr && map->ranges[i].from < end && !ret; i++) {
		const struct data_range *r = &map->ranges[i];

		ret = take_extent(v, b, w, mapped, r->from > pos ? r->from : pos,
				  r->end < end ? r->end : end);
	}
	return ret;
}

/* Returns whether there is a hash, or -1. */
static int hash_block(const struct verify *v, const struct verify_block *b, struct verify_worker *w,
		      uint64_t *hash)
{
	char *map = mmap(NULL, CHECKSUM_BLOCK, PROT_READ, MAP_PRIVATE, v->fds[b->file],
			 (off_t)b->offset);
	int ret;

	checksum_reset(w->state);
	ret = take_block(v, b, w, map);
	if (map != MAP_FAILED)
		munmap(map, CHECKSUM_BLOCK);
	return ret ? ret : checksum_end(w->state, hash);
}

static int check_block(const struct verify *v, const struct verify_block *b,
		       struct verify_worker *w)
{
	const char *name = v->m->sums[b->file].name;
	const struct image_process *p = v->hash ? process_of(v->img, name) : NULL;
	uint64_t hash = 0;
	int any = p ? v->hash(v->ctx, p, b->offset, &hash) : -1;

	if (any < 0)
		any = hash_block(v, b, w, &hash);
	if (any < 0)
		return -1;
	return any != b->expected || hash != b->hash ? mismatch(v->img, name, b->offset) : 0;
}

static void *verify_worker(void *ctx)
{
	struct verify *v = ctx;
	struct verify_worker w = { .state = checksum_begin() };

	if (!w.state) {
		if (!atomic_exchange(&v->failed, true))
			fail("%s: out of memory", action(v->img));
	}
	while (!v->failed) {
		size_t i = atomic_fetch_add(&v->next, 1);

		if (i >= v->nr_blocks)
			break;
		if (interrupted) {
			if (!atomic_exchange(&v->failed, true))
				fail("%s: interrupted", action(v->img));
			break;
		}
		if (check_block(v, &v->blocks[i], &w))
			v->failed = true;
	}
	checksum_free(w.state);
	free(w.buf);
	return NULL;
}

static int alloc_files(struct verify *v)
{
	v->fds = calloc(v->m->nr_sums + 1, sizeof(*v->fds));
	v->maps = calloc(v->m->nr_sums + 1, sizeof(*v->maps));
	return v->fds && v->maps ? 0 : fail("%s: out of memory", action(v->img));
}

static void close_files(struct verify *v)
{
	for (size_t i = 0; v->fds && v->maps && i < v->m->nr_sums; i++) {
		if (v->fds[i] < 0)
			continue;
		close(v->fds[i]);
		if (!process_of(v->img, v->m->sums[i].name))
			data_map_free(&v->maps[i]);
	}
	free(v->fds);
	free(v->maps);
	free(v->blocks);
}

static int open_files(struct verify *v)
{
	if (alloc_files(v))
		return -1;
	for (size_t i = 0; i < v->m->nr_sums; i++)
		v->fds[i] = -1;
	for (size_t i = 0; i < v->m->nr_sums; i++) {
		const char *name = v->m->sums[i].name;
		const struct image_process *p = process_of(v->img, name);

		if (!(v->what & (p ? VERIFY_CORES : VERIFY_FILES)))
			continue;
		/* the image's own descriptor may be older than what has that name now */
		v->fds[i] = p ? fcntl(p->core_fd, F_DUPFD_CLOEXEC, 0)
			      : openat(v->img->dir_fd, name,
				       O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (v->fds[i] < 0)
			return fail("%s: cannot open %s: %s", action(v->img), name,
				    strerror(errno));
		if (p)
			v->maps[i] = p->data;
		else if (data_map_make(&v->maps[i], v->fds[i], v->m->sums[i].size))
			return fail("%s: cannot read %s: %s", action(v->img), name,
				    strerror(errno));
		if (list_blocks(v, i, UINT64_MAX))
			return -1;
	}
	return 0;
}

static int verify(struct verify *v, unsigned int jobs, uint64_t *left)
{
	int ret = open_files(v);

	if (!ret) {
		if (jobs > v->nr_blocks)
			jobs = (unsigned int)v->nr_blocks;
		run_parallel(jobs ? jobs : 1, verify_worker, v);
		ret = v->failed ? -1 : 0;
	}
	if (left)
		*left = ret ? 0 : v->left;
	close_files(v);
	return ret;
}

int image_verify(const struct image *img, unsigned int what, unsigned int jobs, uint64_t lazy_from,
		 uint64_t *left)
{
	struct verify v = {
		.img = img, .m = image_manifest(img), .what = what, .lazy_from = lazy_from
	};

	return verify(&v, jobs, left);
}

int image_take(const struct image *img, unsigned int jobs, uint64_t lazy_from, uint64_t *left,
	       image_take_fn *take, image_hash_fn *hash, void *ctx)
{
	struct verify v = { .img = img,
			    .m = image_manifest(img),
			    .what = VERIFY_CORES,
			    .lazy_from = lazy_from,
			    .take = take,
			    .hash = hash,
			    .ctx = ctx };

	return verify(&v, jobs, left);
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
	v.failed = file == v.m->nr_sums || alloc_files(&v);
	if (!v.failed) {
		v.fds[file] = p->core_fd;
		v.maps[file] = p->data;
		v.failed = list_blocks(&v, file, head_end);
	}
	if (!v.failed)
		verify_worker(&v);
	free(v.fds);
	free(v.maps);
	free(v.blocks);
	return v.failed ? -1 : 0;
}
