// SPDX-License-Identifier: GPL-2.0-or-later
/* What becomes of open files without a path: nameless ones, events, packets; and of locks. */
#include <sys/stat.h>

#include "files_synth.h"

/* The place of the first such operation, -1: there is none. */
static long place_of(const struct plan *plan, enum op_kind kind)
{
	const struct plan_op *op = find_op(plan, kind, 0);

	return op ? op - plan->ops : -1;
}

static void test_nameless(void)
{
	struct open_file *f, *g;
	const struct plan_op *again, *op;
	struct plan *plan;

	begin();
	f = file(FILE_MEMFD, "/memfd:x (deleted)", 3);
	g = file(FILE_MEMFD, "/memfd:x (deleted)", 4);
	f->ino = g->ino = 5;
	f->size = g->size = f->data_size = g->data_size = 8192;
	f->data = g->data = "files/file-1";
	f->seals = g->seals = 0x1 | 0x4 | 0x10;
	plan = make();
	ok(count_ops(plan, OP_MEMORY) == 1 && count_ops(plan, OP_CONTENTS) == 1 &&
		   count_ops(plan, OP_REOPEN) == 2,
	   "a memfd with two descriptions is made once");
	op = find_op(plan, OP_REOPEN, 0);
	again = find_op(plan, OP_REOPEN, op - plan->ops + 1);
	ok(op && again && op->arg[4] + again->arg[4] == 1,
	   "one of them is the one that was made, which can be executed");
	op = find_op(plan, OP_SEAL, 0);
	ok(op && op->arg[1] == 0x4 && !op->arg[2] && op > find_op(plan, OP_CONTENTS, 0),
	   "sealed once it is filled");
	op = find_op(plan, OP_SEAL, op - plan->ops + 1);
	ok(op && op->arg[1] == 0x11 && op->arg[2], "and once it is mapped");
	plan_free(plan);
	begin();
	f = file(FILE_DIRECTORY, "/tmp/gone (deleted)", 3);
	f->deleted = true;
	s.p.cwd = "/tmp/gone (deleted)";
	plan = make();
	op = find_op(plan, OP_LOST_DIRECTORY, 0);
	ok(op && count_ops(plan, OP_LOST_DIRECTORY) == 1 && !count_ops(plan, OP_OPEN),
	   "a removed directory is made");
	again = find_op(plan, OP_REOPEN, 0);
	ok(op && again && again->arg[1] == op->arg[0], "and opened anew by who had it open");
	again = find_op(plan, OP_CWD, 0);
	ok(op && again && again->arg[0] == op->arg[0] + 1,
	   "as the working directory it is the same");
	plan_free(plan);
	begin();
	s.p.cwd = "/tmp/gone (deleted)";
	plan = make();
	ok(count_ops(plan, OP_LOST_DIRECTORY) == 1,
	   "it is made for a working directory alone, too");
	plan_free(plan);
}

static void test_events(void)
{
	struct poll_entry entries[] = { { 77, 1, 1, 0xabc }, { 5, 3, 4, 0xdef } };
	struct open_file *poll, *pidfd;
	const struct plan_op *op;
	struct plan *plan;

	begin();
	file(FILE_ANON_INODE, "anon_inode:[eventfd]", 3)->event =
		(struct event_state){ .kind = EVENT_COUNTER, .count = 9, .semaphore = true };
	poll = file(FILE_ANON_INODE, "anon_inode:[eventpoll]", 4);
	poll->event =
		(struct event_state){ .kind = EVENT_POLL, .entries = entries, .nr_entries = 2 };
	pidfd = file(FILE_ANON_INODE, "anon_inode:[pidfd]", 5);
	pidfd->event = (struct event_state){ .kind = EVENT_PROCESS, .pid = 42 };
	plan = make();
	op = find_op(plan, OP_EVENTFD, 0);
	ok(op && op->arg[1] == 9 && op->arg[2] == 1, "an eventfd has its count");
	op = find_op(plan, OP_ENTRY, 0);
	ok(op && op->arg[1] == 77 && op->arg[3] == 0xabc &&
		   op->arg[4] == find_op(plan, OP_EVENTFD, 0)->arg[0],
	   "epoll knows it by the number that it was added by");
	op = find_op(plan, OP_ENTRY, op - plan->ops + 1);
	ok(op && op->arg[4] == ~0ull && op->arg[5] == 5 && op > find_op(plan, OP_PIDFD, 0),
	   "and a process by a descriptor that is there");
	plan_free(plan);
	s.p.nr_fds--; /* the pidfd is in no process any more */
	plan = make();
	ok(has_issue(plan, "waits for fd 5"), "one that is not is told of");
	plan_free(plan);
}

