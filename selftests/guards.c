// SPDX-License-Identifier: GPL-2.0-or-later
/* Guard regions, MADV_GUARD_INSTALL, in cores of /dev/xckpt. Root, module loaded. */
#include <sys/uio.h>

#include "corefile.h"

#define GUARD_INSTALL 102
#define PAGE 4096ul
#define AREA (16 * PAGE)
#define MOST (1ul << 20) /* that a core can tell of */

static char *area, *forked, *wiped, *own_file, *common_file, *common;
static char *many; /* with guards, every second page */

static char *map(size_t size, int flags, int fd)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd,
		       0);

	ASSERT(p != MAP_FAILED);
	return p;
}

static void install(char *p, unsigned long pages)
{
	ASSERT(!madvise(p, pages * PAGE, GUARD_INSTALL));
}

static void needs_guards(void)
{
	char *p = map(PAGE, MAP_PRIVATE, -1);

	if (madvise(p, PAGE, GUARD_INSTALL))
		SKIP("this kernel has no guard regions (it takes Linux 6.13)");
	munmap(p, PAGE);
}

/* Each page has its number. */
static void number_pages(char *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		memcpy(p + i, &(uint64_t){ i / PAGE + 1 }, 8);
}

static void with_areas(void)
{
	number_pages(area, AREA);
	number_pages(forked, AREA);
	number_pages(wiped, AREA);
	madvise(forked, AREA, MADV_DONTFORK);
	madvise(wiped, AREA, MADV_WIPEONFORK);
	install(area + PAGE, 1);
	install(area + 3 * PAGE, 3);
	install(area + AREA - PAGE, 1);
	install(forked + 2 * PAGE, 2);
	install(wiped, 1);
	count_forever(0);
}

/* The core of a target that runs @fn: by a snapshot, with @flags ~0 without one. */
static void open_core(void (*fn)(void), uint32_t flags)
{
	struct xckpt_snapshot s;
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	pid = target(fn);
	ASSERT(!freeze(fd, pid, &f));
	if (flags != ~0u)
		ASSERT(!snapshot(fd, flags, &s));
	core_load(core_of(fd, pid, flags == XCKPT_SNAPSHOT_THIN ? XCKPT_CORE_THIN : 0));
}

/* The @n-th guard that lies in what is mapped at @p; or none, which is at 0. */
static struct xckpt_guard guard_in(const char *p, size_t size, unsigned int n)
{
	const struct xckpt_note_table *table;
	const struct xckpt_guard *guard;
	size_t note_size;

	table = note(XCKPT_NT_GUARD, 0, &note_size);
	if (!table)
		return (struct xckpt_guard){ 0 };
	ASSERT(table->entry_size == sizeof(*guard) &&
	       note_size >= table->entries_off + table->nr_entries * sizeof(*guard));
	guard = (const void *)((const char *)table + table->entries_off);
	for (uint32_t i = 0; i < table->nr_entries; i++) {
		EXPECT(guard[i].start < guard[i].end && (!i || guard[i].start >= guard[i - 1].end));
		if (guard[i].start >= (uintptr_t)p && guard[i].start < (uintptr_t)p + size && !n--)
			return guard[i];
	}
	return (struct xckpt_guard){ 0 };
}

static int is_guard(const char *p, unsigned int n, unsigned long page, unsigned long pages)
{
	struct xckpt_guard g = guard_in(p, AREA, n);

	return g.start == (uintptr_t)p + page * PAGE && g.end == g.start + pages * PAGE;
}

static uint64_t page_at(const char *p)
{
	uint64_t value;

	core_memory(&value, sizeof(value), (uintptr_t)p);
	return value;
}

TEST(they_are_in_the_core)
{
	static const uint32_t how[] = { ~0u, 0, XCKPT_SNAPSHOT_FROZEN };

	needs_guards();
	share_counters();
	area = map(AREA, MAP_PRIVATE, -1);
	forked = map(AREA, MAP_PRIVATE, -1);
	wiped = map(AREA, MAP_PRIVATE, -1);
	for (int i = 0; i < 3; i++) {
		open_core(with_areas, how[i]);
		EXPECT(is_guard(area, 0, 1, 1) && is_guard(area, 1, 3, 3));
		EXPECT(is_guard(area, 2, 15, 1) && !guard_in(area, AREA, 3).start);
		EXPECT(is_guard(forked, 0, 2, 2) && !guard_in(forked, AREA, 1).start);
		EXPECT(is_guard(wiped, 0, 0, 1) && !guard_in(wiped, AREA, 1).start);
		for (unsigned long n = 0; n < 16; n++) {
			int guarded = n == 1 || (n >= 3 && n < 6) || n == 15;

			EXPECT(page_at(area + n * PAGE) == (guarded ? 0 : n + 1));
			EXPECT(page_at(forked + n * PAGE) == (n == 2 || n == 3 ? 0 : n + 1));
			EXPECT(page_at(wiped + n * PAGE) == (n ? n + 1 : 0));
		}
	}
}

