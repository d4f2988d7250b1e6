/* SPDX-License-Identifier: GPL-2.0-only */
/* What the probes have in common: accounts, records, and the measure of themselves. */
#ifndef XCKPT_STAT_PROBES_H
#define XCKPT_STAT_PROBES_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "event.h"

#define MAX_ANCESTORS 32
#define FAULT_COW 3 /* page_fault_user: a write to a page that is there */

/* Of the kernel's structures, what is read here; libbpf finds where it is. */
#define KERNEL __attribute__((preserve_access_index))
struct sched_entity {
	__u64 sum_exec_runtime;
} KERNEL;
struct sched_info {
	unsigned long pcount;
	unsigned long long run_delay;
} KERNEL;
struct signal_struct {
	unsigned long long sum_sched_runtime;
} KERNEL;
struct task_struct {
	int pid, tgid;
	struct task_struct *real_parent;
	struct signal_struct *signal;
	struct sched_entity se;
	struct sched_info sched_info;
} KERNEL;
struct vm_fault;

const volatile __s32 command; /* only checkpoints by this process or its descendants; 0: all */
const volatile __u32 ring_bytes;

/*
 * Checkpoints that are looked at: until the tool has all of one, which takes that away
 * again; and those of them whose session is not over, in which faults count.
 */
int windows, fault_windows;
/* Records that had no room, threads and processes too many to keep account of. */
__u64 dropped_records, dropped_sums;
/* What the probes cost while they look. */
__u64 own_runs, own_ns;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SESSIONS);
	__type(key, __u32);
	__type(value, __u32); /* 1: it is over */
} sessions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_THREADS);
	__type(key, __s32);
	__type(value, struct thread_sums);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCESSES);
	__type(key, __s32);
	__type(value, struct process_sums);
} processes SEC(".maps");

/* By tid: since when it reads from a core. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_READERS);
	__type(key, __s32);
	__type(value, __u64);
} readers SEC(".maps");

static __s32 current_tid(void)
{
	return (__s32)bpf_get_current_pid_tgid();
}

/* Of this process, but for threads that run elsewhere at this moment. */
static __u64 current_cpu_ns(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, se.sum_exec_runtime) +
	       BPF_CORE_READ(task, signal, sum_sched_runtime);
}

static bool is_wanted(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (!command)
		return true;
	for (int i = 0; i < MAX_ANCESTORS && task; i++) {
		if (BPF_CORE_READ(task, tgid) == command)
			return true;
		if (BPF_CORE_READ(task, pid) <= 1)
			break;
		task = BPF_CORE_READ(task, real_parent);
	}
	return false;
}

/* Whoever reads is not woken for each: when half of the room is used, or at the end. */
static __u64 wakeup(__u32 type)
{
	bool now = type == RECORD_session_end ||
		   bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > ring_bytes / 2;

	return now ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

#define RECORD_SIZE(name) (offsetof(struct record, name) + sizeof(struct event_##name))

static __always_inline struct record *record_begin(struct record *record, __u32 type, __u32 session)
{
	if (!record) {
		__sync_fetch_and_add(&dropped_records, 1);
		return NULL;
	}
	record->ns = bpf_ktime_get_ns();
	record->type = type;
	record->session = session;
	return record;
}

static void record_holder(struct record *record)
{
	record->holder = bpf_get_current_pid_tgid() >> 32;
	record->cpu_ns = current_cpu_ns();
	bpf_get_current_comm(record->comm, sizeof(record->comm));
}

#define reserve(name, session)                                                                     \
	record_begin(bpf_ringbuf_reserve(&ring, RECORD_SIZE(name), 0), RECORD_##name, session)

/* By a helper: compilers read from the context what and how the verifier forbids. */
#define copy_event(to, ctx) bpf_probe_read_kernel(&(to), sizeof(to), &(ctx)->event)

/* Hand on the event as it is. */
#define relay(name, nr, ctx)                                                                       \
	({                                                                                         \
		struct record *__record = reserve(name, nr);                                       \
                                                                                                   \
		if (__record) {                                                                    \
			copy_event(__record->name, ctx);                                           \
			bpf_ringbuf_submit(__record, wakeup(RECORD_##name));                       \
		}                                                                                  \
		0;                                                                                 \
	})

/*
 * Look only within a checkpoint, and measure that. The kernel's own measure of probes
 * would cost the same again, and outside of checkpoints, too.
 */
#define measured(look)                                                                             \
	({                                                                                         \
		__u64 __start = windows ? bpf_ktime_get_ns() : 0;                                  \
                                                                                                   \
		if (__start) {                                                                     \
			(void)(look);                                                              \
			__sync_fetch_and_add(&own_runs, 1);                                        \
			__sync_fetch_and_add(&own_ns, bpf_ktime_get_ns() - __start);               \
		}                                                                                  \
		0;                                                                                 \
	})

#endif
