// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stops of job control: a process that stood stands again, by the same signal, and a
 * parent that has been told of it is not told once more.
 */
#include "plan.h"
#include "xckpt.h"

#define X86_SIG_UNBLOCK 1
#define X86_SA_NOCLDSTOP 1
#define X86_P_PID 1
#define X86_WNOHANG 1
#define X86_WSTOPPED 2
#define X86_WEXITED 4
#define X86_WCONTINUED 8
#define X86_WNOWAIT 0x01000000

static bool has_pending_stop(const uint8_t *pending, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (image_signal(pending, i) == X86_SIGSTOP)
			return true;
	return false;
}

/* Or about to be. */
static bool was_stopped(const struct image_process *p)
{
	size_t i;

	for (i = 0; i < p->nr_threads; i++)
		if (p->threads[i].info.state == XCKPT_TASK_STOPPED ||
		    has_pending_stop(p->threads[i].pending, p->threads[i].nr_pending))
			return true;
	return p->info.flags & XCKPT_PROCESS_STOPPED || has_pending_stop(p->pending, p->nr_pending);
}

/*
 * Signals of a terminal do not stop a process group without a parent that could let it
 * go on: of the same session and another group. qemu-resume is of another session.
 */
static bool is_group_orphaned(const struct image *img, const struct image_process *p)
{
	size_t i;

	for (i = 0; i < img->nr_processes; i++) {
		const struct image_process *q = &img->processes[i], *parent;

		if (q->info.pgid != p->info.pgid)
			continue;
		parent = image_find_process(img, q->info.ppid);
		if (parent && parent->info.pgid != q->info.pgid && parent->info.sid == q->info.sid)
			return false;
	}
	return true;
}

/* The one by which it was, if that stops it again. */
static int stop_signal(const struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	int sig = (int)p->info.stop_signal;

	if (sig < X86_SIGTSTP || sig > X86_SIGTTOU || p->sigaction[sig - 1].handler ||
	    is_group_orphaned(plan->group->img, p))
		return X86_SIGSTOP;
	return sig;
}

/*
 * The last thing before all go: whoever sends itself a signal that stops does not come
 * back from there before SIGCONT, and the others are still held by the barrier.
 */
void plan_stop(struct process_plan *plan)
{
	int pid = plan->process->info.pid, sig = stop_signal(plan);
	uint64_t set = 1ull << (sig - 1);
	struct plan_op *op;

	if (!was_stopped(plan->process))
		return;
	plan_syscall(plan, pid, NR_TGKILL, pid, pid, sig, 0);
	if (sig == X86_SIGSTOP)
		return;
	/* as all that can be it is blocked; what the program itself blocks is set at its start */
	op = plan_syscall(plan, pid, NR_RT_SIGPROCMASK, X86_SIG_UNBLOCK,
			  buffer_add(&plan->data, &set, sizeof(set), 8), 0, sizeof(set));
	op->refs = 1 << 1;
}

static bool is_told(const struct process_plan *plan, const struct image_process *child)
{
	return child->info.ppid == plan->process->info.pid &&
	       child->info.flags & XCKPT_PROCESS_STOP_TOLD && was_stopped(child);
}

static void set_action(struct process_plan *plan, uint64_t more_flags)
{
	const struct xckpt_sigaction *sa = &plan->process->sigaction[X86_SIGCHLD - 1];
	uint64_t act[4] = { sa->handler, sa->flags | more_flags, sa->restorer, sa->mask };
	struct plan_op *op =
		plan_syscall(plan, plan->process->info.pid, NR_RT_SIGACTION, X86_SIGCHLD,
			     buffer_add(&plan->data, act, sizeof(act), 8), 0, sizeof(sa->mask));

	op->refs = 1 << 1;
}

/* Before its children stop: no SIGCHLD for that. (QEMU has no SA_NOCLDSTOP.) */
void plan_stops_hush(struct process_plan *plan)
{
	const struct image *img = plan->group->img;
	size_t i;

	for (i = 0; i < img->nr_processes; i++)
		if (is_told(plan, &img->processes[i])) {
			set_action(plan, X86_SA_NOCLDSTOP);
			return;
		}
}

/* After they may: what wait() would tell is taken away. One may be killed just now. */
void plan_stops_take(struct process_plan *plan)
{
	const struct image *img = plan->group->img;
	int pid = plan->process->info.pid;
	bool any = false;
	size_t i;

	for (i = 0; i < img->nr_processes; i++) {
		const struct image_process *child = &img->processes[i];

		if (!is_told(plan, child))
			continue;
		plan_syscall(plan, pid, NR_WAITID, X86_P_PID, child->info.pid, 0,
			     X86_WSTOPPED | X86_WCONTINUED | X86_WEXITED | X86_WNOWAIT);
		plan_syscall(plan, pid, NR_WAITID, X86_P_PID, child->info.pid, 0,
			     X86_WSTOPPED | X86_WNOHANG);
		any = true;
	}
	if (any)
		set_action(plan, 0);
}
