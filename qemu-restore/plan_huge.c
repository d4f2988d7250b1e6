// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Huge pages (hugetlb). A machine has just so many of each size, set aside by its
 * administrator, and a mapping takes all that it can ever need when it is made. So
 * they are counted before anything starts. Where there are too few, or under an engine,
 * which has its own ideas of pages, all memory of that size is made of ordinary pages.
 */
#include <stdio.h>
#include <stdlib.h>

#include "plan.h"

#define SHIFTS 64

/* A part of an object that is shared: of a mapping, or the whole of a file. */
struct part {
	uint64_t dev, ino, start, end;
	unsigned int shift;
};

struct need {
	uint64_t pages[SHIFTS];
	int pid[SHIFTS]; /* the first that has any */
	struct part *parts;
	size_t nr_parts;
};

static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static void add_part(struct need *need, const struct part *part)
{
	need->parts = plan_must(realloc(need->parts, (need->nr_parts + 1) * sizeof(*need->parts)));
	need->parts[need->nr_parts++] = *part;
}

/* What a mapping without a reserve has touched, and all of any other. */
static void add_mapping(struct need *need, const struct segment *s, int pid)
{
	const struct xckpt_vma *vma = &s->vma;
	uint64_t size = vma->flags & XCKPT_VMA_NORESERVE ? s->filesz : s->end - s->start;
	unsigned int shift = vma->page_shift;

	if (!need->pid[shift])
		need->pid[shift] = pid;
	if (is_shared_memory(s))
		add_part(need, &(struct part){ vma->dev, vma->ino, vma->pgoff, vma->pgoff + size,
					       shift });
	else
		need->pages[shift] += (size + (1ull << shift) - 1) >> shift;
}

static void add_file(struct need *need, const struct image *img, const struct open_file *f)
{
	if (!f->page_shift || !is_nameless(f))
		return;
	if (!need->pid[f->page_shift])
		need->pid[f->page_shift] = img->processes[0].info.pid;
	if (f->data)
		add_part(need, &(struct part){ f->dev, f->ino, 0, f->size, f->page_shift });
}

/* Each page of an object once, whoever has it. */
static void count_parts(struct need *need)
{
	const struct part *before = NULL;
	uint64_t done = 0;
	size_t i;

	if (need->nr_parts)
		qsort(need->parts, need->nr_parts, sizeof(*need->parts), compare_parts);
	for (i = 0; i < need->nr_parts; i++) {
		const struct part *part = &need->parts[i];
		uint64_t start = part->start;

		if (!before || before->dev != part->dev || before->ino != part->ino)
			done = 0;
		if (start < done)
			start = done;
		if (part->end > start) {
			need->pages[part->shift] +=
				(part->end - start + (1ull << part->shift) - 1) >> part->shift;
			done = part->end;
		}
		before = part;
	}
}

static void complain(struct plan *plan, const struct need *need, unsigned int shift,
		     const struct huge_pages *have)
{
	unsigned long long kb = 1ull << (shift - 10), pages = need->pages[shift];
	unsigned long long want = have ? have->total + (pages - have->free) : pages;
	char remedy[128];

	if (have && have->usual)
		snprintf(remedy, sizeof(remedy), "sysctl vm.nr_hugepages=%llu", want);
	else if (have)
		snprintf(remedy, sizeof(remedy),
			 "echo %llu >/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages", want,
			 kb);
	else
		snprintf(remedy, sizeof(remedy), "boot with hugepagesz=%lluK", kb);
	plan_issue(plan, true,
		   "cannot resume pid %d: its memory in huge pages of %llu kB: %llu of them are "
		   "needed, %llu are free (%s)",
		   need->pid[shift], kb, pages, have ? (unsigned long long)have->free : 0, remedy);
}

static void decide(struct plan *plan, const struct need *need, unsigned int shift)
{
	const struct huge_pages *have = NULL;
	size_t i;

	if (plan->engine->kind != ENGINE_NATIVE) {
		plan_warning(plan,
			     "pid %d: %s has no huge pages of %llu kB: its memory will be in "
			     "ordinary ones",
			     need->pid[shift], plan->engine->name, 1ull << (shift - 10));
		return;
	}
	for (i = 0; i < plan->host->nr_huge; i++)
		if (plan->host->huge[i].shift == shift)
			have = &plan->host->huge[i];
	if (have && have->free >= need->pages[shift])
		plan->huge |= 1ull << shift;
	else
		complain(plan, need, shift, have);
}

void plan_huge(struct plan *plan)
{
	const struct image *img = plan->img;
	struct need need = { 0 };
	unsigned int shift;
	size_t i, j;

	for (i = 0; i < img->nr_processes; i++)
		for (j = 0; j < img->processes[i].nr_segments; j++)
			if (img->processes[i].segments[j].vma.kind == XCKPT_VMA_HUGETLB)
				add_mapping(&need, &img->processes[i].segments[j],
					    img->processes[i].info.pid);
	for (i = 0; i < img->nr_files; i++)
		add_file(&need, img, &img->files[i]);
	count_parts(&need);
	free(need.parts);
	for (shift = 0; shift < SHIFTS; shift++)
		if (need.pid[shift])
			decide(plan, &need, shift);
}

unsigned int plan_huge_shift(const struct plan *plan, unsigned int shift)
{
	return shift && plan->huge >> shift & 1 ? shift : 0;
}
