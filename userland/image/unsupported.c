// SPDX-License-Identifier: GPL-2.0-or-later
/* The one list of what this version cannot resume. */
#include "image_priv.h"

#include <inttypes.h>
#include <linux/io_uring.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SCHED_DEADLINE_X86 6
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *const vma_why[] = {
	[XCKPT_VMA_SPECIAL] = "device memory and secret memory are not in an image",
};

static const struct {
	uint32_t flag;
	const char *why;
} process_why[] = {
	{ XCKPT_PROCESS_SECCOMP, "seccomp filters " NOT_YET },
	{ XCKPT_PROCESS_REQUESTS, "requests of io_uring that are under way " NOT_YET },
	{ XCKPT_PROCESS_RING_LIMITS,
	  "restrictions of io_uring (IORING_REGISTER_RESTRICTIONS of a thread) " NOT_YET },
	{ XCKPT_PROCESS_RING_FDS,
	  "registered descriptors of io_uring (IORING_REGISTER_RING_FDS) " NOT_YET },
	{ XCKPT_PROCESS_SEGMENTS,
	  "segment descriptors of its own (modify_ldt, set_thread_area) " NOT_YET },
	{ XCKPT_PROCESS_IO_PORTS, "the use of I/O ports (ioperm, iopl) " NOT_YET },
	{ XCKPT_PROCESS_TRAPS,
	  "instructions that it has made fail (PR_SET_TSC, ARCH_SET_CPUID) " NOT_YET },
	{ XCKPT_PROCESS_DISPATCH,
	  "system calls that it has given to itself (PR_SET_SYSCALL_USER_DISPATCH) " NOT_YET },
	{ XCKPT_PROCESS_UPROBES,
	  "breakpoints in its code, as perf and bpftrace put them there (uprobes), cannot be taken "
	  "out of an image: dump it when nobody traces it so, it" },
	{ XCKPT_PROCESS_ODD_FILES,
	  "descriptors that are shared with another process, or not by all threads "
	  "(CLONE_FILES), " NOT_YET },
	{ XCKPT_PROCESS_ODD_FS,
	  "a working directory and umask that are shared with another process, or not by all "
	  "threads (CLONE_FS), " NOT_YET },
	{ XCKPT_PROCESS_ODD_MM, "memory that is shared with another process (CLONE_VM) " NOT_YET },
	{ XCKPT_PROCESS_ODD_UNDO,
	  "SEM_UNDO of semaphores that is shared with another process, or not by all threads "
	  "(CLONE_SYSVSEM), or that this kernel does not tell, " NOT_YET },
};

struct walk {
	const struct image *img;
	void (*cb)(void *ctx, int pid, const char *object, const char *why);
	void *ctx;
	int found;
};

static void __attribute__((format(printf, 4, 5)))
report(struct walk *w, int pid, const char *why, const char *fmt, ...)
{
	char object[4400]; /* a path and a few words */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(object, sizeof(object), fmt, ap);
	va_end(ap);
	w->found++;
	if (w->cb)
		w->cb(w->ctx, pid, object, why);
}

static void walk_fds(struct walk *w, const struct image_process *p)
{
	for (size_t i = 0; i < p->nr_fds; i++) {
		const struct open_file *f = p->fds[i].file;
		const char *why = image_why_not_file(w->img, f);

		if (why)
			report(w, p->info.pid, why, "fd %d (%s)", p->fds[i].fd, f->path);
	}
}

/* Its contents are with the open file, if there is one. */
static bool is_lost(const struct image *img, const struct segment *s)
{
	if (!is_shared_memory(s) || is_in_core(s))
		return false;
	for (size_t i = 0; i < img->nr_files; i++)
		if (img->files[i].dev == s->vma.dev && img->files[i].ino == s->vma.ino &&
		    (img->files[i].data || !img->files[i].size))
			return false;
	return true;
}

