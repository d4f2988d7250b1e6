// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Timers: setitimer(2)'s and timer_create(2)'s. They are made before the program is
 * known to be there, and run from the moment when it does: what was left of them at
 * the checkpoint is left then, whatever clock they are on, but of those set to a date.
 */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#define X86_SIGEV_NONE 1
#define X86_SIGEV_THREAD_ID 4
#define X86_SI_TIMER -2
#define X86_CLOCK_MONOTONIC 1
#define X86_TIMER_ABSTIME 1
#define PR_TIMER_CREATE_RESTORE_IDS 77
#define NS_PER_S 1000000000u

/* Where ids are counted up: who had a higher one waits for too long. */
#define QEMU_TIMERS 32 /* that a program under it may have: its GUEST_TIMER_MAX */
#define TIMER_ID_MAX (1 << 20)

struct sigevent_x86 {
	uint64_t value;
	int32_t signo, notify, tid;
	int32_t rest[11];
};
_Static_assert(sizeof(struct sigevent_x86) == 64, "struct sigevent");

/* What begins every siginfo_t of a timer's. */
struct timer_siginfo {
	int32_t signo, errno_, code, pad;
	int32_t id, overrun;
};

static struct timer_siginfo siginfo_of(const uint8_t *info)
{
	struct timer_siginfo si;

	memcpy(&si, info, sizeof(si));
	return si;
}

/* The first of several timers with the same complaint. */
struct lot {
	int first;
	size_t nr;
};

static void add_to(struct lot *lot, int id)
{
	if (!lot->nr++)
		lot->first = id;
}

#define LOT_TEXT "timer %d%s"
#define LOT_ARGS(lot) (lot).first, (lot).nr > 1 ? " and others" : ""

static bool has_thread(const struct image_process *p, int tid)
{
	size_t i;

	for (i = 0; i < p->nr_threads; i++)
		if (p->threads[i].tid == tid)
			return true;
	return tid == p->info.pid;
}

/* What a timer of a processor clock counts. */
static int counted_id(const struct xckpt_timer *t)
{
	return ~(t->clock >> 3);
}

static bool counts_thread(const struct xckpt_timer *t)
{
	return t->clock < 0 && t->clock & 4;
}

static bool clock_is_gone(const struct process_plan *plan, const struct xckpt_timer *t)
{
	return t->flags & XCKPT_TIMER_CLOCK_GONE ||
	       (counts_thread(t) && !has_thread(plan->process, counted_id(t)));
}

static bool target_is_gone(const struct process_plan *plan, const struct xckpt_timer *t)
{
	return t->notify == X86_SIGEV_THREAD_ID &&
	       (t->flags & XCKPT_TIMER_TARGET_GONE || !has_thread(plan->process, t->tid));
}

/* The id that it will have: an engine may number them in a way of its own. */
static int id_of(const struct process_plan *plan, const struct xckpt_timer *t)
{
	const struct probe_result *can = &plan->engine->can;

	if (can->flags & (PROBE_TIMER_ANY_ID | PROBE_TIMER_IDS) ||
	    !(can->flags & PROBE_TIMER_FIRST))
		return t->id;
	return can->timer_first + (int)(t - plan->process->timers);
}

/* Those whose ids nobody can give. */
static void tell_ids(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	const struct engine *engine = plan->engine;
	struct lot all = { p->timers[0].id, p->nr_timers };
	int last = p->timers[p->nr_timers - 1].id;

	if (engine->can.flags & PROBE_TIMER_ANY_ID)
		return;
	if (!(engine->can.flags & PROBE_TIMER_IDS))
		plan_issue(plan->group,
			   engine->can.flags & PROBE_TIMER_FIRST && p->nr_timers <= QEMU_TIMERS,
			   "cannot resume pid %d: " LOT_TEXT " of timer_create() must keep its id, "
			   "and %s gives ids of its own: what is set expires, but the program "
			   "cannot set, ask or delete it (resume it natively on x86-64)",
			   p->info.pid, LOT_ARGS(all), engine->name);
	else if (last >= TIMER_ID_MAX)
		plan_issue(plan->group, false,
			   "cannot resume pid %d: timer %d of timer_create(): this kernel gives "
			   "such an id only after that many others (use Linux 6.16 or newer)",
			   p->info.pid, last);
}

