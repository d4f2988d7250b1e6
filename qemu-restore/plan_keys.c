// SPDX-License-Identifier: GPL-2.0-or-later
/* Protection keys: those that the program has, and its memory under them. */
#include "plan.h"
#include "x86.h"

#define XFEATURE_PKRU (1ull << 9)
#define NR_KEYS 16

static uint32_t keys_of(const struct process_plan *plan)
{
	return plan->process->mm.pkeys & ((1u << NR_KEYS) - 1) & ~1u;
}

static bool are_there(const struct process_plan *plan)
{
	return plan->engine->kind == ENGINE_NATIVE && plan->engine->xfeatures & XFEATURE_PKRU;
}

/*
 * The kernel gives the lowest that is free, so those in between are had, too, until the
 * last one is. Before there is memory: for what may be executed only it takes one itself.
 */
void plan_keys(struct process_plan *plan)
{
	uint32_t wanted = keys_of(plan);
	int tid = plan->process->info.pid;

	if (!wanted)
		return;
	if (!are_there(plan)) {
		plan_issue(plan->group, true,
			   "cannot resume pid %d: it has protection keys (pkey_alloc) and %s has "
			   "none (resume it natively on a CPU that has them)",
			   tid, plan->engine->name);
		return;
	}
	for (uint32_t key = 1; wanted >> key; key++) {
		struct plan_op *op = plan_syscall(plan, tid, NR_PKEY_ALLOC, 0, 0, 0, 0);

		op->want = WANT_VALUE;
		op->value = key;
		op->object = "a protection key";
	}
	for (uint32_t key = 1; wanted >> key; key++)
		if (!(wanted >> key & 1))
			plan_syscall(plan, tid, NR_PKEY_FREE, key, 0, 0, 0);
}

void plan_key_of(struct process_plan *plan, const struct segment *s, const char *name)
{
	uint64_t prot = 0;

	if (!image_has_key(plan->process, s) || !are_there(plan))
		return;
	prot |= s->vma.flags & XCKPT_VMA_READ ? X86_PROT_READ : 0;
	prot |= s->vma.flags & XCKPT_VMA_WRITE ? X86_PROT_WRITE : 0;
	prot |= s->vma.flags & XCKPT_VMA_EXEC ? X86_PROT_EXEC : 0;
	plan_syscall(plan, plan->process->info.pid, NR_PKEY_MPROTECT, s->start, s->end - s->start,
		     prot, s->vma.pkey)
		->object = name;
}
