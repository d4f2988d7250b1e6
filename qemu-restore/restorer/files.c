// SPDX-License-Identifier: GPL-2.0-or-later
/* Files that a process can open only once it is itself. */
#include "restorer.h"

int64_t do_open(struct record_head *head, const struct record *r)
{
	uint64_t wanted = r->arg[3];
	int64_t fd = syscall3(SYS_OPEN, r->arg[0], r->arg[1], 0), ret;

	(void)head;
	if (fd < 0)
		return fd;
	if ((uint64_t)fd != wanted) {
		ret = syscall3(SYS_DUP2, fd, wanted, 0);
		syscall3(SYS_CLOSE, fd, 0, 0);
		if (ret < 0)
			return ret;
	}
	return r->arg[2] ? syscall3(SYS_LSEEK, wanted, r->arg[2], 0) : 0;
}
