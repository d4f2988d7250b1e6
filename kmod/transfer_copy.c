// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transfers between files that a freeze cut short. sendfile(2) and copy_file_range(2)
 * look for signals all the time and take our notification for one, even where they
 * wait for nobody. Positions are then behind what was moved, and go on from there.
 *
 * A pipe gets by one call what fits into it. So splice(2), tee(2) and vmsplice(2), and
 * sendfile(2) to a pipe, are not here.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/xacct.h>
#include <linux/uaccess.h>
#include <asm/unistd.h>

#include "compat/files.h"
#include "transfer.h"

static int get_position(const struct file *file, const loff_t __user *user, loff_t *pos)
{
	if (user)
		return copy_from_user(pos, user, sizeof(*pos)) ? -EFAULT : 0;
	*pos = file->f_pos;
	return 0;
}

static void set_position(struct file *file, loff_t __user *user, loff_t pos)
{
	if (!user)
		file->f_pos = pos;
	else if (copy_to_user(user, &pos, sizeof(pos)))
		pr_debug("cannot write a position back\n");
}

static bool at_end(const struct transfer *t)
{
	const struct inode *inode = file_inode(t->from);
	loff_t size = i_size_read(inode), pos;

	if (get_position(t->from, t->from_pos, &pos))
		return true;
	/* a file of /proc has no size, but contents */
	return S_ISREG(inode->i_mode) && size && pos >= size;
}

/* The descriptors may be other files' by now, if another thread wants it so. */
static bool can_copy(const struct transfer *t)
{
	const fmode_t from = FMODE_READ | FMODE_LSEEK | (t->from_pos ? FMODE_PREAD : 0);

	return (t->from->f_mode & from) == from && (t->file->f_mode & FMODE_WRITE);
}

static bool copy_ended_early(struct transfer *t, bool slept)
{
	if (!can_copy(t) || at_end(t) || S_ISFIFO(file_inode(t->file)->i_mode))
		return false;
	if (!(t->file->f_mode & FMODE_LSEEK))
		return !t->range && transfer_ended_early(t, slept);
	/* only a signal ends it, or what the rest will meet again; a limit is told by SIGXFSZ */
	return rlimit(RLIMIT_FSIZE) == RLIM_INFINITY;
}

bool copy_cut(struct transfer *t, const struct pt_regs *regs, bool slept)
{
	bool range = regs->orig_ax == __NR_copy_file_range;
	size_t count = min_t(size_t, range ? regs->r8 : regs->r10, MAX_RW_COUNT);

	if (regs->ax >= count)
		return false;
	t->range = range;
	t->left = count - regs->ax;
	t->from_pos = (void __user *)(range ? regs->si : regs->dx);
	t->to_pos = range ? (void __user *)regs->r10 : NULL;
	t->file = fget(range ? regs->dx : regs->di);
	t->from = fget(range ? regs->di : regs->si);
	if (t->file && t->from && copy_ended_early(t, slept))
		return true;
	transfer_end(t);
	t->file = t->from = NULL;
	return false;
}

static ssize_t send(struct transfer *t, loff_t *from, loff_t *to)
{
	ssize_t ret = compat_splice_direct(t->from, from, t->file, to, t->left);

	if (ret > 0) {
		add_rchar(current, ret);
		add_wchar(current, ret);
		fsnotify_access(t->from);
		fsnotify_modify(t->file);
	}
	return ret;
}

static ssize_t copy_range(struct transfer *t, loff_t *from, loff_t *to)
{
	ssize_t ret = vfs_copy_file_range(t->from, *from, t->file, *to, t->left, 0);

	if (ret > 0) {
		*from += ret;
		*to += ret;
	}
	return ret;
}

ssize_t copy_more(struct transfer *t)
{
	loff_t from, to;
	ssize_t ret;

	if (get_position(t->from, t->from_pos, &from) || get_position(t->file, t->to_pos, &to))
		return -EFAULT;
	ret = t->range ? copy_range(t, &from, &to) : send(t, &from, &to);
	if (ret <= 0)
		return ret;
	t->left -= ret;
	set_position(t->from, t->from_pos, from);
	set_position(t->file, t->to_pos, to);
	return ret;
}
