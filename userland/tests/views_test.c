// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory that processes share: in one core only, and found there by all of them. */
#include "common.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define PROCESSES 4
#define SEGMENTS 6
#define OBJECT_PAGES 64
#define SHARED (XCKPT_VMA_READ | XCKPT_VMA_SHARED | XCKPT_VMA_MAYWRITE)

static struct image img;
static struct image_priv priv = { .action = "cannot use it" };
static struct image_process processes[PROCESSES];
static struct segment segments[PROCESSES][SEGMENTS];

static void forget(void)
{
	for (int i = 0; i < PROCESSES && processes[0].core_fd; i++)
		close(processes[i].core_fd);
	img = (struct image){ .processes = processes, .nr_processes = PROCESSES };
	for (int i = 0; i < PROCESSES; i++)
		processes[i] = (struct image_process){ .segments = segments[i],
						       .info.pid = 42 + i,
						       .core_fd = memfd_create("core", 0) };
}

/* What is on page @page of memory that is called @ino: never zero. */
static uint64_t word_of(uint64_t ino, uint64_t page)
{
	return ino << 32 | (page + 1);
}

/* All in pages: @nr of them from @first on are mapped, and contents of @stored are in the core. */
static struct segment *add(int n, uint64_t ino, uint64_t first, uint64_t nr, uint64_t stored)
{
	struct image_process *p = &processes[n];
	struct segment *s = &segments[n][p->nr_segments++];

	*s = (struct segment){ .start = p->nr_segments << 32,
			       .end = (p->nr_segments << 32) + nr * PAGE,
			       .holder = p,
			       .offset = p->core_size,
			       .filesz = stored * PAGE,
			       .path = "",
			       .vma = { .kind = XCKPT_VMA_SHMEM,
					.flags = SHARED,
					.pgoff = first * PAGE,
					.dev = 1,
					.ino = ino } };
	p->core_size += s->filesz;
	if (ftruncate(p->core_fd, (off_t)p->core_size))
		err(1, "ftruncate");
	return s;
}

static void put_page(const struct segment *s, uint64_t page)
{
	uint64_t word = word_of(s->vma.ino, s->vma.pgoff / PAGE + page);

	if (pwrite(s->holder->core_fd, &word, sizeof(word), (off_t)(s->offset + page * PAGE)) != 8)
		err(1, "pwrite");
}

/* What a dump does: how many are left out. */
static size_t leave_out(void)
{
	size_t nr, left = 0;
	struct view *views = image_views(&img, &nr);

	image_find_holders(views, nr);
	for (size_t i = 0; i < nr; i++)
		if (views[i].holder && views[i].segment->filesz) {
			/* what is read from there would be seen */
			if (fallocate(views[i].process->core_fd,
				      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      (off_t)views[i].segment->offset,
				      (off_t)views[i].segment->filesz))
				err(1, "fallocate");
			views[i].segment->filesz = 0;
			left++;
		}
	free(views);
	return left;
}

static size_t left_out_of(const char *what, size_t want)
{
	size_t left = leave_out();

	check(left == want, "%s: %zu left out", what, left);
	return left;
}

static void make_it_a_file(struct segment *s, uint32_t flags)
{
	s->vma.kind = XCKPT_VMA_FILE;
	s->vma.flags = XCKPT_VMA_READ | flags;
}

/* Of programs and libraries one core has what nobody has written to. */
static void test_files(void)
{
	struct segment *s[PROCESSES];

	forget();
	for (int i = 0; i < PROCESSES; i++) {
		s[i] = add(i, 7, 0, 8, 8);
		make_it_a_file(s[i], i == 1 ? 0 : XCKPT_VMA_UNWRITTEN);
	}
	left_out_of("a file, of which one has pages of its own", 2);
	check(image_find_contents(&img, &priv) == 0 && s[1]->holder == &processes[1] &&
		      s[2]->holder == &processes[0] && s[3]->holder == &processes[0],
	      "who wrote to it has its own");

	forget();
	make_it_a_file(add(0, 7, 0, 8, 8), XCKPT_VMA_UNWRITTEN | XCKPT_VMA_DELETED);
	make_it_a_file(add(1, 7, 0, 8, 8), XCKPT_VMA_SHARED | XCKPT_VMA_DELETED);
	add(2, 7, 0, 8, 8)->vma.kind = XCKPT_VMA_SYSV;
	left_out_of("a removed file, memory and a segment of the same number", 0);

	forget();
	for (int i = 0; i < PROCESSES; i++) {
		s[i] = add(i, 7, 0, 8, 8);
		make_it_a_file(s[i], XCKPT_VMA_UNWRITTEN);
		s[i]->vma.file_mtime_ns = i / 2;
	}
	left_out_of("two versions of a file", 2);
	check(s[0]->filesz && s[2]->filesz, "one core has each");
	forget();
	make_it_a_file(add(0, 7, 0, 8, 8),
		       XCKPT_VMA_UNWRITTEN | XCKPT_VMA_SHARED | XCKPT_VMA_MAYWRITE);
	make_it_a_file(add(1, 7, 0, 8, 8), XCKPT_VMA_UNWRITTEN);
	left_out_of("whoever can write to the file has no contents", 0);
}

