// SPDX-License-Identifier: GPL-2.0-or-later
/* Registers, vector state, open flags and the vDSO. */
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "oflags.h"
#include "regs.h"
#include "synth.h"
#include "tap.h"
#include "vdso.h"
#include "xstate.h"

static struct synth s;

/* Code that is in its file only. */
static void test_restart_thin(struct x86_regs *regs)
{
	struct segment *seg = &s.segments[0];
	char path[] = "/tmp/xckpt-code-XXXXXX";
	int fd = mkstemp(path);
	bool restarted;

	if (fd < 0 || pwrite(fd, "\x0f\x05", 2, 0x3030) != 2)
		abort();
	seg->filesz = 0;
	seg->path = path;
	seg->vma.pgoff = 0x3000;
	regs->rip = 0x401032;
	ok(!regs_restart(&s.p, s.threads, regs, &restarted) && restarted && regs->rip == 0x401030,
	   "code of a thin image is its file's");
	regs->rax = 219;
	ok(!regs_restart(&s.p, s.threads, regs, &restarted) && restarted && regs->rax == 7,
	   "where restart_syscall is about to be made, too");
	unlink(path);
	close(fd);
	regs->rax = -512;
	regs->rip = 0x401032;
	ok(regs_restart(&s.p, s.threads, regs, &restarted) == REGS_NO_CODE, "where that still is");
}

static void test_restart(void)
{
	static const int again[] = { 512, 513, 514, 516 };
	struct image_thread *t;
	struct x86_regs regs;
	bool restarted;
	size_t i;

	synth_init(&s, ENGINE_QEMU);
	synth_program(&s);
	t = &s.threads[0];
	for (i = 0; i < 4; i++) {
		regs = t->regs;
		regs.rip = 0x401002;
		regs.rax = -(int64_t)again[i];
		regs.orig_rax = 35;
		ok(regs_restart(&s.p, t, &regs, &restarted) == REGS_GOOD && restarted &&
			   regs.rip == 0x401000 && regs.rax == 35,
		   "-%d starts the call again", again[i]);
	}
	t->info.restart_nr = 7;
	regs.rip = 0x401002;
	regs.rax = -516;
	regs.orig_rax = 219;
	ok(!regs_restart(&s.p, t, &regs, &restarted) && regs.rip == 0x401000 && regs.rax == 7,
	   "restart_syscall becomes the call that it goes on with");
	regs.rip = 0x401000;
	regs.rax = 219;
	ok(!regs_restart(&s.p, t, &regs, &restarted) && regs.rip == 0x401000 && regs.rax == 7,
	   "also when it is about to be made");
	regs.orig_rax = 35;
	regs.rip = 0x401002;
	regs.rax = -4;
	ok(!regs_restart(&s.p, t, &regs, &restarted) && !restarted && regs.rip == 0x401002,
	   "-EINTR does not");
	regs.rax = -512;
	regs.orig_rax = -1;
	ok(!regs_restart(&s.p, t, &regs, &restarted) && !restarted, "nor -512 outside a call");
	regs.orig_rax = 35;
	regs.rip = 0x401012;
	ok(regs_restart(&s.p, t, &regs, &restarted) == REGS_NOT_SYSCALL, "only after SYSCALL");
	s.p.segments[0].filesz = 4096;
	if (pwrite(s.p.core_fd, "\x90\x05", 2, s.p.segments[0].offset + 0x20) != 2)
		abort();
	regs.rip = 0x401022;
	ok(regs_restart(&s.p, t, &regs, &restarted) == REGS_NOT_SYSCALL, "both bytes count");
	test_restart_thin(&regs);
	regs.rip = 0x10;
	ok(regs_restart(&s.p, t, &regs, &restarted) == REGS_NO_CODE, "only where there is code");
}

