// SPDX-License-Identifier: GPL-2.0-or-later
/* Pseudo-terminals: what is planned for them, and what the launcher makes of it. */
#include <asm/termbits.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "check.h"
#include "report.h"
#include "synth.h"
#include "tap.h"

static struct synth s;
static struct terminal terminal;
static struct open_file *master, *slave;

/* A master that process 42 has, whose session has the slave, and some modes. */
static void begin(void)
{
	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	terminal = (struct terminal){ .index = 900000,
				      .opened = true,
				      .end = true,
				      .iflag = 0x500, /* ICRNL, IXON */
				      .oflag = 5,
				      .cflag = 0xbf, /* 38400 baud, CS8, CREAD */
				      .lflag = 0xa33, /* all but ECHO and IEXTEN */
				      .ispeed = 38400,
				      .ospeed = 38400,
				      .chars = { 7, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26 },
				      .rows = 17,
				      .columns = 71,
				      .width = 1,
				      .height = 2 };
	master = synth_file(&s, FILE_DEVICE, "/dev/ptmx", X86_O_RDWR | 04000);
	master->rdev = PTMX_RDEV;
	master->terminal = &terminal;
	synth_fd(&s, 3, master, true);
	slave = synth_file(&s, FILE_TTY, "/dev/pts/900000", X86_O_RDWR);
	slave->rdev = 0x8803;
	slave->master = master->id;
	synth_fd(&s, 4, slave, false);
}

static struct plan *make(void)
{
	return plan_make(&s.img, &s.engine, &s.host);
}

static void lead_session(void)
{
	s.p.info.pgid = s.p.info.sid = s.p.info.pid;
	s.p.info.flags = XCKPT_PROCESS_TTY;
	terminal.session = s.p.info.sid;
	terminal.foreground = s.p.info.pgid;
}

static void test_sides(void)
{
	const struct plan_op *made, *reopened, *modes;
	struct plan *plan;

	begin();
	plan = make();
	made = find_op(plan, OP_TERMINAL, 0);
	reopened = find_op(plan, OP_REOPEN, 0);
	modes = find_op(plan, OP_MODES, 0);
	ok(!plan->nr_issues && count_ops(plan, OP_TERMINAL) == 1 && !count_ops(plan, OP_OWN) &&
		   !count_ops(plan, OP_OPEN),
	   "a pseudo-terminal is made");
	ok(made && reopened && reopened->arg[1] == made->arg[1] && made < reopened &&
		   reopened < modes,
	   "its slave is opened then, and modes come last");
	ok(count_ops(plan, OP_PLACE) == 2, "both get their numbers");
	plan_free(plan);
	slave->path = "/dev/tty";
	plan = make();
	ok(count_ops(plan, OP_OPEN_TTY) == 1 && !count_ops(plan, OP_REOPEN),
	   "/dev/tty is opened as such");
	plan_free(plan);
	s.p.nr_fds = 1;
	terminal.opened = false;
	plan = make();
	ok((made = find_op(plan, OP_TERMINAL, 0)) && made->arg[1] == ~0ull,
	   "a slave that nobody opened stays so");
	plan_free(plan);
}

static void test_front(void)
{
	struct plan *plan;

	begin();
	s.p.nr_fds = 0;
	s.img.front = &terminal;
	plan = make();
	ok(!count_ops(plan, OP_FRONT), "modes are for nobody where there is no terminal");
	plan_free(plan);
	s.host.tty[1] = true;
	plan = make();
	ok(count_ops(plan, OP_FRONT) == 1, "and else for that of qemu-resume");
	plan_free(plan);
	s.p.nr_fds = 2;
	lead_session();
	plan = make();
	ok(!count_ops(plan, OP_FRONT), "but not where the program has one of its own");
	plan_free(plan);
	begin();
	s.host.tty[0] = true;
	plan = make();
	ok(!count_ops(plan, OP_FRONT), "or was in the background");
	plan_free(plan);
}

static void test_outside(void)
{
	const char *override[] = { NULL, NULL, NULL, "/tmp/typescript" };
	struct plan *plan;

	begin();
	slave->master = 0;
	plan = make();
	ok(count_ops(plan, OP_TERMINAL) == 1 && has_issue(plan, "leads out of the image"),
	   "a terminal whose master is elsewhere is not its slave");
	plan_free(plan);
	begin();
	lead_session();
	s.host.override = override;
	s.host.nr_override = 4;
	plan = make();
	ok(!count_ops(plan, OP_TERMINAL) && !count_ops(plan, OP_TAKE_TERMINAL) &&
		   has_issue(plan, "fd 4 is /dev/pts/900000, which leads out of the image"),
	   "nor is one whose master is replaced by a file");
	plan_free(plan);
}

/* The births of the plan, "what" after "what", without the meetings. */
static const char *births(const struct plan *plan)
{
	static char text[2048];
	size_t i, n = 0;

	text[0] = 0;
	for (i = 0; i < plan->nr_ops; i++)
		if (plan->ops[i].kind >= OP_FORK && plan->ops[i].kind <= OP_EXIT &&
		    plan->ops[i].kind != OP_MEET)
			n += snprintf(text + n, sizeof(text) - n, "%d %s; ", plan->ops[i].tid,
				      plan_op_text(plan, &plan->ops[i]));
	return text;
}

