// SPDX-License-Identifier: GPL-2.0-or-later
/* System V IPC, as the kernel tells it to who is in the program's IPC namespace. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "check.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

union semun {
	struct semid_ds *buf;
	unsigned short *array;
};

/* "semaphore set 3's mode", in a static buffer */
static const char *part(const char *kind, int id, const char *what)
{
	static char text[96];

	snprintf(text, sizeof(text), "the %s of System V %s %d", what, kind, id);
	return text;
}

static int check_perm(struct check *c, const char *kind, const struct sysv_object *o,
		      const struct ipc_perm *perm)
{
	if (check_number(c, part(kind, o->id, "key"), "%#llx", (uint32_t)perm->__key,
			 (uint32_t)o->key) ||
	    check_number(c, part(kind, o->id, "mode"), "%#llo", perm->mode & 0777, o->mode))
		return -1;
	if (!c->plan->host->root)
		return 0; /* it was told that it is another's */
	return check_number(c, part(kind, o->id, "owner"), "%llu", perm->uid, o->uid) ||
			       check_number(c, part(kind, o->id, "group"), "%llu", perm->gid,
					    o->gid) ||
			       check_number(c, part(kind, o->id, "maker"), "%llu", perm->cuid,
					    o->cuid) ||
			       check_number(c, part(kind, o->id, "maker's group"), "%llu",
					    perm->cgid, o->cgid)
		       ? -1
		       : 0;
}

static int not_there(struct check *c, const char *kind, int id)
{
	return check_differs(c, part(kind, id, "number"), strerror(errno), "in use");
}

static int check_segment(struct check *c, const struct sysv_segment *s)
{
	static const char kind[] = "segment";
	int id = s->object.id;
	struct shmid_ds ds;

	if (shmctl(id, IPC_STAT, &ds))
		return not_there(c, kind, id);
	return check_perm(c, kind, &s->object, &ds.shm_perm) ||
			       check_number(c, part(kind, id, "size"), "%llu", ds.shm_segsz,
					    s->size) ||
			       check_number(c, part(kind, id, "SHM_DEST"), "%llu",
					    !!(ds.shm_perm.mode & SHM_DEST), s->removed) ||
			       check_number(c, part(kind, id, "SHM_LOCKED"), "%llu",
					    !!(ds.shm_perm.mode & SHM_LOCKED), s->locked)
		       ? -1
		       : 0;
}

static int check_values(struct check *c, const struct sysv_set *s)
{
	unsigned short *values = plan_must(calloc(s->nr, sizeof(*values)));
	char what[32];
	int ret = 0;

	if (semctl(s->object.id, 0, GETALL, (union semun){ .array = values }))
		ret = not_there(c, "semaphore set", s->object.id);
	for (size_t i = 0; i < s->nr && !ret; i++) {
		snprintf(what, sizeof(what), "value %zu", i);
		ret = check_number(c, part("semaphore set", s->object.id, what), "%llu", values[i],
				   s->values[i]);
	}
	free(values);
	return ret;
}

static int check_set(struct check *c, const struct sysv_set *s)
{
	static const char kind[] = "semaphore set";
	int id = s->object.id;
	struct semid_ds ds;

	if (semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }))
		return not_there(c, kind, id);
	return check_perm(c, kind, &s->object, &ds.sem_perm) ||
			       check_number(c, part(kind, id, "size"), "%llu", ds.sem_nsems,
					    s->nr) ||
			       check_values(c, s)
		       ? -1
		       : 0;
}

struct incoming {
	long type;
	char text[];
};

/* A copy of the @n-th message against what is in the image at @from. */
static int check_message(struct check *c, const struct sysv_queue *q, size_t n, int in,
			 uint64_t from)
{
	const struct sysv_message *m = &q->messages[n];
	struct incoming *found = plan_must(malloc(sizeof(*found) + m->size + 1));
	char *text = plan_must(malloc(m->size + 1)), what[32];
	const char *object;
	ssize_t size = msgrcv(q->object.id, found, m->size + 1, (long)n, MSG_COPY | IPC_NOWAIT);
	int ret = 0;

	snprintf(what, sizeof(what), "message %zu", n);
	object = part("queue", q->object.id, what);
	if (size < 0)
		ret = check_differs(c, object, strerror(errno), "there");
	else if ((size_t)size != m->size)
		ret = check_number(c, object, "of %llu bytes", (uint64_t)size, m->size);
	else if (found->type != (long)m->type)
		ret = check_number(c, object, "of type %llu", (uint64_t)found->type,
				   (uint64_t)m->type);
	else if (m->size && (pread(in, text, m->size, (off_t)from) != size ||
			     memcmp(text, found->text, m->size)))
		ret = check_differs(c, object, "another", q->data);
	free(found);
	free(text);
	return ret;
}

static int check_messages(struct check *c, const struct sysv_queue *q)
{
	int in = q->data ? openat(c->plan->img->dir_fd, q->data, O_RDONLY | O_CLOEXEC) : -1;
	uint64_t from = 0;
	int ret = 0;

	for (size_t i = 0; i < q->nr && !ret; i++) {
		ret = check_message(c, q, i, in, from);
		from += q->messages[i].size;
	}
	if (in >= 0)
		close(in);
	return ret;
}

static int check_queue(struct check *c, const struct sysv_queue *q)
{
	static const char kind[] = "queue";
	int id = q->object.id;
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds))
		return not_there(c, kind, id);
	return check_perm(c, kind, &q->object, &ds.msg_perm) ||
			       check_number(c, part(kind, id, "msg_qbytes"), "%llu", ds.msg_qbytes,
					    q->room) ||
			       check_number(c, part(kind, id, "messages"), "%llu", ds.msg_qnum,
					    q->nr) ||
			       check_messages(c, q)
		       ? -1
		       : 0;
}

int check_sysv(struct check *c)
{
	const struct sysv_ipc *ipc = &c->plan->img->sysv;
	size_t i;

	c->tid = 0;
	for (i = 0; i < ipc->nr_segments; i++)
		if (check_segment(c, &ipc->segments[i]))
			return -1;
	for (i = 0; i < ipc->nr_sets; i++)
		if (check_set(c, &ipc->sets[i]))
			return -1;
	for (i = 0; i < ipc->nr_queues; i++)
		if (check_queue(c, &ipc->queues[i]))
			return -1;
	return 0;
}
