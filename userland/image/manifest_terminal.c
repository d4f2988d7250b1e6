// SPDX-License-Identifier: GPL-2.0-or-later
/* A pseudo-terminal in the manifest, both ways. */
#include "manifest_json.h"

#define X86_ICANON 2u
#define MOST_TERMINALS (1 << 20) /* of one instance of devpts, in any kernel */

static uint16_t get_u16(struct reading *r, const json_t *o, const char *key)
{
	return (uint16_t)get_int(r, o, key, 0, UINT16_MAX);
}

static void read_chars(struct reading *r, const json_t *o, struct terminal *t)
{
	const json_t *a = json_object_get(o, "chars");

	if (json_array_size(a) != NR_TERMINAL_CHARS)
		manifest_bad(r, "chars", "are not as many as a terminal has");
	for (size_t i = 0; i < NR_TERMINAL_CHARS && !r->bad; i++) {
		const json_t *c = json_array_get(a, i);

		t->chars[i] = (uint8_t)json_integer_value(c);
		if (!json_is_integer(c) || json_integer_value(c) != t->chars[i])
			manifest_bad(r, "chars", "are no bytes");
	}
}

static void read_modes(struct reading *r, const json_t *o, struct terminal *t)
{
	t->iflag = get_u32(r, o, "iflag");
	t->oflag = get_u32(r, o, "oflag");
	t->cflag = get_u32(r, o, "cflag");
	t->lflag = get_u32(r, o, "lflag");
	t->ispeed = get_u32(r, o, "ispeed");
	t->ospeed = get_u32(r, o, "ospeed");
	t->line = (uint8_t)get_int(r, o, "line", 0, UINT8_MAX);
	read_chars(r, o, t);
	t->rows = get_u16(r, o, "rows");
	t->columns = get_u16(r, o, "columns");
	t->width = get_u16(r, o, "width");
	t->height = get_u16(r, o, "height");
}

struct terminal *manifest_read_terminal(struct reading *r, const json_t *o)
{
	struct terminal *t = arena_alloc(r->arena, 1, sizeof(*t));

	if (!t) {
		r->bad = true;
		return NULL;
	}
	t->index = (uint32_t)get_int(r, o, "index", 0, MOST_TERMINALS - 1);
	t->opened = get_bool(r, o, "opened");
	t->locked = get_bool(r, o, "locked");
	t->packet = get_bool(r, o, "packet");
	t->end = get_bool(r, o, "end");
	t->exclusive = get_bool(r, o, "exclusive");
	t->slave_exclusive = get_bool(r, o, "slave_exclusive");
	t->outside = get_bool(r, o, "outside");
	t->session = (int)get_int(r, o, "session", 0, INT32_MAX);
	t->foreground = (int)get_int(r, o, "foreground", 0, INT32_MAX);
	read_modes(r, o, t);
	t->uid = get_u32(r, o, "uid");
	t->gid = get_u32(r, o, "gid");
	t->mode = (uint32_t)get_int(r, o, "mode", 0, 07777);
	if (t->session && !t->opened)
		manifest_bad(r, "session", "has a terminal that was never open");
	if (t->end && !(t->opened && t->lflag & X86_ICANON))
		manifest_bad(r, "end", "is one that nobody could type");
	if (t->foreground && !t->session)
		manifest_bad(r, "foreground", "is of no session");
	return t;
}

struct terminal *manifest_read_front(struct reading *r, const json_t *o)
{
	struct terminal *t = arena_alloc(r->arena, 1, sizeof(*t));

	if (t)
		read_modes(r, o, t);
	else
		r->bad = true;
	return t;
}

json_t *manifest_format_front(const struct terminal *t)
{
	json_t *chars = json_array();

	for (size_t i = 0; i < NR_TERMINAL_CHARS; i++)
		json_array_append_new(chars, json_integer(t->chars[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:i, s:i, s:i, s:i}", "iflag",
			 json_number(t->iflag), "oflag", json_number(t->oflag), "cflag",
			 json_number(t->cflag), "lflag", json_number(t->lflag), "ispeed",
			 json_number(t->ispeed), "ospeed", json_number(t->ospeed), "line", t->line,
			 "chars", chars, "rows", t->rows, "columns", t->columns, "width", t->width,
			 "height", t->height);
}

json_t *manifest_format_terminal(const struct terminal *t)
{
	json_t *modes = manifest_format_front(t);
	json_t *o =
		json_pack("{s:o, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:o, s:o, s:o}",
			  "index", json_number(t->index), "opened", t->opened, "locked", t->locked,
			  "packet", t->packet, "end", t->end, "exclusive", t->exclusive,
			  "slave_exclusive", t->slave_exclusive, "outside", t->outside, "session",
			  t->session, "foreground", t->foreground, "uid", json_number(t->uid),
			  "gid", json_number(t->gid), "mode", json_number(t->mode));

	json_object_update(o, modes);
	json_decref(modes);
	return o;
}
