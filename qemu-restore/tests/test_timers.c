// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans of timers: that they are made, when, with what is left, and who cannot. */
#include "synth.h"
#include "tap.h"

#define NR_TIMER_CREATED 4
#define SECOND 1000000000ull

static struct synth s;
static struct xckpt_timer timers[NR_TIMER_CREATED];
static uint8_t pending[2][XCKPT_SIGINFO_SIZE];

static void make_pending(uint8_t *info, int32_t signo, int32_t code, int32_t id)
{
	int32_t head[6] = { signo, 0, code, 0, id, 0 };

	memset(info, 0, XCKPT_SIGINFO_SIZE);
	memcpy(info, head, sizeof(head));
}

static void set_up(enum engine_kind kind)
{
	static const struct xckpt_timer made[NR_TIMER_CREATED] = {
		{ .id = 0,
		  .clock = 1,
		  .signo = 14,
		  .sigev_value = 0x1122334455667788,
		  .value_ns = 2 * SECOND + 5,
		  .interval_ns = SECOND },
		{ .id = 3, .clock = -2, .notify = 4, .signo = 34, .tid = 43 },
		{ .id = 5, .clock = 7, .notify = 1, .value_ns = 7 },
		{ .id = 6,
		  .clock = 1,
		  .signo = 10,
		  .value_ns = 3,
		  .interval_ns = SECOND,
		  .flags = XCKPT_TIMER_PENDING,
		  .overrun = 9 },
	};

	memcpy(timers, made, sizeof(made));
	timers[1].clock = (int32_t)(~43u << 3) | 4 | 2;
	synth_init(&s, kind);
	synth_program(&s);
	synth_thread(&s, 43);
	s.p.timers = timers;
	s.p.nr_timers = s.p.info.nr_posix_timers = NR_TIMER_CREATED;
	s.engine.can.flags |= PROBE_TIMER_IDS;
}

static struct plan *plan_it(void)
{
	return plan_make(&s.img, &s.engine, &s.host);
}

static const void *data_of(const struct plan *plan, const struct plan_op *op, int arg)
{
	return plan->processes->data.bytes + op->arg[arg];
}

/* ns that timer @id is set to, and to repeat after; 0: it is not set */
static uint64_t left_of(const struct plan *plan, int id, uint64_t *interval)
{
	const struct plan_op *op = find_call(plan, NR_TIMER_SETTIME, id);
	uint64_t it[4] = { 0 };

	if (op)
		memcpy(it, data_of(plan, op, 2), sizeof(it));
	*interval = it[0] * SECOND + it[1];
	return it[2] * SECOND + it[3];
}

static void test_made(void)
{
	const struct plan_op *op, *start, *barrier;
	struct plan *plan;
	uint64_t interval;
	int32_t event[16];

	set_up(ENGINE_NATIVE);
	plan = plan_it();
	ok(!plan->nr_issues, "timers are fine");
	op = find_op(plan, OP_TIMER, 0);
	ok(count_ops(plan, OP_TIMER) == NR_TIMER_CREATED && op->arg[2] == 0 && op[1].arg[2] == 3 &&
		   op[2].arg[2] == 5 && op[3].arg[2] == 6 && op[3].want == WANT_VALUE &&
		   op[3].value == 6,
	   "each is made with its id, in their order");
	memcpy(event, data_of(plan, op, 1), sizeof(event));
	ok(op->refs == 2 && op->arg[0] == 1 && event[0] == 0x55667788 && event[1] == 0x11223344 &&
		   event[2] == 14 && event[3] == 0,
	   "with signal and value");
	memcpy(event, data_of(plan, op + 1, 1), sizeof(event));
	ok((int32_t)op[1].arg[0] == timers[1].clock && event[2] == 34 && event[3] == 4 &&
		   event[4] == 43,
	   "with the thread that it counts and that it tells");
	barrier = find_op(plan, OP_BARRIER, 0);
	start = find_call(plan, NR_TIMER_SETTIME, 0);
	ok(op > find_op(plan, OP_CLONE, 0) && op + 3 < barrier && barrier < start &&
		   start < find_op(plan, OP_GO, 0),
	   "threads, timers, barrier, and only then they run");
	ok(left_of(plan, 0, &interval) == 2 * SECOND + 5 && interval == SECOND &&
		   !find_call(plan, NR_TIMER_SETTIME, 3) && left_of(plan, 5, &interval) == 7,
	   "what was left is left, and who was not armed is not");
	ok(!find_call(plan, NR_PRCTL, 77), "nobody is asked for an id where they are counted");
	ok(!start->arg[1], "and that is from now on");
	plan_free(plan);
	timers[0].clock = 0;
	timers[0].flags = XCKPT_TIMER_DATED;
	timers[0].date_ns = 1800000000 * SECOND + 7;
	plan = plan_it();
	start = find_call(plan, NR_TIMER_SETTIME, 0);
	ok(start->arg[1] == 1 && left_of(plan, 0, &interval) == 1800000000 * SECOND + 7,
	   "but a date stays a date");
	plan_free(plan);
	s.engine.can.flags |= PROBE_TIMER_ANY_ID;
	plan = plan_it();
	op = find_op(plan, OP_TIMER, 0);
	ok(op[-1].nr == NR_PRCTL && op[-1].arg[0] == 77 && op[-1].arg[1] == 1 &&
		   op[4].nr == NR_PRCTL && op[4].arg[0] == 77 && !op[4].arg[1],
	   "where one can be had, it is asked for");
	plan_free(plan);
}

