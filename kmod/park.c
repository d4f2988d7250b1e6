// SPDX-License-Identifier: GPL-2.0-only
/* What a thread does that is to be frozen: the work that it runs on its way to user mode. */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/uprobes.h>
#include <linux/wait_bit.h>
#include <asm/unistd.h>
#include <asm/vdso.h>

#include "capture.h"
#include "compat/task.h"
#include "freeze.h"
#include "restart.h"
#include "symbols.h"
#include "trace.h"
#include "transfer.h"

/* Works queued or running, of all groups: the module stays while there are any. */
static atomic_t nr_works = ATOMIC_INIT(0);

static void work_done(struct member *member)
{
	member_put(member);
	if (atomic_dec_and_test(&nr_works))
		wake_up_var(&nr_works);
}

void member_set_state(struct member *member, enum member_state state)
{
	struct group *group = member->group;

	lockdep_assert_held(&members_lock);
	group->nr_pending += member_quiet(member->state) - member_quiet(state);
	group->nr_retry += (state == MEMBER_RETRY) - (member->state == MEMBER_RETRY);
	WRITE_ONCE(member->state, state);
}

/*
 * The vDSO of another kernel or engine has other code, and its data pages stay
 * behind: nobody may be caught in the middle of it. Where execve() put it may be
 * something else by now, as in a program that was resumed.
 */
static bool in_vdso(struct pt_regs *regs)
{
	struct mm_struct *mm = current->mm;
	unsigned long start = (unsigned long)mm->context.vdso;
	struct vm_area_struct *vma;
	bool ret;

	if (!mm->context.vdso_image || regs->ip < start ||
	    regs->ip >= start + mm->context.vdso_image->size)
		return false;
	mmap_read_lock(mm);
	vma = vma_lookup(mm, regs->ip);
	ret = vma && vma_is_vdso(vma);
	mmap_read_unlock(mm);
	return ret;
}

/* On a copy of an instruction, where a breakpoint of the kernel's took its place. */
static bool in_uprobe(void)
{
#ifdef CONFIG_UPROBES
	return current->utask && current->utask->active_uprobe;
#else
	return false;
#endif
}

/* Processor time within which a new thread of a C library has called rseq(2). */
#define NEWBORN_NS (20 * NSEC_PER_MSEC)

static bool has_rseq(struct task_struct *task)
{
	u64 addr = 0;
	u32 len, sig;

	compat_rseq(task, &addr, &len, &sig);
	return addr;
}

/*
 * A thread of a C library calls rseq(2) before all else, and the library ends the program
 * where that fails, as it does under an engine without it: so nobody is caught before it.
 * Who makes threads without a C library never calls it, and is held up for a moment only.
 */
static bool is_newborn(struct pt_regs *regs)
{
	long nr = regs->orig_ax;

	if (thread_group_leader(current) || has_rseq(current) || !has_rseq(current->group_leader))
		return false;
	if (nr == __NR_clone || nr == __NR_clone3)
		return !regs->ax;
	/* an interrupt of user mode */
	return nr < 0 && current->se.sum_exec_runtime < NEWBORN_NS;
}

/* What becomes of a member whose work runs now. */
static enum member_state park_decide(struct member *member, bool retry)
{
	struct group *group = member->group;

	group->nr_disturbed += group->holding && group->frozen;
	if ((current->flags & PF_EXITING) || !group->holding)
		return MEMBER_GONE;
	return retry && !group->frozen ? MEMBER_RETRY : MEMBER_PARKED;
}

