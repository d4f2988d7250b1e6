// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copiers: processes that share the program's memory while it is loaded. What the
 * kernel would have to write into it from outside, page by page and pinned, they just
 * copy, from the core's pages that they have hashed a moment ago. The loader (../load.c)
 * tells them which, and compares what they have hashed.
 */
#include "hash.h"
#include "restorer.h"

#define PAGE 4096ull
#define BLOCK (16ull << 20)
#define CHUNK (256ull << 10) /* is still in the processor's cache when it is copied */
#define STACK_SIZE 16384
#define EXTENTS 32 /* that are read at once */

#define SYS_MADVISE 28
#define SYS_SHUTDOWN 48
#define SYS_SOCKETPAIR 53
#define SYS_EXIT 60
#define SYS_WAIT4 61
#define SYS_PRCTL 157

#define X86_EINVAL 22
#define X86_PROT_READ 1
#define X86_PROT_WRITE 2
#define X86_AF_UNIX 1
#define X86_SOCK_STREAM 1
#define X86_SOCK_CLOEXEC 02000000
#define X86_SHUT_RDWR 2
#define X86_WALL 0x40000000
#define X86_PR_SET_PDEATHSIG 1
#define X86_SIGKILL 9
#define X86_MADV_POPULATE_READ 22
#define X86_MADV_POPULATE_WRITE 23

static int is_error(int64_t result)
{
	return result < 0 && result >= -4095;
}

static int is_zero(const uint64_t *page)
{
	unsigned int i;

	for (i = 0; i < HASH_PAGE_WORDS; i += 4)
		if (page[i] | page[i + 1] | page[i + 2] | page[i + 3])
			return 0;
	return 1;
}

/* By words: an emulated processor takes as long for each of the bytes of rep movsb. */
static void copy_page(volatile uint64_t *to, const uint64_t *from)
{
	unsigned int i;

	for (i = 0; i < HASH_PAGE_WORDS; i += 4) {
		uint64_t a = from[i], b = from[i + 1], c = from[i + 2], d = from[i + 3];

		to[i] = a;
		to[i + 1] = b;
		to[i + 2] = c;
		to[i + 3] = d;
	}
}

/* @map is where the core's block is mapped. */
static int64_t copy_extent(struct hash *h, uint64_t map, const struct copy_extent *e)
{
	uint64_t from = map + e->offset % BLOCK, at, page;

	for (at = 0; at < e->len; at += CHUNK) {
		uint64_t len = e->len - at < CHUNK ? e->len - at : CHUNK;
		/* an error of the file system is to be one, and no signal; unknown before
		 * Linux 5.14 */
		int64_t ret = syscall3(SYS_MADVISE, from + at, len, X86_MADV_POPULATE_READ);

		if (ret && ret != -X86_EINVAL)
			return ret;
		if (e->addr) /* else a fault for each page */
			syscall3(SYS_MADVISE, e->addr + at, len, X86_MADV_POPULATE_WRITE);
		for (page = at; page < at + len; page += PAGE) {
			const uint64_t *data = (const uint64_t *)(from + page);

			if (!is_zero(data))
				hash_page(h, e->offset + page, data);
			if (e->addr)
				copy_page((volatile uint64_t *)(e->addr + page), data);
		}
	}
	return 0;
}

static int get(int64_t fd, void *buf, uint64_t len)
{
	uint64_t at = (uint64_t)buf;
	int64_t n;

	for (; len; at += n, len -= n) {
		n = syscall3(SYS_READ, fd, at, len);
		if (n == -X86_EINTR)
			n = 0;
		else if (n <= 0)
			return 0;
	}
	return 1;
}

/* All extents of a request are read, even if that is all that can be done with them. */
static int copy_block(int64_t fd, const struct copy_request *r, struct copy_reply *reply)
{
	int64_t map =
		syscall6(SYS_MMAP, 0, BLOCK, X86_PROT_READ, X86_MAP_PRIVATE, r->core_fd, r->block);
	struct copy_extent extents[EXTENTS];
	uint32_t left = r->nr, i, n;
	struct hash h;

	hash_begin(&h);
	reply->result = is_error(map) ? map : 0;
	for (; left; left -= n) {
		n = left < EXTENTS ? left : EXTENTS;
		if (!get(fd, extents, n * sizeof(extents[0])))
			return 0;
		for (i = 0; i < n && !reply->result; i++)
			reply->result = copy_extent(&h, map, &extents[i]);
	}
	if (!is_error(map))
		syscall3(SYS_MUNMAP, map, BLOCK, 0);
	reply->hash = h.words ? hash_end(&h) : 0;
	if (!reply->result)
		reply->result = h.words != 0;
	return 1;
}

_Noreturn void copier(int64_t fd)
{
	struct copy_request request;
	struct copy_reply reply;

	syscall3(SYS_PRCTL, X86_PR_SET_PDEATHSIG, X86_SIGKILL, 0);
	while (get(fd, &request, sizeof(request)) && copy_block(fd, &request, &reply))
		if (syscall3(SYS_WRITE, fd, (uint64_t)&reply, sizeof(reply)) != sizeof(reply))
			break;
	for (;;)
		syscall3(SYS_EXIT, 0, 0, 0);
}

static int copier_begin(struct copier *c)
{
	int32_t pair[2];

	c->stack = syscall6(SYS_MMAP, 0, STACK_SIZE, X86_PROT_READ | X86_PROT_WRITE,
			    X86_MAP_PRIVATE | X86_MAP_ANONYMOUS, -1, 0);
	if (is_error(c->stack))
		return 0;
	c->pid = syscall4(SYS_SOCKETPAIR, X86_AF_UNIX, X86_SOCK_STREAM | X86_SOCK_CLOEXEC, 0,
			  (uint64_t)pair);
	if (!c->pid) {
		c->pid = clone_copier(pair[1], c->stack + STACK_SIZE - 64);
		c->socket = pair[0];
		syscall3(SYS_CLOSE, pair[1], 0, 0);
		if (c->pid > 0)
			return 1;
		syscall3(SYS_CLOSE, pair[0], 0, 0);
	}
	syscall3(SYS_MUNMAP, c->stack, STACK_SIZE, 0);
	return 0;
}

/* As many as can be had: what they do not do the loader does. */
void copiers_begin(struct record_head *head, struct copier *copiers)
{
	uint32_t n = 0;

	while (n < head->nr_copiers && n < COPIERS_MAX && copier_begin(&copiers[n])) {
		head->copiers[n] = copiers[n].socket;
		n++;
	}
	head->nr_copiers = n;
}

/* Afterwards their pids are free: what follows wants certain ones. */
void copiers_end(struct record_head *head, const struct copier *copiers)
{
	for (; head->nr_copiers; head->nr_copiers--) {
		const struct copier *c = &copiers[head->nr_copiers - 1];

		syscall3(SYS_SHUTDOWN, c->socket, X86_SHUT_RDWR, 0);
		while (syscall4(SYS_WAIT4, c->pid, 0, X86_WALL, 0) == -X86_EINTR)
			;
		syscall3(SYS_CLOSE, c->socket, 0, 0);
		syscall3(SYS_MUNMAP, c->stack, STACK_SIZE, 0);
	}
}
