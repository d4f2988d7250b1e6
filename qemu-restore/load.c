// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checksum.h"
#include "launch_tree.h"
#include "load.h"
#include "pack.h"
#include "report.h"

#define CHECK_FIRST (64ull << 20) /* bytes of file-backed contents: before the start */

enum request { CHECK, LOAD, REST };
enum reply { CHECKED, LOADED };

/* A part of a core that is memory of the program. */
struct range {
	uint64_t offset, len, addr;
};

/* A process in the program's memory that copies: restorer/copy.c. */
struct copier {
	int socket; /* -1: there is none */
	atomic_flag busy;
};

struct target {
	pid_t pid;
	struct range *ranges; /* by offset */
	size_t nr;
	struct copier copiers[COPIERS_MAX];
	unsigned int nr_copiers;
};

/* In the loader. */
struct loading {
	const struct plan *plan;
	struct target *targets; /* as plan->processes */
	uint64_t bytes; /* of all ranges */
	uint64_t left; /* bytes that were not compared yet */
	_Atomic uint64_t done;
	atomic_bool impossible;
};

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int find_ranges(struct loading *l, struct target *target, const struct process_plan *process)
{
	const struct plan_op *ops = l->plan->ops + process->first_op;
	size_t i;

	target->ranges = malloc((process->nr_ops + 1) * sizeof(*target->ranges));
	if (!target->ranges)
		return -1;
	for (i = 0; i < process->nr_ops; i++) {
		if (ops[i].kind != OP_READ || (int)ops[i].arg[0] != process->fds.core)
			continue;
		target->ranges[target->nr++] =
			(struct range){ ops[i].arg[3], ops[i].arg[2], ops[i].arg[1] };
		l->bytes += ops[i].arg[2];
	}
	qsort(target->ranges, target->nr, sizeof(*target->ranges), compare_ranges);
	return 0;
}

