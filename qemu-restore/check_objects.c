// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory that is shared: which it is is only told by its being the same elsewhere. */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

/* A memory object of the image, and the inode that it was found to have: known by either. */
struct memory_met {
	uint64_t dev, ino, found_dev, found;
};

static int compare_objects(const void *a, const void *b)
{
	const struct memory_met *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int compare_found(const void *a, const void *b)
{
	const struct memory_met *x = a, *y = b;

	if (x->found_dev != y->found_dev)
		return x->found_dev < y->found_dev ? -1 : 1;
	return x->found < y->found ? -1 : x->found > y->found;
}

static void keep_memory(struct check *c, const struct memory_met *met)
{
	struct memory_met *m = plan_must(malloc(sizeof(*m)));

	*m = *met;
	plan_must(tsearch(m, &c->memory, compare_objects));
	plan_must(tsearch(m, &c->memory_found, compare_found));
}

/* What was one object, in whatever process, is one; and what was two are two. */
int check_object(struct check *c, const struct xckpt_vma *vma, uint64_t start, uint64_t dev,
		 uint64_t ino)
{
	const struct memory_met met = { vma->dev, vma->ino, dev, ino };
	struct memory_met *const *object = tfind(&met, &c->memory, compare_objects);
	char name[64];

	if (object && !compare_found(*object, &met))
		return 0;
	snprintf(name, sizeof(name), "the mapping at %#llx", (unsigned long long)start);
	if (object)
		return check_differs(c, name, "of memory of its own",
				     "of memory that other mappings have, too");
	if (tfind(&met, &c->memory_found, compare_found))
		return check_differs(c, name, "of memory that other mappings have, too",
				     "of memory of its own");
	keep_memory(c, &met);
	return 0;
}

static void leave(void *m)
{
	(void)m; /* it is in the other tree, too */
}

void check_objects_end(struct check *c)
{
	tdestroy(c->memory_found, leave);
	tdestroy(c->memory, free);
	c->memory = c->memory_found = NULL;
}
