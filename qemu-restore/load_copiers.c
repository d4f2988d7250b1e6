// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loader's side of copiers (restorer/copy.c): who gets which part of a block, and
 * what is made of the answer. What they do not do, load.c does.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "checksum.h"
#include "load_copiers.h"

/* What a copier is told. */
struct errand {
	struct copy_extent *extents;
	size_t nr, room;
	uint64_t bytes; /* to be copied */
};

static bool add_extent(struct errand *e, uint64_t from, uint64_t end, uint64_t addr)
{
	if (e->nr == e->room) {
		size_t room = e->room ? e->room * 2 : 16;
		void *more = reallocarray(e->extents, room, sizeof(*e->extents));

		if (!more)
			return false;
		e->extents = more;
		e->room = room;
	}
	e->extents[e->nr++] = (struct copy_extent){ from, end - from, addr };
	e->bytes += addr ? end - from : 0;
	return !((from | end | addr) % IMAGE_PAGE_SIZE);
}

/* Data of the core from @from to @end: what is memory, and what lies between. */
static bool add_data(struct errand *e, const struct target *target, uint64_t from, uint64_t end)
{
	size_t i;

	for (i = load_find_range(target, from); i < target->nr && target->ranges[i].offset < end;
	     i++) {
		const struct range *r = &target->ranges[i];
		uint64_t start = r->offset > from ? r->offset : from;
		uint64_t stop = r->offset + r->len < end ? r->offset + r->len : end;

		if (start > from && !add_extent(e, from, start, 0))
			return false;
		if (!add_extent(e, start, stop, r->addr + (start - r->offset)))
			return false;
		from = stop;
	}
	return from >= end || add_extent(e, from, end, 0);
}

/* False too if it has parts of pages, or nothing to copy: those are for the loader. */
static bool find_errand(struct errand *e, const struct image_process *p,
			const struct target *target, uint64_t block)
{
	uint64_t end = block + CHECKSUM_BLOCK;
	size_t i;

	for (i = data_map_find(&p->data, block); i < p->data.nr && p->data.ranges[i].from < end;
	     i++) {
		const struct data_range *r = &p->data.ranges[i];

		if (!add_data(e, target, r->from > block ? r->from : block,
			      r->end < end ? r->end : end))
			return false;
	}
	return e->bytes;
}

static bool send_all(int socket, const void *what, size_t len)
{
	const char *at = what;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = send(socket, at, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return false;
	}
	return true;
}

static struct copier *free_copier(struct target *target)
{
	unsigned int i;

	for (i = 0; i < target->nr_copiers; i++) {
		struct copier *c = &target->copiers[i];

		if (atomic_flag_test_and_set(&c->busy))
			continue;
		if (c->socket >= 0)
			return c;
		atomic_flag_clear(&c->busy);
	}
	return NULL;
}

/* One that fails is asked no more; what it has not done, or not well, is done from here. */
static int ask_copier(struct loading *l, struct copier *c, const struct copy_request *request,
		      const struct errand *e, uint64_t *hash)
{
	struct copy_reply reply = { .result = -1 };

	if (!send_all(c->socket, request, sizeof(*request)) ||
	    !send_all(c->socket, e->extents, e->nr * sizeof(*e->extents)) ||
	    !load_get(c->socket, &reply, sizeof(reply))) {
		close(c->socket);
		c->socket = -1;
		return -1;
	}
	if (reply.result < 0)
		return -1;
	l->done += e->bytes;
	*hash = reply.hash;
	return reply.result != 0;
}

int copiers_take(void *ctx, const struct image_process *p, uint64_t block, uint64_t *hash)
{
	struct loading *l = ctx;
	size_t index = (size_t)(p - l->plan->img->processes);
	struct target *target = &l->targets[index];
	struct copier *c = l->impossible ? NULL : free_copier(target);
	struct errand e = { 0 };
	int ret = -1;

	if (!c)
		return -1;
	if (find_errand(&e, p, target, block)) {
		const struct copy_request request = { block,
						      (uint32_t)l->plan->processes[index].fds.core,
						      (uint32_t)e.nr };

		ret = ask_copier(l, c, &request, &e, hash);
	}
	atomic_flag_clear(&c->busy);
	free(e.extents);
	return ret;
}

void copiers_find(struct target *target, const struct record_head *head)
{
	int pidfd = head->nr_copiers ? (int)syscall(SYS_pidfd_open, target->pid, 0) : -1;
	uint32_t i;

	target->nr_copiers = 0;
	for (i = 0; pidfd >= 0 && i < head->nr_copiers && i < COPIERS_MAX; i++) {
		struct copier *c = &target->copiers[i];

		c->socket = (int)syscall(SYS_pidfd_getfd, pidfd, head->copiers[i], 0);
		atomic_flag_clear(&c->busy);
		if (c->socket < 0)
			break;
		target->nr_copiers++;
	}
	if (pidfd >= 0)
		close(pidfd);
}

void copiers_leave(struct target *target)
{
	unsigned int i;

	for (i = 0; i < target->nr_copiers; i++)
		if (target->copiers[i].socket >= 0)
			close(target->copiers[i].socket);
	target->nr_copiers = 0;
}
