// SPDX-License-Identifier: GPL-2.0-or-later
/* What becomes of open files: packed and nameless ones, events, locks, mapped paths. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "launch_slots.h"
#include "synth.h"
#include "tap.h"

static struct synth s;

static struct open_file *file(enum file_kind kind, const char *path, int fd)
{
	struct open_file *f = synth_file(&s, kind, path, X86_O_RDWR);

	if (fd >= 0)
		synth_fd(&s, fd, f, false);
	return f;
}

static struct plan *make(void)
{
	return plan_make(&s.img, &s.engine, &s.host);
}

static void begin(void)
{
	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
}

/* The place of the first such operation, -1: there is none. */
static long place_of(const struct plan *plan, enum op_kind kind)
{
	const struct plan_op *op = find_op(plan, kind, 0);

	return op ? op - plan->ops : -1;
}

static void test_changed(void)
{
	const struct plan_op *op;
	struct open_file *f;
	struct plan *plan;

	begin();
	f = file(FILE_REGULAR, "/srv/data", 3);
	f->size = 100;
	f->mtime_ns = 7;
	plan = make();
	op = find_op(plan, OP_OPEN, 0);
	ok(op->arg[3] == CHECK_SAME && op->arg[4] == 100 && op->arg[5] == 7,
	   "a file must be as it was");
	plan_free(plan);
	s.host.allow_changed = true;
	plan = make();
	ok(find_op(plan, OP_OPEN, 0)->arg[3] == CHECK_REGULAR, "unless it is allowed to change");
	plan_free(plan);
	f->pos = 70;
	plan = make();
	ok(find_op(plan, OP_OPEN, 0)->arg[4] == 70, "but not to end before the position");
	plan_free(plan);
	f->pos = 500;
	plan = make();
	ok(find_op(plan, OP_OPEN, 0)->arg[4] == 100, "unless that was behind the end");
	plan_free(plan);
	f->pos = 0;
	s.host.allow_changed = false;
	f->flags |= 010000000;
	plan = make();
	ok(find_op(plan, OP_OPEN, 0)->arg[3] == CHECK_NOTHING, "a path may lead to anything");
	plan_free(plan);
}

static void test_directory(void)
{
	const struct plan_op *op;
	struct open_file *f;
	struct plan *plan;

	begin();
	f = file(FILE_DIRECTORY, "/srv", 3);
	plan = make();
	ok(!plan->nr_issues, "a directory that was not read is one anywhere");
	plan_free(plan);
	f->pos = 77;
	plan = make();
	ok(has_issue(plan, "fd 3 has read a part of the directory /srv"),
	   "of one that was the place has to be there");
	plan_free(plan);
	synth_place = 5;
	plan = make();
	op = find_op(plan, OP_OPEN, 0);
	ok(!plan->nr_issues && op && op->arg[2] == 5, "wherever that is");
	plan_free(plan);
}

static void test_packed(void)
{
	struct open_file *f, *g;
	struct plan *plan;

	begin();
	f = file(FILE_REGULAR, "/srv/data", 3);
	g = file(FILE_REGULAR, "/srv/data", 4);
	f->data = g->data = "files/file-1";
	f->data_size = g->data_size = 100;
	f->mode = g->mode = S_IFREG | 0640;
	plan = make();
	ok(count_ops(plan, OP_UNPACK) == 1 && count_ops(plan, OP_OPEN) == 2,
	   "two descriptions of a packed file: one file");
	ok(place_of(plan, OP_UNPACK) < place_of(plan, OP_OPEN), "which is there before");
	ok(find_op(plan, OP_UNPACK, 0)->arg[1] == 0640, "with its mode");
	ok(find_op(plan, OP_OPEN, 0)->arg[3] == CHECK_REGULAR, "and was compared already");
	plan_free(plan);
	g->data = NULL;
	f->ino = g->ino = 9;
	plan = make();
	ok(find_op(plan, OP_OPEN, place_of(plan, OP_OPEN) + 1)->arg[3] == CHECK_REGULAR,
	   "also where it is open for reading");
	plan_free(plan);
}

static const struct plan_op *find_nr(const struct plan *plan, uint32_t nr)
{
	const struct plan_op *op = find_op(plan, OP_SYSCALL, 0);

	while (op && op->nr != nr)
		op = find_op(plan, OP_SYSCALL, op - plan->ops + 1);
	return op;
}

