// SPDX-License-Identifier: GPL-2.0-or-later
/* The self-check of mappings, with made-up texts of /proc: maps and smaps. */
#include "check_synth.h"

static const char lines[] = "00401000-00402000 r-xp 00000000 fd:00 7 " CORE "\n"
			    "00600000-00610000 rw-p 00000000 00:00 0 [heap]\n"
			    "00610000-00621000 rw-p 00000000 00:00 0 \n"
			    "7fffff7ff000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n"
			    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";

/* @lines with @instead in the place of @text, and where the restorer is. */
static const char *maps_text(const char *text, const char *instead)
{
	static char maps[2048];
	const char *at = strstr(lines, text);
	unsigned long long hole = c.process->hole;

	snprintf(maps, sizeof(maps),
		 "%llx-%llx r-xp 00000000 00:01 9 /memfd:restorer (deleted)\n%.*s%s%s", hole,
		 hole + 4096, (int)(at - lines), lines, instead, at + strlen(text));
	return maps;
}

static void test_maps(void)
{
	begin(ENGINE_NATIVE);
	look();
	ok(!check_maps(&c, maps_text("", "")),
	   "the same mappings, cut otherwise, are no difference; nor is the restorer");
	ok(differs(check_maps(&c, maps_text("r-xp 00000000 fd", "r--p 00000000 fd")),
		   "the mapping at 0x401000 is 401000-402000 r--p 0 /img/42.core, it was "
		   "401000-402000 r-xp 0 /img/42.core"),
	   "another protection is");
	ok(differs(check_maps(&c,
			      maps_text("00600000-00610000 rw-p 00000000 00:00 0 [heap]\n", "")),
		   "the mapping at 0x600000 is not there, it was 600000-621000 rw-p 0 anonymous"),
	   "a hole in the heap");
	ok(differs(check_maps(&c, maps_text("7fffff7ff000-",
					    "700000-701000 rw-p 00000000 00:00 0 \n7fffff7ff000-")),
		   "the mapping at 0x700000 is 700000-701000 rw-p 0 anonymous, it was not there"),
	   "a mapping too many");
	ok(differs(check_maps(&c, maps_text("00000000 fd:00 7", "00001000 fd:00 7")),
		   "the mapping at 0x401000 is 401000-402000 r-xp 1000 /img/42.core, it was "
		   "401000-402000 r-xp 0 /img/42.core"),
	   "another part of the file");
	ok(differs(check_maps(&c, maps_text(CORE, "/img/43.core")),
		   "the mapping at 0x401000 is 401000-402000 r-xp 0 /img/43.core, it was "
		   "401000-402000 r-xp 0 /img/42.core"),
	   "another file");
	ok(differs(check_maps(&c, maps_text("rw-p 00000000 00:00 0 [stack]",
					    "rw-s 00000000 00:01 8 /memfd:xckpt (deleted)")),
		   "the mapping at 0x7fffff7ff000 is 7fffff7ff000-7ffffffff000 rw-s 0 /memfd:xckpt "
		   "(deleted), it was 7fffff7ff000-7ffffffff000 rw-p 0 anonymous"),
	   "shared memory in the place of one's own");
	end();
}

#define SHARED "rw-s 00000000 00:01 "
#define SHARED_NAME " /dev/zero (deleted)\n"
#define FIRST(inode) "00300000-00301000 " SHARED inode SHARED_NAME
#define SECOND(inode) "00302000-00303000 " SHARED inode SHARED_NAME

static struct image_process processes[2];
static struct segment segments[2][SYNTH_MAX];

