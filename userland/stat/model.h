/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of checkpoints: records go in (events.c), reports come out. Times are
 * CLOCK_MONOTONIC. */
#ifndef XCKPT_STAT_MODEL_H
#define XCKPT_STAT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"

/* 0: not seen */
struct span {
	uint64_t begin, end;
};

/* The scheduler's account of a thread: in all its life. */
struct account {
	uint64_t delay_ns; /* waited for a processor */
	uint64_t switches; /* got one */
};

enum restart {
	RESTART_NONE,
	RESTART_AGAIN, /* the call is made again from its start */
	RESTART_BLOCK, /* restart_syscall(2): until the time that was asked for first */
	RESTART_CUT, /* the rest of what it had begun is done */
	NR_RESTARTS
};

struct stat_thread {
	int pid, tid;
	char comm[COMM_SIZE + 1];
	uint32_t state; /* enum thread_state; 0: born after the thaw */
	int64_t nr, ret;
	bool slept, cut;
	bool woken; /* it was asleep or stopped, and parked although the group was frozen */
	struct span held; /* by us: neither asleep by itself nor stopped before */
	struct account frozen, thawed, ended; /* at the freeze; when it ran again; at the end */
	struct thread_sums sums;
};

enum kind { KIND_ANON, KIND_FILE, KIND_SHARED, KIND_HUGETLB, KIND_OTHER, KIND_UNTOUCHED, NR_KINDS };

struct stat_process {
	int pid;
	char comm[COMM_SIZE + 1]; /* of the first thread that is known */
	struct span capture, clone;
	int clone_err;
	uint64_t clone_pages;
	uint64_t bytes[NR_KINDS];
	bool found; /* bytes are known */
	struct process_sums sums;
};

/* What looking at it cost, and what was not seen. */
struct own_cost {
	uint64_t runs, ns; /* of the probes */
	uint64_t cpu_ns; /* of this program */
	uint64_t dropped_records, dropped_sums, missed_runs;
	bool types; /* probes on the module's types (tp_btf) where it pays */
	bool fault_times; /* else faults are counted only */
};

struct checkpoint {
	uint32_t session;
	int root; /* 0: a cgroup or the like */
	int holder; /* the dumper */
	char comm[COMM_SIZE + 1];
	uint64_t cpu_begin, cpu_end; /* the dumper's processor time */
	unsigned int attempts; /* freezes in this session; what follows is of the last one */
	uint64_t earlier_ns; /* frozen in those before */

	struct span freeze, snapshot, thaw;
	int freeze_err, snapshot_err; /* -errno */
	uint32_t mode, nr_rounds;
	uint64_t latency_ns, skew_ns;
	uint32_t nr_uncloned, nr_captures;
	uint64_t copied_bytes;
	uint64_t end_ns; /* the session's */
	bool collected; /* all that will be known is: reports may be made */
	struct own_cost cost;

	struct stat_thread *threads;
	size_t nr_threads, room_threads, last_thread;
	struct stat_process *processes; /* in the order in which they were found */
	size_t nr_processes, room_processes;
};

struct model {
	struct checkpoint *list;
	size_t nr, room;
};

/* 0, or -1 when out of memory. */
int model_take(struct model *model, const struct record *record);
struct checkpoint *model_find(struct model *model, uint32_t session);
/* A name of COMM_SIZE bytes, without what a report must not hold. */
void model_comm(char *to, const char *from);
/* With @add they are added; NULL when not found or out of memory. */
struct stat_thread *model_thread(struct checkpoint *c, int pid, int tid, bool add);
struct stat_process *model_process(struct checkpoint *c, int pid, bool add);
/* Its session is over, and all threads have been seen that are to run again. */
bool checkpoint_settled(const struct checkpoint *c);
bool checkpoint_has(const struct checkpoint *c, int pid);
void checkpoint_forget(struct model *model, struct checkpoint *c);
void model_free(struct model *model);

static inline uint64_t span_ns(const struct span *span)
{
	return span->end > span->begin ? span->end - span->begin : 0;
}

/* sums.c: what the reports tell; @pid 0: of all processes */
#define NR_BUCKETS 40 /* the n-th: from 2^(n-1) to 2^n microseconds; the first: less than one */

struct sums {
	unsigned int threads, processes, parked, asleep, stopped, vfork, woken, born;
	unsigned int restarts[NR_RESTARTS];
	uint64_t held_ns, held_median_ns, held_max_ns;
	unsigned int histogram[NR_BUCKETS];
	unsigned int nr_held;
	uint64_t bytes[NR_KINDS];
	uint64_t capture_ns, clone_ns, clone_pages;
	uint64_t reads, read_bytes, read_ns;
	struct span copy;
	uint64_t cow, cow_ns, cow_max_ns, huge, huge_ns;
	uint64_t thaw_delay_ns, run_delay_ns; /* from the thaw until they ran; after that */
	uint64_t thaw_delay_max_ns;
	uint64_t switches;
};
void sum_up(const struct checkpoint *c, int pid, struct sums *sums);
enum restart thread_restart(const struct stat_thread *thread);
/* "asleep in futex", "in user mode" */
const char *thread_doing(const struct stat_thread *thread, char *buf, size_t size);
const char *restart_name(enum restart restart);
const char *mode_name(uint32_t mode);
extern const char *const kind_names[NR_KINDS];

#endif
