// SPDX-License-Identifier: GPL-2.0-or-later
/* The vDSO natively: the kernel's own where it is the image's, else the image's. */
#include "synth.h"
#include "tap.h"
#include "vdso.h"

#define VDSO 0x7fff70010000ull
#define DATA 0x4000u
#define ROOM 0x10000u

static struct synth s;
static struct vdso_own own;
static uint8_t image[ROOM];

/* A program that has the vDSO of this machine, and whatever is @len bytes at @at in it. */
static struct plan *make(enum engine_kind kind, size_t at, const void *bytes, size_t len)
{
	synth_init(&s, kind);
	synth_program(&s);
	s.p.nr_segments--; /* the stack is the last one */
	synth_segment(&s, VDSO - DATA, VDSO, XCKPT_VMA_VVAR, XCKPT_VMA_READ);
	memcpy(image, own.image, own.len);
	memcpy(image + at, bytes, len);
	synth_contents(&s,
		       synth_segment(&s, VDSO, VDSO + own.len, XCKPT_VMA_VDSO,
				     XCKPT_VMA_READ | XCKPT_VMA_EXEC),
		       image, own.len);
	s.host.vdso = &own;
	return plan_make(&s.img, &s.engine, &s.host);
}

static bool is_own(const struct plan *plan)
{
	const struct plan_op *op = find_call(plan, NR_ARCH_PRCTL, ARCH_MAP_VDSO_64);

	return op && op->arg[1] == VDSO - DATA && op->want == WANT_VALUE && op->value == own.len &&
	       !find_call(plan, NR_MMAP, VDSO) && !find_call(plan, NR_MMAP, VDSO - DATA);
}

static bool is_image(const struct plan *plan)
{
	return !find_call(plan, NR_ARCH_PRCTL, ARCH_MAP_VDSO_64) &&
	       find_call(plan, NR_MMAP, VDSO) && find_call(plan, NR_MMAP, VDSO - DATA);
}

static void check(struct plan *plan, bool want_own, const char *what)
{
	ok((want_own ? is_own(plan) : is_image(plan)) && !plan->nr_issues, "%s", what);
	plan_free(plan);
}

static void test_choice(void)
{
	struct plan *plan;

	check(make(ENGINE_NATIVE, 0, "", 0), true, "the same one: the kernel's own");
	check(make(ENGINE_QEMU, 0, "", 0), false, "under an engine: the image's");
	check(make(ENGINE_NATIVE, own.len - 9, "x", 1), false, "another one: the image's");
	own.data += 0x1000;
	check(make(ENGINE_NATIVE, 0, "", 0), false, "other data before it: the image's");
	own.data -= 0x1000;
	plan_free(make(ENGINE_NATIVE, 0, "", 0));
	s.threads[0].regs.rip = VDSO + 0x800;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(is_image(plan), "a thread is in the middle of it: the image's");
	plan_free(plan);
	s.threads[0].regs.rip = 0x401000;
	s.threads[0].info.restart = XCKPT_RESTART_NANOSLEEP;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(is_image(plan) && plan->processes[0].call, "a sleep goes on by call.S: the image's");
	plan_free(plan);
	s.threads[0].info.restart = XCKPT_RESTART_NONE;
	s.threads[0].info.flags = XCKPT_THREAD_CUT;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(is_image(plan) && plan->processes[0].call, "and so does a transfer that was cut");
	plan_free(plan);
	s.threads[0].info.flags = 0;
	s.host.vdso = NULL;
	check(plan_make(&s.img, &s.engine, &s.host), false, "none to be had: the image's");
}

/* What a first resume has made of it. */
static void test_again(void)
{
	struct plan *plan = make(ENGINE_NATIVE, 0, "", 0);
	uint8_t *first = malloc(own.len);

	memcpy(first, plan->processes[0].vdso.bytes, own.len);
	ok(!plan->processes[0].call && !vdso_find_call(first, own.len),
	   "without the code of call.S");
	plan_free(plan);
	plan = make(ENGINE_NATIVE, 0, first, own.len);
	ok(is_own(plan) && !memcmp(plan->processes[0].vdso.bytes, first, own.len),
	   "a second time: the kernel's own");
	plan_free(plan);
	check(make(ENGINE_QEMU, 0, first, own.len), false, "and then under an engine: the image's");
	free(first);
}

int main(void)
{
	if (!vdso_own(&own) || own.len > ROOM) {
		ok(true, "own vDSO # SKIP this machine has none that can be used");
		return tap_end();
	}
	own.data = DATA;
	test_choice();
	test_again();
	return tap_end();
}
