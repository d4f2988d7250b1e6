// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * calls [LINES [all]]: one thread in each of the system calls that a dump cuts in two:
 * a wait of which a part is over, and with `all` a transfer of which a part is done
 * (which stopping cuts short, dump or not; nor does select() end on time then) and a
 * sleep that is cancelled (of which QEMU 7.2 dies by itself). The first thread prints a
 * line every half second, and the waits end with the last line. No call may be told
 * apart from an undisturbed one: neither by its result and its time, nor by the
 * registers, the red zone and the memory that it leaves behind.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

#define NS 1000000000ll
/* of the clock, at a wait's end: less than what a wait that starts over adds */
#define PATIENCE (4 * NS)
#define TRANSFER (1u << 20)
#define REGISTERS 6

/* rdi, rsi, rdx, r10, r8, r9; how the call left them; whether it left the red zone alone */
struct call {
	long arg[REGISTERS], left[REGISTERS], red_zone;
};

long make_call(long nr, struct call *call);
asm(".text\n"
    "make_call:\n"
    "	push %rbx\n"
    "	mov %rsi, %rbx\n"
    "	mov %rdi, %rax\n"
    "	mov 0(%rbx), %rdi\n"
    "	mov 8(%rbx), %rsi\n"
    "	mov 16(%rbx), %rdx\n"
    "	mov 24(%rbx), %r10\n"
    "	mov 32(%rbx), %r8\n"
    "	mov 40(%rbx), %r9\n"
    "	mov %rbx, -8(%rsp)\n"
    "	mov %rbx, -128(%rsp)\n"
    "	syscall\n"
    "	mov %rdi, 48(%rbx)\n"
    "	mov %rsi, 56(%rbx)\n"
    "	mov %rdx, 64(%rbx)\n"
    "	mov %r10, 72(%rbx)\n"
    "	mov %r8, 80(%rbx)\n"
    "	mov %r9, 88(%rbx)\n"
    "	xor %ecx, %ecx\n"
    "	cmp %rbx, -8(%rsp)\n"
    "	jne 1f\n"
    "	cmp %rbx, -128(%rsp)\n"
    "	jne 1f\n"
    "	inc %ecx\n"
    "1:	mov %rcx, 96(%rbx)\n"
    "	pop %rbx\n"
    "	ret\n");

static uint32_t word;

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS + ts.tv_nsec;
}

static struct timespec from_ns(int64_t ns)
{
	return (struct timespec){ ns / NS, ns % NS };
}

static int on_time(int64_t t, int64_t want)
{
	/* poll(2) counts milliseconds */
	return t > want - NS / 500 && t < want + PATIENCE;
}

/* The rest of one thread's life is one call. */
struct caller {
	const char *name;
	long nr, want, result;
	struct call call;
	struct timespec time, rem;
	int64_t began, ended;
	pthread_t thread;
};

static char bytes[TRANSFER], received[TRANSFER];
static struct iovec vectors[] = {
	{ bytes, 1000 },
	{ bytes + 1000, TRANSFER / 2 },
	{ bytes + 1000 + TRANSFER / 2, TRANSFER / 2 - 1000 },
};

enum { NANOSLEEP, CLOCK_NANOSLEEP, FUTEX, POLL, SELECT, WAITS, WRITE = WAITS, WRITEV, CALLERS };
static struct caller callers[CALLERS + 1] = {
	[NANOSLEEP] = { "nanosleep", SYS_nanosleep },
	[CLOCK_NANOSLEEP] = { "clock_nanosleep", SYS_clock_nanosleep },
	[FUTEX] = { "futex", SYS_futex, -ETIMEDOUT },
	[POLL] = { "poll", SYS_poll },
	[SELECT] = { "select", SYS_select },
	[WRITE] = { "write", SYS_write },
	[WRITEV] = { "writev", SYS_writev },
	[CALLERS] = { "nanosleep, interrupted,", SYS_nanosleep, -EINTR },
};

static void *caller_thread(void *arg)
{
	struct caller *c = arg;

	c->began = now();
	c->result = make_call(c->nr, &c->call);
	c->ended = now();
	if (c->want > 0) /* all that there is to be read */
		close((int)c->call.arg[0]);
	return NULL;
}

static void start_caller(struct caller *c, int64_t ns, const long arg[REGISTERS])
{
	c->time = from_ns(ns);
	memcpy(c->call.arg, arg, sizeof(c->call.arg));
	if (pthread_create(&c->thread, NULL, caller_thread, c))
		die("pthread_create");
}

