/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clean up before a signal ends the tool. */
#ifndef XCKPT_INTERRUPT_H
#define XCKPT_INTERRUPT_H

#include <signal.h>

/* The number of the signal that came, or 0. */
extern volatile sig_atomic_t interrupted;

/*
 * From here on SIGINT, SIGTERM and what else would end the tool set @interrupted and let
 * system calls return EINTR; SIGPIPE and SIGXFSZ are ignored, so that writers get EPIPE
 * and EFBIG. Within another interrupt_catch() neither this nor its release does anything.
 */
void interrupt_catch(void);
/* As before interrupt_catch(); a signal that came takes its effect now. */
void interrupt_release(void);

#endif
