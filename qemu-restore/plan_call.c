// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls that the checkpoint cut in two: a time-out of which only the rest is
 * to be waited for, a transfer of which only the rest is to be moved. The thread
 * makes a call for the rest in restorer/call.S. Where that has no room, the time-out
 * starts over and the transfer is short, as after a signal.
 */
#include <string.h>

#include "plan.h"
#include "restorer/call.h"
#include "vdso.h"
#include "xckpt.h"

#define AT_SYSINFO_EHDR_X86 33
#define VDSO_MAX (64u << 10)
#define X86_CLOCK_MONOTONIC 1
#define X86_CLOCK_BOOTTIME 7
#define X86_TIMER_ABSTIME 1
#define X86_FUTEX_FLAGS 0x180 /* PRIVATE, CLOCK_REALTIME */
#define X86_UIO_MAXIOV 1024
#define NS_PER_MS 1000000
#define EXPIRES_MAX (1ull << 62)

enum { MSG_IOV = 2, MSG_IOVLEN, MSG_CONTROL, MSG_CONTROLLEN, MSG_WORDS = 7 };

/* The rest of one call. */
struct rest {
	const struct process_plan *plan;
	const struct image_thread *t;
	struct x86_regs *regs;
	struct call_record record;
	size_t first; /* offset in it: what lies below is not used */
	struct call call;
};

static bool is_futex_wait(const struct x86_regs *r)
{
	return !((uint32_t)r->rsi & ~X86_FUTEX_FLAGS) && r->r10;
}

static bool is_relative(const struct x86_regs *r)
{
	return !(r->rsi & X86_TIMER_ABSTIME) &&
	       (!r->rdi || r->rdi == X86_CLOCK_MONOTONIC || r->rdi == X86_CLOCK_BOOTTIME);
}

static bool is_timed(const struct x86_regs *r)
{
	return (int32_t)r->rdx > 0;
}

static void time_nanosleep(struct rest *rest)
{
	rest->regs->rdi = rest->call.record;
}

static void time_clock_nanosleep(struct rest *rest)
{
	rest->record.third = rest->regs->rdx = rest->call.record;
}

static void time_futex(struct rest *rest)
{
	rest->regs->r10 = rest->call.record;
}

/* Calls with a relative time-out whose end the image knows. */
static const struct {
	uint32_t nr, restart;
	const char *name;
	bool (*fits)(const struct x86_regs *regs);
	void (*point)(struct rest *rest); /* an argument to the time that is left */
	uint32_t divisor; /* else the third argument is that, in units of so many ns */
} timed[] = {
	{ NR_NANOSLEEP, XCKPT_RESTART_NANOSLEEP, "nanosleep goes on", NULL, time_nanosleep },
	{ NR_CLOCK_NANOSLEEP, XCKPT_RESTART_NANOSLEEP, "clock_nanosleep goes on", is_relative,
	  time_clock_nanosleep },
	{ NR_FUTEX, XCKPT_RESTART_FUTEX, "futex goes on", is_futex_wait, time_futex },
	{ NR_POLL, XCKPT_RESTART_POLL, "poll goes on", is_timed, NULL, NS_PER_MS },
};

static bool rest_of_time(struct rest *rest)
{
	const struct xckpt_note_thread *info = &rest->t->info;
	uint64_t clock = info->restart_clock, expires = info->restart_expires_ns;
	size_t i;

	/* others, of processors too, are another machine's */
	if (!rest->plan->img->clocks.monotonic_ns || !expires || expires > EXPIRES_MAX ||
	    (clock != X86_CLOCK_MONOTONIC && clock != X86_CLOCK_BOOTTIME))
		return false;
	for (i = 0; i < sizeof(timed) / sizeof(timed[0]); i++) {
		if (timed[i].nr != rest->regs->rax || timed[i].restart != info->restart ||
		    (timed[i].fits && !timed[i].fits(rest->regs)))
			continue;
		rest->call.name = timed[i].name;
		rest->call.clock = clock;
		rest->call.expires = expires;
		rest->call.divisor = timed[i].divisor;
		rest->call.time = rest->call.record + (timed[i].divisor ? CALL_THIRD : 0);
		if (timed[i].point)
			timed[i].point(rest);
		return true;
	}
	return false;
}