static void park_sleep(struct group *group)
{
	for (;;) {
		/* neither load average nor hung-task detector nor suspend mind us */
		set_current_state(TASK_KILLABLE | TASK_NOLOAD | TASK_FREEZABLE);
		if (!READ_ONCE(group->holding) || fatal_signal_pending(current))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

/* True when the thread may go on with what it did, false when it was killed. */
static bool park_held(struct member *member)
{
	struct group *group = member->group;

	trace_park_begin(group->session, current);
	park_sleep(group);
	trace_park_end(group->session, current);

	if (!READ_ONCE(group->holding)) /* and never again: a group is thawed once */
		return !fatal_signal_pending(current);
	spin_lock(&members_lock);
	if (group->holding) {
		member_set_state(member, MEMBER_GONE);
		group->nr_disturbed += group->frozen;
	}
	spin_unlock(&members_lock);
	return false;
}

/*
 * What a system call has closed, or execve(), is let go by works, and the newest runs
 * first: a pipe would have a writer yet that nobody has. The kernel takes up what is
 * added here once the others have run; @work points to the next of them.
 */
static bool park_last(struct callback_head *work)
{
	return work->next && !task_work_add(current, work, TWA_NONE);
}

static void park(struct callback_head *work)
{
	struct member *member = container_of(work, struct member, work);
	struct group *group = member->group;
	struct pt_regs *regs = current_pt_regs();
	struct transfer transfer;
	enum member_state state;
	bool retry = false;

	if (park_last(work))
		return;
	member->cut = false; /* an earlier try is over */
	transfer_begin(&transfer);
	if (!(current->flags & PF_EXITING)) {
		member->native = user_64bit_mode(regs);
		retry = in_vdso(regs) || is_newborn(regs) || in_uprobe();
		/* else nothing of ours interrupted it, and nobody would look at the result */
		if (member->woken)
			restart_interrupted(regs);
		member->cut = transfer_cut(&transfer, regs, member->slept);
	}
	spin_lock(&members_lock);
	state = park_decide(member, retry);
	member->parked_ns = ktime_get_ns();
	member_set_state(member, state);
	/* who waits in vfork() for us counts as still from now on */
	group->stirred |= state == MEMBER_RETRY || READ_ONCE(current->vfork_done);
	if (!group->nr_pending || group->stirred)
		wake_up(&group->arrived);
	spin_unlock(&members_lock);

	/* after RETRY the freezer posts it again, or thaws: it keeps the work's reference */
	if (state == MEMBER_PARKED && park_held(member))
		restart_charge(regs, ktime_get_ns() - member->parked_ns);
	if (state != MEMBER_RETRY && member->cut && !fatal_signal_pending(current)) {
		/* that may take as long as it likes: rmmod fails meanwhile, and does not wait */
		if (try_module_get(THIS_MODULE)) { /* if it does already, the count is short */
			transfer_finish(&transfer, regs);
			module_put(THIS_MODULE);
		}
	}
	transfer_end(&transfer);
	if (state != MEMBER_RETRY)
		work_done(member);
}

/*
 * A thread that is asleep and may stay so finds its work when it wakes up; a
 * newborn passes by the exit to user mode anyway.
 */
void park_post(struct member *member, bool wake)
{
	atomic_inc(&nr_works);
	member->woken = wake;
	init_task_work(&member->work, park);
	if (!task_work_add(member->task, &member->work, wake ? TWA_SIGNAL : TWA_RESUME))
		return;
	/* past exit_task_work(), and so without memory or files already */
	spin_lock(&members_lock);
	member_set_state(member, MEMBER_GONE);
	spin_unlock(&members_lock);
	work_done(member);
}

bool park_is_posted(void)
{
	struct callback_head *work;

	/* whoever takes one back holds this lock */
	raw_spin_lock_irq(&current->pi_lock);
	work = READ_ONCE(current->task_works);
	while (work && work->func != park)
		work = work->next;
	raw_spin_unlock_irq(&current->pi_lock);
	return work;
}

static bool is_work(struct callback_head *work, void *data)
{
	return work == data;
}

/* Did not run yet, and will not any more? */
static bool park_unpost(struct member *member)
{
	return member->state != MEMBER_PARKED &&
	       kernel_call(task_work_cancel_match)(member->task, is_work, &member->work);
}

/* The freezer's turn again after MEMBER_RETRY, or for one that may not stay asleep. */
void park_again(struct member *member)
{
	bool mine;

	spin_lock(&members_lock);
	mine = member->state == MEMBER_RETRY;
	if (mine)
		member_set_state(member, MEMBER_PENDING);
	spin_unlock(&members_lock);
	if (!mine && !park_unpost(member))
		return;
	atomic_dec(&nr_works); /* park_post() counts it again */
	park_post(member, true);
}

/*
 * The notification may have cut a call short, or is still to do so: the work has to run, to
 * mend that. It does so soon, unless the thread is stopped, or waits for what only its end
 * ends, as in vfork(); any other wait that no signal ends is short, as that for a lock.
 */
static bool park_must_run(const struct member *member)
{
	return member->woken && member->state == MEMBER_PENDING &&
	       !(READ_ONCE(member->task->__state) &
		 (TASK_WAKEKILL | __TASK_STOPPED | __TASK_TRACED));
}

/* Take back a work that did not run; nobody waits for a thread that stays stopped. */
void park_cancel(struct member *member)
{
	bool mine, leave;

	spin_lock(&members_lock);
	mine = member->state == MEMBER_RETRY;
	leave = park_must_run(member);
	if (mine)
		member_set_state(member, MEMBER_GONE);
	spin_unlock(&members_lock);
	if (leave)
		return;
	if (mine || park_unpost(member))
		work_done(member);
}

void park_exit(void)
{
	wait_var_event(&nr_works, !atomic_read(&nr_works));
	/* the last ones may still be between work_done() and the end of park() */
	synchronize_rcu_tasks();
}