/* Two programs that each have a page of the memory objects @first and @second. */
static void begin_shared(enum engine_kind kind, const uint64_t first[2], const uint64_t second[2])
{
	const uint32_t flags =
		XCKPT_VMA_READ | XCKPT_VMA_WRITE | XCKPT_VMA_SHARED | XCKPT_VMA_DELETED;
	size_t i, n;

	begin(kind);
	for (i = 0; i < 2; i++)
		synth_segment(&s, 0x300000 + i * 0x2000, 0x301000 + i * 0x2000, XCKPT_VMA_SHMEM,
			      flags)
			->path = "/dev/zero (deleted)";
	for (i = 0; i < 2; i++) {
		processes[i] = s.p;
		processes[i].info.pid += (int)i;
		n = s.p.nr_segments;
		memcpy(segments[i], s.segments + n - 2, 2 * sizeof(*s.segments));
		memcpy(segments[i] + 2, s.segments, (n - 2) * sizeof(*s.segments));
		for (n = 0; n < s.p.nr_segments; n++)
			segments[i][n].holder = &processes[0];
		segments[i][0].vma.ino = first[i];
		segments[i][1].vma.ino = second[i];
		processes[i].segments = segments[i];
	}
	processes[1].info.ppid = 42;
	s.img.processes = processes;
	s.img.nr_processes = 2;
	look();
	c.image = &processes[0];
}

static int check_shared(int process, const char *maps)
{
	c.process = &plan->processes[process];
	c.image = &processes[process];
	return check_maps(&c, maps_text("00401000", maps));
}

#define OWN " is of memory of its own, it was of memory that other mappings have, too"
#define OTHERS " is of memory that other mappings have, too, it was of memory of its own"

/* Which memory it is is only told by its being the same elsewhere. */
static void test_shared(void)
{
	static const uint64_t seven[2] = { 7, 7 }, eight[2] = { 8, 8 }, both[2] = { 7, 8 };
	static const char *const text = FIRST("90") SECOND("91") "00401000";

	begin_shared(ENGINE_NATIVE, seven, eight);
	ok(!check_shared(0, text) && !check_shared(1, text), "two objects in two processes");
	ok(differs(check_shared(1, FIRST("90") SECOND("92") "00401000"),
		   "the mapping at 0x302000" OWN),
	   "one that another process has as another one");
	ok(differs(check_shared(1, FIRST("91") SECOND("90") "00401000"),
		   "the mapping at 0x300000" OWN),
	   "the other's");
	end();
	look();
	ok(differs(check_shared(0, FIRST("90") SECOND("90") "00401000"),
		   "the mapping at 0x302000" OTHERS),
	   "two that are one");
	end();
	begin_shared(ENGINE_NATIVE, seven, seven);
	ok(!check_shared(0, FIRST("90") SECOND("90") "00401000"), "one that is mapped twice");
	ok(differs(check_shared(1, FIRST("90") SECOND("91") "00401000"),
		   "the mapping at 0x302000" OWN),
	   "but not where it is two");
	end();
	begin_shared(ENGINE_NATIVE, both, seven);
	processes[1].segments[1].vma.ino = 9;
	ok(!check_shared(0, FIRST("90") SECOND("90") "00401000"), "of two processes");
	ok(differs(check_shared(1, FIRST("90") SECOND("91") "00401000"),
		   "the mapping at 0x300000" OTHERS),
	   "each has its own, and it is the other's");
	end();
}

