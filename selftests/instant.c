// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The image of a snapshot is of one instant. Runs as root with the module loaded.
 *
 * A writer stamps a generation into all pages of many kinds of memory, one page
 * after the other, for ever. At any instant the pages hold one generation up to
 * some page, and the one before from there on. Two more threads copy what they
 * find there, one of them in another process: a copy is never newer than what it
 * is a copy of. All of them go on while the image is read.
 */

#include "corefile.h"

#define PAGE 4096ul
#define ROUNDS 200
#define ROUNDS_MS 90000 /* after that a tenth of them is enough: a slow machine */
#define HUGE_ROUNDS 50 /* each copies megabytes */
#define ANON_PAGES 256
#define FEW_PAGES 24

/* One kind of memory; stamped at every @step bytes. */
struct area {
	const char *name;
	char *base;
	size_t nr;
	size_t step;
	int file; /* stamps are written to this file, which is mapped here; else -1 */
};

static struct area areas[12];
static int nr_areas;
static uint64_t *anon, *shared_anon; /* two of them: these are copied */
static uint64_t *copy_of_anon, *copy_of_shared;
static uint64_t *memfd, *view_of_memfd; /* the same memory, by a descriptor for reading only */

static struct area *add_area(const char *name, size_t nr, size_t step, int flags, int file)
{
	struct area *area = &areas[nr_areas];
	void *base = mmap(NULL, nr * step, PROT_READ | PROT_WRITE, flags, file, 0);

	if (base == MAP_FAILED)
		return NULL;
	*area = (struct area){ name, base, nr, step, -1 };
	nr_areas++;
	return area;
}

static int file_of(size_t size)
{
	char name[] = "/tmp/xckpt-instant.XXXXXX";
	int fd = mkstemp(name);

	ASSERT(fd >= 0 && !unlink(name) && !ftruncate(fd, (off_t)size));
	return fd;
}

static void make_views(void)
{
	int fd = memfd_create("instant", 0), reader;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY);
	ASSERT(fd >= 0 && reader >= 0 && !ftruncate(fd, FEW_PAGES * PAGE));
	memfd = (void *)add_area("memfd", FEW_PAGES, PAGE, MAP_SHARED, fd)->base;
	view_of_memfd = mmap(NULL, FEW_PAGES * PAGE, PROT_READ, MAP_SHARED, reader, 0);
	ASSERT(view_of_memfd != MAP_FAILED);
	close(fd);
	close(reader);
}

