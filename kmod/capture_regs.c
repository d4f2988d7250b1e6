// SPDX-License-Identifier: GPL-2.0-only
/* What is one per thread: registers, FPU state, signal mask, pending signals. */
#include <linux/cpumask.h>
#include <linux/elf.h>
#include <linux/elfcore.h>
#include <linux/iocontext.h>
#include <linux/ptrace.h>
#include <linux/regset.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/signal.h>
#include <asm/fpu/xcr.h>
#include <asm/unistd.h>

#include "capture.h"
#include "compat/task.h"
#include "device.h"
#include "freeze.h"
#include "restart.h"
#include "symbols.h"

u64 xckpt_xfeatures(void)
{
	return boot_cpu_has(X86_FEATURE_OSXSAVE) ? xgetbv(XCR_XFEATURE_ENABLED_MASK) : 3;
}

/*
 * What a thread that was left asleep has in its registers is its call as it came.
 * In the image it was interrupted, and makes the call again, as the kernel would
 * have it for one that has done nothing yet.
 */
static void show_interrupted(struct elf_prstatus *status, struct task_struct *task)
{
	struct user_regs_struct *regs = (void *)&status->pr_reg;

	if ((long)regs->orig_ax >= 0)
		regs->ax = restart_result(task_pt_regs(task));
}

/*
 * Stopped by its tracer where the kernel has done nothing yet for its call: that is to be
 * made when it goes on. At other events within a call its result is still to come.
 */
static bool is_before_call(struct task_struct *task)
{
	unsigned long flags;
	int event = -1;

	if (!task_is_traced(task) || !compat_lock_sighand(task, &flags))
		return false;
	if (task->last_siginfo)
		event = task->last_siginfo->si_code >> 8;
	spin_unlock_irqrestore(&task->sighand->siglock, flags);
	return !event || event == PTRACE_EVENT_SECCOMP;
}

/*
 * Works, and so ours, do not wait for the end of a call where io_uring waits, nor where a
 * tracer is about to be told of something. That may be of a child, which is there by then.
 */
static bool is_within_call(struct task_struct *task, const struct pt_regs *regs)
{
	switch (regs->orig_ax) {
	case __NR_clone:
	case __NR_clone3:
	case __NR_fork:
	case __NR_vfork:
		return false;
	}
	return task->ptrace || compat_uses_io_uring(task);
}

/* Is the call of a held thread still to be made, as far as an image is concerned? */
static bool is_to_be_made(struct task_struct *task, u32 state)
{
	const struct pt_regs *regs = task_pt_regs(task);

	if (state == XCKPT_TASK_ASLEEP)
		return true;
	if ((long)regs->orig_ax < 0 || (long)regs->ax != -ENOSYS)
		return false;
	return state == XCKPT_TASK_PARKED ? is_within_call(task, regs) : is_before_call(task);
}

static void add_prstatus(struct notes *notes, struct task_struct *task, struct pid_namespace *ns,
			 const struct user_regset_view *view, u32 state)
{
	bool asleep = state == XCKPT_TASK_ASLEEP;
	struct elf_prstatus status = {};
	bool saved;

	rcu_read_lock();
	status.common.pr_pid = task_pid_nr_ns(task, ns);
	status.common.pr_ppid = task_tgid_nr_ns(rcu_dereference(task->real_parent), ns);
	status.common.pr_pgrp = task_pgrp_nr_ns(task, ns);
	status.common.pr_sid = task_session_nr_ns(task, ns);
	rcu_read_unlock();
	status.common.pr_sigpend = task->pending.signal.sig[0];
	status.common.pr_sighold = restart_sigmask(task, asleep, &saved);
	regset_get(task, &view->regsets[0], sizeof(status.pr_reg), &status.pr_reg);
	if (is_to_be_made(task, state))
		show_interrupted(&status, task);
	status.pr_fpvalid = 1;
	notes_put(notes, "CORE", NT_PRSTATUS, &status, sizeof(status));
}

