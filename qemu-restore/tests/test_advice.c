// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel is told about memory: sizes of pages, locks, growth. */
#include "synth.h"
#include "tap.h"

#define AT 0x10000000ull

static struct synth s;

static struct plan *make(enum engine_kind kind, uint32_t flags, uint32_t mm_flags)
{
	synth_init(&s, kind);
	synth_program(&s);
	synth_segment(&s, AT, AT + 8192, XCKPT_VMA_ANON, XCKPT_VMA_READ | flags);
	s.p.mm.flags = mm_flags;
	return plan_make(&s.img, &s.engine, &s.host);
}

static void test_locks(void)
{
	const struct plan_op *op;
	struct plan *plan;

	plan = make(ENGINE_NATIVE, XCKPT_VMA_LOCKED, 0);
	op = find_call(plan, NR_MLOCK, AT);
	ok(op && op->arg[1] == 8192 && op->optional, "locked again, if that may be");
	ok(!find_call(plan, NR_MLOCKALL, 2), "but nothing of what comes");
	plan_free(plan);
	plan = make(ENGINE_NATIVE, XCKPT_VMA_LOCKED | XCKPT_VMA_LOCKONFAULT,
		    XCKPT_MM_LOCK_FUTURE | XCKPT_MM_LOCK_ONFAULT);
	op = find_call(plan, NR_MLOCK2, AT);
	ok(op && op->arg[2] == 1 && !find_call(plan, NR_MLOCK, AT), "on fault: nothing is read");
	op = find_call(plan, NR_MLOCKALL, 2 | 4);
	ok(op && op > find_call(plan, NR_MLOCK2, AT) && op->optional,
	   "what is mapped later, once all is mapped");
	plan_free(plan);
}

static void test_order(void)
{
	const struct plan_op *op;
	struct plan *plan;

	plan = make(ENGINE_NATIVE, XCKPT_VMA_SEQUENTIAL, 0);
	op = find_call(plan, NR_MADVISE, AT);
	ok(op && op->arg[1] == 8192 && op->arg[2] == 2, "in which order it will be read");
	plan_free(plan);
	plan = make(ENGINE_NATIVE, XCKPT_VMA_RANDOM, 0);
	op = find_call(plan, NR_MADVISE, AT);
	ok(op && op->arg[2] == 1, "or that there is none");
	plan_free(plan);
}

static void test_growth(void)
{
	struct plan *plan;

	plan = make(ENGINE_NATIVE, XCKPT_VMA_GROWSDOWN, 0);
	ok(find_call(plan, NR_MMAP, AT)->arg[3] & X86_MAP_GROWSDOWN && !plan->nr_issues,
	   "what grew can grow");
	ok(find_call(plan, NR_MMAP, 0x7ffffffde000)->arg[3] & X86_MAP_GROWSDOWN,
	   "so can the first stack");
	plan_free(plan);
	plan = make(ENGINE_QEMU, XCKPT_VMA_GROWSDOWN, 0);
	ok(!(find_call(plan, NR_MMAP, AT)->arg[3] & X86_MAP_GROWSDOWN) &&
		   has_issue(plan, "MAP_GROWSDOWN") && plan->issues[0].warning,
	   "under an engine it cannot: a warning");
	plan_free(plan);
}

static void test_seals(void)
{
	struct plan *plan = make(ENGINE_NATIVE, XCKPT_VMA_LOCKED | XCKPT_VMA_SEALED, 0);
	const struct plan_op *op = find_call(plan, NR_MSEAL, AT);

	ok(op && op->arg[1] == 8192 && op->optional && op > find_call(plan, NR_MLOCK, AT) &&
		   op > find_op(plan, OP_LOAD, 0),
	   "sealed when nothing is left to be done");
	plan_free(plan);
}

/* Pages are of the size that they are filled with. */
static void test_pages(void)
{
	static const struct {
		uint32_t flag, advice;
	} of[] = { { XCKPT_VMA_HUGEPAGE, 14 }, { XCKPT_VMA_NOHUGEPAGE, 15 } };
	const struct plan_op *op;
	struct plan *plan;
	int i;

	for (i = 0; i < 2; i++) {
		plan = make(ENGINE_NATIVE, of[i].flag | XCKPT_VMA_MERGEABLE, 0);
		op = find_call(plan, NR_MADVISE, AT);
		ok(op && op->arg[1] == 8192 && op->arg[2] == of[i].advice &&
			   op < find_op(plan, OP_LOAD, 0),
		   "huge pages or none: before there are any");
		plan_free(plan);
	}
	plan = make(ENGINE_NATIVE, XCKPT_VMA_MERGEABLE, 0);
	op = find_call(plan, NR_MADVISE, AT);
	ok(op && op->arg[2] == 12 && op > find_op(plan, OP_LOAD, 0), "all else behind that");
	plan_free(plan);
}

