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
#ifdef COMPAT_RING_OP_REGISTERED
	return ctx->restrictions.op_registered || ctx->restrictions.reg_registered;
#else
	return ctx->restrictions.registered;
#endif
}

#endif
#endif
