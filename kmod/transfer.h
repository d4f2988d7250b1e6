/* SPDX-License-Identifier: GPL-2.0-only */
/* Transfers that a freeze cut short. */
#ifndef XCKPT_TRANSFER_H
#define XCKPT_TRANSFER_H

#include <linux/ptrace.h>
#include <linux/uio.h>

#define TRANSFER_IOVECS 8

/* What the call was to move, as a whole. */
struct transfer {
	struct file *file; /* to or from it; with a reference, or NULL: nothing was cut short */
	struct iov_iter iter;
	struct iovec fast[TRANSFER_IOVECS];
	struct iovec *iov; /* import_iovec()'s */
	bool receive, socket; /* else it is write() or writev() */
	unsigned int flags; /* MSG_* */
	/* between files, sendfile(2) and copy_file_range(2): transfer_copy.c */
	struct file *from; /* with a reference, or NULL: to or from memory */
	loff_t __user *from_pos, *to_pos; /* where they are told; NULL: they are the files' own */
	size_t left;
	bool range; /* copy_file_range() */
	/* messages or events by the number, recvmmsg(2), io_getevents(2): transfer_several.c */
	bool several; /* @left counts these */
	struct pt_regs rest; /* as if the program had asked for the rest only */
};

/* All of it that the others do not set before they look; most threads need no more. */
static inline void transfer_begin(struct transfer *t)
{
	t->file = t->from = NULL;
	t->iov = NULL;
	t->receive = t->socket = t->several = false;
	t->flags = 0;
}

/*
 * In the thread that is about to park: was the call that it comes from cut short?
 * @slept: the freeze found it waiting. transfer_end() in any case.
 */
bool transfer_cut(struct transfer *t, const struct pt_regs *regs, bool slept);
/* When the thread goes on: the rest. */
void transfer_finish(struct transfer *t, struct pt_regs *regs);
void transfer_end(struct transfer *t);

/* transfer.c: would a stream that blocks have ended it by itself? */
bool transfer_ended_early(struct transfer *t, bool slept);
/* transfer_copy.c: as transfer_cut(), when the call is one of these; and some more of it */
bool copy_cut(struct transfer *t, const struct pt_regs *regs, bool slept);
ssize_t copy_more(struct transfer *t);
/* transfer_several.c: as well */
bool several_cut(struct transfer *t, const struct pt_regs *regs, bool slept);
ssize_t several_more(struct transfer *t);

#endif
