// SPDX-License-Identifier: GPL-2.0-or-later
/* What the program has told the kernel about its memory: madvise(), mlock(). */
#include "plan.h"
#include "x86.h"

#define MADV_HUGEPAGE_X86 14
#define MADV_NOHUGEPAGE_X86 15

/* What children inherit matters; the rest are hints. */
static const struct {
	uint32_t flag, advice;
	const char *name; /* of what matters */
	uint32_t probe;
} advices[] = {
	{ XCKPT_VMA_RANDOM, 1, NULL, 0 },
	{ XCKPT_VMA_SEQUENTIAL, 2, NULL, 0 },
	{ XCKPT_VMA_MERGEABLE, 12, NULL, 0 },
	{ XCKPT_VMA_DONTDUMP, 16, NULL, 0 },
	{ XCKPT_VMA_WIPEONFORK, 18, "MADV_WIPEONFORK", PROBE_WIPEONFORK },
	{ XCKPT_VMA_DONTFORK, 10, "MADV_DONTFORK", PROBE_DONTFORK },
};

#define MLOCK_ONFAULT 1

/* MAP_DROPPABLE, the state of the vDSO's getrandom(), which nobody uses any more */
#define DROPPABLE (XCKPT_VMA_WIPEONFORK | XCKPT_VMA_DONTDUMP | XCKPT_VMA_NORESERVE)

void plan_advise_pages(struct process_plan *plan, const struct segment *s)
{
	uint32_t flags = s->vma.flags;

	if (flags & (XCKPT_VMA_HUGEPAGE | XCKPT_VMA_NOHUGEPAGE))
		plan_syscall(plan, plan->process->info.pid, NR_MADVISE, s->start, s->end - s->start,
			     flags & XCKPT_VMA_HUGEPAGE ? MADV_HUGEPAGE_X86 : MADV_NOHUGEPAGE_X86,
			     0)
			->want = WANT_ANY;
}

/*
 * mlock() fails where it cannot read pages in, when it has locked all: mlock2() is asked first
 * there, which reads none. So it is of the guard page that a thread has where mlockall() was
 * called.
 */
uint32_t plan_lock_call(const struct process_plan *plan, const struct segment *s)
{
	return s->vma.flags & XCKPT_VMA_LOCKONFAULT || !(s->vma.flags & XCKPT_VMA_READ) ||
			       plan_locks_around_guards(plan, s)
		       ? NR_MLOCK2
		       : NR_MLOCK;
}

static void plan_lock(struct process_plan *plan, const struct segment *s, const char *name)
{
	uint32_t call = plan_lock_call(plan, s);
	struct plan_op *op;

	op = plan_syscall(plan, plan->process->info.pid, call, s->start, s->end - s->start,
			  call == NR_MLOCK2 ? MLOCK_ONFAULT : 0, 0);
	op->optional = true;
	op->object = name;
	if (call == NR_MLOCK2 && !(s->vma.flags & XCKPT_VMA_LOCKONFAULT))
		plan_syscall(plan, plan->process->info.pid, NR_MLOCK, s->start, s->end - s->start,
			     0, 0)
			->want = WANT_ANY;
}

void plan_advise(struct process_plan *plan, const struct segment *s, const char *name)
{
	uint32_t flags = s->vma.flags;
	uint64_t size = s->end - s->start;
	int pid = plan->process->info.pid;
	struct plan_op *op;
	size_t i;

	for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		if (!(flags & advices[i].flag))
			continue;
		if (!(advices[i].probe & ~plan->engine->can.flags)) {
			op = plan_syscall(plan, pid, NR_MADVISE, s->start, size, advices[i].advice,
					  0);
			op->want = advices[i].name ? WANT_OK : WANT_ANY;
		} else if ((flags & DROPPABLE) != DROPPABLE) {
			plan_warning(
				plan->group,
				"pid %d: %s has no %s: children will inherit the memory at %#llx",
				pid, plan->engine->name, advices[i].name,
				(unsigned long long)s->start);
		}
	}
	if (flags & XCKPT_VMA_LOCKED)
		plan_lock(plan, s, name);
	plan_key_of(plan, s, name);
	plan_close_guards(plan, s, name);
	/* the last thing that is done to it; what is the kernel's own it seals itself */
	if (flags & XCKPT_VMA_SEALED && s->vma.kind != XCKPT_VMA_VDSO &&
	    s->vma.kind != XCKPT_VMA_VVAR) {
		op = plan_syscall(plan, pid, NR_MSEAL, s->start, size, 0, 0);
		op->optional = true;
		op->object = name;
	}
}
