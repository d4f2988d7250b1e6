/* SPDX-License-Identifier: GPL-2.0-only */
/* Copy-on-write clones of address spaces. */
#ifndef XCKPT_CLONE_H
#define XCKPT_CLONE_H

#include <linux/mm_types.h>

struct clone;

/*
 * Begin to clone @mm, at the same time as others; the caller needs no reference to
 * it afterwards. clone_finish() waits and gives the clone, which the caller has to
 * mmput(), or an ERR_PTR: ENOMEM, EAGAIN (too many processes), EINTR (killed).
 */
struct clone *clone_begin(struct mm_struct *mm, pid_t pid);
struct mm_struct *clone_finish(struct clone *clone, u64 *ns);
/* Before that: whether there is one any more does not matter. One under way is let be made. */
void clone_cancel(struct clone *clone);

int clone_init(void);
void clone_exit(void);

#endif
