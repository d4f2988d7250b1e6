// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * io_uring: the launcher makes each ring, has it count as far as it had, and puts back what
 * its memory held. Mapping it takes more: since 6.5 kernels let nobody choose where (that
 * would break rules of other machines' caches), they choose themselves. So all of the
 * address space is occupied but the one place that it is to have; and the process was
 * started so that the kernel looks there, too: launch_exec.c.
 */
#include <linux/io_uring.h>

#include "plan_files.h"
#include "plan_memory.h"

#define LOWEST 0x10000ull /* vm.mmap_min_addr, which nothing is mapped below */

static bool is_first(const struct image *img, const struct image_process *p,
		     const struct segment *s)
{
	const struct image_process *q;
	size_t i;

	for (q = img->processes; q <= p; q++)
		for (i = 0; i < q->nr_segments; i++) {
			const struct segment *t = &q->segments[i];

			if (t == s)
				return true;
			if (t->vma.kind == XCKPT_VMA_RING && t->vma.dev == s->vma.dev &&
			    t->vma.ino == s->vma.ino && t->vma.pgoff == s->vma.pgoff)
				return false;
		}
	return true;
}

static void copy_memory(struct plan *plan, const struct segment *s, size_t process, uint64_t slot)
{
	struct plan_op *op = plan_add_shared(plan, OP_RING_COPY, 0);

	op->arg[0] = slot;
	op->arg[1] = process;
	op->arg[2] = s->offset;
	op->arg[3] = s->filesz;
	op->arg[4] = s->vma.pgoff;
}

void plan_ring(struct plan *plan, const struct description *d, struct plan_op *op)
{
	const struct image *img = plan->img;
	uint64_t slot = op->arg[0];
	size_t i, j;

	op->arg[2] = (uint64_t)(d->file - img->files);
	plan_keep_memory(plan, d->file->dev, d->file->ino, d->slot);
	for (i = 0; i < img->nr_processes; i++)
		for (j = 0; j < img->processes[i].nr_segments; j++) {
			const struct segment *s = &img->processes[i].segments[j];

			if (s->vma.kind == XCKPT_VMA_RING && is_ring_of(d->file, &s->vma) &&
			    is_first(img, &img->processes[i], s))
				copy_memory(plan, s, i, slot);
		}
	if (plan->engine->kind != ENGINE_NATIVE)
		plan_issue(plan, false,
			   "cannot resume pid %d: it has an io_uring (fd %d) and %s has none "
			   "(resume it natively; most programs do without where "
			   "/proc/sys/kernel/io_uring_disabled was 2 when they started)",
			   d->pid, d->fd, plan->engine->name);
}

static void occupy(struct process_plan *plan, uint64_t start, uint64_t end, bool on)
{
	struct plan_op *op;

	if (start >= end)
		return;
	op = plan_add(plan, OP_OCCUPY, plan->process->info.pid);
	op->arg[0] = start;
	op->arg[1] = end;
	op->arg[2] = on;
	op->want = WANT_OK;
	op->object = "the address space";
}

/* Its place is the only one that is free. */
static void map_ring(struct process_plan *plan, const struct segment *s, int slot)
{
	uint64_t prot = s->vma.flags & (X86_PROT_READ | X86_PROT_WRITE | X86_PROT_EXEC);
	struct plan_op *op = plan_add(plan, OP_PLACE, 0);
	int tid = plan->process->info.pid, fd = plan->fds.next++;

	op->arg[0] = (uint64_t)slot;
	op->arg[1] = (uint64_t)fd;
	occupy(plan, s->start, s->end, false);
	op = plan_syscall(plan, tid, NR_MMAP, 0, s->end - s->start, prot, X86_MAP_SHARED);
	op->arg[4] = (uint64_t)fd;
	op->arg[5] = s->vma.pgoff;
	op->want = WANT_VALUE;
	op->value = s->start;
	op->object = s->path;
	plan_syscall(plan, tid, NR_CLOSE, (uint64_t)fd, 0, 0, 0);
}

void plan_map_rings(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	uint64_t end = LOWEST;
	size_t i, nr = 0;

	for (i = 0; i < p->nr_segments; i++)
		nr += p->segments[i].vma.kind == XCKPT_VMA_RING;
	if (!nr)
		return;
	plan->has_rings = true;
	occupy(plan, LOWEST, X86_TOP_4, true);
	for (i = 0; i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];
		const struct memory_file *m;

		if (s->vma.kind != XCKPT_VMA_RING)
			continue;
		m = plan_find_memory(plan->group, s->vma.dev, s->vma.ino);
		if (m) /* else refused */
			map_ring(plan, s, m->slot);
	}
	for (i = 0; i < p->nr_segments; i++)
		if (p->segments[i].vma.kind == XCKPT_VMA_RING) {
			occupy(plan, end, p->segments[i].start, false);
			end = p->segments[i].end;
		}
	occupy(plan, end, X86_TOP_4, false);
}
