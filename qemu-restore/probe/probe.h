/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the probe, an x86-64 program run by the engine, writes to its stdout. */
#ifndef PROBE_H
#define PROBE_H

#include <stdint.h>

#define PROBE_MAGIC 0x65706b78 /* "xkpe" */
#define PROBE_COMPONENTS 32

#define PROBE_XSAVE (1u << 1) /* CPUID and XGETBV work */
#define PROBE_RSEQ (1u << 2)
#define PROBE_ROBUST_LIST (1u << 3)
#define PROBE_MM_MAP (1u << 4) /* prctl(PR_SET_MM, PR_SET_MM_MAP) */
#define PROBE_DONTFORK (1u << 5) /* madvise(MADV_DONTFORK) works */
#define PROBE_WIPEONFORK (1u << 6)
#define PROBE_CLONE3 (1u << 7)
#define PROBE_EXE_NAME (1u << 8) /* remembers the path that it was started with */
#define PROBE_TIMER_IDS (1u << 9) /* timer_create() counts up */
#define PROBE_TIMER_ANY_ID (1u << 10) /* or takes the id that it is asked for */
#define PROBE_GUARD (1u << 11) /* madvise(MADV_GUARD_INSTALL) works */
#define PROBE_GUARD_FILE (1u << 12) /* and in what is mapped from files */
#define PROBE_TIMER_FIRST                                                                          \
	(1u << 13) /* timer_create() takes the lowest free, from .timer_first on */

struct probe_component {
	uint32_t offset, size;
};

struct probe_result {
	uint32_t magic;
	uint32_t flags; /* PROBE_* */
	uint64_t xcr0;
	uint32_t xsave_size; /* of the features that are on */
	uint32_t mxcsr_mask;
	uint32_t cpuid_7_ebx, cpuid_7_ecx;
	int32_t timer_first;
	uint32_t reserved;
	struct probe_component component[PROBE_COMPONENTS]; /* CPUID 0xd, standard format */
};
_Static_assert(sizeof(struct probe_result) == 296, "struct probe_result");

#endif
