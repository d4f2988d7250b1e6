// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans of made-up threads: how they are made, and with what rights they go on. */
#include "synth.h"
#include "tap.h"
#include "xckpt.h"

static struct synth s;

static void test_threads(void)
{
	const struct plan_op *clone;
	struct plan *plan;

	synth_init(&s, ENGINE_QEMU);
	synth_program(&s);
	s.threads[0].info.rseq = 0x600100;
	synth_thread(&s, 43)->info.clear_child_tid = 0x600200;
	synth_thread(&s, 44)->regs.rip = 1ull << 50;
	plan = plan_make(&s.img, &s.engine, &s.host);
	clone = find_op(plan, OP_CLONE, 0);
	ok(count_ops(plan, OP_CLONE) == 2 && clone->value == 43 && clone->arg[1] == 0x2d0f00 + 0x0,
	   "clone with CLONE_CHILD_CLEARTID");
	ok(clone[1].arg[1] == 0x0d0f00, "and without");
	ok(count_ops(plan, OP_WAIT) == 2 && count_ops(plan, OP_BARRIER) == 1 &&
		   count_ops(plan, OP_START) == 3,
	   "all wait for the first");
	ok(count_ops(plan, OP_POKE4) == 2 && find_op(plan, OP_POKE4, 0)->arg[1] == 0xfffffffe,
	   "no rseq: the area says so");
	ok(has_issue(plan, "thread 44: its registers point outside"), "a wild rip is refused");
	plan_free(plan);
}

/* A thread that is about to call rseq() for the first time, where that is not to be had. */
static void test_new_thread(void)
{
	struct image_thread *t;
	struct plan *plan;
	int native;

	for (native = 0; native < 2; native++) {
		synth_init(&s, native ? ENGINE_NATIVE : ENGINE_QEMU);
		synth_program(&s);
		s.engine.can.flags |= native ? PROBE_RSEQ : 0;
		s.threads[0].info.rseq = 0x600100;
		t = synth_thread(&s, 43);
		t->regs.orig_rax = 435;
		t->regs.rax = 0;
		plan = plan_make(&s.img, &s.engine, &s.host);
		ok(has_issue(plan, "thread 43: it had just been made") == !native,
		   native ? "but natively it goes on" : "a new thread would end its program");
		plan_free(plan);
	}
	synth_init(&s, ENGINE_QEMU);
	synth_program(&s);
	t = synth_thread(&s, 43);
	t->regs.orig_rax = 435;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!has_issue(plan, "it had just been made"), "and so it does where nobody uses rseq()");
	plan_free(plan);
}

/* What a capset() sets: effective, permitted, inheritable. */
static bool sets(const struct plan *plan, const struct plan_op *op, uint64_t e, uint64_t p,
		 uint64_t i)
{
	const uint32_t want[6] = { e, p, i, e >> 32, p >> 32, i >> 32 };

	return op && !memcmp(plan->processes->data.bytes + op->arg[1], want, sizeof(want));
}

static const struct plan_op *next_call(const struct plan *plan, const struct plan_op *op,
				       uint32_t nr)
{
	for (op = op ? op + 1 : plan->ops; op < plan->ops + plan->nr_ops; op++)
		if (op->kind == OP_SYSCALL && op->nr == nr)
			return op;
	return NULL;
}

static void synth_root(void)
{
	synth_init(&s, ENGINE_QEMU);
	synth_program(&s);
	s.host.cap_permitted = s.host.cap_bset = 0x1ffffffffff;
	s.p.info.cap_permitted = s.p.info.cap_effective = s.p.info.cap_bset = 0x1ffffffffff;
	s.p.info.dumpable = 1;
}

static void test_groups(void)
{
	static const uint32_t groups[] = { 4, 24, 777 };
	const struct plan_op *op;
	struct plan *plan;

	synth_root();
	s.p.groups = groups;
	s.p.nr_groups = 3;
	plan = plan_make(&s.img, &s.engine, &s.host);
	op = find_call(plan, NR_SETGROUPS, 3);
	ok(op && !memcmp(plan->processes->data.bytes + op->arg[1], groups, sizeof(groups)),
	   "supplementary groups, for the same user too");
	plan_free(plan);
	s.host.groups = groups;
	s.host.nr_groups = 3;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!next_call(plan, NULL, NR_SETGROUPS), "unless we have them");
	plan_free(plan);
	s.p.nr_groups = 0;
	s.p.info.uid = s.host.uid = 7;
	s.host.root = false;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "supplementary groups of qemu-resume") &&
		   has_issue(plan, "all of its capabilities"),
	   "a user cannot give them: warnings");
	plan_free(plan);
}

