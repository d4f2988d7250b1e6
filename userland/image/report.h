/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages for a person: "tool: cannot ACTION OBJECT: REASON (REMEDY)", one line. */
#ifndef XCKPT_REPORT_H
#define XCKPT_REPORT_H

/* Name of the running tool, set once by main(). */
extern const char *report_tool;

/* Both print "TOOL: " + the formatted text + "\n" to stderr in one write.
 * fail() returns -1 so that callers can write `return fail(...)`. */
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
