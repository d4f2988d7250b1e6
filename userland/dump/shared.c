// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What several processes have mapped, shared memory and files, is written once. Every
 * core has all of it; here is what of them is left out, so that it is neither read nor
 * written.
 */
#include "dump.h"
#include "report.h"

#include <elf.h>
#include <stdlib.h>

/* By the core they are in, and their place there. */
static int compare_places(const void *a, const void *b)
{
	const struct view *x = a, *y = b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x->segment < y->segment ? -1 : x->segment > y->segment;
}

/* Only those whose contents another one has; returns how many. */
static size_t pick_left_out(struct view *views, size_t nr)
{
	size_t left = 0;

	image_find_holders(views, nr);
	for (size_t i = 0; i < nr; i++)
		if (views[i].holder && views[i].segment->filesz)
			views[left++] = views[i];
	if (left)
		qsort(views, left, sizeof(*views), compare_places);
	return left;
}

/* The ELF header and the program headers, which shall tell of no contents. */
static int write_head(struct dump *d, struct checksum_copy *c, const struct view *views, size_t nr)
{
	const struct image_process *p = views[0].process;
	Elf64_Phdr *headers;
	Elf64_Ehdr eh;
	uint64_t size;
	char *head;

	if (checksum_read(c, (char *)&eh, sizeof(eh), 0))
		return read_failed(c);
	size = eh.e_phoff + (p->nr_segments + 1) * sizeof(*headers) + IMAGE_PAGE_SIZE - 1;
	size -= size % IMAGE_PAGE_SIZE;
	if (size > c->size)
		size = c->size;
	head = arena_alloc(&d->priv.arena, size, 1);
	if (!head)
		return -1;
	if (checksum_read(c, head, size, 0))
		return read_failed(c);
	headers = (Elf64_Phdr *)(head + eh.e_phoff) + 1; /* the first one is of the notes */
	for (size_t i = 0; i < nr; i++)
		headers[views[i].segment - p->segments].p_filesz = 0;
	c->head = head;
	c->head_size = size;
	return 0;
}

static int leave_out(struct dump *d, struct checksum_copy *c, const struct view *views, size_t nr)
{
	struct data_range *ranges = arena_alloc(&d->priv.arena, nr, sizeof(*ranges));

	if (!ranges)
		return -1;
	for (size_t i = 0; i < nr; i++)
		ranges[i] =
			(struct data_range){ views[i].segment->offset,
					     views[i].segment->offset + views[i].segment->filesz };
	c->left_out = (struct data_map){ ranges, nr };
	return write_head(d, c, views, nr);
}

int leave_out_shared(struct dump *d, struct checksum_copy *copies)
{
	size_t nr, end;
	struct view *views = image_views(&d->img, &nr);
	int ret = 0;

	if (!views)
		return fail("cannot dump %s: out of memory", d->name);
	nr = pick_left_out(views, nr);
	for (size_t i = 0; i < nr && !ret; i = end) {
		struct image_process *p = views[i].process;

		for (end = i + 1; end < nr && views[end].process == p;)
			end++;
		ret = leave_out(d, &copies[p - d->img.processes], &views[i], end - i);
	}
	/* who does not know of this would take it for zeros */
	if (nr)
		d->priv.manifest.version = IMAGE_FORMAT_VERSION;
	free(views);
	return ret;
}