/* By whom they are shared, or who wrote them, counts for what is beside them only. */
static void with_files(void)
{
	own_file[4 * PAGE] = 'w';
	install(own_file + PAGE, 2);
	install(own_file + 4 * PAGE, 1);
	install(common_file + PAGE, 1);
	install(common + 2 * PAGE, 1);
	count_forever(0);
}

static int file_of_numbers(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint64_t page[PAGE / 8] = { 0 };

	ASSERT(fd >= 0 && !unlink(path));
	for (page[0] = 1; page[0] <= 16; page[0]++)
		ASSERT(write(fd, page, PAGE) == (ssize_t)PAGE);
	return fd;
}

TEST(behind_one_a_file_has_what_it_has)
{
	static const uint32_t how[] = { ~0u, 0, XCKPT_SNAPSHOT_FROZEN, XCKPT_SNAPSHOT_THIN };
	int disk, memory;
	char *p;

	needs_guards();
	share_counters();
	disk = file_of_numbers("/var/tmp/xckpt-guards");
	memory = file_of_numbers("/dev/shm/xckpt-guards");
	p = map(PAGE, MAP_SHARED, memory);
	if (madvise(p, PAGE, GUARD_INSTALL))
		SKIP("this kernel has no guard regions in files (it takes Linux 6.15)");
	munmap(p, PAGE);
	own_file = map(AREA, MAP_PRIVATE, disk);
	common_file = map(AREA, MAP_SHARED, memory);
	common = map(AREA, MAP_SHARED, -1);
	number_pages(common, AREA);
	for (int i = 0; i < 4; i++) {
		open_core(with_files, how[i]);
		EXPECT(is_guard(own_file, 0, 1, 2) && is_guard(own_file, 1, 4, 1));
		EXPECT(is_guard(common_file, 0, 1, 1) && is_guard(common, 0, 2, 1));
		for (unsigned long n = 0; n < 16; n++) {
			EXPECT(page_at(own_file + n * PAGE) == n + 1);
			EXPECT(page_at(common_file + n * PAGE) == n + 1);
			EXPECT(page_at(common + n * PAGE) == n + 1);
		}
	}
}

static void alone(void)
{
	count_forever(0);
}

/* With one thread: those of others have one each, by the C library. */
TEST(none_is_no_note)
{
	size_t size;

	share_counters();
	open_core(alone, ~0u);
	EXPECT(note(XCKPT_NT_VMA, 0, &size) && !note(XCKPT_NT_GUARD, 0, &size));
}

/* Every second page of @nr from the @first on. */
static void install_many(unsigned long first, unsigned long nr)
{
	static struct iovec pages[1024];
	int self = pidfd(getpid());

	for (unsigned long i = 0; i < nr; i += 1024) {
		unsigned long n = nr - i < 1024 ? nr - i : 1024;

		for (unsigned long j = 0; j < n; j++)
			pages[j] = (struct iovec){ many + 2 * (first + i + j) * PAGE, PAGE };
		if (syscall(SYS_process_madvise, self, pages, n, GUARD_INSTALL, 0) !=
		    (long)(n * PAGE))
			_exit(97);
	}
}

static void with_many(void)
{
	install_many(0, MOST);
	while (!shared[5])
		shared[0]++;
	install_many(MOST, 1);
	shared[6] = 1;
	count_forever(0);
}

TEST(as_many_as_there_may_be)
{
	const struct xckpt_note_table *table;
	struct xckpt_snapshot s;
	struct xckpt_freeze f;
	int fd = session();
	size_t size;
	pid_t pid;

	needs_guards();
	share_counters();
	many = map(2 * (MOST + 1) * PAGE, MAP_PRIVATE | MAP_NORESERVE, -1);
	pid = target(with_many);
	ASSERT(!freeze(fd, pid, &f) && !snapshot(fd, 0, &s));
	core_load(core_of(fd, pid, 0));
	table = note(XCKPT_NT_GUARD, 0, &size);
	EXPECT(table && table->nr_entries == MOST);
	ASSERT(!thaw(fd));
	shared[5] = 1;
	ASSERT(reaches(6, 1) && !freeze(fd, pid, &f));
	EXPECT(snapshot(fd, 0, &s) == -1 && errno == E2BIG);
	EXPECT(core_of(fd, pid, 0) == -1 && errno == E2BIG);
	EXPECT(!thaw(fd) && moves(0, 1));
}
