// SPDX-License-Identifier: GPL-2.0-or-later
/* The storage of a plan: operations, the bytes that they point to, complaints. */
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "report.h"

#define PHASES 7

void *plan_must(void *p)
{
	if (p)
		return p;
	fail("cannot make a plan: Cannot allocate memory");
	exit(RECORD_EXIT_FAILURE);
}

size_t buffer_add(struct buffer *b, const void *bytes, size_t len, size_t align)
{
	size_t offset = (b->len + align - 1) / align * align;

	if (offset + len > b->room) {
		b->room = (offset + len) * 2 + 4096;
		b->bytes = plan_must(realloc(b->bytes, b->room));
	}
	memset(b->bytes + b->len, 0, offset - b->len);
	if (bytes)
		memcpy(b->bytes + offset, bytes, len);
	else
		memset(b->bytes + offset, 0, len);
	b->len = offset + len;
	return offset;
}

static struct plan_op *add(struct plan *plan, int process, enum op_kind kind, int tid)
{
	struct plan_op *op;

	if (plan->nr_ops == plan->room_ops) {
		plan->room_ops = plan->room_ops * 2 + 256;
		plan->ops = plan_must(realloc(plan->ops, plan->room_ops * sizeof(*plan->ops)));
	}
	op = &plan->ops[plan->nr_ops++];
	*op = (struct plan_op){ .kind = kind, .process = process, .tid = tid, .want = WANT_OK };
	return op;
}

struct plan_op *plan_add_shared(struct plan *plan, enum op_kind kind, int pid)
{
	return add(plan, -1, kind, pid);
}

struct plan_op *plan_add(struct process_plan *plan, enum op_kind kind, int tid)
{
	return add(plan->group, plan->index, kind, tid);
}

struct plan_op *plan_syscall(struct process_plan *plan, int tid, uint32_t nr, uint64_t a,
			     uint64_t b, uint64_t c, uint64_t d)
{
	struct plan_op *op = plan_add(plan, OP_SYSCALL, tid);

	op->nr = nr;
	op->arg[0] = a;
	op->arg[1] = b;
	op->arg[2] = c;
	op->arg[3] = d;
	return op;
}

static void add_issue(struct plan *plan, bool forceable, bool warning, const char *fmt, va_list ap)
{
	struct issue *issue;

	plan->issues = plan_must(realloc(plan->issues, (plan->nr_issues + 1) * sizeof(*issue)));
	issue = &plan->issues[plan->nr_issues++];
	issue->forceable = forceable;
	issue->warning = warning;
	if (vasprintf(&issue->text, fmt, ap) < 0)
		plan_must(NULL);
}

void plan_issue(struct plan *plan, bool forceable, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_issue(plan, forceable, false, fmt, ap);
	va_end(ap);
}

void plan_warning(struct plan *plan, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_issue(plan, true, true, fmt, ap);
	va_end(ap);
}

/* Within what is for all, and within what is for one process. */
static unsigned int phase_of(const struct plan_op *op)
{
	if (is_sysv_op(op->kind))
		return 1;
	switch (op->kind) {
	case OP_NAMESPACES:
	case OP_CLOCKS:
		return 1;
	case OP_FORK:
	case OP_SUBREAPER:
	case OP_SETSID:
	case OP_SETPGID:
	case OP_TAKE_TERMINAL:
	case OP_LEAVE_TERMINAL:
	case OP_FOREGROUND:
	case OP_MEET:
	case OP_SEE:
	case OP_EXIT:
		return 2;
	case OP_PLACE:
	case OP_PIDFD:
	case OP_ENTRY:
	case OP_OWNER:
	case OP_LEASE:
		return 3;
	case OP_CWD:
	case OP_UMASK:
	case OP_OOM:
	case OP_DUMP_FILTER:
		return 4;
	case OP_EXEC:
		return 5;
	default:
		return op->kind < OP_RESTORER ? 0 : 6; /* files come first */
	}
}

/* What @process does, into @sorted[@n...]: returns where it ends. */
static size_t pick(const struct plan_op *ops, const size_t *next, size_t head,
		   struct plan_op *sorted, size_t n)
{
	unsigned int phase;
	size_t i;

	for (phase = 0; phase < PHASES; phase++)
		for (i = head; i != SIZE_MAX; i = next[i])
			if (phase_of(&ops[i]) == phase)
				sorted[n++] = ops[i];
	return n;
}

void plan_sort(struct plan *plan)
{
	size_t groups = plan->nr_processes + 1, i, n = 0;
	struct plan_op *sorted = plan_must(calloc(plan->nr_ops + 1, sizeof(*sorted)));
	size_t *next = plan_must(malloc((plan->nr_ops + 1) * sizeof(*next)));
	size_t *head = plan_must(malloc(groups * sizeof(*head)));

	for (i = 0; i < groups; i++)
		head[i] = SIZE_MAX;
	for (i = plan->nr_ops; i-- > 0;) {
		size_t *h = &head[plan->ops[i].process + 1];

		next[i] = *h;
		*h = i;
	}
	for (i = 0; i < groups; i++) {
		size_t first = n;

		n = pick(plan->ops, next, head[i], sorted, n);
		if (i) {
			plan->processes[i - 1].first_op = first;
			plan->processes[i - 1].nr_ops = n - first;
		}
	}
	free(next);
	free(head);
	free(plan->ops);
	plan->ops = sorted;
	plan->room_ops = plan->nr_ops + 1;
}

void plan_free(struct plan *plan)
{
	size_t i;

	if (!plan)
		return;
	for (i = 0; i < plan->nr_issues; i++)
		free(plan->issues[i].text);
	for (i = 0; i < plan->nr_processes; i++) {
		free(plan->processes[i].data.bytes);
		free(plan->processes[i].keep.bytes);
		free(plan->processes[i].vdso.bytes);
		free(plan->processes[i].vforks);
		free(plan->processes[i].late);
		free(plan->processes[i].left);
		free(plan->processes[i].from_core);
	}
	for (i = 0; i < plan->nr_paths; i++)
		free(plan->paths[i]);
	free(plan->paths);
	free(plan->packed);
	free(plan->issues);
	free(plan->ops);
	free(plan->births);
	free(plan->terminals);
	free(plan->objects);
	tdestroy(plan->memory, free);
	free(plan->core_slots);
	free(plan->processes);
	free(plan);
}
