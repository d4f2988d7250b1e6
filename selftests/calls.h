/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls that wait, each by itself in a thread. */
#ifndef CALLS_H
#define CALLS_H

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
#include <sys/uio.h>
#include <sys/un.h>

#include "session.h"

/* How long they wait, those that have a time-out. */
static struct timespec call_time = { .tv_sec = 3600 };
static sigset_t some_signals; /* that nobody sends, blocked */

static inline int empty_pipe(void)
{
	int fds[2];

	return pipe(fds) ? -1 : fds[0];
}

/* A listening socket; its time-out is what makes accept() return EINTR. */
static inline int listener(long timeout)
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

static inline int quiet_socket(long timeout)
{
	struct timeval tv = { .tv_sec = timeout };
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) ||
	    (timeout && setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv))))
		return -1;
	return fds[0];
}

static inline long in_epoll_wait(void)
{
	struct epoll_event event;

	return epoll_wait(epoll_create1(0), &event, 1, (int)call_time.tv_sec * 1000);
}

static inline long in_epoll_wait_for_ever(void)
{
	struct epoll_event event;

	return epoll_wait(epoll_create1(0), &event, 1, -1);
}

static inline long in_epoll_pwait(void)
{
	struct epoll_event event;

	return epoll_pwait(epoll_create1(0), &event, 1, (int)call_time.tv_sec * 1000,
			   &some_signals);
}

static inline long in_semtimedop(void)
{
	struct sembuf down = { .sem_op = -1 };
	int id = semget(IPC_PRIVATE, 1, 0600);

	return semtimedop(id, &down, 1, &call_time);
}

static inline long in_sigtimedwait(void)
{
	return sigtimedwait(&some_signals, NULL, &call_time);
}

static inline long in_accept(void)
{
	return accept(listener(0), NULL, NULL);
}

static inline long in_accept_with_timeout(void)
{
	return accept(listener(call_time.tv_sec), NULL, NULL);
}

static inline long in_recv(void)
{
	char c;

	return recv(quiet_socket(0), &c, 1, 0);
}

static inline long in_recv_with_timeout(void)
{
	char c;

	return recv(quiet_socket(call_time.tv_sec), &c, 1, 0);
}

static inline long in_readv_with_timeout(void)
{
	char c;
	struct iovec iov = { &c, 1 };

	return readv(quiet_socket(call_time.tv_sec), &iov, 1);
}

static inline long in_recvmmsg_with_timeout(void)
{
	char c;
	struct iovec iov = { &c, 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

	return recvmmsg(quiet_socket(call_time.tv_sec), &message, 1, 0, NULL);
}

static inline long in_write_with_timeout(void)
{
	static const char page[4096];
	struct timeval tv = { .tv_sec = call_time.tv_sec };
	int fd = quiet_socket(0);

	while (send(fd, page, sizeof(page), MSG_DONTWAIT) > 0)
		;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)))
		return -1;
	return write(fd, page, sizeof(page));
}

static inline long in_io_getevents(void)
{
	struct timespec timeout = call_time;
	struct io_event event;
	aio_context_t ctx = 0;

	syscall(SYS_io_setup, 1, &ctx);
	return syscall(SYS_io_getevents, ctx, 1, 1, &event, &timeout);
}

static inline long in_nanosleep(void)
{
	return nanosleep(&call_time, NULL);
}

static inline long in_clock_nanosleep(void)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += call_time.tv_sec;
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

static inline long in_futex(void)
{
	static int word;

	return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
}

static inline long in_futex_with_timeout(void)
{
	static int word;

	return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &call_time);
}

static inline long in_poll(void)
{
	struct pollfd pfd = { empty_pipe(), POLLIN, 0 };

	return poll(&pfd, 1, (int)call_time.tv_sec * 1000);
}

static inline long in_ppoll(void)
{
	struct pollfd pfd = { empty_pipe(), POLLIN, 0 };

	return ppoll(&pfd, 1, &call_time, &some_signals);
}

static inline long in_select(void)
{
	struct timeval timeout = { .tv_sec = call_time.tv_sec };
	int fd = empty_pipe();
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &timeout);
}

static inline long in_pipe_read(void)
{
	char c;

	return read(empty_pipe(), &c, 1);
}

static inline long in_full_pipe_write(void)
{
	static char page[65536];
	int fds[2];

	if (pipe(fds) || write(fds[1], page, sizeof(page)) != sizeof(page))
		return -2;
	return write(fds[1], page, 1);
}