static void test_order(void)
{
	struct segment *part, *late;

	forget();
	for (int i = 0; i < PROCESSES; i++)
		add(i, 7, 0, 8, 8);
	check(image_find_contents(&img, &priv) == 0 && segments[3][0].holder == &processes[3] &&
		      !segments[3][0].borrowed,
	      "who has contents keeps them");
	left_out_of("all have the same", 3);
	check(segments[0][0].filesz == 8 * PAGE, "and the first has it");
	check(image_find_contents(&img, &priv) == 0 && segments[3][0].holder == &processes[0] &&
		      segments[3][0].offset == 0 && segments[3][0].filesz == 8 * PAGE,
	      "where the others find it");

	forget();
	add(0, 7, 0, 4, 4);
	part = add(1, 7, 2, 4, 4);
	late = add(1, 7, 6, 4, 0);
	add(2, 7, 0, 8, 8);
	left_out_of("one has more", 2);
	check(image_find_contents(&img, &priv) == 0 && part->holder == &processes[2] &&
		      part->offset == 2 * PAGE && part->filesz == 4 * PAGE,
	      "a part of it is found");
	check(late->holder == &processes[2] && late->offset == 6 * PAGE &&
		      late->filesz == 2 * PAGE && segments[0][0].filesz == 4 * PAGE,
	      "no more than there is");

	forget();
	add(2, 7, 0, 8, 8);
	add(2, 7, 0, 8, 8);
	left_out_of("one process has it twice", 1);
	check(image_find_contents(&img, &priv) == 0 && !segments[2][0].borrowed &&
		      segments[2][1].borrowed && segments[2][1].holder == &processes[2] &&
		      segments[2][1].offset == 0,
	      "and once in its core");

	forget();
	add(0, 7, 0, 8, 8);
	add(1, 7, 4, 8, 8);
	left_out_of("none has all of the other", 0);
	forget();
	add(0, 7, 0, 8, 2);
	add(1, 7, 0, 8, 3);
	add(2, 7, 1, 2, 2);
	left_out_of("one whose contents reach further", 1);
	check(segments[1][0].filesz && !segments[2][0].filesz, "is not left out");
}

static void test_objects(void)
{
	struct sysv_segment segment = { .object.id = 7, .size = 8 * PAGE };
	struct segment *larger;
	int elsewhere[] = { 44 };

	forget();
	add(0, 7, 0, 8, 8);
	add(1, 8, 0, 8, 8);
	add(2, 7, 0, 8, 8)->vma.dev = 2;
	add(3, 7, 0, 8, 8)->vma.kind = XCKPT_VMA_SYSV;
	left_out_of("other memory", 0);
	forget();
	add(0, 7, 0, 8, 8);
	add(1, 7, 0, 8, 8)->vma.file_mtime_ns = 1;
	larger = add(2, 7, 0, 8, 8);
	larger->vma.file_mtime_ns = 1;
	larger->vma.file_size = PAGE;
	add(3, 7, 0, 8, 8)->vma.flags &= ~XCKPT_VMA_SHARED;
	left_out_of("what is only called the same", 0);
	forget();
	for (int i = 0; i < PROCESSES; i++)
		add(i, 7, 0, 8, 8)->vma.kind = XCKPT_VMA_SYSV;
	left_out_of("System V segments that the image does not have", 0);
	img.sysv = (struct sysv_ipc){
		.segments = &segment, .nr_segments = 1, .elsewhere = elsewhere, .nr_elsewhere = 1
	};
	left_out_of("and that it has, one of another namespace", 2);
	check(segments[2][0].filesz && !segments[3][0].filesz, "which keeps its own");
	forget();
	for (int i = 0; i < 2; i++) {
		struct segment *s = add(i, 7, 0, 8, i ? 0 : 8);

		s->vma.kind = XCKPT_VMA_FILE;
		s->vma.flags |= XCKPT_VMA_DELETED;
		if (!i)
			s->vma.flags &= ~XCKPT_VMA_MAYWRITE;
	}
	check(leave_out() == 0 && image_find_contents(&img, &priv) == 0 && !segments[1][0].filesz,
	      "a file on a disk has what can be written to it");
}