static const char *why_not_huge(const struct segment *s)
{
	if (!s->vma.page_shift)
		return "huge pages of an image of that version " NOT_YET;
	if (!(s->vma.flags & XCKPT_VMA_DELETED))
		return "files on hugetlbfs " NOT_YET;
	if (strncmp(s->path, "/SYSV", 5) == 0)
		return vma_why[XCKPT_VMA_SYSV];
	/* it has what is in the file, too, where nothing was written */
	if (!(s->vma.flags & XCKPT_VMA_SHARED) && strncmp(s->path, "/anon_hugepage", 14) != 0)
		return "a private mapping of a file of huge pages " NOT_YET;
	return NULL;
}

bool image_has_key(const struct image_process *p, const struct segment *s)
{
	return s->vma.pkey && s->vma.pkey < 16 && p->mm.pkeys >> s->vma.pkey & 1;
}

/* What may be executed and nothing else has a key of the kernel's own. */
static bool has_odd_key(const struct image_process *p, const struct segment *s)
{
	return s->vma.pkey && !image_has_key(p, s) &&
	       s->vma.flags & (XCKPT_VMA_READ | XCKPT_VMA_WRITE);
}

bool is_aio_ring(const struct segment *s)
{
	return s->vma.kind == XCKPT_VMA_FILE && !(s->vma.flags & XCKPT_VMA_DELETED) &&
	       !strcmp(s->path, "/[aio] (deleted)");
}

/* The kernel gives no piece of one of its parts. */
static bool is_cut_ring(const struct segment *s)
{
	return s->vma.pgoff != IORING_OFF_SQ_RING && s->vma.pgoff != IORING_OFF_CQ_RING &&
	       s->vma.pgoff != IORING_OFF_SQES;
}

/* It is made again with the description. */
static bool is_lost_ring(const struct image *img, const struct segment *s)
{
	for (size_t i = 0; i < img->nr_files; i++)
		if (is_ring_of(&img->files[i], &s->vma))
			return false;
	return true;
}

static void walk_mappings(struct walk *w, const struct image_process *p)
{
	for (size_t i = 0; i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];
		const char *why = NULL;

		if (s->vma.kind < ARRAY_SIZE(vma_why))
			why = vma_why[s->vma.kind];
		if (is_sysv_memory(s) && !image_sysv_segment(&w->img->sysv, s->vma.ino))
			why = "a System V segment that is not in the image " NOT_YET;
		if (s->vma.kind == XCKPT_VMA_HUGETLB)
			why = why_not_huge(s);
		if (s->vma.kind == XCKPT_VMA_RING && is_cut_ring(s))
			why = "a part of an io_uring " NOT_YET;
		else if (s->vma.kind == XCKPT_VMA_RING && is_lost_ring(w->img, s))
			why = "an io_uring that is mapped, and not open, " NOT_YET;
		if (!why && is_aio_ring(s))
			why = "asynchronous I/O (io_setup) " NOT_YET;
		if (!why && (s->vma.flags & XCKPT_VMA_UFFD))
			why = "memory under a userfaultfd " NOT_YET;
		if (!why && has_odd_key(p, s))
			why = "memory under a protection key that was freed, or is not in an image "
			      "of that version, " NOT_YET;
		if (!why && is_lost(w->img, s))
			why = "a removed file that is mapped to be written to, and not open, " NOT_YET;
		if (why)
			report(w, p->info.pid, why, "mapping %" PRIx64 "-%" PRIx64 "%s%s%s",
			       s->start, s->end, s->path[0] ? " (" : "", s->path,
			       s->path[0] ? ")" : "");
	}
}

static bool is_known_clock(int32_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_TAI:
		return true;
	default:
		return clock < 0 && (clock & 3) != 3; /* a processor clock */
	}
}