static void test_restart_signal(void)
{
	uint8_t pending[XCKPT_SIGINFO_SIZE] = { 10 };
	static const struct {
		int error;
		bool shared, blocked, restart, other, again;
		uint64_t handler;
	} of[] = { { 514, false, false, false, false, false, 0x401000 },
		   { 514, true, false, false, false, false, 0x401000 },
		   { 516, false, false, true, false, false, 0x401000 },
		   { 512, false, false, false, false, false, 0x401000 },
		   { 512, false, false, true, false, true, 0x401000 },
		   { 513, false, false, false, false, true, 0x401000 },
		   { 514, false, true, false, false, true, 0x401000 },
		   { 514, false, false, false, false, true, 1 },
		   { 514, false, false, false, false, true, 0 },
		   { 514, true, false, false, true, true, 0x401000 } };
	struct image_thread *t;
	struct x86_regs regs;
	bool restarted;
	size_t i;

	for (i = 0; i < sizeof(of) / sizeof(*of); i++) {
		synth_init(&s, ENGINE_QEMU);
		synth_program(&s);
		t = &s.threads[0];
		if (of[i].other)
			synth_thread(&s, 43); /* may take it as well */
		s.p.sigaction[9].handler = of[i].handler;
		s.p.sigaction[9].flags = of[i].restart ? 0x10000000 : 0;
		t->info.sigmask = of[i].blocked ? 1 << 9 : 0;
		if (of[i].shared)
			s.p.pending = pending, s.p.nr_pending = 1;
		else
			t->pending = pending, t->nr_pending = 1;
		regs = t->regs;
		regs.rip = 0x401002;
		regs.rax = -(int64_t)of[i].error;
		regs.orig_rax = 34;
		ok(!regs_restart(&s.p, t, &regs, &restarted) && restarted == of[i].again &&
			   (restarted ? regs.rip == 0x401000 && regs.rax == 34
				      : regs.rip == 0x401002 && regs.rax == (uint64_t)-4),
		   "-%d with a signal: %s (%zu)", of[i].error, of[i].again ? "made again" : "EINTR",
		   i);
	}
	regs.rip = 0x401000;
	regs.rax = 219;
	s.p.nr_threads = 1;
	ok(!regs_restart(&s.p, t, &regs, &restarted) && !restarted && regs.rip == 0x401002 &&
		   regs.rax == (uint64_t)-4,
	   "nor does restart_syscall go on behind a handler");
}

static void test_rseq(void)
{
	uint64_t area[8] = { 0 }, seq[4] = { 0, 0x401100, 0x20, 0x401204 };
	uint8_t code[4096] = { 0 };
	uint32_t sig = 0x53053053;
	struct x86_regs regs = { 0 };
	struct image_thread *t;
	bool clear;

	synth_init(&s, ENGINE_QEMU);
	area[1] = 0x500020; /* rseq_cs */
	memcpy(area + 4, seq, sizeof(seq));
	memcpy(code + 0x200, &sig, sizeof(sig));
	synth_contents(&s, synth_segment(&s, 0x401000, 0x402000, XCKPT_VMA_FILE, 5), code, 4096);
	synth_contents(&s, synth_segment(&s, 0x500000, 0x501000, XCKPT_VMA_ANON, 3), area,
		       sizeof(area));
	t = synth_thread(&s, 42);
	t->info.rseq = 0x500000;
	t->info.rseq_sig = sig;
	regs.rip = 0x401110;
	ok(regs_rseq_abort(&s.p, t, &regs, &clear) && regs.rip == 0x401204 && clear,
	   "inside a restartable sequence: abort");
	regs.rip = 0x401120;
	ok(!regs_rseq_abort(&s.p, t, &regs, &clear) && regs.rip == 0x401120 && clear,
	   "behind it: go on");
	regs.rip = 0x401110;
	t->info.rseq_sig = 1;
	ok(!regs_rseq_abort(&s.p, t, &regs, &clear), "another signature: no jump");
	t->info.rseq = 0;
	ok(!regs_rseq_abort(&s.p, t, &regs, &clear) && !clear, "no area: nothing");
}

/* An XSAVE area as AMD lays it out: 832 opmask, 896 ZMM_Hi256, 1408 Hi16_ZMM. */
static uint8_t *amd_area(uint64_t bv)
{
	uint64_t xcr0 = 0xe7;

	memset(s.xstate, 0, sizeof(s.xstate));
	memcpy(s.xstate + 464, &xcr0, 8);
	memcpy(s.xstate + 512, &bv, 8);
	s.xstate[24] = 0x80;
	s.xstate[25] = 0x1f;
	memset(s.xstate + 576, 0xaa, 256);
	return s.xstate;
}

