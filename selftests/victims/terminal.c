// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * terminal [STEPS]: the master of a pseudo-terminal in packet mode here; a session in a
 * child, with the slave as its controlling terminal, modes of its own and a size that
 * changes; a job in that session's foreground, which answers what is typed, line by
 * line, and is interrupted by a character that is typed, and a job in the background
 * that is not. Beside it a pseudo-terminal whose slave was closed, and one whose slave
 * nobody opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "victim.h"

#define TTY 20 /* /dev/tty of the session */
#define INTERRUPT 7 /* ^G */

static volatile sig_atomic_t interrupts;

static void interrupted(int sig)
{
	interrupts++;
	if (write(TTY, "interrupted\n", 12) != 12)
		_exit(9);
}

static int open_master(int flags)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | flags);

	if (fd < 0)
		die("posix_openpt");
	return fd;
}

static void set_size(int fd, int rows)
{
	struct winsize size = { .ws_row = rows, .ws_col = 71, .ws_xpixel = 3 };

	if (ioctl(fd, TIOCSWINSZ, &size))
		die("TIOCSWINSZ");
}

/* What a job finds of its terminal: nothing is wrong, or a word. */
static const char *look(pid_t leader, int foreground)
{
	struct termios modes;

	/* not tcgetsid(): a QEMU 7.2 gives no answer to that */
	if (getsid(0) != leader || getppid() != leader)
		return "session";
	if ((tcgetpgrp(TTY) == getpgrp()) != foreground || tcgetpgrp(0) != tcgetpgrp(TTY))
		return "foreground";
	if (tcgetattr(0, &modes) || modes.c_cc[VINTR] != INTERRUPT || modes.c_cc[VQUIT] != 0 ||
	    modes.c_lflag & ECHO || !(modes.c_lflag & NOFLSH) || modes.c_oflag & OPOST ||
	    cfgetospeed(&modes) != B9600)
		return "modes";
	return isatty(0) && isatty(TTY) && ttyname(0) && !access(ttyname(0), R_OK) ? "well"
										   : "name";
}

/* Answers each line until one says that it is the last; exits with the interrupts. */
static _Noreturn void run_job(pid_t leader)
{
	struct winsize size;
	char line[64];

	for (;;) {
		ssize_t n = read(0, line, sizeof(line) - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(8);
		line[n - 1] = 0;
		ioctl(TTY, TIOCGWINSZ, &size);
		dprintf(0, "%s: %s, %u lines of %u, %d interrupts\n", line, look(leader, 1),
			size.ws_row, size.ws_col, (int)interrupts);
		if (!strcmp(line, "last"))
			_exit(interrupts);
	}
}

static _Noreturn void wait_behind(pid_t leader)
{
	const char *found = "well";

	/* SIGHUP, when all is over, ends it in the middle */
	while (!strcmp(found, "well")) {
		usleep(20000);
		found = look(leader, 0);
	}
	dprintf(2, "in the background: %s\n", found);
	_exit(7);
}

static pid_t start_job(void (*job)(pid_t), int foreground)
{
	pid_t leader = getpid(), pid = fork();

	if (!pid) {
		setpgid(0, 0);
		if (foreground && tcsetpgrp(0, getpid()))
			die("tcsetpgrp");
		signal(SIGTTOU, SIG_DFL);
		job(leader);
	}
	setpgid(pid, pid);
	return pid;
}

static void set_modes(void)
{
	struct termios modes;

	tcgetattr(0, &modes);
	modes.c_cc[VINTR] = INTERRUPT;
	modes.c_cc[VQUIT] = 0;
	modes.c_lflag &= ~(ECHO | ECHONL);
	modes.c_lflag |= NOFLSH;
	modes.c_oflag &= ~OPOST;
	cfsetspeed(&modes, B9600);
	if (tcsetattr(0, TCSANOW, &modes))
		die("tcsetattr");
}

/* The leader of the session: its jobs, and what became of them. */
static _Noreturn void lead(const char *name)
{
	struct sigaction action = { .sa_handler = interrupted };
	pid_t job, behind;
	int status, tty;

	setsid();
	close(0);
	if (open(name, O_RDWR) != 0)
		die(name);
	tty = open("/dev/tty", O_RDWR);
	if (tty < 0 || dup2(tty, TTY) != TTY)
		die("/dev/tty");
	close(tty);
	set_modes();
	sigaction(SIGINT, &action, NULL);
	signal(SIGTTOU, SIG_IGN);
	behind = start_job(wait_behind, 0);
	job = start_job(run_job, 1);
	dprintf(0, "ready\n");
	if (waitpid(job, &status, 0) != job || tcsetpgrp(TTY, getpgrp()))
		die("job");
	dprintf(0, "the job ended with %d, %d interrupts here\n", WEXITSTATUS(status),
		(int)interrupts);
	kill(behind, SIGKILL);
	waitpid(behind, &status, 0);
	_exit(WTERMSIG(status) == SIGKILL ? 0 : 6);
}

/* The next line of @fd, which is in packet mode. */
static const char *next_line(int fd)
{
	static char line[128];
	size_t len = 0;

	while (len < sizeof(line) - 1 && (!len || line[len - 1] != '\n')) {
		char packet[2];
		ssize_t n = read(fd, packet, 2);

		if (n <= 0)
			die("the other side");
		if (n == 2 && !packet[0])
			line[len++] = packet[1];
		else
			expect(0, "nothing but data comes");
	}
	line[len - 1] = 0;
	return line;
}

static void type(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die("write");
}

/* Those that nobody is behind. */
static void check_others(int closed, int new)
{
	char c;

	expect(read(closed, &c, 1) == -1 && errno == EIO, "the closed one tells so");
	expect(read(new, &c, 1) == -1 && errno == EAGAIN, "the new one waits");
}

static void step(int fd, unsigned int i)
{
	char text[32];

	if (i % 5 == 0)
		set_size(fd, (int)i);
	if (i % 4 == 0) {
		type(fd, (char[]){ INTERRUPT, 0 });
		say("%s", next_line(fd));
	}
	snprintf(text, sizeof(text), "%u\n", i);
	type(fd, text);
	say("%s", next_line(fd));
}

int main(int argc, char **argv)
{
	unsigned int steps = number(argv, argc, 1, 40);
	int fd = open_master(0), closed = open_master(0), new = open_master(O_NONBLOCK), on = 1;
	int status;
	pid_t leader;

	if (unlockpt(fd) || unlockpt(closed) || ioctl(fd, TIOCPKT, &on))
		die("unlockpt");
	close(open(ptsname(closed), O_RDWR | O_NOCTTY));
	set_size(fd, 17);
	leader = fork();
	if (!leader)
		lead(ptsname(fd));
	say("%s", next_line(fd));
	for (unsigned int i = 1; i <= steps; i++) {
		work(i, STEP);
		check_others(closed, new);
		step(fd, i);
	}
	type(fd, "last\n");
	say("%s", next_line(fd));
	say("%s", next_line(fd));
	waitpid(leader, &status, 0);
	check(WIFEXITED(status) && !WEXITSTATUS(status), "the session ended well");
	check(read(fd, &status, 1) == -1 && errno == EIO, "and its terminal is closed");
	return failures != 0;
}