/* The regset goes straight into the note; NT_PRFPREG comes first of them (view order). */
static void add_regset(struct notes *notes, struct task_struct *task,
		       const struct user_regset *regset)
{
	size_t size = regset->n * regset->size;
	size_t before;
	void *place;
	int got;

	if (!regset->core_note_type || !regset->regset_get)
		return;
	/* who is killed meanwhile frees these, and XCKPT_PROCESS_IO_PORTS tells of them */
	if (regset->core_note_type == NT_386_IOPERM)
		return;
	if (regset->active && regset->active(task, regset) <= 0)
		return;
	before = notes->size;
	notes_begin(notes, regset->core_note_type == NT_PRFPREG ? "CORE" : "LINUX",
		    regset->core_note_type);
	place = notes_add(notes, size);
	if (notes->err)
		return;
	got = regset_get(task, regset, size, place);
	if (got <= 0) {
		notes->size = before;
		return;
	}
	notes->size -= size - got;
	notes_end(notes);
}

static void add_siginfo(struct notes *notes)
{
	siginfo_t none;

	BUILD_BUG_ON(sizeof(none) != XCKPT_SIGINFO_SIZE);
	memset(&none, 0, sizeof(none));
	notes_put(notes, "CORE", NT_SIGINFO, &none, sizeof(none));
}

/* As the group's processes are numbered: 0 as well for one outside of their pid namespace. */
static pid_t tracer_of(struct task_struct *task, struct pid_namespace *ns)
{
	struct task_struct *tracer;
	pid_t pid;

	rcu_read_lock();
	tracer = ptrace_parent(task);
	pid = tracer ? task_tgid_nr_ns(tracer, ns) : 0;
	rcu_read_unlock();
	return pid;
}

/* Nothing is told of a machine with more processors than there is room for. */
static void fill_affinity(struct xckpt_note_thread *note, struct task_struct *task)
{
	unsigned int cpu;

	if (!compat_has_affinity(task) || cpumask_subset(cpu_online_mask, &task->cpus_mask) ||
	    nr_cpu_ids > 64 * XCKPT_AFFINITY_WORDS)
		return;
	for_each_cpu(cpu, &task->cpus_mask)
		note->affinity[cpu / 64] |= 1ull << cpu % 64;
}

static void fill_scheduling(struct xckpt_note_thread *note, struct task_struct *task)
{
	note->timer_slack_ns = task->timer_slack_ns;
	note->policy = task->policy;
	note->nice = task_nice(task);
	note->rt_priority = task->rt_priority;
	if (task->sched_reset_on_fork)
		note->flags |= XCKPT_THREAD_RESET_ON_FORK;
#ifdef CONFIG_BLOCK
	task_lock(task);
	if (task->io_context)
		note->ioprio = task->io_context->ioprio;
	task_unlock(task);
#endif
	fill_affinity(note, task);
}

/* What prctl(2) asked for one thread. */
static u32 prctl_flags(struct task_struct *task)
{
	u32 flags = 0;

	if (task->flags & PF_MCE_PROCESS)
		flags |=
			task->flags & PF_MCE_EARLY ? XCKPT_THREAD_MCE_EARLY : XCKPT_THREAD_MCE_LATE;
	/* one of them alone is the kernel's own, for a while */
	if ((task->flags & PF_MEMALLOC_NOIO) && (task->flags & PF_LOCAL_THROTTLE))
		flags |= XCKPT_THREAD_IO_FLUSHER;
	if (task_spec_ssb_disable(task))
		flags |= XCKPT_THREAD_NO_STORE_BYPASS;
	if (task_spec_ssb_force_disable(task))
		flags |= XCKPT_THREAD_NO_STORE_BYPASS_EVER;
	if (task_spec_ib_disable(task))
		flags |= XCKPT_THREAD_NO_BRANCHES;
	if (task_spec_ib_force_disable(task))
		flags |= XCKPT_THREAD_NO_BRANCHES_EVER;
	return flags;
}

