// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System V IPC of the program, in a namespace that has nothing else. While it is
 * filled it is all ours, because its own modes may keep even its owner out; it gets
 * those when all that is to be attached is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "checksum.h"
#include "launch.h"
#include "report.h"

#define AS_ROOT " (run qemu-resume as root)"

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

static bool has_text(const char *path, const char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char now[128], *at = now;
	ssize_t n = fd < 0 ? -1 : read(fd, now, sizeof(now) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	now[n] = 0;
	for (; *at; at++)
		*at = *at == '\t' || *at == '\n' ? ' ' : *at;
	while (n && now[n - 1] == ' ')
		now[--n] = 0;
	return !strcmp(now, text);
}

/* Of the namespace that we are in. */
static int write_kernel(const char *path, const char *text)
{
	int fd, ret;

	if (has_text(path, text))
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ret = fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ? -1 : 0;
	if (ret)
		fail("cannot set %s to %s: %s%s", path, text, strerror(errno),
		     geteuid() ? AS_ROOT : "");
	if (fd >= 0)
		close(fd);
	return ret;
}

static int set_limit(const struct plan_op *op)
{
	char text[96] = "";
	size_t len = 0;

	for (uint64_t i = 0; i < op->arg[4]; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%llu", i ? " " : "",
					(unsigned long long)op->arg[i]);
	return write_kernel(op->path, text);
}

/* The effective ids are those of the maker. Root may choose. */
static int become(uint32_t uid, uint32_t gid)
{
	/* back to root first, or the group could not be set */
	return seteuid(0) || setegid(gid) || (uid && seteuid(uid)) ? -1 : 0;
}

struct maker {
	const char *kind, *next; /* for people; the kernel's file with the next id */
	int (*get)(const struct plan_op *op);
};

static int get_segment(const struct plan_op *op)
{
	return shmget((key_t)op->arg[1], op->arg[2], IPC_CREAT | IPC_EXCL | 0600);
}

static int get_set(const struct plan_op *op)
{
	return semget((key_t)op->arg[1], (int)op->arg[2], IPC_CREAT | IPC_EXCL | 0600);
}

static int get_queue(const struct plan_op *op)
{
	return msgget((key_t)op->arg[1], IPC_CREAT | IPC_EXCL | 0600);
}

static const struct maker segments = { "segment", "/proc/sys/kernel/shm_next_id", get_segment };
static const struct maker sets = { "semaphore set", "/proc/sys/kernel/sem_next_id", get_set };
static const struct maker queues = { "queue", "/proc/sys/kernel/msg_next_id", get_queue };

static int cannot_make(const struct maker *maker, const struct plan_op *op)
{
	return fail("cannot make System V %s %d: %s", maker->kind, (int)op->arg[0],
		    strerror(errno));
}

/* With its id, and by who had made it. */
static int make(const struct maker *maker, const struct plan_op *op, const struct sysv_object *o)
{
	bool root = !geteuid();
	char text[16];
	int id, error;

	snprintf(text, sizeof(text), "%d", o->id);
	if (write_kernel(maker->next, text))
		return -1;
	if (root && become(o->cuid, o->cgid))
		return cannot_make(maker, op);
	id = maker->get(op);
	error = errno;
	if (root && (become(0, getgid()) || prctl(PR_SET_DUMPABLE, 1)))
		return fail("cannot be root again: %s", strerror(errno));
	errno = error;
	if (id < 0)
		return cannot_make(maker, op);
	return id == o->id ? 0
			   : fail("cannot make System V %s %d: the kernel has given it the number "
				  "%d",
				  maker->kind, o->id, id);
}

static int make_segment(const struct plan *plan, const struct plan_op *op)
{
	const struct sysv_segment *s = &plan->img->sysv.segments[op->value];

	if (make(&segments, op, &s->object))
		return -1;
	if (s->locked && shmctl(s->object.id, SHM_LOCK, NULL))
		return fail("cannot lock System V segment %d into memory: %s%s", s->object.id,
			    strerror(errno), geteuid() ? AS_ROOT : "");
	return 0;
}

/* @len bytes of @in from @from on become those of segment @op->arg[0] from @to on. */
static int fill(const struct plan_op *op, int in, uint64_t from, uint64_t to, uint64_t len)
{
	char *at = shmat((int)op->arg[0], NULL, 0);
	ssize_t n = 1;

	if (at == (void *)-1)
		return cannot_make(&segments, op);
	for (uint64_t done = 0; done < len && n > 0; done += n) {
		n = pread(in, at + to + done, len - done, (off_t)(from + done));
		if (n <= 0)
			fail("cannot fill System V segment %d: %s", (int)op->arg[0],
			     strerror(n ? errno : EIO)); /* it has become shorter */
	}
	shmdt(at);
	return n > 0 ? 0 : -1;
}

/* The core may tell of more than there is, up to the end of the page. */
static int copy_core(const struct plan *plan, const struct plan_op *op)
{
	return fill(op, plan->img->processes[op->arg[1]].core_fd, op->arg[2], op->arg[4],
		    op->arg[3]);
}

/* Holes stay holes. */
static int copy_file(const struct plan *plan, const struct plan_op *op)
{
	int in = openat(plan->img->dir_fd, op->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), ret = 0;
	uint64_t size = op->arg[1], end;
	int64_t data;

	if (in < 0)
		return fail("cannot open %s of the image: %s", op->path, strerror(errno));
	for (uint64_t pos = 0; pos < size && !ret; pos = end) {
		data = next_data(in, pos, size);
		end = data < 0 || (uint64_t)data >= size ? size : next_hole(in, data, size);
		if (data < 0)
			ret = fail("cannot read %s of the image: %s", op->path, strerror(errno));
		else if ((uint64_t)data < size)
			ret = fill(op, in, (uint64_t)data, (uint64_t)data, end - (uint64_t)data);
	}
	close(in);
	return ret;
}

static int send_message(const struct sysv_queue *q, const struct sysv_message *m, int in,
			uint64_t from)
{
	struct {
		long type;
		char text[];
	} *message = malloc(sizeof(*message) + m->size);
	int ret = -1;

	if (!message)
		return fail("cannot fill System V queue %d: %s", q->object.id, strerror(ENOMEM));
	message->type = (long)m->type;
	if (m->size && pread(in, message->text, m->size, (off_t)from) != (ssize_t)m->size)
		fail("cannot read %s of the image: %s", q->data, strerror(errno));
	else if (msgsnd(q->object.id, message, m->size, IPC_NOWAIT))
		fail("cannot fill System V queue %d: %s", q->object.id, strerror(errno));
	else
		ret = 0;
	free(message);
	return ret;
}

/* There may have been more in it than it has room for now. */
static int make_room(const struct sysv_queue *q)
{
	uint64_t want = q->data_size > q->nr ? q->data_size : q->nr;
	struct msqid_ds ds;

	if (msgctl(q->object.id, IPC_STAT, &ds))
		return fail("cannot look at System V queue %d: %s", q->object.id, strerror(errno));
	if (ds.msg_qbytes >= want)
		return 0;
	ds.msg_qbytes = want;
	return msgctl(q->object.id, IPC_SET, &ds) ? fail("cannot give System V queue %d its %llu "
							 "bytes: %s%s",
							 q->object.id, (unsigned long long)want,
							 strerror(errno), geteuid() ? AS_ROOT : "")
						  : 0;
}

static int make_queue(const struct plan *plan, const struct plan_op *op)
{
	const struct sysv_queue *q = &plan->img->sysv.queues[op->value];
	uint64_t from = 0;
	int in = -1, ret;

	if (make(&queues, op, &q->object) || make_room(q))
		return -1;
	if (q->data)
		in = openat(plan->img->dir_fd, q->data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ret = q->data && in < 0 ? fail("cannot open %s of the image: %s", q->data, strerror(errno))
				: 0;
	for (size_t i = 0; i < q->nr && !ret; i++) {
		ret = send_message(q, &q->messages[i], in, from);
		from += q->messages[i].size;
	}
	if (in >= 0)
		close(in);
	return ret;
}

int sysv_make(const struct plan *plan)
{
	int ret = 0;

	for (size_t i = 0; i < plan->nr_ops && !ret; i++) {
		const struct plan_op *op = &plan->ops[i];

		if (op->kind == OP_IPC_LIMIT)
			ret = set_limit(op);
		else if (op->kind == OP_SHM)
			ret = make_segment(plan, op);
		else if (op->kind == OP_SHM_COPY)
			ret = copy_core(plan, op);
		else if (op->kind == OP_SHM_FILL)
			ret = copy_file(plan, op);
		else if (op->kind == OP_SEM)
			ret = make(&sets, op, &plan->img->sysv.sets[op->value].object);
		else if (op->kind == OP_MSG)
			ret = make_queue(plan, op);
	}
	return ret;
}

int sysv_set_values(const struct plan *plan)
{
	const struct sysv_ipc *ipc = &plan->img->sysv;

	for (size_t i = 0; i < ipc->nr_sets; i++)
		if (semctl(ipc->sets[i].object.id, 0, SETALL,
			   (union semun){ .array = ipc->sets[i].values }))
			return fail("cannot set the semaphores of System V set %d: %s",
				    ipc->sets[i].object.id, strerror(errno));
	return 0;
}

/* Not root: what is another's was told of, and becomes this user's. */
static void set_owner(struct ipc_perm *perm, const struct sysv_object *o)
{
	perm->mode = o->mode;
	if (geteuid())
		return;
	perm->uid = o->uid;
	perm->gid = o->gid;
}

static int cannot_finish(const struct maker *maker, const struct sysv_object *o)
{
	return fail("cannot give System V %s %d its owner and mode: %s%s", maker->kind, o->id,
		    strerror(errno), geteuid() ? AS_ROOT : "");
}

static int finish_segment(const struct sysv_segment *s)
{
	int id = s->object.id;
	struct shmid_ds ds;

	if (shmctl(id, IPC_STAT, &ds))
		return cannot_finish(&segments, &s->object);
	set_owner(&ds.shm_perm, &s->object);
	if (shmctl(id, IPC_SET, &ds) || (s->removed && shmctl(id, IPC_RMID, NULL)))
		return cannot_finish(&segments, &s->object);
	return 0;
}

static int finish_set(const struct sysv_set *s)
{
	int id = s->object.id;
	struct semid_ds ds;

	if (semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }))
		return cannot_finish(&sets, &s->object);
	set_owner(&ds.sem_perm, &s->object);
	if (semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }))
		return cannot_finish(&sets, &s->object);
	return 0;
}

static int finish_queue(const struct sysv_queue *q)
{
	int id = q->object.id;
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds))
		return cannot_finish(&queues, &q->object);
	set_owner(&ds.msg_perm, &q->object);
	ds.msg_qbytes = q->room;
	if (msgctl(id, IPC_SET, &ds))
		return cannot_finish(&queues, &q->object);
	return 0;
}

int sysv_finish(const struct plan *plan)
{
	const struct sysv_ipc *ipc = &plan->img->sysv;
	size_t i;
	int ret = 0;

	for (i = 0; i < ipc->nr_segments && !ret; i++)
		ret = finish_segment(&ipc->segments[i]);
	for (i = 0; i < ipc->nr_sets && !ret; i++)
		ret = finish_set(&ipc->sets[i]);
	for (i = 0; i < ipc->nr_queues && !ret; i++)
		ret = finish_queue(&ipc->queues[i]);
	return ret;
}
