/* SPDX-License-Identifier: GPL-2.0-only */
/* One begin and one end per stage: where overhead probes attach. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xckpt

#if !defined(XCKPT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define XCKPT_TRACE_H

#include <linux/tracepoint.h>

#include "compat/task.h"
#include "group.h"
#include "xckpt_image.h"

/*
 * @session: the number of the opened device, of all since the module was loaded
 * @pid: the group's root as the first pid namespace numbers it
 */
DECLARE_EVENT_CLASS(xckpt_group,
	TP_PROTO(struct group *group),
	TP_ARGS(group),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(unsigned int, nr_threads)
		__field(u32, session)
	),
	TP_fast_assign(
		__entry->pid = pid_nr(group->pid);
		__entry->nr_threads = group->nr_members;
		__entry->session = group->session;
	),
	TP_printk("pid=%d threads=%u session=%u", __entry->pid, __entry->nr_threads,
		  __entry->session)
);

DEFINE_EVENT(xckpt_group, freeze_begin, TP_PROTO(struct group *group), TP_ARGS(group));
DEFINE_EVENT(xckpt_group, thaw_begin, TP_PROTO(struct group *group), TP_ARGS(group));
DEFINE_EVENT(xckpt_group, thaw_end, TP_PROTO(struct group *group), TP_ARGS(group));

/* One held thread, once all are still: how and where. */
TRACE_EVENT(freeze_thread,
	TP_PROTO(struct group *group, const struct member *member, const struct pt_regs *regs),
	TP_ARGS(group, member, regs),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(pid_t, tid)
		__field(u32, session)
		__field(u32, state)	/* enum member_state */
		__field(s64, nr)	/* of the system call it is in; negative: of none */
		__field(s64, ret)	/* what that would return: -ERESTART* when it starts again */
		__field(u64, parked_ns)	/* 0: it did not park */
		__field(u64, delay_ns)	/* that it waited for a processor in all its life */
		__field(u64, switches)	/* how often it got one */
		__field(u32, slept)	/* it was asleep when it was to park */
		__field(u32, cut)	/* its call was cut short, and will be finished */
		__array(char, comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		__entry->pid = member->task->tgid;
		__entry->tid = member->task->pid;
		__entry->session = group->session;
		__entry->state = member->state;
		__entry->nr = regs->orig_ax;
		__entry->ret = regs->ax;
		__entry->parked_ns = member->state == MEMBER_PARKED ? member->parked_ns : 0;
		compat_sched_info(member->task, &__entry->delay_ns, &__entry->switches);
		__entry->slept = member->slept;
		__entry->cut = member->cut;
		memcpy(__entry->comm, member->task->comm, TASK_COMM_LEN);
	),
	TP_printk("pid=%d tid=%d state=%s call=%lld ret=%lld%s%s comm=%s", __entry->pid,
		  __entry->tid,
		  __print_symbolic(__entry->state, { MEMBER_PARKED, "parked" },
				   { MEMBER_STOPPED, "stopped" }, { MEMBER_CGROUP, "cgroup" },
				   { MEMBER_VFORK, "vfork" }, { MEMBER_ASLEEP, "asleep" }),
		  __entry->nr, __entry->ret, __entry->slept ? " slept" : "",
		  __entry->cut ? " cut" : "", __entry->comm)
);

TRACE_EVENT(freeze_end,
	TP_PROTO(struct group *group, const struct xckpt_freeze *arg, int ret),
	TP_ARGS(group, arg, ret),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(unsigned int, nr_threads)
		__field(u32, session)
		__field(u32, mode)
		__field(u32, nr_processes)
		__field(u32, nr_rounds)
		__field(int, ret)
		__field(u64, latency_ns)
		__field(u64, skew_ns)
	),
	TP_fast_assign(
		__entry->pid = pid_nr(group->pid);
		__entry->nr_threads = group->nr_members;
		__entry->session = group->session;
		__entry->mode = group->mode;
		__entry->nr_processes = arg->out_nr_processes;
		__entry->nr_rounds = group->nr_rounds;
		__entry->latency_ns = arg->out_latency_ns;
		__entry->skew_ns = arg->out_skew_ns;
		__entry->ret = ret;
	),
	TP_printk("pid=%d threads=%u processes=%u mode=%u rounds=%u latency_ns=%llu skew_ns=%llu ret=%d",
		  __entry->pid, __entry->nr_threads, __entry->nr_processes, __entry->mode,
		  __entry->nr_rounds, __entry->latency_ns, __entry->skew_ns, __entry->ret)
);

/* In the thread itself, around the time that it does not run. */
DECLARE_EVENT_CLASS(xckpt_thread,
	TP_PROTO(u32 session, struct task_struct *task),
	TP_ARGS(session, task),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(pid_t, tid)
		__field(u32, session)
		__field(u64, delay_ns)
		__field(u64, switches)
	),
	TP_fast_assign(
		__entry->pid = task->tgid;
		__entry->tid = task->pid;
		__entry->session = session;
		compat_sched_info(task, &__entry->delay_ns, &__entry->switches);
	),
	TP_printk("pid=%d tid=%d delay_ns=%llu switches=%llu", __entry->pid, __entry->tid,
		  __entry->delay_ns, __entry->switches)
);

DEFINE_EVENT(xckpt_thread, park_begin, TP_PROTO(u32 session, struct task_struct *task),
	TP_ARGS(session, task));
