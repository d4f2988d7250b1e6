// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * signals [LINES]: handlers on an alternate stack, a repeating timer, faults that
 * the handler mends, and blocked signals that wait through the dump and must
 * come in their order, with their values, when the mask is lifted.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "victim.h"

#define NR_QUEUED 5

static char alternate[65536];
static volatile sig_atomic_t ticks, usr1s, off_stack;
static char *closed_page;

struct arrival {
	int signo, code, value, own;
};
static struct arrival arrived[2 * NR_QUEUED + 4];
static volatile sig_atomic_t nr_arrived;

static void on_stack(const void *here)
{
	const char *p = here;

	if (p < alternate || p >= alternate + sizeof(alternate))
		off_stack++;
}

static void handle(int signo, siginfo_t *info, void *context)
{
	char here;

	on_stack(&here);
	if (signo == SIGALRM)
		ticks++;
	else
		usr1s++;
}

static void collect(int signo, siginfo_t *info, void *context)
{
	char here;

	on_stack(&here);
	arrived[nr_arrived++] = (struct arrival){ signo, info->si_code, info->si_value.sival_int,
						  info->si_pid == getpid() };
}

/* A closed page is opened and the access done again; at 16 it is stepped over. */
static void mend(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	char here;

	on_stack(&here);
	if (info->si_addr == closed_page) {
		mprotect(closed_page, 4096, PROT_READ | PROT_WRITE);
		return;
	}
	uc->uc_mcontext.gregs[REG_RBX] = (greg_t)info->si_addr;
	uc->uc_mcontext.gregs[REG_RIP] += 2;
}

static void on(int signo, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = handler,
				.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };

	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGWINCH);
	/* one at a time, so that their order is the kernel's choice alone */
	if (handler == collect) {
		sigaddset(&sa.sa_mask, SIGUSR2);
		sigaddset(&sa.sa_mask, SIGRTMIN + 1);
		sigaddset(&sa.sa_mask, SIGRTMIN + 4);
	}
	if (sigaction(signo, &sa, NULL))
		die("sigaction");
}

static void set_up(void)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct itimerval timer = { { 0, 50000 }, { 0, 50000 } };

	sigaltstack(&stack, NULL);
	on(SIGALRM, handle);
	on(SIGUSR1, handle);
	on(SIGSEGV, mend);
	on(SIGUSR2, collect);
	on(SIGRTMIN + 1, collect);
	on(SIGRTMIN + 4, collect);
	signal(SIGHUP, SIG_IGN);
	closed_page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void block(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGUSR2);
	sigaddset(set, SIGRTMIN + 1);
	sigaddset(set, SIGRTMIN + 4);
	sigprocmask(SIG_BLOCK, set, NULL);
}

/* To the process and to the thread, the higher signal first. */
static void queue_all(void)
{
	for (int i = 0; i < NR_QUEUED; i++)
		if (sigqueue(getpid(), SIGRTMIN + 4, (union sigval){ .sival_int = 400 + i }) ||
		    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 100 + i }))
			die("sigqueue");
	kill(getpid(), SIGUSR2);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2);
}

static unsigned long fault_at_16(void)
{
	unsigned long address;

	asm volatile("mov $16, %%rbx\n"
		     "mov (%%rbx), %%al\n"
		     : "=b"(address)
		     :
		     : "rax", "memory");
	return address;
}

static void step(unsigned int line)
{
	struct sigaction sa;
	sigset_t mask;

	work(line, STEP);
	raise(SIGUSR1);
	expect(fault_at_16() == 16, "the fault's address");
	mprotect(closed_page, 4096, PROT_NONE);
	*(volatile char *)closed_page = (char)line;
	expect(*closed_page == (char)line, "the mended page");
	sigprocmask(SIG_SETMASK, NULL, &mask);
	expect(sigismember(&mask, SIGUSR2) && sigismember(&mask, SIGRTMIN + 4), "the mask");
	expect(!sigismember(&mask, SIGWINCH) && !sigismember(&mask, SIGALRM), "nothing more in it");
	sigaction(SIGALRM, NULL, &sa);
	expect(sa.sa_sigaction == handle && sigismember(&sa.sa_mask, SIGWINCH), "the action");
	sigaction(SIGHUP, NULL, &sa);
	expect(sa.sa_handler == SIG_IGN, "the ignored signal");
	expect(nr_arrived == 0, "blocked signals wait");
	say("%u usr1 %d", line, (int)usr1s);
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 40);
	sigset_t queued;
	int before;

	set_up();
	block(&queued);
	queue_all();
	for (unsigned int i = 0; i < lines; i++)
		step(i);
	sigprocmask(SIG_UNBLOCK, &queued, NULL);
	for (int i = 0; i < nr_arrived; i++)
		say("signal %s%d code %d value %d own %d",
		    arrived[i].signo >= SIGRTMIN ? "rt+" : "",
		    arrived[i].signo >= SIGRTMIN ? arrived[i].signo - SIGRTMIN : arrived[i].signo,
		    arrived[i].code, arrived[i].code == SI_QUEUE ? arrived[i].value : 0,
		    arrived[i].own);
	/* the timer still repeats, however long that takes */
	for (before = ticks; ticks < before + 3;)
		pause();
	say("the timer ticks");
	check(off_stack == 0, "all on the alternate stack");
	return failures != 0;
}
