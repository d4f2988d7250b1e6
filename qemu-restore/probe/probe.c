// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asks the engine what it can do, with the instructions and system calls that a
 * resume would use. Calls that would change something get arguments that a
 * kernel which knows the call refuses in another way than with ENOSYS.
 */
#include "../restorer/syscalls.h"
#include "probe.h"

#define SYS_MMAP 9
#define SYS_MADVISE 28
#define SYS_READLINK 89
#define SYS_PRCTL 157
#define SYS_SET_ROBUST_LIST 273
#define SYS_RSEQ 334
#define SYS_CLONE3 435

#define X86_ENOSYS 38
#define PR_SET_MM 35
#define PR_SET_MM_MAP_SIZE 15
#define PR_TIMER_CREATE_RESTORE_IDS 77
#define PR_TIMER_CREATE_RESTORE_IDS_GET 2
#define SIGEV_NONE 1
#define MADV_DONTFORK 10
#define MADV_WIPEONFORK 18
#define MADV_GUARD_INSTALL 102

static void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "a"(leaf), "c"(sub));
}

static void probe_cpu(struct probe_result *p)
{
	static __attribute__((aligned(64))) uint8_t area[512];
	uint32_t r[4], max_leaf, lo, hi;
	int i;

	cpuid(0, 0, r);
	max_leaf = r[0];
	__asm__ volatile("fxsave64 %0" : "=m"(area));
	p->mxcsr_mask = *(uint32_t *)(area + 28);
	if (!p->mxcsr_mask)
		p->mxcsr_mask = 0xffbf;
	if (max_leaf >= 7) {
		cpuid(7, 0, r);
		p->cpuid_7_ebx = r[1];
		p->cpuid_7_ecx = r[2];
	}
	cpuid(1, 0, r);
	if (!(r[2] & 1u << 27) || max_leaf < 0xd) /* OSXSAVE */
		return;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	p->xcr0 = lo | (uint64_t)hi << 32;
	p->flags |= PROBE_XSAVE;
	cpuid(0xd, 0, r);
	p->xsave_size = r[1];
	for (i = 2; i < PROBE_COMPONENTS; i++) {
		if (!(p->xcr0 >> i & 1))
			continue;
		cpuid(0xd, i, r);
		p->component[i].size = r[0];
		p->component[i].offset = r[1];
	}
}

/* The id of a timer that is ended at once, or an error. */
static int64_t timer_id(void)
{
	struct {
		uint64_t value;
		int32_t signo, notify;
		uint64_t rest[6];
	} event = { .notify = SIGEV_NONE };
	int32_t id = 0;
	int64_t ret = syscall3(SYS_TIMER_CREATE, 1, (uint64_t)&event, (uint64_t)&id);

	if (ret)
		return ret;
	syscall3(SYS_TIMER_DELETE, id, 0, 0);
	return id;
}

static void probe_timers(struct probe_result *p)
{
	int64_t id = timer_id(), next = timer_id();

	if (id >= 0 && next == id + 1)
		p->flags |= PROBE_TIMER_IDS;
	if (id >= 0 && next == id) {
		p->flags |= PROBE_TIMER_FIRST;
		p->timer_first = (int32_t)id;
	}
	if (syscall6(SYS_PRCTL, PR_TIMER_CREATE_RESTORE_IDS, PR_TIMER_CREATE_RESTORE_IDS_GET, 0, 0,
		     0, 0) >= 0)
		p->flags |= PROBE_TIMER_ANY_ID;
}

static void probe_calls(struct probe_result *p)
{
	static const char exe[] = "/proc/self/exe";
	uint32_t size = 0;
	int64_t page;
	char name[64];

	/* the probe has no name in the file system: who looks now does not find it */
	if (syscall3(SYS_READLINK, (uint64_t)exe, (uint64_t)name, sizeof(name)) > 0)
		p->flags |= PROBE_EXE_NAME;

	if (syscall4(SYS_RSEQ, 1, 0, 0, 0) != -X86_ENOSYS)
		p->flags |= PROBE_RSEQ;
	if (syscall3(SYS_SET_ROBUST_LIST, 0, 0, 0) != -X86_ENOSYS)
		p->flags |= PROBE_ROBUST_LIST;
	if (syscall3(SYS_CLONE3, 0, 0, 0) != -X86_ENOSYS)
		p->flags |= PROBE_CLONE3;
	if (!syscall6(SYS_PRCTL, PR_SET_MM, PR_SET_MM_MAP_SIZE, (uint64_t)&size, 0, 0, 0))
		p->flags |= PROBE_MM_MAP;
	page = syscall6(SYS_MMAP, 0, 4096, 3, 0x22, -1, 0);
	/* an engine that ignores advice accepts nonsense, too */
	if (page <= 0 || !syscall3(SYS_MADVISE, page, 4096, 0x7fff))
		return;
	if (!syscall3(SYS_MADVISE, page, 4096, MADV_DONTFORK))
		p->flags |= PROBE_DONTFORK;
	if (!syscall3(SYS_MADVISE, page, 4096, MADV_WIPEONFORK))
		p->flags |= PROBE_WIPEONFORK;
	if (!syscall3(SYS_MADVISE, page, 4096, MADV_GUARD_INSTALL))
		p->flags |= PROBE_GUARD;
	/* shared memory is a file's, whoever sees it */
	page = syscall6(SYS_MMAP, 0, 4096, 3, 0x21, -1, 0);
	if (page > 0 && !syscall3(SYS_MADVISE, page, 4096, MADV_GUARD_INSTALL))
		p->flags |= PROBE_GUARD_FILE;
}

void _start(void);
void _start(void)
{
	static struct probe_result result;

	result.magic = PROBE_MAGIC;
	probe_cpu(&result);
	probe_calls(&result);
	probe_timers(&result);
	syscall3(SYS_WRITE, 1, (uint64_t)&result, sizeof(result));
	for (;;)
		syscall3(SYS_EXIT_GROUP, 0, 0, 0);
}
