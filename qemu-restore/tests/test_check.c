// SPDX-License-Identifier: GPL-2.0-or-later
/* The self-check, with made-up texts of /proc: what is the same passes, what is not is named. */
#include <fcntl.h>

#include "check.h"
#include "synth.h"
#include "tap.h"

#define CORE "/img/42.core"

static struct synth s;
static bool told[4096];
static struct check c;
static struct plan *plan;
static char *cores[] = { CORE, CORE };

static void begin(enum engine_kind kind)
{
	synth_init(&s, kind);
	synth_program(&s);
	memset(told, 0, sizeof(told));
	s.host.cap_permitted = s.host.cap_bset = 0x1ffffffffff;
	s.p.info.cap_permitted = s.p.info.cap_effective = s.p.info.cap_bset = 0x1ffffffffff;
	s.p.info.umask = 022;
	strcpy(s.p.info.comm, "prog");
}

/* When the image is what the test wants. */
static void look(void)
{
	plan = plan_make(&s.img, &s.engine, &s.host);
	c = (struct check){ .plan = plan,
			    .process = plan->processes,
			    .image = &s.p,
			    .told = told,
			    .cores = cores,
			    .mem = -1 };
}

static void end(void)
{
	check_maps_end(&c);
	free(c.text.bytes);
	plan_free(plan);
}

/* What is wrong is told in these words. */
static bool differs(int ret, const char *text)
{
	bool good = ret == -1 && !strcmp(c.difference, text);

	if (!good)
		printf("# %d: \"%s\"\n", ret, c.difference);
	return good;
}

static char *status_text(const char *umask, const char *uid, const char *ignored,
			 const char *pending, const char *effective)
{
	static char text[1024];

	snprintf(text, sizeof(text),
		 "Name:\tprog\nUmask:\t%s\nState:\tS (sleeping)\nUid:\t%s\nGid:\t0\t0\t0\t0\n"
		 "Groups:\t4 24 \nNStgid:\t42\nSigPnd:\t0000000000000000\nShdPnd:\t%s\n"
		 "SigBlk:\tfffffffe7ffbfeff\nSigIgn:\t%s\nSigCgt:\t0000000000004002\n"
		 "CapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t%s\n"
		 "CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n"
		 "Seccomp:\t0\n",
		 umask, uid, pending, ignored, effective);
	return text;
}

#define NO_SIGNALS "0000000000000000"
#define IGNORES_PIPE "0000000000001000"
#define ALL_CAPS "000001ffffffffff"

static void test_status(void)
{
	static const uint32_t groups[] = { 4, 24, 27 };
	uint8_t pending[XCKPT_SIGINFO_SIZE] = { 10 };

	begin(ENGINE_NATIVE);
	s.p.groups = groups;
	s.p.nr_groups = 2;
	s.p.sigaction[12].handler = 1; /* SIGPIPE */
	s.p.sigaction[1].handler = s.p.sigaction[14].handler = 0x401000; /* SIGINT, SIGTERM */
	look();
	ok(!check_status(&c, s.threads,
			 status_text("0022", "0\t0\t0\t0", IGNORES_PIPE, NO_SIGNALS, ALL_CAPS)),
	   "the same status is no difference");
	ok(differs(check_status(
			   &c, s.threads,
			   status_text("0002", "0\t0\t0\t0", IGNORES_PIPE, NO_SIGNALS, ALL_CAPS)),
		   "Umask is 02, it was 022"),
	   "another umask is one");
	ok(differs(check_status(
			   &c, s.threads,
			   status_text("0022", "0\t7\t0\t0", IGNORES_PIPE, NO_SIGNALS, ALL_CAPS)),
		   "Uid is 0/7/0/0, it was 0/0/0/0"),
	   "another user");
	ok(differs(check_status(
			   &c, s.threads,
			   status_text("0022", "0\t0\t0\t0", NO_SIGNALS, NO_SIGNALS, ALL_CAPS)),
		   "SigIgn is 0, it was 0x1000"),
	   "a signal that is not ignored");
	ok(differs(check_status(&c, s.threads,
				status_text("0022", "0\t0\t0\t0", IGNORES_PIPE, NO_SIGNALS,
					    "0000000000000000")),
		   "CapEff is 0, it was 0x1ffffffffff"),
	   "lost capabilities");
	ok(differs(check_status(&c, s.threads,
				status_text("0022", "0\t0\t0\t0", IGNORES_PIPE, "0000000000010000",
					    ALL_CAPS)),
		   "ShdPnd is 0x10000, it was 0"),
	   "a SIGCHLD that came of the resume");
	ok(!check_status(
		   &c, s.threads,
		   status_text("0022", "0\t0\t0\t0", IGNORES_PIPE, "0000000000000002", ALL_CAPS)),
	   "but not a SIGINT that came from outside");
	s.p.pending = pending;
	s.p.nr_pending = 1;
	ok(differs(check_status(
			   &c, s.threads,
			   status_text("0022", "0\t0\t0\t0", IGNORES_PIPE, NO_SIGNALS, ALL_CAPS)),
		   "ShdPnd is 0, it was 0x200"),
	   "a pending signal that is lost");
	s.p.nr_pending = 0;
	s.p.nr_groups = 3;
	c.tid = 43;
	ok(differs(check_status(
			   &c, s.threads,
			   status_text("0022", "0\t0\t0\t0", IGNORES_PIPE, NO_SIGNALS, ALL_CAPS)),
		   "thread 43: Groups is 4 24 , it was another list"),
	   "a group that is missing, in a thread");
	end();
}

