// SPDX-License-Identifier: GPL-2.0-or-later
/* What a manifest tells fits together, and fits what is there. */
#include "image_priv.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct manifest_file *const *)a)->name,
		      (*(const struct manifest_file *const *)b)->name);
}

/* Where image_find_sum() looks; each file once. */
static int sort_sums(struct image_priv *priv)
{
	const struct manifest *m = &priv->manifest;

	priv->sums = arena_alloc(&priv->arena, m->nr_sums, sizeof(*priv->sums));
	if (!priv->sums)
		return -1;
	for (size_t i = 0; i < m->nr_sums; i++)
		priv->sums[i] = &m->sums[i];
	if (m->nr_sums)
		qsort(priv->sums, m->nr_sums, sizeof(*priv->sums), compare_names);
	for (size_t i = 1; i < m->nr_sums; i++)
		if (compare_names(&priv->sums[i - 1], &priv->sums[i]) == 0)
			return fail("%s: " MANIFEST_NAME
				    " is damaged: it has %s twice (copy the image again)",
				    priv->action, priv->sums[i]->name);
	return 0;
}

const struct manifest_file *image_find_sum(const struct image_priv *priv, const char *name)
{
	struct manifest_file key = { .name = name };
	const struct manifest_file *wanted = &key, **found;

	found = priv->manifest.nr_sums ? bsearch(&wanted, priv->sums, priv->manifest.nr_sums,
						 sizeof(*priv->sums), compare_names)
				       : NULL;
	return found ? *found : NULL;
}

/* Every file that the manifest names is there and has its size. */
static int check_sizes(const struct image *img, const struct image_priv *priv)
{
	const struct manifest *m = &priv->manifest;
	struct stat st;

	/* nor is it a link to what is elsewhere */
	if (!fstatat(img->dir_fd, MANIFEST_FILES, &st, AT_SYMLINK_NOFOLLOW) && !S_ISDIR(st.st_mode))
		return fail("%s: " MANIFEST_FILES " is not a directory", priv->action);
	for (size_t i = 0; i < m->nr_sums; i++) {
		const struct manifest_file *f = &m->sums[i];

		if (fstatat(img->dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW)) {
			if (errno == ENOENT)
				return fail("%s: %s is missing (copy the image again)",
					    priv->action, f->name);
			return fail("%s: cannot stat %s: %s", priv->action, f->name,
				    strerror(errno));
		}
		if (!S_ISREG(st.st_mode))
			return fail("%s: %s is not a regular file", priv->action, f->name);
		if ((uint64_t)st.st_size < f->size)
			return fail("%s: %s is truncated: it has %jd bytes and needs %" PRIu64
				    " (copy the image again)",
				    priv->action, f->name, (intmax_t)st.st_size, f->size);
		if ((uint64_t)st.st_size > f->size)
			return fail("%s: %s is damaged: it has %jd bytes instead of %" PRIu64
				    " (copy the image again)",
				    priv->action, f->name, (intmax_t)st.st_size, f->size);
	}
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const struct open_file *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Open files: unique ids, contents that are there and as large as said. */
/* Of epoll instances: what they wait for is there. */
static int check_entries(const struct image_priv *priv, const struct open_file *f)
{
	const struct manifest *m = &priv->manifest;

	for (size_t i = 0; i < f->event.nr_entries; i++) {
		struct open_file key = { .id = f->event.entries[i].file };

		if (key.id && !bsearch(&key, m->files, m->nr_files, sizeof(key), compare_ids))
			return fail(
				"%s: " MANIFEST_NAME " is damaged: file %" PRIu32
				" waits for a file that it does not have (copy the image again)",
				priv->action, f->id);
	}
	return 0;
}

static int check_files(struct image *img, struct image_priv *priv)
{
	struct manifest *m = &priv->manifest;

	qsort(m->files, m->nr_files, sizeof(*m->files), compare_ids);
	for (size_t i = 0; i < m->nr_files; i++) {
		const struct open_file *f = &m->files[i];
		const struct manifest_file *sum;

		if (!f->id || (i && f->id == f[-1].id))
			return fail("%s: " MANIFEST_NAME
				    " is damaged: two open files have the id %" PRIu32
				    " (copy the image again)",
				    priv->action, f->id);
		sum = f->data ? image_find_sum(priv, f->data) : NULL;
		if (f->data && (!sum || sum->size != f->data_size))
			return fail("%s: " MANIFEST_NAME
				    " is damaged: %s has no or another size (copy the image again)",
				    priv->action, f->data);
		if (check_entries(priv, f))
			return -1;
	}
	img->files = m->files;
	img->nr_files = m->nr_files;
	return 0;
}

int image_check_files(struct image *img, struct image_priv *priv)
{
	return sort_sums(priv) || check_sizes(img, priv) || check_files(img, priv) ? -1 : 0;
}

/* A process by its number, and where it stands in the manifest. */
struct place {
	int pid, ppid;
	size_t order;
	bool ended;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* Every pid once, and parents, alive, before their children: a tree. */
int image_check_tree(const struct image *img, struct image_priv *priv)
{
	const struct manifest *m = &priv->manifest;
	struct place *places = arena_alloc(&priv->arena, m->nr_processes, sizeof(*places));
	size_t p = 0, z = 0;

	if (!places)
		return -1;
	for (size_t i = 0; i < m->nr_processes; i++) {
		places[i].order = i;
		places[i].pid = m->processes[i].pid;
		places[i].ended = !m->processes[i].core;
		places[i].ppid = m->processes[i].core ? img->processes[p++].info.ppid
						      : img->zombies[z++].ppid;
	}
	qsort(places, m->nr_processes, sizeof(*places), compare_places);
	for (size_t i = 0; i < m->nr_processes; i++) {
		struct place key = { .pid = places[i].ppid };
		const struct place *parent =
			bsearch(&key, places, m->nr_processes, sizeof(key), compare_places);

		if (i && places[i].pid == places[i - 1].pid)
			return fail("%s: " MANIFEST_NAME
				    " is damaged: it has pid %d twice (copy the image again)",
				    priv->action, places[i].pid);
		if (parent && (parent->ended || parent->order >= places[i].order))
			return fail("%s: " MANIFEST_NAME
				    " is damaged: pid %d %s (copy the image again)",
				    priv->action, places[i].pid,
				    parent->ended ? "has a parent that has ended"
						  : "comes before its parent");
	}
	return 0;
}