static void walk_timers(struct walk *w, const struct image_process *p)
{
	if (p->info.nr_posix_timers && !p->nr_timers)
		report(w, p->info.pid,
		       "POSIX timers (timer_create) are not in an image of that version", "%s", "");
	for (size_t i = 0; i < p->nr_timers; i++)
		if (!is_known_clock(p->timers[i].clock))
			report(w, p->info.pid, "POSIX timers of this clock " NOT_YET,
			       "timer %d (clock %d)", p->timers[i].id, p->timers[i].clock);
}

static void walk_undo(struct walk *w, const struct image_process *p)
{
	for (size_t i = 0; i < p->nr_undo; i++)
		if (!image_sysv_set(&w->img->sysv, (uint64_t)p->undo[i].id))
			report(w, p->info.pid,
			       "SEM_UNDO of a semaphore that is not in the image " NOT_YET,
			       "semaphore %u of set %d", p->undo[i].number, p->undo[i].id);
}

static void walk_sysv(struct walk *w)
{
	const struct sysv_ipc *ipc = &w->img->sysv;

	for (size_t i = 0; i < ipc->nr_segments; i++)
		if (ipc->segments[i].huge)
			report(w, w->img->processes[0].info.pid,
			       "System V shared memory of huge pages (SHM_HUGETLB) " NOT_YET,
			       "segment %d", ipc->segments[i].object.id);
	for (size_t i = 0; i < ipc->nr_elsewhere; i++)
		report(w, ipc->elsewhere[i],
		       "processes of a group in several IPC namespaces, with System V IPC, "
		       "cannot be resumed by this version",
		       "%s", "");
}

/* Who is traced from outside is so no more, and runs; but who traces would miss what it has. */
static void walk_tracers(struct walk *w, const struct image_process *p)
{
	for (size_t i = 0; i < p->nr_threads; i++) {
		int pid = p->threads[i].info.tracer;
		const struct image_process *tracer = pid ? image_find_process(w->img, pid) : NULL;

		if (!tracer)
			continue;
		report(w, p->info.pid,
		       "tracing (ptrace) of one process of an image by another " NOT_YET
		       ": end the tracer first, or dump without it",
		       "thread %d, which pid %d (%s) traces", p->threads[i].tid, pid,
		       tracer->info.comm);
		return;
	}
}

/* Threads have one when the one has that made them. */
static void walk_shadow_stacks(struct walk *w, const struct image_process *p)
{
	for (size_t i = 0; i < p->nr_threads; i++) {
		if (!p->threads[i].shadow_stack)
			continue;
		report(w, p->info.pid, "a shadow stack (ARCH_SHSTK_ENABLE) " NOT_YET, "thread %d",
		       p->threads[i].tid);
		return;
	}
}

static void walk_process(struct walk *w, const struct image_process *p)
{
	uint32_t flags = p->info.flags;

	for (size_t i = 0; i < p->nr_threads; i++) {
		if (p->threads[i].info.flags & XCKPT_THREAD_SECCOMP)
			flags |= XCKPT_PROCESS_SECCOMP;
		if (p->threads[i].info.policy == SCHED_DEADLINE_X86)
			report(w, p->info.pid, "the policy SCHED_DEADLINE " NOT_YET, "thread %d",
			       p->threads[i].tid);
	}
	for (size_t i = 0; i < ARRAY_SIZE(process_why); i++)
		if (flags & process_why[i].flag)
			report(w, p->info.pid, process_why[i].why, "%s", "");
	walk_shadow_stacks(w, p);
	walk_tracers(w, p);
	walk_timers(w, p);
	walk_undo(w, p);
	walk_mappings(w, p);
	walk_fds(w, p);
}

int image_unsupported(const struct image *img,
		      void (*cb)(void *ctx, int pid, const char *object, const char *why),
		      void *ctx)
{
	struct walk w = { .img = img, .cb = cb, .ctx = ctx };

	for (size_t i = 0; i < img->nr_processes; i++)
		walk_process(&w, &img->processes[i]);
	walk_sysv(&w);
	return w.found;
}
