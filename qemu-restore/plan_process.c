// SPDX-License-Identifier: GPL-2.0-or-later
/* What a process has once: signal actions, layout, limits, timers, credentials. */
#include <string.h>
#include <unistd.h>

#include "plan.h"

#define PR_SET_MM 35
#define PR_SET_MM_MAP 14
#define PR_SET_THP_DISABLE 41
#define THP_EXCEPT_ADVISED 2
#define PR_SET_MDWE 65
#define PR_SET_MEMORY_MERGE 67
#define MCL_FUTURE 2
#define MCL_ONFAULT 4
#define RLIMIT_STACK_X86 3
#define RLIMIT_NOFILE_X86 7
#define RLIMIT_AS_X86 9
#define SIGSET_SIZE 8

/* struct prctl_mm_map */
struct mm_map {
	uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
	uint64_t arg_start, arg_end, env_start, env_end;
	uint64_t auxv;
	uint32_t auxv_size, exe_fd;
};

/* The highest descriptor of the program; ours come above it. */
void plan_descriptors(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	int first = 63;
	size_t i;

	for (i = 0; i < p->nr_fds; i++)
		if (p->fds[i].fd >= first)
			first = p->fds[i].fd + 1;
	plan->fds = (struct plan_fds){ first,	  first + 1, first + 2, first + 3,
				       first + 4, first + 5, first + 6 };
}

/* A program that asks for addresses above those of old has them where the machine does. */
static void check_top(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	uint64_t top = 0;
	size_t i;

	for (i = 0; i < p->nr_segments; i++)
		if (p->segments[i].vma.kind != XCKPT_VMA_SPECIAL)
			top = p->segments[i].end;
	if (top > X86_TOP_4 && plan->engine->kind == ENGINE_QEMU)
		plan_issue(plan->group, false,
			   "cannot resume pid %d: it has memory up to %#llx, and a program under "
			   "QEMU has 47-bit addresses (resume it natively, on a machine with "
			   "5-level paging)",
			   p->info.pid, (unsigned long long)top);
	else if (top > plan->host->address_top)
		plan_issue(plan->group, false,
			   "cannot resume pid %d: this host's %d-bit address space cannot hold an "
			   "x86-64 program laid out up to %#llx (use a %s)",
			   p->info.pid, __builtin_ctzll(plan->host->address_top),
			   (unsigned long long)top,
			   top > X86_TOP_4 ? "machine with 5-level paging"
					   : "kernel with 48-bit addresses");
}

/* What it had for itself it will share with qemu-resume. */
static void tell_lost_namespaces(struct process_plan *plan)
{
	static const struct {
		uint32_t flag;
		const char *what;
	} of[] = { { XCKPT_PROCESS_OWN_UTS, "a host name (UTS namespace)" },
		   { XCKPT_PROCESS_OWN_NET, "a network (namespace)" },
		   { XCKPT_PROCESS_OWN_USER, "a user namespace" } };
	const struct xckpt_note_process *info = &plan->process->info;
	size_t i;

	for (i = 0; i < sizeof(of) / sizeof(*of); i++)
		if (info->flags & of[i].flag)
			plan_warning(
				plan->group,
				"pid %d: it had %s of its own, and will have that of qemu-resume",
				info->pid, of[i].what);
	if (info->flags & XCKPT_PROCESS_OWN_PID)
		plan_warning(plan->group,
			     "pid %d: it had a pid namespace of its own, and will have the pids by "
			     "which the first process knows it and others",
			     info->pid);
}

/* What a security module let it do and what not, which exec does not give back. */
static void tell_lost_label(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	const char *own = plan->host->label;

	if (p->label && strcmp(p->label, own))
		plan_warning(plan->group,
			     "pid %d: it was confined by the security label '%s', and will have "
			     "%s%s%s (start qemu-resume with it: aa-exec, runcon)",
			     p->info.pid, p->label, *own ? "that of qemu-resume, '" : "none", own,
			     *own ? "'" : "");
}

/* What no engine and no option could make good. */
void plan_check(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	const struct engine *engine = plan->engine;

	check_top(plan);
	tell_lost_namespaces(plan);
	tell_lost_label(plan);
	if (p->info.pid == 1)
		plan_issue(plan->group, false,
			   "cannot resume pid 1: the first process of a pid namespace is "
			   "qemu-resume's own (checkpoint a process that it started)");
	if (p->info.exit_signal && p->info.exit_signal != X86_SIGCHLD)
		plan_warning(plan->group,
			     "pid %d: its end will be told by SIGCHLD, not by signal %u as it was "
			     "made: exec does not keep that",
			     p->info.pid, p->info.exit_signal);
	if (p->info.uid != plan->host->uid && !plan->host->root)
		plan_issue(plan->group, false,
			   "cannot resume pid %d: it ran as uid %u: Operation not permitted "
			   "(run qemu-resume as root or as that user)",
			   p->info.pid, p->info.uid);
	if (engine->kind == ENGINE_QEMU && *p->exe && !plan->exe_exists &&
	    !(engine->can.flags & PROBE_EXE_NAME))
		plan_warning(plan->group,
			     "pid %d: %s is not on this machine: the program will not find itself "
			     "by /proc/self/exe (a newer QEMU than %s, from 8.0 on, remembers it)",
			     p->info.pid, p->exe, engine->name);
	if (engine->kind == ENGINE_NATIVE && !(engine->can.flags & PROBE_MM_MAP))
		plan_issue(plan->group, false,
			   "cannot resume pid %d natively: this kernel has no PR_SET_MM_MAP "
			   "(it needs CONFIG_CHECKPOINT_RESTORE; or use --engine qemu)",
			   p->info.pid);
}