static void test_xstate(void)
{
	static struct xstate xs;
	uint64_t bv;

	synth_init(&s, ENGINE_QEMU);
	amd_area(0xe7);
	xstate_convert(s.xstate, 2432, &s.img, &s.engine, &xs);
	memcpy(&bv, xs.area + 512, 8);
	ok(!xs.lost && !xs.unknown && bv == 7 && xs.len == 836, "initial AVX-512 state is dropped");
	ok(xs.area[600] == 0xaa, "AVX is kept");
	s.xstate[900] = 1;
	xstate_convert(s.xstate, 2432, &s.img, &s.engine, &xs);
	ok(xs.lost == 1 << 6, "a live ZMM_Hi256 is seen");
	amd_area(0xe7);
	xstate_convert(s.xstate, 2400, &s.img, &s.engine, &xs);
	ok(xs.unknown == 0xe4, "an unknown layout is told");
	amd_area(7);
	s.xstate[26] = 0xff;
	xstate_convert(s.xstate, 832, &s.img, &s.engine, &xs);
	ok(!xs.area[26], "bits of MXCSR that would fault are cleared");
	s.engine.xfeatures = s.engine.can.xcr0 = 0xe7;
	s.engine.can.component[5] = (struct probe_component){ 1088, 64 };
	s.engine.can.component[6] = (struct probe_component){ 1152, 512 };
	s.engine.can.component[7] = (struct probe_component){ 1664, 1024 };
	s.engine.can.xsave_size = 2688;
	amd_area(0xe7);
	s.xstate[896] = 0x5c;
	xstate_convert(s.xstate, 2432, &s.img, &s.engine, &xs);
	ok(xs.area[1152] == 0x5c && xs.len == 2692, "one CPU's layout becomes another's");
	amd_area(3);
	xstate_convert(s.xstate, 832, &s.img, &s.engine, &xs);
	ok(xs.mask == 7 && xs.len == 836, "XRSTOR is asked for no more than the area holds");
}

/* Where the image tells its layout, the size of its areas means nothing. */
static void test_xstate_told(void)
{
	static const struct image_component told[] = {
		{ 2, 576, 256 }, { 5, 960, 64 }, { 6, 1024, 512 }, { 9, 2560, 8 }
	};
	static struct xstate xs;
	uint64_t bv;

	synth_init(&s, ENGINE_NATIVE);
	s.img.xstate = told;
	s.img.nr_xstate = 4;
	s.engine.xfeatures = s.engine.can.xcr0 = 0x2e7;
	s.engine.can.component[5] = (struct probe_component){ 832, 64 };
	s.engine.can.component[6] = (struct probe_component){ 896, 512 };
	s.engine.can.component[9] = (struct probe_component){ 2432, 8 };
	amd_area(0x267);
	s.xstate[960] = 0x11;
	s.xstate[1024] = 0x22;
	s.xstate[2560] = 0x33;
	xstate_convert(s.xstate, 3000, &s.img, &s.engine, &xs);
	memcpy(&bv, xs.area + 512, 8);
	ok(!xs.lost && !xs.unknown && bv == 0x267 && xs.live == bv, "a layout that is told");
	ok(xs.area[576] == 0xaa && xs.area[832] == 0x11 && xs.area[896] == 0x22 &&
		   xs.area[2432] == 0x33 && xs.len == 2444,
	   "every component is at this CPU's offset");
	amd_area(0x80);
	xstate_convert(s.xstate, 3000, &s.img, &s.engine, &xs);
	ok(xs.unknown == 0x80, "a component that it leaves out is unknown");
	amd_area(0x200);
	xstate_convert(s.xstate, 2560, &s.img, &s.engine, &xs);
	ok(xs.unknown == 0x200, "and one that lies behind the end");
}

static void test_tiles(void)
{
	static const struct image_component told[] = { { 18, 2816, 1024 } };
	const struct plan_op *op;
	struct plan *plan;

	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	s.img.xstate = told;
	s.img.nr_xstate = 1;
	s.engine.xfeatures = s.engine.can.xcr0 = 0x60007;
	s.engine.can.component[18] = (struct probe_component){ 2816, 1024 };
	amd_area(1 << 18);
	s.threads[0].xstate_size = 3840;
	plan = plan_make(&s.img, &s.engine, &s.host);
	op = find_call(plan, NR_ARCH_PRCTL, 0x1023);
	ok(op && op->arg[1] == 18 && op < find_op(plan, OP_START, 0), "tiles are asked for");
	plan_free(plan);
	amd_area(7);
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!find_call(plan, NR_ARCH_PRCTL, 0x1023), "where they are in use");
	plan_free(plan);
}

static void test_avx512_refusal(void)
{
	struct plan *plan;

	synth_init(&s, ENGINE_QEMU);
	synth_program(&s);
	amd_area(0xe7);
	s.xstate[900] = 1;
	s.threads[0].xstate_size = 2432;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(has_issue(plan, "cannot resume pid 42 thread 42: AVX-512 state (ZMM_Hi256) is live and "
			   "engine has no AVX-512"),
	   "live AVX-512 state is refused");
	ok(plan->nr_issues == 1 && plan->issues[0].forceable, "unless forced");
	plan_free(plan);
}

