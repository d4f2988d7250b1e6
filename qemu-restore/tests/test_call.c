// SPDX-License-Identifier: GPL-2.0-or-later
/* System calls that go on in the middle: what is planned for them, and the code itself. */
#include <fcntl.h>

#include "blobs.h"
#include "regs.h"
#include "restorer/call.h"
#include "synth.h"
#include "tap.h"
#include "vdso.h"
#include "xckpt.h"

#define SYSCALL 0x401000 /* synth_program() has one there */
#define CODE 0x500000
#define CODE_AT 0x780
#define STACK 0x7fffffff0000ull
#define RECORD (STACK - CALL_STACK)
#define HEAP 0x600000
#define SECOND 1000000000ull

/* words of the frame */
enum { R10 = 8, RDI = 14, RSI, RDX = 18, RAX, RSP = 21, RIP };

static struct synth s;
static struct plan *plan;

/* A program that was resumed before, with a thread behind a call of number @nr. */
static struct image_thread *synth_call(uint32_t nr, int64_t result)
{
	static uint8_t vdso[4096];
	struct image_thread *t = &s.threads[0];

	synth_init(&s, ENGINE_QEMU);
	synth_program(&s);
	memset(vdso, 0, sizeof(vdso));
	memcpy(vdso + CODE_AT, blob_call, blob_call_end - blob_call);
	synth_contents(&s, synth_segment(&s, CODE, CODE + 4096, XCKPT_VMA_ANON, 5), vdso, 4096);
	/* address order */
	s.segments[4] = s.segments[3];
	s.segments[3] = s.segments[2];
	s.segments[2] = s.segments[1];
	s.segments[1] = s.segments[4];
	s.auxv[0] = 33;
	s.auxv[1] = CODE;
	s.img.clocks.monotonic_ns = s.img.clocks.boottime_ns = SECOND;
	t->regs.rip = SYSCALL + 2;
	t->regs.rsp = STACK;
	t->regs.rax = result;
	t->regs.orig_rax = t->info.restart_nr = nr;
	t->info.restart_clock = 1;
	return t;
}

static struct image_thread *synth_wait(uint32_t nr, uint32_t restart)
{
	struct image_thread *t = synth_call(nr, -516);

	t->info.restart = restart;
	t->info.restart_expires_ns = 5 * SECOND;
	return t;
}

static uint64_t word(int i)
{
	uint64_t v;

	memcpy(&v, plan->processes->keep.bytes + find_op(plan, OP_START, 0)->arg[0] + 8 * i,
	       sizeof(v));
	return v;
}

/* What is written to @addr, or -1. */
static uint64_t poked(uint64_t addr)
{
	size_t i;

	for (i = 0; i < plan->nr_ops; i++)
		if (plan->ops[i].kind == OP_POKE8 && plan->ops[i].arg[0] == addr)
			return plan->ops[i].arg[1];
	return -1;
}

static bool goes_on(void)
{
	plan_free(plan);
	plan = plan_make(&s.img, &s.engine, &s.host);
	return word(RIP) == CODE + CODE_AT && word(RSP) == RECORD &&
	       poked(RECORD + CALL_RIP) == SYSCALL + 2;
}

static bool starts_over(void)
{
	plan_free(plan);
	plan = plan_make(&s.img, &s.engine, &s.host);
	return word(RIP) == SYSCALL && word(RSP) == STACK && !find_op(plan, OP_POKE8, 0) &&
	       !find_op(plan, OP_LEFT, 0);
}

static bool left_goes_to(uint64_t addr, uint64_t divisor)
{
	const struct plan_op *op = find_op(plan, OP_LEFT, 0);

	return op && op[1].kind == OP_START && op->arg[0] == addr && op->arg[1] == 1 &&
	       op->arg[2] == 5 * SECOND && op->arg[3] == divisor;
}

