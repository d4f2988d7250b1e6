// SPDX-License-Identifier: GPL-2.0-or-later
/* System V IPC in the manifest, both ways. */
#include "manifest_json.h"

static const char *const limit_names[NR_SYSV_LIMITS] = {
	[SYSV_SHMMAX] = "shmmax", [SYSV_SHMALL] = "shmall", [SYSV_SHMMNI] = "shmmni",
	[SYSV_SEMMSL] = "semmsl", [SYSV_SEMMNS] = "semmns", [SYSV_SEMOPM] = "semopm",
	[SYSV_SEMMNI] = "semmni", [SYSV_MSGMAX] = "msgmax", [SYSV_MSGMNB] = "msgmnb",
	[SYSV_MSGMNI] = "msgmni",
};

static void read_object(struct reading *r, const json_t *o, struct sysv_object *object)
{
	object->id = (int)get_int(r, o, "id", 0, SYSV_ID_MAX);
	object->key = (int32_t)get_int(r, o, "key", INT32_MIN, INT32_MAX);
	object->mode = (uint32_t)get_int(r, o, "mode", 0, 0777);
	object->uid = get_u32(r, o, "uid");
	object->gid = get_u32(r, o, "gid");
	object->cuid = get_u32(r, o, "cuid");
	object->cgid = get_u32(r, o, "cgid");
}

/* What has the id @last comes before it, unless it is the first. */
static void check_order(struct reading *r, const struct sysv_object *object, bool first, int last)
{
	if (!first && object->id <= last)
		manifest_bad(r, "sysv", "is not in the order of ids");
}

static void read_segment(struct reading *r, const json_t *o, struct sysv_segment *s)
{
	read_object(r, o, &s->object);
	s->size = (uint64_t)get_int(r, o, "size", 1, INT64_MAX - IMAGE_PAGE_SIZE);
	s->locked = get_bool(r, o, "locked");
	s->removed = get_bool(r, o, "removed");
	s->huge = get_bool(r, o, "huge");
	if (json_object_get(o, "data"))
		s->data = get_data_name(r, o, "data");
}

static void read_set(struct reading *r, const json_t *o, struct sysv_set *s)
{
	const json_t *a;

	read_object(r, o, &s->object);
	a = get_array(r, o, "values", sizeof(*s->values), &s->values, &s->nr);
	if (a && (!s->nr || s->nr > SYSV_NSEMS_MAX)) {
		manifest_bad(r, "values", "are of no number that there is");
		return;
	}
	for (size_t i = 0; a && i < s->nr; i++) {
		const json_t *v = json_array_get(a, i);

		if (!json_is_integer(v) || json_integer_value(v) < 0 ||
		    json_integer_value(v) > SYSV_VALUE_MAX) {
			manifest_bad(r, "values", "are none of semaphores");
			return;
		}
		s->values[i] = (uint16_t)json_integer_value(v);
	}
}

/* [[type, size], ...]; they make up the contents. */
static void read_messages(struct reading *r, const json_t *o, struct sysv_queue *q)
{
	const json_t *a = get_array(r, o, "messages", sizeof(*q->messages), &q->messages, &q->nr);
	uint64_t sum = 0;

	if (q->nr > SYSV_MESSAGES_MAX) {
		manifest_bad(r, "messages", "are too many");
		return;
	}
	for (size_t i = 0; a && i < q->nr; i++) {
		const json_t *type = json_array_get(json_array_get(a, i), 0);
		const json_t *size = json_array_get(json_array_get(a, i), 1);

		if (!json_is_integer(type) || json_integer_value(type) < 1 ||
		    !json_is_integer(size) || json_integer_value(size) < 0 ||
		    json_integer_value(size) > INT32_MAX) {
			manifest_bad(r, "messages", "have no type or size");
			return;
		}
		q->messages[i] = (struct sysv_message){ json_integer_value(type),
							(uint32_t)json_integer_value(size) };
		sum += q->messages[i].size;
	}
	if (a && sum != q->data_size)
		manifest_bad(r, "messages", "are not what the queue holds");
}

static void read_queue(struct reading *r, const json_t *o, struct sysv_queue *q)
{
	read_object(r, o, &q->object);
	q->room = (uint64_t)get_int(r, o, "room", 0, INT64_MAX);
	if (json_object_get(o, "data")) {
		q->data = get_data_name(r, o, "data");
		q->data_size = (uint64_t)get_int(r, o, "data_size", 1, INT64_MAX);
	}
	read_messages(r, o, q);
}

