// SPDX-License-Identifier: GPL-2.0-only
/* The FILE note: descriptors and the open file descriptions they share. */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/pid.h>
#include <linux/pipe_fs_i.h>
#include <linux/sched/task.h>
#include <linux/tty.h>

#include "capture.h"
#include "compat/files.h"

struct open_fd {
	struct file *file; /* with a reference */
	unsigned int fd;
	bool cloexec;
};

struct open_fds {
	struct files_struct *files;
	struct open_fd *fds;
	unsigned int nr, room;
};

static int collect_fd(const void *data, struct file *file, unsigned int fd)
{
	struct open_fds *open = (struct open_fds *)data;

	if (open->nr < open->room) {
		open->fds[open->nr].file = get_file(file);
		open->fds[open->nr].fd = fd;
		open->fds[open->nr].cloexec =
			test_bit(fd, files_fdtable(open->files)->close_on_exec);
	}
	open->nr++;
	return 0;
}

static void drop_fds(struct open_fds *open)
{
	unsigned int i;

	for (i = 0; i < min(open->nr, open->room); i++)
		fput(open->fds[i].file);
	kvfree(open->fds);
	open->fds = NULL;
	open->nr = 0;
}

/* Somebody outside may share the table and change it: ask until it fits. */
static int collect_fds(struct task_struct *task, struct open_fds *open)
{
	unsigned int nr = 0;

	do {
		drop_fds(open);
		open->room = nr;
		if (nr) {
			open->fds = kvmalloc_array(nr, sizeof(*open->fds), GFP_KERNEL_ACCOUNT);
			if (!open->fds)
				return -ENOMEM;
		}
		task_lock(task);
		open->files = task->files;
		if (open->files)
			iterate_fd(open->files, 0, collect_fd, open);
		task_unlock(task);
		nr = open->nr;
	} while (nr > open->room);
	return 0;
}

/*
 * The number of a description within the group. The group keeps a reference to
 * each, so that no other file can get the same address while it is frozen; but
 * not to the session's, which a member may have open and must be able to end.
 */
static u32 file_id(struct group *group, struct file *file)
{
	void *id = xa_load(&group->files, (unsigned long)file);

	if (id)
		return xa_to_value(id);
	id = xa_mk_value(group->nr_files + 1);
	if (xa_is_err(xa_store(&group->files, (unsigned long)file, id, GFP_KERNEL_ACCOUNT)))
		return 0;
	if (file != group->session_file)
		get_file(file);
	return ++group->nr_files;
}

/* The group is about to run on, and what it closes from now on must be closed. */
void files_forget(struct group *group)
{
	unsigned long file;
	void *id;

	xa_for_each(&group->files, file, id) {
		if ((struct file *)file != group->session_file)
			fput((struct file *)file);
	}
	xa_destroy(&group->files);
	group->nr_files = 0;
}

static bool has_locks(const struct inode *inode)
{
	struct file_lock_context *locks = locks_inode_context(inode);

	return locks &&
	       (!list_empty_careful(&locks->flc_flock) || !list_empty_careful(&locks->flc_posix) ||
		!list_empty_careful(&locks->flc_lease));
}

/* Of a pseudo-terminal: /dev/ptmx, whatever it is called. */
static bool is_master(const struct inode *inode)
{
	return S_ISCHR(inode->i_mode) && inode->i_rdev == MKDEV(TTYAUX_MAJOR, 2);
}

static bool is_stateful(const struct file *file)
{
	const struct inode *inode = file_inode(file);
	unsigned long magic = inode->i_sb->s_magic;

	return (S_ISDIR(inode->i_mode) && file->f_pos) || S_ISFIFO(inode->i_mode) ||
	       is_master(inode) || magic == ANON_INODE_FS_MAGIC || magic == PID_FS_MAGIC ||
	       (S_ISREG(inode->i_mode) && (!inode->i_nlink || magic == TMPFS_MAGIC)) ||
	       has_locks(inode);
}

unsigned int files_count_stateful(struct group *group)
{
	unsigned long file;
	unsigned int nr = 0;
	void *id;

	xa_for_each(&group->files, file, id)
		nr += is_stateful((struct file *)file);
	return nr;
}

/* The pipe lives as long as the file, to which the caller has a reference. */
static void fill_pipe(struct xckpt_file *to, const struct pipe_inode_info *pipe)
{
	to->readers = READ_ONCE(pipe->readers);
	to->writers = READ_ONCE(pipe->writers);
}

/*
 * The file keeps its terminal, and each side of one the other: a slave is counted once
 * for its master, too.
 */
static void fill_master(struct xckpt_file *to, const struct file *file)
{
	const struct tty_file_private *private = file->private_data;

	to->readers = READ_ONCE(private->tty->count);
	to->writers = READ_ONCE(private->tty->link->count) - 1;
}

/* fcntl()'s names for what a signal about a file goes to */
static u32 owner_type(enum pid_type type)
{
	return type == PIDTYPE_PID    ? F_OWNER_TID
	       : type == PIDTYPE_PGID ? F_OWNER_PGRP
				      : F_OWNER_PID;
}

static void fill_owner(struct xckpt_file *to, struct file *file, struct pid_namespace *ns)
{
	struct fown_struct *owner = compat_owner(file);

	if (!owner)
		return;
	read_lock_irq(&owner->lock);
	to->owner = pid_nr_ns(owner->pid, ns);
	to->owner_type = to->owner ? owner_type(owner->pid_type) : 0;
	to->owner_signal = owner->signum;
	read_unlock_irq(&owner->lock);
}

