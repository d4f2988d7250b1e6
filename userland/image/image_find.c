// SPDX-License-Identifier: GPL-2.0-or-later
/* What an image has, by its number. */
#include "image_priv.h"

#include <stdlib.h>
#include <string.h>

int image_signal(const uint8_t *pending, size_t n)
{
	int32_t sig;

	memcpy(&sig, pending + n * XCKPT_SIGINFO_SIZE, sizeof(sig));
	return sig;
}

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

bool is_path_removed(const char *path)
{
	size_t len = strlen(path), end = strlen(PATH_REMOVED);

	return len > end && !strcmp(path + len - end, PATH_REMOVED);
}

bool has_lost_name(const struct segment *s)
{
	return s->vma.kind == XCKPT_VMA_FILE && !(s->vma.flags & XCKPT_VMA_DELETED) &&
	       s->path[0] == '/' && is_path_removed(s->path);
}

/* Cores have the name that it was mapped by, the manifest the one that is left. */
static void find_name(const struct image *img, struct segment *s)
{
	for (size_t i = 0; i < img->nr_files; i++)
		if (img->files[i].dev == s->vma.dev && img->files[i].ino == s->vma.ino &&
		    !img->files[i].deleted && !is_path_removed(img->files[i].path))
			s->path = img->files[i].path;
}

void image_find_names(struct image *img)
{
	for (size_t i = 0; i < img->nr_processes; i++)
		for (size_t j = 0; j < img->processes[i].nr_segments; j++)
			if (has_lost_name(&img->processes[i].segments[j]))
				find_name(img, &img->processes[i].segments[j]);
}

/* The process that a file of /proc tells of; 0: it is no such file. */
static int pid_of_proc(const struct open_file *f)
{
	static const char proc[] = "/proc/";
	char *end;
	long pid;

	if ((f->kind != FILE_REGULAR && f->kind != FILE_DIRECTORY) || f->deleted ||
	    strncmp(f->path, proc, sizeof(proc) - 1) != 0)
		return 0;
	pid = strtol(f->path + sizeof(proc) - 1, &end, 10);
	return pid > 0 && pid <= INT32_MAX && (!*end || *end == '/') ? (int)pid : 0;
}

bool is_of_process(const struct image *img, const struct open_file *f)
{
	int pid = pid_of_proc(f);

	return pid && image_find_process(img, pid);
}

bool is_of_stranger(const struct image *img, const struct open_file *f)
{
	int pid = pid_of_proc(f);

	return pid && !image_find_process(img, pid);
}
