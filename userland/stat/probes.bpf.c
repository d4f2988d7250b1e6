// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probes. Outside of a checkpoint those in hot places look at one number and
 * leave; within one, only what the frozen group does is looked at further.
 */
#include "probes.h"

static bool session_known(__u32 session)
{
	return bpf_map_lookup_elem(&sessions, &session);
}

/* A checkpoint begins, unless nobody wants to see it. */
static bool session_begin(__u32 session)
{
	__u32 over = 0;

	if (session_known(session))
		return true;
	if (!is_wanted())
		return false;
	if (bpf_map_update_elem(&sessions, &session, &over, BPF_ANY)) {
		__sync_fetch_and_add(&dropped_sums, 1);
		return false;
	}
	__sync_fetch_and_add(&windows, 1);
	__sync_fetch_and_add(&fault_windows, 1);
	return true;
}

SEC("tp/xckpt/freeze_begin")
int freeze_begin(struct ctx_freeze_begin *ctx)
{
	__u32 session = ctx->event.session;
	__u64 start = bpf_ktime_get_ns();
	struct record *record;

	if (!session_begin(session))
		return 0;
	record = reserve(freeze_begin, session);
	if (!record)
		return 0;
	record_holder(record);
	copy_event(record->freeze_begin, ctx);
	bpf_ringbuf_submit(record, wakeup(RECORD_freeze_begin));
	__sync_fetch_and_add(&own_runs, 1);
	__sync_fetch_and_add(&own_ns, bpf_ktime_get_ns() - start);
	return 0;
}

static __always_inline int session_over(struct ctx_session_end *ctx)
{
	__u32 session = ctx->event.session, *over = bpf_map_lookup_elem(&sessions, &session);
	struct record *record;

	if (!over || *over)
		return 0;
	*over = 1;
	__sync_fetch_and_add(&fault_windows, -1);
	record = reserve(session_end, session);
	if (!record)
		return 0;
	record_holder(record);
	copy_event(record->session_end, ctx);
	bpf_ringbuf_submit(record, wakeup(RECORD_session_end));
	return 0;
}

SEC("tp/xckpt/session_end")
int session_end(struct ctx_session_end *ctx)
{
	return measured(session_over(ctx));
}

static void keep_account(__u32 session, __s32 pid, __s32 tid)
{
	struct process_sums *process = bpf_map_lookup_elem(&processes, &pid);
	struct process_sums new_process = { .session = session };
	struct thread_sums thread = { .session = session, .pid = pid };

	if ((!process || process->session != session) &&
	    bpf_map_update_elem(&processes, &pid, &new_process, BPF_ANY))
		__sync_fetch_and_add(&dropped_sums, 1);
	if (bpf_map_update_elem(&threads, &tid, &thread, BPF_ANY))
		__sync_fetch_and_add(&dropped_sums, 1);
}

static __always_inline int thread_held(struct ctx_freeze_thread *ctx)
{
	if (!session_known(ctx->event.session))
		return 0;
	keep_account(ctx->event.session, ctx->event.pid, ctx->event.tid);
	return relay(freeze_thread, ctx->event.session, ctx);
}

SEC("tp/xckpt/freeze_thread")
int freeze_thread(struct ctx_freeze_thread *ctx)
{
	return measured(thread_held(ctx));
}

