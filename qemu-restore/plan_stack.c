// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory that grows downwards, and the room that the first thread's stack has for that. */
#include "plan_memory.h"

#define RLIMIT_STACK_X86 3
#define STACK_GAP (1ull << 20)

/* A QEMU gives no more later: who was given a higher limit than usual is to have it. */
uint64_t plan_stack_room(const struct process_plan *plan)
{
	uint64_t limit = plan->process->info.rlimit[RLIMIT_STACK_X86].cur;

	if (limit && limit < STACK_RESERVE)
		return PAGE_DOWN(limit);
	if (plan->engine->kind == ENGINE_NATIVE || limit < STACK_RESERVE)
		return STACK_RESERVE;
	return limit <= STACK_MOST ? PAGE_DOWN(limit) : STACK_UNLIMITED;
}

uint64_t plan_stack_bottom(const struct process_plan *plan, const struct segment *s, uint64_t floor)
{
	uint64_t room = plan_stack_room(plan);
	uint64_t lowest = s->end > room ? s->end - room : 0;

	if (lowest < floor + STACK_GAP)
		lowest = floor + STACK_GAP;
	return lowest < s->start ? lowest : s->start;
}

/* Memory that grows downwards: MAP_GROWSDOWN. For the first stack room does, too. */
uint64_t mapping_growth(const struct mapping *m)
{
	uint32_t flags = m->s->vma.flags;

	if (!(flags & XCKPT_VMA_GROWSDOWN))
		return 0;
	if (m->plan->engine->kind == ENGINE_NATIVE)
		return X86_MAP_GROWSDOWN;
	if (flags & XCKPT_VMA_STACK)
		return 0;
	plan_warning(m->plan->group,
		     "pid %d: %s does not let memory grow: that at %#llx (MAP_GROWSDOWN) will not",
		     m->tid, m->plan->engine->name, (unsigned long long)m->s->start);
	return 0;
}

/*
 * Room for the stack to grow, which nothing else may take: where a kernel lays out new
 * mappings it knows of another stack. It is mapped as the stack is, and becomes one with
 * it: libraries ask /proc/self/maps how large a stack may be.
 */
void mapping_reserve_stack(const struct mapping *m, uint64_t floor)
{
	uint64_t lowest = plan_stack_bottom(m->plan, m->s, floor);

	if (m->plan->engine->kind == ENGINE_QEMU &&
	    PAGE_DOWN(m->plan->process->info.rlimit[RLIMIT_STACK_X86].cur) > m->s->end - lowest)
		plan_warning(m->plan->group,
			     "pid %d: under %s its first stack can grow to %llu KiB only", m->tid,
			     m->plan->engine->name, (unsigned long long)(m->s->end - lowest) >> 10);
	if (lowest < m->s->start)
		mapping_anonymous(m, lowest, m->s->start, X86_PROT_READ | X86_PROT_WRITE,
				  X86_MAP_PRIVATE | mapping_growth(m));
}
