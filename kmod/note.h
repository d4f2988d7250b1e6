/* SPDX-License-Identifier: GPL-2.0-only */
/* A buffer of ELF notes that grows. */
#ifndef XCKPT_NOTE_H
#define XCKPT_NOTE_H

#include <linux/types.h>

#define NOTES_SCRATCH 1024

struct notes {
	char *data;
	size_t size, room; /* bytes */
	size_t open; /* offset of the description of the note that is being made */
	int err; /* the first error; what follows it does nothing */
	char scratch[NOTES_SCRATCH];
};

/* Begin a note; its description is what is added until notes_end(). */
void notes_begin(struct notes *notes, const char *name, u32 type);
void notes_end(struct notes *notes);

/*
 * Add @size zeroed bytes to the description and return where they are, valid
 * until the next call here. After an error that is a scratch place, so that up
 * to NOTES_SCRATCH bytes can be filled in without a check; more gives NULL.
 */
void *notes_add(struct notes *notes, size_t size);

/* Offset in the running description, and the place at an offset of it. */
u32 notes_offset(const struct notes *notes);
void *notes_at(struct notes *notes, u32 offset);

/* Add a string with its end; returns its offset in the description. */
u32 notes_string(struct notes *notes, const char *string);

/* A whole note at once. */
void notes_put(struct notes *notes, const char *name, u32 type, const void *desc, size_t size);

void notes_free(struct notes *notes);

#endif
