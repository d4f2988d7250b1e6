// SPDX-License-Identifier: GPL-2.0-or-later
/* Threads: how they are made and what each does before it goes on. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "regs.h"
#include "xckpt.h"
#include "xstate.h"

#define CLONE_CHILD_CLEARTID_X86 0x200000u
/* VM FS FILES SIGHAND THREAD SYSVSEM SETTLS */
#define CLONE_BASE (0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x80000)

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_REQ_XCOMP_PERM 0x1023
#define XTILEDATA 18
#define PR_SET_NAME 15
#define ROBUST_LIST_SIZE 24
#define RSEQ_FAILED 0xfffffffeu /* RSEQ_CPU_ID_REGISTRATION_FAILED */

/*
 * Who made the child is to wait until that has another program or has ended: until
 * its end of a pipe is closed. What vfork() shares, the memory, each then has for
 * itself.
 */
static void plan_vfork(struct process_plan *plan, const struct image_thread *t)
{
	struct plan *group = plan->group;
	struct process_plan *child = NULL;
	struct plan_op *op;
	size_t i;
	int slot;

	for (i = 0; i < group->nr_processes; i++)
		if (group->processes[i].process->info.pid == t->info.vfork_child)
			child = &group->processes[i];
	if (!child || child->vfork_fd >= 0) {
		plan_issue(group, false,
			   "cannot resume pid %d thread %d: it waits in vfork() for a process that "
			   "is not in the image (take the checkpoint anew)",
			   plan->process->info.pid, t->tid);
		return;
	}
	slot = (int)group->nr_slots;
	group->nr_slots += 2;
	op = plan_add_shared(group, OP_PIPE, 0);
	op->arg[0] = slot;
	op->arg[1] = slot + 1;
	op->object = "vfork()";
	plan->vforks =
		plan_must(realloc(plan->vforks, (plan->nr_vforks + 1) * sizeof(*plan->vforks)));
	plan->vforks[plan->nr_vforks++] = (struct vfork_wait){ t->tid, plan->fds.next };
	op = plan_add(plan, OP_PLACE, 0);
	op->arg[0] = slot;
	op->arg[1] = plan->fds.next++;
	child->vfork_fd = child->fds.next++;
	op = plan_add(child, OP_PLACE, 0);
	op->arg[0] = slot + 1;
	op->arg[1] = child->vfork_fd;
}

void plan_vforks(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	size_t i;

	for (i = 0; i < p->nr_threads; i++)
		if (p->threads[i].info.state == XCKPT_TASK_VFORK)
			plan_vfork(plan, &p->threads[i]);
}

static void plan_vfork_wait(struct process_plan *plan, int tid)
{
	struct plan_op *op;
	size_t i;

	for (i = 0; i < plan->nr_vforks; i++) {
		if (plan->vforks[i].tid != tid)
			continue;
		op = plan_syscall(plan, tid, NR_READ, plan->vforks[i].fd,
				  buffer_add(&plan->data, NULL, 1, 1), 1, 0);
		op->refs = 1 << 1;
		op->object = "the end of vfork()";
		plan_syscall(plan, tid, NR_CLOSE, plan->vforks[i].fd, 0, 0, 0);
	}
}

void plan_clones(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	size_t i, first = plan->leader_ended ? 0 : 1;

	for (i = first; i < p->nr_threads; i++) {
		const struct image_thread *t = &p->threads[i];
		struct plan_op *op = plan_add(plan, OP_CLONE, p->info.pid);

		/* the first stack is that of the thread that makes them */
		op->arg[0] = op->arg[4] = i + 1 - first;
		op->arg[1] = CLONE_BASE | (t->info.clear_child_tid ? CLONE_CHILD_CLEARTID_X86 : 0);
		op->arg[2] = t->info.clear_child_tid;
		op->arg[3] = t->regs.fs_base;
		op->arg[5] = t->tid;
		op->want = WANT_VALUE;
		op->value = t->tid;
	}
}

static void plan_name(struct process_plan *plan, int tid, const char name[16])
{
	char comm[16] = { 0 };
	struct plan_op *op;

	memcpy(comm, name, 15);
	op = plan_syscall(plan, tid, NR_PRCTL, PR_SET_NAME,
			  buffer_add(&plan->data, comm, sizeof(comm), 1), 0, 0);
	op->refs = 1 << 1;
	op->optional = true;
}

static void plan_identity(struct process_plan *plan, const struct image_thread *t, bool leader)
{
	if (leader) {
		plan_syscall(plan, t->tid, NR_SET_TID_ADDRESS, t->info.clear_child_tid, 0, 0, 0);
		plan_syscall(plan, t->tid, NR_ARCH_PRCTL, ARCH_SET_FS, t->regs.fs_base, 0, 0);
	}
	if (t->regs.gs_base)
		plan_syscall(plan, t->tid, NR_ARCH_PRCTL, ARCH_SET_GS, t->regs.gs_base, 0, 0);
	plan_name(plan, t->tid, *t->info.comm ? t->info.comm : plan->process->info.comm);
}

