// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pipes [TURNS]: pipes in every state, with and without a name. A child sends records
 * by a FIFO, and its parent is always some behind; the others lie there until the end:
 * one whose writers are gone, one whose readers are gone, one opened twice for
 * reading, one that is both ends in one, one whose name is gone, packets with and
 * without a writer.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define BEHIND 5
#define SPARSE (1l << 20) /* bytes before the end of a file that is nearly all hole */

struct record {
	unsigned int turn;
	char text[28];
};

static int ended[2], broken[2], twice[2], packets[2], letters[2], single[2], bit[2], again, both,
	nameless, sparse;

static int reopened(int fd, int flags)
{
	char path[32];
	int n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = open(path, flags);
	if (n < 0)
		die(path);
	return n;
}

static void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die("write");
}

static bool holds(int fd, const char *text)
{
	char buf[64] = "";

	return read(fd, buf, strlen(text)) == (ssize_t)strlen(text) && !strcmp(buf, text);
}

static void set_up_packets(void)
{
	if (pipe2(packets, O_DIRECT) || pipe2(letters, O_DIRECT) || pipe2(single, O_DIRECT) ||
	    pipe2(bit, O_DIRECT))
		die("pipe2");
	put(packets[1], "one");
	put(packets[1], "and");
	put(packets[1], "another");
	put(letters[1], "a");
	put(letters[1], "bc");
	close(letters[1]);
	put(single[1], "alone");
	close(single[1]);
	put(bit[1], "b");
}

static void set_up(void)
{
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	if (pipe(ended) || pipe(broken) || pipe(twice) || pipe(pair))
		die("pipe");
	put(ended[1], "the last words");
	close(ended[1]);
	close(broken[0]);
	fcntl(twice[1], F_SETPIPE_SZ, 1 << 18);
	put(twice[1], "for either");
	again = reopened(twice[0], O_RDONLY | O_NONBLOCK);
	both = reopened(pair[0], O_RDWR);
	close(pair[0]);
	close(pair[1]);
	put(both, "to myself");
	if (mkfifo("gone", 0600))
		die("gone");
	nameless = open("gone", O_RDWR);
	unlink("gone");
	put(nameless, "no name");
	set_up_packets();
	/* as little as what is in pipes: read at once with that */
	sparse = open("sparse", O_RDWR | O_CREAT, 0600);
	unlink("sparse");
	if (pwrite(sparse, "begin", 5, 0) != 5 || pwrite(sparse, "end", 3, SPARSE) != 3)
		die("sparse");
}

static _Noreturn void send(unsigned int turns, int go)
{
	int fd = open("queue", O_WRONLY);
	char c;

	for (unsigned int i = 0; i < turns; i++) {
		struct record r = { .turn = i };

		snprintf(r.text, sizeof(r.text), "%016jx", (uintmax_t)work(i, STEP / 2));
		if (read(go, &c, 1) != 1 || write(fd, &r, sizeof(r)) != sizeof(r))
			_exit(2);
	}
	_exit(0);
}

static void receive(int fd, unsigned int turn)
{
	struct record r;

	if (read(fd, &r, sizeof(r)) != sizeof(r) || r.turn != turn)
		expect(0, "the records come in order");
	say("%u %s", turn, r.text);
}

/* What a read has no room for of a packet is gone. */
static void look_at_packets(void)
{
	char buf[64] = "";

	check(read(packets[0], buf, sizeof(buf)) == 3 && !memcmp(buf, "one", 3) &&
		      read(packets[0], buf, 1) == 1 && *buf == 'a' &&
		      read(packets[0], buf, sizeof(buf)) == 7 && !memcmp(buf, "another", 7),
	      "packet by packet");
	put(packets[1], "more");
	put(packets[1], "to come");
	check(read(packets[0], buf, sizeof(buf)) == 4 && read(packets[0], buf, sizeof(buf)) == 7,
	      "and those that are still written");
	check(read(letters[0], buf, sizeof(buf)) == 1 && read(letters[0], buf, sizeof(buf)) == 2 &&
		      read(letters[0], buf, sizeof(buf)) == 0,
	      "packets whose writer is gone");
	check(read(single[0], buf, 1) == 1 && *buf == 'a' && read(single[0], buf, 1) == 0,
	      "a single one");
	put(bit[1], "more");
	check(read(bit[0], buf, sizeof(buf)) == 1 && read(bit[0], buf, sizeof(buf)) == 4,
	      "one of one byte");
}

static void look_at_the_others(void)
{
	char c;

	check(holds(ended[0], "the last words") && read(ended[0], &c, 1) == 0,
	      "an end of file behind what was left");
	check(write(broken[1], "x", 1) < 0 && errno == EPIPE, "a broken pipe");
	check(fcntl(twice[1], F_GETPIPE_SZ) == 1 << 18, "its capacity");
	check(holds(again, "for") && holds(twice[0], " either"), "two readers of one pipe");
	check(read(again, &c, 1) < 0 && errno == EAGAIN && !(fcntl(twice[0], F_GETFL) & O_NONBLOCK),
	      "of which one does not wait");
	check(holds(both, "to myself"), "both ends in one");
	put(both, "still");
	check(holds(both, "still"), "that can be written to");
	check(holds(nameless, "no name"), "one that has lost its name");
	look_at_packets();
}

int main(int argc, char **argv)
{
	unsigned int turns = number(argv, argc, 1, 40);
	int go[2], fd, status;
	struct stat st;
	char end[3];

	set_up();
	if (pipe(go) || mkfifo("queue", 0600))
		die("queue");
	if (!fork())
		send(turns, go[0]);
	fd = open("queue", O_RDONLY);
	for (unsigned int i = 0; i < turns + BEHIND; i++) {
		if (i < turns)
			put(go[1], "g");
		work(i, STEP / 2);
		if (i >= BEHIND)
			receive(fd, i - BEHIND);
	}
	check(wait(&status) > 0 && !status, "the child has sent all");
	check(!fstat(sparse, &st) && st.st_size == SPARSE + 3 && st.st_blocks * 512 < SPARSE / 2 &&
		      pread(sparse, end, 3, SPARSE) == 3 && !memcmp(end, "end", 3),
	      "a small file that was removed has its hole");
	check(!fstat(fd, &st) && S_ISFIFO(st.st_mode) && read(fd, &status, 1) == 0,
	      "and there is no more");
	unlink("queue");
	look_at_the_others();
	return failures != 0;
}
