// SPDX-License-Identifier: GPL-2.0-only
/* What is one per process: ids, credentials, limits, timers, signal actions. */
#include <linux/binfmts.h>
#include <linux/elfcore.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs_struct.h>
#include <linux/sched/coredump.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>
#include <linux/seccomp.h>

#include "capture.h"
#include "compat/task.h"
#include "symbols.h"

/* A CPU timer's expiry is absolute on the group's clock, which runs while it is armed. */
static void fill_cpu_timer(struct xckpt_timer_value *value, const struct cpu_itimer *timer, u64 now)
{
	value->interval_ns = timer->incr;
	if (timer->expires)
		value->value_ns = timer->expires > now ? timer->expires - now : 1;
}

static void fill_itimers(struct xckpt_note_process *note, struct signal_struct *signal)
{
	struct task_cputime_atomic *clock = &signal->cputimer.cputime_atomic;
	u64 utime = atomic64_read(&clock->utime), stime = atomic64_read(&clock->stime);
	ktime_t left;

	if (hrtimer_active(&signal->real_timer)) {
		left = hrtimer_get_remaining(&signal->real_timer);
		note->itimer[0].value_ns = left > 0 ? ktime_to_ns(left) : 1;
		note->itimer[0].interval_ns = ktime_to_ns(signal->it_real_incr);
	} else if (signal->it_real_incr) {
		/* expired, and armed again only when its pending signal is taken */
		note->itimer[0].value_ns = ktime_to_ns(signal->it_real_incr);
		note->itimer[0].interval_ns = ktime_to_ns(signal->it_real_incr);
	}
	fill_cpu_timer(&note->itimer[1], &signal->it[CPUCLOCK_VIRT], utime);
	fill_cpu_timer(&note->itimer[2], &signal->it[CPUCLOCK_PROF], utime + stime);
}

static void fill_signal(struct xckpt_note_process *note, struct task_struct *leader)
{
	struct signal_struct *signal = leader->signal;
	struct task_struct *task;
	unsigned long flags;
	int i;

	BUILD_BUG_ON(RLIM_NLIMITS != XCKPT_NR_RLIMITS);
	if (!compat_lock_sighand(leader, &flags))
		return;
	fill_itimers(note, signal);
	note->nr_threads = signal->nr_threads;
	if (signal->is_child_subreaper)
		note->flags |= XCKPT_PROCESS_SUBREAPER;
	if (signal->tty)
		note->flags |= XCKPT_PROCESS_TTY;
	if (signal->flags & SIGNAL_STOP_STOPPED) {
		note->flags |= XCKPT_PROCESS_STOPPED;
		for_each_thread(leader, task) {
			/* one that has ended knows of an earlier stop at most */
			if (!(task->flags & PF_EXITING))
				note->stop_signal = task->jobctl & JOBCTL_STOP_SIGMASK;
		}
		/* who waits takes it away */
		if (!signal->group_exit_code)
			note->flags |= XCKPT_PROCESS_STOP_TOLD;
	}
	note->oom_score_adj = signal->oom_score_adj;
	for (i = 0; i < RLIM_NLIMITS; i++) {
		note->rlimit[i].cur = signal->rlim[i].rlim_cur;
		note->rlimit[i].max = signal->rlim[i].rlim_max;
	}
	spin_unlock_irqrestore(&leader->sighand->siglock, flags);
}

static void fill_ids(struct xckpt_note_process *note, struct task_struct *leader,
		     struct group *group)
{
	struct pid_namespace *ns = group->ns;
	struct task_struct *task;

	rcu_read_lock();
	note->pid = task_tgid_nr_ns(leader, ns);
	note->ppid = task_tgid_nr_ns(rcu_dereference(leader->real_parent), ns);
	note->pgid = task_pgrp_nr_ns(leader, ns);
	note->sid = task_session_nr_ns(leader, ns);
	for_each_thread(leader, task) {
		if (compat_seccomp_mode(task))
			note->flags |= XCKPT_PROCESS_SECCOMP;
		note->flags |= capture_ring_flags(group, task);
	}
	/* killed meanwhile, its leader may be gone */
	if (pid_alive(leader)) {
		note->exit_signal = leader->group_leader->exit_signal;
		get_task_comm(note->comm, leader->group_leader);
	}
	rcu_read_unlock();
	note->personality = leader->personality;
}

/* Where the process stands in the file system; each path is a string of its own. */
static void add_paths(struct capture *capture, u32 at)
{
	struct task_struct *leader = capture->leader;
	struct path cwd = {}, root = {};
	struct xckpt_note_process *note;
	struct file *exe;
	u32 umask = 0;
	u32 offset;

	task_lock(leader);
	if (leader->fs) {
		get_fs_pwd(leader->fs, &cwd);
		get_fs_root(leader->fs, &root);
		umask = leader->fs->umask;
	}
	task_unlock(leader);
	exe = kernel_call(get_mm_exe_file)(capture->mm);

#define ADD(member, path)                                                                          \
	do {                                                                                       \
		const char *name = capture_path(capture, path);                                    \
		offset = name ? notes_string(&capture->notes, name) : 0;                           \
		note = notes_at(&capture->notes, at);                                              \
		note->member = offset;                                                             \
	} while (0)
	if (exe)
		ADD(exe_off, &exe->f_path);
	if (cwd.dentry)
		ADD(cwd_off, &cwd);
	if (root.dentry)
		ADD(root_off, &root);
#undef ADD
	note = notes_at(&capture->notes, at);
	note->umask = umask;
	if (exe)
		fput(exe);
	path_put(&cwd);
	path_put(&root);
}