/* Those that something is missing for. */
static void tell_missing(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	struct lot foreign = { 0 }, clocks = { 0 }, targets = { 0 };
	size_t i;

	for (i = 0; i < p->nr_timers; i++) {
		const struct xckpt_timer *t = &p->timers[i];

		if (clock_is_gone(plan, t))
			add_to(&clocks, t->id);
		else if (t->clock < 0 && !counts_thread(t) &&
			 !image_find_process(plan->img, counted_id(t)))
			add_to(&foreign, t->id);
		if (target_is_gone(plan, t))
			add_to(&targets, t->id);
	}
	if (foreign.nr)
		plan_issue(plan->group, false,
			   "cannot resume pid %d: " LOT_TEXT " counts the processor time of a "
			   "process that is not in the image (take the checkpoint of both)",
			   p->info.pid, LOT_ARGS(foreign));
	if (clocks.nr)
		plan_warning(plan->group,
			     "pid %d: " LOT_TEXT " counts the processor time of a thread or "
			     "process that has ended: it can be set to expire by CLOCK_MONOTONIC",
			     p->info.pid, LOT_ARGS(clocks));
	if (targets.nr)
		plan_warning(plan->group,
			     "pid %d: " LOT_TEXT " tells a thread that has ended: it will send no "
			     "signal",
			     p->info.pid, LOT_ARGS(targets));
}

static void make_timer(struct process_plan *plan, const struct xckpt_timer *t)
{
	struct sigevent_x86 event = {
		t->sigev_value, (int)t->signo, (int)t->notify, t->tid, { 0 }
	};
	struct plan_op *op;

	if (target_is_gone(plan, t))
		event.notify = X86_SIGEV_NONE;
	op = plan_add(plan, OP_TIMER, plan->process->info.pid);
	op->arg[0] = clock_is_gone(plan, t) ? X86_CLOCK_MONOTONIC : t->clock;
	op->arg[1] = buffer_add(&plan->data, &event, sizeof(event), 8);
	op->refs = 1 << 1;
	op->want = WANT_VALUE;
	op->value = (uint64_t)id_of(plan, t);
	/* no others are made before it where there is nothing to count up to */
	op->arg[2] = id_of(plan, t) == t->id ? (uint64_t)t->id : 0;
}

void plan_timers(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	bool any_id = plan->engine->can.flags & PROBE_TIMER_ANY_ID;
	int pid = p->info.pid;
	size_t i;

	if (!p->nr_timers)
		return;
	tell_ids(plan);
	tell_missing(plan);
	if (any_id)
		plan_syscall(plan, pid, NR_PRCTL, PR_TIMER_CREATE_RESTORE_IDS, 1, 0, 0);
	for (i = 0; i < p->nr_timers; i++)
		make_timer(plan, &p->timers[i]);
	if (any_id)
		plan_syscall(plan, pid, NR_PRCTL, PR_TIMER_CREATE_RESTORE_IDS, 0, 0, 0);
}

/* Ids of those that have a signal pending, ascending. */
struct ids {
	int32_t *ids;
	size_t nr;
};

static void add_pending(struct ids *to, const uint8_t *pending, size_t nr)
{
	size_t i;

	to->ids = plan_must(realloc(to->ids, (to->nr + nr + 1) * sizeof(*to->ids)));
	for (i = 0; i < nr; i++) {
		struct timer_siginfo si = siginfo_of(pending + i * XCKPT_SIGINFO_SIZE);

		if (si.code == X86_SI_TIMER)
			to->ids[to->nr++] = si.id;
	}
}

