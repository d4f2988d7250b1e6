// SPDX-License-Identifier: GPL-2.0-or-later
/* Files whose contents are in the image: without a name, or packed together with theirs. */
#include <stdlib.h>
#include <string.h>

#include "plan_files.h"

#define SEAL_SEAL 0x1u
#define SEAL_FUTURE_WRITE 0x10u
#define MODE_BITS 07777u

static void seal(struct plan *plan, int slot, uint32_t seals, bool late)
{
	struct plan_op *op;

	if (!seals)
		return;
	op = plan_add_shared(plan, OP_SEAL, 0);
	op->arg[0] = slot;
	op->arg[1] = seals;
	op->arg[2] = late;
}

/*
 * What keeps writable mappings from being made waits until they are; all others go
 * first, because a mapping for reading must not be one that could be written.
 */
static void plan_seals(struct plan *plan, const struct open_file *f, int slot)
{
	uint32_t late = SEAL_SEAL | SEAL_FUTURE_WRITE;

	if (f->kind != FILE_MEMFD)
		return;
	seal(plan, slot, f->seals & ~late, false);
	seal(plan, slot, f->seals & late, true);
}

static void fill(struct plan *plan, const struct open_file *f, int slot)
{
	struct plan_op *op;

	if (!f->data)
		return;
	op = plan_add_shared(plan, OP_CONTENTS, 0);
	op->arg[0] = slot;
	op->arg[1] = f->data_size;
	op->path = f->data;
	op->object = f->path;
}

static struct memory_file *make(struct plan *plan, const struct open_file *f)
{
	struct plan_op *op = plan_make_nameless(plan, f, f->size);

	op->arg[5] = plan_huge_shift(plan, f->page_shift);
	op->object = f->path;
	/* of any size, so rather on the disk it was on */
	op->path = f->kind == FILE_REGULAR && !f->page_shift ? plan_path(plan, f->path) : NULL;
	return plan_keep_memory(plan, f->dev, f->ino, (int)op->arg[0]);
}

/*
 * Who has the description that memfd_create() gave may execute it, and who has one that was
 * opened to be written to may not: the first that can be that one is.
 */
static void describe(struct plan *plan, struct description *d, struct memory_file *m)
{
	bool first = d->file->kind == FILE_MEMFD && !m->given &&
		     (d->file->flags & X86_O_ACCMODE) == X86_O_RDWR;

	files_reopen(plan, d, m->slot);
	plan->ops[plan->nr_ops - 1].arg[4] = first;
	m->given |= first;
}

/* Its contents are in memory that is shared, or in the image, or it has none. */
void plan_nameless(struct files *files, struct description *d)
{
	struct plan *plan = files->plan;
	struct memory_file *m = plan_find_memory(plan, d->file->dev, d->file->ino);

	if (!m)
		m = make(plan, d->file);
	if (!m->filled)
		fill(plan, d->file, m->slot);
	describe(plan, d, m);
	if (!m->filled)
		plan_seals(plan, d->file, m->slot);
	m->filled = true;
}

void plan_unopened(struct plan *plan, const struct open_file *f)
{
	struct memory_file *m = plan_find_memory(plan, f->dev, f->ino);

	if (!m || m->filled)
		return;
	fill(plan, f, m->slot);
	plan_seals(plan, f, m->slot);
	m->filled = true;
}

static int compare_keys(const void *a, const void *b)
{
	const struct file_key *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

void plan_packed(struct plan *plan)
{
	const struct image *img = plan->img;
	size_t i;

	plan->packed = plan_must(calloc(img->nr_files + 1, sizeof(*plan->packed)));
	for (i = 0; i < img->nr_files; i++)
		if (img->files[i].data)
			plan->packed[plan->nr_packed++] =
				(struct file_key){ img->files[i].dev, img->files[i].ino };
	qsort(plan->packed, plan->nr_packed, sizeof(*plan->packed), compare_keys);
}

bool plan_is_packed(const struct plan *plan, uint64_t dev, uint64_t ino)
{
	const struct file_key key = { dev, ino };

	return bsearch(&key, plan->packed, plan->nr_packed, sizeof(key), compare_keys);
}

/* Does anybody want the contents in @data, or has the user named other files for all? */
static bool is_wanted(const struct files *files, const char *data)
{
	const struct image *img = files->plan->img;
	size_t i;

	for (i = 0; i < img->nr_files; i++)
		if (img->files[i].data && !strcmp(img->files[i].data, data) &&
		    (files->all[i].fd < 0 || !files_override(files->plan, files->all[i].file)))
			return true;
	return false;
}

/* Before anything is opened. */
void plan_unpack(struct files *files)
{
	const struct image *img = files->plan->img;
	size_t i, j;

	for (i = 0; i < img->nr_files; i++) {
		const struct open_file *f = &img->files[i];
		struct plan_op *op;

		if (f->kind != FILE_REGULAR || f->deleted || !f->data || !is_wanted(files, f->data))
			continue;
		for (j = 0; j < i && img->files[j].data != f->data; j++)
			if (img->files[j].data && !strcmp(img->files[j].data, f->data))
				break;
		if (j < i)
			continue;
		op = plan_add_shared(files->plan, OP_UNPACK, 0);
		op->arg[0] = f->data_size;
		op->arg[1] = f->mode & MODE_BITS;
		op->arg[2] = (uint64_t)f->mtime_ns;
		op->arg[3] = f->uid;
		op->arg[4] = f->gid;
		op->path = plan_path(files->plan, f->path);
		op->object = f->data;
	}
}

static int lost_directory(struct plan *plan, const char *path, const struct open_file *f)
{
	uint64_t dev = f ? f->dev : 0, ino = f ? f->ino : 0;
	struct plan_op *op;
	size_t i;

	for (i = 0; i < plan->nr_ops; i++) {
		op = &plan->ops[i];
		if (op->kind == OP_LOST_DIRECTORY && op->arg[2] == dev && op->arg[3] == ino &&
		    !strcmp(op->object, path))
			return (int)op->arg[0];
	}
	op = plan_add_shared(plan, OP_LOST_DIRECTORY, 0);
	op->arg[0] = plan->nr_slots++;
	op->arg[1] = f ? f->mode & MODE_BITS : 0755;
	op->arg[2] = dev;
	op->arg[3] = ino;
	op->arg[4] = f ? f->uid : 0;
	op->arg[5] = f ? f->gid : 0;
	op->path = plan_path(plan, path);
	op->object = path;
	return (int)op->arg[0];
}

void plan_lost_directory(struct files *files, struct description *d)
{
	files_reopen(files->plan, d, lost_directory(files->plan, d->file->path, d->file));
}

int plan_lost_cwd(struct plan *plan, const char *path)
{
	const struct image *img = plan->img;
	size_t i;

	for (i = 0; i < img->nr_files; i++)
		if (is_lost_directory(&img->files[i]) && !strcmp(img->files[i].path, path))
			return lost_directory(plan, path, &img->files[i]);
	return lost_directory(plan, path, NULL);
}
