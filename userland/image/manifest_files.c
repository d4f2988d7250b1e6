// SPDX-License-Identifier: GPL-2.0-or-later
/* An open file in the manifest, both ways. */
#include "core.h"
#include "manifest_json.h"

#include <string.h>

static const char *const event_names[] = {
	[EVENT_UNKNOWN] = "unknown",  [EVENT_COUNTER] = "eventfd", [EVENT_TIMER] = "timerfd",
	[EVENT_SIGNALS] = "signalfd", [EVENT_POLL] = "epoll",	   [EVENT_WATCHES] = "inotify",
	[EVENT_PROCESS] = "pidfd",    [EVENT_RING] = "io_uring",
};

static const char *const lock_names[] = {
	[LOCK_FLOCK] = "flock",
	[LOCK_POSIX] = "posix",
	[LOCK_OFD] = "ofd",
	[LOCK_LEASE] = "lease",
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static unsigned int get_name(struct reading *r, const json_t *o, const char *key,
			     const char *const *names, unsigned int nr)
{
	const char *name = get_string(r, o, key);

	for (unsigned int i = 0; i < nr; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	manifest_bad(r, key, "is unknown");
	return 0;
}

const char *event_kind_name(enum event_kind kind)
{
	return kind < ARRAY_SIZE(event_names) ? event_names[kind] : event_names[EVENT_UNKNOWN];
}

const char *lock_kind_name(enum lock_kind kind)
{
	return kind < ARRAY_SIZE(lock_names) ? lock_names[kind] : "unknown";
}

static void read_entries(struct reading *r, const json_t *o, struct event_state *e)
{
	const json_t *a =
		get_array(r, o, "entries", sizeof(*e->entries), &e->entries, &e->nr_entries);

	for (size_t i = 0; a && i < e->nr_entries && !r->bad; i++) {
		const json_t *entry = json_array_get(a, i);

		e->entries[i] = (struct poll_entry){
			.fd = (int)get_int(r, entry, "fd", 0, INT32_MAX),
			.file = get_u32(r, entry, "file"),
			.events = get_u32(r, entry, "events"),
			.data = get_u64(r, entry, "data"),
		};
	}
}

static void read_watches(struct reading *r, const json_t *o, struct event_state *e)
{
	const json_t *a =
		get_array(r, o, "watches", sizeof(*e->watches), &e->watches, &e->nr_watches);

	e->unread = get_u64(r, o, "unread");
	for (size_t i = 0; a && i < e->nr_watches && !r->bad; i++) {
		const json_t *watch = json_array_get(a, i);

		e->watches[i].wd = (int)get_int(r, watch, "wd", 1, INT32_MAX);
		e->watches[i].mask = get_u32(r, watch, "mask");
		e->watches[i].path = get_string(r, watch, "path");
		if (i && e->watches[i].wd <= e->watches[i - 1].wd)
			manifest_bad(r, "watches", "are not in order");
	}
}

static bool is_ring_size(uint32_t entries, uint32_t most)
{
	return entries && entries <= most && !(entries & (entries - 1));
}

static void read_ring(struct reading *r, const json_t *o, struct xckpt_ring *ring)
{
	ring->state = get_u32(r, o, "state");
	ring->flags = get_u32(r, o, "flags");
	ring->sq_entries = get_u32(r, o, "sq_entries");
	ring->cq_entries = get_u32(r, o, "cq_entries");
	ring->sq_head = get_u32(r, o, "sq_head");
	ring->cq_tail = get_u32(r, o, "cq_tail");
	ring->sq_tail_off = get_u32(r, o, "sq_tail_off");
	ring->cq_head_off = get_u32(r, o, "cq_head_off");
	ring->cqes_off = get_u32(r, o, "cqes_off");
	ring->array_off = get_u32(r, o, "array_off");
	/* as io_uring_setup(2) has them */
	if (!is_ring_size(ring->sq_entries, 32768) || !is_ring_size(ring->cq_entries, 65536) ||
	    ring->cq_entries < ring->sq_entries)
		manifest_bad(r, "io_uring", "is of a size that there is not");
}

static void read_event(struct reading *r, const json_t *o, struct event_state *e)
{
	e->kind = get_name(r, o, "kind", event_names, ARRAY_SIZE(event_names));
	switch (e->kind) {
	case EVENT_COUNTER:
		e->count = get_u64(r, o, "count");
		e->semaphore = get_bool(r, o, "semaphore");
		break;
	case EVENT_TIMER:
		e->clock = (int)get_int(r, o, "clock", 0, 31);
		e->count = get_u64(r, o, "expirations");
		e->settime_flags = get_u32(r, o, "settime_flags");
		e->value_ns = (uint64_t)get_int(r, o, "value_ns", 0, INT64_MAX);
		e->interval_ns = (uint64_t)get_int(r, o, "interval_ns", 0, INT64_MAX);
		break;
	case EVENT_SIGNALS:
		e->mask = get_u64(r, o, "mask");
		break;
	case EVENT_POLL:
		read_entries(r, o, e);
		break;
	case EVENT_WATCHES:
		read_watches(r, o, e);
		break;
	case EVENT_PROCESS:
		e->pid = (int)get_int(r, o, "pid", -1, INT32_MAX);
		break;
	case EVENT_RING:
		read_ring(r, o, &e->ring);
		break;
	default:
		break;
	}
}

/* They make up the contents. */
static void read_packets(struct reading *r, const json_t *o, struct open_file *f)
{
	const json_t *a =
		get_array(r, o, "packets", sizeof(*f->packets), &f->packets, &f->nr_packets);
	uint64_t sum = 0;

	for (size_t i = 0; a && i < f->nr_packets; i++) {
		const json_t *size = json_array_get(a, i);

		if (!json_is_integer(size) || json_integer_value(size) < 1 ||
		    json_integer_value(size) > PIPE_PACKET_MAX) {
			manifest_bad(r, "packets", "are of no size that there is");
			return;
		}
		f->packets[i] = (uint32_t)json_integer_value(size);
		sum += f->packets[i];
	}
	if (a && sum != f->data_size)
		manifest_bad(r, "packets", "are not what the pipe holds");
}

static void read_locks(struct reading *r, const json_t *o, struct open_file *f)
{
	const json_t *a = get_array(r, o, "locks", sizeof(*f->locks), &f->locks, &f->nr_locks);

	for (size_t i = 0; a && i < f->nr_locks && !r->bad; i++) {
		const json_t *lock = json_array_get(a, i);
		struct file_lock *l = &f->locks[i];

		l->kind = get_name(r, lock, "kind", lock_names, ARRAY_SIZE(lock_names));
		l->exclusive = get_bool(r, lock, "exclusive");
		l->start = (uint64_t)get_int(r, lock, "start", 0, INT64_MAX);
		l->end = get_u64(r, lock, "end");
		l->pid = (int)get_int(r, lock, "pid", 0, INT32_MAX);
		if (l->end < l->start)
			manifest_bad(r, "locks", "end before they start");
	}
}

static void read_owner(struct reading *r, const json_t *o, struct open_file *f)
{
	f->owner = (int)get_int(r, o, "owner", 0, INT32_MAX);
	f->owner_type = (uint32_t)get_int(r, o, "owner_type", 0, 2);
	f->owner_signal = (uint32_t)get_int(r, o, "owner_signal", 0, 64);
}

static void read_terminal(struct reading *r, const json_t *o, struct open_file *f)
{
	if (is_master(f))
		f->terminal = manifest_read_terminal(r, json_object_get(o, "terminal"));
	else
		manifest_bad(r, "terminal", "is not that of a master");
}

static void read_slave(struct reading *r, const json_t *o, struct open_file *f)
{
	f->master = (uint32_t)get_int(r, o, "master", 1, UINT32_MAX);
	if (f->kind != FILE_TTY || f->flags & X86_O_PATH)
		manifest_bad(r, "master", "is not that of a terminal");
}

void manifest_read_file(struct reading *r, const json_t *o, struct open_file *f)
{
	f->id = get_u32(r, o, "id");
	if (file_kind_parse(get_string(r, o, "kind"), &f->kind))
		manifest_bad(r, "kind", "is unknown");
	f->path = get_string(r, o, "path");
	f->flags = get_u32(r, o, "flags");
	f->mode = get_u32(r, o, "mode");
	f->uid = json_object_get(o, "uid") ? get_u32(r, o, "uid") : 0;
	f->gid = json_object_get(o, "gid") ? get_u32(r, o, "gid") : 0;
	f->pos = get_u64(r, o, "pos");
	f->dev = get_u64(r, o, "dev");
	f->ino = get_u64(r, o, "ino");
	f->rdev = get_u64(r, o, "rdev");
	f->size = get_u64(r, o, "size");
	f->mtime_ns = (int64_t)get_u64(r, o, "mtime_ns");
	f->deleted = get_bool(r, o, "deleted");
	f->unlinked = json_object_get(o, "unlinked") && get_bool(r, o, "unlinked");
	if (is_pipe(f)) {
		f->inside = get_bool(r, o, "inside");
		f->capacity = get_u32(r, o, "capacity");
	}
	if (json_object_get(o, "data")) {
		f->data = get_data_name(r, o, "data");
		f->data_size = get_u64(r, o, "data_size");
	}
	if (is_pipe(f) && json_object_get(o, "packets"))
		read_packets(r, o, f);
	if (json_object_get(o, "names")) {
		f->place.names = get_u64(r, o, "names");
		f->place.sum = get_u64(r, o, "names_sum");
	}
	if (json_object_get(o, "event"))
		read_event(r, json_object_get(o, "event"), &f->event);
	if (json_object_get(o, "terminal"))
		read_terminal(r, o, f);
	if (json_object_get(o, "master"))
		read_slave(r, o, f);
	if (json_object_get(o, "locks"))
		read_locks(r, o, f);
	if (json_object_get(o, "owner"))
		read_owner(r, o, f);
	if (json_object_get(o, "seals"))
		f->seals = get_u32(r, o, "seals");
	if (json_object_get(o, "page_shift"))
		f->page_shift = (uint32_t)get_int(r, o, "page_shift", 12, 40);
}

static json_t *format_entries(const struct event_state *e)
{
	json_t *array = json_array();

	for (size_t i = 0; i < e->nr_entries; i++)
		json_array_append_new(array,
				      json_pack("{s:i, s:o, s:o, s:o}", "fd", e->entries[i].fd,
						"file", json_number(e->entries[i].file), "events",
						json_number(e->entries[i].events), "data",
						json_number(e->entries[i].data)));
	return array;
}

static json_t *format_watches(const struct event_state *e)
{
	json_t *array = json_array();

	for (size_t i = 0; i < e->nr_watches; i++)
		json_array_append_new(array, json_pack("{s:i, s:o, s:o}", "wd", e->watches[i].wd,
						       "mask", json_number(e->watches[i].mask),
						       "path", json_bytes(e->watches[i].path)));
	return array;
}

static void format_ring(json_t *o, const struct xckpt_ring *ring)
{
	json_object_set_new(o, "state", json_number(ring->state));
	json_object_set_new(o, "flags", json_number(ring->flags));
	json_object_set_new(o, "sq_entries", json_number(ring->sq_entries));
	json_object_set_new(o, "cq_entries", json_number(ring->cq_entries));
	json_object_set_new(o, "sq_head", json_number(ring->sq_head));
	json_object_set_new(o, "cq_tail", json_number(ring->cq_tail));
	json_object_set_new(o, "sq_tail_off", json_number(ring->sq_tail_off));
	json_object_set_new(o, "cq_head_off", json_number(ring->cq_head_off));
	json_object_set_new(o, "cqes_off", json_number(ring->cqes_off));
	json_object_set_new(o, "array_off", json_number(ring->array_off));
}

json_t *manifest_format_event(const struct event_state *e)
{
	json_t *o = json_pack("{s:s}", "kind", event_kind_name(e->kind));

	switch (e->kind) {
	case EVENT_COUNTER:
		json_object_set_new(o, "count", json_number(e->count));
		json_object_set_new(o, "semaphore", json_boolean(e->semaphore));
		break;
	case EVENT_TIMER:
		json_object_set_new(o, "clock", json_integer(e->clock));
		json_object_set_new(o, "expirations", json_number(e->count));
		json_object_set_new(o, "settime_flags", json_number(e->settime_flags));
		json_object_set_new(o, "value_ns", json_number(e->value_ns));
		json_object_set_new(o, "interval_ns", json_number(e->interval_ns));
		break;
	case EVENT_SIGNALS:
		json_object_set_new(o, "mask", json_number(e->mask));
		break;
	case EVENT_POLL:
		json_object_set_new(o, "entries", format_entries(e));
		break;
	case EVENT_WATCHES:
		json_object_set_new(o, "watches", format_watches(e));
		json_object_set_new(o, "unread", json_number(e->unread));
		break;
	case EVENT_PROCESS:
		json_object_set_new(o, "pid", json_integer(e->pid));
		break;
	case EVENT_RING:
		format_ring(o, &e->ring);
		break;
	default:
		break;
	}
	return o;
}

json_t *manifest_format_packets(const struct open_file *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->nr_packets; i++)
		json_array_append_new(array, json_number(f->packets[i]));
	return array;
}

json_t *manifest_format_locks(const struct open_file *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->nr_locks; i++) {
		const struct file_lock *l = &f->locks[i];

		json_array_append_new(array, json_pack("{s:s, s:b, s:o, s:o, s:i}", "kind",
						       lock_kind_name(l->kind), "exclusive",
						       l->exclusive, "start", json_number(l->start),
						       "end", json_number(l->end), "pid", l->pid));
	}
	return array;
}

