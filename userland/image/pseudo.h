/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XCKPT_PSEUDO_H
#define XCKPT_PSEUDO_H

#include <stdbool.h>

/*
 * Does the kernel make up what is read from @fd (procfs, sysfs, cgroup ...)? Such a file
 * has neither a size nor a time to go by, and its contents mean nothing elsewhere.
 */
bool is_pseudo_file(int fd);

#endif
