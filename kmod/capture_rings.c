// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring: what a ring is, what its memory holds, and whether it does something. One
 * that stands still can be made again, and be brought to where it was by requests that do
 * nothing. Nobody can ask a ring for all that is registered with it, so it is looked at.
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/percpu_counter.h>
#include <linux/sched/signal.h>

#include "capture.h"
#include "compat/ring.h"
#include "compat/task.h"
#include "store.h"
#include "task.h"

#ifdef CONFIG_IO_URING

#define RING_OFF_MASK 0xf8000000ull /* which part is mapped: the kernel's IORING_OFF_MMAP_MASK */
#define RING_PART_SHIFT 27
#define LOCK_TRIES 20

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

/* Where the kernel has what is mapped at @part (IORING_OFF_*), and how many bytes, whole pages. */
static const void *ring_memory(const struct io_ring_ctx *ctx, u64 part, size_t *size)
{
	switch (part) {
	case IORING_OFF_SQ_RING:
	case IORING_OFF_CQ_RING:
		*size = ctx->rings ? PAGE_ALIGN(rings_size(ctx)) : 0;
		return ctx->rings;
	case IORING_OFF_SQES:
		*size = PAGE_ALIGN(
			(size_t)ctx->sq_entries *
			(sizeof(struct io_uring_sqe) << !!(ctx->flags & IORING_SETUP_SQE128)));
		return ctx->sq_sqes;
	default:
		return NULL;
	}
}

/*
 * Who has the lock is in the middle of something, which may take as long as it likes: a
 * thread of the group would be asleep with it. But who looks at fdinfo has it only for a moment.
 */
static bool ring_lock(struct io_ring_ctx *ctx)
{
	unsigned int tries;

	for (tries = 0; !mutex_trylock(&ctx->uring_lock); tries++) {
		if (tries == LOCK_TRIES || fatal_signal_pending(current))
			return false;
		usleep_range(100, 200);
	}
	return true;
}

static int copy_part(struct store *store, struct io_ring_ctx *ctx, u64 part)
{
	const void *from;
	size_t size = 0, at;
	int ret = 0;

	from = ring_memory(ctx, part, &size);
	for (at = 0; from && at < size && !ret; at += PAGE_SIZE) {
		ret = fatal_signal_pending(current)
			      ? -EINTR
			      : store_bytes(store, at >> PAGE_SHIFT, from + at);
		cond_resched();
	}
	return ret;
}

/* Once for all mappings of a part: by the file and the number of the part. */
static struct store *part_store(struct capture *capture, struct file *file, u64 part)
{
	unsigned long key = (unsigned long)file + (part >> RING_PART_SHIFT);
	struct io_ring_ctx *ctx = file->private_data;
	struct store *store = xa_load(&capture->rings, key);
	int ret = -EBUSY;

	if (store)
		return store;
	store = store_alloc();
	if (!store || xa_is_err(xa_store(&capture->rings, key, store, GFP_KERNEL_ACCOUNT))) {
		store_put(store);
		return ERR_PTR(-ENOMEM);
	}
	if (ring_lock(ctx)) {
		ret = copy_part(store, ctx, part);
		mutex_unlock(&ctx->uring_lock);
	}
	/* then nobody needs what is there of it: all are told to be busy */
	if (ret)
		capture->rings_missed = true;
	return ret == -EINTR ? ERR_PTR(ret) : store;
}

int capture_ring_memory(struct capture *capture, const struct mapping *mapping,
			struct segment *segment)
{
	u64 part = mapping->vma.pgoff & RING_OFF_MASK;
	struct store *store = part_store(capture, mapping->file, part);

	if (IS_ERR(store))
		return PTR_ERR(store);
	kref_get(&store->ref);
	segment->store = store;
	segment->store_first = (mapping->vma.pgoff & ~RING_OFF_MASK) >> PAGE_SHIFT;
	if (store->end > segment->store_first)
		segment->filesz =
			min((unsigned long)(store->end - segment->store_first) << PAGE_SHIFT,
			    segment->end - segment->start);
	return 0;
}

void capture_rings_forget(struct capture *capture)
{
	struct store *store;
	unsigned long key;

	xa_for_each(&capture->rings, key, store)
		store_put(store);
	xa_destroy(&capture->rings);
}

