// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan as a whole: its order, its storage, its complaints. */
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "report.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static void *must(void *p)
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
		b->bytes = must(realloc(b->bytes, b->room));
	}
	memset(b->bytes + b->len, 0, offset - b->len);
	if (bytes)
		memcpy(b->bytes + offset, bytes, len);
	else
		memset(b->bytes + offset, 0, len);
	b->len = offset + len;
	return offset;
}

struct plan_op *plan_add(struct plan *plan, enum op_kind kind, int tid)
{
	struct plan_op *op;

	if (plan->nr_ops == plan->room_ops) {
		plan->room_ops = plan->room_ops * 2 + 256;
		plan->ops = must(realloc(plan->ops, plan->room_ops * sizeof(*plan->ops)));
	}
	op = &plan->ops[plan->nr_ops++];
	*op = (struct plan_op){ .kind = kind, .tid = tid, .want = WANT_OK };
	return op;
}

struct plan_op *plan_syscall(struct plan *plan, int tid, uint32_t nr, uint64_t a, uint64_t b,
			     uint64_t c, uint64_t d)
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

	plan->issues = must(realloc(plan->issues, (plan->nr_issues + 1) * sizeof(*issue)));
	issue = &plan->issues[plan->nr_issues++];
	issue->forceable = forceable;
	issue->warning = warning;
	if (vasprintf(&issue->text, fmt, ap) < 0)
		must(NULL);
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

/* The highest descriptor of the program; ours come above it. */
static void choose_descriptors(struct plan *plan)
{
	const struct image_process *p = plan->process;
	int first = 63;
	size_t i;

	for (i = 0; i < p->nr_fds; i++)
		if (p->fds[i].fd >= first)
			first = p->fds[i].fd + 1;
	plan->fds = (struct plan_fds){ first,	  first + 1, first + 2, first + 3,
				       first + 4, first + 5, first + 6 };
}

static void plan_surroundings(struct plan *plan)
{
	const struct image *img = plan->img;
	const struct image_process *p = plan->process;
	uint64_t spaces = CLONE_NEWPID | CLONE_NEWNS;
	struct plan_op *op;

	if (img->clocks.monotonic_ns)
		spaces |= CLONE_NEWTIME;
	plan_add(plan, OP_NAMESPACES, 0)->arg[0] = spaces;
	if (spaces & CLONE_NEWTIME) {
		op = plan_add(plan, OP_CLOCKS, 0);
		op->arg[0] = img->clocks.monotonic_ns;
		op->arg[1] = img->clocks.boottime_ns;
	}
	plan_files(plan);
	plan_add(plan, OP_PID, 0)->arg[0] = p->info.pid;
	if (*p->cwd)
		plan_add(plan, OP_CWD, 0)->path = p->cwd;
	plan_add(plan, OP_UMASK, 0)->arg[0] = p->info.umask & 0777;
	if (p->info.oom_score_adj)
		plan_add(plan, OP_OOM, 0)->arg[0] = p->info.oom_score_adj;
	op = plan_add(plan, OP_EXEC, 0);
	op->path = plan->engine->path;
	op->object = p->exe;
}

/* What no engine and no option could make good. */
static void check_process(struct plan *plan)
{
	const struct image_process *p = plan->process;
	const struct engine *engine = plan->engine;
	uint64_t top = 0;
	size_t i;

	for (i = 0; i < p->nr_segments; i++)
		if (p->segments[i].vma.kind != XCKPT_VMA_SPECIAL &&
		    p->segments[i].end <= 1ull << 47)
			top = p->segments[i].end;
	if (top > plan->host->address_top)
		plan_issue(
			plan, false,
			"cannot resume pid %d: this host's %d-bit address space cannot hold an "
			"x86-64 program laid out up to %#llx (use a kernel with 48-bit addresses)",
			p->info.pid, __builtin_ctzll(plan->host->address_top),
			(unsigned long long)top);
	if (p->info.pid == 1)
		plan_issue(plan, false,
			   "cannot resume pid 1: the first process of a pid namespace is "
			   "qemu-resume's own (checkpoint a process that it started)");
	if (p->info.uid != plan->host->uid && !plan->host->root)
		plan_issue(plan, false,
			   "cannot resume pid %d: it ran as uid %u: Operation not permitted "
			   "(run qemu-resume as root or as that user)",
			   p->info.pid, p->info.uid);
	if (engine->kind == ENGINE_QEMU && *p->exe && !plan->host->exe_exists &&
	    !(engine->can.flags & PROBE_EXE_NAME))
		plan_warning(plan,
			     "pid %d: %s is not on this machine: the program will not find itself "
			     "by /proc/self/exe (a newer QEMU than %s, from 8.0 on, remembers it)",
			     p->info.pid, p->exe, engine->name);
	if (engine->kind == ENGINE_NATIVE && !(engine->can.flags & PROBE_MM_MAP))
		plan_issue(plan, false,
			   "cannot resume pid %d natively: this kernel has no PR_SET_MM_MAP "
			   "(it needs CONFIG_CHECKPOINT_RESTORE; or use --engine qemu)",
			   p->info.pid);
}

/* Launcher's operations come in the order in which it takes them, then the restorer's. */
static unsigned int phase_of(const struct plan_op *op)
{
	switch (op->kind) {
	case OP_OPEN:
	case OP_PIPE:
	case OP_FILL:
	case OP_OWN:
		return 0;
	case OP_NAMESPACES:
	case OP_CLOCKS:
		return 1;
	case OP_PID:
		return 2;
	case OP_PLACE:
		return 3;
	case OP_EXEC:
		return 5;
	default:
		return op->kind < OP_RESTORER ? 4 : 6;
	}
}

static void sort_operations(struct plan *plan)
{
	struct plan_op *sorted = must(calloc(plan->nr_ops, sizeof(*sorted)));
	unsigned int phase;
	size_t i, n = 0;

	for (phase = 0; phase <= 6; phase++)
		for (i = 0; i < plan->nr_ops; i++)
			if (phase_of(&plan->ops[i]) == phase)
				sorted[n++] = plan->ops[i];
	free(plan->ops);
	plan->ops = sorted;
	plan->room_ops = plan->nr_ops;
}

struct plan *plan_make(const struct image *img, const struct engine *engine,
		       const struct plan_host *host)
{
	struct plan *plan = must(calloc(1, sizeof(*plan)));
	size_t i;

	plan->img = img;
	plan->process = &img->processes[0];
	plan->engine = engine;
	plan->host = host;
	choose_descriptors(plan);
	check_process(plan);
	plan_surroundings(plan);
	plan_memory(plan);
	if (!plan->call)
		plan->call = plan_find_call(plan);
	plan_process(plan);
	plan_clones(plan);
	for (i = 0; i < plan->process->nr_threads; i++)
		plan_thread(plan, i);
	sort_operations(plan);
	if (!plan_hole(plan))
		plan_issue(
			plan, false,
			"cannot resume pid %d: no hole of %llu bytes in its address space (it is full)",
			plan->process->info.pid, (unsigned long long)plan->hole_size);
	return plan;
}

void plan_free(struct plan *plan)
{
	size_t i;

	if (!plan)
		return;
	for (i = 0; i < plan->nr_issues; i++)
		free(plan->issues[i].text);
	free(plan->issues);
	free(plan->ops);
	free(plan->data.bytes);
	free(plan->keep.bytes);
	free(plan->vdso.bytes);
	free(plan);
}