DEFINE_EVENT(xckpt_thread, park_end, TP_PROTO(u32 session, struct task_struct *task),
	TP_ARGS(session, task));

/* All processes of a group are captured; a clone is made meanwhile, by another thread. */
DEFINE_EVENT(xckpt_group, snapshot_begin, TP_PROTO(struct group *group), TP_ARGS(group));

TRACE_EVENT(snapshot_end,
	TP_PROTO(struct group *group, const struct xckpt_snapshot *arg, int ret),
	TP_ARGS(group, arg, ret),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u32, session)
		__field(unsigned int, nr_processes)
		__field(unsigned int, nr_uncloned)
		__field(unsigned int, nr_attempts)
		__field(int, ret)
		__field(u64, copied_bytes)
	),
	TP_fast_assign(
		__entry->pid = pid_nr(group->pid);
		__entry->session = group->session;
		__entry->nr_processes = arg->out_nr_processes;
		__entry->nr_uncloned = arg->out_nr_uncloned;
		__entry->nr_attempts = arg->out_nr_attempts;
		__entry->copied_bytes = arg->out_copied_bytes;
		__entry->ret = ret;
	),
	TP_printk("pid=%d processes=%u uncloned=%u attempts=%u copied=%llu ret=%d", __entry->pid,
		  __entry->nr_processes, __entry->nr_uncloned, __entry->nr_attempts,
		  __entry->copied_bytes, __entry->ret)
);

/* @pid: whose memory is cloned; @pages: resident ones of it */
TRACE_EVENT(clone_begin,
	TP_PROTO(pid_t pid, unsigned long pages),
	TP_ARGS(pid, pages),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(unsigned long, pages)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->pages = pages;
	),
	TP_printk("pid=%d pages=%lu", __entry->pid, __entry->pages)
);

TRACE_EVENT(clone_end,
	TP_PROTO(pid_t pid, unsigned long pages, int ret),
	TP_ARGS(pid, pages, ret),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(int, ret)
		__field(unsigned long, pages)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->pages = pages;
		__entry->ret = ret;
	),
	TP_printk("pid=%d pages=%lu ret=%d", __entry->pid, __entry->pages, __entry->ret)
);

/* Notes and layout of one process become a core. */
TRACE_EVENT(capture_begin,
	TP_PROTO(pid_t pid),
	TP_ARGS(pid),
	TP_STRUCT__entry(__field(pid_t, pid)),
	TP_fast_assign(__entry->pid = pid;),
	TP_printk("pid=%d", __entry->pid)
);

TRACE_EVENT(capture_end,
	TP_PROTO(pid_t pid, unsigned int nr_segments, u64 bytes, int ret),
	TP_ARGS(pid, nr_segments, bytes, ret),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(unsigned int, nr_segments)
		__field(int, ret)
		__field(u64, bytes)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->nr_segments = nr_segments;
		__entry->bytes = bytes;
		__entry->ret = ret;
	),
	TP_printk("pid=%d segments=%u bytes=%llu ret=%d", __entry->pid, __entry->nr_segments,
		  __entry->bytes, __entry->ret)
);

/* Which contents a core has is known: bytes by the kind of mapping. */
TRACE_EVENT(core_found,
	TP_PROTO(pid_t pid, const u64 *bytes, u64 untouched),
	TP_ARGS(pid, bytes, untouched),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u64, anon)
		__field(u64, file)
		__field(u64, shared)
		__field(u64, hugetlb)
		__field(u64, other)
		__field(u64, untouched)	/* mapped, and not in the core */
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->anon = bytes[XCKPT_VMA_ANON];
		__entry->file = bytes[XCKPT_VMA_FILE];
		__entry->shared = bytes[XCKPT_VMA_SHMEM] + bytes[XCKPT_VMA_SYSV];
		__entry->hugetlb = bytes[XCKPT_VMA_HUGETLB];
		__entry->other = bytes[XCKPT_VMA_VDSO] + bytes[XCKPT_VMA_RING];
		__entry->untouched = untouched;
	),
	TP_printk("pid=%d anon=%llu file=%llu shared=%llu hugetlb=%llu other=%llu untouched=%llu",
		  __entry->pid, __entry->anon, __entry->file, __entry->shared, __entry->hugetlb,
		  __entry->other, __entry->untouched)
);

/* One read of a core's file. */
TRACE_EVENT(core_begin,
	TP_PROTO(pid_t pid, loff_t pos, size_t count),
	TP_ARGS(pid, pos, count),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(loff_t, pos)
		__field(size_t, count)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->pos = pos;
		__entry->count = count;
	),
	TP_printk("pid=%d pos=%lld count=%zu", __entry->pid, __entry->pos, __entry->count)
);

TRACE_EVENT(core_end,
	TP_PROTO(pid_t pid, ssize_t ret),
	TP_ARGS(pid, ret),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(ssize_t, ret)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->ret = ret;
	),
	TP_printk("pid=%d ret=%zd", __entry->pid, __entry->ret)
);

/* The device was closed: what it held goes on, and nothing is left of the session. */
TRACE_EVENT(session_end,
	TP_PROTO(u32 session),
	TP_ARGS(session),
	TP_STRUCT__entry(__field(u32, session)),
	TP_fast_assign(__entry->session = session;),
	TP_printk("session=%u", __entry->session)
);

#endif /* XCKPT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