static void test_status_elsewhere(void)
{
	char *text;

	begin(ENGINE_QEMU);
	s.p.sigaction[12].handler = 1;
	s.p.sigaction[40].handler = s.p.sigaction[10].handler = 0x401000;
	s.host.nr_groups = 2;
	s.host.root = false;
	s.host.uid = s.p.info.uid = s.p.info.euid = s.p.info.suid = 1000;
	look();
	text = status_text("0022", "1000\t1000\t1000\t1000", IGNORES_PIPE, "0000000000010000",
			   NO_SIGNALS);
	memcpy(strstr(text, "CapPrm:\t") + 8, NO_SIGNALS, 16);
	ok(!check_status(&c, s.threads, text),
	   "a user under QEMU: no capabilities, its own groups, a QEMU's signals");
	memcpy(strstr(text, "SigIgn:\t") + 8, NO_SIGNALS, 16);
	ok(differs(check_status(&c, s.threads, text), "SigIgn is 0, it was 0x1000"),
	   "but what is ignored is ignored");
	end();
}

static const char *stat_text(const char *comm, int parent, int nice, int policy)
{
	static char text[1024];

	snprintf(text, sizeof(text),
		 "42 (%s) S %d 42 41 34816 42 4194304 1 2 3 4 5 6 7 8 20 %d 1 0 100 200 300 "
		 "18446744073709551615 4194304 4198400 140737488346784 0 0 0 0 0 0 0 0 0 17 1 0 %d "
		 "0 0 0 6291456 6295552 6291456 1 2 3 4 0\n",
		 comm, parent, nice, policy);
	return text;
}

static void test_stat(void)
{
	struct birth birth = { .ppid = 40, .pgid = 42, .sid = 41 };
	size_t i;

	begin(ENGINE_NATIVE);
	s.threads->info.nice = 5;
	s.p.mm = (struct xckpt_note_mm){ .start_code = 4194304,
					 .end_code = 4198400,
					 .start_stack = 140737488346784,
					 .start_data = 6291456,
					 .end_data = 6295552,
					 .start_brk = 6291456,
					 .arg_start = 1,
					 .arg_end = 2,
					 .env_start = 3,
					 .env_end = 4 };
	look();
	ok(!check_stat(&c, s.threads, stat_text("prog", 40, 5, 0)) &&
		   !check_ids(&c, &birth, stat_text("prog", 40, 5, 0)),
	   "the same stat is no difference");
	ok(differs(check_stat(&c, s.threads, stat_text("a) S 1", 40, 5, 0)),
		   "comm is a) S 1, it was prog"),
	   "another name, even a strange one");
	ok(differs(check_stat(&c, s.threads, stat_text("prog", 40, -3, 0)), "nice is -3, it was 5"),
	   "another nice value");
	for (i = 0; i < plan->nr_ops; i++)
		told[i] = plan->ops[i].kind == OP_SYSCALL && plan->ops[i].nr == NR_SETPRIORITY;
	ok(!check_stat(&c, s.threads, stat_text("prog", 40, -3, 0)),
	   "unless it could not be set and that was told");
	ok(differs(check_stat(&c, s.threads, stat_text("prog", 40, 5, 3)),
		   "scheduling policy is 3, it was 0"),
	   "another policy");
	ok(differs(check_ids(&c, &birth, stat_text("prog", 1, 5, 0)), "its parent is 1, it was 40"),
	   "another parent");
	s.p.mm.env_end = 5;
	ok(differs(check_ids(&c, &birth, stat_text("prog", 40, 5, 0)),
		   "env_end is 0x4, it was 0x5"),
	   "another layout");
	end();
}

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

static const char *fdinfo_text(unsigned int pos, unsigned int flags)
{
	static char text[128];

	snprintf(text, sizeof(text), "pos:\t%u\nflags:\t0%o\nmnt_id:\t21\nino:\t7\n", pos, flags);
	return text;
}

static void test_fdinfo(void)
{
	const struct plan_op own = { .kind = OP_OWN };
	const struct plan_op other = { .kind = OP_OPEN, .arg = { 0, 0, 0, CHECK_CREATE } };
	struct open_file *f;

	begin(ENGINE_NATIVE);
	f = synth_file(&s, FILE_REGULAR, "/tmp/log", 02001); /* O_WRONLY | O_APPEND */
	f->pos = 7;
	synth_fd(&s, 5, f, true);
	look();
	ok(!check_fdinfo(&c, s.fds, NULL, fdinfo_text(7, O_WRONLY | O_APPEND | O_CLOEXEC)),
	   "the same flags and position are no difference");
	ok(differs(check_fdinfo(&c, s.fds, NULL, fdinfo_text(8, O_WRONLY | O_APPEND | O_CLOEXEC)),
		   "the position of fd 5 is 8, it was 7"),
	   "another position is");
	ok(differs(check_fdinfo(&c, s.fds, NULL, fdinfo_text(7, O_WRONLY | O_APPEND)),
		   "the close-on-exec flag of fd 5 is 0, it was 1"),
	   "no close-on-exec");
	ok(differs(check_fdinfo(&c, s.fds, NULL, fdinfo_text(7, O_WRONLY | O_CLOEXEC)),
		   "the flags of fd 5 is 01, it was 02001"),
	   "no O_APPEND");
	ok(!check_fdinfo(&c, s.fds, &own, fdinfo_text(9, O_RDWR | O_CLOEXEC)) &&
		   !check_fdinfo(&c, s.fds, &other, fdinfo_text(0, O_WRONLY | O_CLOEXEC)),
	   "what stands for it has flags and a position of its own");
	end();
}

int main(void)
{
	test_status();
	test_status_elsewhere();
	test_stat();
	test_maps();
	test_shared();
	test_guards();
	test_smaps();
	test_fdinfo();
	return tap_end();
}
