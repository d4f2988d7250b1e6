// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory: first all that the engine has put there is swept away, then mapping by
 * mapping comes from the image. Private anonymous memory is copied, because a
 * private mapping of the core would show the core again after MADV_DONTNEED and
 * its neighbours after mremap(); everything else is mapped from the core that has
 * it and read when it is touched. What is copied is writable until all is mapped and the
 * loader (load.c) has filled it, or the restorer itself.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plan_memory.h"

#define PIECE (1ull << 30)
#define PIECES_MOST 1024

/* What is written to it must be seen by others. */
static bool is_writable_file(const struct segment *s)
{
	return s->vma.flags & XCKPT_VMA_SHARED && s->vma.flags & XCKPT_VMA_MAYWRITE;
}

static enum how how_to_map(const struct process_plan *plan, const struct segment *s)
{
	if (is_shared_memory(s))
		return OBJECT;
	switch (s->vma.kind) {
	case XCKPT_VMA_VDSO:
		return PATCHED;
	case XCKPT_VMA_VVAR:
		return NOWHERE;
	case XCKPT_VMA_FILE:
		return !is_writable_file(s) && plan_is_from_core(plan, s) ? LAZY : THE_FILE;
	case XCKPT_VMA_SYSV:
		return ATTACHED;
	case XCKPT_VMA_RING:
		return RING;
	default:
		return EAGER;
	}
}

static struct plan_op *map(const struct mapping *m, uint64_t start, uint64_t end, uint64_t prot,
			   uint64_t flags, int fd, uint64_t offset)
{
	struct plan_op *op;

	if (m->s->vma.flags & XCKPT_VMA_NORESERVE)
		flags |= X86_MAP_NORESERVE;
	op = plan_syscall(m->plan, m->tid, NR_MMAP, start, end - start, prot,
			  flags | X86_MAP_FIXED_NOREPLACE);
	op->arg[4] = fd;
	op->arg[5] = offset;
	op->want = WANT_VALUE;
	op->value = start;
	op->object = m->name;
	return op;
}

/*
 * At once all that there is: a kernel refuses to map more than all of its memory in one piece
 * where that may be written to (vm.overcommit_memory 0); but heaps grow by and by. The pieces
 * become one again; what grows downwards, and huge pages, would not.
 */
static uint64_t piece_of(const struct mapping *m, uint64_t size, uint64_t prot, uint64_t flags)
{
	if (!(prot & X86_PROT_WRITE) || m->s->vma.flags & XCKPT_VMA_NORESERVE ||
	    flags & (X86_MAP_GROWSDOWN | X86_MAP_HUGETLB))
		return size;
	return size / PIECES_MOST > PIECE ? PAGE_UP(size / PIECES_MOST) : PIECE;
}

void mapping_anonymous(const struct mapping *m, uint64_t start, uint64_t end, uint64_t prot,
		       uint64_t sharing)
{
	uint64_t next, piece = start < end ? piece_of(m, end - start, prot, sharing) : 0;

	for (; start < end; start = next) {
		next = end - start > piece ? start + piece : end;
		map(m, start, next, prot, sharing | X86_MAP_ANONYMOUS, -1, 0);
	}
}

void mapping_read(const struct mapping *m, int fd, uint64_t addr, uint64_t len, uint64_t offset)
{
	struct plan_op *op = plan_add(m->plan, OP_READ, m->tid);

	op->arg[0] = fd;
	op->arg[1] = addr;
	op->arg[2] = len;
	op->arg[3] = offset;
	op->object = m->name;
}

/* What of its contents is data and no hole. */
static void read_extents(const struct mapping *m)
{
	const struct data_map *data = &m->plan->process->data;
	uint64_t offset = m->s->offset, end = offset + m->s->filesz;
	size_t i;

	for (i = data_map_find(data, offset); i < data->nr && data->ranges[i].from < end; i++) {
		const struct data_range *r = &data->ranges[i];
		uint64_t from = r->from > offset ? r->from : offset;

		mapping_read(m, m->plan->fds.core, m->s->start + (from - m->s->offset),
			     (r->end < end ? r->end : end) - from, from);
	}
}

void mapping_protect(const struct mapping *m, uint64_t from, uint64_t now)
{
	if (now != m->prot)
		plan_syscall(m->plan, m->tid, NR_MPROTECT, from, m->s->end - from, m->prot, 0)
			->object = m->name;
}

static bool is_filled(const struct mapping *m)
{
	return m->how == EAGER && m->s->filesz;
}

static uint64_t first_prot(const struct mapping *m)
{
	return is_filled(m) ? m->prot | X86_PROT_READ | X86_PROT_WRITE : m->prot;
}

