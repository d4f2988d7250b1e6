/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences of task_struct and signal_struct between kernels. */
#ifndef XCKPT_COMPAT_TASK_H
#define XCKPT_COMPAT_TASK_H

#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/version.h>

/* Threads of a process that never go to user mode: io_uring's, since 6.4 vhost's too. */
#ifdef PF_USER_WORKER
#define COMPAT_PF_WORKER (PF_IO_WORKER | PF_USER_WORKER)
#else
#define COMPAT_PF_WORKER PF_IO_WORKER
#endif

/* Since 6.12 what sleeps may stay on the queue until it would be its turn. */
static inline bool compat_off_queue(struct task_struct *task)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return !READ_ONCE(task->on_rq) || task->se.sched_delayed;
#else
	return !READ_ONCE(task->on_rq);
#endif
}

/* In the trap of the freezer of cgroups, version 2. */
static inline bool compat_cgroup_frozen(struct task_struct *task)
{
#ifdef CONFIG_CGROUPS
	return task->frozen;
#else
	return false;
#endif
}

/* How long @task has waited for a processor in its life, and how often it got one. */
static inline void compat_sched_info(struct task_struct *task, u64 *delay_ns, u64 *switches)
{
#ifdef CONFIG_SCHED_INFO
	*delay_ns = task->sched_info.run_delay;
	*switches = task->sched_info.pcount;
#else
	*delay_ns = *switches = 0;
#endif
}

/* Somebody chose processors for it. Before 6.2 that looks like what a cgroup allows. */
static inline bool compat_has_affinity(struct task_struct *task)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	return READ_ONCE(task->user_cpus_ptr);
#else
	return true;
#endif
}

static inline bool compat_uses_io_uring(struct task_struct *task)
{
#ifdef CONFIG_IO_URING
	return task->io_uring;
#else
	return false;
#endif
}

static inline int compat_seccomp_mode(struct task_struct *task)
{
#ifdef CONFIG_SECCOMP
	return task->seccomp.mode;
#else
	return 0;
#endif
}

static inline u64 compat_robust_list(struct task_struct *task)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0)
	return (unsigned long)task->futex.robust_list;
#else
	return (unsigned long)task->robust_list;
#endif
}

/* What rseq(2) was given; the length is one fixed size before 6.3. */
static inline void compat_rseq(struct task_struct *task, u64 *addr, u32 *len, u32 *sig)
{
#ifdef CONFIG_RSEQ
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	*addr = (unsigned long)task->rseq.usrptr;
	*len = task->rseq.len;
	*sig = task->rseq.sig;
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	*addr = (unsigned long)task->rseq;
	*len = task->rseq_len;
	*sig = task->rseq_sig;
#else
	*addr = (unsigned long)task->rseq;
	*len = task->rseq ? 32 : 0;
	*sig = task->rseq_sig;
#endif
#endif
}

#endif
