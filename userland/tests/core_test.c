// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading cores: good ones, cut ones, flipped ones, other machines' ones. */
#include "common.h"

#include <elf.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct core_place at = { "cannot use test", "42.core" };

static int memory_file(void)
{
	int fd = memfd_create("core", MFD_CLOEXEC);

	return fd >= 0 ? fd : (err(1, "memfd_create"), -1);
}

static int try_read(int fd, struct arena *arena, struct image_process *p)
{
	struct core_files files;

	return core_read(fd, &at, arena, p, &files);
}

static void test_good(bool xnum)
{
	struct spec spec = plain_spec;
	struct arena arena = { 0 };
	struct image_process p;
	struct credentials creds;
	char buf[8192];
	int fd = memory_file();

	spec.xnum = xnum;
	core_write(fd, &spec);
	if (!check(try_read(fd, &arena, &p) == 0, "a good core%s", xnum ? " with PN_XNUM" : ""))
		return;
	check(p.info.pid == 42 && strcmp(p.exe, "/bin/victim") == 0 && strcmp(p.cwd, "/") == 0 &&
		      p.root[0] == 0,
	      "process");
	check(p.nr_threads == 3 && p.threads[2].tid == 44 && p.threads[0].regs.rip == 0x401010 &&
		      p.threads[0].regs.orig_rax == 35 && p.threads[1].xstate_size == 832,
	      "threads");
	creds = image_credentials(&p, &p.threads[1]);
	check(creds.uid == 7 && creds.cap_effective == 0x400 && creds.no_new_privs &&
		      creds.nr_groups == 2 && creds.groups[0] == 4 && creds.groups[1] == 50,
	      "a thread with credentials of its own");
	creds = image_credentials(&p, &p.threads[2]);
	check(!p.threads[0].own && !p.threads[2].own && !creds.uid && !creds.no_new_privs,
	      "the others have those of the process");
	check(p.nr_pending == 1 && p.pending[0] == 10 && p.threads[0].nr_pending == 0, "pending");
	check(p.nr_timers == 2 && p.timers[0].id == 0 && p.timers[0].value_ns == 500000000 &&
		      p.timers[1].id == 2 && p.timers[1].clock == -2 && p.timers[1].tid == 43 &&
		      p.timers[1].sigev_value == 0x1122334455667788 && p.timers[1].overrun == 3,
	      "timers");
	check(p.nr_segments == 4 && strcmp(p.segments[2].path, "/lib/big.so") == 0 &&
		      p.segments[3].filesz == 0,
	      "segments");
	check(p.nr_fds == 4 && p.fds[1].file->kind == FILE_SOCKET && p.fds[2].file->deleted &&
		      p.fds[3].file->kind == FILE_PIPE && !p.fds[3].file->deleted &&
		      p.fds[0].file->kind == FILE_DEVICE,
	      "files");
	check(p.nr_auxv == 4 && p.auxv[1] == 4096, "auxv");
	check(image_read_memory(&p, 0x602000, buf, 8192) == 0 && !buf[0] && buf[4096] == 4 &&
		      image_read_memory(&p, 0x6ffff0, buf, 32) == -1 &&
		      image_read_memory(&p, 0x20000000, buf, 32) == 0,
	      "memory");
	arena_free(&arena);
	close(fd);
}

static void test_truncated(bool xnum)
{
	static const struct spec_segment small[] = {
		{ 0x400000, 0x403000, 0x2000, XCKPT_VMA_ANON, 3, "[heap]", 0, 0x2000 },
		{ 0x500000, 0x503000, 0, XCKPT_VMA_ANON, 3, NULL, 0, 0 },
	};
	struct spec spec = plain_spec;
	int fd = memory_file(), good = 0, silent = 0;
	uint64_t size;
	struct bytes head;

	spec.xnum = xnum;
	spec.segments = small;
	spec.nr_segments = 2;
	core_write(fd, &spec);
	head = core_head(&spec, &size);
	free(head.data);
	for (uint64_t len = size; len-- > 0;) {
		struct arena arena = { 0 };
		struct image_process p;

		if (ftruncate(fd, (off_t)len))
			err(1, "ftruncate");
		quiet_begin();
		good += try_read(fd, &arena, &p) == 0;
		silent += !quiet_end()[0];
		arena_free(&arena);
	}
	check(good == 0, "truncation at each of %ju lengths is an error", (uintmax_t)size);
	check(silent == 0, "and a message");
	close(fd);
}

