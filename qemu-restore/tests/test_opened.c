// SPDX-License-Identifier: GPL-2.0-or-later
/* What the launcher opens and makes: for whom, by which links, and until when. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "files_synth.h"
#include "launch_slots.h"

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

int main(void)
{
	test_thread_pidfd();
	test_interrupted();
	test_links();
	test_unpacked();
	test_pipe_owner();
	return tap_end();
}