static void start_callers(int64_t wait, const int pipes[2][2])
{
	struct caller *c = callers;
	const long args[CALLERS + 1][REGISTERS] = {
		[NANOSLEEP] = { (long)&c[NANOSLEEP].time, 0, 2, 3, 4, 5 },
		[CLOCK_NANOSLEEP] = { CLOCK_BOOTTIME, 0, (long)&c[CLOCK_NANOSLEEP].time },
		[FUTEX] = { (long)&word, FUTEX_WAIT_PRIVATE, 0, (long)&c[FUTEX].time, 4, 5 },
		[POLL] = { 0, 0, wait / 1000000, 3, 4, 5 },
		[SELECT] = { 0, 0, 0, 0, (long)&c[SELECT].time, 5 },
		[WRITE] = { pipes[0][1], (long)bytes, TRANSFER, 3, 4, 5 },
		[WRITEV] = { pipes[1][1], (long)vectors, 3, 3, 4, 5 },
		/* long enough to be interrupted */
		[CALLERS] = { (long)&c[CALLERS].time, (long)&c[CALLERS].rem },
	};

	for (int i = 0; i <= CALLERS; i++)
		if (i < WAITS || i == CALLERS || c[i].want)
			start_caller(&c[i], i == CALLERS ? 100 * wait : wait, args[i]);
}

static void check_caller(struct caller *c)
{
	char what[100];

	pthread_join(c->thread, NULL);
	snprintf(what, sizeof(what), "%s returned what it should", c->name);
	check(c->result == c->want, what);
	snprintf(what, sizeof(what), "%s left registers and red zone alone", c->name);
	check(!memcmp(c->call.arg, c->call.left, sizeof(c->call.arg)) && c->call.red_zone, what);
}

/*
 * select() writes back what is left when it is interrupted: time that the program
 * then stands stopped is not part of its wait, dump or not.
 */
static void check_wait(struct caller *c, int64_t wait, bool stopped)
{
	bool late = stopped && c == &callers[SELECT] && c->ended > c->began + wait;
	char what[100];

	check_caller(c);
	snprintf(what, sizeof(what), "%s ended on time", c->name);
	check(late || on_time(c->ended, c->began + wait), what);
	snprintf(what, sizeof(what), "%s left its argument alone", c->name);
	/* select() writes to it */
	check(c == &callers[SELECT] || c->time.tv_sec * NS + c->time.tv_nsec == wait, what);
}

static void check_transfer(struct caller *c, const int pipe[2])
{
	size_t n = 0;
	char what[100];
	ssize_t got;

	memset(received, 0, sizeof(received));
	while ((got = read(pipe[0], received + n, TRANSFER - n)) > 0)
		n += (size_t)got;
	check_caller(c);
	snprintf(what, sizeof(what), "%s moved all bytes in order", c->name);
	check(!memcmp(bytes, received, TRANSFER), what);
}

static void interrupt(int sig)
{
}

/* A handler without SA_RESTART: the call tells what would have been left. */
static void check_interrupted(struct caller *c, int64_t wait)
{
	int64_t left;

	pthread_kill(c->thread, SIGUSR1);
	check_caller(c);
	left = c->rem.tv_sec * NS + c->rem.tv_nsec;
	check(on_time(c->ended + left, c->began + 100 * wait), "it told how long it had left");
}

static void clean_up(void *arg)
{
	*(int *)arg = 1;
}

static void *sleep_for_good(void *arg)
{
	pthread_cleanup_push(clean_up, arg);
	for (;;)
		sleep(1000);
	pthread_cleanup_pop(0);
	return NULL;
}

static pthread_t sleeper;
static int clean;

static void start_sleeper(void)
{
	clean = 0;
	if (pthread_create(&sleeper, NULL, sleep_for_good, &clean))
		die("pthread_create");
}

static void check_cancelled(void)
{
	void *result;

	pthread_cancel(sleeper);
	pthread_join(sleeper, &result);
	check(result == PTHREAD_CANCELED && clean, "a sleeping thread was cancelled");
}

static void print_lines(unsigned int lines, int64_t begin)
{
	for (unsigned int i = 0; i < lines; i++) {
		struct timespec ts = from_ns(begin + (i + 1) * (NS / 2));

		say("%u", i);
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
			;
	}
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 20);
	struct sigaction action = { .sa_handler = interrupt };
	int64_t wait = lines / 2 * NS; /* a timeval has no nanoseconds */
	int pipes[2][2];

	for (uint64_t i = 0, seed = 1; i < TRANSFER; i += 8) {
		seed = work(seed, 1);
		memcpy(bytes + i, &seed, 8);
	}
	callers[WRITE].want = callers[WRITEV].want = argc > 2 ? TRANSFER : 0;
	if (pipe(pipes[0]) || pipe(pipes[1]) || sigaction(SIGUSR1, &action, NULL))
		die("cannot begin");
	if (argc > 2) {
		/* once before: it loads a library that another machine has not */
		start_sleeper();
		check_cancelled();
		start_sleeper();
	}
	start_callers(wait, pipes);
	print_lines(lines, now());
	for (int i = 0; i < WAITS; i++)
		check_wait(&callers[i], wait, argc < 3);
	if (argc > 2) {
		check_transfer(&callers[WRITE], pipes[0]);
		check_transfer(&callers[WRITEV], pipes[1]);
		check_cancelled();
	}
	check_interrupted(&callers[CALLERS], wait);
	return failures != 0;
}
