// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls that wait for more, when they have received some already. Root, module loaded. */
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>

#include "corefile.h"

#define LEAST 8 /* bytes, of a terminal */
#define SEVERAL 5 /* messages or events */

static char received[64];
static struct mmsghdr messages[SEVERAL];
static struct iovec places[SEVERAL];
static struct io_event events[SEVERAL];
static int ends[SEVERAL][2]; /* the target's and the other side's */
static char slave_name[64];

/* What the call has returned; it is not over as long as this stands. */
#define NOTHING 0x7777

static _Noreturn void done(long result)
{
	shared[2] = (uint64_t)result;
	for (;;)
		nap_ms(10);
}

static _Noreturn void in_call(long (*call)(void))
{
	shared[0]++;
	done(call());
}

static long reads_terminal(void)
{
	return read(ends[0][0], received, sizeof(received));
}

static void with_terminal(void)
{
	struct termios t;

	ends[0][0] = open(slave_name, O_RDWR | O_NOCTTY);
	if (tcgetattr(ends[0][0], &t))
		_exit(97);
	cfmakeraw(&t);
	t.c_cc[VMIN] = LEAST;
	t.c_cc[VTIME] = 0;
	tcsetattr(ends[0][0], TCSANOW, &t);
	in_call(reads_terminal);
}

static long receives_messages(void)
{
	long nr;

	for (int i = 0; i < SEVERAL; i++) {
		places[i] = (struct iovec){ received + i, 1 };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &places[i], .msg_iovlen = 1 };
	}
	nr = syscall(SYS_recvmmsg, ends[0][0], messages, SEVERAL, 0, NULL);
	for (int i = 0; i < nr; i++)
		if (received[i] != 'a' + i || messages[i].msg_len != 1)
			return -i - 1;
	return nr;
}

static void with_messages(void)
{
	in_call(receives_messages);
}

static long gets_events(void)
{
	struct iocb iocbs[SEVERAL], *list[SEVERAL];
	aio_context_t context = 0;
	long nr;

	memset(iocbs, 0, sizeof(iocbs));
	for (int i = 0; i < SEVERAL; i++) {
		iocbs[i].aio_lio_opcode = IOCB_CMD_POLL;
		iocbs[i].aio_fildes = (uint32_t)ends[i][0];
		iocbs[i].aio_buf = POLLIN;
		iocbs[i].aio_data = (uint64_t)i + 1;
		list[i] = &iocbs[i];
	}
	if (syscall(SYS_io_setup, SEVERAL, &context) ||
	    syscall(SYS_io_submit, context, (long)SEVERAL, list) != SEVERAL)
		_exit(97);
	nr = syscall(SYS_io_getevents, context, (long)SEVERAL, (long)SEVERAL, events, NULL);
	for (int i = 0; i < nr; i++)
		if (events[i].data != (uint64_t)i + 1)
			return -i - 1;
	return nr;
}

static void with_events(void)
{
	in_call(gets_events);
}

/* It keeps the descriptors that target() would close. */
static pid_t waiter(void (*fn)(void))
{
	pid_t pid;

	shared[2] = NOTHING;
	shared[0] = 0;
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		alarm(0);
		fn();
	}
	ASSERT(reaches(0, 1));
	nap_ms(200);
	EXPECT(reaches_state(pid, 'S'));
	return pid;
}

/* The target sleeps once more, and has what was there. */
static void let_take(pid_t pid)
{
	nap_ms(200);
	EXPECT(reaches_state(pid, 'S') && shared[2] == NOTHING);
}

static int waits_still(void)
{
	nap_ms(200);
	return shared[2] == NOTHING;
}

static int ends_with(long result)
{
	for (int i = 0; i < 10000 && shared[2] == NOTHING; i++)
		nap_ms(1);
	return shared[2] == (uint64_t)result;
}

/* The image shows a short read, as a signal would have made it: nothing is lost. */
static void expect_in_image(int fd, pid_t pid, const char *bytes, long nr)
{
	const struct user_regs_struct *regs;
	char found[LEAST];
	int core_fd = core_of(fd, pid, 0);

	core_load(core_fd);
	regs = thread_regs(pid);
	core_memory(found, sizeof(found), (uintptr_t)received);
	EXPECT((long)regs->rax == nr && regs->orig_rax == SYS_read);
	EXPECT(!memcmp(found, bytes, (size_t)nr));
	close(core_fd);
}

TEST(a_terminal_that_waits_for_more)
{
	int fd = session(), master = posix_openpt(O_RDWR | O_NOCTTY);
	struct xckpt_snapshot s;
	struct xckpt_freeze f;

	share_counters();
	ASSERT(master >= 0 && !unlockpt(master) &&
	       !ptsname_r(master, slave_name, sizeof(slave_name)));
	for (int i = 0; i < NR_MODES; i++) {
		pid_t pid = waiter(with_terminal);

		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i]) && !thaw(fd));
		EXPECT(waits_still());
		ASSERT(write(master, "abc", 3) == 3);
		let_take(pid);
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i]) && !snapshot(fd, 0, &s));
		expect_in_image(fd, pid, "abc", 3);
		ASSERT(!thaw(fd));
		EXPECT(waits_still());
		ASSERT(write(master, "de", 2) == 2);
		let_take(pid);
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i]) && !snapshot(fd, 0, &s));
		expect_in_image(fd, pid, "abcde", 5);
		ASSERT(!thaw(fd));
		EXPECT(waits_still());
		ASSERT(write(master, "fgh", 3) == 3);
		if (!EXPECT(ends_with(LEAST)))
			printf("# %s: %lld\n", mode_name(all_modes[i]), (long long)shared[2]);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* @give makes there be one more. */
static void freeze_while_several_come(void (*fn)(void), void (*give)(int n))
{
	int fd = session();
	struct xckpt_freeze f;

	for (int i = 0; i < NR_MODES; i++) {
		pid_t pid;

		for (int n = 0; n < SEVERAL; n++)
			ASSERT(!socketpair(AF_UNIX, SOCK_DGRAM, 0, ends[n]));
		pid = waiter(fn);
		for (int n = 0; n < SEVERAL; n++) {
			ASSERT(!freeze_mode(fd, pid, &f, all_modes[i]) && !thaw(fd));
			EXPECT(waits_still());
			give(n);
			if (n < SEVERAL - 1)
				let_take(pid);
		}
		if (!EXPECT(ends_with(SEVERAL)))
			printf("# %s: %lld\n", mode_name(all_modes[i]), (long long)shared[2]);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		for (int n = 0; n < SEVERAL; n++) {
			close(ends[n][0]);
			close(ends[n][1]);
		}
	}
}

static void give_message(int n)
{
	ASSERT(write(ends[0][1], &(char){ (char)('a' + n) }, 1) == 1);
}

static void give_event(int n)
{
	ASSERT(write(ends[n][1], "", 1) == 1);
}

TEST(several_messages)
{
	share_counters();
	freeze_while_several_come(with_messages, give_message);
}

TEST(several_events)
{
	share_counters();
	freeze_while_several_come(with_events, give_event);
}
