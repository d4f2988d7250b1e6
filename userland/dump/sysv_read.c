// SPDX-License-Identifier: GPL-2.0-or-later
/* System V IPC as the kernel tells it to who is in its namespace. */
#include "dump.h"
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/vfs.h>
#include <unistd.h>

/* as well as in newer libraries' headers */
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static struct sysv_object object_of(int id, const struct ipc_perm *perm)
{
	return (struct sysv_object){ id,	perm->__key, perm->mode & 0777, perm->uid,
				     perm->gid, perm->cuid,  perm->cgid };
}

/* It is no error that there is none at a place, or not any more. */
static bool is_gone(void)
{
	return errno == EINVAL || errno == EIDRM;
}

static int unreadable(const char *kind, int at)
{
	return fail("cannot read System V %s %d: %s", kind, at, strerror(errno));
}

static int add_pid(struct dump *d, struct sysv_entry *e, int pid)
{
	int *pids;

	if (pid <= 0)
		return 0;
	pids = arena_grow(&d->priv.arena, e->pids, e->nr_pids, sizeof(*pids));
	if (!pids)
		return -1;
	e->pids = pids;
	e->pids[e->nr_pids++] = pid;
	return 0;
}

/* The three that follow: 1: there is none at this place of the kernel's table. */
static int read_segment(struct dump *d, int at, struct sysv_entry *e)
{
	struct shmid_ds ds;
	int id = shmctl(at, SHM_STAT_ANY, &ds);

	if (id < 0)
		return is_gone() ? 1 : unreadable("shared memory segment", at);
	*e = (struct sysv_entry){ .object = object_of(id, &ds.shm_perm),
				  .size = ds.shm_segsz,
				  .locked = ds.shm_perm.mode & SHM_LOCKED,
				  .removed = ds.shm_perm.mode & SHM_DEST };
	return add_pid(d, e, ds.shm_cpid) || add_pid(d, e, ds.shm_lpid) ? -1 : 0;
}

static int read_set(struct dump *d, int at, struct sysv_entry *e)
{
	struct semid_ds ds;
	int id = semctl(at, 0, SEM_STAT_ANY, (union semun){ .buf = &ds });

	if (id < 0)
		return is_gone() ? 1 : unreadable("semaphore set", at);
	*e = (struct sysv_entry){ .object = object_of(id, &ds.sem_perm), .size = ds.sem_nsems };
	return 0;
}

int sysv_read_pids(struct dump *d, struct sysv_entry *set)
{
	for (uint64_t i = 0; i < set->size; i++)
		if (add_pid(d, set, semctl(set->object.id, (int)i, GETPID)))
			return -1;
	return 0;
}

static int read_queue(struct dump *d, int at, struct sysv_entry *e)
{
	struct msqid_ds ds;
	int id = msgctl(at, MSG_STAT_ANY, &ds);

	if (id < 0)
		return is_gone() ? 1 : unreadable("message queue", at);
	*e = (struct sysv_entry){ .object = object_of(id, &ds.msg_perm),
				  .size = ds.__msg_cbytes,
				  .room = ds.msg_qbytes };
	return add_pid(d, e, ds.msg_lspid) || add_pid(d, e, ds.msg_lrpid) ? -1 : 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct sysv_entry *x = a, *y = b;

	return x->object.id < y->object.id ? -1 : x->object.id > y->object.id;
}

/* @last is the last place of the table that is taken. */
static int list_kind(struct dump *d, int last,
		     int (*read)(struct dump *d, int at, struct sysv_entry *e),
		     struct sysv_entry **list, size_t *nr)
{
	for (int at = 0; at <= last; at++) {
		struct sysv_entry entry;
		int ret = read(d, at, &entry);

		if (ret < 0)
			return -1;
		if (ret)
			continue;
		*list = arena_grow(&d->priv.arena, *list, *nr, sizeof(entry));
		if (!*list)
			return -1;
		(*list)[(*nr)++] = entry;
	}
	if (*nr)
		qsort(*list, *nr, sizeof(**list), compare_entries);
	return 0;
}

/* Whether there is any, and the last place of each table that is taken. */
struct extent {
	int used;
	int shm, sem, msg;
};

static int look_at_tables(struct extent *e)
{
	struct shm_info shm;
	struct seminfo sem;
	struct msginfo msg;

	e->shm = shmctl(0, SHM_INFO, (struct shmid_ds *)&shm);
	e->sem = semctl(0, 0, SEM_INFO, (union semun){ .info = &sem });
	e->msg = msgctl(0, MSG_INFO, (struct msqid_ds *)&msg);
	if (e->shm < 0 || e->sem < 0 || e->msg < 0) {
		*e = (struct extent){ 0, -1, -1, -1 };
		return errno == ENOSYS ? 0 : fail("cannot list System V IPC: %s", strerror(errno));
	}
	e->used = shm.used_ids || sem.semusz || msg.msgpool;
	return 0;
}

int sysv_look(void)
{
	struct extent e;

	return look_at_tables(&e) ? -1 : e.used;
}

int sysv_list(struct dump *d, struct sysv_list *list)
{
	struct extent e;

	return look_at_tables(&e) ||
			       list_kind(d, e.shm, read_segment, &list->segments,
					 &list->nr_segments) ||
			       list_kind(d, e.sem, read_set, &list->sets, &list->nr_sets) ||
			       list_kind(d, e.msg, read_queue, &list->queues, &list->nr_queues)
		       ? -1
		       : 0;
}