/* The first range that ends behind @offset. */
static size_t find_range(const struct target *target, uint64_t offset)
{
	size_t low = 0, high = target->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct range *r = &target->ranges[middle];

		if (r->offset + r->len > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void take(void *ctx, const struct image_process *p, uint64_t offset, const void *data,
		 size_t len)
{
	struct loading *l = ctx;
	const struct target *target = &l->targets[p - l->plan->img->processes];
	size_t i;

	for (i = find_range(target, offset); i < target->nr && !l->impossible; i++) {
		const struct range *r = &target->ranges[i];
		uint64_t from = r->offset > offset ? r->offset : offset;
		uint64_t end =
			r->offset + r->len < offset + len ? r->offset + r->len : offset + len;
		struct iovec local, remote;

		if (r->offset >= offset + len)
			break;
		local = (struct iovec){ (char *)data + (from - offset), end - from };
		remote = (struct iovec){ (void *)(uintptr_t)(r->addr + (from - r->offset)),
					 end - from };
		if (process_vm_writev(target->pid, &local, 1, &remote, 1, 0) !=
		    (ssize_t)(end - from))
			l->impossible = true;
		else
			l->done += end - from;
	}
}

static bool get(int fd, void *buf, size_t len)
{
	char *at = buf;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = read(fd, at, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return false;
	}
	return true;
}

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

	for (i = find_range(target, from); i < target->nr && target->ranges[i].offset < end; i++) {
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
	    !get(c->socket, &reply, sizeof(reply))) {
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

static int delegate(void *ctx, const struct image_process *p, uint64_t block, uint64_t *hash)
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

/*
 * Are the program's addresses those of the process? An engine may have moved it. And
 * may we write there? Where that is not allowed to us, the restorer reads by itself.
 */
static bool is_reachable(const struct process_plan *process, pid_t pid, struct record_head *head)
{
	struct iovec local = { head, sizeof(*head) };
	struct iovec remote = { (void *)(uintptr_t)pack_head(process), sizeof(*head) };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == sizeof(*head) &&
	       head->magic == RECORD_MAGIC && head->hole == process->hole;
}

/* What cannot be had is done from here. */
static void find_copiers(struct target *target, const struct record_head *head)
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

static void leave_copiers(struct target *target)
{
	unsigned int i;

	for (i = 0; i < target->nr_copiers; i++)
		if (target->copiers[i].socket >= 0)
			close(target->copiers[i].socket);
	target->nr_copiers = 0;
}

static int load(struct loading *l)
{
	size_t i;
	int ret;

	l->impossible = false;
	l->done = 0;
	for (i = 0; i < l->plan->nr_processes; i++) {
		struct record_head head = { 0 };

		if (is_reachable(&l->plan->processes[i], l->targets[i].pid, &head))
			find_copiers(&l->targets[i], &head);
		else
			l->impossible = true;
	}
	ret = image_take(l->plan->img, nr_cpus(), CHECK_FIRST, &l->left, take, delegate, l);
	for (i = 0; i < l->plan->nr_processes; i++)
		leave_copiers(&l->targets[i]);
	return ret;
}

/* Returns what to exit with. */
static int check_rest(const struct loading *l)
{
	if (!l->left)
		return 0;
	if (nice(19) == -1)
		errno = 0;
	return image_verify(l->plan->img, VERIFY_CORES, 1, 0, NULL) ? 1 : 0;
}

static _Noreturn void serve(struct loading *l, int requests, int replies)
{
	int request, ret = 0;
	char reply;
	size_t i;

	while (get(requests, &request, sizeof(request))) {
		if (request == REST)
			_exit(check_rest(l));
		reply = CHECKED;
		if (request == LOAD) {
			for (i = 0; i < l->plan->nr_processes; i++)
				if (!get(requests, &l->targets[i].pid, sizeof(pid_t)))
					_exit(0);
			ret = load(l);
			if (!l->impossible && l->done == l->bytes)
				reply = LOADED;
		} else {
			ret = image_verify(l->plan->img, VERIFY_CORES, nr_cpus(), CHECK_FIRST,
					   &l->left);
		}
		if (ret || write(replies, &reply, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static _Noreturn void run(const struct plan *plan, int requests, int replies)
{
	struct loading l = { .plan = plan,
			     .targets = calloc(plan->nr_processes, sizeof(*l.targets)) };
	size_t i;
	bool good = l.targets;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; good && i < plan->nr_processes; i++)
		good = !find_ranges(&l, &l.targets[i], &plan->processes[i]);
	if (good)
		serve(&l, requests, replies);
	fail("cannot read the image: %s", strerror(ENOMEM));
	_exit(1);
}

int loader_begin(struct loader *loader, const struct plan *plan)
{
	int requests[2], replies[2];

	if (pipe2(requests, O_CLOEXEC) || pipe2(replies, O_CLOEXEC))
		return fail("cannot read the image: %s", strerror(errno));
	loader->plan = plan;
	loader->pid = fork();
	if (!loader->pid) {
		close(requests[1]);
		close(replies[0]);
		run(plan, requests[0], replies[1]);
	}
	close(requests[0]);
	close(replies[1]);
	loader->requests = requests[1];
	loader->replies = replies[0];
	return loader->pid < 0 ? fail("cannot read the image: %s", strerror(errno)) : 0;
}

/* It has ended: without a word only if it was killed. */
static int tell_end(struct loader *loader)
{
	int status = 0;

	while (waitpid(loader->pid, &status, 0) < 0 && errno == EINTR)
		;
	loader->pid = -1;
	if (WIFSIGNALED(status))
		return fail("cannot check the image: killed by signal %d", WTERMSIG(status));
	return -1;
}

static int await(struct loader *loader, char *reply)
{
	struct pollfd ready = { .fd = loader->replies, .events = POLLIN };

	/* it takes as long as it takes, but not against the user's will */
	while (poll(&ready, 1, 200) <= 0)
		if (tree_interrupted())
			return fail("cannot resume the program: interrupted (%s)",
				    strsignal(tree_interrupted()));
	return read(loader->replies, reply, 1) == 1 ? 0 : tell_end(loader);
}

/* Who is gone is noticed by the reply that is missing. */
static void ask(const struct loader *loader, const void *what, size_t len)
{
	(void)!write(loader->requests, what, len);
}

int loader_check(struct loader *loader)
{
	const int request = CHECK;
	char reply;

	ask(loader, &request, sizeof(request));
	return await(loader, &reply);
}

int loader_load(struct loader *loader, const pid_t *pids, bool *loaded)
{
	const int request = LOAD;
	char reply = CHECKED;
	int ret;

	ask(loader, &request, sizeof(request));
	ask(loader, pids, loader->plan->nr_processes * sizeof(*pids));
	ret = await(loader, &reply);
	*loaded = reply == LOADED;
	return ret;
}

void loader_release(struct loader *loader)
{
	const int request = REST;

	if (loader->pid < 0)
		return;
	ask(loader, &request, sizeof(request));
	close(loader->requests);
	close(loader->replies);
}

void loader_end(struct loader *loader)
{
	if (loader->pid < 0)
		return;
	kill(loader->pid, SIGKILL);
	waitpid(loader->pid, NULL, 0);
	loader->pid = -1;
}