static bool move_buffer(struct rest *rest)
{
	uint64_t moved = rest->record.moved;

	if (moved >= rest->regs->rdx)
		return false;
	rest->regs->rsi += moved;
	rest->regs->rdx -= moved;
	rest->record.third = rest->regs->rdx;
	return true;
}

/* Positions are behind what was moved already. */
static bool move_file(struct rest *rest)
{
	uint64_t moved = rest->record.moved;

	if (moved >= rest->regs->r10)
		return false;
	rest->regs->r10 -= moved;
	return true;
}

/* Those of @nr vectors at @addr that have something left; 0: none, or too many. */
static size_t rest_of_vectors(struct rest *rest, uint64_t addr, uint64_t nr)
{
	uint64_t skip = rest->record.moved;
	struct call_iovec v;
	size_t i, n = 0;

	for (i = 0; i < nr && i < X86_UIO_MAXIOV; i++) {
		if (image_read_memory(rest->plan->process, addr + i * sizeof(v), &v, sizeof(v)))
			return 0;
		if (skip >= v.len) {
			skip -= v.len;
			continue;
		}
		if (n == CALL_IOVECS)
			return 0;
		rest->record.iovec[n++] = (struct call_iovec){ v.base + skip, v.len - skip };
		skip = 0;
	}
	return n;
}

static bool move_vectors(struct rest *rest)
{
	size_t n = rest_of_vectors(rest, rest->regs->rsi, rest->regs->rdx);

	rest->first = offsetof(struct call_record, iovec);
	rest->regs->rsi = rest->call.record + rest->first;
	rest->regs->rdx = rest->record.third = n;
	return n;
}

/* What goes with a message has gone with its first part. */
static bool move_message(struct rest *rest)
{
	uint64_t *message = rest->record.message;
	size_t n;

	if (image_read_memory(rest->plan->process, rest->regs->rsi, message,
			      MSG_WORDS * sizeof(*message)))
		return false;
	n = rest_of_vectors(rest, message[MSG_IOV], message[MSG_IOVLEN]);
	message[MSG_IOV] = rest->call.record + offsetof(struct call_record, iovec);
	message[MSG_IOVLEN] = n;
	message[MSG_CONTROL] = message[MSG_CONTROLLEN] = 0;
	rest->first = 0;
	rest->regs->rsi = rest->call.record;
	return n;
}

static const struct {
	uint32_t nr;
	const char *name;
	bool (*move)(struct rest *rest); /* make the arguments those of the rest */
} transfers[] = {
	{ NR_WRITE, "write goes on", move_buffer },
	{ NR_SENDFILE, "sendfile goes on", move_file },
	{ NR_SENDTO, "sendto goes on", move_buffer },
	{ NR_RECVFROM, "recvfrom goes on", move_buffer },
	{ NR_WRITEV, "writev goes on", move_vectors },
	{ NR_SENDMSG, "sendmsg goes on", move_message },
	{ NR_RECVMSG, "recvmsg goes on", move_message },
};

static bool rest_of_transfer(struct rest *rest)
{
	struct x86_regs *regs = rest->regs;
	size_t i;

	if (!(rest->t->info.flags & XCKPT_THREAD_CUT) || (int64_t)regs->rax <= 0)
		return false;
	for (i = 0; i < sizeof(transfers) / sizeof(transfers[0]); i++)
		if (transfers[i].nr == regs->orig_rax) {
			rest->call.name = transfers[i].name;
			rest->record.moved = regs->rax;
			regs->rax = regs->orig_rax;
			return transfers[i].move(rest);
		}
	return false;
}

static const struct segment *segment_at(const struct image_process *p, uint64_t addr)
{
	size_t i;

	for (i = 0; i < p->nr_segments; i++)
		if (addr >= p->segments[i].start && addr < p->segments[i].end)
			return &p->segments[i];
	return NULL;
}

