// SPDX-License-Identifier: GPL-2.0-or-later
/* How the kernel is to treat a thread: where and when it runs, and what prctl(2) asked for it. */
#include "plan.h"

#define PR_SET_TIMERSLACK 29
#define PR_MCE_KILL 33
#define PR_SET_SPECULATION_CTRL 53
#define SPEC_DISABLE 4
#define SPEC_NEVER 8
#define PR_SET_IO_FLUSHER 57
#define IOPRIO_WHO_PROCESS 1
#define SCHED_RESET_ON_FORK_X86 0x40000000u

/* Where it had all processors it has those of qemu-resume, whoever limited that. */
static void plan_affinity(struct process_plan *plan, const struct image_thread *t)
{
	const __u64 *mask = t->info.affinity;
	struct plan_op *op;
	size_t i;

	for (i = 0; i < XCKPT_AFFINITY_WORDS && !mask[i]; i++)
		;
	if (i == XCKPT_AFFINITY_WORDS)
		return;
	op = plan_syscall(plan, t->tid, NR_SCHED_SETAFFINITY, 0, sizeof(t->info.affinity),
			  buffer_add(&plan->data, mask, sizeof(t->info.affinity), 8), 0);
	op->refs = 1 << 2;
	op->optional = true;
	op->object = "the processors that it may run on";
}

/* qemu-resume's own would be inherited. */
void plan_scheduling(struct process_plan *plan, const struct image_thread *t)
{
	const struct xckpt_note_thread *info = &t->info;
	const struct plan_host *host = plan->host;
	bool reset = info->flags & XCKPT_THREAD_RESET_ON_FORK;
	uint32_t priority = info->rt_priority;
	struct plan_op *op;

	plan_affinity(plan, t);
	if (info->ioprio) {
		op = plan_syscall(plan, t->tid, NR_IOPRIO_SET, IOPRIO_WHO_PROCESS, 0, info->ioprio,
				  0);
		op->optional = true;
		op->object = "the I/O priority";
	}
	if (info->policy || host->policy || reset) {
		op = plan_syscall(plan, t->tid, NR_SCHED_SETSCHEDULER, 0,
				  info->policy | (reset ? SCHED_RESET_ON_FORK_X86 : 0),
				  buffer_add(&plan->data, &priority, sizeof(priority), 4), 0);

		op->refs = 1 << 2;
		op->optional = true;
	}
	if (info->nice != host->nice)
		plan_syscall(plan, t->tid, NR_SETPRIORITY, 0, 0, (int64_t)info->nice, 0)->optional =
			true;
	if (info->timer_slack_ns && info->timer_slack_ns != host->timer_slack_ns)
		plan_syscall(plan, t->tid, NR_PRCTL, PR_SET_TIMERSLACK, info->timer_slack_ns, 0, 0)
			->optional = true;
}

/* Some are for root, and what a thread may be kept from it does not get back. */
void plan_wishes(struct process_plan *plan, const struct image_thread *t)
{
	static const struct {
		uint32_t flag, option;
		uint64_t arg[2];
	} of[] = {
		{ XCKPT_THREAD_MCE_EARLY, PR_MCE_KILL, { 1, 1 } },
		{ XCKPT_THREAD_MCE_LATE, PR_MCE_KILL, { 1, 0 } },
		{ XCKPT_THREAD_IO_FLUSHER, PR_SET_IO_FLUSHER, { 1, 0 } },
		{ XCKPT_THREAD_NO_STORE_BYPASS, PR_SET_SPECULATION_CTRL, { 0, SPEC_DISABLE } },
		{ XCKPT_THREAD_NO_STORE_BYPASS_EVER, PR_SET_SPECULATION_CTRL, { 0, SPEC_NEVER } },
		{ XCKPT_THREAD_NO_BRANCHES, PR_SET_SPECULATION_CTRL, { 1, SPEC_DISABLE } },
		{ XCKPT_THREAD_NO_BRANCHES_EVER, PR_SET_SPECULATION_CTRL, { 1, SPEC_NEVER } },
	};
	size_t i;

	for (i = 0; i < sizeof(of) / sizeof(*of); i++)
		if (t->info.flags & of[i].flag)
			plan_syscall(plan, t->tid, NR_PRCTL, of[i].option, of[i].arg[0],
				     of[i].arg[1], 0)
				->optional = true;
}
