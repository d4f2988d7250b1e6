/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a security module calls a process: by that it is allowed or forbidden things. */
#ifndef XCKPT_LABEL_H
#define XCKPT_LABEL_H

#define LABEL_ROOM 4097 /* the kernel gives a page at most */

/* That of @pid, 0: of the caller; "" where there is none, or nobody tells. Returns @buf. */
const char *label_read(int pid, char buf[LABEL_ROOM]);

#endif
