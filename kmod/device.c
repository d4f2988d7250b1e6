// SPDX-License-Identifier: GPL-2.0-only
/* /dev/xckpt: sessions, and the one table that dispatches their commands. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"
#include "device.h"
#include "freeze.h"
#include "list.h"
#include "snapshot.h"
#include "task.h"
#include "trace.h"

union argument {
	struct {
		u32 size;
		u32 flags;
	};
	struct xckpt_info info;
	struct xckpt_freeze freeze;
	struct xckpt_thaw thaw;
	struct xckpt_tasks tasks;
	struct xckpt_core core;
	struct xckpt_snapshot snapshot;
};

static int do_info(struct session *session, union argument *arg)
{
	arg->info.out_abi_version = XCKPT_ABI_VERSION;
	arg->info.out_page_size = PAGE_SIZE;
	arg->info.out_targets = (1u << (XCKPT_TARGET_CGROUP + 1)) - 1;
	arg->info.out_modes = (1u << (XCKPT_MODE_STRICT + 1)) - 1;
	arg->info.out_xfeatures = xckpt_xfeatures();
	return 0;
}

static void session_forget(struct session *session)
{
	snapshot_free(session->snapshot);
	session->snapshot = NULL;
}

/* The outputs, the reason of a failure first of all, are copied out in any case. */
static int do_freeze(struct session *session, union argument *arg)
{
	struct refusal refusal = {};
	struct group *group;
	int ret;

	if (arg->freeze.timeout_ms > XCKPT_TIMEOUT_MAX_MS || arg->freeze.mode > XCKPT_MODE_STRICT)
		return -EINVAL;
	if (session->group)
		return -EBUSY;
	session_forget(session);
	group = group_alloc();
	if (!group)
		return -ENOMEM;
	group->session = session->nr;
	group->session_file = session->file;
	ret = target_set(group, &arg->freeze, &refusal);
	if (!ret)
		ret = group_freeze(group, &arg->freeze, &refusal);
	if (!ret) {
		session->group = group;
		return 0;
	}
	arg->freeze.out_reason = refusal.reason;
	arg->freeze.out_pid = refusal.pid;
	group_put(group);
	return ret;
}

static int session_thaw(struct session *session, unsigned int flags)
{
	if (!session->group)
		return -ENOENT;
	group_thaw(session->group, flags);
	group_put(session->group);
	session->group = NULL;
	return 0;
}

static int do_thaw(struct session *session, union argument *arg)
{
	if (arg->flags == (XCKPT_THAW_KILL | XCKPT_THAW_STOP))
		return -EINVAL;
	return session_thaw(session, arg->flags);
}

static int do_tasks(struct session *session, union argument *arg)
{
	return session->group ? group_list(session->group, &arg->tasks) : -ENOENT;
}

static int do_snapshot(struct session *session, union argument *arg)
{
	struct snapshot *snapshot;

	if (arg->snapshot.__reserved)
		return -EINVAL;
	if (!session->group)
		return -ENOENT;
	session_forget(session);
	snapshot = snapshot_take(session->group, &arg->snapshot);
	if (IS_ERR(snapshot)) {
		/* it moved, and did not come to rest again */
		if (!session->group->frozen)
			session_thaw(session, 0);
		return PTR_ERR(snapshot);
	}
	session->snapshot = snapshot;
	arg->snapshot.out_thawed = (arg->flags & XCKPT_SNAPSHOT_THAW) &&
				   !arg->snapshot.out_nr_uncloned && !arg->snapshot.out_nr_stateful;
	return arg->snapshot.out_thawed ? session_thaw(session, 0) : 0;
}

/* With a reference. */
static struct core *session_core(struct session *session, const struct xckpt_core *arg)
{
	bool thin = arg->flags & XCKPT_CORE_THIN;
	struct core *core;

	if (!session->snapshot)
		return session->group ? core_capture(session->group, arg->pid, thin)
				      : ERR_PTR(-ENOENT);
	if (thin && !session->snapshot->thin)
		return ERR_PTR(-EINVAL);
	core = snapshot_find(session->snapshot, arg->pid);
	if (!core)
		return ERR_PTR(-ESRCH);
	kref_get(&core->ref);
	return core;
}

