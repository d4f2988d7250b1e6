// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/io_uring.h>

#include "synth.h"
#include "tap.h"

#define RINGS 0x7f0000400000ull
#define SQES 0x7f0000600000ull
#define SIZE 0x1000

static struct synth s;
static char page[SIZE];

static void add_ring(uint64_t start, uint64_t offset)
{
	struct segment *seg = synth_segment(&s, start, start + SIZE, XCKPT_VMA_RING,
					    XCKPT_VMA_READ | XCKPT_VMA_WRITE | XCKPT_VMA_SHARED);

	seg->path = "anon_inode:[io_uring]";
	seg->vma.pgoff = offset;
	seg->vma.ino = 9;
	synth_contents(&s, seg, page, sizeof(page));
}

static void begin(enum engine_kind kind)
{
	struct open_file *f;

	synth_init(&s, kind);
	synth_program(&s);
	add_ring(RINGS, IORING_OFF_SQ_RING);
	add_ring(SQES, IORING_OFF_SQES);
	f = synth_file(&s, FILE_ANON_INODE, "anon_inode:[io_uring]", 2);
	f->ino = 9;
	f->event = (struct event_state){ .kind = EVENT_RING,
					 .ring = { .sq_entries = 4, .cq_entries = 8 } };
	synth_fd(&s, 5, f, true);
}

static struct plan *make(void)
{
	return plan_make(&s.img, &s.engine, &s.host);
}

static const struct plan_op *next(const struct plan *plan, const struct plan_op *op,
				  enum op_kind kind)
{
	return find_op(plan, kind, op ? (size_t)(op - plan->ops + 1) : 0);
}

static void test_order(void)
{
	const struct plan_op *ring, *copy, *all, *room, *map, *clear;
	struct plan *plan;

	begin(ENGINE_NATIVE);
	plan = make();
	ring = next(plan, NULL, OP_RING);
	ok(ring && &s.img.files[ring->arg[2]] == &s.files[0], "a ring is made");
	copy = next(plan, ring, OP_RING_COPY);
	ok(copy && copy->arg[0] == ring->arg[0] && copy->arg[4] == IORING_OFF_SQ_RING,
	   "then what its memory held is put back");
	copy = next(plan, copy, OP_RING_COPY);
	ok(copy && copy->arg[4] == IORING_OFF_SQES && !next(plan, copy, OP_RING_COPY),
	   "all parts of it");
	all = next(plan, next(plan, NULL, OP_SWEEP), OP_OCCUPY);
	ok(all && all->arg[2] && all->arg[0] <= RINGS && all->arg[1] >= SQES + SIZE,
	   "the address space is full");
	room = next(plan, all, OP_OCCUPY);
	ok(room && !room->arg[2] && room->arg[0] == RINGS && room->arg[1] == RINGS + SIZE,
	   "but for one place");
	map = next(plan, room, OP_SYSCALL);
	ok(map && map->nr == NR_MMAP && !map->arg[0] && map->want == WANT_VALUE &&
		   map->value == RINGS,
	   "which the kernel has to choose");
	clear = next(plan, next(plan, map, OP_OCCUPY), OP_OCCUPY);
	ok(clear && !clear->arg[2] && clear->arg[0] == all->arg[0] && clear->arg[1] == RINGS,
	   "there is room again below them,");
	clear = next(plan, clear, OP_OCCUPY);
	ok(clear && clear->arg[0] == RINGS + SIZE && clear->arg[1] == SQES, "between them");
	clear = next(plan, clear, OP_OCCUPY);
	ok(clear && clear->arg[0] == SQES + SIZE && clear->arg[1] == all->arg[1] &&
		   !next(plan, clear, OP_OCCUPY),
	   "and above");
	plan_free(plan);
}

static void test_shared(void)
{
	static struct segment segments[SYNTH_MAX];
	struct image_process both[2];
	size_t i, nr = 0;
	struct plan *plan;

	begin(ENGINE_NATIVE);
	both[0] = both[1] = s.p;
	both[1].info.pid = 43;
	both[1].info.ppid = both[0].info.pid;
	both[1].core_name = "core.43";
	s.img.processes = both;
	s.img.nr_processes = 2;
	for (i = 0; i < s.p.nr_segments; i++) {
		segments[i] = s.segments[i];
		s.segments[i].holder = &both[0];
		segments[i].holder = &both[1];
	}
	both[1].segments = segments;
	plan = make();
	for (i = 0; i < plan->nr_ops; i++)
		nr += plan->ops[i].kind == OP_RING_COPY;
	ok(nr == 4 && count_ops(plan, OP_RING) == 1,
	   "two processes have one, and may have mapped less");
	plan_free(plan);
}

static void test_qemu(void)
{
	struct plan *plan;

	begin(ENGINE_QEMU);
	plan = make();
	ok(has_issue(plan, "io_uring (fd 5)"), "QEMU has none, which is told");
	plan_free(plan);
}

int main(void)
{
	test_order();
	test_shared();
	test_qemu();
	return tap_end();
}
