// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guard regions (MADV_GUARD_INSTALL, Linux 6.13): put back as such where the engine has any.
 * Elsewhere that memory is closed, which is a mapping by itself, so that an overflow still
 * ends in SIGSEGV.
 */
#include "plan.h"
#include "x86.h"

#define MADV_GUARD_INSTALL_X86 102
/* A closed one makes two mappings more, and a process can have 65530 by default. */
#define CLOSED_MOST 16384

/* Those of files came later. */
static bool has_guards(const struct process_plan *plan, const struct segment *s)
{
	return plan->engine->can.flags &
	       (s->vma.kind == XCKPT_VMA_ANON ? PROBE_GUARD : PROBE_GUARD_FILE);
}

bool plan_is_closed(const struct process_plan *plan, const struct segment *s,
		    const struct xckpt_guard *g)
{
	return !has_guards(plan, s) && g - plan->process->guards < CLOSED_MOST;
}

/* What is locked takes none, so they come first; and then mlock() fails, though it locks. */
bool plan_locks_around_guards(const struct process_plan *plan, const struct segment *s)
{
	return s->nr_guards && has_guards(plan, s);
}

void plan_guards(struct process_plan *plan, const struct segment *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nr_guards && has_guards(plan, s); i++)
		plan_syscall(plan, plan->process->info.pid, NR_MADVISE, s->guards[i].start,
			     s->guards[i].end - s->guards[i].start, MADV_GUARD_INSTALL_X86, 0)
			->object = name;
}

void plan_close_guards(struct process_plan *plan, const struct segment *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nr_guards; i++)
		if (plan_is_closed(plan, s, &s->guards[i]))
			plan_syscall(plan, plan->process->info.pid, NR_MPROTECT, s->guards[i].start,
				     s->guards[i].end - s->guards[i].start, 0, 0)
				->object = name;
}

void plan_open_guards(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	size_t i, j, open = 0;

	for (i = 0; i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];

		for (j = 0; j < s->nr_guards && !has_guards(plan, s); j++)
			open += !plan_is_closed(plan, s, &s->guards[j]);
	}
	if (open)
		plan_warning(plan->group,
			     "pid %d: %s has no guard regions (MADV_GUARD_INSTALL): %zu of %zu "
			     "will be open, as closing all takes too many mappings",
			     p->info.pid, plan->engine->name, open, p->nr_guards);
}
