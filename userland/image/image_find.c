// SPDX-License-Identifier: GPL-2.0-or-later
/* What an image has, by its number. */
#include "image.h"

#include <stdlib.h>
#include <string.h>

const struct image_process *image_find_process(const struct image *img, int pid)
{
	for (size_t i = 0; i < img->nr_processes; i++)
		if (img->processes[i].info.pid == pid)
			return &img->processes[i];
	return NULL;
}

static int compare_ids(const void *key, const void *element)
{
	const uint32_t *id = key;
	const struct open_file *f = element;

	return *id < f->id ? -1 : *id > f->id;
}

const struct open_file *image_find_file(const struct image *img, uint32_t id)
{
	return img->nr_files
		       ? bsearch(&id, img->files, img->nr_files, sizeof(*img->files), compare_ids)
		       : NULL;
}

bool is_of_process(const struct image *img, const struct open_file *f)
{
	static const char proc[] = "/proc/";
	char *end;
	long pid;

	if ((f->kind != FILE_REGULAR && f->kind != FILE_DIRECTORY) || f->deleted ||
	    strncmp(f->path, proc, sizeof(proc) - 1) != 0)
		return false;
	pid = strtol(f->path + sizeof(proc) - 1, &end, 10);
	return pid > 0 && pid <= INT32_MAX && (!*end || *end == '/') &&
	       image_find_process(img, (int)pid);
}