static void test_of_process(void)
{
	char maps[64];
	const struct plan_op *op;
	struct open_file *f;
	struct plan *plan;

	begin();
	snprintf(maps, sizeof(maps), "/proc/%d/maps", s.p.info.pid);
	f = file(FILE_REGULAR, maps, 3);
	f->flags = 0;
	f->pos = 20;
	synth_fd(&s, 5, f, false);
	file(FILE_REGULAR, "/proc/123456/maps", 6);
	file(FILE_REGULAR, "/proc/meminfo", 7);
	plan = make();
	op = find_op(plan, OP_OPEN_ITSELF, 0);
	ok(op && op->arg[3] == 3 && op->arg[2] == 20 &&
		   !strcmp((char *)plan->processes[0].data.bytes + op->arg[0], maps),
	   "what tells of the process is opened once it is there");
	ok(count_ops(plan, OP_OPEN_ITSELF) == 1 && count_ops(plan, OP_OPEN) == 2 &&
		   count_ops(plan, OP_PLACE) == 2,
	   "other files of /proc as any");
	ok(op > find_op(plan, OP_SWEEP, 0), "by itself");
	op = find_nr(plan, NR_DUP2);
	ok(op && op->arg[0] == 3 && op->arg[1] == 5, "its other number shares it");
	plan_free(plan);
}

static void test_dirty(void)
{
	char path[64];
	struct plan *plan;

	begin();
	snprintf(path, sizeof(path), "/proc/%d/clear_refs", s.p.info.pid);
	file(FILE_REGULAR, path, 3);
	plan = make();
	ok(has_issue(plan, "CONFIG_MEM_SOFT_DIRTY") && plan->issues[0].forceable,
	   "what was written to has to be told");
	plan_free(plan);
	s.host.tells_dirty = true;
	plan = make();
	ok(!has_issue(plan, "CONFIG_MEM_SOFT_DIRTY"), "where the kernel does, it is");
	plan_free(plan);
}