static void test_capabilities(void)
{
	const struct plan_op *op, *drop;
	struct plan *plan;

	synth_root();
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!next_call(plan, NULL, NR_CAPSET), "all the same: nothing to do");
	plan_free(plan);
	s.p.info.cap_effective = 0x400;
	s.p.info.cap_permitted = 0x600;
	plan = plan_make(&s.img, &s.engine, &s.host);
	op = next_call(plan, next_call(plan, NULL, NR_CAPSET), NR_CAPSET);
	ok(sets(plan, op, 0x400, 0x600, 0) && !op->optional && !find_call(plan, NR_SETRESUID, 0),
	   "fewer capabilities for the same user");
	plan_free(plan);

	synth_root();
	s.p.info.uid = s.p.info.euid = s.p.info.suid = s.p.info.fsuid = 1000;
	s.p.info.cap_effective = s.p.info.cap_permitted = 0x2000;
	s.p.info.cap_inheritable = s.p.info.cap_ambient = 0x2000;
	s.p.info.cap_bset = 0x1ffffffffff & ~0x400001ull;
	s.p.info.securebits = 0x4;
	plan = plan_make(&s.img, &s.engine, &s.host);
	op = find_call(plan, NR_SETRESUID, 1000);
	ok(op && find_call(plan, NR_PRCTL, 8) < op, "another user: capabilities are kept over it");
	op = next_call(plan, op, NR_CAPSET);
	ok(sets(plan, op, 0x1ffffffffff, 0x1ffffffffff, 0x2000), "then all, for what follows");
	ok(op[1].arg[0] == 47 && op[1].arg[1] == 4 && op[2].arg[0] == 47 && op[2].arg[1] == 2 &&
		   op[2].arg[2] == 13,
	   "ambient ones");
	drop = find_call(plan, NR_PRCTL, 24);
	ok(drop == op + 3 && !drop->arg[1] && drop[1].arg[0] == 24 && drop[1].arg[1] == 22,
	   "the bounding set");
	ok(drop[2].arg[0] == 28 && drop[2].arg[1] == 4, "securebits");
	ok(sets(plan, drop + 3, 0x2000, 0x2000, 0x2000), "and its own in the end");
	plan_free(plan);
	s.host.cap_permitted = 0xff;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "all of its capabilities (0x2000)") && plan->issues[0].warning,
	   "what we lack ourselves is told");
	plan_free(plan);
}

/* Each after what takes its privilege away would be refused. */
static void test_odd_ids(void)
{
	const struct plan_op *gid, *uid, *fsuid;
	struct plan *plan;

	synth_root();
	s.p.info.uid = 2, s.p.info.euid = 3, s.p.info.suid = 4, s.p.info.fsuid = 9;
	s.p.info.gid = 5, s.p.info.egid = 6, s.p.info.sgid = 7, s.p.info.fsgid = 8;
	s.p.info.cap_permitted = s.p.info.cap_effective = 0;
	plan = plan_make(&s.img, &s.engine, &s.host);
	gid = find_call(plan, NR_SETFSGID, 8);
	uid = find_call(plan, NR_SETRESUID, 2);
	fsuid = find_call(plan, NR_SETFSUID, 9);
	ok(gid && gid < uid && find_call(plan, NR_SETRESGID, 5) < gid,
	   "the group for files, while any may be taken");
	ok(fsuid && sets(plan, fsuid - 1, 0x1ffffffffff, 0x1ffffffffff, 0) &&
		   fsuid > find_call(plan, NR_SETRESUID, 2),
	   "the user for files, with the capability to take any");
	plan_free(plan);
	s.p.info.fsuid = 4;
	s.host.cap_permitted = 0;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(find_call(plan, NR_SETFSUID, 4) > find_call(plan, NR_SETRESUID, 2),
	   "which one of the others does not take");
	plan_free(plan);
}

static void test_own_ids(void)
{
	static const uint32_t groups[] = { 50 };
	struct credentials own = { .uid = 7,
				   .euid = 7,
				   .suid = 7,
				   .fsuid = 7,
				   .no_new_privs = true,
				   .groups = groups,
				   .nr_groups = 1 };
	struct image_thread *t;
	const struct plan_op *op;
	struct plan *plan;

	synth_root();
	t = synth_thread(&s, 43);
	t->own = &own;
	plan = plan_make(&s.img, &s.engine, &s.host);
	op = find_call(plan, NR_SETRESUID, 7);
	ok(op && op->tid == 43 && find_call(plan, NR_SETGROUPS, 1)->tid == 43,
	   "a thread has a user and groups of its own");
	op = find_call(plan, NR_PRCTL, 38);
	ok(op && op->tid == 43 && !next_call(plan, op, NR_SETRESUID), "and they are nobody else's");
	plan_free(plan);
	s.host.root = false;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "thread 43: it will have the user and group of qemu-resume only"),
	   "only root can give them");
	plan_free(plan);
}

int main(void)
{
	test_threads();
	test_new_thread();
	test_groups();
	test_capabilities();
	test_odd_ids();
	test_own_ids();
	return tap_end();
}
