// SPDX-License-Identifier: GPL-2.0-or-later
/* What an earlier resume has left is left out, and nothing that only looks like it. */
#include "synth.h"
#include "tap.h"

#define HOLE 0x100000ull
#define CODE 0x1000ull
#define HEAD (HOLE + CODE)
#define END (HEAD + 0x2000)

static struct synth s;

/* The program, with the segments in order of their addresses. */
static void begin(const char *path, uint64_t hole, uint64_t drop)
{
	struct record_head head = { .magic = RECORD_MAGIC, .hole = hole, .drop_start = drop };
	struct segment *seg;

	synth_init(&s, ENGINE_NATIVE);
	seg = synth_segment(&s, HOLE, HEAD, XCKPT_VMA_FILE,
			    XCKPT_VMA_READ | XCKPT_VMA_EXEC | XCKPT_VMA_DELETED);
	seg->path = path;
	synth_contents(&s, seg, "code", 4);
	seg = synth_segment(&s, HEAD, END, XCKPT_VMA_FILE,
			    XCKPT_VMA_READ | XCKPT_VMA_WRITE | XCKPT_VMA_DELETED);
	seg->path = path;
	synth_contents(&s, seg, &head, sizeof(head));
	synth_program(&s);
}

static bool maps(uint64_t address)
{
	struct plan *plan = plan_make(&s.img, &s.engine, &s.host);
	bool found = find_call(plan, NR_MMAP, address);

	plan_free(plan);
	return found;
}

int main(void)
{
	static const char path[] = "/memfd:restorer (deleted)";
	struct plan *plan;

	begin(path, HOLE, END);
	ok(!maps(HOLE) && !maps(HEAD), "what a resume has left is not mapped again");
	ok(maps(0x401000), "the program is");
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(plan->processes->hole == HOLE, "and the next restorer may live there");
	plan_free(plan);
	s.threads[0].regs.rip = HOLE + 100;
	ok(maps(HOLE) && maps(HEAD), "it is where a thread is still in it");
	begin(path, HOLE, END);
	s.threads[0].regs.rsp = HEAD + 1000;
	ok(maps(HEAD), "or has its stack there");
	begin(path, HOLE + 0x1000, END);
	ok(maps(HEAD), "a copy of it somewhere else is the program's");
	begin(path, HOLE, END + 0x1000);
	ok(maps(HEAD), "and so is a part of it");
	begin("/memfd:other (deleted)", HOLE, END);
	ok(maps(HEAD), "or another file");
	return tap_end();
}
