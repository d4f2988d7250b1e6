// SPDX-License-Identifier: GPL-2.0-or-later
/* Open files across the group. */
#include "dump.h"

#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
	const struct open_file *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Mapped files may be added to those that are open: capture_contents(). */
static size_t nr_shared_files(const struct image_process *p)
{
	size_t nr = 0;

	for (size_t i = 0; i < p->nr_segments; i++)
		nr += p->segments[i].vma.kind == XCKPT_VMA_SHMEM ||
		      (p->segments[i].vma.kind == XCKPT_VMA_FILE &&
		       p->segments[i].vma.flags & XCKPT_VMA_SHARED);
	return nr;
}

/* One entry per id, and every descriptor leading to it. */
int merge_files(struct dump *d, const struct core_files *files)
{
	size_t total = 0, kept = 0;
	struct open_file *all;

	for (size_t i = 0; i < d->img.nr_processes; i++)
		total += files[i].nr_files + nr_shared_files(&d->img.processes[i]);
	all = arena_alloc(&d->priv.arena, total, sizeof(*all));
	if (!all)
		return -1;
	total = 0;
	for (size_t i = 0; i < d->img.nr_processes; i++) {
		if (files[i].nr_files)
			memcpy(all + total, files[i].files, files[i].nr_files * sizeof(*all));
		total += files[i].nr_files;
	}
	if (total)
		qsort(all, total, sizeof(*all), compare_ids);
	for (size_t i = 0; i < total; i++)
		if (!kept || all[kept - 1].id != all[i].id)
			all[kept++] = all[i];
	for (size_t i = 0; i < d->img.nr_processes; i++) {
		struct image_process *p = &d->img.processes[i];

		for (size_t j = 0; j < p->nr_fds; j++)
			p->fds[j].file =
				bsearch(p->fds[j].file, all, kept, sizeof(*all), compare_ids);
	}
	d->img.files = d->priv.manifest.files = all;
	d->img.nr_files = d->priv.manifest.nr_files = kept;
	return 0;
}