void manifest_read_sysv(struct reading *r, const json_t *o, struct sysv_ipc *ipc)
{
	const json_t *a, *limits = json_object_get(o, "limits");

	a = get_array(r, o, "segments", sizeof(*ipc->segments), &ipc->segments, &ipc->nr_segments);
	for (size_t i = 0; a && i < ipc->nr_segments && !r->bad; i++) {
		read_segment(r, json_array_get(a, i), &ipc->segments[i]);
		check_order(r, &ipc->segments[i].object, !i,
			    i ? ipc->segments[i - 1].object.id : 0);
	}
	a = get_array(r, o, "sets", sizeof(*ipc->sets), &ipc->sets, &ipc->nr_sets);
	for (size_t i = 0; a && i < ipc->nr_sets && !r->bad; i++) {
		read_set(r, json_array_get(a, i), &ipc->sets[i]);
		check_order(r, &ipc->sets[i].object, !i, i ? ipc->sets[i - 1].object.id : 0);
	}
	a = get_array(r, o, "queues", sizeof(*ipc->queues), &ipc->queues, &ipc->nr_queues);
	for (size_t i = 0; a && i < ipc->nr_queues && !r->bad; i++) {
		read_queue(r, json_array_get(a, i), &ipc->queues[i]);
		check_order(r, &ipc->queues[i].object, !i, i ? ipc->queues[i - 1].object.id : 0);
	}
	a = get_array(r, o, "elsewhere", sizeof(*ipc->elsewhere), &ipc->elsewhere,
		      &ipc->nr_elsewhere);
	for (size_t i = 0; a && i < ipc->nr_elsewhere; i++)
		ipc->elsewhere[i] = (int)json_integer_value(json_array_get(a, i));
	for (int i = 0; i < NR_SYSV_LIMITS && !r->bad; i++)
		ipc->limits[i] = get_u64(r, limits, limit_names[i]);
}

static json_t *format_object(const struct sysv_object *object)
{
	return json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:o}", "id", object->id, "key",
			 (int)object->key, "mode", (int)object->mode, "uid",
			 json_number(object->uid), "gid", json_number(object->gid), "cuid",
			 json_number(object->cuid), "cgid", json_number(object->cgid));
}

static json_t *format_segment(const struct sysv_segment *s)
{
	json_t *o = format_object(&s->object);

	json_object_set_new(o, "size", json_number(s->size));
	json_object_set_new(o, "locked", json_boolean(s->locked));
	json_object_set_new(o, "removed", json_boolean(s->removed));
	json_object_set_new(o, "huge", json_boolean(s->huge));
	if (s->data)
		json_object_set_new(o, "data", json_string(s->data));
	return o;
}

static json_t *format_set(const struct sysv_set *s)
{
	json_t *o = format_object(&s->object), *values = json_array();

	for (size_t i = 0; i < s->nr; i++)
		json_array_append_new(values, json_integer(s->values[i]));
	json_object_set_new(o, "values", values);
	return o;
}

static json_t *format_queue(const struct sysv_queue *q)
{
	json_t *o = format_object(&q->object), *messages = json_array();

	for (size_t i = 0; i < q->nr; i++)
		json_array_append_new(messages, json_pack("[I, I]", (json_int_t)q->messages[i].type,
							  (json_int_t)q->messages[i].size));
	json_object_set_new(o, "room", json_number(q->room));
	json_object_set_new(o, "messages", messages);
	if (q->data) {
		json_object_set_new(o, "data", json_string(q->data));
		json_object_set_new(o, "data_size", json_number(q->data_size));
	}
	return o;
}

json_t *manifest_format_sysv(const struct sysv_ipc *ipc)
{
	json_t *segments = json_array(), *sets = json_array(), *queues = json_array();
	json_t *elsewhere = json_array(), *limits = json_object();

	for (size_t i = 0; i < ipc->nr_segments; i++)
		json_array_append_new(segments, format_segment(&ipc->segments[i]));
	for (size_t i = 0; i < ipc->nr_sets; i++)
		json_array_append_new(sets, format_set(&ipc->sets[i]));
	for (size_t i = 0; i < ipc->nr_queues; i++)
		json_array_append_new(queues, format_queue(&ipc->queues[i]));
	for (size_t i = 0; i < ipc->nr_elsewhere; i++)
		json_array_append_new(elsewhere, json_integer(ipc->elsewhere[i]));
	for (int i = 0; i < NR_SYSV_LIMITS; i++)
		json_object_set_new(limits, limit_names[i], json_number(ipc->limits[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "segments", segments, "sets", sets, "queues",
			 queues, "elsewhere", elsewhere, "limits", limits);
}