int sysv_read_set(struct dump *d, struct sysv_set *set)
{
	set->values = arena_alloc(&d->priv.arena, set->nr, sizeof(*set->values));
	if (!set->values)
		return -1;
	if (semctl(set->object.id, 0, GETALL, (union semun){ .array = set->values }) < 0)
		return unreadable("semaphore set", set->object.id);
	return 0;
}

/* A buffer for what msgrcv(2) gives: the type and up to @size bytes. */
struct incoming {
	long type;
	char text[];
};

static int add_message(struct dump *d, struct sysv_queue *q, struct buffer *b,
		       const struct incoming *in, size_t size)
{
	struct sysv_message *more = arena_grow(&d->priv.arena, q->messages, q->nr, sizeof(*more));

	if (!more)
		return -1;
	q->messages = more;
	q->messages[q->nr++] = (struct sysv_message){ in->type, (uint32_t)size };
	memcpy((char *)b->data + b->size, in->text, size);
	b->size += size;
	return 0;
}

/* Copies: the messages stay where they are, and nobody sees that they were read. */
static int copy_messages(struct dump *d, struct sysv_queue *q, struct buffer *b,
			 struct incoming *in)
{
	for (;;) {
		ssize_t n =
			msgrcv(q->object.id, in, q->data_size, (long)q->nr, MSG_COPY | IPC_NOWAIT);

		if (n < 0 && errno == ENOMSG)
			return 0;
		if (n < 0 && (errno == ENOSYS || errno == EINVAL))
			return fail("cannot read the messages of System V queue %d: %s (the kernel "
				    "needs CONFIG_CHECKPOINT_RESTORE)",
				    q->object.id, strerror(errno));
		if (n < 0)
			return unreadable("message queue", q->object.id);
		if ((size_t)n > q->data_size - b->size || q->nr == SYSV_MESSAGES_MAX)
			return fail("cannot read the messages of System V queue %d: others write "
				    "to it (dump them, too)",
				    q->object.id);
		if (add_message(d, q, b, in, (size_t)n))
			return -1;
	}
}

/* Its contents become a buffer of @d. */
int sysv_read_queue(struct dump *d, struct sysv_queue *q)
{
	struct buffer b = { 0 }, *more;
	struct incoming *in = arena_alloc(&d->priv.arena, 1, sizeof(*in) + q->data_size);

	b.data = arena_alloc(&d->priv.arena, q->data_size + 1, 1);
	b.name = arena_printf(&d->priv.arena, MANIFEST_FILES "/sysv-msg-%d", q->object.id);
	if (!in || !b.data || !b.name || copy_messages(d, q, &b, in))
		return -1;
	q->data_size = b.size;
	if (!b.size)
		return 0;
	more = arena_grow(&d->priv.arena, d->buffers, d->nr_buffers, sizeof(b));
	if (!more)
		return -1;
	d->buffers = more;
	d->buffers[d->nr_buffers++] = b;
	q->data = b.name;
	return 0;
}

static int read_numbers(const char *name, uint64_t *to, size_t nr)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	f = fopen(path, "re");
	if (!f)
		return fail("cannot read %s: %s", path, strerror(errno));
	while (nr && fscanf(f, "%" SCNu64, to) == 1) {
		to++;
		nr--;
	}
	fclose(f);
	return nr ? fail("cannot read %s: it has other numbers than it should", path) : 0;
}

int sysv_read_limits(uint64_t limits[NR_SYSV_LIMITS])
{
	return read_numbers("shmmax", &limits[SYSV_SHMMAX], 1) ||
			       read_numbers("shmall", &limits[SYSV_SHMALL], 1) ||
			       read_numbers("shmmni", &limits[SYSV_SHMMNI], 1) ||
			       read_numbers("sem", &limits[SYSV_SEMMSL], 4) ||
			       read_numbers("msgmax", &limits[SYSV_MSGMAX], 1) ||
			       read_numbers("msgmnb", &limits[SYSV_MSGMNB], 1) ||
			       read_numbers("msgmni", &limits[SYSV_MSGMNI], 1)
		       ? -1
		       : 0;
}

/*
 * The file of the mapping at @at: it is read without being attached, so not for long. Where
 * the mapping ends depends on the size of its pages.
 */
static int open_mapping(const void *at)
{
	DIR *dir = opendir("/proc/self/map_files");
	const struct dirent *entry;
	char start[32];
	int fd = -1, error = ENOENT;
	size_t len = (size_t)snprintf(start, sizeof(start), "%" PRIxPTR "-", (uintptr_t)at);

	if (!dir)
		return -1;
	while (fd < 0 && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, start, len) != 0)
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		error = errno;
	}
	closedir(dir);
	errno = error;
	return fd;
}

int sysv_open_segment(struct sysv_segment *segment)
{
	void *at = shmat(segment->object.id, NULL, SHM_RDONLY);
	struct statfs fs;
	int fd, error;

	if (at == (void *)-1)
		return unreadable("shared memory segment", segment->object.id);
	fd = open_mapping(at);
	error = errno;
	shmdt(at);
	errno = error;
	if (fd < 0)
		return unreadable("shared memory segment", segment->object.id);
	segment->huge = fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
	return fd;
}