static int do_core(struct session *session, union argument *arg)
{
	struct core *core;
	struct file *file;
	int fd;

	core = session_core(session, &arg->core);
	if (IS_ERR(core))
		return PTR_ERR(core);
	fd = get_unused_fd_flags(O_CLOEXEC);
	file = fd < 0 ? ERR_PTR(fd) : core_open(core, &arg->core);
	core_put(core);
	if (IS_ERR(file)) {
		if (fd >= 0)
			put_unused_fd(fd);
		return PTR_ERR(file);
	}
	arg->core.out_fd = fd;
	session->opened = file;
	return 0;
}

/* The caller gets a descriptor only together with its number. */
static void core_deliver(struct session *session, int fd, bool told)
{
	struct file *file = session->opened;

	session->opened = NULL;
	if (!file)
		return;
	if (told) {
		fd_install(fd, file);
	} else {
		put_unused_fd(fd);
		fput(file);
	}
}

static const struct command {
	unsigned int size; /* of the argument now, and as first published */
	unsigned int min_size;
	u32 flags; /* known ones */
	int (*run)(struct session *session, union argument *arg);
} commands[] = {
#define COMMAND(NAME, name, last, known)                                                           \
	[XCKPT_CMD_##NAME - XCKPT_CMD_INFO] = {                                                    \
		.size = sizeof(struct xckpt_##name),                                               \
		.min_size = offsetofend(struct xckpt_##name, last),                                \
		.flags = known,                                                                    \
		.run = do_##name,                                                                  \
	}
	COMMAND(INFO, info, out_xfeatures, 0),
	COMMAND(FREEZE, freeze, __reserved, 0),
	COMMAND(THAW, thaw, flags, XCKPT_THAW_KILL | XCKPT_THAW_STOP),
	COMMAND(TASKS, tasks, out_nr_disturbed, 0),
	COMMAND(CORE, core, out_data_bytes, XCKPT_CORE_THIN),
	COMMAND(SNAPSHOT, snapshot, out_total_ns,
		XCKPT_SNAPSHOT_THIN | XCKPT_SNAPSHOT_FROZEN | XCKPT_SNAPSHOT_THAW),
};

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct session *session = file->private_data;
	const struct command *command;
	void __user *uarg = (void __user *)user;
	unsigned int nr = _IOC_NR(cmd) - XCKPT_CMD_INFO;
	union argument arg;
	u32 usize;
	int ret;

	if (cmd != _IO(XCKPT_IOCTL_TYPE, _IOC_NR(cmd)) || nr >= ARRAY_SIZE(commands))
		return -ENOTTY;
	command = &commands[nr];
	if (get_user(usize, (u32 __user *)uarg))
		return -EFAULT;
	if (usize < command->min_size)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	memset(&arg, 0, sizeof(arg));
	ret = copy_struct_from_user(&arg, command->size, uarg, usize);
	if (ret)
		return ret;
	if (arg.flags & ~command->flags)
		return -EINVAL;
	if (mutex_lock_interruptible(&session->lock))
		return -EINTR;
	ret = command->run(session, &arg);
	/* a pointer that went bad meanwhile must not hide what was done */
	if (copy_to_user(uarg, &arg, min(usize, command->size)) && !ret)
		ret = -EFAULT;
	core_deliver(session, arg.core.out_fd, !ret);
	mutex_unlock(&session->lock);
	return ret;
}

static atomic_t nr_sessions = ATOMIC_INIT(0);

static int device_open(struct inode *inode, struct file *file)
{
	struct session *session;
	int ret;

	if (!capable(CAP_SYS_ADMIN) &&
	    !(capable(CAP_SYS_PTRACE) && capable(CAP_CHECKPOINT_RESTORE)))
		return -EPERM;
	/* a core shows what a locked-down kernel hides: user secrets through the kernel */
	ret = security_locked_down(LOCKDOWN_KCORE);
	if (ret)
		return ret;
	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return -ENOMEM;
	ret = corefs_get();
	if (ret) {
		kfree(session);
		return ret;
	}
	mutex_init(&session->lock);
	session->nr = atomic_inc_return(&nr_sessions);
	session->file = file;
	file->private_data = session;
	return nonseekable_open(inode, file);
}

/* The last descriptor is gone, whatever became of its holder. */
static int device_release(struct inode *inode, struct file *file)
{
	struct session *session = file->private_data;

	session_thaw(session, 0);
	session_forget(session);
	trace_session_end(session->nr);
	corefs_put();
	mutex_destroy(&session->lock);
	kfree(session);
	return 0;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "xckpt",
	.fops = &device_fops,
	.mode = 0600,
};

int device_init(void)
{
	return misc_register(&device);
}

void device_exit(void)
{
	misc_deregister(&device);
}
