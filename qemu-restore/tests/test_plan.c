// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans of made-up images: order, memory, heap, descriptors, threads, refusals. */
#include "synth.h"
#include "tap.h"
#include "xckpt.h"

static struct synth s;

static void test_order(void)
{
	struct plan *plan;
	size_t i, sweep = 0, first_map = 0, start = 0, barrier = 0, exec = 0;

	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	synth_fd(&s, 5, synth_file(&s, FILE_REGULAR, "/etc/passwd", 0), false);
	plan = plan_make(&s.img, &s.engine, &s.host);
	for (i = 0; i < plan->nr_ops; i++) {
		const struct plan_op *op = &plan->ops[i];

		if (op->kind == OP_SWEEP)
			sweep = i;
		if (op->kind == OP_SYSCALL && op->nr == NR_MMAP && !first_map)
			first_map = i;
		if (op->kind == OP_START)
			start = i;
		if (op->kind == OP_BARRIER)
			barrier = i;
		if (op->kind == OP_EXEC)
			exec = i;
	}
	ok(!plan->nr_issues, "a plain program has no issues");
	ok(find_op(plan, OP_OPEN, 0) == plan->ops, "files are opened before anything else");
	ok(exec < sweep && sweep < first_map && first_map < barrier && barrier < start,
	   "exec, sweep, map, barrier, start");
	ok(start == plan->nr_ops - 1, "start is the last operation");
	for (i = barrier; i < plan->nr_ops; i++)
		if (plan->ops[i].kind == OP_SYSCALL && plan->ops[i].nr != NR_PRCTL &&
		    (plan->ops[i].nr != NR_CLOSE ||
		     (int)plan->ops[i].arg[0] != plan->processes->fds.status))
			break;
	ok(i == plan->nr_ops,
	   "behind the barrier only the way to the launcher is closed, and prctl()");
	for (i = 0; i < plan->nr_ops && (i > exec) == (plan->ops[i].kind >= OP_RESTORER); i++)
		;
	ok(i == plan->nr_ops, "launcher first, then the restorer");
	plan_free(plan);
}

static void test_memory(void)
{
	const struct plan_op *op, *stack;
	struct segment *seg;
	struct plan *plan;

	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	seg = synth_segment(&s, 0x10000000000, 0x20000000000, XCKPT_VMA_ANON, XCKPT_VMA_NORESERVE);
	(void)seg;
	plan = plan_make(&s.img, &s.engine, &s.host);
	op = find_call(plan, NR_MMAP, 0x401000);
	ok(op && (int)op->arg[4] == plan->processes->fds.core && op->arg[3] & X86_MAP_PRIVATE,
	   "code is mapped from the core");
	op = find_call(plan, NR_MMAP, 0x600000);
	ok(op && op->arg[3] & X86_MAP_ANONYMOUS && op->want == WANT_VALUE, "the heap is anonymous");
	op = find_op(plan, OP_READ, 0);
	ok(op && op->arg[1] == 0x600000 && op->arg[2] == 4096, "and is read");
	op = find_call(plan, NR_MMAP, 0x10000000000);
	ok(op && op->arg[3] & X86_MAP_NORESERVE && !op->arg[2], "1 TiB of PROT_NONE stays that");
	op = find_call(plan, NR_MMAP, 0x7fffff7ff000);
	ok(op && op->arg[0] + op->arg[1] == 0x7ffffffde000, "8 MiB of stack altogether");
	stack = find_call(plan, NR_MMAP, 0x7ffffffde000);
	ok(op && stack && op->arg[2] == stack->arg[2] && op->arg[3] == stack->arg[3] &&
		   stack->arg[3] & X86_MAP_GROWSDOWN,
	   "in one mapping, that grows on");
	ok(!find_op(plan, OP_SYSCALL, 0) || !find_call(plan, NR_BRK, 0x621000),
	   "natively there is no brk()");
	ok(find_call(plan, NR_PRCTL, 35), "but PR_SET_MM");
	plan_free(plan);
}

static void test_brk(void)
{
	const struct plan_op *brk;
	struct plan *plan;

	synth_init(&s, ENGINE_QEMU);
	synth_program(&s);
	plan = plan_make(&s.img, &s.engine, &s.host);
	brk = find_call(plan, NR_BRK, 0x621000);
	ok(brk && brk[1].nr == NR_MUNMAP && brk[1].arg[0] == 0x600000, "qemu: brk, then unmap it");
	ok(plan->processes->restart_end == 0x600000 &&
		   plan->processes->restart < plan->processes->restart_end &&
		   plan->processes->restart_end - plan->processes->restart >= 2560,
	   "the restart ELF ends where the heap begins");
	ok(!find_call(plan, NR_PRCTL, 35), "qemu: no PR_SET_MM");
	plan_free(plan);
	s.p.mm.start_brk = 0x600123;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(plan->processes->restart_end == 0x600123 &&
		   plan->processes->restart_end - plan->processes->restart >= 2560 &&
		   !(plan->processes->restart & 4095),
	   "an unaligned heap leaves room for the restart ELF");
	plan_free(plan);
}

