// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfork [TURNS]: a process that waits in vfork() while its child takes its time, and
 * has to wait until that has become another program, of the machine that it is on.
 */
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

static volatile pid_t parent;
static int ready[2];

/* Only what does not harm the parent, which has the same memory. */
static _Noreturn void child(unsigned int turns)
{
	for (unsigned int i = 0; i < turns; i++)
		say("turn %u %016jx", i, (uintmax_t)work(i, STEP));
	if (write(ready[1], "r", 1) == 1)
		execl("/bin/sh", "sh", "-c", "echo another program; exit 3", NULL);
	_exit(9);
}

int main(int argc, char **argv)
{
	struct pollfd poll_ready;
	int status;
	pid_t pid;

	parent = getpid();
	if (pipe(ready))
		die("pipe");
	pid = vfork();
	if (!pid)
		child(number(argv, argc, 1, 40));
	poll_ready = (struct pollfd){ .fd = ready[0], .events = POLLIN };
	status = poll(&poll_ready, 1, 0);
	if (pid < 0 || waitpid(-1, &poll_ready.fd, 0) != pid)
		die("wait");
	check(status == 1, "waited for the child");
	check(poll_ready.fd == 3 << 8, "which has ended as the other program");
	check(getpid() == parent, "and am who I was");
	return failures != 0;
}
