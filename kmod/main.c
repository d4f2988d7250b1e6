// SPDX-License-Identifier: GPL-2.0-only
/* The module's table of contents. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/module.h>

#include "clone.h"
#include "device.h"
#include "freeze.h"
#include "symbols.h"
#include "task.h"

static int __init xckpt_init(void)
{
	int ret;

	ret = symbols_init();
	if (ret)
		return ret;
	ret = task_init();
	if (ret)
		return ret;
	ret = clone_init();
	if (ret)
		goto err_task;
	ret = device_init();
	if (ret)
		goto err_clone;
	return 0;

err_clone:
	clone_exit();
err_task:
	task_exit();
	return ret;
}

static void __exit xckpt_exit(void)
{
	device_exit();
	clone_exit();
	park_exit();
	task_exit();
}

module_init(xckpt_init);
module_exit(xckpt_exit);

MODULE_DESCRIPTION("Atomic freeze of process groups and their ELF cores, for checkpoints");
MODULE_LICENSE("GPL");
