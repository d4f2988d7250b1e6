/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What xckpt-info shows, as text or as JSON. */
#ifndef XCKPT_INFO_H
#define XCKPT_INFO_H

#include "core.h"
#include "image_priv.h"

struct info {
	const struct image *img;
	bool manifest; /* false: one core without its image */
	const struct image_process *only; /* NULL: all of them */
	int verified; /* 1: contents were checked */
};

void print_text(const struct info *info);
int print_json(const struct info *info);

/* facts.c */
struct memory_sum {
	uint64_t mappings, mapped, stored; /* bytes, but for the first */
};
#define NR_VMA_KINDS (XCKPT_VMA_RING + 1)
const char *vma_kind_name(unsigned int kind);
const char *task_state_name(unsigned int state);
void sum_memory(const struct image_process *p, struct memory_sum sums[NR_VMA_KINDS]);
uint64_t guarded_bytes(const struct image_process *p);
/* "libc.so.6+0x1234": the mapping that has @addr and the offset in its file. */
const char *where_is(const struct image_process *p, uint64_t addr, char *buf, size_t size);
/* The system call that a thread is in: its name or number; NULL when in none. */
const char *thread_syscall(const struct image_thread *t, char *buf, size_t size);
const char *signal_name(int signo, char *buf, size_t size);
const char *itimer_name(unsigned int which);
/* "CLOCK_MONOTONIC", "user time of thread 42" ... */
const char *clock_name(int32_t clock, char *buf, size_t size);
/* How a timer of timer_create(2) tells: "signal", "thread" or "none". */
const char *notify_name(const struct xckpt_timer *t);
/* "r", "w" or "rw", with "a" for O_APPEND and "n" for O_NONBLOCK */
const char *access_name(const struct open_file *f, char *buf, size_t size);

/* syscalls.c: NULL when it has none */
const char *syscall_name(uint64_t nr);

#endif