/* A program that called membarrier() goes on doing so. */
static void test_barriers(void)
{
	struct plan *plan = make(ENGINE_NATIVE, 0, XCKPT_MM_BARRIER | XCKPT_MM_BARRIER_RSEQ);

	ok(find_call(plan, NR_MEMBARRIER, 1 << 4) && find_call(plan, NR_MEMBARRIER, 1 << 8),
	   "what was registered is registered again");
	ok(!find_call(plan, NR_MEMBARRIER, 1 << 2) && !find_call(plan, NR_MEMBARRIER, 1 << 6),
	   "and nothing else");
	plan_free(plan);
}

/* Keys 1 and 3: the second one is had in between, and given back. */
static void test_keys(void)
{
	const struct plan_op *op;
	struct plan *plan = make(ENGINE_NATIVE, XCKPT_VMA_WRITE, 0);

	plan_free(plan);
	s.p.mm.pkeys = 1 << 0 | 1 << 1 | 1 << 3;
	s.p.segments[s.p.nr_segments - 1].vma.pkey = 3;
	s.engine.xfeatures |= 1 << 9;
	plan = plan_make(&s.img, &s.engine, &s.host);
	op = find_call(plan, NR_PKEY_ALLOC, 0);
	ok(op && op->value == 1 && op[1].value == 2 && op[2].value == 3 &&
		   op[2].want == WANT_VALUE && op < find_call(plan, NR_MMAP, AT),
	   "protection keys, before there is memory");
	ok(find_call(plan, NR_PKEY_FREE, 2) == op + 3 && !find_call(plan, NR_PKEY_FREE, 1),
	   "and none but those");
	op = find_call(plan, NR_PKEY_MPROTECT, AT);
	ok(op && op->arg[1] == 8192 && op->arg[2] == 3 && op->arg[3] == 3 &&
		   op > find_op(plan, OP_LOAD, 0),
	   "memory under one, once it is filled");
	plan_free(plan);
	s.engine.xfeatures = 7;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "protection keys (pkey_alloc)") && !find_call(plan, NR_PKEY_ALLOC, 0) &&
		   !find_call(plan, NR_PKEY_MPROTECT, AT),
	   "a processor without them is an error");
	plan_free(plan);
}

static void test_dump_filter(void)
{
	const struct plan_op *op;
	struct plan *plan;

	plan = make(ENGINE_QEMU, 0, 0);
	ok(!find_op(plan, OP_DUMP_FILTER, 0), "an image that does not tell of dumps");
	plan_free(plan);
	s.p.mm.dump_filter = 0x1f;
	s.p.mm.flags = XCKPT_MM_DUMP_FILTER;
	plan = plan_make(&s.img, &s.engine, &s.host);
	op = find_op(plan, OP_DUMP_FILTER, 0);
	ok(op && op->arg[0] == 0x1f && op < find_op(plan, OP_EXEC, 0), "what core dumps have");
	plan_free(plan);
}

/* For the memory once nothing is mapped any more, for each thread before its ids are lost. */
static void test_wishes(void)
{
	const struct plan_op *op;
	struct plan *plan;

	plan = make(ENGINE_NATIVE, XCKPT_VMA_LOCKED,
		    XCKPT_MM_MDWE | XCKPT_MM_MDWE_NO_INHERIT | XCKPT_MM_MERGE_ANY);
	op = find_call(plan, NR_PRCTL, 65);
	ok(op && op->arg[1] == 3 && op->optional && op > find_op(plan, OP_LOAD, 0),
	   "nothing becomes executable");
	op = find_call(plan, NR_PRCTL, 67);
	ok(op && op->arg[1] == 1 && op->optional, "same pages become one");
	plan_free(plan);
	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	s.threads[0].info.flags =
		XCKPT_THREAD_MCE_LATE | XCKPT_THREAD_IO_FLUSHER | XCKPT_THREAD_NO_STORE_BYPASS_EVER;
	plan = plan_make(&s.img, &s.engine, &s.host);
	op = find_call(plan, NR_PRCTL, 33);
	ok(op && op->arg[1] == 1 && op->arg[2] == 0 && op->optional, "PR_MCE_KILL");
	op = find_call(plan, NR_PRCTL, 57);
	ok(op && op->arg[1] == 1 && op->optional, "PR_SET_IO_FLUSHER");
	op = find_call(plan, NR_PRCTL, 53);
	ok(op && op->arg[1] == 0 && op->arg[2] == 8 && op->optional, "PR_SET_SPECULATION_CTRL");
	plan_free(plan);
}

