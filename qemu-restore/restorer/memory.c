// SPDX-License-Identifier: GPL-2.0-or-later
/* Handlers that make room for the program's memory and fill it. */
#include "restorer.h"

#define USER_END 0x800000000000ull /* above: the vsyscall page */
#define PAGE_MASK (~0xfffull)

int64_t do_load(struct record_head *head, const struct record *r)
{
	struct copier copiers[COPIERS_MAX];
	int64_t word;

	copiers_begin(head, copiers);
	report(head, STATUS_MAPPED, r->index, 0);
	while ((word = await_word(head)) == WORD_ALONE) {
		copiers_end(head, copiers);
		report(head, STATUS_MAPPED, r->index, 0);
	}
	head->loaded = word == WORD_LOADED;
	return word < 0 ? word : 0;
}

int64_t do_read(struct record_head *head, const struct record *r)
{
	uint64_t addr = r->arg[1], left = r->arg[2], offset = r->arg[3];

	(void)head;
	while (left) {
		uint64_t chunk = left < 1u << 30 ? left : 1u << 30;
		int64_t n = syscall4(SYS_PREAD64, r->arg[0], addr, chunk, offset);

		if (n == -X86_EINTR)
			continue;
		if (n <= 0)
			return n ? n : -X86_EIO;
		addr += n;
		offset += n;
		left -= n;
	}
	return 0;
}

int64_t do_poke4(struct record_head *head, const struct record *r)
{
	(void)head;
	*(volatile uint32_t *)r->arg[0] = r->arg[1];
	return 0;
}

int64_t do_poke8(struct record_head *head, const struct record *r)
{
	(void)head;
	*(volatile uint64_t *)r->arg[0] = r->arg[1];
	return 0;
}

struct range {
	uint64_t start, end;
};

/* What must stay: the hole, and under TCG the pages of GDT and IDT, in address order. */
static int ranges_to_keep(const struct record_head *head, struct range keep[3])
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} gdt = { 0 }, idt = { 0 };
	int i, j, n = 1;

	keep[0] = (struct range){ head->hole, head->hole + head->hole_size };
	if (head->keep_tables) {
		__asm__ volatile("sgdt %0\n\tsidt %1" : "=m"(gdt), "=m"(idt));
		keep[1].start = gdt.base & PAGE_MASK;
		keep[1].end = keep[1].start + 4096;
		keep[2].start = idt.base & PAGE_MASK;
		keep[2].end = keep[2].start + 4096;
		n = 3;
	}
	for (i = 0; i < n; i++)
		for (j = i + 1; j < n; j++)
			if (keep[j].start < keep[i].start) {
				struct range swap = keep[i];

				keep[i] = keep[j];
				keep[j] = swap;
			}
	return n;
}

static int64_t unmap(uint64_t start, uint64_t size)
{
	return syscall3(SYS_MUNMAP, start, size, 0);
}

static int64_t occupy(uint64_t start, uint64_t size)
{
	int64_t ret = syscall6(SYS_MMAP, start, size, X86_PROT_NONE,
			       X86_MAP_PRIVATE | X86_MAP_ANONYMOUS | X86_MAP_NORESERVE |
				       X86_MAP_FIXED_NOREPLACE,
			       -1, 0);

	return ret == (int64_t)start ? 0 : ret;
}

/* @call for [start, end) without what is to be kept */
static int64_t each_range(uint64_t start, uint64_t end, const struct range *keep, int n,
			  int64_t (*call)(uint64_t start, uint64_t size))
{
	int64_t ret = 0;
	int i;

	if (end > USER_END)
		return 0;
	for (i = 0; i <= n && start < end && !ret; i++) {
		uint64_t stop = i < n && keep[i].start < end ? keep[i].start : end;

		if (stop > start)
			ret = call(start, stop - start);
		if (i < n && keep[i].end > start)
			start = keep[i].end;
	}
	return ret;
}

/* Reads "start-end ..." lines bytewise; the kernel goes on by address, so unmapping on the way is
 * fine. */
int64_t do_sweep(struct record_head *head, const struct record *r)
{
	static const char path[] = "/proc/self/maps";
	uint64_t value = 0, start = 0;
	struct range keep[3];
	char buf[1024];
	int in_range = 1, n_keep = ranges_to_keep(head, keep);
	int64_t i, n, ret = 0, fd = syscall3(SYS_OPEN, (uint64_t)path, X86_O_RDONLY, 0);

	(void)r;
	if (fd < 0)
		return fd;
	while (!ret && (n = syscall3(SYS_READ, fd, (uint64_t)buf, sizeof(buf))) > 0) {
		for (i = 0; i < n && !ret; i++) {
			char c = buf[i];

			if (c == '\n') {
				in_range = 1;
				value = 0;
			} else if (in_range && c == '-') {
				start = value;
				value = 0;
			} else if (in_range && c == ' ') {
				in_range = 0;
				ret = each_range(start, value, keep, n_keep, unmap);
			} else if (in_range) {
				value = value << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
			}
		}
	}
	syscall3(SYS_CLOSE, fd, 0, 0);
	return ret;
}

int64_t do_occupy(struct record_head *head, const struct record *r)
{
	struct range keep[3];
	int n = ranges_to_keep(head, keep);

	return each_range(r->arg[0], r->arg[1], keep, n, r->arg[2] ? occupy : unmap);
}