/* Signals that have been queued and not been taken. */
static void test_pending(void)
{
	const struct plan_op *op;
	struct plan *plan;
	uint64_t interval;
	int32_t info[6];

	set_up(ENGINE_NATIVE);
	make_pending(pending[0], 14, -2, 0);
	make_pending(pending[1], 10, -2, 6);
	s.p.pending = pending[0];
	s.p.nr_pending = 1;
	s.threads[1].pending = pending[1];
	s.threads[1].nr_pending = 1;
	plan = plan_it();
	ok(left_of(plan, 0, &interval) == SECOND && interval == SECOND,
	   "one that has expired since expires one interval later");
	ok(left_of(plan, 6, &interval) == 3, "one that had expired before does not");
	op = find_call(plan, NR_RT_TGSIGQUEUEINFO, 42);
	memcpy(info, data_of(plan, op, 3), sizeof(info));
	ok(info[0] == 10 && info[4] == 6 && info[5] == 9, "its signal tells how often it did");
	op = find_call(plan, NR_RT_SIGQUEUEINFO, 42);
	memcpy(info, data_of(plan, op, 2), sizeof(info));
	ok(info[0] == 14 && info[5] == 0, "the other's that it did once");
	plan_free(plan);
	timers[0].interval_ns = 0;
	plan = plan_it();
	ok(!find_call(plan, NR_TIMER_SETTIME, 0), "and one that does not repeat is over");
	plan_free(plan);
	make_pending(pending[0], 14, -1, 0);
	plan = plan_it();
	ok(left_of(plan, 0, &interval) == 2 * SECOND + 5, "sigqueue() is no timer");
	plan_free(plan);
}

static void test_gone(void)
{
	const struct plan_op *op;
	struct plan *plan;
	int32_t event[16];

	set_up(ENGINE_NATIVE);
	timers[1].tid = 99;
	timers[1].value_ns = 1;
	plan = plan_it();
	op = find_op(plan, OP_TIMER, 0) + 1;
	memcpy(event, data_of(plan, op, 1), sizeof(event));
	ok(has_issue(plan, "pid 42: timer 3 tells a thread that has ended") && event[3] == 1 &&
		   find_call(plan, NR_TIMER_SETTIME, 3),
	   "who told a thread that has ended tells nobody");
	plan_free(plan);
	set_up(ENGINE_NATIVE);
	timers[1].clock = (int32_t)(~99u << 3) | 4 | 2;
	timers[1].value_ns = 1;
	plan = plan_it();
	ok(has_issue(plan, "timer 3 counts the processor time of a thread or process that has") &&
		   find_op(plan, OP_TIMER, 0)[1].arg[0] == 1 &&
		   !find_call(plan, NR_TIMER_SETTIME, 3),
	   "who counted a thread that has ended never expires");
	ok(plan->nr_issues == 1 && plan->issues[0].warning, "which is told, no more");
	plan_free(plan);
	timers[1].clock = (int32_t)(~99u << 3) | 2;
	plan = plan_it();
	ok(has_issue(plan, "a process that is not in the image") && !plan->issues[0].forceable,
	   "who counts another process is refused without it");
	plan_free(plan);
}

static void test_refused(void)
{
	const struct plan_op *op;
	struct plan *plan;

	set_up(ENGINE_QEMU);
	s.engine.can.flags &= ~PROBE_TIMER_IDS;
	plan = plan_it();
	ok(plan->nr_issues == 1 && !plan->issues[0].forceable && !plan->issues[0].warning,
	   "an engine whose ids nobody can tell: one refusal, whatever --force says");
	ok(has_issue(plan,
		     "cannot resume pid 42: timer 0 and others of timer_create() must keep its "
		     "id, and engine gives ids of its own: what is set expires, but the program "
		     "cannot set, ask or delete it (resume it natively on x86-64)"),
	   "with process, timer and remedy");
	plan_free(plan);
	s.engine.can.flags |= PROBE_TIMER_FIRST;
	s.engine.can.timer_first = 0xcaf0000;
	plan = plan_it();
	ok(plan->nr_issues == 1 && plan->issues[0].forceable,
	   "one that numbers them from somewhere on: --force does without the ids");
	op = find_op(plan, OP_TIMER, 0);
	ok(op && op->value == 0xcaf0000 && !op->arg[2], "the first is that");
	op = find_op(plan, OP_TIMER, op - plan->ops + 1);
	ok(op && op->value == 0xcaf0001 && !op->arg[2], "the second the next");
	for (op = find_op(plan, OP_SYSCALL, 0); op && op->nr != NR_TIMER_SETTIME;)
		op = find_op(plan, OP_SYSCALL, op - plan->ops + 1);
	ok(op && op->arg[0] >= 0xcaf0000, "and they are set by those");
	plan_free(plan);
	s.p.nr_timers = 0;
	plan = plan_it();
	ok(!plan->nr_issues, "who has no timers is welcome");
	plan_free(plan);
	set_up(ENGINE_NATIVE);
	timers[3].id = 5000000;
	plan = plan_it();
	ok(has_issue(plan, "timer 5000000 of timer_create(): this kernel gives such an id only"),
	   "an id in the millions is refused where they are counted");
	plan_free(plan);
	s.engine.can.flags |= PROBE_TIMER_ANY_ID;
	plan = plan_it();
	ok(!plan->nr_issues, "and had where it can be asked for");
	plan_free(plan);
}

int main(void)
{
	test_made();
	test_pending();
	test_gone();
	test_refused();
	return tap_end();
}