/* Where there is room on the thread's stack, or 0. */
static uint64_t find_record(const struct image_process *p, const struct image_thread *t)
{
	const struct segment *s = segment_at(p, t->regs.rsp - CALL_STACK);
	const uint32_t want = XCKPT_VMA_READ | XCKPT_VMA_WRITE;
	uint32_t mask = want | XCKPT_VMA_SHARED | XCKPT_VMA_UFFD;

	if (!s || s->end - (t->regs.rsp - CALL_STACK) < CALL_STACK ||
	    s->vma.kind != XCKPT_VMA_ANON || (s->vma.flags & mask) != want)
		return 0;
	/* who has another stack for signals may have a tight one for all else */
	if (t->info.altstack_size && (!(s->vma.flags & XCKPT_VMA_STACK) ||
				      t->regs.rsp - t->info.altstack_sp <= t->info.altstack_size))
		return 0;
	return t->regs.rsp - CALL_STACK;
}

/* There the vDSO is memory like any other. */
uint64_t plan_find_call(const struct process_plan *plan)
{
	static uint8_t image[VDSO_MAX];
	const struct image_process *p = plan->process;
	const struct segment *s = NULL;
	uint64_t base = 0, len, offset;
	size_t i;

	for (i = 0; i + 1 < p->nr_auxv && !s; i += 2)
		if (p->auxv[i] == AT_SYSINFO_EHDR_X86) {
			base = p->auxv[i + 1];
			s = segment_at(p, base);
		}
	if (!s || s->vma.kind != XCKPT_VMA_ANON || !(s->vma.flags & XCKPT_VMA_EXEC))
		return 0;
	len = s->end - base < VDSO_MAX ? s->end - base : VDSO_MAX;
	if (image_read_memory(p, base, image, len))
		return 0;
	offset = vdso_find_call(image, len);
	return offset ? base + offset : 0;
}

static void write_record(struct process_plan *plan, const struct rest *rest)
{
	static const char *const names[CALL_STACK / 8] = {
		[CALL_THIRD / 8] = "third argument of the rest",
		[CALL_MOVED / 8] = "moved before",
		[CALL_RDI / 8] = "rdi behind the call",
		[CALL_RSI / 8] = "rsi behind the call",
		[CALL_RDX / 8] = "rdx behind the call",
		[CALL_R10 / 8] = "r10 behind the call",
		[CALL_RIP / 8] = "rip behind the call",
	};
	uint64_t words[sizeof(rest->record) / 8];
	struct plan_op *op;
	size_t i;

	memcpy(words, &rest->record, sizeof(words));
	for (i = rest->first / 8; i <= CALL_RIP / 8; i++) {
		op = plan_add(plan, OP_POKE8, rest->t->tid);
		op->arg[0] = rest->call.record + i * 8;
		op->arg[1] = words[i];
		op->object = names[i] ? names[i] : "vectors of the rest";
	}
}

struct call plan_call(struct process_plan *plan, const struct image_thread *t,
		      struct x86_regs *regs, bool again)
{
	const struct x86_regs program = *regs;
	struct x86_regs changed = *regs;
	struct rest rest = { .plan = plan, .t = t, .regs = &changed, .first = CALL_THIRD };

	rest.call.record = find_record(plan->process, t);
	rest.record.third = regs->rdx;
	if (!plan->call || !rest.call.record ||
	    !(again ? rest_of_time(&rest) : rest_of_transfer(&rest)))
		return (struct call){ 0 };
	rest.record.rdi = program.rdi;
	rest.record.rsi = program.rsi;
	rest.record.rdx = program.rdx;
	rest.record.r10 = program.r10;
	rest.record.rip = program.rip + (again ? 2 : 0); /* behind its SYSCALL */
	changed.rsp = rest.call.record;
	changed.rip = plan->call;
	*regs = changed;
	write_record(plan, &rest);
	return rest.call;
}

/* As late as can be, by the program's own clock: what the resume took has passed for it. */
void plan_call_time(struct process_plan *plan, const struct image_thread *t,
		    const struct call *call)
{
	struct plan_op *op;

	if (!call->expires)
		return;
	op = plan_add(plan, OP_LEFT, t->tid);
	op->arg[0] = call->time;
	op->arg[1] = call->clock;
	op->arg[2] = call->expires;
	op->arg[3] = call->divisor;
	op->object = call->name;
}
