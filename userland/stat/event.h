/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the probes see and what they tell, for both sides: probes.bpf.c and the tool.
 *
 * The module's trace events (kmod/trace.h) are declared here once more, because a
 * program is built without that kernel's headers. check_events() compares each field
 * with what the running kernel says before anything is attached. No structure has
 * padding at its end: the kernel lets a probe read up to the last field only.
 */
#ifndef XCKPT_STAT_EVENT_H
#define XCKPT_STAT_EVENT_H

#include <linux/types.h>

#define COMM_SIZE 16

/* F(type, name, dimension) for each field, in order */
#define FIELDS_freeze_begin(F) F(__s32, pid, ) F(__u32, nr_threads, ) F(__u32, session, )
#define FIELDS_freeze_thread(F)                                                                    \
	F(__s32, pid, )                                                                            \
	F(__s32, tid, )                                                                            \
	F(__u32, session, )                                                                        \
	F(__u32, state, )                                                                          \
	F(__s64, nr, )                                                                             \
	F(__s64, ret, )                                                                            \
	F(__u64, parked_ns, )                                                                      \
	F(__u64, delay_ns, )                                                                       \
	F(__u64, switches, )                                                                       \
	F(__u32, slept, )                                                                          \
	F(__u32, cut, )                                                                            \
	F(char, comm, [COMM_SIZE])
#define FIELDS_freeze_end(F)                                                                       \
	F(__s32, pid, )                                                                            \
	F(__u32, nr_threads, )                                                                     \
	F(__u32, session, )                                                                        \
	F(__u32, mode, )                                                                           \
	F(__u32, nr_processes, )                                                                   \
	F(__u32, nr_rounds, )                                                                      \
	F(__s32, ret, )                                                                            \
	F(__u64, latency_ns, )                                                                     \
	F(__u64, skew_ns, )
#define FIELDS_park_begin(F)                                                                       \
	F(__s32, pid, )                                                                            \
	F(__s32, tid, )                                                                            \
	F(__u32, session, )                                                                        \
	F(__u64, delay_ns, )                                                                       \
	F(__u64, switches, )
#define FIELDS_park_end FIELDS_park_begin
#define FIELDS_snapshot_begin FIELDS_freeze_begin
#define FIELDS_snapshot_end(F)                                                                     \
	F(__s32, pid, )                                                                            \
	F(__u32, session, )                                                                        \
	F(__u32, nr_processes, )                                                                   \
	F(__u32, nr_uncloned, )                                                                    \
	F(__u32, nr_attempts, )                                                                    \
	F(__s32, ret, )                                                                            \
	F(__u64, copied_bytes, )
#define FIELDS_thaw_begin FIELDS_freeze_begin
#define FIELDS_thaw_end FIELDS_freeze_begin
#define FIELDS_capture_begin(F) F(__s32, pid, )
#define FIELDS_capture_end(F)                                                                      \
	F(__s32, pid, ) F(__u32, nr_segments, ) F(__s32, ret, ) F(__u64, bytes, )
#define FIELDS_clone_begin(F) F(__s32, pid, ) F(__u64, pages, )
#define FIELDS_clone_end(F) F(__s32, pid, ) F(__s32, ret, ) F(__u64, pages, )
#define FIELDS_core_found(F)                                                                       \
	F(__s32, pid, )                                                                            \
	F(__u64, anon, )                                                                           \
	F(__u64, file, )                                                                           \
	F(__u64, shared, )                                                                         \
	F(__u64, hugetlb, )                                                                        \
	F(__u64, other, )                                                                          \
	F(__u64, untouched, )
#define FIELDS_core_begin(F) F(__s32, pid, ) F(__s64, pos, ) F(__u64, count, )
#define FIELDS_core_end(F) F(__s32, pid, ) F(__s64, ret, )
#define FIELDS_session_end(F) F(__u32, session, )

/* Those that become a record each; reads of cores are summed up instead. */
#define RECORDED_EVENTS(E)                                                                         \
	E(freeze_begin)                                                                            \
	E(freeze_thread)                                                                           \
	E(freeze_end)                                                                              \
	E(park_begin)                                                                              \
	E(park_end)                                                                                \
	E(snapshot_begin)                                                                          \
	E(snapshot_end)                                                                            \
	E(thaw_begin)                                                                              \
	E(thaw_end)                                                                                \
	E(capture_begin)                                                                           \
	E(capture_end)                                                                             \
	E(clone_begin)                                                                             \
	E(clone_end)                                                                               \
	E(core_found)                                                                              \
	E(session_end)
#define ALL_EVENTS(E) RECORDED_EVENTS(E) E(core_begin) E(core_end)

#define DECLARE_FIELD(type, name, dim) type name dim;
/* the context of a probe: what all trace events begin with, then the fields */
#define DECLARE_EVENT(name)                                                                        \
	struct event_##name {                                                                      \
		FIELDS_##name(DECLARE_FIELD)                                                       \
	};                                                                                         \
	struct ctx_##name {                                                                        \
		__u64 common;                                                                      \
		struct event_##name event;                                                         \
	};
ALL_EVENTS(DECLARE_EVENT)

#define DECLARE_TYPE(name) RECORD_##name,
enum record_type { RECORDED_EVENTS(DECLARE_TYPE) NR_RECORDS };

struct record {
	__u64 ns; /* CLOCK_MONOTONIC */
	__u32 type; /* enum record_type */
	__u32 session;
	/* of freeze_begin and session_end: the process that did it, its processor time */
	__u64 cpu_ns;
	__s32 holder;
	__u32 __reserved;
	char comm[COMM_SIZE];
	union {
#define DECLARE_MEMBER(name) struct event_##name name;
		RECORDED_EVENTS(DECLARE_MEMBER)
	};
};

/* enum member_state of kmod/group.h */
enum thread_state {
	THREAD_PARKED = 2,
	THREAD_STOPPED,
	THREAD_CGROUP,
	THREAD_VFORK,
	THREAD_ASLEEP,
};

/* By tid: one of a held process. @started_ns is the probe's own. */
struct thread_sums {
	__u32 session;
	__s32 pid;
	__u64 started_ns;
	__u64 cow, cow_ns, cow_max_ns;
	__u64 huge, huge_ns;
};

/* By pid: a held process, and the reads of its core. */
struct process_sums {
	__u32 session;
	__u32 __reserved;
	__u64 reads, bytes, read_ns;
	__u64 first_ns, last_ns;
};

#define MAX_THREADS 32768
#define MAX_PROCESSES 8192
#define MAX_READERS 4096
#define MAX_SESSIONS 256

#endif
