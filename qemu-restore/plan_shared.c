// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory that is shared and has no file in the file system: MAP_SHARED|MAP_ANONYMOUS,
 * memfds, deleted files. The launcher makes each such object once, as a memfd, and
 * fills it; every process maps it where it had it. System V segments, which
 * plan_sysv.c makes, are filled in the same way.
 */
#include <search.h>
#include <stdlib.h>

#include "plan.h"

static uint64_t end_of(const struct segment *s)
{
	return s->vma.pgoff + (s->end - s->start);
}

/* What of a view lies beyond @done, into the object: only data, no holes. */
static void fill(struct plan *plan, const struct segment *s, enum op_kind kind, uint64_t object,
		 uint64_t done)
{
	const struct data_map *data = &s->holder->data;
	uint64_t skip = done > s->vma.pgoff ? done - s->vma.pgoff : 0;
	uint64_t at = s->offset + skip, end = s->offset + s->filesz;
	size_t i;

	if (at >= end)
		return;
	for (i = data_map_find(data, at); i < data->nr && data->ranges[i].from < end; i++) {
		const struct data_range *r = &data->ranges[i];
		uint64_t from = r->from > at ? r->from : at;
		struct plan_op *op = plan_add_shared(plan, kind, 0);

		op->arg[0] = object;
		op->arg[1] = s->holder - plan->img->processes;
		op->arg[2] = from;
		op->arg[3] = (r->end < end ? r->end : end) - from;
		op->arg[4] = s->vma.pgoff + (from - s->offset);
	}
}

static void fill_all(struct plan *plan, const struct view *views, size_t nr, enum op_kind kind,
		     uint64_t object)
{
	uint64_t done = 0;
	size_t i;

	for (i = 0; i < nr; i++) {
		const struct segment *s = views[i].segment;

		fill(plan, s, kind, object, done);
		if (s->vma.pgoff + s->filesz > done)
			done = s->vma.pgoff + s->filesz;
	}
}

static void fill_sysv(struct plan *plan, const struct view *views, size_t nr)
{
	uint64_t id = views[0].segment->vma.ino;
	const struct sysv_segment *s = image_sysv_segment(&plan->img->sysv, id);

	if (s && !s->data)
		fill_all(plan, views, nr, OP_SHM_COPY, id);
}

static int compare(uint64_t dev, uint64_t ino, uint64_t other_dev, uint64_t other_ino)
{
	if (dev != other_dev)
		return dev < other_dev ? -1 : 1;
	return ino < other_ino ? -1 : ino > other_ino;
}

static int compare_files(const void *a, const void *b)
{
	const struct open_file *x = a, *y = b;

	return compare(x->dev, x->ino, y->dev, y->ino);
}

/* The files without a name, as a tree: of each the first description. */
static void *list_files(const struct image *img)
{
	void *files = NULL;
	size_t i;

	for (i = 0; i < img->nr_files; i++)
		if (is_nameless(&img->files[i]))
			plan_must(tsearch(&img->files[i], &files, compare_files));
	return files;
}

/* A description of the same file, which tells more of it than a mapping; or NULL. */
static const struct open_file *find_file(void *const *files, const struct xckpt_vma *vma)
{
	const struct open_file key = { .dev = vma->dev, .ino = vma->ino };
	const struct open_file *const *file = tfind(&key, files, compare_files);

	return file ? *file : NULL;
}

struct plan_op *plan_make_nameless(struct plan *plan, const struct open_file *f, uint64_t size)
{
	struct plan_op *op = plan_add_shared(plan, OP_MEMORY, 0);

	op->arg[0] = plan->nr_slots++;
	op->arg[1] = size;
	if (f) {
		op->arg[2] = f->mode;
		op->arg[3] = f->uid;
		op->arg[4] = f->gid;
	}
	return op;
}

/* The views of one object: all of them, in order. */
static void add_object(struct plan *plan, const struct view *views, size_t nr, void *const *files)
{
	struct shared_object *object = &plan->objects[plan->nr_objects++];
	const struct segment *s = views[0].segment;
	const struct open_file *f = find_file(files, &s->vma);
	uint64_t size = s->vma.file_size;
	struct plan_op *op;
	size_t i;

	if (!size) /* the image does not tell */
		for (i = 0; i < nr; i++)
			size = end_of(views[i].segment) > size ? end_of(views[i].segment) : size;
	op = plan_make_nameless(plan, f, size);
	op->value = views[0].process->info.pid;
	op->arg[5] = plan_huge_shift(plan, s->vma.page_shift);
	op->object = s->path;
	/* what is not open may be anybody's memory, if it is not on a disk */
	if (f ? f->kind == FILE_REGULAR && !s->vma.page_shift : s->vma.kind == XCKPT_VMA_FILE)
		op->path = plan_path(plan, s->path);
	*object = (struct shared_object){ .vma = &s->vma, .slot = (int)op->arg[0] };
	fill_all(plan, views, nr, OP_COPY, (uint64_t)object->slot);
	plan_keep_memory(plan, object->vma->dev, object->vma->ino, object->slot);
}

static void leave(void *file)
{
	(void)file; /* it is the image's */
}

void plan_objects(struct plan *plan)
{
	size_t i, first, nr;
	struct view *views = plan_must(image_views(plan->img, &nr));
	void *files = list_files(plan->img);

	plan->objects = plan_must(calloc(nr + 1, sizeof(*plan->objects)));
	for (first = 0; first < nr; first = i) {
		for (i = first; i < nr && !image_compare_objects(&views[first].segment->vma,
								 &views[i].segment->vma);
		     i++)
			;
		if (is_sysv_memory(views[first].segment))
			fill_sysv(plan, views + first, i - first);
		else if (is_shared_memory(views[first].segment))
			add_object(plan, views + first, i - first, &files);
	}
	tdestroy(files, leave);
	free(views);
}

static int compare_to_object(const void *key, const void *object)
{
	return image_compare_objects(key, ((const struct shared_object *)object)->vma);
}

int plan_object_slot(const struct plan *plan, const struct segment *s)
{
	const struct shared_object *object = bsearch(&s->vma, plan->objects, plan->nr_objects,
						     sizeof(*object), compare_to_object);

	return object->slot;
}

static int compare_memory(const void *a, const void *b)
{
	const struct memory_file *x = a, *y = b;

	return compare(x->dev, x->ino, y->dev, y->ino);
}

struct memory_file *plan_keep_memory(struct plan *plan, uint64_t dev, uint64_t ino, int slot)
{
	struct memory_file *m = plan_must(malloc(sizeof(*m))), **kept;

	*m = (struct memory_file){ .dev = dev, .ino = ino, .slot = slot };
	kept = plan_must(tsearch(m, &plan->memory, compare_memory));
	if (*kept != m)
		free(m);
	return *kept;
}

struct memory_file *plan_find_memory(const struct plan *plan, uint64_t dev, uint64_t ino)
{
	const struct memory_file key = { .dev = dev, .ino = ino };
	struct memory_file *const *kept = tfind(&key, &plan->memory, compare_memory);

	return kept ? *kept : NULL;
}

int plan_memory_slot(const struct plan *plan, const struct segment *s)
{
	const uint32_t told = XCKPT_VMA_DELETED | XCKPT_VMA_UNWRITTEN;
	const struct memory_file *m;

	if (s->vma.kind != XCKPT_VMA_FILE || s->vma.flags & XCKPT_VMA_SHARED ||
	    (s->vma.flags & told) != told)
		return -1;
	m = plan_find_memory(plan, s->vma.dev, s->vma.ino);
	return m ? m->slot : -1;
}
