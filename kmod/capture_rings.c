// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring: what a ring is, what its memory holds, and whether it does something. One
 * that stands still can be made again, and be brought to where it was by requests that do
 * nothing. Nobody can ask a ring for all that is registered with it, so it is looked at.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/percpu_counter.h>

#include "capture.h"
#include "compat/ring.h"
#include "store.h"

#ifdef CONFIG_IO_URING

#define RING_OFF_MASK 0xf8000000ull /* which part is mapped: the kernel's IORING_OFF_MMAP_MASK */

bool is_ring(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC && file->private_data &&
	       !strcmp(file->f_path.dentry->d_name.name, "[io_uring]");
}

/* Bytes from the start of its rings on: what comes last is the one or the other. */
static size_t rings_size(const struct io_ring_ctx *ctx)
{
	size_t size = sizeof(struct io_rings);
	size_t array = 0;

	size += (size_t)ctx->cq_entries *
		(sizeof(struct io_uring_cqe) << !!(ctx->flags & IORING_SETUP_CQE32));
	if (ctx->sq_array)
		array = (void *)ctx->sq_array - (void *)ctx->rings +
			(size_t)ctx->sq_entries * sizeof(u32);
	return max(size, array);
}

/* Where the kernel has what is mapped at @offset, and how many bytes from there on. */
static const void *ring_memory(const struct io_ring_ctx *ctx, u64 offset, size_t *size)
{
	u64 inside = offset & ~RING_OFF_MASK;
	const void *start;

	*size = 0;
	switch (offset & RING_OFF_MASK) {
	case IORING_OFF_SQ_RING:
	case IORING_OFF_CQ_RING:
		start = ctx->rings;
		if (start)
			*size = rings_size(ctx);
		break;
	case IORING_OFF_SQES:
		start = ctx->sq_sqes;
		if (start)
			*size = (size_t)ctx->sq_entries * (sizeof(struct io_uring_sqe)
							   << !!(ctx->flags & IORING_SETUP_SQE128));
		break;
	default:
		return NULL;
	}
	if (inside >= PAGE_ALIGN(*size))
		return NULL;
	*size = PAGE_ALIGN(*size) - inside;
	return start + inside;
}

/*
 * Who has the lock is in the middle of something, which may take as long as it likes: a
 * thread of the group would be asleep with it.
 */
static bool ring_lock(struct io_ring_ctx *ctx)
{
	return mutex_trylock(&ctx->uring_lock);
}

int capture_ring_memory(const struct mapping *mapping, struct segment *segment)
{
	struct io_ring_ctx *ctx = mapping->file->private_data;
	struct store *store = store_alloc();
	const void *from;
	size_t size, at;
	int ret = 0;

	if (!store)
		return -ENOMEM;
	/* else it is told to be busy, and nobody needs to know what is in it */
	if (ring_lock(ctx)) {
		from = ring_memory(ctx, mapping->vma.pgoff, &size);
		size = from ? min_t(size_t, size, segment->end - segment->start) : 0;
		for (at = 0; at < size && !ret; at += PAGE_SIZE)
			ret = store_bytes(store, at >> PAGE_SHIFT, from + at);
		mutex_unlock(&ctx->uring_lock);
		segment->filesz = at;
	}
	segment->store = store;
	return ret;
}

static u32 ring_state(struct io_ring_ctx *ctx)
{
	u32 state = 0;

	if (!ctx->rings || !list_empty(&ctx->cq_overflow_list) ||
	    READ_ONCE(ctx->rings->sq.head) != ctx->cached_sq_head ||
	    READ_ONCE(ctx->rings->cq.tail) != ctx->cached_cq_tail)
		state |= XCKPT_RING_BUSY;
	if (compat_ring_has_resources(ctx) || compat_ring_has_buffers(ctx) ||
	    compat_ring_is_restricted(ctx) || rcu_access_pointer(ctx->io_ev_fd) ||
	    !xa_empty(&ctx->personalities) || ctx->iowq_limits[0] || ctx->iowq_limits[1])
		state |= XCKPT_RING_REGISTERED;
	return state;
}

static void fill_ring(struct xckpt_ring *ring, struct io_ring_ctx *ctx)
{
	ring->flags = ctx->flags;
	ring->sq_entries = ctx->sq_entries;
	ring->cq_entries = ctx->cq_entries;
	ring->sq_tail_off = offsetof(struct io_rings, sq.tail);
	ring->cq_head_off = offsetof(struct io_rings, cq.head);
	ring->cqes_off = offsetof(struct io_rings, cqes);
	if (!ring_lock(ctx)) {
		ring->state = XCKPT_RING_BUSY;
		return;
	}
	ring->state = ring_state(ctx);
	ring->sq_head = ctx->cached_sq_head;
	ring->cq_tail = ctx->cached_cq_tail;
	if (ctx->rings && ctx->sq_array)
		ring->array_off = (void *)ctx->sq_array - (void *)ctx->rings;
	mutex_unlock(&ctx->uring_lock);
}

void capture_ring(struct capture *capture, const struct file *file, u32 id)
{
	struct xckpt_note_table head = { .size = sizeof(head),
					 .entry_size = sizeof(struct xckpt_ring),
					 .entries_off = sizeof(head) };
	struct notes *notes = &capture->notes;
	struct xckpt_ring ring = { .file = id };

	fill_ring(&ring, file->private_data);
	if (!capture->nr_rings++) {
		notes_begin(notes, XCKPT_NOTE_NAME, XCKPT_NT_RING);
		notes_add(notes, sizeof(head));
	}
	memcpy(notes_add(notes, sizeof(ring)), &ring, sizeof(ring));
	head.nr_entries = capture->nr_rings;
	if (!notes->err)
		memcpy(notes_at(notes, 0), &head, sizeof(head));
}

/* References to a task are taken in advance, for requests to come. */
static bool has_requests(struct io_uring_task *uring)
{
	return percpu_counter_sum(&uring->inflight) > uring->cached_refs;
}

u32 capture_ring_flags(struct task_struct *task)
{
	struct io_uring_task *uring = task->io_uring;
	u32 flags = XCKPT_PROCESS_IO_URING;
	unsigned int i;

	if (!uring)
		return 0;
	if (has_requests(uring))
		flags |= XCKPT_PROCESS_REQUESTS;
	for (i = 0; i < ARRAY_SIZE(uring->registered_rings); i++) {
		if (uring->registered_rings[i])
			flags |= XCKPT_PROCESS_RING_FDS;
	}
	return flags;
}

#else

bool is_ring(const struct file *file)
{
	return false;
}

int capture_ring_memory(const struct mapping *mapping, struct segment *segment)
{
	return 0;
}

void capture_ring(struct capture *capture, const struct file *file, u32 id)
{
}

u32 capture_ring_flags(struct task_struct *task)
{
	return 0;
}

#endif