static inline long in_msgrcv(void)
{
	struct {
		long type;
		char text[8];
	} message;

	return msgrcv(msgget(IPC_PRIVATE, 0600), &message, sizeof(message.text), 0, 0);
}

static inline long in_mq_timedreceive(void)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	mqd_t queue = mq_open("/xckpt-transparency", O_RDWR | O_CREAT, 0600, &attr);
	struct timespec end;
	char text[8];

	mq_unlink("/xckpt-transparency");
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += call_time.tv_sec;
	return mq_timedreceive(queue, text, sizeof(text), NULL, &end);
}

static inline long in_inotify_read(void)
{
	char event[512];

	return read(inotify_init1(0), event, sizeof(event));
}

static inline long in_eventfd_read(void)
{
	uint64_t value;

	return read(eventfd(0, 0), &value, sizeof(value));
}

static inline long in_timerfd_read(void)
{
	struct itimerspec later = { .it_value = call_time };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t value;

	timerfd_settime(fd, 0, &later, NULL);
	return read(fd, &value, sizeof(value));
}

static inline long in_pause(void)
{
	return pause();
}

static inline long in_sigsuspend(void)
{
	return sigsuspend(&some_signals);
}

/* What becomes of a time-out when a freeze wakes the call, which is made again. */
enum timeout {
	TIMEOUT_NONE,
	TIMEOUT_STARTS_OVER,
	TIMEOUT_ALWAYS_STARTS_OVER, /* it may have done a part: no mode leaves it asleep */
	TIMEOUT_STAYS
};

static const struct call {
	const char *name;
	long (*wait)(void);
	enum timeout timeout;
} calls[] = {
#define CALL(name, timeout)                                                                        \
	{                                                                                          \
#name, in_##name, TIMEOUT_##timeout                                                \
	}
	CALL(epoll_wait, STARTS_OVER),
	CALL(epoll_wait_for_ever, NONE),
	CALL(epoll_pwait, STARTS_OVER),
	CALL(semtimedop, STARTS_OVER),
	CALL(sigtimedwait, STARTS_OVER),
	CALL(accept, NONE),
	CALL(accept_with_timeout, STARTS_OVER),
	CALL(recv, NONE),
	CALL(recv_with_timeout, STARTS_OVER),
	CALL(readv_with_timeout, STARTS_OVER),
	CALL(recvmmsg_with_timeout, STARTS_OVER),
	CALL(write_with_timeout, ALWAYS_STARTS_OVER),
	CALL(io_getevents, STARTS_OVER),
	CALL(nanosleep, STAYS),
	CALL(clock_nanosleep, STAYS),
	CALL(futex, NONE),
	CALL(futex_with_timeout, STAYS),
	CALL(poll, STAYS),
	CALL(ppoll, STAYS),
	CALL(select, STAYS),
	CALL(pipe_read, NONE),
	CALL(full_pipe_write, NONE),
	CALL(msgrcv, NONE),
	CALL(mq_timedreceive, STAYS),
	CALL(inotify_read, NONE),
	CALL(eventfd_read, NONE),
	CALL(timerfd_read, STAYS),
	CALL(pause, NONE),
	CALL(sigsuspend, NONE),
};
#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))

/*
 * shared[0]: all threads are made. Of call n [100 + n]: how often it returned,
 * [200 + n]: what, [300 + n]: after how many ns, [400 + n]: its thread's tid.
 */
#define CALL_RETURNS 100
#define CALL_RESULT 200
#define CALL_NS 300
#define CALL_TID 400

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void *wait_in(void *arg)
{
	size_t n = (size_t)arg;
	uint64_t start = now_ns();
	long ret;

	shared[CALL_TID + n] = (uint64_t)gettid();
	ret = calls[n].wait();
	shared[CALL_NS + n] = now_ns() - start;
	shared[CALL_RESULT + n] = ret < 0 ? (uint64_t)errno : 0;
	shared[CALL_RETURNS + n]++;
	return pausing_thread(NULL);
}

/* A process in all of them at once. */
static inline void waiter(void)
{
	for (size_t n = 0; n < NR_CALLS; n++)
		in_thread(wait_in, (long)n);
	shared[0] = 1;
	pausing_thread(NULL);
}

/* Each of them is where it shall be frozen. */
static inline void calls_asleep(void)
{
	for (size_t n = 0; n < NR_CALLS; n++) {
		EXPECT(reaches(CALL_TID + (int)n, 1));
		EXPECT(reaches_state((pid_t)shared[CALL_TID + n], 'S'));
	}
}

static inline void block_some_signals(void)
{
	sigemptyset(&some_signals);
	sigaddset(&some_signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &some_signals, NULL);
}

#endif
