// SPDX-License-Identifier: GPL-2.0-or-later
/* System V IPC of an image: what it refers to is there. */
#include "image_priv.h"
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DAMAGED "%s: " MANIFEST_NAME " is damaged: "
#define REMEDY " (copy the image again)"

/* All of them begin with what is the same of all. */
static int compare_ids(const void *a, const void *b)
{
	const struct sysv_object *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void *find(void *all, size_t nr, size_t size, uint64_t id)
{
	struct sysv_object key = { .id = (int)id };

	return nr && id <= SYSV_ID_MAX ? bsearch(&key, all, nr, size, compare_ids) : NULL;
}

struct sysv_segment *image_sysv_segment(const struct sysv_ipc *ipc, uint64_t id)
{
	return find(ipc->segments, ipc->nr_segments, sizeof(*ipc->segments), id);
}

struct sysv_set *image_sysv_set(const struct sysv_ipc *ipc, uint64_t id)
{
	return find(ipc->sets, ipc->nr_sets, sizeof(*ipc->sets), id);
}

static int check_data(const struct image_priv *priv, const char *name, uint64_t size)
{
	const struct manifest *m = &priv->manifest;

	for (size_t i = 0; name && i < m->nr_sums; i++)
		if (strcmp(m->sums[i].name, name) == 0 && m->sums[i].size == size)
			return 0;
	return name ? fail(DAMAGED "%s has no or another size" REMEDY, priv->action, name) : 0;
}

/* A mapping lies in its segment, which ends with a page. */
static int check_mapping(const struct image *img, const struct image_priv *priv,
			 const struct image_process *p, const struct segment *s)
{
	const struct sysv_segment *segment = image_sysv_segment(&img->sysv, s->vma.ino);
	uint64_t pages = segment ? (segment->size + IMAGE_PAGE_SIZE - 1) / IMAGE_PAGE_SIZE : 0;
	uint64_t end = pages * IMAGE_PAGE_SIZE, len = s->end - s->start;

	/* without one it cannot be resumed, and that is told: unsupported.c */
	if (!segment)
		return 0;
	if (s->vma.pgoff % IMAGE_PAGE_SIZE || s->vma.pgoff > s->start || s->vma.pgoff > end ||
	    len > end - s->vma.pgoff)
		return fail(DAMAGED "pid %d has more of shared memory segment %d mapped at %" PRIx64
				    " than there is" REMEDY,
			    priv->action, p->info.pid, segment->object.id, s->start);
	return 0;
}

static int check_process(const struct image *img, const struct image_priv *priv,
			 const struct image_process *p)
{
	for (size_t i = 0; i < p->nr_segments; i++)
		if (is_sysv_memory(&p->segments[i]) && check_mapping(img, priv, p, &p->segments[i]))
			return -1;
	for (size_t i = 0; i < p->nr_undo; i++) {
		const struct sysv_set *set =
			image_sysv_set(&img->sysv, (uint64_t)(int64_t)p->undo[i].id);

		if (set && p->undo[i].number >= set->nr)
			return fail(DAMAGED "pid %d has SEM_UNDO of semaphore %u, and set %d has "
					    "only %zu" REMEDY,
				    priv->action, p->info.pid, p->undo[i].number, p->undo[i].id,
				    set->nr);
	}
	return 0;
}

int image_check_sysv(struct image *img, const struct image_priv *priv)
{
	const struct sysv_ipc *ipc = &priv->manifest.sysv;

	img->sysv = *ipc;
	for (size_t i = 0; i < ipc->nr_segments; i++)
		if (check_data(priv, ipc->segments[i].data, ipc->segments[i].size))
			return -1;
	for (size_t i = 0; i < ipc->nr_queues; i++)
		if (check_data(priv, ipc->queues[i].data, ipc->queues[i].data_size))
			return -1;
	for (size_t i = 0; i < img->nr_processes; i++)
		if (check_process(img, priv, &img->processes[i]))
			return -1;
	return 0;
}
