// SPDX-License-Identifier: GPL-2.0-or-later
/* Which open files this version cannot resume: a part of the list of unsupported.c. */
#include "image_priv.h"

#include <linux/io_uring.h>
#include <string.h>
#include <sys/stat.h>

/* what io_uring_setup(2) may have been asked for; what is not here needs more than a ring */
#define RING_FLAGS                                                                                 \
	(IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_ATTACH_WQ |                       \
	 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |         \
	 IORING_SETUP_SQE128 | IORING_SETUP_CQE32 | RING_NO_SQARRAY)
#define RING_NO_SQARRAY (1u << 16) /* IORING_SETUP_NO_SQARRAY, since Linux 6.6 */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *const file_why[] = {
	[FILE_SOCKET] = "sockets " NOT_YET,
	[FILE_QUEUE] = "POSIX message queues (mq_open) " NOT_YET,
	[FILE_SECRET] = "secret memory (memfd_secret) is not in an image",
	[FILE_OTHER] = "files of this kind " NOT_YET,
};

static const char *why_not_poll(const struct image *img, const struct event_state *e)
{
	for (size_t i = 0; i < e->nr_entries; i++) {
		const struct open_file *f = image_find_file(img, e->entries[i].file);

		if (!f)
			return "an epoll instance that waits for a file of somebody outside of the "
			       "group " NOT_YET;
		/* each process opens it itself, when epoll instances are complete */
		if (is_of_process(img, f))
			return "an epoll instance that waits for a file of /proc which tells of a "
			       "process of the group " NOT_YET;
	}
	return NULL;
}

static const char *why_not_watches(const struct event_state *e)
{
	if (e->unread)
		return "an inotify instance with events that were not read " NOT_YET;
	for (size_t i = 0; i < e->nr_watches; i++)
		if (!e->watches[i].path[0])
			return "an inotify instance that watches a file without a name " NOT_YET;
	return NULL;
}

static const char *why_not_ring(const struct xckpt_ring *ring)
{
	if (ring->flags & IORING_SETUP_SQPOLL)
		return "an io_uring with a thread of the kernel (IORING_SETUP_SQPOLL) " NOT_YET;
	if (ring->flags & IORING_SETUP_SINGLE_ISSUER)
		return "an io_uring of one thread only (IORING_SETUP_SINGLE_ISSUER) " NOT_YET;
	if (ring->flags & ~(uint32_t)RING_FLAGS)
		return "an io_uring with such flags (io_uring_setup) " NOT_YET;
	if (ring->state & XCKPT_RING_REGISTERED)
		return "an io_uring with which something is registered (io_uring_register) " NOT_YET;
	if (ring->state)
		return "an io_uring that is not at rest " NOT_YET;
	return NULL;
}

/* O_EXCL is one of a thread, PIDFD_THREAD. */
static const char *why_not_pidfd(const struct open_file *f)
{
	if (!f->event.pid)
		return "a pidfd of a process outside of the group " NOT_YET;
	return f->flags & X86_O_TRUNC ? "a pidfd with which its process ends "
					"(CLONE_PIDFD_AUTOKILL) " NOT_YET
				      : NULL;
}

static const char *why_not_event(const struct image *img, const struct open_file *f)
{
	const struct event_state *e = &f->event;

	switch (e->kind) {
	case EVENT_COUNTER:
	case EVENT_TIMER:
	case EVENT_SIGNALS:
		return NULL;
	case EVENT_POLL:
		return why_not_poll(img, e);
	case EVENT_WATCHES:
		return why_not_watches(e);
	case EVENT_PROCESS:
		return why_not_pidfd(f);
	case EVENT_RING:
		return why_not_ring(&e->ring);
	default:
		return "an anonymous inode of this kind " NOT_YET;
	}
}

/* Of what they serve nothing is left when nobody has them open. */
static const char *why_not_device(const struct open_file *f)
{
	static const struct {
		uint64_t rdev; /* in the kernel's new_encode_dev() form */
		const char *why;
	} known[] = {
		{ 0xac8, "a network interface of its own (tun, tap) " NOT_YET },
		{ 0xae5, "a file system of its own (FUSE) " NOT_YET },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (f->kind == FILE_DEVICE && S_ISCHR(f->mode) && f->rdev == known[i].rdev)
			return known[i].why;
	return NULL;
}

static const char *why_not_master(const struct terminal *t)
{
	if (!t)
		return "the master of a pseudo-terminal whose state is not in the image " NOT_YET;
	if (t->outside)
		return "the master of a pseudo-terminal whose slave others than the group have "
		       "open, too, " NOT_YET;
	if (t->line)
		return "a pseudo-terminal with a line discipline of its own " NOT_YET;
	return NULL;
}

const char *image_why_not_file(const struct image *img, const struct open_file *f)
{
	if (f->kind == FILE_FIFO && !f->inside)
		return "a named pipe that others than the group have open, too, " NOT_YET;
	if (is_pipe(f))
		return f->inside && f->size && !f->data
			       ? "a pipe whose contents could not be read, or "
				 "were written with and without O_DIRECT, " NOT_YET
			       : NULL;
	if (is_nameless(f))
		return f->size && !f->data && !image_whole_mapping(img, f)
			       ? "a file without a name whose contents are not in the image " NOT_YET
			       : NULL;
	if (f->kind == FILE_ANON_INODE)
		return why_not_event(img, f);
	if (is_of_stranger(img, f))
		return "a file of /proc that tells of a process outside of the group, or of a "
		       "thread by its own number, " NOT_YET;
	if (f->unlinked)
		return "a file that was opened by a name which was removed, and has another one, " NOT_YET;
	/* only a path, whatever it leads to */
	if (f->flags & X86_O_PATH && f->path[0] == '/' && !f->deleted)
		return NULL;
	if (f->kind == FILE_DEVICE && f->deleted)
		return "a device file that was removed " NOT_YET;
	if (is_master(f))
		return why_not_master(f->terminal);
	if (why_not_device(f))
		return why_not_device(f);
	return f->kind < (enum file_kind)ARRAY_SIZE(file_why) ? file_why[f->kind] : NULL;
}
