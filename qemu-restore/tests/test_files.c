// SPDX-License-Identifier: GPL-2.0-or-later
/* What becomes of files with paths: changed, packed and elsewhere. */
#include <sys/stat.h>

#include "files_synth.h"

static const struct plan_op *find_nr(const struct plan *plan, uint32_t nr)
{
	const struct plan_op *op = find_op(plan, OP_SYSCALL, 0);

	while (op && op->nr != nr)
		op = find_op(plan, OP_SYSCALL, op - plan->ops + 1);
	return op;
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
	test_replaced();
	test_settings();
	test_maps();
	return tap_end();
}
