// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checksum.h"
#include "launch_tree.h"
#include "load.h"
#include "load_copiers.h"
#include "pack.h"
#include "report.h"

#define CHECK_FIRST (64ull << 20) /* bytes of file-backed contents: before the start */

enum request { CHECK, LOAD, REST };
enum reply { CHECKED, LOADED };

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
size_t load_find_range(const struct target *target, uint64_t offset)
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

	for (i = load_find_range(target, offset); i < target->nr && !l->impossible; i++) {
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

bool load_get(int fd, void *buf, size_t len)
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

static int load(struct loading *l)
{
	size_t i;
	int ret;

	l->impossible = false;
	l->done = 0;
	for (i = 0; i < l->plan->nr_processes; i++) {
		struct record_head head = { 0 };

		if (is_reachable(&l->plan->processes[i], l->targets[i].pid, &head))
			copiers_find(&l->targets[i], &head);
		else
			l->impossible = true;
	}
	ret = image_take(l->plan->img, nr_cpus(), CHECK_FIRST, &l->left, take, copiers_take, l);
	for (i = 0; i < l->plan->nr_processes; i++)
		copiers_leave(&l->targets[i]);
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

	while (load_get(requests, &request, sizeof(request))) {
		if (request == REST)
			_exit(check_rest(l));
		reply = CHECKED;
		if (request == LOAD) {
			for (i = 0; i < l->plan->nr_processes; i++)
				if (!load_get(requests, &l->targets[i].pid, sizeof(pid_t)))
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
