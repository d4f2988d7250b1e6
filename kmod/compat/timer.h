/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences of POSIX timers between kernels. */
#ifndef XCKPT_COMPAT_TIMER_H
#define XCKPT_COMPAT_TIMER_H

#include <linux/list.h>
#include <linux/posix-timers.h>
#include <linux/restart_block.h>
#include <linux/sched/signal.h>
#include <linux/time64.h>
#include <linux/version.h>

/*
 * The first timer of a process and the one behind @timer, or NULL; siglock is held.
 * They are on a list in older kernels (6.1), on a hash list in newer ones (6.12).
 */
static inline struct k_itimer *compat_first_timer(struct signal_struct *signal)
{
	void *node = NULL;
#ifdef CONFIG_POSIX_TIMERS
	if (__same_type(signal->posix_timers, struct list_head)) {
		struct list_head *head = (void *)&signal->posix_timers;

		node = list_empty(head) ? NULL : head->next;
	} else {
		struct hlist_head *head = (void *)&signal->posix_timers;

		node = head->first;
	}
#endif
	return node ? container_of(node, struct k_itimer, list) : NULL;
}

static inline struct k_itimer *compat_next_timer(struct signal_struct *signal,
						 struct k_itimer *timer)
{
	void *node = NULL;
#ifdef CONFIG_POSIX_TIMERS
	if (__same_type(signal->posix_timers, struct list_head)) {
		struct list_head *at = (void *)&timer->list;

		node = at->next == (void *)&signal->posix_timers ? NULL : at->next;
	} else {
		struct hlist_node *at = (void *)&timer->list;

		node = at->next;
	}
#endif
	return node ? container_of(node, struct k_itimer, list) : NULL;
}

/* What its signal carries. */
static inline const kernel_siginfo_t *compat_timer_info(const struct k_itimer *timer)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	return &timer->sigq.info;
#else
	return &timer->sigq->info;
#endif
}

/* Will it expire? Not said of processor clocks, nor of those that send no signal. */
static inline bool compat_timer_armed(const struct k_itimer *timer)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	return timer->it_status == 1; /* POSIX_TIMER_ARMED */
#else
	return timer->it_active;
#endif
}

/* Has it expired, to be armed again only when its signal is taken? */
static inline bool compat_timer_requeue(const struct k_itimer *timer)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	return timer->it_status == 2; /* POSIX_TIMER_REQUEUE_PENDING */
#else
	return timer->it_requeue_pending & REQUEUE_PENDING;
#endif
}

/* When poll(2) with a time-out ends, in ns of CLOCK_MONOTONIC. */
static inline u64 compat_poll_end(const struct restart_block *block)
{
#ifdef COMPAT_POLL_END
	return timespec64_to_ns(&block->poll.end_time);
#else
	return block->poll.tv_sec * NSEC_PER_SEC + block->poll.tv_nsec;
#endif
}

#endif
