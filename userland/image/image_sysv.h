/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an image has of System V IPC; image.h includes it. */
#ifndef XCKPT_IMAGE_SYSV_H
#define XCKPT_IMAGE_SYSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * System V IPC. What a namespace has of it has a number, and may have a key by which
 * others find it.
 */
struct sysv_object {
	int id;
	int32_t key; /* 0: IPC_PRIVATE */
	uint32_t mode; /* 0777 at most */
	uint32_t uid, gid, cuid, cgid; /* of its owner and of who made it */
};

/* Shared memory; what mappings of XCKPT_VMA_SYSV have as their inode is its id. */
struct sysv_segment {
	struct sysv_object object;
	uint64_t size;
	bool locked; /* SHM_LOCK */
	bool removed; /* IPC_RMID: it ends with the last who has it attached */
	bool huge; /* SHM_HUGETLB, as far as that is known */
	/* "files/sysv-shm-3", as large as it; NULL: what mappings hold is all there is */
	const char *data;
};

struct sysv_set {
	struct sysv_object object;
	uint16_t *values; /* SYSV_VALUE_MAX at most */
	size_t nr;
};

struct sysv_message {
	int64_t type; /* from 1 */
	uint32_t size; /* bytes */
};

struct sysv_queue {
	struct sysv_object object;
	uint64_t room; /* msg_qbytes */
	struct sysv_message *messages; /* the first one first */
	size_t nr;
	const char *data; /* their contents, one behind the other; NULL: none has any */
	uint64_t data_size;
};

#define SYSV_VALUE_MAX 32767
/* More than any kernel gives. */
#define SYSV_ID_MAX 0x7fffffff
#define SYSV_NSEMS_MAX 65536
#define SYSV_MESSAGES_MAX (1u << 20)

/* What may be had of it in a namespace, as in /proc/sys/kernel. */
enum sysv_limit {
	SYSV_SHMMAX,
	SYSV_SHMALL,
	SYSV_SHMMNI,
	SYSV_SEMMSL, /* the four numbers of "sem", in their order */
	SYSV_SEMMNS,
	SYSV_SEMOPM,
	SYSV_SEMMNI,
	SYSV_MSGMAX,
	SYSV_MSGMNB,
	SYSV_MSGMNI,
	NR_SYSV_LIMITS,
};

struct sysv_ipc {
	/* each ascending, by id */
	struct sysv_segment *segments;
	size_t nr_segments;
	struct sysv_set *sets;
	size_t nr_sets;
	struct sysv_queue *queues;
	size_t nr_queues;
	uint64_t limits[NR_SYSV_LIMITS];
	int *elsewhere; /* processes that have another IPC namespace than the rest */
	size_t nr_elsewhere;
};

static inline bool has_sysv(const struct sysv_ipc *ipc)
{
	return ipc->nr_segments || ipc->nr_sets || ipc->nr_queues;
}

/* By their ids; NULL: the image has no such one. */
struct sysv_segment *image_sysv_segment(const struct sysv_ipc *ipc, uint64_t id);
struct sysv_set *image_sysv_set(const struct sysv_ipc *ipc, uint64_t id);

#endif
