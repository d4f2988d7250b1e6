// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the restorer lives while it works: where the program has nothing and will not grow. */
#include "plan.h"

#define USER_HOLE_TOP 0x7fff00000000ull
#define BELOW_HEAP (2ull << 20)
#define RESTART_ELF_SIZE 2560 /* of pack.c: headers and stage 1 */

static bool is_free(const struct process_plan *plan, uint64_t start, uint64_t end)
{
	const struct image_process *p = plan->process;
	const struct xckpt_note_mm *mm = &p->mm;
	uint64_t room = plan_stack_room(plan) + STACK_RESERVE;
	uint64_t below = mm->start_brk < BELOW_HEAP ? mm->start_brk : BELOW_HEAP;
	size_t i;

	/* room for the heap to grow, and the restart ELF below it */
	if (mm->start_brk && end > mm->start_brk - below && start < mm->brk + (1ull << 30))
		return false;
	for (i = 0; i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];
		uint64_t low = s->start, high = s->end;

		if (plan_is_left(plan, s))
			continue;
		if (s->vma.flags & XCKPT_VMA_STACK)
			low -= low > room ? room : low;
		if (is_sysv_memory(s))
			plan_attached_range(plan, s, &low, &high);
		if (start < high && end > low)
			return false;
	}
	return end < plan->host->address_top && end < USER_HOLE_TOP;
}

bool plan_hole(struct process_plan *plan)
{
	static const uint64_t fixed[] = { 0x100000, 0x1000000, 0x10000000, 0x70000000,
					  0x100000000 };
	const struct image_process *p = plan->process;
	const struct xckpt_note_mm *mm = &p->mm;
	size_t i, records = plan->nr_ops * sizeof(struct record);

	plan->hole_size = 64 * 1024 + PAGE_UP(plan->keep.len + sizeof(struct record_head)) +
			  PAGE_UP(records) + PAGE_UP(plan->data.len + plan->vdso.len) +
			  (p->nr_threads + 1) * RECORD_STACK_SIZE;
	plan->hole_size = (plan->hole_size + 0xffff) & ~0xffffull;
	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]) + p->nr_segments && !plan->hole; i++) {
		uint64_t try = i < sizeof(fixed) / sizeof(fixed[0])
				       ? fixed[i]
				       : p->segments[i - sizeof(fixed) / sizeof(fixed[0])].end +
						 0x10000000;

		try = (try + 0xffff) & ~0xffffull;
		if (is_free(plan, try, try + plan->hole_size))
			plan->hole = try;
	}
	/* the heap of a QEMU begins where the last segment of its program ends */
	plan->restart_end = mm->start_brk ? mm->start_brk : plan->hole + plan->hole_size + 0x100000;
	plan->restart = PAGE_DOWN(plan->restart_end - RESTART_ELF_SIZE);
	return plan->hole;
}
