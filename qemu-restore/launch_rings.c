// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * io_uring: a ring is made as the program made it. Its counters begin at 0 then, and the
 * program goes on from what they were: requests that do nothing take them there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch_slots.h"
#include "oflags.h"
#include "report.h"

/* A ring with its memory. */
struct ring {
	int fd;
	struct io_uring_params params;
	char *rings, *sqes;
	size_t rings_size, sqes_size, sqe_size;
};

static int setup(struct ring *r, uint32_t entries, const struct io_uring_params *params)
{
	*r = (struct ring){ .params = *params, .rings = MAP_FAILED, .sqes = MAP_FAILED };
	r->fd = (int)syscall(SYS_io_uring_setup, entries, &r->params);
	return r->fd < 0 ? -1 : 0;
}

static size_t rings_size(const struct io_uring_params *p)
{
	size_t cqes = p->cq_off.cqes + ((size_t)p->cq_entries * sizeof(struct io_uring_cqe)
					<< !!(p->flags & IORING_SETUP_CQE32));
	size_t array = p->sq_off.array ? p->sq_off.array + p->sq_entries * sizeof(uint32_t) : 0;

	return cqes > array ? cqes : array;
}

static int map(struct ring *r)
{
	r->sqe_size = sizeof(struct io_uring_sqe) << !!(r->params.flags & IORING_SETUP_SQE128);
	r->sqes_size = r->params.sq_entries * r->sqe_size;
	r->rings_size = rings_size(&r->params);
	r->rings = mmap(NULL, r->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
			IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, r->sqes_size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	return r->rings == MAP_FAILED || r->sqes == MAP_FAILED ? -1 : 0;
}

static void release(struct ring *r)
{
	if (r->rings != MAP_FAILED)
		munmap(r->rings, r->rings_size);
	if (r->sqes != MAP_FAILED)
		munmap(r->sqes, r->sqes_size);
	if (r->fd >= 0)
		close(r->fd);
}

static uint32_t *word(const struct ring *r, uint32_t offset)
{
	return (uint32_t *)(r->rings + offset);
}

/* All requests are the same; there are no more than there is room for completions. */
static int submit(const struct ring *r, const struct io_uring_sqe *sqe, uint32_t nr)
{
	uint32_t i, n, most = r->params.sq_entries;
	long done;

	for (i = 0; i < most; i++)
		memcpy(r->sqes + i * r->sqe_size, sqe, sizeof(*sqe));
	for (; nr; nr -= n) {
		n = nr < most ? nr : most;
		__atomic_add_fetch(word(r, r->params.sq_off.tail), n, __ATOMIC_RELEASE);
		done = syscall(SYS_io_uring_enter, r->fd, n, 0, 0, NULL, 0);
		if (done != (long)n) {
			errno = done < 0 ? errno : EIO;
			return -1;
		}
		/* what was told has been seen */
		__atomic_store_n(word(r, r->params.cq_off.head),
				 __atomic_load_n(word(r, r->params.cq_off.tail), __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
	}
	memset(r->sqes, 0, r->sqes_size);
	return 0;
}

/* Another ring tells this one, which has taken no request for that. */
static int tell(const struct ring *r, uint32_t nr)
{
	const struct io_uring_sqe sqe = { .opcode = IORING_OP_MSG_RING, .fd = r->fd };
	uint32_t most = r->params.cq_entries < RING_HELPER_ENTRIES ? r->params.cq_entries
								   : RING_HELPER_ENTRIES;
	struct io_uring_params params = { 0 };
	struct ring helper;
	int ret = setup(&helper, most, &params);

	if (!ret)
		ret = map(&helper);
	for (uint32_t n; !ret && nr; nr -= n) {
		n = nr < most ? nr : most;
		ret = submit(&helper, &sqe, n);
		__atomic_store_n(word(r, r->params.cq_off.head),
				 __atomic_load_n(word(r, r->params.cq_off.tail), __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
	}
	release(&helper);
	return ret;
}

/* Some requests were told of more than once, or not at all. */
static int turn(const struct ring *r, uint32_t requests, uint32_t completions)
{
	const struct io_uring_sqe told = { .opcode = IORING_OP_NOP };
	const struct io_uring_sqe untold = { .opcode = IORING_OP_NOP,
					     .flags = IOSQE_CQE_SKIP_SUCCESS };
	uint32_t both = requests < completions ? requests : completions;

	if (submit(r, &told, both) || submit(r, &untold, requests - both) ||
	    tell(r, completions - both))
		return -1;
	if (*word(r, r->params.sq_off.head) == requests &&
	    *word(r, r->params.cq_off.tail) == completions)
		return 0;
	errno = EPROTO;
	return -1;
}

/* The program knows where things are, and looks there. */
static bool is_as_it_was(const struct io_uring_params *p, const struct xckpt_ring *was)
{
	return p->sq_entries == was->sq_entries && p->cq_entries == was->cq_entries &&
	       p->sq_off.tail == was->sq_tail_off && p->cq_off.head == was->cq_head_off &&
	       p->cq_off.cqes == was->cqes_off && p->sq_off.array == was->array_off;
}

static const char *remedy(int error)
{
	switch (error) {
	case EPERM:
		return " (see /proc/sys/kernel/io_uring_disabled)";
	case ENOSYS:
		return " (this kernel has none)";
	case ENOMEM:
		return " (ulimit -l may have to be higher)";
	case EINVAL:
		return " (this kernel has not all that it was made with; use a newer one)";
	default:
		return "";
	}
}

static int make(struct ring *r, const struct xckpt_ring *was, int pid)
{
	const struct io_uring_params params = {
		.flags = (was->flags & ~(uint32_t)IORING_SETUP_ATTACH_WQ) | IORING_SETUP_CQSIZE,
		.cq_entries = was->cq_entries
	};

	if (setup(r, was->sq_entries, &params))
		return fail("cannot resume pid %d: cannot make its io_uring: %s%s", pid,
			    strerror(errno), remedy(errno));
	if (!is_as_it_was(&r->params, was))
		return fail(
			"cannot resume pid %d: the memory of its io_uring is laid out otherwise "
			"by this kernel (use one like that of the checkpoint: it has "
			"changed with Linux 6.6)",
			pid);
	if (map(r) || turn(r, was->sq_head, was->cq_tail))
		return fail("cannot resume pid %d: cannot bring its io_uring to where it was: %s",
			    pid, strerror(errno));
	return 0;
}

int ring_make(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	struct ring r;
	int ret = make(&r, &plan->img->files[op->arg[2]].event.ring, (int)op->value);

	if (!ret) {
		fcntl(r.fd, F_SETFL, oflags_to_host(op->arg[1]) & ~O_ACCMODE);
		ret = slot_keep(slots, plan, op->arg[0], r.fd);
	}
	release(&r);
	return ret;
}

/* Also what the kernel counts: it is there what it is in the image. */
int ring_fill(const struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	const struct image_process *p = &plan->img->processes[op->arg[1]];
	size_t size = op->arg[3];
	char *to;
	ssize_t n = -1;

	if (!size)
		return 0;
	to = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, slots->fd[op->arg[0]],
		  (off_t)op->arg[4]);
	if (to != MAP_FAILED) {
		n = pread(p->core_fd, to, size, (off_t)op->arg[2]);
		munmap(to, size);
	}
	if (n == (ssize_t)size)
		return 0;
	return fail("cannot fill the memory of an io_uring from %s: %s", p->core_name,
		    strerror(n < 0 ? errno : EIO));
}
