// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nameless [LINES]: files that no path leads to: removed files and folders, memfds
 * with their seals; shared memory by a name (shm_open(3), sem_open(3)); a path that
 * is only a path (O_PATH); a working directory that was removed, and is open.
 */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define HOLE (3l << 30) /* bytes before the end of a file that is nearly all hole */
#define NAME "/xckpt-nameless"

#define SOMEBODY 1234 /* as root: whose they are */

static struct {
	int removed, again, empty, never, mapped, folder, sealed, future, partly, shm, path, link,
		temporary;
	int script, closed;
} fd;
static char *future, *named, *middle, *own, *page;
static sem_t *sem;
static struct stat shm_stat;

static int got(int n, const char *what)
{
	if (n < 0)
		die(what);
	return n;
}

static void put(int n, const char *text, off_t at)
{
	if (pwrite(n, text, strlen(text), at) != (ssize_t)strlen(text))
		die("pwrite");
}

static int has(int n, const char *text, off_t at)
{
	char buf[64] = "";

	return pread(n, buf, strlen(text), at) == (ssize_t)strlen(text) && !strcmp(buf, text);
}

static char *map_as(int n, int prot, int sharing, off_t at)
{
	void *p = mmap(NULL, 4096, prot, sharing, n, at);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static char *map(int n, int prot, off_t at)
{
	return map_as(n, prot, MAP_SHARED, at);
}

static void make_files(void)
{
	fd.removed = got(open("removed", O_RDWR | O_CREAT, 0640), "removed");
	fd.again = got(open("removed", O_RDONLY | O_CLOEXEC), "removed");
	put(fd.removed, "the beginning", 0);
	put(fd.removed, "the end", HOLE);
	lseek(fd.removed, 4, SEEK_SET);
	unlink("removed");
	fd.empty = got(open("empty", O_RDWR | O_CREAT | O_APPEND, 0600), "empty");
	unlink("empty");
	fd.never = got(open("never", O_RDWR | O_CREAT, 0600), "never");
	unlink("never");
	fd.mapped = got(open("mapped", O_RDWR | O_CREAT, 0640), "mapped");
	put(fd.mapped, "a page", 0);
	if (ftruncate(fd.mapped, 4096))
		die("mapped");
	unlink("mapped");
	page = map(fd.mapped, PROT_READ | PROT_WRITE, 0);
	fd.temporary = got(open(".", O_TMPFILE | O_RDWR, 0644), "O_TMPFILE");
	put(fd.temporary, "temporary", 0);
	if (mkdir("folder", 0751))
		die("folder");
	fd.folder = got(open("folder", O_RDONLY | O_DIRECTORY), "folder");
	rmdir("folder");
	if (!geteuid() && (fchown(fd.never, SOMEBODY, SOMEBODY + 1) ||
			   fchown(fd.mapped, SOMEBODY, SOMEBODY + 1) ||
			   fchown(fd.folder, SOMEBODY, SOMEBODY + 1)))
		die("fchown");
	if (symlink("nameless", "link") && errno != EEXIST)
		die("link");
	fd.path = got(open(".", O_PATH), ".");
	fd.link = got(open("link", O_PATH | O_NOFOLLOW | O_CLOEXEC), "link");
}

static void make_memory(void)
{
	fd.sealed = got(memfd_create("a name", MFD_ALLOW_SEALING | MFD_CLOEXEC), "memfd_create");
	put(fd.sealed, "sealed", 5000);
	got(fcntl(fd.sealed, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL), "seals");
	fd.future = got(memfd_create("future", MFD_ALLOW_SEALING), "memfd_create");
	if (ftruncate(fd.future, 4096))
		die("ftruncate");
	future = map(fd.future, PROT_READ | PROT_WRITE, 0);
	got(fcntl(fd.future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW), "seals");
	fd.partly = got(memfd_create("partly", 0), "memfd_create");
	put(fd.partly, "before", 0);
	put(fd.partly, "in the middle", 4096);
	put(fd.partly, "behind", 12000);
	middle = map(fd.partly, PROT_READ | PROT_WRITE, 4096);
	own = map_as(fd.partly, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	fd.script = got(memfd_create("script", 0), "memfd_create");
	put(fd.script, "#!/bin/true\n", 0);
	if (fchmod(fd.script, 0755))
		die("script");
	fd.closed = got(memfd_create("", 0), "memfd_create");
	if (fchmod(fd.closed, 0))
		die("memfd without a name");
	fd.shm = got(shm_open(NAME, O_RDWR | O_CREAT, 0600), "shm_open");
	if (ftruncate(fd.shm, 4096) || fstat(fd.shm, &shm_stat))
		die("shm_open");
	named = map(fd.shm, PROT_READ | PROT_WRITE, 0);
	close(fd.shm);
	sem_unlink(NAME);
	sem = sem_open(NAME, O_CREAT, 0600, 3);
	if (sem == SEM_FAILED)
		die("sem_open");
}

static int seals(int n)
{
	return fcntl(n, F_GET_SEALS);
}

static int is_kept(int n, unsigned int mode)
{
	struct stat st;

	return !fstat(n, &st) && (st.st_mode & 07777) == mode &&
	       (geteuid() || (st.st_uid == SOMEBODY && st.st_gid == SOMEBODY + 1));
}

static int is_called(int n, const char *name)
{
	char path[32], found[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", n);
	return readlink(path, found, sizeof(found) - 1) > 0 && !strcmp(found, name);
}

static void check_owners(void)
{
	struct statfs here, there;

	check(is_kept(fd.never, 0600), "one that is empty has its owner");
	check(is_kept(fd.mapped, 0640), "one that is mapped, too");
	check(is_kept(fd.folder, 0751), "and a folder");
	strcpy(page, "a word");
	check(has(fd.mapped, "a word", 0), "what is mapped is the file");
	check(!statfs(".", &here) && !fstatfs(fd.mapped, &there) && here.f_type == there.f_type,
	      "on the disk that it was on");
}

static void check_names(void)
{
	struct stat st;

	check(!fstat(fd.closed, &st) && !(st.st_mode & 07777), "what is nobody's to open stays so");
	check(is_called(fd.closed, "/memfd: (deleted)"), "without a name");
	check(is_called(fd.sealed, "/memfd:a name (deleted)"), "or with its name");
}

static void check_files(unsigned int lines)
{
	char buf[16] = "", line[32];
	struct stat st, other;

	check(read(fd.removed, buf, 9) == 9 && !strcmp(buf, "beginning"), "a position is kept");
	check(has(fd.again, "the end", HOLE) && !fstat(fd.again, &st) && st.st_size == HOLE + 7,
	      "a removed file has its contents");
	check(st.st_blocks * 512 < 1 << 20 && !st.st_nlink && (st.st_mode & 0777) == 0640,
	      "and its holes");
	check(!fstat(fd.removed, &other) && other.st_ino == st.st_ino, "it is one");
	snprintf(line, sizeof(line), "line %u\n", lines - 1);
	check(!fstat(fd.empty, &st) && has(fd.empty, line, st.st_size - (off_t)strlen(line)),
	      "one that was written to is complete");
	check(has(fd.temporary, "temporary", 0), "one that never had a name, too");
	snprintf(line, sizeof(line), "/proc/self/fd/%d", fd.temporary);
	check(!linkat(AT_FDCWD, line, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW) &&
		      !fstat(fd.temporary, &st) && st.st_nlink == 1,
	      "and may be given one");
	check(!linkat(fd.path, "linked", AT_FDCWD, "again", 0) &&
		      !renameat(AT_FDCWD, "again", fd.path, "linked-again"),
	      "as may what is in a folder that is open");
	snprintf(line, sizeof(line), "line %u\n", lines - 1);
	check(!fstat(fd.folder, &st) && S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0751,
	      "a removed folder is a folder");
	check(openat(fd.folder, "x", O_CREAT | O_RDWR, 0600) == -1 && errno == ENOENT,
	      "that nothing can be put into");
	check((fcntl(fd.path, F_GETFL) & O_PATH) &&
		      !faccessat(fd.path, "link", F_OK, AT_SYMLINK_NOFOLLOW),
	      "a path is a path");
	check(readlinkat(fd.link, "", line, sizeof(line)) == 8 && !memcmp(line, "nameless", 8),
	      "to a link, too");
}

/* A file that is open for writing cannot be, unless it is as memfd_create() gave it. */
static int can_execute(int n)
{
	char *const argv[] = { "script", NULL };
	int status;
	pid_t pid = fork();

	if (!pid) {
		fexecve(n, argv, environ);
		_exit(99);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

static void check_memory(unsigned int lines)
{
	struct stat st;
	int n, value;
	sem_t *same;

	check(seals(fd.sealed) == (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL) &&
		      has(fd.sealed, "sealed", 5000) && pwrite(fd.sealed, "x", 1, 0) == -1,
	      "a memfd is sealed");
	check((seals(fd.future) & (F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SEAL)) ==
			      (F_SEAL_FUTURE_WRITE | F_SEAL_GROW) &&
		      pwrite(fd.future, "x", 1, 0) == -1,
	      "for what is to come");
	strcpy(future, "written");
	check(has(fd.future, "written", 0), "and written where it is mapped");
	check(has(fd.partly, "before", 0) && has(fd.partly, "behind", 12000) &&
		      !strcmp(middle, "in the middle"),
	      "one that is mapped in part is complete");
	strcpy(middle, "THE");
	check(has(fd.partly, "THE", 4096), "and the same as its mapping");
	put(fd.partly, "BEFORE", 0);
	check(!strcmp(own, "BEFORE"), "which one that is private and was not written to is, too");
	check(can_execute(fd.script),
	      "one that nobody has opened to be written to can be executed");
	n = got(shm_open(NAME, O_RDWR, 0), "shm_open");
	check(((unsigned int *)named)[1] == lines - 1 && !fstat(n, &st) && st.st_size == 4096,
	      "shared memory by its name");
	strcpy(named + 100, "seen by all");
	check(has(n, "seen by all", 100), "is shared");
	check(!sem_getvalue(sem, &value) && value == 3, "a semaphore by its name");
	same = sem_open(NAME, 0);
	check(same != SEM_FAILED && !sem_post(same) && !sem_getvalue(sem, &value) && value == 4,
	      "for who opens it then");
	shm_unlink(NAME);
	sem_unlink(NAME);
}

/* Another process has to see what this one writes, and the other way round. */
static void turn(unsigned int i, int ask, int answer)
{
	char line[32];

	snprintf(line, sizeof(line), "line %u\n", i);
	if (write(fd.empty, line, strlen(line)) < 0)
		die("empty");
	((unsigned int *)named)[0] = i;
	if (write(ask, "?", 1) != 1 || read(answer, line, 1) != 1)
		die("the other process");
	expect(((unsigned int *)named)[1] == i, "the other process has seen it");
	expect(line[0] == '!', "and is in a directory that was removed");
}

static _Noreturn void other(int ask, int answer)
{
	char c, path[4096];
	struct stat here, there;
	int place;

	if (mkdir("place", 0755) || chdir("place") || rmdir("../place"))
		die("place");
	place = got(open(".", O_RDONLY | O_DIRECTORY), "place");
	while (read(ask, &c, 1) == 1) {
		((volatile unsigned int *)named)[1] = ((volatile unsigned int *)named)[0];
		errno = 0;
		c = !getcwd(path, sizeof(path)) && errno == ENOENT && !access(".", X_OK) &&
				    !stat(".", &here) && !fstat(place, &there) &&
				    here.st_dev == there.st_dev && here.st_ino == there.st_ino
			    ? '!'
			    : '?';
		if (write(answer, &c, 1) != 1)
			break;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 40);
	int ask[2], answer[2];
	uint64_t seed = 1;

	make_files();
	make_memory();
	if (pipe(ask) || pipe(answer))
		die("pipe");
	if (!fork()) {
		close(ask[1]);
		other(ask[0], answer[1]);
	}
	close(ask[0]);
	for (unsigned int i = 0; i < lines; i++) {
		turn(i, ask[1], answer[0]);
		seed = work(seed, STEP);
		say("line %u: %016llx", i, (unsigned long long)seed);
	}
	close(ask[1]);
	wait(NULL);
	check_files(lines);
	check_owners();
	check_names();
	check_memory(lines);
	return failures != 0;
}