/* Where it is before it becomes the engine, which keeps that. */
void plan_place(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	struct plan_op *op;

	if (*p->cwd) {
		const char *path = plan_path(plan->group, p->cwd);
		bool lost = is_path_removed(path) && access(path, F_OK);
		uint64_t slot = lost ? (uint64_t)plan_lost_cwd(plan->group, p->cwd) + 1 : 0;

		op = plan_add(plan, OP_CWD, 0);
		op->arg[0] = slot;
		op->path = path;
	}
	plan_add(plan, OP_UMASK, 0)->arg[0] = p->info.umask & 0777;
	if (p->info.oom_score_adj != plan->host->oom_score_adj)
		plan_add(plan, OP_OOM, 0)->arg[0] = p->info.oom_score_adj;
	if (p->mm.flags & XCKPT_MM_DUMP_FILTER && (int)p->mm.dump_filter != plan->host->dump_filter)
		plan_add(plan, OP_DUMP_FILTER, 0)->arg[0] = p->mm.dump_filter;
	op = plan_add(plan, OP_EXEC, 0);
	op->path = plan->engine->path;
	op->object = p->exe;
}

static void plan_layout(struct process_plan *plan)
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

static void plan_sigactions(struct process_plan *plan)
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

/* What holds for all that is mapped from now on; the restorer has mapped all that it needs. */
static void plan_future(struct process_plan *plan)
{
	uint32_t flags = plan->process->mm.flags;
	int tid = plan->process->info.pid;

	if (flags & XCKPT_MM_LOCK_FUTURE)
		plan_syscall(plan, tid, NR_MLOCKALL,
			     MCL_FUTURE | (flags & XCKPT_MM_LOCK_ONFAULT ? MCL_ONFAULT : 0), 0, 0,
			     0)
			->optional = true;
	if (flags & XCKPT_MM_MERGE_ANY)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_MEMORY_MERGE, 1, 0, 0)->optional = true;
	if (flags & XCKPT_MM_MDWE)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_MDWE,
			     1 | (flags & XCKPT_MM_MDWE_NO_INHERIT ? 2 : 0), 0, 0)
			->optional = true;
}

/* Late as well: behind it there may be no /proc. Its folder is where it was before. */
void plan_root(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	struct plan_op *op;
	const char *path;
	size_t offset;

	if (!*p->root || !strcmp(p->root, "/"))
		return;
	path = plan_path(plan->group, p->root);
	offset = buffer_add(&plan->data, path, strlen(path) + 1, 1);
	op = plan_syscall(plan, p->info.pid, NR_CHROOT, offset, 0, 0, 0);
	op->refs = 1;
	op->object = path;
}

/* Late: the restorer itself needs memory and descriptors. */
void plan_limits(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	struct plan_op *op;
	size_t i, offset;

	plan_future(plan);
	if (!p->info.rlimit[RLIMIT_NOFILE_X86].max)
		return; /* the image does not tell */
	for (i = 0; i < XCKPT_NR_RLIMITS; i++) {
		const struct xckpt_rlimit *want = &p->info.rlimit[i],
					  *have = &plan->host->rlimit[i];

		/* the launcher changes some */
		if (i != RLIMIT_NOFILE_X86 &&
		    !(plan->has_rings && (i == RLIMIT_STACK_X86 || i == RLIMIT_AS_X86)) &&
		    want->cur == have->cur && want->max == have->max)
			continue;
		offset = buffer_add(&plan->data, want, sizeof(*want), 8);
		op = plan_syscall(plan, p->info.pid, NR_PRLIMIT64, 0, i, offset, 0);
		op->refs = 1 << 2;
		op->optional = true;
	}
}

/* What membarrier(2) does for those only who said that they would call it. */
static void plan_barriers(struct process_plan *plan)
{
	static const struct {
		uint32_t flag, command; /* MEMBARRIER_CMD_REGISTER_... */
	} of[] = { { XCKPT_MM_BARRIER_GLOBAL, 1 << 2 },
		   { XCKPT_MM_BARRIER, 1 << 4 },
		   { XCKPT_MM_BARRIER_CORE, 1 << 6 },
		   { XCKPT_MM_BARRIER_RSEQ, 1 << 8 } };
	struct plan_op *op;
	size_t i;

	for (i = 0; i < sizeof(of) / sizeof(*of); i++) {
		if (!(plan->process->mm.flags & of[i].flag))
			continue;
		op = plan_syscall(plan, plan->process->info.pid, NR_MEMBARRIER, of[i].command, 0, 0,
				  0);
		op->optional = true;
		op->object = "what was registered with membarrier()";
	}
}

void plan_no_huge_pages(struct process_plan *plan)
{
	uint32_t flags = plan->process->mm.flags;
	struct plan_op *op;

	if (!(flags & (XCKPT_MM_THP_DISABLED | XCKPT_MM_THP_ADVISED)))
		return;
	op = plan_syscall(plan, plan->process->info.pid, NR_PRCTL, PR_SET_THP_DISABLE, 1,
			  flags & XCKPT_MM_THP_ADVISED ? THP_EXCEPT_ADVISED : 0, 0);
	op->optional = true;
	op->object = "memory that asked for no huge pages";
}

static void plan_attributes(struct process_plan *plan)
{
	const struct xckpt_note_process *info = &plan->process->info;
	int tid = info->pid;
	struct plan_op *op;

	/* none at all is said as well: the launcher may have chosen one for the engine */
	op = plan_syscall(plan, tid, NR_PERSONALITY, info->personality, 0, 0, 0);
	op->optional = true;
}

void plan_process(struct process_plan *plan)
{
	plan_layout(plan);
	plan_sigactions(plan);
	plan_attributes(plan);
	plan_barriers(plan);
	plan_undo(plan);
}
