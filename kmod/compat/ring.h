/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences of io_uring between kernels. The structures are its own, and tell all there is. */
#ifndef XCKPT_COMPAT_RING_H
#define XCKPT_COMPAT_RING_H

#include <linux/io_uring_types.h>

#ifdef CONFIG_IO_URING

static inline bool compat_ring_has_resources(const struct io_ring_ctx *ctx)
{
#ifdef COMPAT_RING_COUNTS
	return ctx->nr_user_files || ctx->nr_user_bufs;
#else
	return ctx->file_table.data.nr || ctx->buf_table.nr;
#endif
}

/* Buffers that requests choose from. Some kernels keep the first groups of them apart. */
static inline bool compat_ring_has_buffers(const struct io_ring_ctx *ctx)
{
#ifdef COMPAT_RING_BUFFER_LISTS
	if (ctx->io_bl)
		return true;
#endif
	return !xa_empty(&ctx->io_bl_xa);
}

static inline bool compat_ring_is_restricted(const struct io_ring_ctx *ctx)
{
#ifdef COMPAT_RING_FILTERS
	if (ctx->restrictions.bpf_filters)
		return true;
#endif
#ifdef COMPAT_RING_OP_REGISTERED
	return ctx->restrictions.op_registered || ctx->restrictions.reg_registered;
#else
	return ctx->restrictions.registered;
#endif
}

/* What else io_uring_register(2) may have set, as far as it can be seen. */
static inline bool compat_ring_has_settings(const struct io_ring_ctx *ctx)
{
#ifdef COMPAT_RING_REGION
	if (ctx->param_region.nr_pages)
		return true;
#endif
#ifdef COMPAT_RING_CLOCK
	if (ctx->clockid != CLOCK_MONOTONIC)
		return true;
#endif
	return ctx->iowq_limits[0] || ctx->iowq_limits[1];
}

static inline bool compat_ring_table_is_used(const struct io_hash_table *table)
{
	unsigned int i;

	for (i = 0; table->hbs && i < 1u << table->hash_bits; i++) {
		if (!hlist_empty(&table->hbs[i].list))
			return true;
	}
	return false;
}

/* Requests that wait for something, whoever made them; under uring_lock. */
static inline bool compat_ring_has_waiting(const struct io_ring_ctx *ctx)
{
#ifdef COMPAT_RING_TWO_TABLES
	if (compat_ring_table_is_used(&ctx->cancel_table_locked))
		return true;
#endif
#ifdef COMPAT_RING_WAITID
	if (!hlist_empty(&ctx->waitid_list))
		return true;
#ifdef CONFIG_FUTEX
	if (!hlist_empty(&ctx->futex_list))
		return true;
#endif
#endif
#ifdef COMPAT_RING_COMMANDS
	if (!hlist_empty(&ctx->cancelable_uring_cmd))
		return true;
#endif
	return compat_ring_table_is_used(&ctx->cancel_table) || !list_empty(&ctx->timeout_list) ||
	       !list_empty(&ctx->ltimeout_list) || !list_empty(&ctx->defer_list);
}

/* What a task may do with any ring, by itself or inherited. */
static inline bool compat_task_has_ring_limits(const struct task_struct *task)
{
#ifdef COMPAT_TASK_RING_LIMITS
	return READ_ONCE(task->io_uring_restrict);
#else
	return false;
#endif
}

#endif
#endif
