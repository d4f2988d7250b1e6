// SPDX-License-Identifier: GPL-2.0-or-later
/* A transfer that waits half-way, or gives all it is asked for, is not cut short by a freeze. Root,
 * module loaded. */
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "session.h"

#define SIZE (1ul << 20)
#define IDLE_FREEZES 200 /* before the other side moves anything */
#define PIECE 3000 /* what the other side moves after each freeze */
#define PARTS 16

static unsigned char buffer[16][SIZE]; /* one for each transfer */
static int ends[16][2]; /* the target's and the other side's */

static unsigned char content(int n, size_t at)
{
	return (unsigned char)(at * 7 + (at >> 8) * 13 + (size_t)n * 31);
}

static struct iovec *parts_of(int n)
{
	static struct iovec iov[16][PARTS];

	for (int i = 0; i < PARTS; i++)
		iov[n][i] = (struct iovec){ buffer[n] + SIZE / PARTS * (size_t)i, SIZE / PARTS };
	return iov[n];
}

static ssize_t with_write(int n)
{
	return write(ends[n][0], buffer[n], SIZE);
}

static ssize_t with_writev(int n)
{
	return writev(ends[n][0], parts_of(n), PARTS);
}

static ssize_t with_pwritev2(int n)
{
	return pwritev2(ends[n][0], parts_of(n), PARTS, -1, 0);
}

/* What is in the buffer as a file. */
static ssize_t with_sendfile(int n)
{
	int fd = memfd_create("source", 0);

	if (fd < 0 || write(fd, buffer[n], SIZE) != (ssize_t)SIZE || lseek(fd, 0, SEEK_SET))
		return -1;
	return sendfile(ends[n][0], fd, NULL, SIZE);
}

static ssize_t with_send(int n)
{
	return send(ends[n][0], buffer[n], SIZE, 0);
}

static ssize_t with_sendmsg(int n)
{
	struct msghdr msg = { .msg_iov = parts_of(n), .msg_iovlen = PARTS };

	return sendmsg(ends[n][0], &msg, 0);
}

static ssize_t with_recv(int n)
{
	return recv(ends[n][0], buffer[n], SIZE, MSG_WAITALL);
}

static ssize_t with_recvmsg(int n)
{
	struct msghdr msg = { .msg_iov = parts_of(n), .msg_iovlen = PARTS };

	return recvmsg(ends[n][0], &msg, MSG_WAITALL);
}

static const struct transfer {
	const char *name;
	ssize_t (*move)(int n);
	int is_pipe;
	int receives;
} transfers[] = {
	{ "write to a pipe", with_write, 1, 0 },
	{ "writev to a pipe", with_writev, 1, 0 },
	{ "pwritev2 to a pipe", with_pwritev2, 1, 0 },
	{ "write to a socket", with_write, 0, 0 },
	{ "writev to a socket", with_writev, 0, 0 },
	{ "pwritev2 to a socket", with_pwritev2, 0, 0 },
	{ "sendfile to a socket", with_sendfile, 0, 0 },
	{ "send", with_send, 0, 0 },
	{ "sendmsg", with_sendmsg, 0, 0 },
	{ "recv with MSG_WAITALL", with_recv, 0, 1 },
	{ "recvmsg with MSG_WAITALL", with_recvmsg, 0, 1 },
};
#define NR_TRANSFERS ((int)(sizeof(transfers) / sizeof(transfers[0])))

/* shared[8 + n]: done, [24 + n]: result, [40 + n]: bytes that are wrong */
static void *transfer_thread(void *arg)
{
	int n = (int)(long)arg;
	ssize_t ret = transfers[n].move(n);

	shared[24 + n] = (uint64_t)(ret < 0 ? -errno : ret);
	for (size_t at = 0; transfers[n].receives && at < SIZE; at++)
		shared[40 + n] += buffer[n][at] != content(n, at);
	shared[8 + n] = 1;
	return pausing_thread(NULL);
}

static void start_transfers(void)
{
	for (long n = 0; n < NR_TRANSFERS; n++)
		in_thread(transfer_thread, n);
	in_thread(napping_thread, 0);
	pausing_thread(NULL);
}

/* Moves up to @piece bytes at the other side of @n; 0 when all are through. */
static int move_piece(int n, size_t *at, size_t piece)
{
	struct pollfd ready = { ends[n][1], transfers[n].receives ? POLLOUT : POLLIN, 0 };
	unsigned char buf[PIECE];
	size_t len = SIZE - *at < piece ? SIZE - *at : piece;
	ssize_t got;

	if (!len)
		return 0;
	if (poll(&ready, 1, 10000) != 1) {
		printf("# %s: nothing moves after %zu bytes\n", transfers[n].name, *at);
		*at = SIZE;
		return 0;
	}
	if (transfers[n].receives) {
		for (size_t i = 0; i < len; i++)
			buf[i] = content(n, *at + i);
		got = write(ends[n][1], buf, len);
	} else {
		got = read(ends[n][1], buf, len);
		for (ssize_t i = 0; i < got; i++)
			shared[40 + n] += buf[i] != content(n, *at + (size_t)i);
	}
	if (got <= 0)
		return 0;
	*at += (size_t)got;
	return 1;
}

