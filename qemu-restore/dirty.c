// SPDX-License-Identifier: GPL-2.0-or-later
/* Soft-dirty bits, by which garbage collectors and databases learn what was written to. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dirty.h"

#define SOFT_DIRTY (1ull << 55)

static bool is_dirty(int pagemap, const volatile char *page)
{
	uint64_t entry = 0;
	off_t at = (off_t)((uintptr_t)page / (uintptr_t)getpagesize() * sizeof(entry));

	return pread(pagemap, &entry, sizeof(entry), at) == sizeof(entry) && entry & SOFT_DIRTY;
}

static bool try(int clear_refs, int pagemap, volatile char *page)
{
	*page = 1;
	if (write(clear_refs, "4", 1) != 1 || is_dirty(pagemap, page))
		return false;
	*page = 2;
	return is_dirty(pagemap, page);
}

bool dirty_is_told(void)
{
	int clear_refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t size = (size_t)getpagesize();
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool told = page != MAP_FAILED && try(clear_refs, pagemap, page);

	if (page != MAP_FAILED)
		munmap(page, size);
	if (pagemap >= 0)
		close(pagemap);
	if (clear_refs >= 0)
		close(clear_refs);
	return told;
}