/* As such they are no mappings; closed memory is. */
static void test_guards(void)
{
	static const struct xckpt_guard guards[] = { { 0x602000, 0x604000 },
						     { 0x7ffffffde000, 0x7ffffffdf000 } };
	static const char open[] = "00600000-00610000 rw-p 00000000 00:00 0 [heap]\n",
			  closed[] = "00600000-00602000 rw-p 00000000 00:00 0 [heap]\n"
				     "00602000-00604000 ---p 00000000 00:00 0 [heap]\n"
				     "00604000-00610000 rw-p 00000000 00:00 0 [heap]\n",
			  stack[] = "7fffff7ff000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n",
			  cut[] = "7fffff7ff000-7ffffffde000 rw-p 00000000 00:00 0 [stack]\n"
				  "7ffffffde000-7ffffffdf000 ---p 00000000 00:00 0 [stack]\n"
				  "7ffffffdf000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n";

	begin(ENGINE_NATIVE);
	s.p.guards = s.p.segments[1].guards = guards;
	s.p.segments[2].guards = guards + 1;
	s.p.nr_guards = 2;
	s.p.segments[1].nr_guards = s.p.segments[2].nr_guards = 1;
	s.engine.can.flags |= PROBE_GUARD;
	look();
	ok(!check_maps(&c, maps_text("", "")), "guard regions are no mappings");
	ok(differs(check_maps(&c, maps_text(open, closed)),
		   "the mapping at 0x600000 is 600000-602000 rw-p 0 anonymous, it was "
		   "600000-621000 rw-p 0 anonymous"),
	   "closed memory is another thing");
	end();
	s.engine.can.flags &= ~PROBE_GUARD;
	look();
	ok(differs(check_maps(&c, maps_text("", "")),
		   "the mapping at 0x600000 is 600000-621000 rw-p 0 anonymous, it was "
		   "600000-602000 rw-p 0 anonymous"),
	   "without any it is expected in their place");
	ok(differs(check_maps(&c, maps_text(open, closed)),
		   "the mapping at 0x7fffff7ff000 is 7fffff7ff000-7ffffffff000 rw-p 0 anonymous, "
		   "it was 7fffff7ff000-7ffffffde000 rw-p 0 anonymous"),
	   "in each");
	end();
	s.p.segments[2].nr_guards = 0;
	look();
	ok(!check_maps(&c, maps_text(open, closed)), "and is no difference then");
	end();
	s.p.segments[1].nr_guards = 0;
	s.p.segments[2].nr_guards = 1;
	look();
	ok(!check_maps(&c, maps_text(stack, cut)), "at the begin of a stack that has room below");
	end();
}

static const char *smaps_text(const char *size, const char *flags)
{
	static char text[1024];

	snprintf(text, sizeof(text),
		 "00400000-00401000 rw-p 00000000 00:00 0 \nSize: 4 kB\nKernelPageSize: 4 kB\n"
		 "VmFlags: rd wr mr lo \n40000000-40400000 rw-p 00000000 00:0f 9 "
		 "/anon_hugepage (deleted)\nAnonymous: 0 kB\nKernelPageSize:     %s kB\n"
		 "VmFlags: rd wr ht%s\n50000000-50001000 rw-p 00000000 00:00 0 \n"
		 "KernelPageSize: 4 kB\nVmFlags: rd wr \n",
		 size, flags);
	return text;
}

static void test_smaps(void)
{
	static const struct huge_pages have = { .shift = 21, .free = 2 };
	struct segment *seg;

	begin(ENGINE_NATIVE);
	look();
	ok(!check_needs_smaps(&c), "a program without any needs no smaps");
	plan_free(plan);
	seg = synth_segment(&s, 0x40000000, 0x40400000, XCKPT_VMA_HUGETLB,
			    XCKPT_VMA_READ | XCKPT_VMA_LOCKED | XCKPT_VMA_DONTFORK);
	seg->vma.page_shift = 21;
	s.host.huge = &have;
	s.host.nr_huge = 1;
	look();
	ok(check_needs_smaps(&c) && !check_smaps(&c, smaps_text("2048", " dc lo ")),
	   "pages of the same size, with what was told about them");
	ok(differs(check_smaps(&c, smaps_text("4", " dc lo ")),
		   "the page size (kB) of the mapping at 0x40000000 is 4, it was 2048"),
	   "of another size");
	ok(differs(check_smaps(&c, smaps_text("2048", " lo ")),
		   "MADV_DONTFORK for the mapping at 0x40000000 is not there, it was there"),
	   "without it");
	ok(differs(check_smaps(&c, smaps_text("2048", " dc")),
		   "mlock() for the mapping at 0x40000000 is not there, it was there"),
	   "or not locked");
	end();
}

int main(void)
{
	test_maps();
	test_shared();
	test_guards();
	test_smaps();
	return tap_end();
}
