// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that change while they are read. Pages of a mapped file that nobody wrote to
 * are the file's own, in a snapshot as well: they are read long after the freeze, and
 * must still be what the program had then. Who writes to a file without a mapping moves
 * its mtime, or its end; a rename or another mode moves the ctime only, and is none of
 * our business.
 */
#include "dump.h"
#include "report.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_unchanged(const struct stat *st, uint64_t size, int64_t mtime_ns)
{
	return (uint64_t)st->st_size == size &&
	       (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec == mtime_ns;
}

static int changed(const struct dump *d, const char *path)
{
	return fail("cannot dump %s: %s was changed meanwhile, and what the image has of it would "
		    "be of several moments (dump again when nobody writes to it)",
		    d->name, path);
}

/* Its core shows what the file has; of one that was open for writing there is a copy. */
static bool shows_file(const struct segment *s)
{
	return !(s->vma.flags & XCKPT_VMA_COPIED) && s->vma.kind == XCKPT_VMA_FILE && s->filesz &&
	       s->path[0] == '/' && is_in_core(s);
}

/* One that changed while the group was captured is listed as it was each time. */
static int compare_files(const void *a, const void *b)
{
	const struct xckpt_vma *x = &((const struct mapped_file *)a)->segment->vma;
	const struct xckpt_vma *y = &((const struct mapped_file *)b)->segment->vma;
	int order = image_compare_objects(x, y);

	if (order)
		return order;
	if (x->file_mtime_ns != y->file_mtime_ns)
		return x->file_mtime_ns < y->file_mtime_ns ? -1 : 1;
	return x->file_size < y->file_size ? -1 : x->file_size > y->file_size;
}

/* Each once, however often it is mapped. */
static int list_files(struct dump *d)
{
	size_t total = 0, nr = 0;
	struct mapped_file *all;

	for (size_t i = 0; i < d->img.nr_processes; i++)
		total += d->img.processes[i].nr_segments;
	all = arena_alloc(&d->priv.arena, total, sizeof(*all));
	if (!all)
		return -1;
	for (size_t i = 0; i < d->img.nr_processes; i++) {
		const struct image_process *p = &d->img.processes[i];

		for (size_t j = 0; j < p->nr_segments; j++)
			if (shows_file(&p->segments[j]))
				all[nr++] = (struct mapped_file){ p, &p->segments[j], -1 };
	}
	if (nr)
		qsort(all, nr, sizeof(*all), compare_files);
	d->mapped = all;
	for (size_t i = 0; i < nr; i++)
		if (!d->nr_mapped || compare_files(&all[i], &all[d->nr_mapped - 1]))
			all[d->nr_mapped++] = all[i];
	return 0;
}

/* What @path, a way to the file at hand, leads to now. */
enum way {
	WAY_NONE, /* nothing, or something else */
	WAY_SAME,
	WAY_CHANGED,
};

/* A file system may show other numbers than it has itself: then @same tells. */
static enum way try_way(const struct mapped_file *f, const char *path, bool same, int *fd)
{
	const struct xckpt_vma *vma = &f->segment->vma;
	struct stat st;

	*fd = open(path, O_PATH | O_CLOEXEC);
	if (*fd < 0)
		return WAY_NONE;
	if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if (is_unchanged(&st, vma->file_size, vma->file_mtime_ns))
			return WAY_SAME;
		same |= st.st_ino == vma->ino;
	} else {
		same = false;
	}
	close(*fd);
	*fd = -1;
	return same ? WAY_CHANGED : WAY_NONE;
}

/*
 * The process may have unmapped it since, and its name may lead elsewhere. Of one that
 * has gone in both ways nobody is left to write to it.
 */
static enum way find_file(const struct dump *d, const struct mapped_file *f, int *fd)
{
	const struct segment *s = f->segment;
	char path[96 + PATH_MAX], leads_to[PATH_MAX];
	int tid = live_tid(d, f->process);
	enum way way;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, tid, s->start,
		 s->end);
	len = readlink(path, leads_to, sizeof(leads_to) - 1);
	leads_to[len > 0 ? len : 0] = 0;
	way = try_way(f, path, strcmp(leads_to, s->path) == 0, fd);
	if (way != WAY_NONE)
		return way;
	way = try_way(f, s->path, false, fd);
	if (way != WAY_NONE)
		return way;
	snprintf(path, sizeof(path), "/proc/%d/root%s", tid, s->path);
	return try_way(f, path, false, fd);
}

/* All that are opened from now on, but for mapped files: the cores and files/, pipes of readers. */
static rlim_t fds_to_come(const struct dump *d)
{
	return d->img.nr_processes + d->nr_contents + (rlim_t)2 * d->opt.jobs + 32;
}

/* Descriptors that are beyond would be missing later: whose number is as high as this. */
static rlim_t fds_to_hold(const struct dump *d)
{
	rlim_t to_come = fds_to_come(d);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur < to_come)
		return 0;
	return limit.rlim_cur - to_come;
}

int hold_mapped(struct dump *d)
{
	rlim_t most = fds_to_hold(d);

	if (list_files(d))
		return -1;
	for (size_t i = 0; i < d->nr_mapped; i++) {
		struct mapped_file *f = &d->mapped[i];

		if (find_file(d, f, &f->fd) == WAY_CHANGED)
			return changed(d, f->segment->path);
		/* the lowest that is free: all below it are in use */
		if (f->fd >= 0 && (rlim_t)f->fd >= most) {
			close(f->fd);
			f->fd = -1;
		}
	}
	return 0;
}

int check_mapped(const struct dump *d)
{
	for (size_t i = 0; i < d->nr_mapped; i++) {
		const struct mapped_file *f = &d->mapped[i];
		const struct xckpt_vma *vma = &f->segment->vma;
		struct stat st;
		int fd = -1;

		if (f->fd < 0) { /* there were too many to hold them all */
			if (find_file(d, f, &fd) == WAY_CHANGED)
				return changed(d, f->segment->path);
			if (fd >= 0)
				close(fd);
		} else if (fstat(f->fd, &st) == 0 &&
			   !is_unchanged(&st, vma->file_size, vma->file_mtime_ns)) {
			return changed(d, f->segment->path);
		}
	}
	return 0;
}

void release_mapped(struct dump *d)
{
	for (size_t i = 0; i < d->nr_mapped; i++)
		if (d->mapped[i].fd >= 0)
			close(d->mapped[i].fd);
	d->nr_mapped = 0;
}

int check_contents(const struct dump *d)
{
	for (size_t i = 0; i < d->nr_contents; i++) {
		const struct content *c = &d->contents[i];
		struct stat st;

		if (!c->file || fstat(c->fd, &st))
			continue;
		if (!is_unchanged(&st, c->size, c->file->mtime_ns))
			return changed(d, c->path);
	}
	return 0;
}
