/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that a user has given. */
#ifndef XCKPT_NUMBER_H
#define XCKPT_NUMBER_H

/* The decimal number @text, from @min to @max, neither negative; -1 after one line on stderr. */
long parse_number(const char *what, const char *text, long min, long max);

#endif