static void test_warnings(void)
{
	struct plan *plan;

	synth_init(&s, ENGINE_QEMU);
	synth_program(&s);
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!has_issue(plan, "namespace") && !has_issue(plan, "first stack can grow"),
	   "what most programs have is no reason to warn");
	plan_free(plan);
	s.p.info.flags |= XCKPT_PROCESS_OWN_UTS | XCKPT_PROCESS_OWN_NET | XCKPT_PROCESS_OWN_PID;
	s.p.info.rlimit[3].cur = 64 << 20;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "a host name (UTS namespace) of its own") &&
		   has_issue(plan, "a network (namespace)") && has_issue(plan, "a pid namespace") &&
		   plan->issues[0].warning,
	   "namespaces that are not brought back");
	ok(!has_issue(plan, "security label"), "a label that is no other");
	s.p.label = "jail (enforce)";
	plan_free(plan);
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "the security label 'jail (enforce)', and will have none"),
	   "one that it will not have");
	s.host.label = "jail (enforce)";
	plan_free(plan);
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!has_issue(plan, "security label"), "one that qemu-resume has as well");
	ok(!has_issue(plan, "first stack can grow") &&
		   find_call(plan, NR_MMAP, 0x7ffffffff000 - (64 << 20)),
	   "a stack that may be larger than most are has room for that");
	plan_free(plan);
	s.p.info.rlimit[3].cur = ~0ull;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "first stack can grow to 65536 KiB only"), "but not for any size");
	plan_free(plan);
}

/* Memory that has got huge pages keeps them. */
static void test_no_huge_pages(void)
{
	const struct plan_op *refuse;
	struct plan *plan;

	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	s.p.mm.flags = XCKPT_MM_THP_DISABLED;
	plan = plan_make(&s.img, &s.engine, &s.host);
	refuse = find_call(plan, NR_PRCTL, 41);
	ok(refuse && refuse < find_op(plan, OP_SWEEP, 0) && !refuse->arg[2],
	   "huge pages are refused before there is any memory");
	plan_free(plan);
	s.p.mm.flags = XCKPT_MM_THP_ADVISED;
	plan = plan_make(&s.img, &s.engine, &s.host);
	refuse = find_call(plan, NR_PRCTL, 41);
	ok(refuse && refuse->arg[1] == 1 && refuse->arg[2] == 2 && refuse->optional,
	   "or where nobody has advised them");
	plan_free(plan);
}

static void test_scheduling(void)
{
	const struct plan_op *op;
	struct plan *plan;

	plan = make(ENGINE_NATIVE, 0, 0);
	ok(!find_call(plan, NR_SCHED_SETAFFINITY, 0) && !find_call(plan, NR_IOPRIO_SET, 1) &&
		   !find_call(plan, NR_SCHED_SETSCHEDULER, 0),
	   "who asked for nothing runs as others do");
	plan_free(plan);
	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	s.threads[0].info.affinity[1] = 6;
	s.threads[0].info.ioprio = 3 << 13;
	s.threads[0].info.flags = XCKPT_THREAD_RESET_ON_FORK;
	plan = plan_make(&s.img, &s.engine, &s.host);
	op = find_call(plan, NR_SCHED_SETAFFINITY, 0);
	ok(op && op->arg[1] == 128 && op->refs == 4 && op->optional &&
		   plan->processes[0].data.bytes[op->arg[2] + 8] == 6,
	   "processors");
	op = find_call(plan, NR_IOPRIO_SET, 1);
	ok(op && op->arg[2] == 3 << 13 && op->optional, "the I/O priority");
	op = find_call(plan, NR_SCHED_SETSCHEDULER, 0);
	ok(op && op->arg[1] == 0x40000000, "children that do not inherit the policy");
	plan_free(plan);
}

