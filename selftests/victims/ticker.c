// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ticker FILE [OPTION]...: runs until it is killed and writes how far it counted
 * to the start of FILE, so that anybody sees whether it runs. What it is to be
 * hard for a dump with:
 *   mib=N     holds N MiB of dirty memory
 *   socket    has one end of a socket pair, as descriptor 10
 *   child     has a child that ticks too, into FILE.child
 *   tables    has a child that shares descriptors and working directory
 *   packets   has a pipe with a stream and a packet in it
 *   unread    watches FILE by inotify, and does not read what happens to it
 *   slave     has the master of a pseudo-terminal whose slave a process outside has
 *   typed     has both sides of one, with a line that was typed and not read
 *   held      has both sides of one whose output is held up
 *   pidfd     has its parent's pidfd
 *   sysv      has System V shared memory attached, a semaphore set and a queue
 *   undo      has a child that shares SEM_UNDO
 *   apart     has a child in another IPC namespace than its System V IPC
 *   mounts    has a child with a file system of its own at /mnt
 *   traced    has a child that it traces
 *   poll      waits by epoll for what is mounted to change
 *   aio       has asked for asynchronous I/O (io_setup)
 *   request   has asked an io_uring to tell when there is something to read
 *   registered  has an eventfd registered with one
 *   sqpoll    has one with a thread of the kernel's
 *   issuer    has one that only it may use
 *   ringfd    has registered the descriptor of one
 *   stuck     a second thread waits in vfork() for a process outside its tree
 *   blocked   sleeps for good in read(2) of an empty pipe, in a second thread
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

static _Noreturn void tick(const char *path)
{
	const struct timespec pause = { 0, 2000000 };
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char text[32];

	if (fd < 0)
		die(path);
	for (unsigned long n = 0;; n++) {
		int len = snprintf(text, sizeof(text), "%020lu\n", n);

		if (pwrite(fd, text, (size_t)len, 0) != len)
			die(path);
		nanosleep(&pause, NULL);
	}
}

static void hold_memory(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < size; i += 8)
		*(uint64_t *)(p + i) = work(i, 1);
}

static void hold_sockets(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || dup2(pair[0], 10) != 10)
		die("socketpair");
	close(pair[0]);
	close(pair[1]);
}

static void hold_packets(void)
{
	char stream[4096] = ""; /* a page is full: a packet is not put into it */
	int ends[2];

	if (pipe(ends) || write(ends[1], stream, sizeof(stream)) != sizeof(stream) ||
	    fcntl(ends[1], F_SETFL, O_DIRECT) || write(ends[1], "xy", 2) != 2)
		die("pipe");
}

static void hold_watch(const char *path)
{
	int fd = inotify_init1(0);

	close(open(path, O_RDWR | O_CREAT, 0644));
	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
		die("inotify");
}

static void hold_parent(void)
{
	if (syscall(SYS_pidfd_open, getppid(), 0) < 0)
		die("pidfd_open");
}

static void hold_sysv(void)
{
	struct {
		long type;
		char text[8];
	} message = { 1, "waiting" };
	struct sembuf up = { 0, 1, SEM_UNDO };
	int shm = shmget(IPC_PRIVATE, 4096, 0600), sem = semget(IPC_PRIVATE, 1, 0600);
	int msg = msgget(IPC_PRIVATE, 0600);

	if (shm < 0 || shmat(shm, NULL, 0) == (void *)-1 || sem < 0 || semop(sem, &up, 1) ||
	    msg < 0 || msgsnd(msg, &message, sizeof(message.text), 0))
		die("System V IPC");
}

