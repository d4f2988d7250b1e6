// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * locks [LINES]: locks of all kinds on files, a lease, and a file that sends
 * signals. A second process tries all the time to get what the first one holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

static const char path[] = "locks.file", leased[] = "locks.lease";
static int whole, part, lease, async[2];
static volatile sig_atomic_t nr_signals, signal_fd;

static int got(int n, const char *what)
{
	if (n < 0)
		die(what);
	return n;
}

static void told(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)ctx;
	nr_signals++;
	signal_fd = info->si_fd;
}

static int lock(int n, int command, short type, off_t start, off_t len)
{
	struct flock l = { .l_type = type, .l_start = start, .l_len = len };

	return fcntl(n, command, &l);
}

/* Who would be in the way of a write lock there: 0 nobody, -1 a description. */
static pid_t holder(int n, off_t start)
{
	struct flock l = { .l_type = F_WRLCK, .l_start = start, .l_len = 1 };

	got(fcntl(n, F_GETLK, &l), "F_GETLK");
	return l.l_type == F_UNLCK ? 0 : l.l_pid;
}

static void take_all(void)
{
	struct sigaction sa = { .sa_sigaction = told, .sa_flags = SA_SIGINFO };
	struct f_owner_ex owner = { F_OWNER_PID, getpid() };
	char bytes[100] = "";

	sigaction(SIGRTMIN + 3, &sa, NULL);
	whole = got(open(path, O_RDWR | O_CREAT, 0644), path);
	part = got(open(path, O_RDWR), path);
	if (write(whole, bytes, sizeof(bytes)) != sizeof(bytes))
		die(path);
	got(flock(whole, LOCK_EX | LOCK_NB), "flock");
	got(lock(whole, F_SETLK, F_WRLCK, 10, 10), "F_SETLK");
	got(lock(whole, F_SETLK, F_RDLCK, 50, 0), "F_SETLK");
	got(lock(part, F_OFD_SETLK, F_WRLCK, 30, 5), "F_OFD_SETLK");
	close(got(open(leased, O_RDWR | O_CREAT, 0644), leased));
	lease = got(open(leased, O_RDONLY), leased);
	got(fcntl(lease, F_SETLEASE, F_RDLCK), "F_SETLEASE");
	if (pipe2(async, O_NONBLOCK))
		die("pipe");
	got(fcntl(async[0], F_SETOWN_EX, &owner), "F_SETOWN_EX");
	got(fcntl(async[0], F_SETSIG, SIGRTMIN + 3), "F_SETSIG");
	got(fcntl(async[0], F_SETFL, O_ASYNC | O_NONBLOCK), "O_ASYNC");
}

/* As often as it is asked: may it have what the parent holds? */
static _Noreturn void rival(int ask, int answer)
{
	int n = got(open(path, O_RDWR), path);
	char c, good;

	while (read(ask, &c, 1) == 1) {
		good = flock(n, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK &&
		       holder(n, 15) == getppid() && holder(n, 20) == 0 && holder(n, 29) == 0 &&
		       holder(n, 30) == -1 && holder(n, 34) == -1 && holder(n, 35) == 0 &&
		       holder(n, 1000000) == getppid() && !lock(n, F_SETLK, F_RDLCK, 60, 1);
		lock(n, F_SETLK, F_UNLCK, 60, 1);
		if (write(answer, &good, 1) != 1)
			break;
	}
	/* the parent has let go of the one, not of the other */
	_exit(holder(n, 15) == 0 && holder(n, 30) == -1 && !flock(n, LOCK_EX | LOCK_NB) ? 0 : 1);
}

static void ask_rival(int ask, int answer)
{
	char good = 0;

	expect(write(ask, "?", 1) == 1 && read(answer, &good, 1) == 1 && good,
	       "nobody else gets what is locked");
}

static void send_signal(int i)
{
	char c;

	if (write(async[1], "x", 1) != 1 || read(async[0], &c, 1) != 1)
		die("pipe");
	expect(nr_signals == i + 1 && signal_fd == async[0], "a file sends its signal");
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 40);
	int ask[2], answer[2], status = -1;
	uint64_t seed = 1;

	take_all();
	if (pipe(ask) || pipe(answer))
		die("pipe");
	if (!fork()) {
		close(ask[1]);
		close(whole);
		close(part);
		rival(ask[0], answer[1]);
	}
	close(ask[0]);
	for (unsigned int i = 0; i < lines; i++) {
		ask_rival(ask[1], answer[0]);
		send_signal((int)i);
		expect(fcntl(lease, F_GETLEASE) == F_RDLCK, "the lease is there");
		seed = work(seed, STEP);
		say("line %u: %016llx", i, (unsigned long long)seed);
	}
	got(flock(whole, LOCK_UN), "flock");
	got(lock(whole, F_SETLK, F_UNLCK, 0, 0), "F_SETLK");
	close(ask[1]);
	check(wait(&status) > 0 && !status, "the other gets it in the end");
	return failures != 0;
}