static uint64_t random_below(uint64_t n)
{
	static uint64_t seed = 0x9e3779b97f4a7c15;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

/* Views of two objects, of which some pages were touched, as a dump finds them. */
static void add_at_random(const bool touched[2][OBJECT_PAGES])
{
	for (int n = 0; n < PROCESSES; n++)
		for (int i = 0; i < SEGMENTS; i++) {
			uint64_t ino = random_below(2), first = random_below(OBJECT_PAGES);
			uint64_t nr = 1 + random_below(OBJECT_PAGES - first), stored = nr;
			struct segment *s;

			while (stored && !touched[ino][first + stored - 1])
				stored--;
			s = add(n, ino, first, nr, stored);
			for (uint64_t page = 0; page < stored; page++)
				if (touched[ino][first + page])
					put_page(s, page);
		}
}

static bool reads_right(const struct image_process *p, const struct segment *s,
			const bool touched[2][OBJECT_PAGES])
{
	for (uint64_t at = s->start; at < s->end; at += PAGE) {
		uint64_t page = (s->vma.pgoff + at - s->start) / PAGE, word;

		if (image_read_memory(p, at, &word, sizeof(word)) ||
		    word != (touched[s->vma.ino][page] ? word_of(s->vma.ino, page) : 0))
			return false;
	}
	return true;
}

static void test_any_layout(void)
{
	size_t wrong = 0, left = 0;

	for (int round = 0; round < 300; round++) {
		bool touched[2][OBJECT_PAGES];

		forget();
		for (int i = 0; i < 2 * OBJECT_PAGES; i++)
			touched[i / OBJECT_PAGES][i % OBJECT_PAGES] = random_below(4) == 0;
		add_at_random(touched);
		left += leave_out();
		if (image_find_contents(&img, &priv))
			errx(1, "image_find_contents");
		for (int n = 0; n < PROCESSES; n++)
			for (int i = 0; i < SEGMENTS; i++)
				wrong += !reads_right(&processes[n], &segments[n][i], touched);
	}
	check(!wrong, "whatever is mapped reads as it did before: %zu do not", wrong);
	check(left > 300 * PROCESSES * SEGMENTS / 2, "and most of it is left out: %zu", left);
}

/* Whatever an image says, nobody is led out of a core. */
static void test_hostile(void)
{
	size_t outside = 0;

	for (int round = 0; round < 1000; round++) {
		forget();
		for (int i = 0; i < PROCESSES * SEGMENTS; i++) {
			uint64_t nr = 1 + random_below(8);

			add(i % PROCESSES, random_below(2), random_below(12), nr,
			    random_below(2) * random_below(nr + 1));
		}
		if (image_find_contents(&img, &priv))
			errx(1, "image_find_contents");
		for (int i = 0; i < PROCESSES * SEGMENTS; i++) {
			const struct segment *s = &segments[i % PROCESSES][i / PROCESSES];

			outside += s->filesz > s->end - s->start ||
				   s->offset + s->filesz > s->holder->core_size;
		}
	}
	check(!outside, "nothing is outside of its holder: %zu", outside);
}

static void test_impossible_places(void)
{
	static const uint64_t places[] = { 1, 0x800, INT64_MAX - 0x1fff, UINT64_MAX - 0xfff };
	struct core_place at = { "cannot use it", "a core" };
	struct spec_segment segment = {
		0x400000, 0x402000, 0x2000, XCKPT_VMA_SHMEM, SHARED, "/memfd:x (deleted)", 0, 0x2000
	};
	struct spec spec = plain_spec;

	spec.segments = &segment;
	spec.nr_segments = 1;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int fd = memfd_create("core", 0);
		struct arena arena = { 0 };
		struct core_files files;
		struct image_process p;
		int ret;

		segment.pgoff = places[i];
		core_write(fd, &spec);
		quiet_begin();
		ret = core_read(fd, &at, &arena, &p, &files);
		check(ret && strstr(quiet_end(), "an impossible part of a file"),
		      "a mapping from %#jx on", (uintmax_t)places[i]);
		arena_free(&arena);
		close(fd);
	}
}

int main(void)
{
	test_order();
	test_files();
	test_objects();
	test_any_layout();
	test_hostile();
	test_impossible_places();
	forget();
	return check_end();
}