static _Noreturn int sit_below(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static int have_child(int flags)
{
	static char stack[16384] __attribute__((aligned(16)));
	int pid = clone(sit_below, stack + sizeof(stack), flags | SIGCHLD, NULL);

	if (pid < 0)
		die("clone");
	return pid;
}

static void have_mounts(void)
{
	int ready[2];
	char c;

	if (pipe(ready))
		die("pipe");
	if (!fork()) {
		if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("none", "/mnt", "tmpfs", 0, NULL) || write(ready[1], "!", 1) != 1)
			die("mount");
		close(ready[0]);
		close(ready[1]);
		sit_below(NULL);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		die("mount");
	close(ready[0]);
}

static void trace_child(void)
{
	if (ptrace(PTRACE_SEIZE, have_child(0), NULL, NULL))
		die("ptrace");
}

static void poll_mounts(void)
{
	struct epoll_event event = { .events = EPOLLPRI };
	int fd = open("/proc/self/mountinfo", O_RDONLY), epoll = epoll_create1(0);

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll");
}

static void set_up_aio(void)
{
	static unsigned long context;

	if (syscall(SYS_io_setup, 8, &context))
		die("io_setup");
}

static int make_ring(unsigned int flags, struct io_uring_params *params)
{
	int fd;

	memset(params, 0, sizeof(*params));
	params->flags = flags;
	fd = (int)syscall(SYS_io_uring_setup, 1, params);
	if (fd < 0)
		die("io_uring_setup");
	return fd;
}

static void *map_ring(int fd, size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

/* The reading end of a pipe that nothing comes into. */
static void hold_request(void)
{
	struct io_uring_params params;
	int fd = make_ring(0, &params), ends[2];
	char *ring = map_ring(fd, params.sq_off.array + sizeof(int), IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqe = map_ring(fd, sizeof(*sqe), IORING_OFF_SQES);

	if (pipe(ends))
		die("pipe");
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = ends[0];
	sqe->poll32_events = POLLIN;
	++*(unsigned int *)(ring + params.sq_off.tail);
	if (syscall(SYS_io_uring_enter, fd, 1, 0, 0, NULL, 0) != 1)
		die("io_uring_enter");
}

static void hold_registered(unsigned int what)
{
	struct io_uring_params params;
	int fd = make_ring(0, &params), event = eventfd(0, 0);
	struct io_uring_rsrc_update update = { .offset = ~0u, .data = (unsigned int)fd };
	void *arg = what == IORING_REGISTER_EVENTFD ? (void *)&event : (void *)&update;

	if (syscall(SYS_io_uring_register, fd, what, arg, 1) < 0)
		die("io_uring_register");
}

static void hold_ring(unsigned int flags)
{
	struct io_uring_params params;

	make_ring(flags, &params);
}

static _Noreturn int sit(void *arg)
{
	/* dies with its group; it is this program's sibling, not its child */
	for (;;)
		pause();
}

static void *get_stuck(void *arg)
{
	static char stack[16384] __attribute__((aligned(16)));

	if (clone(sit, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_PARENT, NULL) < 0)
		die("clone");
	return NULL;
}

static void *get_blocked(void *arg)
{
	int pair[2];
	char c;

	if (pipe(pair) || read(pair[0], &c, 1) < 0)
		die("pipe");
	return NULL;
}

static int open_terminal(int *slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (master < 0 || unlockpt(master) ||
	    (*slave = open(ptsname(master), O_RDWR | O_NOCTTY)) < 0)
		die("posix_openpt");
	return master;
}

static void give_slave(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	int slave;

	open_terminal(&slave);
	if (clone(sit, stack + sizeof(stack), CLONE_PARENT | SIGCHLD, NULL) < 0)
		die("clone");
	close(slave);
}

static void type_line(void)
{
	int slave, master = open_terminal(&slave);

	if (write(master, "a line\n", 7) != 7)
		die("write");
}

static void hold_output(void)
{
	int slave;

	open_terminal(&slave);
	if (tcflow(slave, TCOOFF))
		die("tcflow");
}

static void start(void *(*fn)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, NULL))
		die("pthread_create");
}

int main(int argc, char **argv)
{
	char child[4096];

	if (argc < 2)
		return 2;
	for (int i = 2; i < argc; i++) {
		if (!strncmp(argv[i], "mib=", 4)) {
			hold_memory(strtoul(argv[i] + 4, NULL, 0) << 20);
		} else if (!strcmp(argv[i], "socket")) {
			hold_sockets();
		} else if (!strcmp(argv[i], "tables")) {
			have_child(CLONE_FILES | CLONE_FS);
		} else if (!strcmp(argv[i], "packets")) {
			hold_packets();
		} else if (!strcmp(argv[i], "unread")) {
			hold_watch(argv[1]);
		} else if (!strcmp(argv[i], "slave")) {
			give_slave();
		} else if (!strcmp(argv[i], "typed")) {
			type_line();
		} else if (!strcmp(argv[i], "held")) {
			hold_output();
		} else if (!strcmp(argv[i], "pidfd")) {
			hold_parent();
		} else if (!strcmp(argv[i], "sysv")) {
			hold_sysv();
		} else if (!strcmp(argv[i], "undo")) {
			hold_sysv();
			have_child(CLONE_SYSVSEM);
		} else if (!strcmp(argv[i], "apart")) {
			hold_sysv();
			have_child(CLONE_NEWIPC);
		} else if (!strcmp(argv[i], "mounts")) {
			have_mounts();
		} else if (!strcmp(argv[i], "traced")) {
			trace_child();
		} else if (!strcmp(argv[i], "aio")) {
			set_up_aio();
		} else if (!strcmp(argv[i], "request")) {
			hold_request();
		} else if (!strcmp(argv[i], "registered")) {
			hold_registered(IORING_REGISTER_EVENTFD);
		} else if (!strcmp(argv[i], "ringfd")) {
			hold_registered(IORING_REGISTER_RING_FDS);
		} else if (!strcmp(argv[i], "sqpoll")) {
			hold_ring(IORING_SETUP_SQPOLL);
		} else if (!strcmp(argv[i], "issuer")) {
			hold_ring(IORING_SETUP_SINGLE_ISSUER);
		} else if (!strcmp(argv[i], "poll")) {
			poll_mounts();
		} else if (!strcmp(argv[i], "child")) {
			snprintf(child, sizeof(child), "%s.child", argv[1]);
			if (!fork()) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				tick(child);
			}
		} else if (!strcmp(argv[i], "stuck")) {
			start(get_stuck);
		} else if (!strcmp(argv[i], "blocked")) {
			start(get_blocked);
		} else {
			return 2;
		}
	}
	tick(argv[1]);
}
