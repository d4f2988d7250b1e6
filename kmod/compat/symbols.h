/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel functions that not all kernels have, for symbols.h; Kbuild tells which there are. */
#ifndef XCKPT_COMPAT_SYMBOLS_H
#define XCKPT_COMPAT_SYMBOLS_H

#ifdef COMPAT_LOCK_SIGHAND
#define XCKPT_SYMBOLS_SIGHAND(X) X(lock_task_sighand)
#define compat_lock_sighand kernel_call(lock_task_sighand)
#else
#define XCKPT_SYMBOLS_SIGHAND(X) X(__lock_task_sighand)
#define compat_lock_sighand kernel_call(__lock_task_sighand)
#endif
#ifdef COMPAT_EXEC_STATE
#define XCKPT_SYMBOLS_DUMPABLE(X) X(task_exec_state_get_dumpable)
#define compat_dumpable(task, mm) kernel_call(task_exec_state_get_dumpable)(task)
#else
#define XCKPT_SYMBOLS_DUMPABLE(X)
#define compat_dumpable(task, mm) get_dumpable(mm)
#endif
#ifdef CONFIG_AIO
#define XCKPT_SYMBOLS_AIO(X) X(__x64_sys_io_getevents)
#define compat_io_getevents kernel_call(__x64_sys_io_getevents)
#else
#define XCKPT_SYMBOLS_AIO(X)
#define compat_io_getevents(regs) (-ENOSYS)
#endif

/* System calls by their tables' names: no header has these. */
asmlinkage long __x64_sys_recvmmsg(const struct pt_regs *regs);
asmlinkage long __x64_sys_io_getevents(const struct pt_regs *regs);

#endif