static void add_groups(struct capture *capture, u32 at)
{
	struct xckpt_note_process *note;
	u32 nr, offset = capture_groups(capture, capture->leader, &nr);

	note = notes_at(&capture->notes, at);
	note->nr_groups = nr;
	note->groups_off = offset;
}

static void add_prpsinfo(struct capture *capture, const struct xckpt_note_process *process)
{
	struct elf_prpsinfo info = {};
	struct mm_struct *mm = capture->mm;
	int i, len;

	info.pr_sname = 'R';
	info.pr_nice = task_nice(capture->leader);
	info.pr_uid = process->uid;
	info.pr_gid = process->gid;
	info.pr_pid = process->pid;
	info.pr_ppid = process->ppid;
	info.pr_pgrp = process->pgid;
	info.pr_sid = process->sid;
	memcpy(info.pr_fname, process->comm, sizeof(info.pr_fname));
	len = min_t(unsigned long, mm->arg_end - mm->arg_start, ELF_PRARGSZ - 1);
	len = access_process_vm(capture->leader, mm->arg_start, info.pr_psargs, len, FOLL_FORCE);
	for (i = 0; i < len; i++) {
		if (!info.pr_psargs[i])
			info.pr_psargs[i] = ' ';
	}
	notes_put(&capture->notes, "CORE", NT_PRPSINFO, &info, sizeof(info));
}

/* Of a process as most are, all threads have the same files and fs, and nobody else. */
static void fill_sharing(struct xckpt_note_process *note, struct task_struct *leader)
{
	int files_users = 0, fs_users = 0, nr_files = 0, nr_fs = 0;
	struct task_struct *task;
	bool odd_files = false, odd_fs = false;

	task_lock(leader);
	if (leader->files)
		files_users = atomic_read(&leader->files->count);
	if (leader->fs)
		fs_users = leader->fs->users;
	rcu_read_lock();
	for_each_thread(leader, task) {
		struct files_struct *files = READ_ONCE(task->files);
		struct fs_struct *fs = READ_ONCE(task->fs);

		odd_files |= files && files != leader->files;
		nr_files += files && files == leader->files;
		odd_fs |= fs && fs != leader->fs;
		nr_fs += fs && fs == leader->fs;
	}
	rcu_read_unlock();
	task_unlock(leader);
	if (odd_files || files_users > nr_files)
		note->flags |= XCKPT_PROCESS_ODD_FILES;
	if (odd_fs || fs_users > nr_fs)
		note->flags |= XCKPT_PROCESS_ODD_FS;
	if (has_odd_undo(leader))
		note->flags |= XCKPT_PROCESS_ODD_UNDO;
}

static void add_auxv(struct capture *capture)
{
	unsigned long *auxv = capture->mm->saved_auxv;
	unsigned int n = 0;

	while (n + 2 < AT_VECTOR_SIZE && auxv[n] != AT_NULL)
		n += 2;
	notes_put(&capture->notes, "CORE", NT_AUXV, auxv, (n + 2) * sizeof(*auxv));
}

void capture_identity(struct capture *capture)
{
	struct task_struct *leader = capture->leader;
	struct xckpt_note_process fixed = { .size = sizeof(fixed) };
	u32 at;

	fill_ids(&fixed, leader, capture->group);
	capture_process_creds(&fixed, leader);
	fill_signal(&fixed, leader);
	fill_sharing(&fixed, leader);
	fixed.flags |= capture_cpu_flags(capture) | capture_world_flags(capture);
	fixed.dumpable = compat_dumpable(leader, capture->mm);
	fixed.nr_posix_timers = count_timers(leader);

	add_prpsinfo(capture, &fixed);
	add_auxv(capture);
	notes_begin(&capture->notes, XCKPT_NOTE_NAME, XCKPT_NT_PROCESS);
	at = notes_offset(&capture->notes);
	memcpy(notes_add(&capture->notes, sizeof(fixed)), &fixed, sizeof(fixed));
	add_paths(capture, at);
	add_groups(capture, at);
	notes_end(&capture->notes);
}

void capture_signals(struct capture *capture)
{
	struct xckpt_note_table table = { .size = sizeof(table) };
	struct notes *notes = &capture->notes;
	struct xckpt_sigaction *actions;
	unsigned long flags;
	int i;

	notes_begin(notes, XCKPT_NOTE_NAME, XCKPT_NT_SIGACTION);
	notes_add(notes, sizeof(table));
	table.entry_size = sizeof(*actions);
	table.nr_entries = _NSIG;
	table.entries_off = capture_table(notes, _NSIG, sizeof(*actions));
	memcpy(notes_at(notes, 0), &table, sizeof(table));
	if (notes->err)
		return;
	actions = notes_at(notes, table.entries_off);
	if (compat_lock_sighand(capture->leader, &flags)) {
		for (i = 0; i < _NSIG; i++) {
			struct sigaction *sa = &capture->leader->sighand->action[i].sa;

			actions[i].handler = (unsigned long)sa->sa_handler;
			actions[i].flags = sa->sa_flags;
			actions[i].restorer = (unsigned long)sa->sa_restorer;
			actions[i].mask = sa->sa_mask.sig[0];
		}
		spin_unlock_irqrestore(&capture->leader->sighand->siglock, flags);
	}
	notes_end(notes);
}