json_t *manifest_format_file(const struct open_file *f)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_number(f->id));
	json_object_set_new(o, "kind", json_string(file_kind_name(f->kind)));
	json_object_set_new(o, "path", json_bytes(f->path));
	json_object_set_new(o, "flags", json_number(f->flags));
	json_object_set_new(o, "mode", json_number(f->mode));
	json_object_set_new(o, "uid", json_number(f->uid));
	json_object_set_new(o, "gid", json_number(f->gid));
	json_object_set_new(o, "pos", json_number(f->pos));
	json_object_set_new(o, "dev", json_number(f->dev));
	json_object_set_new(o, "ino", json_number(f->ino));
	json_object_set_new(o, "rdev", json_number(f->rdev));
	json_object_set_new(o, "size", json_number(f->size));
	json_object_set_new(o, "mtime_ns", json_integer(f->mtime_ns));
	json_object_set_new(o, "deleted", json_boolean(f->deleted));
	if (f->unlinked)
		json_object_set_new(o, "unlinked", json_true());
	if (is_pipe(f)) {
		json_object_set_new(o, "inside", json_boolean(f->inside));
		json_object_set_new(o, "capacity", json_number(f->capacity));
	}
	if (f->data) {
		json_object_set_new(o, "data", json_string(f->data));
		json_object_set_new(o, "data_size", json_number(f->data_size));
	}
	if (f->nr_packets && f->data)
		json_object_set_new(o, "packets", manifest_format_packets(f));
	if (f->place.names) {
		json_object_set_new(o, "names", json_number(f->place.names));
		json_object_set_new(o, "names_sum", json_number(f->place.sum));
	}
	if (f->kind == FILE_ANON_INODE)
		json_object_set_new(o, "event", manifest_format_event(&f->event));
	if (f->terminal)
		json_object_set_new(o, "terminal", manifest_format_terminal(f->terminal));
	if (f->master)
		json_object_set_new(o, "master", json_number(f->master));
	if (f->nr_locks)
		json_object_set_new(o, "locks", manifest_format_locks(f));
	if (f->owner || f->owner_signal) {
		json_object_set_new(o, "owner", json_integer(f->owner));
		json_object_set_new(o, "owner_type", json_number(f->owner_type));
		json_object_set_new(o, "owner_signal", json_number(f->owner_signal));
	}
	if (f->kind == FILE_MEMFD)
		json_object_set_new(o, "seals", json_number(f->seals));
	if (f->page_shift)
		json_object_set_new(o, "page_shift", json_number(f->page_shift));
	return o;
}
