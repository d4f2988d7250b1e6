// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System V IPC. The launcher makes what the image has of it, with its ids, keys and
 * contents, in an IPC namespace of its own, where no id is taken. Shared memory is
 * attached in the restorer, by shmat(2) and not by mmap(2), because the program may
 * want to shmdt(2) it.
 */
#include <stdlib.h>

#include "plan.h"

#define X86_IPC_NOWAIT 04000
#define X86_SHM_RDONLY 010000
#define X86_SEM_UNDO 0x1000

/* of them a process has only a part; more than anybody has */
#define PARTIAL_MAX 256

/* struct sembuf */
struct operation {
	uint16_t number;
	int16_t add;
	int16_t flags;
};

/* What one shmat(2) has made, and what is left of it. */
struct attachment {
	const struct sysv_segment *segment;
	const struct segment *first; /* a mapping of it */
	uint64_t start, end;
	bool whole;
};

static struct plan_op *add_object(struct plan *plan, enum op_kind kind, const struct sysv_object *o)
{
	struct plan_op *op = plan_add_shared(plan, kind, 0);

	op->arg[0] = (uint64_t)o->id;
	op->arg[1] = (uint64_t)(int64_t)o->key;
	op->arg[3] = o->mode;
	if (!plan->host->root && (o->uid != plan->host->uid || o->cuid != plan->host->uid ||
				  o->gid != plan->host->gid || o->cgid != plan->host->gid))
		plan_issue(plan, true,
			   "cannot resume pid %d: System V %s %d is not this user's: Operation not "
			   "permitted (run qemu-resume as root)",
			   plan->img->processes[0].info.pid,
			   kind == OP_SHM   ? "segment"
			   : kind == OP_SEM ? "semaphore set"
					    : "queue",
			   o->id);
	return op;
}

static void add_limit(struct plan *plan, const char *path, enum sysv_limit first, int nr)
{
	struct plan_op *op = plan_add_shared(plan, OP_IPC_LIMIT, 0);

	op->path = path;
	op->arg[4] = (uint64_t)nr;
	while (nr-- > 0)
		op->arg[nr] = plan->img->sysv.limits[first + nr];
}

static void plan_ipc_limits(struct plan *plan)
{
	add_limit(plan, "/proc/sys/kernel/shmmax", SYSV_SHMMAX, 1);
	add_limit(plan, "/proc/sys/kernel/shmall", SYSV_SHMALL, 1);
	add_limit(plan, "/proc/sys/kernel/shmmni", SYSV_SHMMNI, 1);
	add_limit(plan, "/proc/sys/kernel/sem", SYSV_SEMMSL, 4);
	add_limit(plan, "/proc/sys/kernel/msgmax", SYSV_MSGMAX, 1);
	add_limit(plan, "/proc/sys/kernel/msgmnb", SYSV_MSGMNB, 1);
	add_limit(plan, "/proc/sys/kernel/msgmni", SYSV_MSGMNI, 1);
}

static void plan_ipc_segment(struct plan *plan, const struct sysv_segment *s)
{
	struct plan_op *op = add_object(plan, OP_SHM, &s->object);

	op->arg[2] = s->size;
	op->arg[4] = s->locked;
	op->arg[5] = s->removed;
	op->value = (uint64_t)(s - plan->img->sysv.segments);
	if (!s->data)
		return; /* plan_shared.c has it from the mappings */
	op = plan_add_shared(plan, OP_SHM_FILL, 0);
	op->arg[0] = (uint64_t)s->object.id;
	op->arg[1] = s->size;
	op->path = s->data;
}

