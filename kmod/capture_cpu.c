// SPDX-License-Identifier: GPL-2.0-only
/* What a program asked of its processor that is in no set of registers. */
#include <linux/entry-common.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "capture.h"
#include "compat/mm.h"

static u32 thread_flags(struct task_struct *task)
{
	struct thread_struct *thread = &task->thread;
	u32 flags = 0;

	if (memchr_inv(thread->tls_array, 0, sizeof(thread->tls_array)))
		flags |= XCKPT_PROCESS_SEGMENTS;
	if (READ_ONCE(thread->io_bitmap) || thread->iopl_emul)
		flags |= XCKPT_PROCESS_IO_PORTS;
	if (test_tsk_thread_flag(task, TIF_NOTSC) || test_tsk_thread_flag(task, TIF_NOCPUID))
		flags |= XCKPT_PROCESS_TRAPS;
	if (test_task_syscall_work(task, SYSCALL_USER_DISPATCH))
		flags |= XCKPT_PROCESS_DISPATCH;
	return flags;
}

u32 capture_cpu_flags(struct capture *capture)
{
	struct task_struct *task;
	u32 flags = 0;

#ifdef CONFIG_MODIFY_LDT_SYSCALL
	if (READ_ONCE(capture->mm->context.ldt))
		flags |= XCKPT_PROCESS_SEGMENTS;
#endif
	/* pages with breakpoints in them are its own, and are captured as they are */
	if (compat_mm_flag(capture->mm, MMF_HAS_UPROBES))
		flags |= XCKPT_PROCESS_UPROBES;
	rcu_read_lock();
	for_each_thread(capture->leader, task)
		flags |= thread_flags(task);
	rcu_read_unlock();
	return flags;
}
