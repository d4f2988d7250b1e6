// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans of made-up images: order, memory, heap, descriptors, refusals. */
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
	test_exe();
	return tap_end();
}
