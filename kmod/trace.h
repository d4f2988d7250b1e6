/* SPDX-License-Identifier: GPL-2.0-only */
/* One begin and one end per stage: where overhead probes attach. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xckpt

#if !defined(XCKPT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define XCKPT_TRACE_H

#include <linux/tracepoint.h>

#include "group.h"

/* @pid: the group's root as the first pid namespace numbers it */
DECLARE_EVENT_CLASS(xckpt_group,
	TP_PROTO(struct group *group),
	TP_ARGS(group),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(unsigned int, nr_threads)
	),
	TP_fast_assign(
		__entry->pid = pid_nr(group->pid);
		__entry->nr_threads = group->nr_members;
	),
	TP_printk("pid=%d threads=%u", __entry->pid, __entry->nr_threads)
);

DEFINE_EVENT(xckpt_group, freeze_begin, TP_PROTO(struct group *group), TP_ARGS(group));
DEFINE_EVENT(xckpt_group, thaw_begin, TP_PROTO(struct group *group), TP_ARGS(group));
DEFINE_EVENT(xckpt_group, thaw_end, TP_PROTO(struct group *group), TP_ARGS(group));

TRACE_EVENT(freeze_end,
	TP_PROTO(struct group *group, int ret),
	TP_ARGS(group, ret),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(unsigned int, nr_threads)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->pid = pid_nr(group->pid);
		__entry->nr_threads = group->nr_members;
		__entry->ret = ret;
	),
	TP_printk("pid=%d threads=%u ret=%d", __entry->pid, __entry->nr_threads, __entry->ret)
);

/* In the thread itself, around the time that it does not run. */
DECLARE_EVENT_CLASS(xckpt_thread,
	TP_PROTO(struct task_struct *task),
	TP_ARGS(task),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(pid_t, tid)
	),
	TP_fast_assign(
		__entry->pid = task->tgid;
		__entry->tid = task->pid;
	),
	TP_printk("pid=%d tid=%d", __entry->pid, __entry->tid)
);

DEFINE_EVENT(xckpt_thread, park_begin, TP_PROTO(struct task_struct *task), TP_ARGS(task));
DEFINE_EVENT(xckpt_thread, park_end, TP_PROTO(struct task_struct *task), TP_ARGS(task));

/* All processes of a group are captured; a clone is made meanwhile, by another thread. */
DEFINE_EVENT(xckpt_group, snapshot_begin, TP_PROTO(struct group *group), TP_ARGS(group));

TRACE_EVENT(snapshot_end,
	TP_PROTO(struct group *group, const struct xckpt_snapshot *arg, int ret),
	TP_ARGS(group, arg, ret),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(unsigned int, nr_processes)
		__field(unsigned int, nr_uncloned)
		__field(unsigned int, nr_attempts)
		__field(u64, copied_bytes)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->pid = pid_nr(group->pid);
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

/* @pages: resident ones of the memory that is cloned */
TRACE_EVENT(clone_begin,
	TP_PROTO(unsigned long pages),
	TP_ARGS(pages),
	TP_STRUCT__entry(__field(unsigned long, pages)),
	TP_fast_assign(__entry->pages = pages;),
	TP_printk("pages=%lu", __entry->pages)
);

TRACE_EVENT(clone_end,
	TP_PROTO(unsigned long pages, int ret),
	TP_ARGS(pages, ret),
	TP_STRUCT__entry(
		__field(unsigned long, pages)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->ret = ret;
	),
	TP_printk("pages=%lu ret=%d", __entry->pages, __entry->ret)
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
		__field(u64, bytes)
		__field(int, ret)
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

#endif /* XCKPT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