static void test_root(void)
{
	const struct plan_op *op;
	struct plan *plan;

	begin();
	s.p.root = "/";
	plan = make();
	ok(!find_nr(plan, NR_CHROOT), "the root is the root");
	plan_free(plan);
	s.p.root = "/srv/jail";
	s.p.cwd = "/srv/jail/folder";
	plan = make();
	op = find_nr(plan, NR_CHROOT);
	ok(op && !strcmp((char *)plan->processes[0].data.bytes + op->arg[0], s.p.root) &&
		   op > find_op(plan, OP_SWEEP, 0),
	   "unless it was another one");
	ok(find_op(plan, OP_CWD, 0) < op, "in which the folder may be");
	plan_free(plan);
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

static const char *const other_file[] = { NULL, NULL, NULL, "/other" };

/* --fd: nothing of what it was is done to the file that the user names. */
static void test_replaced(void)
{
	struct poll_entry entry = { 4, 2, 1, 0xabc };
	struct file_lock lock = { LOCK_FLOCK, true, 0, 0, UINT64_MAX };
	struct open_file *f, *g;
	struct plan *plan;

	begin();
	s.host.override = (const char **)other_file;
	s.host.nr_override = 4;
	f = file(FILE_ANON_INODE, "anon_inode:[eventpoll]", 3);
	f->event = (struct event_state){ .kind = EVENT_POLL, .entries = &entry, .nr_entries = 1 };
	file(FILE_ANON_INODE, "anon_inode:[eventfd]", 4)->event.kind = EVENT_COUNTER;
	plan = make();
	ok(!find_op(plan, OP_ENTRY, 0) && !find_op(plan, OP_EPOLL, 0),
	   "a replaced epoll waits for nothing");
	plan_free(plan);
	f->path = "anon_inode:[pidfd]";
	f->event = (struct event_state){ .kind = EVENT_PROCESS, .pid = 0 };
	plan = make();
	ok(!find_op(plan, OP_PIDFD, 0), "a replaced pidfd is none");
	plan_free(plan);
	f->kind = FILE_REGULAR;
	f->path = "/srv/data";
	f->data = "files/file-1";
	f->locks = &lock;
	f->nr_locks = 1;
	plan = make();
	ok(!find_op(plan, OP_UNPACK, 0) && !find_op(plan, OP_FLOCK, 0),
	   "a replaced file is neither unpacked nor locked");
	plan_free(plan);
	g = file(FILE_REGULAR, "/srv/data", 5);
	g->data = f->data;
	plan = make();
	ok(count_ops(plan, OP_UNPACK) == 1, "unless another description of it is there");
	plan_free(plan);
}

/* Bytes of a file of root that a program of another user would get by its path. */
static bool leads_to(const char *path, int flags)
{
	struct slots slots = { .root = open("/", O_PATH | O_DIRECTORY) };
	int fd = slot_open(&slots, path, flags | O_NONBLOCK, 0);

	close(slots.root);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void test_links(void)
{
	char dir[] = "/tmp/xckpt-links-XXXXXX", command[600];

	if (geteuid() || !mkdtemp(dir)) {
		ok(true, "links of others # SKIP needs root");
		return;
	}
	snprintf(
		command, sizeof(command),
		"cd %s && mkdir real && echo x >real/file && ln -s real root && ln -s %s/real all && "
		"ln -s real other && ln -s file real/last && ln -s root/file real/../ways && "
		"ln -s loop loop && chown -h 1000 other real/last",
		dir, dir);
	ok(!system(command), "links are made");
	snprintf(command, sizeof(command), "%s/real/file", dir);
	ok(leads_to(command, O_RDONLY), "a path without links");
	snprintf(command, sizeof(command), "%s/root/../all//./file", dir);
	ok(leads_to(command, O_RDONLY), "with links of root");
	snprintf(command, sizeof(command), "%s/ways", dir);
	ok(leads_to(command, O_RDONLY), "one behind the other");
	snprintf(command, sizeof(command), "%s/root", dir);
	ok(leads_to(command, O_DIRECTORY), "to a folder");
	snprintf(command, sizeof(command), "%s/root/last", dir);
	ok(!leads_to(command, O_DIRECTORY), "and to no other thing");
	snprintf(command, sizeof(command), "%s/other/file", dir);
	ok(!leads_to(command, O_RDONLY) && errno == ELOOP, "but not with those of others");
	snprintf(command, sizeof(command), "%s/root/last", dir);
	ok(!leads_to(command, O_RDONLY) && errno == ELOOP, "nor to one");
	snprintf(command, sizeof(command), "%s/loop", dir);
	ok(!leads_to(command, O_RDONLY) && errno == ELOOP, "nor for ever");
	snprintf(command, sizeof(command), "%s/root/none/file", dir);
	ok(!leads_to(command, O_RDONLY) && errno == ENOENT, "what is not there");
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ok(!system(command), "they are removed");
}

static bool is_there(const char *dir, const char *path, uid_t uid)
{
	char whole[300];
	struct stat st;

	snprintf(whole, sizeof(whole), "%s/%s", dir, path);
	return !lstat(whole, &st) && st.st_uid == uid;
}

/* A packed file at @path in @dir: 0, and it is there, or -1. */
static int unpack(const char *dir, const char *path, struct slots *slots)
{
	char whole[300];
	struct open_file *f;
	struct plan *plan;
	int ret;

	begin();
	snprintf(whole, sizeof(whole), "%s/%s", dir, path);
	f = file(FILE_REGULAR, whole, 4);
	f->data = "data";
	f->data_size = f->size = 2;
	f->uid = f->gid = 1000;
	f->mode = S_IFREG | 0600;
	s.img.dir_fd = open(dir, O_PATH | O_DIRECTORY);
	plan = make();
	ret = contents_unpack(slots, plan, find_op(plan, OP_UNPACK, 0));
	plan_free(plan);
	close(s.img.dir_fd);
	return ret;
}

/* What is not there is made, and goes again when nothing comes of the resume. */
static void test_unpacked(void)
{
	char dir[] = "/tmp/xckpt-unpack-XXXXXX", command[300];
	struct slots slots = { 0 };

	if (geteuid() || !mkdtemp(dir)) {
		ok(true, "packed files in folders of others # SKIP needs root");
		return;
	}
	snprintf(command, sizeof(command),
		 "cd %s && echo x >data && mkdir real && ln -s real other && chown -h 1000 other",
		 dir);
	ok(!system(command), "an image and folders are made");
	ok(!unpack(dir, "new/er/file", &slots) && is_there(dir, "new/er/file", 1000) &&
		   is_there(dir, "new/er", 1000),
	   "a packed file, and folders that its user can write to");
	ok(unpack(dir, "other/file", &slots) && !is_there(dir, "real/file", 1000),
	   "not by a link of others");
	ok(unpack(dir, "other/new/file", &slots) && !is_there(dir, "real/new", 1000),
	   "nor folders");
	slots_undo_unpacked(&slots);
	ok(!is_there(dir, "new", 1000), "all is undone");
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ok(!system(command), "and removed");
}

/* Signals are held until there is a program that they can be for. */
static void test_interrupted(void)
{
	const struct timespec now = { 0, 0 };
	int in = memfd_create("in", 0), out = memfd_create("out", 0);
	sigset_t set;

	if (write(in, "x", 1) != 1)
		abort();
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGINT);
	ok(contents_copy_sparse(in, out, 1) && errno == EINTR, "what is copied is not copied on");
	sigtimedwait(&set, NULL, &now);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	ok(!contents_copy_sparse(in, out, 1), "without a signal it is");
	close(in);
	close(out);
}

static void test_thread_pidfd(void)
{
	struct slots slots = { 0 };
	struct plan_op op = { .kind = OP_PIDFD, .arg = { 63, (uint64_t)getpid(), X86_O_EXCL } };
	int fd = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL);

	if (fd < 0) {
		ok(true, "a pidfd of a thread # SKIP since Linux 6.9");
		return;
	}
	close(fd);
	ok(!event_place(&slots, &op) && fcntl(63, F_GETFL) & O_EXCL, "a pidfd of a thread is one");
	op.arg[2] = 0;
	ok(!event_place(&slots, &op) && !(fcntl(63, F_GETFL) & O_EXCL), "one of a process is not");
	close(63);
}

