/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A target that fills an area with one number after the other, and what a core has of it. */
#ifndef AREA_H
#define AREA_H

#include "corefile.h"

#define AREA (1ul << 20)

static uint64_t *area;

/* Fills the area with its counter again and again, after the first time when told to. */
static inline void fills(void)
{
	in_thread(napping_thread, 1);
	for (uint64_t value = 1;; value++) {
		for (size_t i = 0; i < AREA / 8; i++)
			area[i] = value;
		shared[0]++;
		while (!shared[2])
			nap_ms(1);
	}
}

/* The area is mapped here so that its address is known. */
static inline void map_area(void)
{
	share_counters();
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(area != MAP_FAILED);
}

static inline pid_t filler(void)
{
	map_area();
	return target(fills);
}

static inline int area_holds(uint64_t value)
{
	static uint64_t words[AREA / 8];

	core_memory(words, AREA, (uintptr_t)area);
	for (size_t i = 0; i < AREA / 8; i++)
		if (words[i] != value)
			return 0;
	return 1;
}

static inline void expect_stale(int fd)
{
	char byte;

	EXPECT(pread(fd, &byte, 1, 0) == -1 && errno == ESTALE);
	/* and in the midst of it */
	EXPECT(pread(fd, &byte, 1, (off_t)segment_of((uintptr_t)area)->p_offset) == -1 &&
	       errno == ESTALE);
}

/* A frozen filler with a snapshot, and its core. */
static inline pid_t snapped(int fd, uint32_t flags, struct xckpt_snapshot *s)
{
	struct xckpt_freeze f;
	pid_t pid = filler();

	ASSERT(!freeze_mode(fd, pid, &f, XCKPT_MODE_AUTO));
	ASSERT(!snapshot(fd, flags, s));
	core_load(core_of(fd, pid, 0));
	return pid;
}

#endif
