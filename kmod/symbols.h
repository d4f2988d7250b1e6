/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef XCKPT_SYMBOLS_H
#define XCKPT_SYMBOLS_H

#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pagewalk.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/sched/coredump.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/static_call.h>
#include <linux/task_work.h>

#include "compat/symbols.h"

/* Kernel functions that no distribution exports, and that are called from here. */
#define XCKPT_SYMBOLS(X)                                                                           \
	XCKPT_SYMBOLS_SIGHAND(X)                                                                   \
	XCKPT_SYMBOLS_DUMPABLE(X)                                                                  \
	XCKPT_SYMBOLS_AIO(X)                                                                       \
	X(__x64_sys_recvmmsg)                                                                      \
	X(fget_task)                                                                               \
	X(get_mm_exe_file)                                                                         \
	X(pidfd_get_pid)                                                                           \
	X(kernel_clone)                                                                            \
	X(kernel_wait4)                                                                            \
	X(ptrace_may_access)                                                                       \
	X(put_task_stack)                                                                          \
	X(task_work_cancel_match)                                                                  \
	X(vm_normal_page)                                                                          \
	X(walk_page_range)

#ifdef MODULE
/*
 * A static call is a direct call: with kernel IBT the entry of a function whose
 * address nobody takes has no ENDBR, and an indirect call to it would fault.
 */
#define X(name) DECLARE_STATIC_CALL(xckpt_##name, name);
XCKPT_SYMBOLS(X)
#undef X
#define kernel_call(name) static_call(xckpt_##name)
#else
#define kernel_call(name) name
#endif

int symbols_init(void);

#endif