/* The descriptor of the core that has the contents: its own or another process's. */
static int core_of(const struct mapping *m)
{
	struct process_plan *plan = m->plan;
	struct plan *group = plan->group;
	size_t n = (size_t)(m->s->holder - plan->img->processes);
	struct plan_op *op;

	if (m->s->holder == plan->process)
		return plan->fds.core;
	if (plan->cores[n])
		return plan->cores[n];
	if (!group->core_slots[n]) {
		op = plan_add_shared(group, OP_CORE, 0);
		op->arg[0] = group->nr_slots++;
		op->arg[1] = n;
		group->core_slots[n] = (unsigned int)op->arg[0] + 1;
	}
	op = plan_add(plan, OP_PLACE, 0);
	op->arg[0] = group->core_slots[n] - 1;
	op->arg[1] = (uint64_t)(plan->cores[n] = plan->fds.next++);
	return plan->cores[n];
}

static void close_cores(struct process_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->img->nr_processes; i++)
		if (plan->cores[i])
			plan_syscall(plan, plan->process->info.pid, NR_CLOSE, plan->cores[i], 0, 0,
				     0);
	free(plan->cores);
	plan->cores = NULL;
}

/* What a core has of it, and the rest anonymous. */
static void map_lazily(const struct mapping *m)
{
	uint64_t whole = m->s->start + m->s->filesz;
	uint64_t sharing = m->s->vma.flags & XCKPT_VMA_SHARED ? X86_MAP_SHARED : X86_MAP_PRIVATE;

	if (whole > m->s->start)
		map(m, m->s->start, whole, m->prot, sharing, core_of(m), m->s->offset);
	mapping_anonymous(m, whole, m->s->end, m->prot, X86_MAP_PRIVATE);
}

/* The second half of it: contents, then what may be done with them. */
static void fill(const struct mapping *m)
{
	if (!is_filled(m))
		return;
	read_extents(m);
	mapping_protect(m, m->s->start, first_prot(m));
}

/* Map what the launcher has in @slot. */
static void map_slot(const struct mapping *m, unsigned int slot, uint64_t sharing)
{
	int fd = m->plan->fds.next++;
	struct plan_op *place = plan_add(m->plan, OP_PLACE, 0);

	place->arg[0] = slot;
	place->arg[1] = fd;
	map(m, m->s->start, m->s->end, m->prot, sharing, fd, m->s->vma.pgoff);
	plan_syscall(m->plan, m->tid, NR_CLOSE, fd, 0, 0, 0);
}

/*
 * What was opened for reading only can never become writable; and where it could, a
 * sealed memfd is refused by kernels before 6.7.
 */
static void map_object(const struct mapping *m)
{
	struct plan *plan = m->plan->group;
	int slot = plan_object_slot(plan, m->s);
	struct plan_op *op;

	if (!(m->s->vma.flags & XCKPT_VMA_MAYWRITE)) {
		op = plan_add_shared(plan, OP_REOPEN, 0);
		op->arg[1] = (uint64_t)slot;
		op->arg[0] = (uint64_t)(slot = (int)plan->nr_slots++);
		op->object = m->s->path;
	}
	map_slot(m, (unsigned int)slot, X86_MAP_SHARED);
}

/* Map the file itself: what is written to it must be seen by others, or it is not in the image. */
static void map_file(const struct mapping *m, uint64_t x86_flags, bool unchanged)
{
	uint64_t sharing = m->s->vma.flags & XCKPT_VMA_SHARED ? X86_MAP_SHARED : X86_MAP_PRIVATE;
	struct process_plan *plan = m->plan;
	const struct xckpt_vma *vma = &m->s->vma;
	unsigned int slot = plan->group->nr_slots++;
	struct plan_op *open = plan_add_shared(plan->group, OP_OPEN, 0);

	open->arg[0] = slot;
	open->arg[1] = x86_flags;
	open->arg[3] =
		unchanged ? CHECK_UNCHANGED
		: plan->host->allow_changed || plan_is_packed(plan->group, vma->dev, vma->ino)
			? CHECK_REGULAR
			: CHECK_SAME;
	open->arg[4] = vma->file_size;
	if (open->arg[3] == CHECK_REGULAR &&
	    vma->file_size > vma->pgoff + (m->s->end - m->s->start))
		open->arg[4] = vma->pgoff + (m->s->end - m->s->start);
	open->arg[5] = vma->file_mtime_ns;
	open->path = plan_path(plan->group, m->s->path);
	open->value = m->tid;
	if (unchanged)
		open->build_id = image_build_id(plan->img, m->s);
	map_slot(m, slot, sharing);
}

static void map_the_file(const struct mapping *m)
{
	bool thin = m->plan->img->thin && m->s->filesz < m->s->end - m->s->start;
	int slot = plan_memory_slot(m->plan->group, m->s);

	if (slot >= 0) {
		map_slot(m, (unsigned int)slot, X86_MAP_PRIVATE);
		return;
	}
	if (is_writable_file(m->s)) {
		map_file(m, 2, false); /* O_RDWR */
		return;
	}
	/* a thin image has at most the first page, the ELF header, and that is the file's */
	if (thin && m->s->filesz > IMAGE_PAGE_SIZE)
		plan_issue(m->plan->group, false,
			   "cannot resume pid %d: %s at %#llx is partly in the thin image "
			   "(make one without --thin)",
			   m->tid, m->s->path, (unsigned long long)m->s->start);
	map_file(m, 0, thin);
}

