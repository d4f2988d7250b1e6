// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes that see different parts of one object: it is copied once. Root, module loaded. */
#include "corefile.h"

#define PAGES 8
#define TOUCHED 6
#define FILE_PAGE 4096ul
#define HUGE_PAGE (2ul << 20)

/*
 * What each process has mapped, in pages. In which order they are captured nobody knows: none
 * has all that the others have.
 */
static const struct view {
	unsigned int first, nr;
} views[] = { { 0, 1 }, { 1, 1 }, { 0, 4 }, { 5, 1 }, { 0, 5 }, { 3, 5 }, { 2, 4 }, { 6, 2 } };
#define NR_VIEWS (sizeof(views) / sizeof(views[0]))

static size_t page;
static unsigned int kind; /* of memory: MFD_* */
static char *place; /* of the view in each process */

static int is_hole(unsigned int n)
{
	return n == 3 || n == PAGES - 1;
}

static uint64_t stamp(unsigned int n)
{
	return is_hole(n) ? 0 : 0x5eed0000u + n;
}

/* The first and the last word of a page. */
static void write_page(char *at, uint64_t value)
{
	*(volatile uint64_t *)at = value;
	*(volatile uint64_t *)(at + page - 8) = value;
}

static void *map_view(int object, const struct view *view)
{
	return mmap(place, view->nr * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, object,
		    (off_t)(view->first * page));
}

/* shared[8 + n]: the process; what it sees is something else when it has been captured */
static _Noreturn void sees(int object, unsigned int n)
{
	if (map_view(object, &views[n]) != place)
		_exit(97);
	close(object);
	shared[8 + n] = (uint64_t)getpid();
	__atomic_add_fetch(&shared[1], 1, __ATOMIC_SEQ_CST);
	while (!shared[2])
		nap_ms(1);
	for (unsigned int i = 0; i < views[n].nr; i++)
		write_page(place + i * page, ~0ull);
	__atomic_add_fetch(&shared[3], 1, __ATOMIC_SEQ_CST);
	for (;;)
		pause();
}

static int make_object(void)
{
	const struct view all = { 0, PAGES };
	int object = memfd_create("object", kind);

	if (object < 0 || ftruncate(object, (off_t)(PAGES * page)) ||
	    map_view(object, &all) != place)
		_exit(96);
	for (unsigned int n = 0; n < PAGES; n++)
		if (!is_hole(n))
			write_page(place + n * page, stamp(n));
	munmap(place, PAGES * page);
	return object;
}

static void see_parts(void)
{
	int object = make_object();

	shared[0] = 1;
	for (unsigned int n = 1; n < NR_VIEWS; n++)
		if (!fork())
			sees(object, n);
	sees(object, 0);
}

static int has_view(const struct view *view)
{
	uint64_t words[2];
	int good = 1;

	for (unsigned int i = 0; i < view->nr; i++) {
		core_memory(&words[0], 8, (uintptr_t)place + i * page);
		core_memory(&words[1], 8, (uintptr_t)place + (i + 1) * page - 8);
		good &= words[0] == stamp(view->first + i) && words[1] == words[0];
	}
	return good;
}

static void expect_views(void)
{
	struct xckpt_snapshot s;
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	/* at a multiple of any page's size; the targets put their views there */
	place = mmap(NULL, (PAGES + 1) * HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(place != MAP_FAILED);
	place += HUGE_PAGE - (uintptr_t)place % HUGE_PAGE;
	pid = target(see_parts);
	ASSERT(reaches(1, NR_VIEWS));
	ASSERT(!freeze(fd, pid, &f));
	ASSERT(!snapshot(fd, 0, &s));
	EXPECT(s.out_nr_processes == NR_VIEWS && !s.out_nr_uncloned);
	/* and the counters */
	EXPECT(s.out_copied_bytes >= TOUCHED * page &&
	       s.out_copied_bytes <= TOUCHED * page + 65536);
	ASSERT(!thaw(fd));
	shared[2] = 1;
	EXPECT(reaches(3, NR_VIEWS));
	for (unsigned int n = 0; n < NR_VIEWS; n++) {
		core_load(core_of(fd, (pid_t)shared[8 + n], 0));
		if (!EXPECT(has_view(&views[n])))
			printf("# pages %u to %u\n", views[n].first,
			       views[n].first + views[n].nr - 1);
		close(core.fd);
	}
}

TEST(parts_of_shared_memory)
{
	page = FILE_PAGE;
	expect_views();
}

static void huge_pages(int nr)
{
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "w");

	if (file) {
		fprintf(file, "%d\n", nr);
		fclose(file);
	}
}

/* These are copied through the mapping of a process. */
TEST(parts_of_shared_huge_pages)
{
	huge_pages(2 * PAGES);
	page = HUGE_PAGE;
	kind = MFD_HUGETLB;
	place = mmap(NULL, PAGES * page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1,
		     0);
	if (place == MAP_FAILED)
		SKIP("not enough huge pages");
	munmap(place, PAGES * page);
	expect_views();
	huge_pages(0);
}
