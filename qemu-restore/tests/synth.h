/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images, engines and hosts made up for tests. */
#ifndef SYNTH_H
#define SYNTH_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plan.h"

#define SYNTH_MAX 32

struct synth {
	struct image img;
	struct image_process p;
	struct segment segments[SYNTH_MAX];
	struct open_file files[SYNTH_MAX];
	struct process_fd fds[SYNTH_MAX];
	struct image_thread threads[SYNTH_MAX];
	uint64_t auxv[2];
	uint8_t xstate[4096];
	struct engine engine;
	struct plan_host host;
	bool exe_exists;
};

/* what is found of every file that was mapped, and how often it was looked for */
static enum mapped_state synth_state;
static int synth_looks;

static inline enum mapped_state synth_look_at(const char *path, const struct xckpt_vma *vma,
					      int *error)
{
	(void)path;
	(void)vma;
	*error = ENOENT;
	synth_looks++;
	return synth_state;
}

/* where a directory has its place, 0: nowhere */
static uint64_t synth_place;

static inline bool synth_find_place(const char *path, const struct open_file *f, uint64_t *pos)
{
	(void)path;
	(void)f;
	*pos = synth_place;
	return synth_place;
}

static inline struct segment *synth_segment(struct synth *s, uint64_t start, uint64_t end, int kind,
					    uint32_t flags)
{
	struct segment *seg = &s->segments[s->p.nr_segments++];

	*seg = (struct segment){ .start = start,
				 .end = end,
				 .holder = &s->p,
				 .offset = s->p.core_size,
				 .path = "",
				 .vma = { start, end, .flags = flags, .kind = kind } };
	return seg;
}

/* Give the segment @len bytes in the core. */
static inline void synth_contents(struct synth *s, struct segment *seg, const void *bytes,
				  size_t len)
{
	seg->filesz = (len + 4095) & ~(size_t)4095;
	s->p.core_size += seg->filesz;
	if (ftruncate(s->p.core_fd, s->p.core_size) ||
	    pwrite(s->p.core_fd, bytes, len, seg->offset) != (ssize_t)len)
		abort();
	data_map_free(&s->p.data);
	if (data_map_make(&s->p.data, s->p.core_fd, s->p.core_size))
		abort();
}

static inline struct image_thread *synth_thread(struct synth *s, int tid)
{
	struct image_thread *t = &s->threads[s->p.nr_threads++];

	*t = (struct image_thread){ .tid = tid, .xstate = s->xstate, .xstate_size = 576 };
	t->info.tid = tid;
	t->regs = (struct x86_regs){
		.cs = 0x33, .ss = 0x2b, .rip = 0x401000, .rsp = 0x7ffffff00000, .orig_rax = ~0ull
	};
	return t;
}

static inline struct open_file *synth_file(struct synth *s, enum file_kind kind, const char *path,
					   uint32_t flags)
{
	struct open_file *f = &s->files[s->img.nr_files++];

	*f = (struct open_file){
		.id = s->img.nr_files, .kind = kind, .path = path, .flags = flags
	};
	return f;
}

static inline void synth_fd(struct synth *s, int fd, const struct open_file *f, bool cloexec)
{
	s->fds[s->p.nr_fds++] = (struct process_fd){ fd, cloexec, f };
}

static inline void synth_init(struct synth *s, enum engine_kind kind)
{
	memset(s, 0, sizeof(*s));
	s->img = (struct image){
		.name = "synth", .processes = &s->p, .nr_processes = 1, .files = s->files
	};
	s->p = (struct image_process){ .exe = "/bin/prog",
				       .cwd = "/",
				       .root = "/",
				       .auxv = s->auxv,
				       .nr_auxv = 2,
				       .threads = s->threads,
				       .segments = s->segments,
				       .fds = s->fds,
				       .core_fd = memfd_create("core", 0),
				       .core_name = "42.core" };
	s->p.info.pid = 42;
	s->p.mm.start_brk = 0x600000;
	s->p.mm.brk = 0x621000;
	s->engine = (struct engine){ .kind = kind, .name = "engine" };
	s->engine.path = kind == ENGINE_QEMU ? "/usr/bin/qemu-x86_64" : NULL;
	s->engine.xfeatures = s->engine.can.xcr0 = 7;
	s->engine.can.xsave_size = 832;
	s->engine.can.mxcsr_mask = 0xffff;
	s->engine.can.component[2] = (struct probe_component){ 576, 256 };
	s->engine.can.flags = PROBE_XSAVE | PROBE_MM_MAP;
	s->host = (struct plan_host){ .root = true,
				      .label = "",
				      .address_top = 1ull << 47,
				      .exe_exists = &s->exe_exists,
				      .look_at = synth_look_at,
				      .find_place = synth_find_place };
	s->exe_exists = true;
	synth_state = MAPPED_SAME;
	synth_looks = 0;
	synth_place = 0;
}

/* A small static program: code, data, heap, stack. */
static inline void synth_program(struct synth *s)
{
	struct segment *seg;
	uint8_t code[4096] = { 0x0f, 0x05 };

	seg = synth_segment(s, 0x401000, 0x402000, XCKPT_VMA_FILE, XCKPT_VMA_READ | XCKPT_VMA_EXEC);
	seg->path = "/bin/prog";
	synth_contents(s, seg, code, sizeof(code));
	seg = synth_segment(s, 0x600000, 0x621000, XCKPT_VMA_ANON,
			    XCKPT_VMA_READ | XCKPT_VMA_WRITE | XCKPT_VMA_HEAP);
	synth_contents(s, seg, "heap", 4);
	seg = synth_segment(s, 0x7ffffffde000, 0x7ffffffff000, XCKPT_VMA_ANON,
			    XCKPT_VMA_READ | XCKPT_VMA_WRITE | XCKPT_VMA_STACK |
				    XCKPT_VMA_GROWSDOWN);
	synth_contents(s, seg, "stack", 5);
	synth_thread(s, 42);
}

static inline const struct plan_op *find_op(const struct plan *plan, enum op_kind kind, size_t from)
{
	for (; from < plan->nr_ops; from++)
		if (plan->ops[from].kind == kind)
			return &plan->ops[from];
	return NULL;
}

static inline const struct plan_op *find_call(const struct plan *plan, uint32_t nr, uint64_t first)
{
	size_t i;

	for (i = 0; i < plan->nr_ops; i++)
		if (plan->ops[i].kind == OP_SYSCALL && plan->ops[i].nr == nr &&
		    plan->ops[i].arg[0] == first)
			return &plan->ops[i];
	return NULL;
}

static inline int count_ops(const struct plan *plan, enum op_kind kind)
{
	int n = 0;
	size_t i;

	for (i = 0; i < plan->nr_ops; i++)
		n += plan->ops[i].kind == kind;
	return n;
}

/* Is there a complaint with this text? */
static inline bool has_issue(const struct plan *plan, const char *text)
{
	size_t i;

	for (i = 0; i < plan->nr_issues; i++)
		if (strstr(plan->issues[i].text, text))
			return true;
	return false;
}

#endif
