// SPDX-License-Identifier: GPL-2.0-or-later
#include "interrupt.h"

#include <stddef.h>

volatile sig_atomic_t interrupted;

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
#define NR_CAUGHT (sizeof(caught) / sizeof(caught[0]))
static struct sigaction before[NR_CAUGHT];

static void note(int sig)
{
	interrupted = sig;
}

void interrupt_catch(void)
{
	for (size_t i = 0; i < NR_CAUGHT; i++) {
		struct sigaction sa = { .sa_handler = caught[i] == SIGPIPE ? SIG_IGN : note };

		sigaction(caught[i], NULL, &before[i]);
		/* what nohup made ignored stays so */
		if (before[i].sa_handler != SIG_IGN)
			sigaction(caught[i], &sa, NULL);
	}
}

void interrupt_release(void)
{
	int sig = interrupted;

	for (size_t i = 0; i < NR_CAUGHT; i++)
		sigaction(caught[i], &before[i], NULL);
	interrupted = 0;
	if (sig)
		raise(sig);
}