static void test_oflags(void)
{
	char text[200];

	ok(oflags_to_host(040000) == O_DIRECT, "O_DIRECT");
	ok(oflags_to_host(0200000) == O_DIRECTORY, "O_DIRECTORY");
	ok(oflags_to_host(020200002) == O_RDWR, "O_TMPFILE made no directory");
	ok(oflags_to_host(0400000) == O_NOFOLLOW, "O_NOFOLLOW");
	ok(oflags_to_host(02001) == (O_APPEND | O_WRONLY), "O_APPEND | O_WRONLY");
	ok(oflags_to_host(04010000) == O_SYNC, "O_SYNC");
	ok(oflags_to_host(0100 | 0200 | 01000 | 0100000) == 0,
	   "O_CREAT, O_EXCL, O_TRUNC, O_LARGEFILE go");
	oflags_text(02002, text, sizeof(text));
	ok(!strcmp(text, "O_RDWR|O_APPEND"), "as text");
}

/* The machine's own vDSO if it is an x86-64 one. */
static size_t own_vdso(uint8_t *copy, size_t room)
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);

	if (!vdso || vdso[18] != 62)
		return 0;
	memcpy(copy, vdso, 2 * 4096 < room ? 2 * 4096 : room);
	return 2 * 4096;
}

static void test_vdso(void)
{
	static uint8_t image[8192], copy[8192];
	size_t len = own_vdso(image, sizeof(image)), i, changed = 0;
	unsigned int seed = 1;
	int n, round;

	memset(copy, 0, sizeof(copy));
	ok(vdso_patch(copy, sizeof(copy), NULL, 0) == -1, "zeroes are no vDSO");
	ok(vdso_patch(copy, 3, NULL, 0) == -1, "nor are three bytes");
	if (!len) {
		ok(true, "own vDSO # SKIP not x86-64");
		return;
	}
	memcpy(copy, image, len);
	n = vdso_patch(copy, len, NULL, 0);
	for (i = 0; i + 8 < len; i++)
		changed += !memcmp(copy + i, "\xb8\xe4\x00\x00\x00\x0f\x05\xc3", 8);
	ok(n >= 8 && changed >= 1, "the own vDSO: %d entries, clock_gettime among them", n);
	for (round = 0; round < 20000; round++) {
		memcpy(copy, image, len);
		for (i = 0; i < 16; i++)
			copy[rand_r(&seed) % (round & 1 ? 0x700 : len)] = rand_r(&seed);
		vdso_patch(copy, len, NULL, 0);
	}
	ok(true, "20000 damaged ones did no harm");
}

static void test_vdso_busy(void)
{
	static uint8_t image[8192], copy[8192];
	size_t len = own_vdso(image, sizeof(image)), i, at = 0;
	uint64_t busy;

	if (!len)
		return;
	memcpy(copy, image, len);
	vdso_patch(copy, len, NULL, 0);
	for (i = 0; i + 8 < len; i++)
		if (!memcmp(copy + i, "\xb8\xe4\x00\x00\x00\x0f\x05\xc3", 8))
			at = i;
	busy = at + 4;
	memcpy(copy, image, len);
	vdso_patch(copy, len, &busy, 1);
	ok(!memcmp(copy + at, image + at, 8), "a function that a thread is entering is left alone");
}

static void test_frame(void)
{
	struct xckpt_note_thread info = { .sigmask = 0x1234 };
	struct x86_regs regs = { .rip = 0x401000, .rsp = 0x7000, .rax = 5, .eflags = 0x100 | 0x40 };
	uint8_t frame[FRAME_SIZE];
	uint64_t v;

	regs_frame(&regs, &info, true, frame);
	memcpy(&v, frame + 8 + 40 + 16 * 8, 8);
	ok(v == 0x401000, "rip in its place");
	memcpy(&v, frame + 8 + 40 + 17 * 8, 8);
	ok(v == 0x242, "flags without the trap flag");
	memcpy(&v, frame + 8 + 40 + 256, 8);
	ok(v == 0x1234, "the signal mask behind the registers");
	ok(frame[8 + 16 + 8] == 2, "no alternate stack: SS_DISABLE");
}

int main(void)
{
	test_restart();
	test_restart_signal();
	test_rseq();
	test_xstate();
	test_xstate_told();
	test_tiles();
	test_avx512_refusal();
	test_oflags();
	test_vdso();
	test_vdso_busy();
	test_frame();
	return tap_end();
}