static void test_waits(void)
{
	struct image_thread *t = synth_wait(35, XCKPT_RESTART_NANOSLEEP);

	t->regs.rdi = 0x1234;
	ok(goes_on() && word(RDI) == RECORD && poked(RECORD + CALL_RDI) == 0x1234 &&
		   left_goes_to(RECORD, 0),
	   "nanosleep");
	ok(!poked(RECORD + CALL_MOVED), "its result is its own");
	t->regs.rax = 219;
	t->regs.rip = SYSCALL;
	ok(goes_on() && word(RAX) == 35, "also when it was about to go on");
	t = synth_wait(230, XCKPT_RESTART_NANOSLEEP);
	t->regs.rdx = 0x1234;
	ok(goes_on() && word(RDX) == RECORD && poked(RECORD + CALL_THIRD) == RECORD &&
		   poked(RECORD + CALL_RDX) == 0x1234 && left_goes_to(RECORD, 0),
	   "clock_nanosleep");
	t->regs.rsi = 1;
	ok(starts_over(), "not with an absolute time");
	t->regs.rsi = 0;
	t->regs.rdi = 2;
	ok(starts_over(), "nor one of the processor's");
	t = synth_wait(202, XCKPT_RESTART_FUTEX);
	t->regs.rsi = 128;
	t->regs.r10 = 0x1234;
	ok(goes_on() && word(R10) == RECORD && poked(RECORD + CALL_R10) == 0x1234 &&
		   left_goes_to(RECORD, 0),
	   "futex");
	t->regs.rsi = 9;
	ok(starts_over(), "not FUTEX_WAIT_BITSET");
	t = synth_wait(7, XCKPT_RESTART_POLL);
	t->regs.rdx = 4000;
	ok(goes_on() && left_goes_to(RECORD + CALL_THIRD, 1000000) &&
		   poked(RECORD + CALL_RDX) == 4000,
	   "poll");
	t->regs.rdx = -1;
	ok(starts_over(), "not without a time-out");
}

/* Each of these is a reason to start over. */
static void test_no_room(void)
{
	struct image_thread *t = synth_wait(35, XCKPT_RESTART_NANOSLEEP);
	struct segment *stack = &s.segments[3];

	t->regs.rsp = stack->start + CALL_STACK;
	goes_on();
	ok(word(RSP) == stack->start, "room to the last byte");
	t->regs.rsp--;
	goes_on();
	ok(word(RSP) == t->regs.rsp, "one less is none");
	t->regs.rsp = 8;
	goes_on();
	ok(word(RSP) == 8, "a wild stack");
	t->regs.rsp = s.segments[2].end + 1;
	goes_on();
	ok(word(RSP) == t->regs.rsp, "a stack that is partly outside");
	t->regs.rsp = STACK;
	stack->vma.flags |= XCKPT_VMA_SHARED;
	ok(starts_over(), "a shared stack");
	stack->vma.flags = XCKPT_VMA_READ | XCKPT_VMA_STACK;
	ok(starts_over(), "one that cannot be written");
	stack->vma.flags |= XCKPT_VMA_WRITE;
	stack->vma.kind = XCKPT_VMA_SHMEM;
	ok(starts_over(), "one that is a file's");
	stack->vma.kind = XCKPT_VMA_ANON;
	t->info.altstack_sp = HEAP;
	t->info.altstack_size = 8192;
	ok(goes_on(), "another stack for signals does not matter on the first thread's");
	stack->vma.flags &= ~XCKPT_VMA_STACK;
	ok(starts_over(), "but on others");
	stack->vma.flags |= XCKPT_VMA_STACK;
	t->info.altstack_sp = STACK - 4096;
	ok(starts_over(), "and it is not written to");
}