static void open_ends(void)
{
	for (int n = 0; n < NR_TRANSFERS; n++) {
		for (size_t at = 0; at < SIZE; at++)
			buffer[n][at] = transfers[n].receives ? 0 : content(n, at);
		if (transfers[n].is_pipe) {
			int fds[2];

			ASSERT(!pipe(fds));
			ends[n][0] = fds[1];
			ends[n][1] = fds[0];
		} else {
			ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends[n]));
		}
	}
}

static pid_t start_target(void)
{
	pid_t pid;

	open_ends();
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		alarm(0);
		for (int n = 0; n < NR_TRANSFERS; n++)
			close(ends[n][1]);
		start_transfers();
	}
	for (int n = 0; n < NR_TRANSFERS; n++)
		close(ends[n][0]);
	EXPECT(moves(0, 1));
	return pid;
}

static void freeze_during_transfers(uint32_t mode)
{
	size_t at[16] = { 0 };
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	int fd, busy = 1;
	pid_t pid;

	share_counters();
	pid = start_target();
	fd = session();
	for (int i = 0; i < IDLE_FREEZES; i++) {
		ASSERT(!freeze_mode(fd, pid, &f, mode));
		ASSERT(!thaw(fd));
	}
	for (int i = 0; busy; i++) {
		ASSERT(!freeze_mode(fd, pid, &f, mode));
		if (i % 16 == 3)
			ASSERT(!snapshot(fd, 0, &s));
		ASSERT(!thaw(fd));
		busy = 0;
		for (int n = 0; n < NR_TRANSFERS; n++)
			busy |= move_piece(n, &at[n], PIECE - (size_t)(i % 7) * 100);
	}
	for (int n = 0; n < NR_TRANSFERS; n++) {
		if (!(EXPECT(reaches(8 + n, 1)) & EXPECT(shared[24 + n] == SIZE) &
		      EXPECT(!shared[40 + n])))
			printf("# %s: returned %lld, %llu bytes wrong\n", transfers[n].name,
			       (long long)shared[24 + n], (unsigned long long)shared[40 + n]);
	}
}

TEST(no_transfer_is_cut_short_in_auto_mode)
{
	freeze_during_transfers(XCKPT_MODE_AUTO);
}

TEST(no_transfer_is_cut_short_in_soft_mode)
{
	freeze_during_transfers(XCKPT_MODE_SOFT);
}

TEST(no_transfer_is_cut_short_in_strict_mode)
{
	freeze_during_transfers(XCKPT_MODE_STRICT);
}

static int zero, urandom;

static int reads_zeros(void)
{
	return read(zero, buffer[0], SIZE) == (ssize_t)SIZE;
}

static int preads_zeros(void)
{
	return pread(zero, buffer[1], SIZE, 0) == (ssize_t)SIZE;
}

static int reads_random(void)
{
	return read(urandom, buffer[2], SIZE) == (ssize_t)SIZE;
}

static int gets_random(void)
{
	/* the C library has one of its own */
	return syscall(SYS_getrandom, buffer[3], SIZE, 0) == (long)SIZE;
}

static int reads_parts(void)
{
	return readv(zero, parts_of(4), PARTS) == (ssize_t)SIZE;
}

static int preads_parts(void)
{
	return preadv2(urandom, parts_of(5), PARTS, 0, 0) == (ssize_t)SIZE;
}

/* They never wait, and only a signal may make them give less. */
static const struct giver {
	const char *name;
	int (*gives_all)(void);
} givers[] = {
	{ "read of zeros", reads_zeros },	  { "pread of zeros", preads_zeros },
	{ "read of random bytes", reads_random }, { "getrandom", gets_random },
	{ "readv of zeros", reads_parts },	  { "preadv2 of random bytes", preads_parts },
};
#define NR_GIVERS ((int)(sizeof(givers) / sizeof(givers[0])))

/* shared[8 + n]: how often it was called, [24 + n]: how often it gave less */
static _Noreturn void *giver_thread(void *arg)
{
	int n = (int)(long)arg;

	for (;;) {
		shared[24 + n] += !givers[n].gives_all();
		shared[8 + n]++;
	}
}

static void start_givers(void)
{
	zero = open("/dev/zero", O_RDONLY);
	urandom = open("/dev/urandom", O_RDONLY);
	if (zero < 0 || urandom < 0)
		_exit(97);
	for (long n = 0; n < NR_GIVERS; n++)
		in_thread(giver_thread, n);
	shared[0] = 1;
	pausing_thread(NULL);
}

TEST(what_gives_all_is_not_cut_short)
{
	int fd = session();
	struct xckpt_freeze f;
	pid_t pid;

	share_counters();
	pid = target(start_givers);
	for (int n = 0; n < NR_GIVERS; n++)
		EXPECT(moves(8 + n, 1));
	for (int i = 0; i < IDLE_FREEZES; i++) {
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i % NR_MODES]));
		ASSERT(!thaw(fd));
	}
	for (int n = 0; n < NR_GIVERS; n++)
		if (!(EXPECT(moves(8 + n, 1)) & EXPECT(!shared[24 + n])))
			printf("# %s: gave less %llu times of %llu\n", givers[n].name,
			       (unsigned long long)shared[24 + n],
			       (unsigned long long)shared[8 + n]);
}
