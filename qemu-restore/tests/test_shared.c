// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory that processes share is made once and filled once, wherever its contents are. */
#include <sys/stat.h>

#include "image_priv.h"
#include "synth.h"
#include "tap.h"

#define AT 0x300000 /* below all of the program */
#define PAGE 4096ul

static struct synth s;
static struct image_process processes[2];
static struct segment segments[2][SYNTH_MAX];
static struct image_priv priv = { .action = "cannot use it" };

/* Two programs that have pages @first to @first + 2 of one memfd. */
static void begin(const uint64_t first[2])
{
	int i;

	synth_init(&s, ENGINE_NATIVE);
	synth_segment(&s, AT, AT + 2 * PAGE, XCKPT_VMA_SHMEM,
		      XCKPT_VMA_READ | XCKPT_VMA_SHARED | XCKPT_VMA_DELETED);
	synth_program(&s);
	for (i = 0; i < 2; i++) {
		struct image_process *p = &processes[i];
		struct segment *view;
		size_t n;

		*p = s.p;
		p->info.pid = 42 + i;
		p->segments = memcpy(segments[i], s.segments, sizeof(segments[i]));
		p->core_fd = memfd_create("core", 0);
		for (n = 0; n < p->nr_segments; n++)
			p->segments[n].holder = p;
		view = &p->segments[0];
		view->path = "/memfd:x (deleted)";
		view->vma.ino = 7;
		view->vma.pgoff = first[i] * PAGE;
		view->vma.file_size = 4 * PAGE;
		view->offset = 16 * PAGE;
	}
	processes[1].info.ppid = 42;
	s.img.processes = processes;
	s.img.nr_processes = 2;
}

static struct segment *view_of(int i)
{
	return &segments[i][0];
}

/* Its contents are in the core of the @i-th. */
static void fill(int i)
{
	struct segment *view = view_of(i);

	view->filesz = 2 * PAGE;
	if (ftruncate(processes[i].core_fd, 18 * PAGE) ||
	    pwrite(processes[i].core_fd, "0", 1, 16 * PAGE) != 1 ||
	    pwrite(processes[i].core_fd, "1", 1, 17 * PAGE) != 1 ||
	    data_map_make(&processes[i].data, processes[i].core_fd, 18 * PAGE))
		abort();
}

static struct plan *make(void)
{
	if (image_find_contents(&s.img, &priv))
		abort();
	return plan_make(&s.img, &s.engine, &s.host);
}

static void test_one_holder(void)
{
	static const uint64_t first[2] = { 1, 1 };
	static const bool exist[2] = { true, true };
	const struct plan_op *op;
	struct plan *plan;
	char byte = 0;
	int i;

	for (i = 0; i < 2; i++) {
		begin(first);
		s.host.exe_exists = exist;
		fill(i);
		plan = make();
		op = find_op(plan, OP_COPY, 0);
		ok(count_ops(plan, OP_MEMORY) == 1 && count_ops(plan, OP_COPY) == 1 && op &&
			   op->arg[1] == (uint64_t)i && op->arg[2] == 16 * PAGE &&
			   op->arg[3] == 2 * PAGE && op->arg[4] == PAGE,
		   "made once, and filled from the core of the one that has it: %d", i);
		ok(view_of(1)->filesz == 2 * PAGE &&
			   !image_read_memory(&processes[1], AT + PAGE, &byte, 1) && byte == '1',
		   "the second has it, too");
		plan_free(plan);
	}
}

/* Both have contents, and share a page of them. */
static void test_overlap(void)
{
	static const uint64_t first[2] = { 0, 1 };
	static const bool exist[2] = { true, true };
	const struct plan_op *op;
	struct plan *plan;

	begin(first);
	s.host.exe_exists = exist;
	fill(0);
	fill(1);
	plan = make();
	op = find_op(plan, OP_COPY, 0);
	ok(count_ops(plan, OP_COPY) == 2 && op[0].arg[1] == 0 && op[0].arg[3] == 2 * PAGE &&
		   op[1].kind == OP_COPY && op[1].arg[1] == 1 && op[1].arg[2] == 17 * PAGE &&
		   op[1].arg[3] == PAGE && op[1].arg[4] == 2 * PAGE,
	   "of the second only what the first does not have");
	plan_free(plan);
}

/* The call of process @i with that first argument. */
static const struct plan_op *find_in(const struct plan *plan, int i, uint32_t nr, uint64_t first)
{
	const struct plan_op *op = plan->ops + plan->processes[i].first_op;
	const struct plan_op *end = op + plan->processes[i].nr_ops;

	for (; op < end; op++)
		if (op->kind == OP_SYSCALL && op->nr == nr && op->arg[0] == first)
			return op;
	return NULL;
}

/* What process @i gets as @fd. */
static const struct plan_op *find_placed(const struct plan *plan, int i, uint64_t fd)
{
	const struct plan_op *op = plan->ops + plan->processes[i].first_op;
	const struct plan_op *end = op + plan->processes[i].nr_ops;

	for (; op < end; op++)
		if (op->kind == OP_PLACE && op->arg[1] == fd)
			return op;
	return NULL;
}