static void test_no_code(void)
{
	struct image_thread *t = synth_wait(35, XCKPT_RESTART_NANOSLEEP);

	s.auxv[1] = CODE + 0x1000;
	ok(starts_over(), "no vDSO where it should be");
	s.auxv[1] = CODE;
	s.segments[1].vma.flags = XCKPT_VMA_READ;
	ok(starts_over(), "one that cannot be run");
	s.segments[1].vma.flags = 5;
	if (pwrite(s.p.core_fd, "", 1, s.segments[1].offset + CODE_AT + 60) != 1)
		abort();
	ok(starts_over(), "other code there");
	t = synth_wait(35, XCKPT_RESTART_POLL);
	ok(starts_over(), "another call than the one it tells of");
	t = synth_wait(35, XCKPT_RESTART_NANOSLEEP);
	t->info.restart_clock = 0;
	ok(starts_over(), "a clock that does not go on");
	t->info.restart_clock = 1;
	t->info.restart_expires_ns = 0;
	ok(starts_over(), "no time");
	t->info.restart_expires_ns = ~0ull;
	ok(starts_over(), "an impossible one");
	t->info.restart_expires_ns = SECOND;
	s.img.clocks.monotonic_ns = 0;
	ok(starts_over(), "clocks that do not go on");
}

static void test_buffers(void)
{
	struct image_thread *t = synth_call(1, 65536);

	t->regs.rsi = HEAP;
	t->regs.rdx = 100000;
	goes_on();
	ok(word(RIP) == SYSCALL + 2 && word(RAX) == 65536, "a write that is over is over");
	t->info.flags = XCKPT_THREAD_CUT;
	ok(goes_on() && word(RAX) == 1 && word(RSI) == HEAP + 65536 && word(RDX) == 34464 &&
		   poked(RECORD + CALL_THIRD) == 34464 && poked(RECORD + CALL_MOVED) == 65536 &&
		   poked(RECORD + CALL_RSI) == HEAP && poked(RECORD + CALL_RDX) == 100000,
	   "write");
	ok(!find_op(plan, OP_LEFT, 0), "has no time-out");
	t->regs.rdx = 65536;
	goes_on();
	ok(word(RIP) == SYSCALL + 2 && word(RAX) == 65536, "nothing left: over");
	t->regs.rdx = 100000;
	t->regs.rax = -4;
	goes_on();
	ok(word(RIP) == SYSCALL + 2 && word(RAX) == -4ull, "nothing moved: over");
	t->regs.rax = 65536;
	t->regs.orig_rax = 40;
	t->regs.r10 = 65537;
	ok(goes_on() && word(RAX) == 40 && word(R10) == 1 && word(RDX) == 100000 &&
		   poked(RECORD + CALL_THIRD) == 100000 && poked(RECORD + CALL_MOVED) == 65536 &&
		   poked(RECORD + CALL_R10) == 65537,
	   "sendfile");
	t->regs.rax = 7;
	t->regs.orig_rax = 0;
	goes_on();
	ok(word(RIP) == SYSCALL + 2 && word(RAX) == 7, "a call that cannot be cut: over");
}

static void put_heap(const void *bytes, size_t len)
{
	if (pwrite(s.p.core_fd, bytes, len, s.segments[2].offset) != (ssize_t)len)
		abort();
}

