// SPDX-License-Identifier: GPL-2.0-or-later
/* Credentials: those of a process, and of threads that have others. */
#include "core_notes.h"
#include "image.h"

#include <string.h>

/* @from: struct xckpt_note_process or struct xckpt_note_creds */
#define TAKE(from)                                                                                 \
	{                                                                                          \
		.uid = (from)->uid, .euid = (from)->euid, .suid = (from)->suid,                    \
		.fsuid = (from)->fsuid, .gid = (from)->gid, .egid = (from)->egid,                  \
		.sgid = (from)->sgid, .fsgid = (from)->fsgid,                                      \
		.cap_inheritable = (from)->cap_inheritable,                                        \
		.cap_permitted = (from)->cap_permitted, .cap_effective = (from)->cap_effective,    \
		.cap_bset = (from)->cap_bset, .cap_ambient = (from)->cap_ambient,                  \
		.securebits = (from)->securebits,                                                  \
		.no_new_privs = (from)->flags & XCKPT_PROCESS_NO_NEW_PRIVS,                        \
	}

struct credentials image_credentials(const struct image_process *p, const struct image_thread *t)
{
	struct credentials c = TAKE(&p->info);

	c.groups = p->groups;
	c.nr_groups = p->nr_groups;
	return t->own ? *t->own : c;
}

int take_groups(const struct notes *n, const struct note *note, uint32_t off, uint32_t nr,
		const uint32_t **to)
{
	uint32_t *groups;

	if (nr && (off > note->size || nr > (note->size - off) / sizeof(*groups)))
		return notes_damaged(n, "a table exceeds its note");
	groups = arena_alloc(n->arena, nr, sizeof(*groups));
	if (!groups)
		return -1;
	if (nr)
		memcpy(groups, note->desc + off, nr * sizeof(*groups));
	*to = groups;
	return 0;
}

int take_creds(struct notes *n, const struct note *note)
{
	struct xckpt_note_creds raw;
	struct credentials *own;

	if (!n->thread)
		return notes_damaged(n, "an XCKPT CREDS note of no thread");
	own = arena_alloc(n->arena, 1, sizeof(*own));
	if (!own ||
	    take_struct(n, note, &raw, sizeof(raw), END_OF(struct xckpt_note_creds, __reserved)))
		return -1;
	*own = (struct credentials)TAKE(&raw);
	own->nr_groups = raw.nr_groups;
	n->thread->own = own;
	return take_groups(n, note, raw.groups_off, raw.nr_groups, &own->groups);
}