static void test_settings(void)
{
	struct open_file *f;
	struct plan *plan;

	begin();
	f = file(FILE_DEVICE, "/dev/null", 4);
	f->mode = S_IFCHR | 0666;
	f->rdev = 0x103;
	file(FILE_REGULAR, "/proc/pressure/memory", 5)->flags = X86_O_RDONLY;
	plan = make();
	ok(!plan->nr_issues, "/dev/null and what is only read has no settings");
	plan_free(plan);
	f->path = "/dev/snd/timer";
	f->rdev = 0x7421;
	s.files[1].flags = X86_O_RDWR;
	plan = make();
	ok(has_issue(plan, "fd 4 (/dev/snd/timer) is opened anew"), "other devices may have some");
	ok(has_issue(plan, "fd 5 (/proc/pressure/memory) does not tell of pressure any more"),
	   "and who waits for pressure has");
	plan_free(plan);
	s.files[1].path = "/sys/fs/cgroup/job/memory.pressure";
	plan = make();
	ok(has_issue(plan, "memory.pressure) does not tell of pressure"), "of a cgroup, too");
	plan_free(plan);
}

static void test_pipe_owner(void)
{
	struct slots slots = { 0 };
	const struct plan_op *op;
	struct open_file *w;
	struct plan *plan;
	struct stat st = { 0 };

	begin();
	w = file(FILE_PIPE, "pipe:[5]", 4);
	w->inside = true;
	w->flags = X86_O_WRONLY;
	w->uid = 1000;
	w->gid = 1001;
	plan = make();
	op = find_op(plan, OP_PIPE, 0);
	if (geteuid()) {
		ok(true, "a pipe's owner # SKIP needs root");
	} else if (ok(!slots_open(&slots, plan, AT_FDCWD), "a pipe is made")) {
		fstat(slots.fd[op->arg[1]], &st);
		ok(st.st_uid == 1000 && st.st_gid == 1001, "it is its user's, who can open it");
		slots_close(&slots);
	}
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

static void test_maps(void)
{
	static const struct path_map maps[] = { { "/srv", "/mnt/a/" }, { "/srv/deep", "/b" } };
	struct plan *plan;

	begin();
	s.host.maps = maps;
	s.host.nr_maps = 2;
	plan = make();
	ok(!strcmp(plan_path(plan, "/srv/data"), "/mnt/a/data"), "a folder is elsewhere");
	ok(!strcmp(plan_path(plan, "/srv/deep/x"), "/b/x"), "a deeper one somewhere else");
	ok(!strcmp(plan_path(plan, "/srv/deeper"), "/mnt/a/deeper"), "only whole names count");
	ok(!strcmp(plan_path(plan, "/usr/srv"), "/usr/srv"), "from the beginning");
	ok(!strcmp(plan_path(plan, "/srv"), "/mnt/a"), "the folder itself");
	plan_free(plan);
}

int main(void)
{
	test_changed();
	test_directory();
	test_packed();
	test_of_process();
	test_dirty();
	test_root();
	test_nameless();
	test_events();
	test_timers();
	test_signalfds();
	test_locks();
	test_replaced();
	test_settings();
	test_thread_pidfd();
	test_interrupted();
	test_links();
	test_unpacked();
	test_pipe_owner();
	test_packets();
	test_maps();
	return tap_end();
}
