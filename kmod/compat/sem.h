/* SPDX-License-Identifier: GPL-2.0-only */
/* What SEM_UNDO leaves behind is told by nobody, and its structures are in no header. */
#ifndef XCKPT_COMPAT_SEM_H
#define XCKPT_COMPAT_SEM_H

#include <linux/ipc.h>
#include <linux/ipc_namespace.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/version.h>

#if defined(CONFIG_SYSVIPC) && (!defined(CONFIG_RANDSTRUCT) || defined(CONFIG_RANDSTRUCT_NONE))
#define COMPAT_SEM_UNDO /* they are where ipc/sem.c has them */
#endif

/* One per process, or more tasks (CLONE_SYSVSEM). */
struct compat_undo_list {
	refcount_t refcnt;
	spinlock_t lock;
	struct list_head list_proc;
};

/* One per process and set; freed after an RCU grace period. */
struct compat_undo {
	struct list_head list_proc;
	struct rcu_head rcu;
	struct compat_undo_list *ulp;
	struct list_head list_id;
	int semid; /* -1: the set is gone */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	short semadj[];
#else
	short *semadj;
#endif
};

struct compat_sem_array {
	struct kern_ipc_perm sem_perm;
	time64_t sem_ctime;
	struct list_head pending_alter;
	struct list_head pending_const;
	struct list_head list_id;
	int sem_nsems;
};

static inline void *compat_undo_list(const struct task_struct *task)
{
#ifdef CONFIG_SYSVIPC
	return READ_ONCE(task->sysvsem.undo_list);
#else
	return NULL;
#endif
}

/*
 * How many semaphores set @id has, 0 when it is gone; RCU is held for reading. Its place
 * in the table is the lower part of its id: 15 bits, or 24 (ipcmni_extend).
 */
static inline unsigned int compat_set_size(struct ipc_namespace *ns, int id)
{
	struct idr *sets = &ns->ids[0].ipcs_idr;
	struct kern_ipc_perm *perm = idr_find(sets, id & 0x7fff);

	if (!perm || perm->id != id)
		perm = idr_find(sets, id & 0xffffff);
	if (!perm || perm->id != id)
		return 0;
	return container_of(perm, struct compat_sem_array, sem_perm)->sem_nsems;
}

#endif
