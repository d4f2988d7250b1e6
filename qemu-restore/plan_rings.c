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

#define LOWEST 0x10000ull /* vm.mmap_min_addr, as all distributions have it */
/* the last page below 47 bits no program has, and where there are more bits no one gets unasked */
#define HIGHEST (X86_TOP_4 - IMAGE_PAGE_SIZE)
#define CALLS_TOLD 10000000

static void copy_memory(struct plan *plan, const struct segment *s, size_t process, uint64_t slot)
{
	struct plan_op *op = plan_add_shared(plan, OP_RING_COPY, 0);

	op->arg[0] = slot;
	op->arg[1] = process;
	op->arg[2] = s->offset;
	op->arg[3] = s->filesz;
	op->arg[4] = s->vma.pgoff;
}

/* As many as there were: on a machine of today some hundred thousand in a second. */
static void tell_calls(struct plan *plan, const struct description *d)
{
	const struct xckpt_ring *ring = &d->file->event.ring;
	uint32_t only_told = ring->cq_tail > ring->sq_head ? ring->cq_tail - ring->sq_head : 0;
	uint64_t calls = ring->sq_head / ring->sq_entries + only_told / RING_HELPER_ENTRIES;

	if (calls > CALLS_TOLD)
		plan_warning(plan,
			     "pid %d: to bring its io_uring (fd %d) to where it was takes %llu "
			     "million system calls",
			     d->pid, d->fd, (unsigned long long)calls / 1000000);
}

void plan_ring(struct plan *plan, const struct description *d, struct plan_op *op)
{
	const struct image *img = plan->img;
	uint64_t slot = op->arg[0];
	bool mapped = false;
	size_t i, j;

	op->arg[2] = (uint64_t)(d->file - img->files);
	plan_keep_memory(plan, d->file->dev, d->file->ino, d->slot);
	for (i = 0; i < img->nr_processes; i++)
		for (j = 0; j < img->processes[i].nr_segments; j++) {
			const struct segment *s = &img->processes[i].segments[j];

			if (s->vma.kind != XCKPT_VMA_RING || !is_ring_of(d->file, &s->vma))
				continue;
			/* who shares it has the same in it, but may have mapped less */
			copy_memory(plan, s, i, slot);
			mapped = true;
		}
	if (!mapped)
		plan_warning(
			plan,
			"pid %d: its io_uring (fd %d) is not mapped by anybody: what was in its "
			"memory is lost",
			d->pid, d->fd);
	tell_calls(plan, d);
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

	for (i = 0; i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];

		if (s->vma.kind != XCKPT_VMA_RING)
			continue;
		nr++;
		if (plan_find_memory(plan->group, s->vma.dev, s->vma.ino))
			continue;
		plan_issue(
			plan->group, false,
			"cannot resume pid %d: the io_uring that it has mapped at %#llx cannot be "
			"replaced by another file (leave out --fd for its descriptor)",
			p->info.pid, (unsigned long long)s->start);
		return;
	}
	if (!nr)
		return;
	plan->has_rings = true;
	occupy(plan, LOWEST, HIGHEST, true);
	for (i = 0; i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];

		if (s->vma.kind == XCKPT_VMA_RING)
			map_ring(plan, s,
				 plan_find_memory(plan->group, s->vma.dev, s->vma.ino)->slot);
	}
	for (i = 0; i < p->nr_segments; i++)
		if (p->segments[i].vma.kind == XCKPT_VMA_RING) {
			occupy(plan, end, p->segments[i].start, false);
			end = p->segments[i].end;
		}
	occupy(plan, end, HIGHEST, false);
}
