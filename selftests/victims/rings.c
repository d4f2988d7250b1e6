// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rings [LINES]: io_uring. Between two lines nothing is under way, but one ring has a
 * completion that was not looked at, one a request that was not submitted, one takes
 * requests that it does not tell of, one tells of what it has not taken, and one is a
 * child's, too.
 */
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *sqes;
};

static struct ring reader, unread, unsubmitted, silent, told, common;

static void make(struct ring *r, unsigned int entries, unsigned int completions)
{
	const int prot = PROT_READ | PROT_WRITE;

	r->params.flags = completions ? IORING_SETUP_CQSIZE : 0;
	r->params.cq_entries = completions;
	r->fd = (int)syscall(SYS_io_uring_setup, entries, &r->params);
	if (r->fd < 0)
		die("io_uring_setup");
	r->rings = mmap(NULL,
			r->params.cq_off.cqes + r->params.cq_entries * sizeof(struct io_uring_cqe) +
				r->params.sq_entries * sizeof(uint32_t),
			prot, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, r->params.sq_entries * sizeof(*r->sqes), prot, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	if (r->rings == MAP_FAILED || r->sqes == MAP_FAILED)
		die("mmap");
}

static uint32_t *word(struct ring *r, unsigned int offset)
{
	return (uint32_t *)(r->rings + offset);
}

static void prepare(struct ring *r, struct io_uring_sqe sqe)
{
	uint32_t *tail = word(r, r->params.sq_off.tail);
	uint32_t at = *tail & (r->params.sq_entries - 1);

	r->sqes[at] = sqe;
	word(r, r->params.sq_off.array)[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

static void submit(struct ring *r, unsigned int nr, unsigned int wait)
{
	expect(syscall(SYS_io_uring_enter, r->fd, nr, wait, wait ? IORING_ENTER_GETEVENTS : 0, NULL,
		       0) == (long)nr,
	       "all is submitted");
}

/* The next completion is this one. */
static void completed(struct ring *r, uint64_t user_data, int result, const char *what)
{
	uint32_t *head = word(r, r->params.cq_off.head);
	const struct io_uring_cqe *cqe =
		(const struct io_uring_cqe *)(r->rings + r->params.cq_off.cqes) +
		(*head & (r->params.cq_entries - 1));

	if (*head == __atomic_load_n(word(r, r->params.cq_off.tail), __ATOMIC_ACQUIRE)) {
		check(0, what);
		return;
	}
	expect(cqe->user_data == user_data && cqe->res == result, what);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
}

static void is_empty(struct ring *r, const char *what)
{
	expect(*word(r, r->params.cq_off.head) == *word(r, r->params.cq_off.tail), what);
}

/* A child that submits when it is asked to. */
static void help(int asked, int done)
{
	char c;

	while (read(asked, &c, 1) == 1) {
		prepare(&common,
			(struct io_uring_sqe){ .opcode = IORING_OP_NOP, .user_data = (uint64_t)c });
		submit(&common, 1, 1);
		if (write(done, &c, 1) != 1)
			_exit(1);
	}
	_exit(failures != 0);
}

static void step(unsigned int i, int *feed, int asked, int done)
{
	static char text[16];
	char c = (char)(i & 0x7f);

	if (write(feed[1], &i, sizeof(i)) != sizeof(i))
		die("write");
	prepare(&reader, (struct io_uring_sqe){ .opcode = IORING_OP_READ,
						.fd = feed[0],
						.off = ~0ull,
						.addr = (uint64_t)text,
						.len = sizeof(i),
						.user_data = i });
	submit(&reader, 1, 1);
	completed(&reader, i, sizeof(i), "a read is told of");
	expect(!memcmp(text, &i, sizeof(i)), "and has read");

	if (i)
		completed(&unread, i - 1, 0, "what was not looked at is there");
	prepare(&unread, (struct io_uring_sqe){ .opcode = IORING_OP_NOP, .user_data = i });
	submit(&unread, 1, 1);

	if (i) {
		submit(&unsubmitted, 1, 1);
		completed(&unsubmitted, i - 1, 0, "what was not submitted can be");
	}
	prepare(&unsubmitted, (struct io_uring_sqe){ .opcode = IORING_OP_NOP, .user_data = i });

	prepare(&silent,
		(struct io_uring_sqe){ .opcode = IORING_OP_NOP, .flags = IOSQE_CQE_SKIP_SUCCESS });
	prepare(&silent, (struct io_uring_sqe){ .opcode = IORING_OP_NOP, .user_data = i });
	submit(&silent, 2, 1);
	completed(&silent, i, 0, "one of two is told of");
	is_empty(&silent, "the other is not");

	prepare(&reader, (struct io_uring_sqe){ .opcode = IORING_OP_MSG_RING,
						.fd = told.fd,
						.off = i,
						.user_data = ~0ull });
	submit(&reader, 1, 1);
	completed(&reader, ~0ull, 0, "a message is sent");
	completed(&told, i, 0, "and comes");

	if (write(asked, &c, 1) != 1 || read(done, &c, 1) != 1)
		die("the child");
	completed(&common, (uint64_t)c, 0, "what a child has submitted is told here");
}

int main(int argc, char **argv)
{
	unsigned int i, lines = number(argv, argc, 1, 40);
	int feed[2], asked[2], done[2], status;
	uint64_t seed = 7;
	pid_t child;

	if (pipe(feed) || pipe(asked) || pipe(done))
		die("pipe");
	make(&reader, 8, 0);
	make(&unread, 4, 0);
	make(&unsubmitted, 1, 0);
	make(&silent, 256, 1024);
	make(&told, 2, 4);
	make(&common, 4, 0);
	child = fork();
	if (!child) {
		close(asked[1]);
		help(asked[0], done[1]);
	}
	close(asked[0]);
	for (i = 0; i < lines; i++) {
		step(i, feed, asked[1], done[0]);
		seed = work(seed, STEP);
		say("line %u: %016llx", i, (unsigned long long)seed);
	}
	close(asked[1]);
	waitpid(child, &status, 0);
	check(!status, "the child has found nothing");
	check(!failures, "all rings went on");
	return failures != 0;
}
