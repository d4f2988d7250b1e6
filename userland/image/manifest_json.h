/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and writing the members of the manifest, for its files only. */
#ifndef XCKPT_MANIFEST_JSON_H
#define XCKPT_MANIFEST_JSON_H

#include <jansson.h>

#include "manifest.h"

struct reading {
	const char *action;
	struct arena *arena;
	bool bad; /* reported already */
	size_t room; /* bytes that its tables may still take */
};

/* Report, once, that the member @key is not what it has to be. */
void manifest_bad(struct reading *r, const char *key, const char *what);

/* The member @key of @o; when it is not there or no such thing, reported and 0 or "". */
int64_t get_int(struct reading *r, const json_t *o, const char *key, int64_t min, int64_t max);
uint64_t get_u64(struct reading *r, const json_t *o, const char *key);
uint32_t get_u32(struct reading *r, const json_t *o, const char *key);
bool get_bool(struct reading *r, const json_t *o, const char *key);
const char *get_string(struct reading *r, const json_t *o, const char *key);
/* The array @key of @o; *@to becomes room for its *@nr entries of @size bytes, zeroed. */
json_t *get_array(struct reading *r, const json_t *o, const char *key, size_t size, void *to,
		  size_t *nr);

/* Bytes from the kernel as a JSON string. */
json_t *json_bytes(const char *s);
json_t *json_number(uint64_t v);

/* "files/NAME", the member @key of @o: contents that no path gives back. */
const char *get_data_name(struct reading *r, const json_t *o, const char *key);

/* manifest_sysv.c: System V IPC; NULL: there is none */
void manifest_read_sysv(struct reading *r, const json_t *o, struct sysv_ipc *ipc);
json_t *manifest_format_sysv(const struct sysv_ipc *ipc);

/* manifest_terminal.c: a pseudo-terminal; NULL: no memory, or it is bad */
struct terminal *manifest_read_terminal(struct reading *r, const json_t *o);
json_t *manifest_format_terminal(const struct terminal *t);
/* Of one that is not in the image: modes and size. */
struct terminal *manifest_read_front(struct reading *r, const json_t *o);
json_t *manifest_format_front(const struct terminal *t);

/* manifest_files.c: one open file */
void manifest_read_file(struct reading *r, const json_t *o, struct open_file *f);
json_t *manifest_format_file(const struct open_file *f);
/* Parts of it, which xckpt-info shows in the same way. */
json_t *manifest_format_event(const struct event_state *e);
json_t *manifest_format_locks(const struct open_file *f);
json_t *manifest_format_packets(const struct open_file *f);

#endif