/* As many section headers as one that is none tells. */
static void test_sections(void)
{
	struct arena arena = { 0 };
	struct image_process p;
	Elf64_Ehdr eh;
	const char *said;
	int fd = memory_file(), ret;

	core_write(fd, &plain_spec);
	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh))
		err(1, "pread");
	eh.e_shoff = sizeof(eh);
	eh.e_shnum = 0;
	if (pwrite(fd, &eh, sizeof(eh), 0) != sizeof(eh))
		err(1, "pwrite");
	quiet_begin();
	ret = try_read(fd, &arena, &p);
	said = quiet_end();
	check(ret && strstr(said, "more section headers"), "section headers: '%s'", said);
	arena_free(&arena);
	close(fd);
}

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Read everything that a reader is told it may. */
static uint64_t touch(const struct image_process *p)
{
	uint64_t sum = p->nr_auxv ? p->auxv[p->nr_auxv - 1] : 0;

	for (size_t i = 0; i < p->nr_threads; i++) {
		for (size_t j = 0; j < p->threads[i].xstate_size; j++)
			sum += p->threads[i].xstate[j];
		for (size_t j = 0; j < p->threads[i].nr_pending * XCKPT_SIGINFO_SIZE; j++)
			sum += p->threads[i].pending[j];
	}
	for (size_t j = 0; j < p->nr_pending * XCKPT_SIGINFO_SIZE; j++)
		sum += p->pending[j];
	for (size_t i = 0; i < p->nr_timers; i++)
		sum += p->timers[i].value_ns + p->timers[i].overrun;
	for (size_t i = 0; i < p->nr_segments; i++)
		sum += strlen(p->segments[i].path) + p->segments[i].vma.kind;
	for (size_t i = 0; i < p->nr_fds; i++)
		sum += strlen(p->fds[i].file->path) + strlen(file_kind_name(p->fds[i].file->kind));
	return sum + strlen(p->exe) + strlen(p->cwd) + strlen(p->root) + strlen(p->info.comm);
}

/* Where it hurts: ELF headers, then the heads of notes and of their tables. */
static size_t flip(int fd, const struct bytes *head, size_t *pos)
{
	static const uint32_t words[] = { 0, 1, 4, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0 };
	uint64_t r = next_random();
	uint32_t word = r & 64 ? words[(r >> 8) % 7] : (uint32_t)(r >> 32) % (uint32_t)head->len;
	size_t len = r & 128 ? 4 : 1;

	if (r & 1)
		*pos = next_random() % 512;
	else if (r & 2)
		*pos = 512 + next_random() % 4608;
	else
		*pos = next_random() % (head->len - 4);
	if (len == 4)
		*pos &= ~(size_t)3;
	if (pwrite(fd, &word, len, (off_t)*pos) != (ssize_t)len)
		err(1, "pwrite");
	return len;
}

static void test_flipped(void)
{
	uint64_t size, sum = 0;
	struct bytes head = core_head(&plain_spec, &size);
	int fd = memory_file(), good = 0, rounds = 20000, wrong = 0;

	core_write(fd, &plain_spec);
	for (int i = 0; i < rounds; i++) {
		struct arena arena = { 0 };
		struct image_process p;
		unsigned int flips = 1 + next_random() % 4;
		size_t first = head.len, last = 0;

		for (unsigned int j = 0; j < flips; j++) {
			size_t pos = 0, len = flip(fd, &head, &pos);

			first = pos < first ? pos : first;
			last = pos + len > last ? pos + len : last;
		}
		quiet_begin();
		if (try_read(fd, &arena, &p) == 0) {
			good++;
			sum += touch(&p);
			wrong += quiet_end()[0] != 0;
		} else {
			wrong += !quiet_end()[0];
		}
		arena_free(&arena);
		if (pwrite(fd, head.data + first, last - first, (off_t)first) < 0)
			err(1, "pwrite");
	}
	check(wrong == 0,
	      "%d times flipped bytes: %d accepted, each other one with a message (%jx)", rounds,
	      good, (uintmax_t)sum);
	free(head.data);
	close(fd);
}

