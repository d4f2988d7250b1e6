// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the memory of a file's mapping comes from: the file itself, or what the image
 * has of it. What may be written through it is the file's. So is what is mapped
 * MAP_SHARED to be read, because such a mapping shows what becomes of the file; but
 * where nobody of the group writes to the file, and it is not here as it was, the
 * program can do with what the image has: it is that of a file that never changes.
 */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* A file that is mapped to be read, when it has been looked for. */
struct looked {
	uint64_t dev, ino;
	bool from_core;
};

struct looks {
	struct looked *all;
	size_t nr, room;
};

static bool is_of(const struct xckpt_vma *vma, uint64_t dev, uint64_t ino)
{
	return vma->dev == dev && vma->ino == ino;
}

static bool is_shared_file(const struct segment *s)
{
	return s->vma.kind == XCKPT_VMA_FILE && s->vma.flags & XCKPT_VMA_SHARED;
}

/* Has a process of the group the file open to be written to, or mapped so? */
static bool is_written(const struct image *img, const struct xckpt_vma *vma)
{
	size_t i, j;

	for (i = 0; i < img->nr_files; i++)
		if (img->files[i].kind == FILE_REGULAR && !(img->files[i].flags & X86_O_PATH) &&
		    img->files[i].flags & X86_O_ACCMODE &&
		    is_of(vma, img->files[i].dev, img->files[i].ino))
			return true;
	for (i = 0; i < img->nr_processes; i++)
		for (j = 0; j < img->processes[i].nr_segments; j++) {
			const struct segment *s = &img->processes[i].segments[j];

			if (is_shared_file(s) && s->vma.flags & XCKPT_VMA_MAYWRITE &&
			    is_of(vma, s->vma.dev, s->vma.ino))
				return true;
		}
	return false;
}

/* Installed with the system, as programs and libraries are: other machines have others. */
static bool is_installed(const char *path)
{
	static const char *const folders[] = { "/usr/", "/lib/", "/lib32/", "/lib64/" };
	size_t i;

	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (!strncmp(path, folders[i], strlen(folders[i])))
			return strncmp(path, "/usr/local/", 11) != 0;
	return false;
}

/* Of a file that the group only reads. */
static bool look_for(struct process_plan *plan, const struct segment *s)
{
	const struct plan_host *host = plan->host;
	const char *path = plan_path(plan->group, s->path);
	int error = 0, pid = plan->process->info.pid;
	enum mapped_state state = host->look_at(path, &s->vma, &error);

	if (state == MAPPED_SAME)
		return false;
	if (is_installed(s->path))
		return true;
	if (state == MAPPED_CHANGED && host->allow_changed)
		return false;
	if (state == MAPPED_CHANGED)
		plan_warning(plan->group,
			     "pid %d: %s has changed since the checkpoint: it is mapped as it was "
			     "then, and stays so (--allow-changed maps it as it is)",
			     pid, path);
	else
		plan_warning(plan->group,
			     "pid %d: %s: %s: it is mapped as it was at the checkpoint, and stays "
			     "so (--map tells where it is)",
			     pid, path, strerror(error));
	return true;
}

/* Once for each file: all who have mapped it have the same. */
static bool is_looked_for(struct looks *looks, struct process_plan *plan, const struct segment *s)
{
	size_t i;

	for (i = 0; i < looks->nr; i++)
		if (is_of(&s->vma, looks->all[i].dev, looks->all[i].ino))
			return looks->all[i].from_core;
	if (looks->nr == looks->room) {
		looks->room = looks->room * 2 + 16;
		looks->all = plan_must(realloc(looks->all, looks->room * sizeof(*looks->all)));
	}
	looks->all[looks->nr++] = (struct looked){ s->vma.dev, s->vma.ino, look_for(plan, s) };
	return looks->all[looks->nr - 1].from_core;
}

static bool choose(struct looks *looks, struct process_plan *plan, const struct segment *s)
{
	const struct image *img = plan->img;

	if (is_shared_memory(s) || (is_shared_file(s) && s->vma.flags & XCKPT_VMA_MAYWRITE))
		return false;
	if (s->vma.flags & XCKPT_VMA_DELETED || *s->path != '/')
		return true;
	if (img->thin && s->filesz < s->end - s->start)
		return false;
	if (!is_shared_file(s))
		return true;
	if (plan_is_packed(plan->group, s->vma.dev, s->vma.ino) || is_written(img, &s->vma))
		return false;
	return is_looked_for(looks, plan, s);
}

void plan_mapped(struct plan *plan)
{
	struct looks looks = { 0 };
	size_t i, j;

	for (i = 0; i < plan->nr_processes; i++) {
		struct process_plan *p = &plan->processes[i];

		p->from_core =
			plan_must(calloc(p->process->nr_segments + 1, sizeof(*p->from_core)));
		for (j = 0; j < p->process->nr_segments; j++)
			if (p->process->segments[j].vma.kind == XCKPT_VMA_FILE)
				p->from_core[j] = choose(&looks, p, &p->process->segments[j]);
	}
	free(looks.all);
}

/* Where the file is made anew, what nobody has written to shows what becomes of it. */
void plan_mapped_memory(struct plan *plan)
{
	size_t i, j;

	for (i = 0; i < plan->nr_processes; i++) {
		struct process_plan *p = &plan->processes[i];

		for (j = 0; j < p->process->nr_segments; j++)
			if (plan_memory_slot(plan, &p->process->segments[j]) >= 0)
				p->from_core[j] = false;
	}
}

bool plan_is_from_core(const struct process_plan *plan, const struct segment *s)
{
	return plan->from_core[s - plan->process->segments];
}