/*
 * It has not done anything since clone() returned in it, and its C library, which has seen
 * that rseq() works, will end the program when it does not any more.
 */
static bool will_miss_rseq(const struct process_plan *plan, const struct image_thread *t)
{
	const struct image_process *p = plan->process;

	if (plan->engine->can.flags & PROBE_RSEQ || t->info.rseq || t->tid == p->info.pid)
		return false;
	return (t->regs.orig_rax == NR_CLONE || t->regs.orig_rax == NR_CLONE3) && !t->regs.rax &&
	       p->threads[0].info.rseq;
}

/* What the kernel writes to on the thread's behalf. */
static void plan_registrations(struct process_plan *plan, const struct image_thread *t,
			       bool clear_cs)
{
	const struct engine *engine = plan->engine;
	uint64_t rseq = t->info.rseq;
	struct plan_op *op;

	if (t->info.robust_list && engine->can.flags & PROBE_ROBUST_LIST)
		plan_syscall(plan, t->tid, NR_SET_ROBUST_LIST, t->info.robust_list,
			     ROBUST_LIST_SIZE, 0, 0);
	if (will_miss_rseq(plan, t))
		plan_issue(plan->group, true,
			   "cannot resume pid %d thread %d: it had just been made, and the C "
			   "library ends a program whose new thread has no rseq(), as under %s "
			   "(resume it natively, or take the checkpoint anew)",
			   plan->process->info.pid, t->tid, engine->name);
	if (!rseq)
		return;
	if (clear_cs) {
		op = plan_add(plan, OP_POKE8, t->tid);
		op->arg[0] = rseq + 8;
		op->object = "rseq_cs";
	}
	if (engine->can.flags & PROBE_RSEQ) {
		plan_syscall(plan, t->tid, NR_RSEQ, rseq, t->info.rseq_len, 0, t->info.rseq_sig);
		return;
	}
	op = plan_add(plan, OP_POKE4, t->tid);
	op->arg[0] = rseq + 4;
	op->arg[1] = RSEQ_FAILED;
	op->object = "rseq cpu_id";
	op = plan_add(plan, OP_POKE4, t->tid);
	op->arg[0] = rseq;
	op->object = "rseq cpu_id_start";
}

/* Queued while everything is blocked, in the order in which they came. */
static void plan_pending(struct process_plan *plan, int tid, const uint8_t *pending, size_t n,
			 bool shared)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const uint8_t *info = pending + i * XCKPT_SIGINFO_SIZE;
		size_t offset = buffer_add(&plan->data, info, XCKPT_SIGINFO_SIZE, 8);
		struct plan_op *op;
		int32_t sig;

		memcpy(&sig, info, sizeof(sig));
		if (sig == X86_SIGSTOP)
			continue; /* nothing blocks it: plan_stop() */
		plan_timer_signal(plan, plan->data.bytes + offset);
		if (shared) {
			op = plan_syscall(plan, tid, NR_RT_SIGQUEUEINFO, plan->process->info.pid,
					  sig, offset, 0);
			op->refs = 1 << 2;
		} else {
			op = plan_syscall(plan, tid, NR_RT_TGSIGQUEUEINFO, plan->process->info.pid,
					  tid, sig, offset);
			op->refs = 1 << 3;
		}
	}
}

static void tell_lost_state(struct process_plan *plan, const struct image_thread *t,
			    const struct xstate *xs)
{
	const struct engine *engine = plan->engine;
	int pid = plan->process->info.pid;
	unsigned int i;

	for (i = 0; i < 63; i++) {
		if (xs->lost >> i & 1)
			plan_issue(plan->group, true,
				   "cannot resume pid %d thread %d: %s state (%s) is live and %s "
				   "has no %s (resume it natively on a CPU that has %s)",
				   pid, t->tid, xstate_family(i), xstate_name(i), engine->name,
				   xstate_family(i), xstate_family(i));
		if (xs->unknown >> i & 1)
			plan_issue(
				plan->group, true,
				"cannot resume pid %d thread %d: %s state (%s) lies at an unknown "
				"place in its XSAVE area (resume it on a CPU of the same kind)",
				pid, t->tid, xstate_family(i), xstate_name(i));
	}
}

static void tell_problem(struct process_plan *plan, const struct image_thread *t,
			 enum regs_problem problem)
{
	static const char *const text[] = {
		[REGS_NOT_SYSCALL] = "it waits in a system call that was not made by SYSCALL",
		[REGS_NO_CODE] = "its instructions are not in the image",
		[REGS_OUTSIDE] = "its registers point outside user space",
		[REGS_NOT_64BIT] = "it does not run 64-bit code",
	};