/* The second maps it MAP_PRIVATE, and has written to no page of that. */
static void test_private(void)
{
	static const uint64_t first[2] = { 0, 0 };
	static const bool exist[2] = { true, true };
	const struct plan_op *op, *place;
	struct plan *plan;
	int i;

	for (i = 0; i < 2; i++) {
		begin(first);
		s.host.exe_exists = exist;
		fill(0);
		view_of(1)->vma.kind = XCKPT_VMA_FILE;
		view_of(1)->vma.flags = XCKPT_VMA_READ | XCKPT_VMA_WRITE | XCKPT_VMA_DELETED |
					(i ? 0 : XCKPT_VMA_UNWRITTEN);
		plan = make();
		op = find_in(plan, 1, NR_MMAP, AT);
		place = op ? find_placed(plan, 1, op->arg[4]) : NULL;
		if (i)
			ok(op && (!place || place->arg[0] != find_op(plan, OP_MEMORY, 0)->arg[0]),
			   "with pages of its own it keeps what it saw");
		else
			ok(place && op && op->arg[3] & X86_MAP_PRIVATE &&
				   place->arg[0] == find_op(plan, OP_MEMORY, 0)->arg[0],
			   "a private mapping shows what becomes of the memory");
		plan_free(plan);
	}
}

/* A file without a name that is mapped, and open in the second. */
static void test_owner(void)
{
	static const uint64_t first[2] = { 0, 0 };
	static const bool exist[2] = { true, true };
	const struct plan_op *op;
	struct open_file *f;
	struct plan *plan;
	int i;

	begin(first);
	s.host.exe_exists = exist;
	fill(0);
	for (i = 0; i < 2; i++) {
		view_of(i)->vma.kind = XCKPT_VMA_FILE;
		view_of(i)->path = "/srv/gone";
	}
	f = synth_file(&s, FILE_REGULAR, "/srv/gone", X86_O_RDWR);
	synth_fd(&s, 3, f, false);
	f->deleted = true;
	f->ino = view_of(0)->vma.ino;
	f->dev = view_of(0)->vma.dev;
	f->mode = S_IFREG | 0640;
	f->uid = 1000;
	f->gid = 100;
	plan = make();
	op = find_op(plan, OP_MEMORY, 0);
	ok(count_ops(plan, OP_MEMORY) == 1 && op->arg[2] == (S_IFREG | 0640) &&
		   op->arg[3] == 1000 && op->arg[4] == 100,
	   "memory that is a file has its owner and mode");
	ok(op->path && !strcmp(op->path, "/srv/gone"), "and is on the disk it was on");
	plan_free(plan);
}

/* A file that both have mapped, and the first one's core has it. */
static void make_it_a_file(void)
{
	int n;

	for (n = 0; n < 2; n++) {
		struct segment *view = view_of(n);

		view->path = "/usr/lib/x.so";
		view->vma.kind = XCKPT_VMA_FILE;
		view->vma.flags = XCKPT_VMA_READ | XCKPT_VMA_UNWRITTEN;
	}
	fill(0);
}

/* Who does not have it maps the other's core, and closes that again. */
static void test_file(void)
{
	static const uint64_t first[2] = { 1, 1 };
	static const bool exist[2] = { true, true };
	const struct plan_op *core, *place, *maps[2];
	struct plan *plan;
	int i;

	begin(first);
	s.host.exe_exists = exist;
	make_it_a_file();
	plan = make();
	core = find_op(plan, OP_CORE, 0);
	place = find_op(plan, OP_PLACE, 0);
	while (place && core && place->arg[0] != core->arg[0])
		place = find_op(plan, OP_PLACE, place - plan->ops + 1);
	for (i = 0; i < 2; i++)
		maps[i] = find_in(plan, i, NR_MMAP, AT);
	if (!ok(count_ops(plan, OP_CORE) == 1 && core->arg[1] == 0 && place && place->process == 1,
		"a file's contents are in one core, which the other one gets"))
		return;
	ok(maps[0] && (int)maps[0]->arg[4] == plan->processes[0].fds.core && maps[1] &&
		   maps[1]->arg[4] == place->arg[1],
	   "both map that");
	ok(maps[0]->arg[5] == 16 * PAGE && maps[1]->arg[5] == 16 * PAGE &&
		   maps[1]->arg[1] == 2 * PAGE && maps[1]->arg[3] & X86_MAP_PRIVATE,
	   "at the same place");
	ok(find_in(plan, 1, NR_CLOSE, place->arg[1]) && !count_ops(plan, OP_MEMORY),
	   "it is no memory to be shared, and the descriptor does not stay");
	plan_free(plan);
}

int main(void)
{
	test_one_holder();
	test_overlap();
	test_private();
	test_owner();
	test_file();
	return tap_end();
}