static int compare_ids(const void *a, const void *b)
{
	int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;

	return left < right ? -1 : left > right;
}

static struct ids pending_ids(const struct image_process *p)
{
	struct ids ids = { 0 };
	size_t i;

	add_pending(&ids, p->pending, p->nr_pending);
	for (i = 0; i < p->nr_threads; i++)
		add_pending(&ids, p->threads[i].pending, p->threads[i].nr_pending);
	qsort(ids.ids, ids.nr, sizeof(*ids.ids), compare_ids);
	return ids;
}

/* Has it expired since that was written (xckpt_image.h)? */
static bool has_expired(const struct xckpt_timer *t, const struct ids *pending)
{
	return t->value_ns && !(t->flags & XCKPT_TIMER_PENDING) &&
	       bsearch(&t->id, pending->ids, pending->nr, sizeof(t->id), compare_ids);
}

static void start_timer(struct process_plan *plan, const struct xckpt_timer *t, bool expired)
{
	bool dated = t->flags & XCKPT_TIMER_DATED;
	uint64_t when = expired ? t->interval_ns : t->value_ns;
	uint64_t it[4] = { t->interval_ns / NS_PER_S, t->interval_ns % NS_PER_S, 0, 0 };
	struct plan_op *op;

	if (!when || clock_is_gone(plan, t))
		return;
	if (dated)
		when = t->date_ns + (expired ? t->interval_ns : 0);
	it[2] = when / NS_PER_S;
	it[3] = when % NS_PER_S;
	op = plan_syscall(plan, plan->process->info.pid, NR_TIMER_SETTIME, (uint64_t)id_of(plan, t),
			  dated ? X86_TIMER_ABSTIME : 0, buffer_add(&plan->data, it, sizeof(it), 8),
			  0);
	op->refs = 1 << 2;
}

static void start_timers(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	struct ids pending;
	size_t i;

	if (!p->nr_timers)
		return;
	pending = pending_ids(p);
	for (i = 0; i < p->nr_timers; i++)
		start_timer(plan, &p->timers[i], has_expired(&p->timers[i], &pending));
	free(pending.ids);
}

static void start_itimers(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	struct plan_op *op;
	int i;

	for (i = 0; i < 3; i++) {
		const struct xckpt_timer_value *timer = &p->info.itimer[i];
		uint64_t interval = (timer->interval_ns + 999) / 1000;
		uint64_t value = (timer->value_ns + 999) / 1000;
		uint64_t it[4] = { interval / 1000000, interval % 1000000, value / 1000000,
				   value % 1000000 };

		if (!timer->value_ns)
			continue;
		op = plan_syscall(plan, p->info.pid, NR_SETITIMER, i,
				  buffer_add(&plan->data, it, sizeof(it), 8), 0, 0);
		op->refs = 1 << 1;
	}
}

void plan_timers_start(struct process_plan *plan)
{
	start_itimers(plan);
	start_timers(plan);
}

static int compare_timers(const void *a, const void *b)
{
	return compare_ids(&((const struct xckpt_timer *)a)->id,
			   &((const struct xckpt_timer *)b)->id);
}

/*
 * The kernel counts how often a timer has expired since when its signal is taken. A
 * signal of ours is no timer's any more: it must tell that from the beginning.
 */
void plan_timer_signal(const struct process_plan *plan, uint8_t *info)
{
	const struct image_process *p = plan->process;
	struct timer_siginfo si = siginfo_of(info);
	struct xckpt_timer key = { .id = si.id };
	const struct xckpt_timer *t;

	if (si.code != X86_SI_TIMER || !p->nr_timers)
		return;
	t = bsearch(&key, p->timers, p->nr_timers, sizeof(*t), compare_timers);
	if (!t || !(t->flags & XCKPT_TIMER_PENDING))
		return;
	si.overrun = (int)t->overrun;
	memcpy(info, &si, sizeof(si));
}