static struct plan *make_guarded(uint32_t probed, uint32_t kind, uint32_t flags)
{
	static struct xckpt_guard guards[] = { { AT, AT + 4096 } };
	struct segment *seg;

	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	seg = synth_segment(&s, AT, AT + 8192, kind, XCKPT_VMA_READ | XCKPT_VMA_WRITE | flags);
	synth_contents(&s, seg, "contents", 8);
	seg->guards = s.p.guards = guards;
	seg->nr_guards = s.p.nr_guards = 1;
	s.engine.can.flags |= probed;
	return plan_make(&s.img, &s.engine, &s.host);
}

static const struct plan_op *guard_op(const struct plan *plan)
{
	const struct plan_op *op = find_call(plan, NR_MADVISE, AT);

	return op && op->arg[1] == 4096 && op->arg[2] == 102 && op->want == WANT_OK ? op : NULL;
}

static const struct plan_op *closing_op(const struct plan *plan)
{
	const struct plan_op *op = find_call(plan, NR_MPROTECT, AT);

	return op && op->arg[1] == 4096 && op->arg[2] == 0 && !op->optional ? op : NULL;
}

static void test_guards(void)
{
	const struct plan_op *op;
	struct plan *plan;

	plan = make_guarded(PROBE_GUARD, XCKPT_VMA_ANON, XCKPT_VMA_LOCKED | XCKPT_VMA_SEALED);
	op = guard_op(plan);
	ok(op && op > find_op(plan, OP_LOAD, 0) && !closing_op(plan),
	   "guard regions, once memory is filled");
	ok(op < find_call(plan, NR_MLOCK2, AT) && find_call(plan, NR_MLOCK2, AT)->optional &&
		   find_call(plan, NR_MLOCK2, AT) < find_call(plan, NR_MLOCK, AT) &&
		   find_call(plan, NR_MLOCK, AT)->want == WANT_ANY,
	   "and before that is locked, which fails for what cannot be read in");
	plan_free(plan);
	plan = make_guarded(0, XCKPT_VMA_ANON, XCKPT_VMA_LOCKED | XCKPT_VMA_SEALED);
	op = closing_op(plan);
	ok(op && !guard_op(plan) && op > find_call(plan, NR_MLOCK, AT) &&
		   op < find_call(plan, NR_MSEAL, AT) && !find_call(plan, NR_MLOCK2, AT) &&
		   !plan->nr_issues,
	   "where there are none that is closed, when all else is done");
	plan_free(plan);
	plan = make_guarded(PROBE_GUARD, XCKPT_VMA_SHMEM, XCKPT_VMA_SHARED);
	ok(closing_op(plan) && !guard_op(plan), "so are files where only other memory has them");
	plan_free(plan);
	plan = make_guarded(PROBE_GUARD | PROBE_GUARD_FILE, XCKPT_VMA_SHMEM, XCKPT_VMA_SHARED);
	ok(guard_op(plan) && !closing_op(plan), "or files have them, too");
	plan_free(plan);
}

/* More than can be mappings by themselves. */
static void test_many_guards(void)
{
	static struct xckpt_guard guards[16385];
	struct segment *seg;
	struct plan *plan;
	size_t i;

	synth_init(&s, ENGINE_QEMU);
	synth_program(&s);
	seg = synth_segment(&s, AT, AT + 16385 * 8192, XCKPT_VMA_ANON, XCKPT_VMA_READ);
	for (i = 0; i < 16385; i++)
		guards[i] = (struct xckpt_guard){ AT + i * 8192, AT + i * 8192 + 4096 };
	seg->guards = s.p.guards = guards;
	seg->nr_guards = s.p.nr_guards = 16385;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(find_call(plan, NR_MPROTECT, guards[16383].start) &&
		   !find_call(plan, NR_MPROTECT, guards[16384].start) && plan->nr_issues == 1 &&
		   plan->issues[0].warning && has_issue(plan, "1 of 16385 will be open"),
	   "not more are closed than there can be mappings: a warning");
	plan_free(plan);
}

int main(void)
{
	test_guards();
	test_many_guards();
	test_no_huge_pages();
	test_scheduling();
	test_wishes();
	test_warnings();
	test_dump_filter();
	test_seals();
	test_barriers();
	test_keys();
	test_pages();
	test_locks();
	test_order();
	test_growth();
	return tap_end();
}