static void make_areas(void)
{
	const int priv = MAP_PRIVATE | MAP_ANONYMOUS;
	struct area *area;
	int file = file_of(FEW_PAGES * PAGE), memory = memfd_create("in place", 0);

	area = add_area("anonymous", ANON_PAGES, PAGE, priv, -1);
	madvise(area->base, ANON_PAGES * PAGE, MADV_NOHUGEPAGE);
	anon = (void *)area->base;
	area = add_area("MADV_DONTFORK", FEW_PAGES, PAGE, priv, -1);
	ASSERT(!madvise(area->base, FEW_PAGES * PAGE, MADV_DONTFORK));
	area = add_area("MADV_WIPEONFORK", FEW_PAGES, PAGE, priv, -1);
	ASSERT(!madvise(area->base, FEW_PAGES * PAGE, MADV_WIPEONFORK));
	area = add_area("shared anonymous", FEW_PAGES, PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
	shared_anon = (void *)area->base;
	add_area("private file", FEW_PAGES, PAGE, MAP_PRIVATE, file_of(FEW_PAGES * PAGE));
	add_area("shared file", FEW_PAGES, PAGE, MAP_SHARED, file_of(FEW_PAGES * PAGE));
	area = add_area("file written in place", FEW_PAGES, PAGE, MAP_PRIVATE, file);
	area->file = file;
	ASSERT(memory >= 0 && !ftruncate(memory, FEW_PAGES * PAGE));
	area = add_area("memfd written in place", FEW_PAGES, PAGE, MAP_PRIVATE, memory);
	area->file = memory;
	area = add_area("MADV_HUGEPAGE", 64, 1 << 17, priv, -1);
	madvise(area->base, 64 << 17, MADV_HUGEPAGE);
	make_views();
	copy_of_anon = mmap(NULL, ANON_PAGES * PAGE, PROT_READ | PROT_WRITE, priv, -1, 0);
	copy_of_shared = mmap(NULL, FEW_PAGES * PAGE, PROT_READ | PROT_WRITE, priv, -1, 0);
}

static void stamp(const struct area *area, size_t at, uint64_t generation)
{
	if (area->file < 0)
		*(volatile uint64_t *)(area->base + at) = generation;
	else if (pwrite(area->file, &generation, sizeof(generation), (off_t)at) != 8)
		_exit(96);
}

static void write_for_ever(void)
{
	for (uint64_t generation = 1;; generation++) {
		for (int i = 0; i < nr_areas; i++)
			for (size_t n = 0; n < areas[i].nr; n++)
				stamp(&areas[i], n * areas[i].step, generation);
		shared[0]++;
	}
}

static void copy_for_ever(uint64_t *to, const volatile uint64_t *from, size_t nr, int counter)
{
	for (;;) {
		for (size_t n = 0; n < nr; n++) {
			uint64_t word = from[n * PAGE / 8];

			__atomic_store_n(&to[n * PAGE / 8], word, __ATOMIC_RELEASE);
		}
		shared[counter]++;
	}
}

static void *copy_thread(void *arg)
{
	copy_for_ever(copy_of_anon, anon, ANON_PAGES, 1);
	return NULL;
}

/* The areas are made before the fork, so that the test knows where they are. */
static pid_t start_writers(pid_t *child)
{
	pid_t pid = fork();

	ASSERT(pid >= 0);
	if (!pid) {
		alarm(0);
		for (int i = 0; i < nr_areas; i++)
			if (!strcmp(areas[i].name, "MADV_DONTFORK"))
				mmap(areas[i].base, areas[i].nr * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		pid = fork();
		if (!pid)
			copy_for_ever(copy_of_shared, shared_anon, FEW_PAGES, 2);
		shared[8] = (uint64_t)pid;
		for (int i = 0; i < nr_areas; i++)
			if (!strcmp(areas[i].name, "MADV_DONTFORK"))
				madvise(areas[i].base, areas[i].nr * PAGE, MADV_DONTFORK);
		in_thread(copy_thread, 0);
		write_for_ever();
	}
	EXPECT(moves(0, 2) && moves(1, 1) && moves(2, 1));
	*child = (pid_t)shared[8];
	return pid;
}

static uint64_t word_at(const void *address)
{
	uint64_t word;

	core_memory(&word, sizeof(word), (uintptr_t)address);
	return word;
}

/* All stamps in the order of writing: from @generation on, one step down at most. */
static void check_stamps(void)
{
	uint64_t first = word_at(areas[0].base), last = first;

	for (int i = 0; i < nr_areas; i++) {
		for (size_t n = 0; n < areas[i].nr; n++) {
			uint64_t word = word_at(areas[i].base + n * areas[i].step);

			if (!EXPECT(word == last || (last == first && word == first - 1))) {
				printf("# %s, page %zu: %llu where %llu and %llu are\n",
				       areas[i].name, n, (unsigned long long)word,
				       (unsigned long long)first, (unsigned long long)last);
				return;
			}
			last = word;
		}
	}
}

/* Also those of another process, whose copies come with its own core. */
static void check_copies(const uint64_t *copy, const uint64_t *original, size_t nr)
{
	for (size_t n = 0; n < nr; n++)
		if (!EXPECT(copy[n] <= original[n]))
			return;
}

static void read_words(uint64_t *to, const uint64_t *from, size_t nr)
{
	for (size_t n = 0; n < nr; n++)
		to[n] = word_at(from + n * PAGE / 8);
}

/* In whatever process. */
static void check_views(void)
{
	for (size_t n = 0; n < FEW_PAGES; n++)
		if (!EXPECT(word_at(memfd + n * PAGE / 8) == word_at(view_of_memfd + n * PAGE / 8)))
			return;
}

static void check_instant(int fd, pid_t pid, pid_t child)
{
	static uint64_t a[ANON_PAGES], b[ANON_PAGES], s[FEW_PAGES], t[FEW_PAGES], u[FEW_PAGES];

	core_load(core_of(fd, pid, 0));
	check_stamps();
	check_views();
	read_words(a, anon, ANON_PAGES);
	read_words(b, copy_of_anon, ANON_PAGES);
	check_copies(b, a, ANON_PAGES);
	read_words(s, shared_anon, FEW_PAGES);
	close(core.fd);
	core_load(core_of(fd, child, 0));
	read_words(t, shared_anon, FEW_PAGES);
	EXPECT(!memcmp(s, t, sizeof(s)));
	check_views();
	read_words(u, copy_of_shared, FEW_PAGES);
	check_copies(u, t, FEW_PAGES);
	close(core.fd);
}

static void rounds(int nr)
{
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	int64_t end = now_ms() + ROUNDS_MS;
	pid_t pid, child;
	int i, fd;

	pid = start_writers(&child);
	fd = session();
	for (i = 0; i < nr && !failed_here && (now_ms() < end || i < nr / 10); i++) {
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i % NR_MODES]));
		EXPECT(f.out_nr_processes == 2 && f.out_nr_threads == 3);
		ASSERT(!snapshot(fd, 0, &s));
		EXPECT(s.out_nr_processes == 2 && !s.out_nr_uncloned && s.out_nr_attempts == 1);
		ASSERT(!thaw(fd));
		if (i % 10 == 0)
			EXPECT(moves(0, 1));
		check_instant(fd, pid, child);
	}
	printf("# %d rounds\n", i);
	EXPECT(moves(0, 1) && moves(1, 1) && moves(2, 1));
}

TEST(an_image_is_one_instant)
{
	share_counters();
	make_areas();
	rounds(ROUNDS);
}

static void huge_pages(int nr)
{
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "w");

	if (file) {
		fprintf(file, "%d\n", nr);
		fclose(file);
	}
}

TEST(an_image_with_huge_pages_is_one_instant)
{
	share_counters();
	huge_pages(8);
	make_areas();
	if (!add_area("private hugetlb", 4, 1 << 20,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1) ||
	    !add_area("shared hugetlb", 4, 1 << 20,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1))
		SKIP("no huge pages");
	rounds(HUGE_ROUNDS);
	huge_pages(0);
}
