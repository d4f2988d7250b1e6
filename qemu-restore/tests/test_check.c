// SPDX-License-Identifier: GPL-2.0-or-later
/* The self-check, with made-up texts of /proc: what is the same passes, what is not is named. */
#include <fcntl.h>

#include "check_synth.h"

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
	test_fdinfo();
	return tap_end();
}
