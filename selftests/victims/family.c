// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * family [TURNS]: a tree of processes with all that fork, setsid and setpgid can
 * make of one: sessions and process groups with and without their leaders, orphans
 * that a subreaper got, children that ended and were not waited for. Everybody
 * writes a byte each turn into one pipe, and asks all the time whether its ids are
 * what they were. Its first process tells what came of all.
 */
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define MEMBERS 9

static int turn_pipe[2], go_pipe[2];
static unsigned int turns;

struct ids {
	pid_t pid, ppid, pgid, sid;
};

static struct ids ids(void)
{
	return (struct ids){ getpid(), getppid(), getpgrp(), getsid(0) };
}

static bool same(const struct ids *a)
{
	struct ids now = ids();

	return !memcmp(a, &now, sizeof(now));
}

/* One turn for each byte of go; then the end: 0 if nothing was ever another. */
static _Noreturn void live(int member)
{
	struct ids first = ids();
	uint64_t hash = (uint64_t)member;
	int bad = 0;
	char c;

	close(go_pipe[1]);
	for (unsigned int i = 0; i < turns; i++) {
		if (read(go_pipe[0], &c, 1) != 1)
			_exit(3);
		hash = work(hash, STEP / 10);
		bad |= !same(&first);
		if (write(turn_pipe[1], &(char){ (char)('a' + member) }, 1) != 1)
			_exit(4);
	}
	while (wait(NULL) > 0)
		;
	_exit(bad);
}

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

/* Lives on as the root's, which gets those whose parent has ended. */
static void wait_for_orphan(pid_t parent)
{
	while (getppid() == parent)
		usleep(1000);
}

/* A process group of its own, with a child in it. */
static void group(void)
{
	if (child())
		return;
	setpgid(0, 0);
	if (!child())
		live(0);
	live(1);
}

/* A session with a child that was born before it, and one after. */
static void session(void)
{
	if (child())
		return;
	if (!child())
		live(2);
	setsid();
	if (!child())
		live(3);
	live(4);
}

/* An orphan in a session whose leader lives, as a child of the root. */
static void orphan_of_session(void)
{
	if (child())
		return;
	setsid();
	if (!child()) {
		pid_t middle = getpid();

		if (child())
			_exit(0);
		wait_for_orphan(middle);
		live(5);
	}
	wait(NULL);
	live(6);
}

/* An orphan in a session or process group whose leader has ended. */
static void orphan_of_nobody(bool whole_session)
{
	pid_t leader = child();

	if (leader) {
		waitpid(leader, NULL, 0);
		return;
	}
	leader = getpid();
	if (whole_session)
		setsid();
	else
		setpgid(0, 0);
	if (child())
		_exit(0);
	wait_for_orphan(leader);
	live(whole_session ? 7 : 8);
}

/* Ended, and not waited for. */
static pid_t ended(int code, int sig)
{
	siginfo_t info;
	pid_t pid = child();

	if (!pid) {
		if (sig)
			raise(sig);
		_exit(code);
	}
	waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
	return pid;
}

static void play(void)
{
	char c;

	for (unsigned int i = 0; i < turns; i++) {
		for (int j = 0; j < MEMBERS; j++)
			if (write(go_pipe[1], "g", 1) != 1)
				die("write");
		for (int j = 0; j < MEMBERS; j++)
			if (read(turn_pipe[0], &c, 1) != 1)
				die("read");
		say("turn %u", i);
	}
}

int main(int argc, char **argv)
{
	struct ids first = ids();
	int status, good = 0, all = 0;
	pid_t code, killed;

	turns = number(argv, argc, 1, 40);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe(turn_pipe) || pipe(go_pipe))
		die("pipe");
	code = ended(7, 0);
	killed = ended(0, SIGUSR1);
	group();
	session();
	orphan_of_session();
	orphan_of_nobody(true);
	orphan_of_nobody(false);
	play();
	close(go_pipe[1]);
	first.ppid = getppid(); /* its parent is not of the tree */
	check(same(&first), "the first process is who it was");
	check(waitpid(code, &status, 0) == code && WIFEXITED(status) && WEXITSTATUS(status) == 7,
	      "the child that had ended with 7");
	check(waitpid(killed, &status, 0) == killed && WIFSIGNALED(status) &&
		      WTERMSIG(status) == SIGUSR1,
	      "the child that a signal had killed");
	for (; wait(&status) > 0; all++)
		good += !status;
	check(all == 6 && good == all, "the others had their ids all the time");
	return failures != 0;
}
