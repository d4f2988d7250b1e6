// SPDX-License-Identifier: GPL-2.0-or-later
/* What a process has once: signal actions, layout, limits, timers, credentials. */
#include <string.h>

#include "plan.h"

#define PR_SET_MM 35
#define PR_SET_MM_MAP 14
#define PR_SET_CHILD_SUBREAPER 36
#define PR_SET_THP_DISABLE 41
#define RLIMIT_NOFILE_X86 7
#define AUXV_MAX 52 /* words that every kernel takes */
#define SIGSET_SIZE 8

/* struct prctl_mm_map */
struct mm_map {
	uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
	uint64_t arg_start, arg_end, env_start, env_end;
	uint64_t auxv;
	uint32_t auxv_size, exe_fd;
};

static void plan_layout(struct plan *plan)
{
	const struct image_process *p = plan->process;
	const struct xckpt_note_mm *mm = &p->mm;
	size_t n = p->nr_auxv < AUXV_MAX ? p->nr_auxv & ~(size_t)1 : AUXV_MAX;
	struct mm_map map = { mm->start_code,	    mm->end_code,
			      mm->start_data,	    mm->end_data,
			      mm->start_brk,	    mm->brk,
			      mm->start_stack,	    mm->arg_start,
			      mm->arg_end,	    mm->env_start,
			      mm->env_end,	    0,
			      n * sizeof(uint64_t), *p->exe ? plan->fds.exe : -1 };
	size_t auxv, offset;
	struct plan_op *op;

	if (plan->engine->kind != ENGINE_NATIVE)
		return;
	auxv = buffer_add(&plan->data, p->auxv, n * sizeof(uint64_t), 8);
	offset = buffer_add(&plan->data, &map, sizeof(map), 8);
	op = plan_add(plan, OP_POKE8, p->info.pid);
	op->arg[0] = offset + offsetof(struct mm_map, auxv);
	op->arg[1] = auxv;
	op->refs = 3;
	op = plan_syscall(plan, p->info.pid, NR_PRCTL, PR_SET_MM, PR_SET_MM_MAP, offset,
			  sizeof(map));
	op->refs = 1 << 2;
	op->object = "the memory layout";
}

static void plan_sigactions(struct plan *plan)
{
	const struct image_process *p = plan->process;
	int sig;

	for (sig = 1; sig <= 64; sig++) {
		const struct xckpt_sigaction *sa = &p->sigaction[sig - 1];
		uint64_t act[4] = { sa->handler, sa->flags, sa->restorer, sa->mask };
		struct plan_op *op;
		size_t offset;

		if (sig == 9 || sig == 19 || (!sa->handler && !sa->flags))
			continue;
		offset = buffer_add(&plan->data, act, sizeof(act), 8);
		op = plan_syscall(plan, p->info.pid, NR_RT_SIGACTION, sig, offset, 0, SIGSET_SIZE);
		op->refs = 1 << 1;
		op->optional = !sa->handler;
	}
}

/* Late: the restorer itself needs memory and descriptors. */
void plan_limits(struct plan *plan)
{
	const struct image_process *p = plan->process;
	struct plan_op *op;
	size_t i, offset;

	if (!p->info.rlimit[RLIMIT_NOFILE_X86].max)
		return; /* the image does not tell */
	for (i = 0; i < XCKPT_NR_RLIMITS; i++) {
		const struct xckpt_rlimit *want = &p->info.rlimit[i],
					  *have = &plan->host->rlimit[i];

		if (i != RLIMIT_NOFILE_X86 && want->cur == have->cur && want->max == have->max)
			continue;
		offset = buffer_add(&plan->data, want, sizeof(*want), 8);
		op = plan_syscall(plan, p->info.pid, NR_PRLIMIT64, 0, i, offset, 0);
		op->refs = 1 << 2;
		op->optional = true;
	}
}

static void plan_attributes(struct plan *plan)
{
	const struct xckpt_note_process *info = &plan->process->info;
	int tid = info->pid;

	if (info->flags & XCKPT_PROCESS_SUBREAPER)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_CHILD_SUBREAPER, 1, 0, 0);
	if (plan->process->mm.flags & XCKPT_MM_THP_DISABLED)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_THP_DISABLE, 1, 0, 0)->optional = true;
	/* none at all is said as well: the launcher may have chosen one for the engine */
	plan_syscall(plan, tid, NR_PERSONALITY, info->personality, 0, 0, 0)->optional = true;
}

void plan_process(struct plan *plan)
{
	plan_layout(plan);
	plan_sigactions(plan);
	plan_attributes(plan);
}