void plan_sysv(struct plan *plan)
{
	const struct sysv_ipc *ipc = &plan->img->sysv;
	struct plan_op *op;
	size_t i;

	if (!has_sysv(ipc))
		return;
	plan_ipc_limits(plan);
	for (i = 0; i < ipc->nr_segments; i++)
		plan_ipc_segment(plan, &ipc->segments[i]);
	for (i = 0; i < ipc->nr_sets; i++) {
		op = add_object(plan, OP_SEM, &ipc->sets[i].object);
		op->arg[2] = ipc->sets[i].nr;
		op->value = i;
	}
	for (i = 0; i < ipc->nr_queues; i++) {
		op = add_object(plan, OP_MSG, &ipc->queues[i].object);
		op->arg[2] = ipc->queues[i].room;
		op->value = i;
		op->path = ipc->queues[i].data;
	}
}

static struct attachment attachment_of(const struct process_plan *plan, const struct segment *s)
{
	const struct sysv_segment *segment = image_sysv_segment(&plan->img->sysv, s->vma.ino);
	uint64_t start = s->start - s->vma.pgoff;

	return (struct attachment){ .segment = segment,
				    .first = s,
				    .start = start,
				    .end = start + PAGE_UP(segment->size) };
}

/* Is @s a part of what @a was? */
static bool is_of(const struct attachment *a, const struct segment *s)
{
	return is_sysv_memory(s) && s->vma.ino == a->first->vma.ino &&
	       s->start - s->vma.pgoff == a->start &&
	       !((s->vma.flags ^ a->first->vma.flags) & XCKPT_VMA_MAYWRITE);
}

void plan_attached_range(const struct process_plan *plan, const struct segment *s, uint64_t *start,
			 uint64_t *end)
{
	struct attachment a = attachment_of(plan, s);

	*start = a.start;
	*end = a.end;
}

/* What of @a there is, in order; returns where that ends, which is @from when there is none. */
static const struct segment *next_part(const struct process_plan *plan, const struct attachment *a,
				       const struct segment *from)
{
	const struct segment *end = plan->process->segments + plan->process->nr_segments;

	while (from < end && from->start < a->end && !is_of(a, from))
		from++;
	return from < end && from->start < a->end ? from : NULL;
}

/* Would attaching @a be in the way of a part of @b that stands already? */
static bool is_in_way(const struct process_plan *plan, const struct attachment *a,
		      const struct attachment *b)
{
	const struct segment *s;

	for (s = next_part(plan, b, b->first); s; s = next_part(plan, b, s + 1))
		if (s->start < a->end && s->end > a->start)
			return true;
	return false;
}

static void unmap(struct process_plan *plan, const struct attachment *a, uint64_t start,
		  uint64_t end)
{
	if (start < end)
		plan_syscall(plan, plan->process->info.pid, NR_MUNMAP, start, end - start, 0, 0)
			->object = a->first->path;
}

/* All of it, and then away with what the program had no more. */
static void attach(struct process_plan *plan, const struct attachment *a)
{
	uint32_t flags = a->first->vma.flags;
	uint64_t mode = flags & XCKPT_VMA_MAYWRITE ? 0 : X86_SHM_RDONLY, at = a->start;
	const struct segment *s;
	struct plan_op *op;

	op = plan_syscall(plan, plan->process->info.pid, NR_SHMAT, a->first->vma.ino, a->start,
			  mode, 0);
	op->want = WANT_VALUE;
	op->value = a->start;
	op->object = a->first->path;
	for (s = next_part(plan, a, a->first); s; s = next_part(plan, a, s + 1)) {
		unmap(plan, a, at, s->start);
		at = s->end;
	}
	unmap(plan, a, at, a->end);
}

static void refuse_attachment(struct process_plan *plan, const struct attachment *a)
{
	plan_issue(plan->group, false,
		   "cannot resume pid %d: only a part of System V segment %d is attached at %#llx, "
		   "and all of it cannot be (dump it when it is attached as a whole)",
		   plan->process->info.pid, a->segment->object.id,
		   (unsigned long long)a->first->start);
}