static void add_thread_note(struct capture *capture, struct task_struct *task, u32 state, bool cut)
{
	struct pid_namespace *ns = capture->group->ns;
	struct xckpt_note_thread note = { .size = sizeof(note) };
	struct pt_regs *regs = task_pt_regs(task);
	bool saved;

	note.tid = task_pid_nr_ns(task, ns);
	note.state = state;
	note.sigmask = restart_sigmask(task, state == XCKPT_TASK_ASLEEP, &saved);
	if (saved)
		note.flags |= XCKPT_THREAD_SAVED_SIGMASK;
	if ((long)regs->orig_ax >= 0)
		note.flags |= XCKPT_THREAD_IN_SYSCALL;
	if (compat_seccomp_mode(task))
		note.flags |= XCKPT_THREAD_SECCOMP;
	if (cut)
		note.flags |= XCKPT_THREAD_CUT;
	note.altstack_sp = task->sas_ss_sp;
	note.altstack_size = task->sas_ss_size;
	note.altstack_flags = task->sas_ss_size ? task->sas_ss_flags : SS_DISABLE;
	note.pdeath_signal = task->pdeath_signal;
	note.clear_child_tid = (unsigned long)task->clear_child_tid;
	note.robust_list = compat_robust_list(task);
	compat_rseq(task, &note.rseq, &note.rseq_len, &note.rseq_sig);
	note.flags |= prctl_flags(task);
	fill_scheduling(&note, task);
	restart_describe(&note, task, regs, is_to_be_made(task, state));
	get_task_comm(note.comm, task);
	if (state == XCKPT_TASK_VFORK)
		note.vfork_child = freeze_vfork_child(capture->group, task, ns);
	note.tracer = tracer_of(task, ns);
	notes_put(&capture->notes, XCKPT_NOTE_NAME, XCKPT_NT_THREAD, &note, sizeof(note));
	capture_thread_creds(capture, task);
}

static void fill_siginfo(siginfo_t *to, const kernel_siginfo_t *from)
{
	memset(to, 0, sizeof(*to));
	memcpy(to, from, sizeof(*from));
	/* the kernel's own bookkeeping of a POSIX timer */
	if (to->si_code == SI_TIMER)
		to->_sifields._timer._sys_private = 0;
}

/* Copy what is queued, then what is only flagged, at most @room; returns how many there are. */
static unsigned int copy_pending(struct sigpending *pending, siginfo_t *to, unsigned int room)
{
	sigset_t flagged = pending->signal;
	struct sigqueue *queued;
	unsigned int nr = 0;
	int sig;

	list_for_each_entry(queued, &pending->list, list) {
		sigdelset(&flagged, queued->info.si_signo);
		if (nr < room)
			fill_siginfo(&to[nr], &queued->info);
		nr++;
	}
	for (sig = 1; sig <= _NSIG; sig++) {
		if (!sigismember(&flagged, sig))
			continue;
		if (nr < room) {
			memset(&to[nr], 0, sizeof(*to));
			to[nr].si_signo = sig;
			to[nr].si_code = SI_USER;
		}
		nr++;
	}
	return nr;
}

void capture_pending(struct notes *notes, struct task_struct *task, bool shared)
{
	struct xckpt_note_table table = { .size = sizeof(table), .entries_off = sizeof(table) };
	unsigned int nr = 0, room = 0;
	siginfo_t *info = NULL;
	unsigned long flags;

	do { /* signals may still be sent to a frozen process */
		room = nr;
		kvfree(info);
		info = room ? kvmalloc_array(room, sizeof(*info), GFP_KERNEL_ACCOUNT) : NULL;
		if (room && !info) {
			notes->err = notes->err ?: -ENOMEM;
			return;
		}
		if (!compat_lock_sighand(task, &flags)) {
			nr = 0; /* it was killed, and its signals with it */
			break;
		}
		nr = copy_pending(shared ? &task->signal->shared_pending : &task->pending, info,
				  room);
		spin_unlock_irqrestore(&task->sighand->siglock, flags);
	} while (nr > room);

	if (nr) {
		table.entry_size = sizeof(*info);
		table.nr_entries = nr;
		notes_begin(notes, XCKPT_NOTE_NAME, XCKPT_NT_SIGPENDING);
		memcpy(notes_add(notes, sizeof(table)), &table, sizeof(table));
		capture_table(notes, nr, sizeof(*info));
		if (!notes->err)
			memcpy(notes_at(notes, sizeof(table)), info, nr * sizeof(*info));
		notes_end(notes);
	}
	kvfree(info);
}

void capture_thread(struct capture *capture, struct task_struct *task, u32 state, bool cut)
{
	struct pid_namespace *ns = capture->group->ns;
	const struct user_regset_view *view;
	unsigned int i;

	/* one that was killed meanwhile has no registers any more */
	if (!try_get_task_stack(task))
		return;
	view = task_user_regset_view(task);
	add_prstatus(&capture->notes, task, ns, view, state);
	for (i = 1; i < view->n; i++)
		add_regset(&capture->notes, task, &view->regsets[i]);
	add_siginfo(&capture->notes);
	add_thread_note(capture, task, state, cut);
	kernel_call(put_task_stack)(task);
	capture_pending(&capture->notes, task, false);
}
