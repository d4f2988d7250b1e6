/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between core_notes.c, which walks the notes, and core_tables.c. */
#ifndef XCKPT_CORE_NOTES_H
#define XCKPT_CORE_NOTES_H

#include "core.h"

#define END_OF(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

struct note {
	const char *name; /* not terminated */
	size_t name_size;
	uint32_t type;
	const uint8_t *desc;
	size_t size;
};

struct notes {
	const struct core_place *at;
	struct arena *arena;
	struct image_process *p;
	struct core_files *files;
	struct image_thread *thread; /* the one whose notes are being read */
	uint32_t seen; /* bit per XCKPT type, of the process or @thread */
	uint32_t process_seen;
};

/* All of them: 0, or -1 after one line on stderr. */
int notes_damaged(const struct notes *n, const char *what);
/*
 * Copy a self-sized structure: what the writer did not know is zero, what this
 * reader does not know is ignored. @min is the size that version 1 had.
 */
int take_struct(const struct notes *n, const struct note *note, void *to, size_t size, size_t min);
int take_string(const struct notes *n, const struct note *note, uint32_t off, const char **to);
int take_vma(struct notes *n, const struct note *note);
int take_guard(struct notes *n, const struct note *note);
int check_guards(const struct notes *n); /* once all mappings are known */
int take_sigaction(struct notes *n, const struct note *note);
int take_timer(struct notes *n, const struct note *note);
int take_undo(struct notes *n, const struct note *note);
int take_sigpending(struct notes *n, const struct note *note);
/* A table of groups, which is the arena's. */
int take_groups(const struct notes *n, const struct note *note, uint32_t off, uint32_t nr,
		const uint32_t **to);
int take_creds(struct notes *n, const struct note *note);
int take_file(struct notes *n, const struct note *note);
int take_ring(struct notes *n, const struct note *note);

#endif