static const char *name_of(const struct segment *s)
{
	if (*s->path)
		return s->path;
	if (s->vma.flags & XCKPT_VMA_HEAP)
		return "[heap]";
	if (s->vma.flags & XCKPT_VMA_STACK)
		return "[stack]";
	switch (s->vma.kind) {
	case XCKPT_VMA_VDSO:
		return "[vdso]";
	case XCKPT_VMA_VVAR:
		return "[vvar]";
	default:
		return "anonymous memory";
	}
}

/* What shmat(2) gives. */
static uint64_t attached_prot(const struct segment *s)
{
	return s->vma.flags & XCKPT_VMA_MAYWRITE ? X86_PROT_READ | X86_PROT_WRITE : X86_PROT_READ;
}

static uint64_t huge_flags(const struct plan *plan, const struct segment *s)
{
	unsigned int shift = plan_huge_shift(plan, s->vma.page_shift);

	return shift ? X86_MAP_HUGETLB | (uint64_t)shift << X86_MAP_HUGE_SHIFT : 0;
}

static struct mapping mapping_of(struct process_plan *plan, const struct segment *s)
{
	return (struct mapping){ plan,
				 s,
				 how_to_map(plan, s),
				 name_of(s),
				 plan->process->info.pid,
				 s->vma.flags & (X86_PROT_READ | X86_PROT_WRITE | X86_PROT_EXEC) };
}

static void map_segment(struct process_plan *plan, const struct segment *s, uint64_t floor)
{
	struct mapping m = mapping_of(plan, s);

	if (s->vma.flags & XCKPT_VMA_STACK)
		mapping_reserve_stack(&m, floor);
	switch (m.how) {
	case EAGER:
		mapping_anonymous(&m, s->start, s->end, first_prot(&m),
				  X86_MAP_PRIVATE | huge_flags(plan->group, s) |
					  mapping_growth(&m));
		break;
	case LAZY:
		map_lazily(&m);
		break;
	case OBJECT:
		map_object(&m);
		break;
	case THE_FILE:
		map_the_file(&m);
		break;
	case PATCHED:
		plan_map_vdso(&m);
		break;
	case NOWHERE:
		if (!plan->own_vdso) /* else the kernel maps it with its vDSO */
			mapping_anonymous(&m, s->start, s->end, m.prot, X86_MAP_PRIVATE);
		break;
	case ATTACHED:
	case RING:
		break;
	}
	plan_advise_pages(plan, s);
}

static void finish_segment(struct process_plan *plan, const struct segment *s)
{
	struct mapping m = mapping_of(plan, s);

	fill(&m);
	if (m.how == ATTACHED)
		mapping_protect(&m, s->start, attached_prot(s));
	plan_guards(plan, s, m.name);
	plan_advise(plan, s, m.name);
}

bool plan_is_skipped(const struct process_plan *plan, const struct segment *s)
{
	return s->vma.kind == XCKPT_VMA_SPECIAL || plan_is_left(plan, s);
}

/* The engine's heap has to begin and end where the program's did. */
static void plan_brk(struct process_plan *plan)
{
	const struct xckpt_note_mm *mm = &plan->process->mm;
	int tid = plan->process->info.pid;
	uint64_t start = PAGE_DOWN(mm->start_brk), end = PAGE_UP(mm->brk);
	struct plan_op *op;

	if (plan->engine->kind == ENGINE_NATIVE || !mm->start_brk)
		return;
	op = plan_syscall(plan, tid, NR_BRK, mm->brk, 0, 0, 0);
	op->want = WANT_VALUE;
	op->value = mm->brk;
	op->object = "[heap]";
	if (end > start)
		plan_syscall(plan, tid, NR_MUNMAP, start, end - start, 0, 0)->object = "[heap]";
}

void plan_memory(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	uint64_t all = ~0ull, floor = 0;
	struct plan_op *op;
	size_t i, offset = buffer_add(&plan->data, &all, sizeof(all), 8);

	op = plan_syscall(plan, p->info.pid, NR_RT_SIGPROCMASK, 0, offset, 0, sizeof(all));
	op->refs = 1 << 1;
	plan_add(plan, OP_SWEEP, p->info.pid);
	plan_map_rings(plan);
	plan_brk(plan);
	plan_attach(plan);
	plan_own_vdso(plan);
	plan->cores = plan_must(calloc(plan->img->nr_processes, sizeof(*plan->cores)));
	for (i = 0; i < p->nr_segments; i++) {
		if (plan_is_skipped(plan, &p->segments[i]))
			continue;
		map_segment(plan, &p->segments[i], floor);
		floor = p->segments[i].end;
	}
	close_cores(plan);
	plan_add(plan, OP_LOAD, p->info.pid);
	for (i = 0; i < p->nr_segments; i++)
		if (!plan_is_skipped(plan, &p->segments[i]))
			finish_segment(plan, &p->segments[i]);
	plan_open_guards(plan);
}