static void test_vectors(void)
{
	const struct call_iovec three[] = { { 1000, 10 }, { 2000, 20 }, { 3000, 30 } };
	const uint64_t message[7] = { 5, 6, HEAP + 64, 2, 7, 8, 9 };
	struct call_iovec many[10] = { [9] = { 1, 2 } };
	struct image_thread *t = synth_call(20, 15);
	uint8_t heap[64 + sizeof(three)] = { 0 };
	int i;

	t->info.flags = XCKPT_THREAD_CUT;
	t->regs.rsi = HEAP;
	t->regs.rdx = 3;
	put_heap(three, sizeof(three));
	ok(goes_on() && word(RSI) == RECORD + 64 && word(RDX) == 2 &&
		   poked(RECORD + CALL_THIRD) == 2 && poked(RECORD + 64) == 2005 &&
		   poked(RECORD + 72) == 15 && poked(RECORD + 80) == 3000 &&
		   poked(RECORD + 88) == 30,
	   "writev");
	for (i = 0; i < 9; i++)
		many[i] = (struct call_iovec){ 4096 * i, 16 };
	put_heap(many, sizeof(many));
	t->regs.rdx = 10;
	goes_on();
	ok(word(RIP) == SYSCALL + 2 && word(RAX) == 15, "more than can be kept: short");
	t->regs.rax = 40;
	ok(goes_on() && word(RDX) == 8, "not when enough of them are done");
	t->regs.rsi = 0x10;
	goes_on();
	ok(word(RIP) == SYSCALL + 2, "vectors that are nowhere");
	memcpy(heap, message, sizeof(message));
	memcpy(heap + 64, three, sizeof(three));
	put_heap(heap, sizeof(heap));
	t->regs.orig_rax = 46;
	t->regs.rax = 10;
	t->regs.rsi = HEAP;
	t->regs.rdx = 0x40;
	ok(goes_on() && word(RSI) == RECORD && word(RDX) == 0x40 && poked(RECORD) == 5 &&
		   poked(RECORD + 16) == RECORD + 64 && poked(RECORD + 24) == 1 &&
		   poked(RECORD + 32) == 0 && poked(RECORD + 40) == 0 &&
		   poked(RECORD + 64) == 2000 && poked(RECORD + 72) == 20,
	   "sendmsg, without what went along with its first part");
}

static void test_place(void)
{
	uint8_t vdso[8192] = { 1 };
	uint64_t offset;

	ok(!vdso_find_call(vdso, sizeof(vdso)), "no code there");
	offset = vdso_add_call(vdso, sizeof(vdso));
	ok(offset && vdso_find_call(vdso, sizeof(vdso)) == offset, "is found where it was put");
	ok(!vdso_add_call(vdso, sizeof(vdso)), "but not over anything");
	ok(!vdso_add_call(vdso, 16) && !vdso_find_call(vdso, 16), "nor without room");
}

#ifdef __x86_64__
static uint8_t stack[4096] __attribute__((aligned(16)));

/* Call number @nr with @third in call.S: -1 if the registers are wrong afterwards. */
static int64_t run(uint64_t nr, uint64_t first, uint64_t third, uint64_t moved)
{
	struct call_record *record = (void *)(stack + 1024);
	uint64_t rdi = first, rsi = 4, rdx = 5, rax = nr, rsp;
	static uint8_t *code;

	if (!code) {
		code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memcpy(code, blob_call, blob_call_end - blob_call);
	}
	*record = (struct call_record){
		.third = third, .moved = moved, .rdi = 1, .rsi = 2, .rdx = 3, .r10 = 6
	};
	asm volatile("mov %%rsp, %%rbx\n"
		     "lea 1f(%%rip), %%rcx\n"
		     "mov %%rcx, %c[rip](%[record])\n"
		     "mov %[record], %%rsp\n"
		     "jmp *%[code]\n"
		     "1: xchg %%rsp, %%rbx\n"
		     : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "=&b"(rsp)
		     : [rip] "i"(CALL_RIP), [record] "r"(record), [code] "r"(code)
		     : "rcx", "r10", "r11", "memory", "cc");
	return rdi == 1 && rsi == 2 && rdx == 3 && rsp == (uint64_t)record + CALL_STACK
		       ? (int64_t)rax
		       : -1;
}
#endif

static void test_code(void)
{
#ifdef __x86_64__
	int fd = open("/dev/null", O_WRONLY);

	ok(run(1, fd, 100, 0) == 100, "a result is as it is");
	ok(run(1, fd, 100, 11) == 111, "and what was moved before is added");
	ok(run(1, fd, 0, 11) == 11, "to nothing, too");
	ok(run(1, 12345, 100, 0) == -9, "an error is an error");
	ok(run(1, 12345, 100, 11) == 11, "but not when something was moved before");
	close(fd);
#else
	ok(true, "the code itself # SKIP not x86-64");
#endif
}

int main(void)
{
	test_waits();
	test_no_room();
	test_no_code();
	test_buffers();
	test_vectors();
	test_place();
	test_code();
	plan_free(plan);
	return tap_end();
}
