// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pages N: has written to N small pages, and does so again at each SIGUSR1. A line
 * for each time. Not to be resumed: it tells how many pages a dump makes it copy.
 */
#include <signal.h>
#include <sys/mman.h>

#include "victim.h"

#define PAGE 4096

int main(int argc, char **argv)
{
	size_t size = (size_t)number(argv, argc, 1, 1024) * PAGE;
	volatile char *p =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigset_t set;
	int sig;

	if (p == MAP_FAILED || madvise((void *)p, size, MADV_NOHUGEPAGE))
		die("start");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (unsigned int i = 0;; i++) {
		for (size_t at = 0; at < size; at += PAGE)
			p[at] = (char)(at / PAGE + i + 1);
		say("written %u", i);
		sigwait(&set, &sig);
	}
}
