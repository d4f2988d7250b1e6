// SPDX-License-Identifier: GPL-2.0-or-later
/* A thread that waits in a system call does not notice that it was frozen. */
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "session.h"

#define FREEZES 40
#define LONG_S 3600 /* nothing here ends by itself */

static const struct timespec long_time = { .tv_sec = LONG_S };
static sigset_t some_signals;

static int empty_pipe(void)
{
	int fds[2];

	return pipe(fds) ? -1 : fds[0];
}

/* A listening socket; its time-out is what makes accept() return EINTR. */
static int listener(long timeout)
{
	struct timeval tv = { .tv_sec = timeout };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	/* an empty name: the kernel finds a free one */
	if (bind(fd, (struct sockaddr *)&name, sizeof(name.sun_family)) || listen(fd, 1) ||
	    (timeout && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv))))
		return -1;
	return fd;
}

static int quiet_socket(long timeout)
{
	struct timeval tv = { .tv_sec = timeout };
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) ||
	    (timeout && setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv))))
		return -1;
	return fds[0];
}

static long wait_epoll(int timeout, const sigset_t *mask)
{
	struct epoll_event event;

	return epoll_pwait(epoll_create1(0), &event, 1, timeout, mask);
}

static long in_epoll_wait(void)
{
	return wait_epoll(LONG_S * 1000, NULL);
}

static long in_epoll_wait_for_ever(void)
{
	return wait_epoll(-1, NULL);
}

static long in_epoll_pwait(void)
{
	return wait_epoll(LONG_S * 1000, &some_signals);
}

static long in_semtimedop(void)
{
	struct sembuf down = { .sem_op = -1 };
	int id = semget(IPC_PRIVATE, 1, 0600);

	return semtimedop(id, &down, 1, &long_time);
}

static long in_sigtimedwait(void)
{
	return sigtimedwait(&some_signals, NULL, &long_time);
}

static long in_accept(void)
{
	return accept(listener(0), NULL, NULL);
}

static long in_accept_with_timeout(void)
{
	return accept(listener(LONG_S), NULL, NULL);
}

static long in_recv(void)
{
	char c;

	return recv(quiet_socket(0), &c, 1, 0);
}

static long in_recv_with_timeout(void)
{
	char c;

	return recv(quiet_socket(LONG_S), &c, 1, 0);
}

static long in_io_getevents(void)
{
	struct timespec timeout = long_time;
	struct io_event event;
	aio_context_t ctx = 0;

	syscall(SYS_io_setup, 1, &ctx);
	return syscall(SYS_io_getevents, ctx, 1, 1, &event, &timeout);
}

static long in_nanosleep(void)
{
	return nanosleep(&long_time, NULL);
}

static long in_clock_nanosleep(void)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += LONG_S;
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

static long in_futex(void)
{
	static int word;

	return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
}

static long in_futex_with_timeout(void)
{
	static int word;

	return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &long_time);
}

static long in_poll(void)
{
	struct pollfd pfd = { empty_pipe(), POLLIN, 0 };

	return poll(&pfd, 1, LONG_S * 1000);
}

static long in_ppoll(void)
{
	struct pollfd pfd = { empty_pipe(), POLLIN, 0 };

	return ppoll(&pfd, 1, &long_time, &some_signals);
}

static long in_select(void)
{
	struct timeval timeout = { .tv_sec = LONG_S };
	int fd = empty_pipe();
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &timeout);
}

static long in_pipe_read(void)
{
	char c;

	return read(empty_pipe(), &c, 1);
}

static long in_full_pipe_write(void)
{
	static char page[65536];
	int fds[2];

	if (pipe(fds) || write(fds[1], page, sizeof(page)) != sizeof(page))
		return -2;
	return write(fds[1], page, 1);
}

static long in_msgrcv(void)
{
	struct {
		long type;
		char text[8];
	} message;

	return msgrcv(msgget(IPC_PRIVATE, 0600), &message, sizeof(message.text), 0, 0);
}

static long in_mq_timedreceive(void)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	mqd_t queue = mq_open("/xckpt-transparency", O_RDWR | O_CREAT, 0600, &attr);
	struct timespec end;
	char text[8];

	mq_unlink("/xckpt-transparency");
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += LONG_S;
	return mq_timedreceive(queue, text, sizeof(text), NULL, &end);
}

