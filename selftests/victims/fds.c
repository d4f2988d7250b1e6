// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fds [LINES]: open files of every kind that a resume gives back, and everything
 * by which a program knows itself: ids, names, folder, arguments, environment.
 * "fds.in" must hold 16-byte records; "fds.out" and "fds.log" are written.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "victim.h"

static struct {
	int in, in_dup, in_again, out, log, dir, null, zero, random, pipe[2], high;
	int maps, maps_dup, comm, tasks; /* what /proc tells of this process */
} fd;

static struct {
	char cwd[4096], exe[4096], cmdline[4096];
	pid_t pid, tid;
} self;

static int opened(const char *path, int flags)
{
	int n = open(path, flags, 0644);

	if (n < 0)
		die(path);
	return n;
}

/* All of a small file, with its length before it: arguments hold zeros. */
static void slurp(const char *path, char *buf, size_t size)
{
	int n = opened(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = read(n, buf + 8, size - 8);

	close(n);
	memset(buf + 8 + (got > 0 ? got : 0), 0, size - 8 - (size_t)(got > 0 ? got : 0));
	memcpy(buf, &got, sizeof(got));
}

static void set_up(void)
{
	char buf[64];

	fd.in = opened("fds.in", O_RDONLY);
	fd.in_dup = dup(fd.in);
	fd.in_again = opened("fds.in", O_RDONLY | O_CLOEXEC);
	fd.out = opened("fds.out", O_RDWR | O_CREAT | O_TRUNC);
	fd.log = opened("fds.log", O_WRONLY | O_CREAT | O_APPEND);
	fd.dir = opened(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd.null = opened("/dev/null", O_WRONLY);
	fd.zero = opened("/dev/zero", O_RDONLY);
	fd.random = opened("/dev/urandom", O_RDONLY | O_CLOEXEC);
	if (pipe2(fd.pipe, O_CLOEXEC | O_NONBLOCK))
		die("pipe2");
	fcntl(fd.pipe[1], F_SETFL, 0);
	fd.maps = opened("/proc/self/maps", O_RDONLY);
	fd.maps_dup = dup(fd.maps);
	fd.comm = opened("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	fd.tasks = opened("/proc/self/task", O_RDONLY | O_DIRECTORY);
	fd.high = fcntl(fd.null, F_DUPFD_CLOEXEC, 200);
	if (read(fd.maps, buf, 20) != 20 || read(fd.in_again, buf, 48) != 48 ||
	    write(fd.pipe[1], "waiting in the pipe", 19) != 19)
		die("start");

	umask(027);
	prctl(PR_SET_NAME, "victim of fds");
	prctl(PR_SET_PDEATHSIG, 0);
	self.pid = getpid();
	self.tid = (pid_t)syscall(SYS_gettid);
	if (!getcwd(self.cwd, sizeof(self.cwd)) ||
	    readlink("/proc/self/exe", self.exe, sizeof(self.exe) - 1) < 0)
		die("self");
	slurp("/proc/self/cmdline", self.cmdline, sizeof(self.cmdline));
}

/* One record from the shared position, alternately by each of its names. */
static void step(unsigned int line)
{
	char record[17] = "", text[64];
	int n;

	if (read(line % 2 ? fd.in : fd.in_dup, record, 16) != 16)
		die("fds.in");
	n = snprintf(text, sizeof(text), "%u %.15s\n", line, record);
	if (write(fd.out, text, (size_t)n) != n || write(fd.log, text, (size_t)n) != n ||
	    write(fd.null, text, (size_t)n) != n || write(fd.high, text, (size_t)n) != n)
		die("write");
	work(line, STEP);
	say("%u %.15s at %jd and %jd", line, record, (intmax_t)lseek(fd.in, 0, SEEK_CUR),
	    (intmax_t)lseek(fd.in_again, 0, SEEK_CUR));
}

static void check_files(void)
{
	char buf[64] = "";
	struct stat st;
	int n;

	/* appending goes to the end whatever the position is */
	lseek(fd.log, 0, SEEK_SET);
	check(write(fd.log, "appended\n", 9) == 9 && lseek(fd.log, 0, SEEK_CUR) > 9, "appends");
	check(pread(fd.out, buf, 2, 0) == 2 && !memcmp(buf, "0 ", 2), "out is readable too");
	check(read(fd.zero, buf, 8) == 8 && !memcmp(buf, "\0\0\0\0\0\0\0\0", 8), "zero");
	check(read(fd.random, buf, 8) == 8, "urandom");
	check(read(fd.pipe[0], buf, sizeof(buf)) == 19 && !memcmp(buf, "waiting in the pipe", 19),
	      "the pipe kept its contents");
	check(read(fd.pipe[0], buf, 1) == -1 && errno == EAGAIN, "and no more, and does not block");
	check(write(fd.pipe[1], "x", 1) == 1 && read(fd.pipe[0], buf, 2) == 1, "the pipe works");
	n = openat(fd.dir, "fds.in", O_RDONLY);
	check(n >= 0 && !fstat(n, &st) && st.st_size > 0, "the folder's descriptor leads there");
	close(n);
}

/* Does what is left of a list of mappings have one with @addr? */
static int is_mapped(int maps, uintptr_t addr)
{
	static char text[65536];
	size_t len = 0;
	ssize_t n;

	while ((n = read(maps, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	for (char *line = strchr(text, '\n'); line; line = strchr(line + 1, '\n')) {
		char *end;
		uintptr_t start = strtoul(line + 1, &end, 16);

		if (addr >= start && *end == '-' && addr < strtoul(end + 1, NULL, 16))
			return 1;
	}
	return 0;
}

static void check_proc(void)
{
	char buf[64] = "", task[32];
	int n;

	check(pread(fd.comm, buf, sizeof(buf), 0) > 0 && !strcmp(buf, "victim of fds\n"),
	      "its name in /proc");
	check(lseek(fd.maps_dup, 0, SEEK_CUR) == 20, "the position in its mappings");
	check(is_mapped(fd.maps, (uintptr_t)buf), "its stack is among them");
	snprintf(task, sizeof(task), "%d/comm", self.tid);
	n = openat(fd.tasks, task, O_RDONLY);
	check(n >= 0, "its threads are in /proc");
	close(n);
}

static void check_flags(void)
{
	const int cloexec[] = { fd.in_again, fd.dir, fd.random, fd.pipe[0], fd.pipe[1], fd.high };
	const int kept[] = { 0, 1, 2, fd.in, fd.in_dup, fd.out, fd.log, fd.null, fd.zero };
	int good = 1;

	for (size_t i = 0; i < sizeof(cloexec) / sizeof(int); i++)
		good &= fcntl(cloexec[i], F_GETFD) == FD_CLOEXEC;
	for (size_t i = 0; i < sizeof(kept) / sizeof(int); i++)
		good &= fcntl(kept[i], F_GETFD) == 0;
	check(good, "close-on-exec where it was");
	check((fcntl(fd.log, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_WRONLY | O_APPEND),
	      "O_APPEND");
	check(fcntl(fd.pipe[0], F_GETFL) & O_NONBLOCK, "O_NONBLOCK");
	check(!(fcntl(fd.pipe[1], F_GETFL) & O_NONBLOCK), "only where it was");
	check(fd.high == 200 && fcntl(199, F_GETFD) == -1, "a high number, none below it");
}

static void check_self(void)
{
	static char buf[8192];
	mode_t mask = umask(0);

	check(mask == 027, "umask");
	check(getpid() == self.pid && syscall(SYS_gettid) == self.tid, "pid and tid");
	check(!kill(self.pid, 0) && getppid() != self.pid, "it can be found by its pid");
	memset(buf, 0, sizeof(buf));
	check(getcwd(buf, sizeof(buf)) && !strcmp(buf, self.cwd), "folder");
	memset(buf, 0, sizeof(buf));
	check(readlink("/proc/self/exe", buf, sizeof(buf)) > 0 && !strcmp(buf, self.exe), "exe");
	memset(buf, 0, sizeof(buf));
	check(!prctl(PR_GET_NAME, buf) && !strcmp(buf, "victim of fds"), "name");
	slurp("/proc/self/cmdline", buf, sizeof(self.cmdline));
	check(!memcmp(buf, self.cmdline, sizeof(self.cmdline)), "arguments");
	check(getenv("XCKPT_VICTIM") && !strcmp(getenv("XCKPT_VICTIM"), "fds"), "a variable");
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 40);

	set_up();
	for (unsigned int i = 0; i < lines; i++)
		step(i);
	check_files();
	check_proc();
	check_flags();
	check_self();
	return failures != 0;
}