static void test_segments(void)
{
	static const struct {
		struct spec_segment segments[2];
		const char *message;
	} cases[] = {
		{ { { 0x1000, 0x3000, 0x2000 }, { 0x2000, 0x4000, 0 } }, "overlap" },
		{ { { 0x1000, 0x1800, 0x800 }, { 0x2000, 0x4000, 0 } }, "page-aligned" },
		{ { { 0x1000, 0x3000, 0x4000 }, { 0x5000, 0x6000, 0 } }, "larger in the file" },
		{ { { 0x1000, 0x3000, 0x1000 }, { 0xffffffffff600000, 0xffffffffff601000, 0 } },
		  "outside user" },
		{ { { 0x1000, 0x1000, 0 }, { 0x5000, 0x6000, 0 } }, "outside user" },
		{ { { 0x1000, 0x2000, 0x1000, 99 }, { 0x5000, 0x6000, 0 } }, "unknown kind" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spec spec = plain_spec;
		struct arena arena = { 0 };
		struct image_process p;
		int fd = memory_file(), ret;
		const char *said;

		spec.segments = cases[i].segments;
		spec.nr_segments = 2;
		core_write(fd, &spec);
		quiet_begin();
		ret = try_read(fd, &arena, &p);
		said = quiet_end();
		check(ret == -1 && strstr(said, cases[i].message), "bad segments: %s",
		      cases[i].message);
		arena_free(&arena);
		close(fd);
	}
}

struct timer_case {
	struct xckpt_timer timers[2];
	uint32_t size, told;
	const char *message;
};

#define TIMER(...)                                                                                 \
	{                                                                                          \
		.signo = 14, __VA_ARGS__                                                           \
	}

static void test_timer_case(const struct timer_case *c)
{
	struct spec spec = plain_spec;
	struct arena arena = { 0 };
	struct image_process p;
	int fd = memory_file(), ret;
	const char *said;

	spec.timers = c->timers;
	spec.timer_size = c->size;
	spec.timers_told = c->told;
	core_write(fd, &spec);
	quiet_begin();
	ret = try_read(fd, &arena, &p);
	said = quiet_end();
	check(ret == -1 && strstr(said, c->message), "bad timers: %s: %s", c->message, said);
	arena_free(&arena);
	close(fd);
}

static void test_timers(void)
{
	static const struct timer_case cases[] = {
		{ { TIMER(.id = 0), TIMER(.id = 1) }, 0, 3, "exceeds its note" },
		{ { TIMER(.id = 0), TIMER(.id = 1) }, 0, 0xffffffff, "exceeds its note" },
		{ { TIMER(.id = 0), TIMER(.id = 1) }, 48, 0, "exceeds its note" },
		{ { TIMER(.id = 0), TIMER(.id = 1) }, 0xfffffff0, 0, "exceeds its note" },
		{ { TIMER(.id = 0), TIMER(.id = 1) }, 0, 1, "timers are missing" },
		{ { TIMER(.id = -1), TIMER(.id = 1) }, 0, 0, "not in order" },
		{ { TIMER(.id = 1), TIMER(.id = 1) }, 0, 0, "not in order" },
		{ { TIMER(.id = 0), TIMER(.id = 1, .notify = 3) }, 0, 0, "impossible way" },
		{ { TIMER(.id = 0), { .id = 1, .signo = 65 } }, 0, 0, "impossible number" },
		{ { TIMER(.id = 0), { .id = 1 } }, 0, 0, "impossible number" },
		{ { TIMER(.id = 0), TIMER(.id = 1, .notify = 4) }, 0, 0, "impossible thread" },
		{ { TIMER(.id = 0), TIMER(.id = 1, .value_ns = 1ull << 63) },
		  0,
		  0,
		  "impossible time" },
		{ { TIMER(.id = 0), TIMER(.id = 1, .interval_ns = ~0ull) },
		  0,
		  0,
		  "impossible time" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_timer_case(&cases[i]);
}

static void test_good_guards(void)
{
	static const struct xckpt_guard guards[] = { { 0x400000, 0x401000 },
						     { 0x401000, 0x402000 },
						     { 0x6ff000, 0x700000 } };
	struct spec spec = plain_spec;
	struct arena arena = { 0 };
	struct image_process p;
	int fd = memory_file();

	spec.guards = guards;
	spec.nr_guards = 3;
	core_write(fd, &spec);
	if (check(try_read(fd, &arena, &p) == 0, "guard regions"))
		check(p.nr_guards == 3 && p.segments[0].nr_guards == 2 &&
			      p.segments[0].guards == p.guards && p.segments[1].nr_guards == 1 &&
			      p.segments[1].guards->start == 0x6ff000 && !p.segments[2].nr_guards,
		      "each belongs to its mapping");
	arena_free(&arena);
	close(fd);
}

static void test_guards(void)
{
	static const struct spec_segment segments[] = {
		{ 0x400000, 0x402000, 0, XCKPT_VMA_ANON, 3, NULL, 0, 0, 0 },
		{ 0x402000, 0x403000, 0, XCKPT_VMA_ANON, 1, NULL, 0, 0, 0 },
		{ 0x500000, 0x501000, 0, XCKPT_VMA_VDSO, 1, NULL, 0, 0, 0 },
	};
	static const struct {
		struct xckpt_guard guards[2];
		const char *message;
	} cases[] = {
		{ { { 0x400000, 0x400800 }, { 0x401000, 0x402000 } }, "is not of pages" },
		{ { { 0x400000, 0x400000 }, { 0x401000, 0x402000 } }, "is not of pages" },
		{ { { 0x401000, 0x402000 }, { 0x400000, 0x401000 } }, "are not in order" },
		{ { { 0x400000, 0x402000 }, { 0x401000, 0x402000 } }, "are not in order" },
		{ { { 0x400000, 0x401000 }, { 0x401000, 0x403000 } }, "is not in a mapping" },
		{ { { 0x3ff000, 0x400000 }, { 0x401000, 0x402000 } }, "is not in a mapping" },
		{ { { 0x400000, 0x401000 }, { ~0xfffull, ~0ull << 13 } }, "is not of pages" },
		{ { { 0x400000, 0x401000 }, { ~0x1fffull, ~0xfffull } }, "is not in a mapping" },
		{ { { 0x400000, 0x401000 }, { 0x500000, 0x501000 } }, "can have none" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spec spec = plain_spec;
		struct arena arena = { 0 };
		struct image_process p;
		int fd = memory_file(), ret;
		const char *said;

		spec.segments = segments;
		spec.nr_segments = 3;
		spec.guards = cases[i].guards;
		spec.nr_guards = 2;
		core_write(fd, &spec);
		quiet_begin();
		ret = try_read(fd, &arena, &p);
		said = quiet_end();
		check(ret == -1 && strstr(said, cases[i].message), "bad guard regions: %s: %s",
		      cases[i].message, said);
		arena_free(&arena);
		close(fd);
	}
}

static void test_other(void)
{
	struct spec spec = plain_spec;
	struct arena arena = { 0 };
	struct image_process p;
	int fd = memory_file(), ret;
	const char *said;

	spec.machine = EM_AARCH64;
	core_write(fd, &spec);
	quiet_begin();
	ret = try_read(fd, &arena, &p);
	said = quiet_end();
	check(ret == -1 && strstr(said, "42.core is a core of aarch64, not of x86-64"),
	      "another machine: %s", said);
	if (ftruncate(fd, 0) || pwrite(fd, "#!/bin/sh\n", 10, 0) != 10)
		err(1, "pwrite");
	quiet_begin();
	ret = try_read(fd, &arena, &p);
	said = quiet_end();
	check(ret == -1 && strstr(said, "is not an ELF core"), "no core: %s", said);
	arena_free(&arena);
	close(fd);
}

int main(void)
{
	test_good(false);
	test_good(true);
	test_truncated(false);
	test_truncated(true);
	test_segments();
	test_timers();
	test_good_guards();
	test_guards();
	test_other();
	test_sections();
	test_flipped();
	return check_end();
}
