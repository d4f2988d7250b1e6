// SPDX-License-Identifier: GPL-2.0-only
/* Notes grow while they are made: nobody knows beforehand how long paths are. */
#include <linux/align.h>
#include <linux/elf.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "note.h"

#define NOTES_MAX (512u << 20) /* of a PT_NOTE that readers still take */

static void *notes_grow(struct notes *notes, size_t size)
{
	size_t room;
	char *data;

	if (notes->err)
		return NULL;
	if (size > NOTES_MAX - notes->size) {
		notes->err = -E2BIG;
		return NULL;
	}
	if (notes->size + size > notes->room) {
		room = max_t(size_t, 2 * notes->room, ALIGN(notes->size + size, 4 * PAGE_SIZE));
		data = kvmalloc(room, GFP_KERNEL_ACCOUNT);
		if (!data) {
			notes->err = -ENOMEM;
			return NULL;
		}
		if (notes->data)
			memcpy(data, notes->data, notes->size);
		kvfree(notes->data);
		notes->data = data;
		notes->room = room;
	}
	data = notes->data + notes->size;
	memset(data, 0, size);
	notes->size += size;
	return data;
}

void *notes_add(struct notes *notes, size_t size)
{
	void *place = notes_grow(notes, size);

	if (place)
		return place;
	return size <= sizeof(notes->scratch) ? notes->scratch : NULL;
}

/*
 * A note is this head and its description, padded to 4 bytes. The names in use,
 * CORE, LINUX and XCKPT, all take 8 bytes with their end and padding.
 */
struct note_head {
	struct elf_note note;
	char name[8];
};

void notes_begin(struct notes *notes, const char *name, u32 type)
{
	struct note_head *head = notes_grow(notes, sizeof(*head));

	if (!head)
		return;
	head->note.n_namesz = strlen(name) + 1;
	head->note.n_type = type;
	strscpy(head->name, name, sizeof(head->name));
	notes->open = notes->size;
}

void notes_end(struct notes *notes)
{
	size_t size = notes->size - notes->open;
	struct note_head *head;

	if (!notes_grow(notes, ALIGN(size, 4) - size))
		return;
	head = (void *)(notes->data + notes->open - sizeof(*head));
	head->note.n_descsz = size;
}

u32 notes_offset(const struct notes *notes)
{
	return notes->size - notes->open;
}

void *notes_at(struct notes *notes, u32 offset)
{
	return notes->err ? notes->scratch : notes->data + notes->open + offset;
}

u32 notes_string(struct notes *notes, const char *string)
{
	u32 offset = notes_offset(notes);
	size_t len = strlen(string) + 1;
	char *place = notes_grow(notes, len);

	if (!place)
		return 0;
	memcpy(place, string, len);
	return offset;
}

void notes_put(struct notes *notes, const char *name, u32 type, const void *desc, size_t size)
{
	void *place;

	notes_begin(notes, name, type);
	place = notes_grow(notes, size);
	if (place)
		memcpy(place, desc, size);
	notes_end(notes);
}

void notes_free(struct notes *notes)
{
	kvfree(notes->data);
	notes->data = NULL;
}