static bool hole_is_free(const struct plan *plan)
{
	const struct image_process *p = plan->processes->process;
	uint64_t end = plan->processes->hole + plan->processes->hole_size;
	size_t i;

	for (i = 0; i < p->nr_segments; i++)
		if (plan->processes->hole < p->segments[i].end && end > p->segments[i].start)
			return false;
	for (i = 0; i < plan->nr_ops; i++)
		if (plan->ops[i].kind == OP_SYSCALL && plan->ops[i].nr == NR_MMAP &&
		    plan->processes->hole < plan->ops[i].arg[0] + plan->ops[i].arg[1] &&
		    end > plan->ops[i].arg[0])
			return false;
	return end <= plan->processes->restart ||
	       plan->processes->hole >= plan->processes->restart_end;
}

static void test_hole(void)
{
	struct plan *plan;
	int i;

	synth_init(&s, ENGINE_QEMU);
	synth_segment(&s, 0x100000, 0x101000, XCKPT_VMA_ANON, XCKPT_VMA_READ);
	synth_program(&s);
	for (i = 0; i < 8; i++)
		synth_thread(&s, 100 + i);
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(plan->processes->hole && hole_is_free(plan), "the hole is in nobody's way");
	ok(plan->processes->hole_size >= 9 * RECORD_STACK_SIZE, "and has a stack for each thread");
	plan_free(plan);
	synth_segment(&s, 0x7fffffffe000, 0x7fffffffe000, XCKPT_VMA_ANON, 0);
	s.p.nr_segments = 0;
	synth_segment(&s, 0x10000, 0x7fffffffe000, XCKPT_VMA_ANON, 0);
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "no hole"), "no room at all is an error");
	plan_free(plan);
}

static void test_descriptors(void)
{
	struct open_file *shared, *tty, *r, *w;
	struct plan *plan;
	size_t i;
	int places = 0;

	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	tty = synth_file(&s, FILE_TTY, "/dev/pts/3", 2);
	shared = synth_file(&s, FILE_REGULAR, "/tmp/log", 1);
	shared->pos = 7;
	r = synth_file(&s, FILE_PIPE, "pipe:[5]", 0);
	w = synth_file(&s, FILE_PIPE, "pipe:[5]", 1);
	r->inside = w->inside = true;
	r->ino = w->ino = 5;
	tty->rdev = 0x8803;
	for (i = 0; i < 3; i++)
		synth_fd(&s, i, tty, false);
	synth_fd(&s, 3, shared, false);
	synth_fd(&s, 4, r, false);
	synth_fd(&s, 5, w, true);
	synth_fd(&s, 200, shared, false);
	synth_fd(&s, 255, tty, true);
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!plan->nr_issues, "terminal, files and an inner pipe are fine");
	ok(count_ops(plan, OP_OPEN) == 1, "a shared description is opened once");
	for (i = 0; i < plan->nr_ops; i++)
		places += plan->ops[i].kind == OP_PLACE &&
			  plan->ops[i].arg[0] == find_op(plan, OP_OPEN, 0)->arg[0];
	ok(places == 2, "and put at both its numbers");
	ok(find_op(plan, OP_OPEN, 0)->arg[2] == 7, "at its position");
	ok(count_ops(plan, OP_PIPE) == 1, "one pipe");
	ok(count_ops(plan, OP_OWN) == 3, "the terminal is qemu-resume's own");
	ok(plan->processes->fds.status > 255, "our descriptors are above the program's");
	ok(find_call(plan, NR_FCNTL, 255) && find_call(plan, NR_FCNTL, 5) &&
		   !find_call(plan, NR_FCNTL, 4),
	   "close-on-exec where it was");
	ok(find_call(plan, NR_DUP2, plan->processes->fds.park2), "fd 2 arrives last");
	plan_free(plan);
}

static void test_outside(void)
{
	const char *override[10] = { [9] = "/tmp/instead" };
	struct open_file *pipe;
	struct plan *plan;

	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	pipe = synth_file(&s, FILE_PIPE, "pipe:[77]", 1);
	synth_fd(&s, 9, pipe, false);
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "fd 9 is pipe:[77]") && has_issue(plan, "--fd 9=PATH"),
	   "an outer pipe at fd 9 is refused by name");
	plan_free(plan);
	s.host.override = override;
	s.host.nr_override = 10;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!plan->nr_issues && !strcmp(find_op(plan, OP_OPEN, 0)->path, "/tmp/instead"),
	   "--fd takes its place");
	plan_free(plan);
	s.fds[0].fd = 0;
	s.host.nr_override = 0;
	s.host.stdin_taken = true;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!strcmp(find_op(plan, OP_OPEN, 0)->path, "/dev/null"),
	   "stdin is /dev/null when the image came from there");
	plan_free(plan);
}

