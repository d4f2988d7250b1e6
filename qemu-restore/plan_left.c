// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an earlier resume has left in the program: the restorer's code, which had to
 * stay until the last thread had jumped off it, and the frames that they jumped by.
 * Nothing leads there any more, so the next resume leaves it out; else a program that
 * is moved again and again would have more of it each time.
 */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static bool is_within(uint64_t address, uint64_t start, uint64_t end)
{
	return address >= start && address < end;
}

/* A thread that has not got away from it when it was frozen. */
static bool is_used(const struct image_process *p, uint64_t start, uint64_t end)
{
	size_t i;

	for (i = 0; i < p->nr_threads; i++)
		if (is_within(p->threads[i].regs.rip, start, end) ||
		    is_within(p->threads[i].regs.rsp, start, end))
			return true;
	return false;
}

/* The restorer's second segment begins with its head, which tells where it is. */
static bool read_head(const struct image_process *p, const struct segment *s,
		      struct record_head *head)
{
	return s->vma.flags & XCKPT_VMA_WRITE && !(s->vma.flags & XCKPT_VMA_SHARED) &&
	       s->filesz >= sizeof(*head) && !strncmp(s->path, "/memfd:restorer", 15) &&
	       !image_read_memory(p, s->start, head, sizeof(*head)) &&
	       head->magic == RECORD_MAGIC && head->drop_start == s->end;
}

void plan_leftovers(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	size_t i;

	for (i = 1; i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i], *code = s - 1;
		struct record_head head;

		if (!read_head(p, s, &head) || head.hole != code->start || code->end != s->start ||
		    is_used(p, code->start, s->end))
			continue;
		plan->left =
			plan_must(realloc(plan->left, (plan->nr_left + 1) * sizeof(*plan->left)));
		plan->left[plan->nr_left++] = (struct leftover){ code->start, s->end };
	}
}

bool plan_is_left(const struct process_plan *plan, const struct segment *s)
{
	size_t i;

	for (i = 0; i < plan->nr_left; i++)
		if (is_within(s->start, plan->left[i].start, plan->left[i].end))
			return true;
	return false;
}
