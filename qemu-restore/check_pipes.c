// SPDX-License-Identifier: GPL-2.0-or-later
/* Compare, when all descriptors have been met, which of them are ends of one pipe. */
#include <stdio.h>
#include <stdlib.h>

#include "check_files.h"

/* A description of a pipe: which one it was, and which one it is. */
struct pipe_end {
	const struct open_file *was;
	const struct met *is;
};

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_what_it_was(const void *a, const void *b)
{
	const struct pipe_end *x = a, *y = b;
	int o = order(x->was->dev, y->was->dev);

	return o ? o : order(x->was->ino, y->was->ino);
}

static int by_what_it_is(const void *a, const void *b)
{
	const struct pipe_end *x = a, *y = b;
	int o = order(x->is->dev, y->is->dev);

	return o ? o : order(x->is->ino, y->is->ino);
}

/* Of neighbours in an order by one thing, those that are equal must be so in the other. */
static int compare_pipes(struct check *c, const struct pipe_end *ends, size_t nr,
			 int (*same)(const void *a, const void *b),
			 int (*other)(const void *a, const void *b))
{
	char object[128];
	size_t i;

	for (i = 1; i < nr; i++) {
		if (same(&ends[i - 1], &ends[i]) || !other(&ends[i - 1], &ends[i]))
			continue;
		snprintf(object, sizeof(object), "fd %d of pid %d (%.60s)", ends[i].is->fd,
			 ends[i].is->pid, ends[i].was->path);
		return check_differs(c, object, "of another pipe", ends[i - 1].was->path);
	}
	return 0;
}

/* The ends of one pipe are of one pipe again, and no others are. */
int check_files_end(struct check *c, struct check_files *files)
{
	const struct image *img = files->plan->img;
	struct pipe_end *ends = plan_must(calloc(img->nr_files + 1, sizeof(*ends)));
	size_t i, nr = 0;
	int ret;

	for (i = 0; i < img->nr_files; i++)
		if (is_pipe(&img->files[i]) && files->met[i].pid && files->met[i].ino)
			ends[nr++] = (struct pipe_end){ &img->files[i], &files->met[i] };
	c->tid = 0;
	qsort(ends, nr, sizeof(*ends), by_what_it_was);
	ret = compare_pipes(c, ends, nr, by_what_it_was, by_what_it_is);
	qsort(ends, nr, sizeof(*ends), by_what_it_is);
	if (!ret)
		ret = compare_pipes(c, ends, nr, by_what_it_is, by_what_it_was);
	free(ends);
	free(files->makers);
	free(files->met);
	free(files);
	return ret;
}
