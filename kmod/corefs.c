// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pseudo file system for cores: an inode each, freed with its last file. It is
 * mounted while a session is open or a core is, and its superblock holds the
 * module until the last inode is gone, which is after the file's last release.
 */
#include <linux/file.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/statfs.h>

#include "core.h"

#define COREFS_MAGIC 0x58434b50 /* "PKCX" */

static struct vfsmount *corefs_mount;
static int corefs_users;

static void corefs_evict(struct inode *inode)
{
	struct core *core = inode->i_private;

	clear_inode(inode);
	if (core)
		core_put(core);
}

static const struct super_operations corefs_super_ops = {
	.statfs = simple_statfs,
	.evict_inode = corefs_evict,
};

static int corefs_init_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, COREFS_MAGIC);

	if (!ctx)
		return -ENOMEM;
	ctx->ops = &corefs_super_ops;
	return 0;
}

static struct file_system_type corefs_type = {
	.name = "xckpt",
	.owner = THIS_MODULE,
	.init_fs_context = corefs_init_context,
	.kill_sb = kill_anon_super,
};

struct file *corefs_open(struct core *core)
{
	struct inode *inode;
	struct file *file;

	inode = alloc_anon_inode(corefs_mount->mnt_sb);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	inode->i_mode = S_IFREG | 0400;
	inode->i_fop = &core_fops;
	inode->i_size = core->size;
	inode->i_private = core;
	inode->i_flags &= ~S_PRIVATE;
#ifdef S_ANON_INODE
	inode->i_flags &= ~S_ANON_INODE;
#endif
	/* alloc_file_pseudo() takes over no module reference, but fput() drops one */
	__module_get(THIS_MODULE);
	file = alloc_file_pseudo(inode, corefs_mount, "xckpt-core", O_RDONLY | O_LARGEFILE,
				 &core_fops);
	if (IS_ERR(file)) {
		module_put(THIS_MODULE);
		inode->i_private = NULL;
		iput(inode);
		return file;
	}
	kref_get(&core->ref);
	file->private_data = core;
	file->f_mode |= FMODE_PREAD | FMODE_LSEEK;
	return file;
}

int corefs_get(void)
{
	return simple_pin_fs(&corefs_type, &corefs_mount, &corefs_users);
}

void corefs_put(void)
{
	simple_release_fs(&corefs_mount, &corefs_users);
}