static long in_inotify_read(void)
{
	char event[512];

	return read(inotify_init1(0), event, sizeof(event));
}

static long in_eventfd_read(void)
{
	uint64_t value;

	return read(eventfd(0, 0), &value, sizeof(value));
}

static long in_timerfd_read(void)
{
	struct itimerspec in_an_hour = { .it_value = long_time };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t value;

	timerfd_settime(fd, 0, &in_an_hour, NULL);
	return read(fd, &value, sizeof(value));
}

static long in_pause(void)
{
	return pause();
}

static long in_sigsuspend(void)
{
	return sigsuspend(&some_signals);
}

static const struct call {
	const char *name;
	long (*wait)(void);
} calls[] = {
#define CALL(name)                                                                                 \
	{                                                                                          \
#name, in_##name                                                                   \
	}
	CALL(epoll_wait),
	CALL(epoll_wait_for_ever),
	CALL(epoll_pwait),
	CALL(semtimedop),
	CALL(sigtimedwait),
	CALL(accept),
	CALL(accept_with_timeout),
	CALL(recv),
	CALL(recv_with_timeout),
	CALL(io_getevents),
	CALL(nanosleep),
	CALL(clock_nanosleep),
	CALL(futex),
	CALL(futex_with_timeout),
	CALL(poll),
	CALL(ppoll),
	CALL(select),
	CALL(pipe_read),
	CALL(full_pipe_write),
	CALL(msgrcv),
	CALL(mq_timedreceive),
	CALL(inotify_read),
	CALL(eventfd_read),
	CALL(timerfd_read),
	CALL(pause),
	CALL(sigsuspend),
};
#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))

/* shared[0]: all threads are made; [1 + n]: call n returned, [64 + n]: its errno */
static void *wait_in(void *arg)
{
	size_t n = (size_t)arg;
	long ret = calls[n].wait();

	shared[64 + n] = ret < 0 ? (uint64_t)errno : 0;
	shared[1 + n]++;
	for (;;)
		pause();
	return NULL;
}

static void waiter(void)
{
	pthread_t thread;

	for (size_t n = 0; n < NR_CALLS; n++)
		if (pthread_create(&thread, NULL, wait_in, (void *)n))
			_exit(1);
	shared[0] = 1;
	for (;;)
		pause();
}

/* Sleeping, all of them: each is where it shall be frozen. */
static int all_asleep(pid_t pid)
{
	char path[64], line[256];
	unsigned int nr;
	int fd = session(), asleep = 1;
	struct xckpt_freeze f;

	ASSERT(!freeze(fd, pid, &f));
	nr = list_tasks(fd);
	thaw(fd);
	close(fd);
	nap_ms(20);
	for (unsigned int i = 0; i < nr && i < MAX_TASKS; i++) {
		FILE *stat;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tasks[i].tid);
		stat = fopen(path, "r");
		asleep &= stat && fgets(line, sizeof(line), stat) && strstr(line, ") S ");
		if (stat)
			fclose(stat);
	}
	return asleep && nr == NR_CALLS + 1;
}

TEST(no_call_ends_because_of_a_freeze)
{
	struct xckpt_freeze f;
	int fd = session(), asleep = 0;
	pid_t pid;

	share_counters();
	sigemptyset(&some_signals);
	sigaddset(&some_signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &some_signals, NULL);
	pid = target(waiter);
	for (int i = 0; i < 3000 && !asleep; i++)
		asleep = all_asleep(pid);
	ASSERT(asleep);
	for (int i = 0; i < FREEZES; i++) {
		ASSERT(!freeze(fd, pid, &f));
		ASSERT(f.out_nr_threads == NR_CALLS + 1);
		ASSERT(!thaw(fd));
		nap_ms(i % 5);
	}
	nap_ms(200);
	for (size_t n = 0; n < NR_CALLS; n++) {
		if (shared[1 + n])
			printf("# %s returned, errno %d\n", calls[n].name, (int)shared[64 + n]);
		EXPECT(!shared[1 + n]);
	}
}
