// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What several mappings show, shared memory and files: who has mapped what of it, and
 * whose core has the contents.
 */
#include "image_priv.h"
#include "report.h"

#include <stdlib.h>

enum { MEMORY, SYSV, NAMED };

/*
 * Segments of System V are of one file system, and have numbers of their own. A file that
 * is removed may be memory to one and only a file to another, who has not mapped it shared.
 */
static int class_of(const struct xckpt_vma *vma)
{
	const uint32_t memory = XCKPT_VMA_SHARED | XCKPT_VMA_DELETED;

	if (vma->kind == XCKPT_VMA_SYSV)
		return SYSV;
	return vma->kind == XCKPT_VMA_FILE && (vma->flags & memory) != memory ? NAMED : MEMORY;
}

int image_compare_objects(const struct xckpt_vma *x, const struct xckpt_vma *y)
{
	int order = class_of(x) - class_of(y);

	if (order)
		return order;
	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int compare_views(const void *a, const void *b)
{
	const struct view *v = a, *w = b;
	const struct segment *x = v->segment, *y = w->segment;
	int order = image_compare_objects(&x->vma, &y->vma);

	if (order)
		return order;
	if (x->vma.pgoff != y->vma.pgoff)
		return x->vma.pgoff < y->vma.pgoff ? -1 : 1;
	if (x->end - x->start != y->end - y->start)
		return x->end - x->start > y->end - y->start ? -1 : 1;
	if (v->process != w->process)
		return v->process < w->process ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* Segments are known by ids, and each IPC namespace has its own. */
static bool is_elsewhere(const struct sysv_ipc *ipc, const struct image_process *p)
{
	for (size_t i = 0; i < ipc->nr_elsewhere; i++)
		if (ipc->elsewhere[i] == p->info.pid)
			return true;
	return false;
}

static void add_views(const struct image *img, struct image_process *p, struct view *views,
		      size_t *nr)
{
	bool elsewhere = is_elsewhere(&img->sysv, p);

	for (size_t i = 0; i < p->nr_segments; i++) {
		struct segment *s = &p->segments[i];

		if (is_view(s))
			views[(*nr)++] = (struct view){
				.process = p,
				.segment = s,
				.apart = is_sysv_memory(s) &&
					 (elsewhere || !image_sysv_segment(&img->sysv, s->vma.ino))
			};
	}
}

struct view *image_views(const struct image *img, size_t *nr)
{
	size_t room = 1; /* there may be none, which is no error */
	struct view *views;

	for (size_t i = 0; i < img->nr_processes; i++)
		for (size_t j = 0; j < img->processes[i].nr_segments; j++)
			room += is_view(&img->processes[i].segments[j]);
	views = calloc(room, sizeof(*views));
	if (!views)
		return NULL;
	*nr = 0;
	for (size_t i = 0; i < img->nr_processes; i++)
		add_views(img, &img->processes[i], views, nr);
	qsort(views, *nr, sizeof(*views), compare_views);
	return views;
}

/* In the object. */
static uint64_t contents_end(const struct view *v)
{
	return v->segment->vma.pgoff + v->segment->filesz;
}

/* One object has one size and one time; they tell apart what happens to be called the same. */
static bool is_same_object(const struct view *v, const struct view *w)
{
	return !image_compare_objects(&v->segment->vma, &w->segment->vma) &&
	       v->segment->vma.file_size == w->segment->vma.file_size &&
	       v->segment->vma.file_mtime_ns == w->segment->vma.file_mtime_ns;
}

/*
 * Those before it begin at its place or before that. So of all of them the one whose
 * contents reach furthest has the contents of this one, if any has.
 */
void image_find_holders(struct view *views, size_t nr)
{
	const struct view *furthest = NULL;

	for (struct view *v = views; v < views + nr; v++) {
		if (v->apart || !is_in_core(v->segment))
			continue;
		if (furthest && !is_same_object(furthest, v))
			furthest = NULL;
		if (furthest && contents_end(v) <= contents_end(furthest))
			v->holder = furthest;
		else if (v->segment->filesz)
			furthest = v;
	}
}

int image_find_contents(struct image *img, const struct image_priv *priv)
{
	size_t nr;
	struct view *views = image_views(img, &nr);

	if (!views)
		return fail("%s: out of memory", priv->action);
	image_find_holders(views, nr);
	for (size_t i = 0; i < nr; i++) {
		const struct segment *from = views[i].holder ? views[i].holder->segment : NULL;
		struct segment *s = views[i].segment;
		uint64_t skip, size = s->end - s->start;

		if (s->filesz || !from)
			continue;
		skip = s->vma.pgoff - from->vma.pgoff;
		if (skip == from->filesz)
			continue;
		s->borrowed = true;
		s->holder = views[i].holder->process;
		s->offset = from->offset + skip;
		s->filesz = from->filesz - skip < size ? from->filesz - skip : size;
	}
	free(views);
	return 0;
}

const struct segment *image_whole_mapping(const struct image *img, const struct open_file *f)
{
	for (size_t i = 0; i < img->nr_processes; i++) {
		const struct image_process *p = &img->processes[i];

		for (size_t j = 0; j < p->nr_segments; j++) {
			const struct segment *s = &p->segments[j];

			if (is_shared_memory(s) && is_in_core(s) && s->vma.dev == f->dev &&
			    s->vma.ino == f->ino && !s->vma.pgoff && s->end - s->start >= f->size)
				return s;
		}
	}
	return NULL;
}