/* One after the other that is in no other one's way. */
static void attach_partial(struct process_plan *plan, struct attachment *list, size_t nr)
{
	size_t i, j;

	while (nr) {
		for (i = 0; i < nr; i++) {
			for (j = 0; j < nr; j++)
				if (j != i && is_in_way(plan, &list[j], &list[i]))
					break;
			if (j == nr)
				break;
		}
		if (i == nr || nr > PARTIAL_MAX) {
			refuse_attachment(plan, &list[0]);
			return;
		}
		attach(plan, &list[i]);
		list[i] = list[--nr];
	}
}

static bool is_first_of(const struct process_plan *plan, const struct attachment *a)
{
	const struct segment *s = plan->process->segments;

	/* the parts of one are not far from each other */
	for (s = a->first; s-- > plan->process->segments && s->end > a->start;)
		if (is_of(a, s))
			return false;
	return true;
}

static bool is_whole(const struct process_plan *plan, const struct attachment *a)
{
	const struct segment *s;
	uint64_t at = a->start;

	for (s = next_part(plan, a, a->first); s && s->start == at; s = next_part(plan, a, s + 1))
		at = s->end;
	return at == a->end;
}

/* A host with larger pages attaches at multiples of those only. */
static void check_pages(struct process_plan *plan, const struct attachment *a)
{
	uint64_t size = plan->host->page_size;

	if (size && a->start % size)
		plan_issue(plan->group, false,
			   "cannot resume pid %d: System V segment %d is attached at %#llx, which "
			   "is no multiple of this host's pages of %llu bytes (use a kernel with "
			   "pages of 4096 bytes)",
			   plan->process->info.pid, a->segment->object.id,
			   (unsigned long long)a->start, (unsigned long long)size);
}

/* Before anything else is mapped: what is not there any more may have been in its place. */
void plan_attach(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	struct attachment *partial = plan_must(calloc(p->nr_segments + 1, sizeof(*partial)));
	struct attachment *whole = plan_must(calloc(p->nr_segments + 1, sizeof(*whole)));
	size_t i, nr_partial = 0, nr_whole = 0;

	for (i = 0; i < p->nr_segments; i++) {
		struct attachment a;

		if (!is_sysv_memory(&p->segments[i]))
			continue;
		a = attachment_of(plan, &p->segments[i]);
		if (!is_first_of(plan, &a))
			continue;
		check_pages(plan, &a);
		if (!a.start || a.end > X86_TOP_5)
			refuse_attachment(plan, &a);
		else if (is_whole(plan, &a))
			whole[nr_whole++] = a;
		else
			partial[nr_partial++] = a;
	}
	attach_partial(plan, partial, nr_partial);
	for (i = 0; i < nr_whole; i++)
		attach(plan, &whole[i]);
	free(partial);
	free(whole);
}

/*
 * The value stays what it is, and what is taken back at the end is what it was: two
 * operations in one, of which one is remembered. First the one that the value allows.
 */
static void plan_adjustment(struct process_plan *plan, const struct xckpt_sem_undo *undo)
{
	const struct sysv_set *set = image_sysv_set(&plan->img->sysv, (uint64_t)undo->id);
	struct operation ops[2] = {
		{ undo->number, (int16_t)-undo->adjust, X86_IPC_NOWAIT | X86_SEM_UNDO },
		{ undo->number, undo->adjust, X86_IPC_NOWAIT },
	};
	bool swap = set->values[undo->number] < -ops[0].add ||
		    set->values[undo->number] + ops[0].add > SYSV_VALUE_MAX;
	struct operation first = ops[swap];
	struct plan_op *op;

	ops[1] = ops[!swap];
	ops[0] = first;
	op = plan_syscall(plan, plan->process->info.pid, NR_SEMOP, (uint64_t)undo->id,
			  buffer_add(&plan->data, ops, sizeof(ops), 8), 2, 0);
	op->refs = 1 << 1;
	op->object = "SEM_UNDO";
}

void plan_undo(struct process_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->process->nr_undo; i++)
		plan_adjustment(plan, &plan->process->undo[i]);
}
