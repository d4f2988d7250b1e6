// SPDX-License-Identifier: GPL-2.0-or-later
/* The pseudo-terminals of an image: every slave has its master, every session one terminal. */
#include "core.h"
#include "image_priv.h"
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>

static int damaged(const struct image_priv *priv, const struct open_file *f, const char *what)
{
	return fail("%s: " MANIFEST_NAME " is damaged: file %" PRIu32 " %s (copy the image again)",
		    priv->action, f->id, what);
}

static int check_slave(const struct image *img, const struct image_priv *priv,
		       const struct open_file *f)
{
	const struct open_file *master = image_find_file(img, f->master);

	if (!master || !master->terminal)
		return damaged(priv, f, "is a terminal whose master it does not have");
	if (!master->terminal->opened)
		return damaged(priv, f, "is a terminal that was never open");
	return 0;
}

static bool has_group(const struct image *img, const struct terminal *t)
{
	for (size_t i = 0; i < img->nr_processes; i++)
		if (img->processes[i].info.pgid == t->foreground &&
		    img->processes[i].info.sid == t->session)
			return true;
	for (size_t i = 0; i < img->nr_zombies; i++)
		if (img->zombies[i].pgid == t->foreground && img->zombies[i].sid == t->session)
			return true;
	return false;
}

/* Whoever leads the session has the terminal, or nobody in it has. */
static bool has_leader(const struct image *img, const struct terminal *t)
{
	const struct image_process *leader = image_find_process(img, t->session);

	return leader && leader->info.sid == t->session && leader->info.flags & XCKPT_PROCESS_TTY;
}

static int check_master(const struct image *img, const struct image_priv *priv,
			const struct open_file *f)
{
	const struct terminal *t = f->terminal;

	if (t->session && !has_leader(img, t))
		return damaged(priv, f, "is the terminal of a session that it does not have");
	if (t->foreground && !has_group(img, t))
		return damaged(priv, f, "has a foreground process group that it does not have");
	return 0;
}

static int compare(uint32_t x, uint32_t y)
{
	return x < y ? -1 : x > y;
}

static int by_index(const void *a, const void *b)
{
	const struct open_file *const *x = a, *const *y = b;

	return compare((*x)->terminal->index, (*y)->terminal->index);
}

static int by_session(const void *a, const void *b)
{
	const struct open_file *const *x = a, *const *y = b;

	return compare((uint32_t)(*x)->terminal->session, (uint32_t)(*y)->terminal->session);
}

static int check_unique(const struct image_priv *priv, const struct open_file **masters, size_t nr)
{
	qsort(masters, nr, sizeof(*masters), by_index);
	for (size_t i = 1; i < nr; i++)
		if (!by_index(&masters[i - 1], &masters[i]))
			return damaged(priv, masters[i],
				       "is a pseudo-terminal that is there twice");
	qsort(masters, nr, sizeof(*masters), by_session);
	for (size_t i = 1; i < nr; i++)
		if (masters[i]->terminal->session && !by_session(&masters[i - 1], &masters[i]))
			return damaged(priv, masters[i],
				       "is a second terminal of a session that has one");
	return 0;
}

int image_check_terminals(const struct image *img, struct image_priv *priv)
{
	const struct open_file **masters =
		arena_alloc(&priv->arena, img->nr_files, sizeof(*masters));
	size_t nr = 0;

	if (!masters)
		return -1;
	for (size_t i = 0; i < img->nr_files; i++) {
		const struct open_file *f = &img->files[i];

		if (f->master && check_slave(img, priv, f))
			return -1;
		if (f->terminal)
			masters[nr++] = f;
	}
	if (!nr || check_unique(priv, masters, nr))
		return nr ? -1 : 0;
	for (size_t i = 0; i < nr; i++)
		if (check_master(img, priv, masters[i]))
			return -1;
	return 0;
}
