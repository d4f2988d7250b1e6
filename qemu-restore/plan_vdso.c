// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vDSO natively. Where the program's is, byte by byte, the one that this kernel
 * has, and call.S is not needed in it, the kernel maps its own at the same place, with
 * its data: what the program asks for the time needs no system call then. Else the
 * image's is made to ask the kernel, and is memory like any other.
 */
#include <stdlib.h>
#include <string.h>

#include "plan_memory.h"
#include "vdso.h"

static const struct segment *find_vdso(const struct image_process *p)
{
	size_t i;

	for (i = 0; i < p->nr_segments; i++)
		if (p->segments[i].vma.kind == XCKPT_VMA_VDSO)
			return &p->segments[i];
	return NULL;
}

/* Where the data begins that lies right before the vDSO. */
static uint64_t data_start(const struct image_process *p, const struct segment *vdso)
{
	const struct segment *s = vdso;

	while (s > p->segments && s[-1].vma.kind == XCKPT_VMA_VVAR && s[-1].end == s->start)
		s--;
	return s->start;
}

/*
 * A thread in the middle of it may have read some of the other data. And one that goes on
 * with a call by call.S waits in there, where the next freeze lets nobody stop who is
 * in the kernel's own vDSO.
 */
static bool is_needed(const struct image_process *p, const struct segment *vdso)
{
	size_t i;

	for (i = 0; i < p->nr_threads; i++) {
		const struct image_thread *t = &p->threads[i];

		if ((t->regs.rip >= vdso->start && t->regs.rip < vdso->end) ||
		    t->info.restart != XCKPT_RESTART_NONE || t->info.flags & XCKPT_THREAD_CUT)
			return true;
	}
	return false;
}

/*
 * What a resume changes in it: getrandom() stays a system call, as its state is the image's,
 * and two programs of one image must not get the same numbers.
 */
static void prepare(uint8_t *image, size_t len)
{
	vdso_patch_random(image, len);
}

static bool is_own(const struct vdso_own *own, uint8_t *image, size_t len)
{
	uint8_t *copy = plan_must(malloc(len));
	bool same;

	memcpy(copy, own->image, len);
	prepare(copy, len);
	prepare(image, len);
	same = !memcmp(copy, image, len);
	free(copy);
	return same;
}

void plan_own_vdso(struct process_plan *plan)
{
	const struct vdso_own *own = plan->host->vdso;
	const struct image_process *p = plan->process;
	const struct segment *vdso = find_vdso(p);
	uint8_t *image;

	if (plan->engine->kind != ENGINE_NATIVE || !own || !vdso ||
	    vdso->end - vdso->start != own->len || vdso->start - data_start(p, vdso) != own->data ||
	    is_needed(p, vdso))
		return;
	image = plan_must(malloc(own->len));
	if (!image_read_memory(p, vdso->start, image, own->len) && is_own(own, image, own->len)) {
		buffer_add(&plan->vdso, image, own->len, IMAGE_PAGE_SIZE);
		plan->own_vdso = vdso->start - own->data;
	}
	free(image);
}

static void use_patched(struct process_plan *plan, const struct segment *s, uint8_t *image)
{
	const struct image_process *p = plan->process;
	uint64_t *busy = plan_must(calloc(p->nr_threads + 1, sizeof(*busy)));
	size_t i, len = s->end - s->start;

	for (i = 0; i < p->nr_threads; i++)
		busy[i] = p->threads[i].regs.rip - s->start;
	if (image_read_memory(p, s->start, image, len) ||
	    vdso_patch(image, len, busy, p->nr_threads) <= 0)
		plan_issue(plan->group, false,
			   "cannot resume pid %d: the image's [vdso] is not one that can be used "
			   "(take the checkpoint anew)",
			   p->info.pid);
	if (!plan->call)
		vdso_add_call(image, len);
	free(busy);
}

/* Where in ->vdso it is. */
static size_t choose_vdso(struct process_plan *plan, const struct segment *s)
{
	size_t len = s->end - s->start;
	uint64_t call;
	size_t offset;

	if (plan->own_vdso)
		return 0;
	offset = buffer_add(&plan->vdso, NULL, len, IMAGE_PAGE_SIZE);
	use_patched(plan, s, plan->vdso.bytes + offset);
	call = plan->call ? 0 : vdso_find_call(plan->vdso.bytes + offset, len);
	if (call)
		plan->call = s->start + call;
	return offset;
}

void plan_map_vdso(const struct mapping *m)
{
	uint64_t now = X86_PROT_READ | X86_PROT_WRITE, size = m->s->end - m->s->start;
	size_t offset = choose_vdso(m->plan, m->s);
	struct plan_op *op;

	if (m->plan->own_vdso) {
		op = plan_syscall(m->plan, m->tid, NR_ARCH_PRCTL, ARCH_MAP_VDSO_64,
				  m->plan->own_vdso, 0, 0);
		op->want = WANT_VALUE;
		op->value = size;
		op->object = m->name;
		plan_syscall(m->plan, m->tid, NR_MPROTECT, m->s->start, size, now, 0)->object =
			m->name;
	} else {
		mapping_anonymous(m, m->s->start, m->s->end, now, X86_MAP_PRIVATE);
	}
	/* the file offset is known when the file is laid out: pack.c adds it */
	mapping_read(m, m->plan->fds.restorer, m->s->start, size, offset);
	mapping_protect(m, m->s->start, now);
}