/* Direct I/O of threads that are gone is not seen; it ends by itself. */
static bool is_busy(const struct io_ring_ctx *ctx)
{
	return !ctx->rings || !list_empty(&ctx->cq_overflow_list) ||
	       READ_ONCE(ctx->rings->sq.head) != ctx->cached_sq_head ||
	       READ_ONCE(ctx->rings->cq.tail) != ctx->cached_cq_tail ||
	       compat_ring_has_waiting(ctx);
}

static bool has_registered(const struct io_ring_ctx *ctx)
{
	return compat_ring_has_resources(ctx) || compat_ring_has_buffers(ctx) ||
	       compat_ring_is_restricted(ctx) || compat_ring_has_settings(ctx) ||
	       rcu_access_pointer(ctx->io_ev_fd) || !xa_empty(&ctx->personalities);
}

static void fill_ring(struct xckpt_ring *ring, struct io_ring_ctx *ctx)
{
	ring->sq_tail_off = offsetof(struct io_rings, sq.tail);
	ring->cq_head_off = offsetof(struct io_rings, cq.head);
	ring->cqes_off = offsetof(struct io_rings, cqes);
	if (!ring_lock(ctx)) {
		ring->state |= XCKPT_RING_BUSY;
		ring->sq_entries = READ_ONCE(ctx->sq_entries);
		ring->cq_entries = READ_ONCE(ctx->cq_entries);
		return;
	}
	ring->flags = ctx->flags;
	ring->sq_entries = ctx->sq_entries;
	ring->cq_entries = ctx->cq_entries;
	ring->sq_head = ctx->cached_sq_head;
	ring->cq_tail = ctx->cached_cq_tail;
	if (ctx->rings && ctx->sq_array)
		ring->array_off = (void *)ctx->sq_array - (void *)ctx->rings;
	if (is_busy(ctx))
		ring->state |= XCKPT_RING_BUSY;
	if (has_registered(ctx))
		ring->state |= XCKPT_RING_REGISTERED;
	mutex_unlock(&ctx->uring_lock);
}

void capture_ring(struct capture *capture, const struct file *file, u32 id)
{
	struct xckpt_note_table head = { .size = sizeof(head),
					 .entry_size = sizeof(struct xckpt_ring),
					 .entries_off = sizeof(head) };
	struct notes *notes = &capture->notes;
	struct xckpt_ring ring = { .file = id,
				   .state = capture->rings_missed ? XCKPT_RING_BUSY : 0 };

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
	return percpu_counter_sum(&uring->inflight) > READ_ONCE(uring->cached_refs);
}

/*
 * What a task has of io_uring lives as long as it, but in execve(2), and in a thread of the
 * kernel that polls a ring: both free it. Who is held is in no execve() that goes on, unless a
 * tracer has stopped it there: that may let it go on just now.
 */
static bool may_look(struct group *group, struct task_struct *task)
{
	struct member *member;
	bool ret = task->exit_state;

	spin_lock(&members_lock);
	member = member_find(group, task);
	if (member)
		ret = member->state != MEMBER_STOPPED || !member->traced;
	spin_unlock(&members_lock);
	return ret;
}

u32 capture_ring_flags(struct group *group, struct task_struct *task)
{
	struct io_uring_task *uring = READ_ONCE(task->io_uring);
	u32 flags = compat_task_has_ring_limits(task) ? XCKPT_PROCESS_RING_LIMITS : 0;
	unsigned int i;

	if (!uring)
		return flags;
	flags |= XCKPT_PROCESS_IO_URING;
	if (task->flags & COMPAT_PF_WORKER)
		return flags;
	if (!may_look(group, task))
		return flags | XCKPT_PROCESS_REQUESTS;
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

int capture_ring_memory(struct capture *capture, const struct mapping *mapping,
			struct segment *segment)
{
	return 0;
}

void capture_rings_forget(struct capture *capture)
{
}

void capture_ring(struct capture *capture, const struct file *file, u32 id)
{
}

u32 capture_ring_flags(struct group *group, struct task_struct *task)
{
	return 0;
}

#endif
