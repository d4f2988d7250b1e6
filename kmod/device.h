/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef XCKPT_DEVICE_H
#define XCKPT_DEVICE_H

#include <linux/mutex.h>

struct file;
struct group;
struct snapshot;

/* One open file of /dev/xckpt. */
struct session {
	u32 nr; /* of all since the module was loaded */
	struct file *file; /* which owns this */
	struct mutex lock; /* one command at a time; guards what follows */
	struct group *group; /* what is frozen, or NULL */
	struct file *opened; /* by the command that runs, not yet the caller's */
	struct snapshot *snapshot; /* the last one, or NULL; outlives the thaw */
};

u64 xckpt_xfeatures(void); /* capture_regs.c: user part of XCR0 */

int device_init(void);
void device_exit(void);

#endif