/* One end of an inner pipe is given a file: the other is alone then. */
static void test_override_of_pipe(void)
{
	const char *override[6] = { NULL };
	struct open_file *r, *w;
	struct plan *plan;
	int end;

	for (end = 4; end <= 5; end++) {
		override[4] = override[5] = NULL;
		override[end] = "/tmp/instead";
		synth_init(&s, ENGINE_NATIVE);
		synth_program(&s);
		r = synth_file(&s, FILE_PIPE, "pipe:[5]", 0);
		w = synth_file(&s, FILE_PIPE, "pipe:[5]", 1);
		r->inside = w->inside = true;
		r->ino = w->ino = 5;
		synth_fd(&s, 4, r, false);
		synth_fd(&s, 5, w, false);
		s.host.override = override;
		s.host.nr_override = 6;
		plan = plan_make(&s.img, &s.engine, &s.host);
		ok(find_op(plan, OP_OPEN, 0)->arg[0] == find_op(plan, OP_PLACE, 0)[end - 4].arg[0],
		   "--fd takes the place of one end of an inner pipe");
		plan_free(plan);
	}
}

static void test_space(void)
{
	const struct plan_op *op;
	struct segment *high;
	struct plan *plan;

	synth_init(&s, ENGINE_QEMU);
	synth_program(&s);
	s.host.address_top = 1ull << 39;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "39-bit address space"), "39 bits hold no x86-64 stack");
	plan_free(plan);
	s.p.nr_segments = 2; /* without the stack */
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!has_issue(plan, "39-bit"), "but a low program");
	plan_free(plan);
	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	high = synth_segment(&s, 1ull << 50, (1ull << 50) + 4096, XCKPT_VMA_ANON,
			     XCKPT_VMA_READ | XCKPT_VMA_WRITE);
	synth_contents(&s, high, "high", 4);
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "47-bit address space"), "47 bits hold no memory above them");
	plan_free(plan);
	s.host.address_top = 1ull << 56;
	plan = plan_make(&s.img, &s.engine, &s.host);
	for (op = find_op(plan, OP_READ, 0); op && op->arg[1] != high->start;)
		op = find_op(plan, OP_READ, op - plan->ops + 1);
	ok(!plan->nr_issues && op, "with more it is there again");
	plan_free(plan);
	s.engine.kind = ENGINE_QEMU;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "under QEMU has 47-bit addresses"), "but not under QEMU");
	plan_free(plan);
}

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

static void test_stopped(void)
{
	const struct plan_op *stop;
	struct plan *plan;
	int i;

	for (i = 0; i < 4; i++) {
		synth_init(&s, i == 2 ? ENGINE_QEMU : ENGINE_NATIVE);
		synth_program(&s);
		synth_thread(&s, 43);
		if (i == 1)
			s.threads[1].info.state = XCKPT_TASK_STOPPED;
		else if (i == 2)
			s.p.info.flags = XCKPT_PROCESS_STOPPED;
		else if (i == 3)
			s.threads[1].info.state = XCKPT_TASK_ASLEEP;
		plan = plan_make(&s.img, &s.engine, &s.host);
		stop = find_call(plan, NR_TGKILL, 42);
		if (!i || i == 3)
			ok(!stop, i ? "and so does one that slept" : "a program that ran goes on");
		else
			ok(stop && stop->arg[1] == 42 && stop->arg[2] == 19 &&
				   stop[1].kind == OP_GO,
			   "a stopped one stops before any thread goes");
		plan_free(plan);
	}
}

static void test_exe(void)
{
	struct plan *plan;

	synth_init(&s, ENGINE_QEMU);
	synth_program(&s);
	s.exe_exists = false;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "/bin/prog is not on this machine") && plan->issues[0].warning,
	   "an engine that forgets the program's name: a warning");
	plan_free(plan);
	s.engine.can.flags |= PROBE_EXE_NAME;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!plan->nr_issues, "none where it remembers");
	ok(find_call(plan, NR_CLOSE, plan->processes->fds.restart), "the restart ELF is closed");
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
	s.p.info.uid = s.p.info.euid = s.p.info.suid = 1000;
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

int main(void)
{
	test_order();
	test_memory();
	test_brk();
	test_hole();
	test_descriptors();
	test_outside();
	test_override_of_pipe();
	test_space();
	test_threads();
	test_new_thread();
	test_stopped();
	test_exe();
	test_groups();
	test_capabilities();
	return tap_end();
}
