/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XCKPT_VERSION_H
#define XCKPT_VERSION_H

#define XCKPT_VERSION "0.1.0"

#endif