/* Those of a session that is known, ... */
#define RELAY_SESSION(name)                                                                        \
	SEC("tp/xckpt/" #name)                                                                     \
	int name(struct ctx_##name *ctx)                                                           \
	{                                                                                          \
		return measured(session_known(ctx->event.session)                                  \
					? relay(name, ctx->event.session, ctx)                     \
					: 0);                                                      \
	}
RELAY_SESSION(freeze_end)
RELAY_SESSION(park_begin)
RELAY_SESSION(park_end)
RELAY_SESSION(snapshot_begin)
RELAY_SESSION(snapshot_end)
RELAY_SESSION(thaw_begin)
RELAY_SESSION(thaw_end)

/* ... and of a process that is held, or was. */
static struct process_sums *process_known(__s32 pid)
{
	return bpf_map_lookup_elem(&processes, &pid);
}

#define RELAY_PROCESS(name)                                                                        \
	SEC("tp/xckpt/" #name)                                                                     \
	int name(struct ctx_##name *ctx)                                                           \
	{                                                                                          \
		struct process_sums *process;                                                      \
                                                                                                   \
		return measured((process = process_known(ctx->event.pid))                          \
					? relay(name, process->session, ctx)                       \
					: 0);                                                      \
	}
RELAY_PROCESS(capture_begin)
RELAY_PROCESS(capture_end)
RELAY_PROCESS(clone_begin)
RELAY_PROCESS(clone_end)
RELAY_PROCESS(core_found)

static int read_begin(__s32 pid)
{
	__u64 now = bpf_ktime_get_ns();
	__s32 tid = current_tid();

	if (process_known(pid) && bpf_map_update_elem(&readers, &tid, &now, BPF_ANY))
		__sync_fetch_and_add(&dropped_sums, 1);
	return 0;
}

static int read_end(__s32 pid, __s64 ret)
{
	struct process_sums *process = process_known(pid);
	__u64 now = bpf_ktime_get_ns(), *found, start;
	__s32 tid = current_tid();

	found = bpf_map_lookup_elem(&readers, &tid);
	start = found ? *found : 0;
	if (found)
		bpf_map_delete_elem(&readers, &tid);
	if (!found || !process)
		return 0;
	if (!process->first_ns)
		process->first_ns = start;
	process->last_ns = now;
	__sync_fetch_and_add(&process->reads, 1);
	__sync_fetch_and_add(&process->read_ns, now - start);
	if (ret > 0)
		__sync_fetch_and_add(&process->bytes, ret);
	return 0;
}

SEC("tp/xckpt/core_begin")
int core_begin(struct ctx_core_begin *ctx)
{
	return measured(read_begin(ctx->event.pid));
}

SEC("tp/xckpt/core_end")
int core_end(struct ctx_core_end *ctx)
{
	return measured(read_end(ctx->event.pid, ctx->event.ret));
}

/* The same by a shorter way, where the module's types are known. */
SEC("tp_btf/core_begin")
int BPF_PROG(core_begin_btf, int pid)
{
	return measured(read_begin(pid));
}

SEC("tp_btf/core_end")
int BPF_PROG(core_end_btf, int pid, long ret)
{
	return measured(read_end(pid, ret));
}

/* park_begin and park_end have the same fields. */
static __always_inline int parked(__u32 type, __u32 session, struct task_struct *task)
{
	struct record *record;

	/* it never is NULL, but the verifier does not know */
	if (!task || !session_known(session))
		return 0;
	record =
		record_begin(bpf_ringbuf_reserve(&ring, RECORD_SIZE(park_begin), 0), type, session);
	if (!record)
		return 0;
	record->park_begin.pid = task->tgid;
	record->park_begin.tid = task->pid;
	record->park_begin.session = session;
	record->park_begin.delay_ns = record->park_begin.switches = 0;
	if (bpf_core_field_exists(task->sched_info)) {
		record->park_begin.delay_ns = task->sched_info.run_delay;
		record->park_begin.switches = task->sched_info.pcount;
	}
	bpf_ringbuf_submit(record, wakeup(type));
	return 0;
}

SEC("tp_btf/park_begin")
int BPF_PROG(park_begin_btf, unsigned int session, struct task_struct *task)
{
	return measured(parked(RECORD_park_begin, session, task));
}

SEC("tp_btf/park_end")
int BPF_PROG(park_end_btf, unsigned int session, struct task_struct *task)
{
	return measured(parked(RECORD_park_end, session, task));
}

/* A thread of a held process; one that was born since gets an account of its own. */
static struct thread_sums *current_sums(void)
{
	__u64 both = bpf_get_current_pid_tgid();
	__s32 tid = (__s32)both, pid = both >> 32;
	struct thread_sums *sums = bpf_map_lookup_elem(&threads, &tid);
	struct thread_sums thread = { .pid = pid };
	struct process_sums *process;

	/* a number may have gone to another process's thread since */
	if (sums && sums->pid == pid)
		return sums;
	process = bpf_map_lookup_elem(&processes, &pid);
	if (!process)
		return NULL;
	thread.session = process->session;
	if (bpf_map_update_elem(&threads, &tid, &thread, BPF_ANY))
		__sync_fetch_and_add(&dropped_sums, 1);
	return bpf_map_lookup_elem(&threads, &tid);
}

static int fault_begin(void)
{
	struct thread_sums *sums = current_sums();

	if (sums)
		sums->started_ns = bpf_ktime_get_ns();
	return 0;
}

static __u64 fault_end(struct thread_sums **sums)
{
	__u64 both = bpf_get_current_pid_tgid();
	__s32 tid = (__s32)both, pid = both >> 32;
	__u64 ns;

	*sums = bpf_map_lookup_elem(&threads, &tid);
	if (!*sums || (*sums)->pid != pid || !(*sums)->started_ns)
		return 0;
	ns = bpf_ktime_get_ns() - (*sums)->started_ns;
	(*sums)->started_ns = 0;
	return ns;
}

/* A write to a page that is shared with the clone: it is copied, or turns out to be its own. */
SEC("fentry/do_wp_page")
int BPF_PROG(cow_begin, struct vm_fault *vmf)
{
	return fault_windows ? measured(fault_begin()) : 0;
}

static int cow_add(void)
{
	struct thread_sums *sums;
	__u64 ns = fault_end(&sums);

	if (!ns)
		return 0;
	sums->cow++;
	sums->cow_ns += ns;
	if (ns > sums->cow_max_ns)
		sums->cow_max_ns = ns;
	return 0;
}

SEC("fexit/do_wp_page")
int BPF_PROG(cow_end, struct vm_fault *vmf)
{
	return fault_windows ? measured(cow_add()) : 0;
}

/* A huge page is split first; the write to a small one of it follows. */
SEC("fentry/do_huge_pmd_wp_page")
int BPF_PROG(huge_begin, struct vm_fault *vmf)
{
	return fault_windows ? measured(fault_begin()) : 0;
}

static int huge_add(void)
{
	struct thread_sums *sums;
	__u64 ns = fault_end(&sums);

	if (!ns)
		return 0;
	sums->huge++;
	sums->huge_ns += ns;
	return 0;
}

SEC("fexit/do_huge_pmd_wp_page")
int BPF_PROG(huge_end, struct vm_fault *vmf)
{
	return fault_windows ? measured(huge_add()) : 0;
}

/* Where those functions cannot be probed: how many such faults, but not their time. */
struct ctx_page_fault {
	__u64 common;
	__u64 address, ip, error_code;
};

SEC("tp/exceptions/page_fault_user")
int cow_count(struct ctx_page_fault *ctx)
{
	struct thread_sums *sums;

	if (!fault_windows || (ctx->error_code & FAULT_COW) != FAULT_COW)
		return 0;
	sums = current_sums();
	if (sums)
		sums->cow++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