static void fill_file(struct xckpt_file *to, struct file *file, struct pid_namespace *ns)
{
	struct inode *inode = file_inode(file);
	struct kstat stat;

	to->flags = file->f_flags;
	to->pos = file->f_pos;
	to->mode = inode->i_mode;
	if (S_ISFIFO(inode->i_mode) && inode->i_pipe && !(file->f_mode & FMODE_PATH))
		fill_pipe(to, inode->i_pipe);
	if (is_master(inode) && !(file->f_mode & FMODE_PATH))
		fill_master(to, file);
	fill_owner(to, file, ns);
	/* a regular file, were it not for what reads and writes of it give */
	if (S_ISREG(inode->i_mode) && !strcmp(inode->i_sb->s_type->name, "mqueue"))
		to->state |= XCKPT_FILE_QUEUE;
	if (inode->i_sb->s_magic == SECRETMEM_MAGIC)
		to->state |= XCKPT_FILE_SECRET;
	if (has_locks(inode))
		to->state |= XCKPT_FILE_LOCKED;
	if (d_unlinked(file->f_path.dentry))
		to->state |= XCKPT_FILE_UNLINKED;
	if (compat_eventfd_is_semaphore(file))
		to->state |= XCKPT_FILE_SEMAPHORE;
	if (vfs_getattr(&file->f_path, &stat, STATX_BASIC_STATS, AT_STATX_DONT_SYNC))
		return;
	to->mode = stat.mode;
	to->dev = new_encode_dev(stat.dev);
	to->ino = stat.ino;
	to->uid = from_kuid_munged(&init_user_ns, stat.uid);
	to->gid = from_kgid_munged(&init_user_ns, stat.gid);
	to->rdev = new_encode_dev(stat.rdev);
	to->file_size = stat.size;
	to->file_mtime_ns = stat.mtime.tv_sec * NSEC_PER_SEC + stat.mtime.tv_nsec;
	to->nlink = stat.nlink;
}

/* One description per id: descriptors in ascending order name it by its index. */
static void add_file(struct capture *capture, const struct open_fd *open, u32 files_off, u32 index,
		     u32 id)
{
	struct xckpt_file file = { .id = id };
	const char *name;

	fill_file(&file, open->file, capture->group->ns);
	name = capture_path(capture, &open->file->f_path);
	if (name)
		file.path_off = notes_string(&capture->notes, name);
	if (!capture->notes.err)
		memcpy(notes_at(&capture->notes, files_off + index * sizeof(file)), &file,
		       sizeof(file));
}

/* Number the descriptions of this process in the order of their first descriptor. */
static int index_files(struct group *group, struct open_fds *open, struct xarray *seen)
{
	unsigned int i;
	u32 id, nr = 0;

	for (i = 0; i < open->nr; i++) {
		id = file_id(group, open->fds[i].file);
		if (!id)
			return -ENOMEM;
		if (xa_load(seen, id))
			continue;
		if (xa_is_err(xa_store(seen, id, xa_mk_value(nr), GFP_KERNEL_ACCOUNT)))
			return -ENOMEM;
		nr++;
	}
	return nr;
}

static void add_fds(struct capture *capture, struct open_fds *open, struct xarray *seen, u32 nr)
{
	struct notes *notes = &capture->notes;
	struct xckpt_note_file note = { .size = sizeof(note), .nr_files = nr, .nr_fds = open->nr };
	struct xckpt_fd fd;
	unsigned int i;
	u32 id, index, next = 0;

	notes_begin(notes, XCKPT_NOTE_NAME, XCKPT_NT_FILE);
	notes_add(notes, sizeof(note));
	note.file_size = sizeof(struct xckpt_file);
	note.files_off = capture_table(notes, nr, sizeof(struct xckpt_file));
	note.fd_size = sizeof(struct xckpt_fd);
	note.fds_off = capture_table(notes, open->nr, sizeof(struct xckpt_fd));
	memcpy(notes_at(notes, 0), &note, sizeof(note));

	for (i = 0; i < open->nr && !notes->err; i++) {
		id = file_id(capture->group, open->fds[i].file);
		index = xa_to_value(xa_load(seen, id));
		if (index == next)
			add_file(capture, &open->fds[i], note.files_off, next++, id);
		memset(&fd, 0, sizeof(fd));
		fd.fd = open->fds[i].fd;
		fd.file = index;
		fd.flags = open->fds[i].cloexec ? XCKPT_FD_CLOEXEC : 0;
		memcpy(notes_at(notes, note.fds_off + i * sizeof(fd)), &fd, sizeof(fd));
	}
	notes_end(notes);
}

/* Descriptions have their numbers in the order in which they are met first. */
static void add_rings(struct capture *capture, struct open_fds *open, struct xarray *seen)
{
	unsigned int i;
	u32 id, next = 0;

	for (i = 0; i < open->nr && !capture->notes.err; i++) {
		id = file_id(capture->group, open->fds[i].file);
		if (xa_to_value(xa_load(seen, id)) != next)
			continue;
		next++;
		if (is_ring(open->fds[i].file))
			capture_ring(capture, open->fds[i].file, id);
	}
	if (capture->nr_rings)
		notes_end(&capture->notes);
}

void capture_files(struct capture *capture)
{
	struct open_fds open = {};
	struct xarray seen;
	int nr;

	xa_init(&seen);
	nr = collect_fds(capture->leader, &open);
	if (!nr)
		nr = index_files(capture->group, &open, &seen);
	if (nr >= 0) {
		add_fds(capture, &open, &seen, nr);
		add_rings(capture, &open, &seen);
	} else {
		capture->notes.err = capture->notes.err ?: nr;
	}
	drop_fds(&open);
	xa_destroy(&seen);
}
