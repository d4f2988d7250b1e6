/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The restart ELF where the program's own file is, or would be: a QEMU takes the
 * path that it is started with for that of the program, as long as it lives.
 */
#ifndef LAUNCH_COVER_H
#define LAUNCH_COVER_H

#include <limits.h>

struct cover {
	const char *path; /* "": nowhere */
	const char *engine; /* what must still be found */
	int restart; /* the ELF */
	char mounted[PATH_MAX]; /* where there is a mount now, or "" */
};

/*
 * In a mount namespace of our own: show it, without anything being written
 * anywhere; and take it away. Both return 0 or an error number.
 */
int cover_on(struct cover *cover);
int cover_off(struct cover *cover);

/*
 * A mount needs a directory to stand on. Where not even the first one of @path
 * exists, make it; returns its name (malloc'ed) for cover_forget(), or NULL.
 */
char *cover_prepare(const char *path);
void cover_forget(char *made);

/*
 * An empty file whose link in /proc shows @path, though it is nowhere: for
 * /proc/PID/exe of a program whose file this machine does not have. Returns a
 * descriptor, or -1 with errno. Needs a mount namespace of our own.
 */
int cover_name(const char *path);

#endif
