// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compare what each thread will load with its last step: the frame that
 * rt_sigreturn(2) takes, where it lies in the program's memory. Registers that the
 * plan may have changed, to begin a system call anew, are left out.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "pack.h"
#include "regs.h"

#define SS_DISABLE_X86 2
#define SS_AUTODISARM_X86 0x80000000u

/* 64-bit words of the frame: see regs_frame() */
enum {
	FRAME_ALTSTACK = 3,
	FRAME_ALTSTACK_FLAGS = 4,
	FRAME_ALTSTACK_SIZE = 5,
	FRAME_R12 = 10,
	FRAME_R13 = 11,
	FRAME_R14 = 12,
	FRAME_R15 = 13,
	FRAME_RBP = 16,
	FRAME_RBX = 17,
	FRAME_SIGMASK = 38,
	FRAME_WORDS = 39,
};

int check_open_memory(const struct check *c)
{
	struct record_head head = { 0 };
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", c->image->info.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && pread(fd, &head, sizeof(head), pack_head(c->process)) == sizeof(head) &&
	    head.magic == RECORD_MAGIC && head.hole == c->process->hole)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int check_frame(struct check *c, const struct image_thread *t, const uint64_t *frame)
{
	uint64_t alt = t->info.altstack_size;
	const struct {
		const char *name;
		int word;
		uint64_t want;
	} table[] = {
		{ "signal mask", FRAME_SIGMASK, t->info.sigmask },
		{ "alternate stack's size", FRAME_ALTSTACK_SIZE, alt },
		{ "alternate stack", FRAME_ALTSTACK,
		  alt ? t->info.altstack_sp : frame[FRAME_ALTSTACK] },
		{ "alternate stack's flags", FRAME_ALTSTACK_FLAGS,
		  alt ? t->info.altstack_flags & SS_AUTODISARM_X86 : SS_DISABLE_X86 },
		{ "rbx", FRAME_RBX, t->regs.rbx },
		{ "rbp", FRAME_RBP, t->regs.rbp },
		{ "r12", FRAME_R12, t->regs.r12 },
		{ "r13", FRAME_R13, t->regs.r13 },
		{ "r14", FRAME_R14, t->regs.r14 },
		{ "r15", FRAME_R15, t->regs.r15 },
	};
	size_t i;

	c->tid = t->tid;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (check_number(c, table[i].name, "%#llx", frame[table[i].word], table[i].want))
			return -1;
	return 0;
}

/* The threads are in the plan in the order of the image. */
int check_frames(struct check *c)
{
	const struct process_plan *p = c->process;
	uint64_t keep = pack_head(p) + sizeof(struct record_head), frame[FRAME_WORDS];
	const struct plan_op *op = c->plan->ops + p->first_op, *end = op + p->nr_ops;
	size_t i = 0;
	int ret = 0;

	for (; c->mem >= 0 && op < end && i < c->image->nr_threads && !ret; op++) {
		if (op->kind != OP_START)
			continue;
		if (pread(c->mem, frame, sizeof(frame), keep + op->arg[0]) != sizeof(frame))
			ret = check_differs(c, "the frame", "not there", "there");
		else
			ret = check_frame(c, &c->image->threads[i++], frame);
	}
	c->tid = 0;
	return ret;
}