static void expect(const char *want, const char *what)
{
	struct plan *plan = make();
	bool good = !plan->nr_issues && !strcmp(births(plan), want);

	ok(good, what);
	if (!good)
		printf("# %s\n# %s\n", plan->nr_issues ? plan->issues[0].text : "", births(plan));
	plan_free(plan);
}

static struct image_process both[2];
static struct segment segments[2][SYNTH_MAX];

/* Process 42 and a child of it in its session, without the terminal. */
static void add_child(void)
{
	static const bool exist[2] = { true, true };
	size_t i, j;

	for (i = 0; i < 2; i++) {
		both[i] = s.p;
		both[i].segments = memcpy(segments[i], s.segments, sizeof(segments[i]));
		for (j = 0; j < both[i].nr_segments; j++)
			both[i].segments[j].holder = &both[i];
	}
	both[1].info.pid = 50;
	both[1].info.ppid = 42;
	both[1].info.flags = 0;
	both[1].nr_fds = 0;
	s.img.processes = both;
	s.img.nr_processes = 2;
	s.host.exe_exists = exist;
}

static void test_session(void)
{
	begin();
	lead_session();
	expect("0 clone3({set_tid=42}); 42 setsid(); 42 ioctl(slot 1, TIOCSCTTY); "
	       "42 tcsetpgrp(slot 1, 42); ",
	       "who leads its session takes it");
	terminal.foreground = 0;
	expect("0 clone3({set_tid=42}); 42 setsid(); 42 ioctl(slot 1, TIOCSCTTY); "
	       "42 clone3({set_tid=300}); 42 tcsetpgrp(slot 1, 300); 42 waitpid(300); "
	       "300 setpgid(0, 300); 300 _exit(0); ",
	       "a group in front that nobody is in is one of somebody who ends");
	terminal.foreground = 42;
	add_child();
	expect("0 clone3({set_tid=42}); 42 setsid(); 42 ioctl(slot 1, TIOCSCTTY); "
	       "42 clone3({set_tid=50}); 42 tcsetpgrp(slot 1, 42); "
	       "50 ioctl(slot 1, TIOCNOTTY); ",
	       "one of its children may have given it up");
}

/* What is wrong with what was made is told in words that begin so. */
static void differs(struct check *c, const char *text, const char *what)
{
	int ret = check_terminals(c);
	bool good = ret == -1 && !strncmp(c->difference, text, strlen(text));

	ok(good, what);
	if (!good)
		printf("# %d: \"%s\"\n", ret, c->difference);
}

static void test_differences(struct check *c, int fd, int slave_fd)
{
	struct winsize size = { 24, 80, 0, 0 };
	struct termios2 modes;
	int on = 1, off = 0;

	ok(!check_terminals(c), "what was made is as it was");
	ioctl(fd, TIOCSPTLCK, &on);
	differs(c, "the lock of pseudo-terminal 900000 is 1, it was 0", "locked");
	ioctl(fd, TIOCSPTLCK, &off);
	ioctl(fd, TIOCPKT, &on);
	differs(c, "the packet mode of pseudo-terminal 900000 is 1, it was 0", "packet mode");
	ioctl(fd, TIOCPKT, &off);
	ioctl(slave_fd, TIOCEXCL);
	differs(c, "the slave's exclusive mode of pseudo-terminal 900000 is 1", "exclusive mode");
	ioctl(slave_fd, TIOCNXCL);
	if (read(slave_fd, &on, 1))
		ok(false, "an end of file was typed");
	differs(c, "the typed end of file of pseudo-terminal 900000 is 0, it was 1", "read");
	if (write(fd, &terminal.chars[VEOF], 1) != 1)
		ok(false, "it is typed");
	ioctl(fd, TIOCSWINSZ, &size);
	differs(c, "the size of pseudo-terminal 900000 is 24/80/0/0, it was 17/71/1/2", "a size");
	ioctl(fd, TCGETS2, &modes);
	modes.c_lflag |= ECHO;
	ioctl(fd, TCSETS2, &modes);
	differs(c, "the c_lflag of pseudo-terminal 900000 is 05073, it was 05063", "a mode");
	modes.c_cc[0] = 3;
	ioctl(fd, TCSETS2, &modes);
	differs(c, "the list of special characters of pseudo-terminal 900000 is another",
		"a special character");
}

static void test_made(void)
{
	struct slots slots = { 0 };
	struct plan *plan;
	struct check c;
	struct pollfd hangup;

	begin();
	plan = make();
	if (access("/dev/ptmx", R_OK | W_OK)) {
		ok(true, "pseudo-terminals # SKIP there are none here");
	} else if (ok(!slots_open(&slots, plan, AT_FDCWD), "a pair is made")) {
		c = (struct check){ .plan = plan, .slots = &slots };
		hangup.fd = slots.fd[plan->terminals[0].master];
		ok(fcntl(hangup.fd, F_GETFL) & O_NONBLOCK, "its flags are those of the image");
		test_differences(&c, hangup.fd, slots.fd[plan->terminals[0].slave]);
		close(slots.fd[plan->terminals[0].slave]);
		close(slots.fd[find_op(plan, OP_REOPEN, 0)->arg[0]]);
		ok(poll(&hangup, 1, 0) == 1 && hangup.revents & POLLHUP,
		   "without a slave it is closed on the other side");
		close(hangup.fd);
		free(slots.fd);
	}
	plan_free(plan);
}

int main(void)
{
	test_sides();
	test_front();
	test_outside();
	test_session();
	test_made();
	return tap_end();
}
