// SPDX-License-Identifier: GPL-2.0-or-later
#include "interrupt.h"

#include <stdbool.h>
#include <stddef.h>

volatile sig_atomic_t interrupted;

/* All that would end the tool and that something other than a fault of its own sends. */
static const int caught[] = { SIGINT,  SIGTERM,	  SIGHUP,  SIGQUIT, SIGUSR1,
			      SIGUSR2, SIGALRM,	  SIGXCPU, SIGPROF, SIGVTALRM,
			      SIGIO,   SIGSTKFLT, SIGPWR,  SIGPIPE, SIGXFSZ };
#define NR_CAUGHT (sizeof(caught) / sizeof(caught[0]))
static struct sigaction before[NR_CAUGHT];

static void note(int sig)
{
	interrupted = sig;
}

/* Who writes hears of these two as EPIPE and EFBIG. */
static bool is_told(int sig)
{
	return sig == SIGPIPE || sig == SIGXFSZ;
}

/* Who cleans up may call who cleans up: the outermost decides. */
static unsigned int depth;

void interrupt_catch(void)
{
	if (depth++)
		return;
	for (size_t i = 0; i < NR_CAUGHT; i++) {
		struct sigaction sa = { .sa_handler = is_told(caught[i]) ? SIG_IGN : note };

		sigaction(caught[i], NULL, &before[i]);
		/* what nohup made ignored stays so */
		if (before[i].sa_handler != SIG_IGN)
			sigaction(caught[i], &sa, NULL);
	}
}

void interrupt_release(void)
{
	int sig = interrupted;

	if (--depth)
		return;
	for (size_t i = 0; i < NR_CAUGHT; i++)
		sigaction(caught[i], &before[i], NULL);
	interrupted = 0;
	if (sig)
		raise(sig);
}