	if (problem)
		plan_issue(plan->group, false,
			   "cannot resume pid %d thread %d: %s (take the checkpoint anew)",
			   plan->process->info.pid, t->tid, text[problem]);
}

/* The last record of a thread: its registers, in a frame that rt_sigreturn loads. */
static struct plan_op *plan_start(struct process_plan *plan, const struct image_thread *t,
				  const struct x86_regs *regs, const struct xstate *xs)
{
	uint8_t frame[FRAME_SIZE];
	struct plan_op *op;

	regs_frame(regs, &t->info, plan->engine->can.flags & PROBE_XSAVE, frame);
	op = plan_add(plan, OP_START, t->tid);
	op->arg[0] = buffer_add(&plan->keep, frame, sizeof(frame), 64);
	op->arg[1] = buffer_add(&plan->keep, xs->area, xs->len, 64);
	op->arg[2] = xs->mask;
	op->arg[3] = regs->rip;
	op->want = WANT_ANY;
	return op;
}

/* Tile registers are for those who asked for them, as the program once did. */
static void plan_xstate(struct process_plan *plan, const struct image_thread *t, struct xstate *xs)
{
	xstate_convert(t->xstate, t->xstate_size, plan->img, plan->engine, xs);
	tell_lost_state(plan, t, xs);
	if (xs->live >> XTILEDATA & 1)
		plan_syscall(plan, t->tid, NR_ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, XTILEDATA, 0, 0)
			->object = "permission for AMX";
}

/* What a process has once, while the first thread may still do everything. */
static void plan_leader_begin(struct process_plan *plan)
{
	const struct image_process *p = plan->process;

	plan_proc(plan);
	plan_root(plan);
	plan_pending(plan, p->info.pid, p->pending, p->nr_pending, true);
	plan_limits(plan);
}

/*
 * The last steps. At the barrier all is there that anybody can see from outside;
 * behind it is what must not begin before the program does, or would hide it.
 */
static void plan_leader_end(struct process_plan *plan)
{
	int tid = plan->process->info.pid;

	plan_timers(plan);
	plan_descriptor_flags(plan);
	plan_syscall(plan, tid, NR_CLOSE, plan->fds.core, 0, 0, 0);
	plan_syscall(plan, tid, NR_CLOSE, plan->fds.restorer, 0, 0, 0);
	/* where the restart ELF is seen by its path there is none */
	plan_syscall(plan, tid, NR_CLOSE, plan->fds.restart, 0, 0, 0)->want = WANT_ANY;
	if (plan->engine->kind == ENGINE_NATIVE && *plan->process->exe)
		plan_syscall(plan, tid, NR_CLOSE, plan->fds.exe, 0, 0, 0);
	plan_stops_hush(plan);
	plan_add(plan, OP_BARRIER, tid);
	plan_stops_take(plan);
	plan_dumpable(plan);
	plan_timers_start(plan);
	plan_syscall(plan, tid, NR_CLOSE, plan->fds.status, 0, 0, 0);
	plan_stop(plan);
	plan_add(plan, OP_GO, tid);
}

/* The first thread of a process that goes on without it. */
void plan_ended_leader(struct process_plan *plan)
{
	if (!plan->leader_ended)
		return;
	/* the process's name is still that of this one */
	plan_name(plan, plan->process->info.pid, plan->process->info.comm);
	plan_leader_begin(plan);
	plan_leader_end(plan);
	plan_add(plan, OP_END, plan->process->info.pid)->want = WANT_ANY;
}

void plan_thread(struct process_plan *plan, size_t n)
{
	const struct image_process *p = plan->process;
	const struct image_thread *t = &p->threads[n];
	static struct xstate xs;
	struct x86_regs regs = t->regs;
	bool restarted, clear_cs;
	enum regs_problem problem;
	struct call call = { 0 };
	bool leader = t->tid == p->info.pid;

	problem = regs_restart(p, t, &regs, &restarted);
	if (!problem)
		problem = regs_check(&regs);
	tell_problem(plan, t, problem);
	if (!regs_rseq_abort(p, t, &regs, &clear_cs) && !problem)
		call = plan_call(plan, t, &regs, restarted);

	plan_xstate(plan, t, &xs);
	plan_identity(plan, t, leader);
	plan_registrations(plan, t, clear_cs);
	plan_scheduling(plan, t);
	plan_pending(plan, t->tid, t->pending, t->nr_pending, false);
	if (leader)
		plan_leader_begin(plan);
	plan_credentials(plan, t);
	if (leader)
		plan_leader_end(plan);
	else
		plan_add(plan, OP_WAIT, t->tid);
	plan_vfork_wait(plan, t->tid);
	plan_call_time(plan, t, &call);
	plan_start(plan, t, &regs, &xs)->object = call.name;
}