static void test_timers(void)
{
	const struct plan_op *op;
	struct open_file *f;
	struct plan *plan;

	begin();
	s.img.clocks.realtime_ns = 1000;
	s.img.clocks.monotonic_ns = 500;
	f = file(FILE_ANON_INODE, "anon_inode:[timerfd]", 3);
	f->event = (struct event_state){ .kind = EVENT_TIMER, .settime_flags = 3, .value_ns = 50 };
	plan = make();
	op = find_op(plan, OP_TIMERFD, 0);
	ok(op->arg[4] == 1050 && op->nr == 3, "a date of the real-time clock stays that date");
	plan_free(plan);
	f->event.clock = 1;
	plan = make();
	op = find_op(plan, OP_TIMERFD, 0);
	ok(op->arg[4] == 50 && op->nr == 2, "of the monotonic one it is what is left");
	plan_free(plan);
}

static void test_signalfds(void)
{
	const struct plan_op *op;
	struct open_file *f;
	struct plan *plan;
	uint64_t mask = 0;

	begin();
	f = file(FILE_ANON_INODE, "anon_inode:[signalfd]", 3);
	f->event = (struct event_state){ .kind = EVENT_SIGNALS, .mask = 1ull << 40 };
	plan = make();
	op = find_call(plan, NR_SIGNALFD4, 3);
	if (op)
		memcpy(&mask, plan->processes->data.bytes + op->arg[1], sizeof(mask));
	ok(op && op->refs == 2 && mask == 1ull << 40 && op->arg[2] == sizeof(mask),
	   "whose signals a descriptor tells is set by the program, for the engine to know");
	plan_free(plan);
}

static void test_locks(void)
{
	struct file_lock locks[] = { { LOCK_POSIX, true, 42, 10, 19 },
				     { LOCK_FLOCK, false, 0, 0, UINT64_MAX },
				     { LOCK_OFD, true, 0, 5, UINT64_MAX } };
	const struct plan_op *op;
	struct open_file *f;
	struct plan *plan;

	begin();
	f = file(FILE_REGULAR, "/srv/data", 3);
	f->locks = locks;
	f->nr_locks = 3;
	f->owner = 42;
	f->owner_type = 1;
	f->owner_signal = 40;
	f->flags |= X86_O_ASYNC;
	plan = make();
	op = find_op(plan, OP_FLOCK, 0);
	ok(op && !op->arg[1], "flock");
	op = find_op(plan, OP_OFD_LOCK, 0);
	ok(op && op->arg[2] == 5 && !op->arg[3], "a lock of the description, up to the end");
	op = find_op(plan, OP_OWNER, 0);
	ok(op && op->arg[1] == 1 && op->arg[2] == 42, "who gets its signals");
	op = find_call(plan, NR_FCNTL, 3);
	while (op && (op->nr != NR_FCNTL || op->arg[1] != 6))
		op = find_op(plan, OP_SYSCALL, op - plan->ops + 1);
	ok(op && op->refs == 4 && plan->processes->data.bytes[op->arg[2]] == 1 &&
		   plan->processes->data.bytes[op->arg[2] + 16] == 10,
	   "the process's own lock is taken by itself");
	plan_free(plan);
	f->owner = 99;
	plan = make();
	ok(!find_op(plan, OP_OWNER, 0) && has_issue(plan, "not in the image"),
	   "an owner outside of the image is told of");
	plan_free(plan);
}

static void test_packets(void)
{
	uint32_t sizes[] = { 3, 7 };
	struct open_file *r, *w;
	const struct plan_op *op;
	struct plan *plan;

	begin();
	r = file(FILE_PIPE, "pipe:[5]", 3);
	w = file(FILE_PIPE, "pipe:[5]", 4);
	r->inside = w->inside = true;
	r->ino = w->ino = 5;
	w->flags = X86_O_WRONLY;
	r->data = "files/pipe-1";
	r->data_size = 10;
	plan = make();
	op = find_op(plan, OP_FILL, 0);
	ok(count_ops(plan, OP_FILL) == 1 && op->arg[1] == 10 && !op->arg[3], "a stream is one");
	plan_free(plan);
	r->packets = sizes;
	r->nr_packets = 2;
	plan = make();
	op = find_op(plan, OP_FILL, place_of(plan, OP_FILL) + 1);
	ok(count_ops(plan, OP_FILL) == 2 && find_op(plan, OP_FILL, 0)->arg[1] == 3,
	   "packets are written one by one");
	ok(op->arg[1] == 7 && op->arg[2] == 3 && op->arg[3], "each from its place");
	plan_free(plan);
}

int main(void)
{
	test_nameless();
	test_events();
	test_timers();
	test_signalfds();
	test_locks();
	test_packets();
	return tap_end();
}
