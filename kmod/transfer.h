/* SPDX-License-Identifier: GPL-2.0-only */
/* Transfers that a freeze cut short. */
#ifndef XCKPT_TRANSFER_H
#define XCKPT_TRANSFER_H

#include <linux/ptrace.h>
#include <linux/uio.h>

#define TRANSFER_IOVECS 8

/* What the call was to move, as a whole. */
struct transfer {
	struct file *file; /* with a reference, or NULL: nothing was cut short */
	struct iov_iter iter;
	struct iovec fast[TRANSFER_IOVECS];
	struct iovec *iov; /* import_iovec()'s */
	bool receive, socket; /* else it is write() or writev() */
	unsigned int flags; /* MSG_* */
};

/*
 * In the thread that is about to park: was the call that it comes from cut short?
 * @slept: the freeze found it waiting. transfer_end() in any case.
 */
bool transfer_cut(struct transfer *t, const struct pt_regs *regs, bool slept);
/* When the thread goes on: the rest. */
void transfer_finish(struct transfer *t, struct pt_regs *regs);
void transfer_end(struct transfer *t);

#endif
