// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers of an image to words. */
#include "info.h"
#include "xckpt.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SIGRTMIN_KERNEL 32
#define NR_RESTART_SYSCALL 219

const char *vma_kind_name(unsigned int kind)
{
	static const char *const names[NR_VMA_KINDS] = { "anonymous", "file",	 "shared",
							 "sysv",      "hugetlb", "vdso",
							 "vvar",      "special", "io_uring" };

	return kind < NR_VMA_KINDS ? names[kind] : "?";
}

const char *task_state_name(unsigned int state)
{
	static const char *const names[] = { "running", "stopped", "vfork",
					     "exiting", "zombie",  "asleep" };

	return state < ARRAY_SIZE(names) ? names[state] : "?";
}

void sum_memory(const struct image_process *p, struct memory_sum sums[NR_VMA_KINDS])
{
	memset(sums, 0, NR_VMA_KINDS * sizeof(*sums));
	for (size_t i = 0; i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];
		uint64_t end = s->offset + s->filesz;

		sums[s->vma.kind].mappings++;
		sums[s->vma.kind].mapped += s->end - s->start;
		if (s->borrowed)
			continue;
		for (size_t j = data_map_find(&p->data, s->offset);
		     j < p->data.nr && p->data.ranges[j].from < end && s->filesz; j++) {
			const struct data_range *r = &p->data.ranges[j];

			sums[s->vma.kind].stored += (r->end < end ? r->end : end) -
						    (r->from > s->offset ? r->from : s->offset);
		}
	}
}

uint64_t guarded_bytes(const struct image_process *p)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->nr_guards; i++)
		sum += p->guards[i].end - p->guards[i].start;
	return sum;
}

const char *where_is(const struct image_process *p, uint64_t addr, char *buf, size_t size)
{
	const struct segment *s = image_find_segment(p, addr);
	const char *name;

	if (!s) {
		snprintf(buf, size, "nowhere");
		return buf;
	}
	name = strrchr(s->path, '/');
	name = name ? name + 1 : s->path;
	if (!name[0])
		name = s->vma.kind == XCKPT_VMA_VDSO ? "[vdso]" : "anonymous";
	snprintf(buf, size, "%s+0x%" PRIx64, name,
		 addr - s->start + (s->vma.kind == XCKPT_VMA_FILE ? (uint64_t)s->vma.pgoff : 0));
	return buf;
}

const char *thread_syscall(const struct image_thread *t, char *buf, size_t size)
{
	uint64_t nr = t->regs.orig_rax;
	const char *name;

	if (!(t->info.flags & XCKPT_THREAD_IN_SYSCALL))
		return NULL;
	/* the call that was interrupted before, not the one that takes it up */
	if (nr == NR_RESTART_SYSCALL && t->info.restart_nr)
		nr = t->info.restart_nr;
	name = syscall_name(nr);
	if (name)
		return name;
	snprintf(buf, size, "system call %" PRId64, (int64_t)nr);
	return buf;
}

const char *signal_name(int signo, char *buf, size_t size)
{
	const char *name = signo < SIGRTMIN_KERNEL ? sigabbrev_np(signo) : NULL;

	if (name)
		snprintf(buf, size, "SIG%s", name);
	else
		snprintf(buf, size, "signal %d", signo);
	return buf;
}

const char *itimer_name(unsigned int which)
{
	static const char *const names[] = { "real", "virtual", "prof" };

	return which < ARRAY_SIZE(names) ? names[which] : "?";
}

const char *clock_name(int32_t clock, char *buf, size_t size)
{
	static const char *const names[] = { [CLOCK_REALTIME] = "CLOCK_REALTIME",
					     [CLOCK_MONOTONIC] = "CLOCK_MONOTONIC",
					     [CLOCK_BOOTTIME] = "CLOCK_BOOTTIME",
					     [CLOCK_REALTIME_ALARM] = "CLOCK_REALTIME_ALARM",
					     [CLOCK_BOOTTIME_ALARM] = "CLOCK_BOOTTIME_ALARM",
					     [CLOCK_TAI] = "CLOCK_TAI" };
	static const char *const times[] = { "user and system time", "user time", "processor time",
					     "clock" };

	if (clock < 0)
		snprintf(buf, size, "%s of %s %d", times[clock & 3],
			 clock & 4 ? "thread" : "process", ~(clock >> 3));
	else if ((size_t)clock < ARRAY_SIZE(names) && names[clock])
		return names[clock];
	else
		snprintf(buf, size, "clock %d", clock);
	return buf;
}

const char *notify_name(const struct xckpt_timer *t)
{
	switch (t->notify) {
	case SIGEV_NONE:
		return "none";
	case SIGEV_THREAD_ID:
		return "thread";
	default:
		return "signal";
	}
}

const char *access_name(const struct open_file *f, char *buf, size_t size)
{
	static const char *const modes[] = { "r", "w", "rw", "-" };

	snprintf(buf, size, "%s%s%s", modes[f->flags & 3], f->flags & 02000 ? "a" : "",
		 f->flags & 04000 ? "n" : "");
	return buf;
}
