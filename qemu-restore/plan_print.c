// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan as a person reads it: one line for each operation, like strace. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "oflags.h"
#include "plan.h"

/* How an argument is shown. */
enum arg_form { DEC = 1, HEX, PROT, MAP, FD, REF, SIG };

static const struct {
	uint32_t nr;
	const char *name;
	uint8_t form[6];
} calls[] = {
	{ NR_READ, "read", { FD, REF, DEC } },
	{ NR_CLOSE, "close", { FD } },
	{ NR_MMAP, "mmap", { HEX, DEC, PROT, MAP, FD, HEX } },
	{ NR_MPROTECT, "mprotect", { HEX, DEC, PROT } },
	{ NR_MUNMAP, "munmap", { HEX, DEC } },
	{ NR_BRK, "brk", { HEX } },
	{ NR_RT_SIGACTION, "rt_sigaction", { SIG, REF, DEC, DEC } },
	{ NR_RT_SIGPROCMASK, "rt_sigprocmask", { DEC, REF, DEC, DEC } },
	{ NR_MADVISE, "madvise", { HEX, DEC, DEC } },
	{ NR_SHMAT, "shmat", { DEC, HEX, HEX } },
	{ NR_DUP2, "dup2", { FD, FD } },
	{ NR_SETITIMER, "setitimer", { DEC, REF, DEC } },
	{ NR_SEMOP, "semop", { DEC, REF, DEC } },
	{ NR_FCNTL, "fcntl", { FD, DEC, DEC } },
	{ NR_CAPSET, "capset", { REF, REF } },
	{ NR_RT_SIGQUEUEINFO, "rt_sigqueueinfo", { DEC, SIG, REF } },
	{ NR_PERSONALITY, "personality", { HEX } },
	{ NR_SETPRIORITY, "setpriority", { DEC, DEC, DEC } },
	{ NR_SCHED_SETSCHEDULER, "sched_setscheduler", { DEC, DEC, REF } },
	{ NR_MLOCK, "mlock", { HEX, DEC } },
	{ NR_MLOCKALL, "mlockall", { DEC } },
	{ NR_MLOCK2, "mlock2", { HEX, DEC, DEC } },
	{ NR_PRCTL, "prctl", { DEC, HEX, HEX, HEX } },
	{ NR_ARCH_PRCTL, "arch_prctl", { HEX, HEX } },
	{ NR_SETGROUPS, "setgroups", { DEC, REF } },
	{ NR_SETRESUID, "setresuid", { DEC, DEC, DEC } },
	{ NR_SETRESGID, "setresgid", { DEC, DEC, DEC } },
	{ NR_SETFSUID, "setfsuid", { DEC } },
	{ NR_SETFSGID, "setfsgid", { DEC } },
	{ NR_SET_TID_ADDRESS, "set_tid_address", { HEX } },
	{ NR_TIMER_SETTIME, "timer_settime", { DEC, DEC, REF, DEC } },
	{ NR_TGKILL, "tgkill", { DEC, DEC, SIG } },
	{ NR_SET_ROBUST_LIST, "set_robust_list", { HEX, DEC } },
	{ NR_RT_TGSIGQUEUEINFO, "rt_tgsigqueueinfo", { DEC, DEC, SIG, REF } },
	{ NR_PRLIMIT64, "prlimit64", { DEC, DEC, REF, DEC } },
	{ NR_RSEQ, "rseq", { HEX, DEC, DEC, HEX } },
};

struct text {
	char s[4096 + 512];
	size_t len;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s + t->len, sizeof(t->s) - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = t->len + n < sizeof(t->s) ? t->len + n : sizeof(t->s) - 1;
}

/* A string of the image's, without its control characters. */
static void add_path(struct text *t, const char *path)
{
	add(t, "\"");
	for (; path && *path; path++)
		add(t, (unsigned char)*path < 32 || *path == 127 ? "\\%03o" : "%c",
		    (unsigned char)*path);
	add(t, "\"");
}

static void add_bits(struct text *t, uint64_t v, const char *const names[], size_t n,
		     const char *none)
{
	const char *separator = "";
	size_t i;

	for (i = 0; i < n; i++)
		if (v >> i & 1 && names[i]) {
			add(t, "%s%s", separator, names[i]);
			separator = "|";
		}
	if (!*separator)
		add(t, "%s", none);
}

static void add_fd(struct text *t, const struct plan *plan, const struct plan_op *op, uint64_t fd)
{
	const struct plan_fds *fds = &plan->processes[op->process].fds;

	if ((int)fd == fds->core)
		add(t, "core");
	else if ((int)fd == fds->restorer)
		add(t, "restorer");
	else if ((int)fd == fds->status)
		add(t, "status");
	else
		add(t, "%d", (int)fd);
}

static void add_arg(struct text *t, const struct plan *plan, const struct plan_op *op,
		    enum arg_form form, int i)
{
	static const char *const prot[] = { "PROT_READ", "PROT_WRITE", "PROT_EXEC" };
	static const char *const flags[21] = {
		[0] = "MAP_SHARED",	     [1] = "MAP_PRIVATE",    [5] = "MAP_ANONYMOUS",
		[8] = "MAP_GROWSDOWN",	     [14] = "MAP_NORESERVE", [18] = "MAP_HUGETLB",
		[20] = "MAP_FIXED_NOREPLACE"
	};
	uint64_t v = op->arg[i];

	if (op->refs >> i & 1) {
		add(t, "&data[%llu]", (unsigned long long)v);
		return;
	}
	switch (form) {
	case PROT:
		add_bits(t, v, prot, 3, "PROT_NONE");
		break;
	case MAP:
		add_bits(t, v, flags, 21, "0");
		if (v >> X86_MAP_HUGE_SHIFT)
			add(t, "|%d << MAP_HUGE_SHIFT", (int)(v >> X86_MAP_HUGE_SHIFT));
		break;
	case FD:
		add_fd(t, plan, op, v);
		break;
	case HEX:
		add(t, "%#llx", (unsigned long long)v);
		break;
	default:
		add(t, "%lld", (long long)v);
	}
}

static void add_syscall(struct text *t, const struct plan *plan, const struct plan_op *op)
{
	size_t n;
	int i;

	for (n = 0; n < sizeof(calls) / sizeof(calls[0]) && calls[n].nr != op->nr; n++)
		;
	if (n == sizeof(calls) / sizeof(calls[0])) {
		add(t, "syscall_%u()", op->nr);
		return;
	}
	add(t, "%s(", calls[n].name);
	for (i = 0; i < 6 && calls[n].form[i]; i++) {
		add(t, "%s", i ? ", " : "");
		add_arg(t, plan, op, calls[n].form[i], i);
	}
	add(t, ")");
	if (op->want == WANT_VALUE)
		add(t, " = %#llx", (unsigned long long)op->value);
}

/* What is made from the image, and what is held on files. */
static void add_made(struct text *t, const struct plan_op *op)
{
	const unsigned long long *a = (const unsigned long long *)op->arg;

	switch (op->kind) {
	case OP_UNPACK:
		add(t, "unpack(");
		add_path(t, op->path);
		add(t, ", %#llo, %llu)", a[1], a[0]);
		break;
	case OP_CONTENTS:
		add(t, "copy(");
		add_path(t, op->path);
		add(t, ", %llu, slot %llu)", a[1], a[0]);
		break;
	case OP_LOST_DIRECTORY:
		add(t, "mkdir(%#llo) = slot %llu; rmdir()", a[1], a[0]);
		break;
	case OP_EVENTFD:
		add(t, "eventfd(%llu%s) = slot %llu", a[1], a[2] ? ", EFD_SEMAPHORE" : "", a[0]);
		break;
	case OP_TIMERFD:
		add(t, "timerfd_create(%llu) = slot %llu; timerfd_settime(%#x, %llu, %llu), %llu",
		    a[1], a[0], op->nr, a[4], a[5], a[2]);
		break;
	case OP_SIGNALFD:
		add(t, "signalfd(%#llx) = slot %llu", a[1], a[0]);
		break;
	case OP_EPOLL:
		add(t, "epoll_create() = slot %llu", a[0]);
		break;
	case OP_INOTIFY:
		add(t, "inotify_init() = slot %llu", a[0]);
		break;
	case OP_WATCH:
		add(t, "inotify_add_watch(slot %llu, ", a[0]);
		add_path(t, op->path);
		add(t, ", %#llx) = %llu", a[2], a[1]);
		break;
	case OP_FLOCK:
		add(t, "flock(slot %llu, %s)", a[0], a[1] ? "LOCK_EX" : "LOCK_SH");
		break;
	case OP_OFD_LOCK:
		add(t, "fcntl(slot %llu, F_OFD_SETLK, {%s, %llu, %llu})", a[0],
		    a[1] ? "F_WRLCK" : "F_RDLCK", a[2], a[3]);
		break;
	case OP_SEAL:
		add(t, "fcntl(slot %llu, F_ADD_SEALS, %#llx)", a[0], a[1]);
		break;
	case OP_PIDFD:
		add(t, "pidfd_open(%lld) = %llu", (long long)a[1], a[0]);
		break;
	case OP_ENTRY:
		add(t, "epoll_ctl(slot %llu, EPOLL_CTL_ADD, %llu, {%#llx, %#llx})", a[0], a[1],
		    a[2], a[3]);
		break;
	case OP_OWNER:
		add(t, "fcntl(slot %llu, F_SETOWN_EX, {%llu, %llu})", a[0], a[1], a[2]);
		break;
	default:
		add(t, "fcntl(slot %llu, F_SETLEASE, %s)", a[0], a[1] ? "F_WRLCK" : "F_RDLCK");
	}
}

static void add_sysv(struct text *t, const struct plan_op *op)
{
	const unsigned long long *a = (const unsigned long long *)op->arg;
	unsigned long long i;

	switch (op->kind) {
	case OP_IPC_LIMIT:
		add(t, "write(");
		add_path(t, op->path);
		add(t, ", \"");
		for (i = 0; i < a[4]; i++)
			add(t, "%s%llu", i ? " " : "", a[i]);
		add(t, "\")");
		break;
	case OP_SHM:
		add(t, "shmget(%#x, %llu, %#llo) = %llu%s%s", (unsigned int)a[1], a[2], a[3], a[0],
		    a[4] ? "; shmctl(SHM_LOCK)" : "", a[5] ? "; shmctl(IPC_RMID)" : "");
		break;
	case OP_SHM_COPY:
		add(t, "copy(core, %#llx, %llu, shm %llu, %#llx)", a[2], a[3], a[0], a[4]);
		break;
	case OP_SHM_FILL:
		add(t, "copy(");
		add_path(t, op->path);
		add(t, ", %llu, shm %llu)", a[1], a[0]);
		break;
	case OP_SEM:
		add(t, "semget(%#x, %llu, %#llo) = %llu; semctl(SETALL)", (unsigned int)a[1], a[2],
		    a[3], a[0]);
		break;
	default:
		add(t, "msgget(%#x, %#llo) = %llu; msgctl({msg_qbytes=%llu}); msgsnd(",
		    (unsigned int)a[1], a[3], a[0], a[2]);
		add_path(t, op->path);
		add(t, ")");
	}
}

static void add_launcher(struct text *t, const struct plan_op *op)
{
	const uint64_t *a = op->arg;
	char flags[256];

	switch (op->kind) {
	case OP_NAMESPACES:
		add(t, "unshare(CLONE_NEWPID|CLONE_NEWNS%s%s)", a[0] & 0x80 ? "|CLONE_NEWTIME" : "",
		    a[0] & 0x08000000 ? "|CLONE_NEWIPC" : "");
		break;
	case OP_IPC_LIMIT:
	case OP_SHM:
	case OP_SHM_COPY:
	case OP_SHM_FILL:
	case OP_SEM:
	case OP_MSG:
		add_sysv(t, op);
		break;
	case OP_CLOCKS:
		add(t, "clocks(monotonic=%lld.%09llu, boottime=%lld.%09llu)",
		    (long long)(a[0] / 1000000000), (unsigned long long)(a[0] % 1000000000),
		    (long long)(a[1] / 1000000000), (unsigned long long)(a[1] % 1000000000));
		break;
	case OP_FORK:
		if (a[1] == FORK_ORPHAN)
			add(t, "clone3({set_tid=%llu}), which ends after ",
			    (unsigned long long)a[2]);
		add(t, "clone3({set_tid=%llu%s})", (unsigned long long)a[0],
		    a[1] == FORK_BROTHER ? ", flags=CLONE_PARENT" : "");
		break;
	case OP_SUBREAPER:
		add(t, "prctl(PR_SET_CHILD_SUBREAPER)");
		break;
	case OP_SETSID:
		add(t, "setsid()");
		break;
	case OP_SETPGID:
		add(t, "setpgid(0, %llu)", (unsigned long long)a[0]);
		break;
	case OP_MEET:
		add(t, "meet()");
		break;
	case OP_SEE:
		add(t, "%s(%llu)", a[1] ? "waitid" : "waitpid", (unsigned long long)a[0]);
		break;
	case OP_EXIT:
		if (a[0] & 0x7f)
			add(t, "raise(%llu)", (unsigned long long)a[0] & 0x7f);
		else
			add(t, "_exit(%llu)", (unsigned long long)a[0] >> 8 & 0xff);
		break;
	case OP_OPEN:
		add(t, "open(");
		add_path(t, op->path);
		oflags_text(a[1], flags, sizeof(flags));
		add(t, ", %s) = slot %llu", flags, (unsigned long long)a[0]);
		if (a[2])
			add(t, "; lseek(%llu)", (unsigned long long)a[2]);
		break;
	case OP_PIPE:
		add(t, "pipe() = slots %llu, %llu", (unsigned long long)a[0],
		    (unsigned long long)a[1]);
		break;
	case OP_FIFO:
		add(t, "open(");
		add_path(t, op->path);
		add(t, ", O_RDWR) = slot %llu", (unsigned long long)a[0]);
		break;
	case OP_REOPEN:
		oflags_text(a[2], flags, sizeof(flags));
		add(t, "open(slot %llu, %s) = slot %llu", (unsigned long long)a[1], flags,
		    (unsigned long long)a[0]);
		if (a[3])
			add(t, "; lseek(%llu)", (unsigned long long)a[3]);
		break;
	case OP_FILL:
		add(t, "write(slot %llu, ", (unsigned long long)a[0]);
		add_path(t, op->path);
		add(t, ", %llu)", (unsigned long long)a[1]);
		if (a[3])
			add(t, " from %llu, a packet", (unsigned long long)a[2]);
		break;
	case OP_MEMORY:
		add(t, "memfd_create() = slot %llu; ftruncate(%llu)", (unsigned long long)a[0],
		    (unsigned long long)a[1]);
		break;
	case OP_COPY:
		add(t, "copy(core, %#llx, %llu, slot %llu, %#llx)", (unsigned long long)a[2],
		    (unsigned long long)a[3], (unsigned long long)a[0], (unsigned long long)a[4]);
		break;
	case OP_OWN:
		add(t, "dup(own %llu) = slot %llu", (unsigned long long)a[1],
		    (unsigned long long)a[0]);
		break;
	case OP_PLACE:
		add(t, "dup2(slot %llu, %llu)", (unsigned long long)a[0], (unsigned long long)a[1]);
		break;
	case OP_CWD:
		add(t, "chdir(");
		add_path(t, op->path);
		add(t, ")");
		break;
	case OP_UMASK:
		add(t, "umask(%#o)", (unsigned int)a[0]);
		break;
	case OP_OOM:
		add(t, "oom_score_adj(%d)", (int)a[0]);
		break;
	case OP_EXEC:
		add(t, "execve(");
		add_path(t, op->path ? op->path : "restart ELF");
		add(t, ")");
		break;
	default:
		add_made(t, op);
	}
}

static void add_restorer(struct text *t, const struct plan *plan, const struct plan_op *op)
{
	static const char *const barrier[] = { "barrier()", "wait()", "go()" };
	const unsigned long long *a = (const unsigned long long *)op->arg;

	switch (op->kind) {
	case OP_SYSCALL:
		add_syscall(t, plan, op);
		break;
	case OP_SWEEP:
		add(t, "munmap(everything)");
		break;
	case OP_READ:
		add(t, "pread(");
		add_fd(t, plan, op, a[0]);
		add(t, ", %#llx, %llu, %#llx)", a[1], a[2], a[3]);
		break;
	case OP_POKE4:
	case OP_POKE8:
		add(t, "*%#llx = %#llx", a[0], a[1]);
		break;
	case OP_CLONE:
		add(t, "clone(%#llx, child_tid=%#llx, tls=%#llx) = %llu", a[1], a[2], a[3], a[5]);
		break;
	case OP_TIMER:
		add(t, "timer_create(%lld, &data[%llu]) = %llu", (long long)op->arg[0], a[1], a[2]);
		break;
	case OP_LEFT:
		add(t, "*%#llx = %llu.%09llu - clock_gettime(%s)", a[0], a[2] / 1000000000,
		    a[2] % 1000000000, a[1] == 1 ? "CLOCK_MONOTONIC" : "CLOCK_BOOTTIME");
		break;
	case OP_END:
		add(t, "exit(0)");
		break;
	case OP_BARRIER:
	case OP_WAIT:
	case OP_GO:
		add(t, "%s", barrier[op->kind - OP_BARRIER]);
		break;
	default:
		add(t, "rt_sigreturn(rip=%#llx, xstate=%#llx)", a[3], a[2]);
	}
}

const char *plan_op_text(const struct plan *plan, const struct plan_op *op)
{
	static struct text t;

	t.len = 0;
	if (op->kind < OP_RESTORER)
		add_launcher(&t, op);
	else
		add_restorer(&t, plan, op);
	return t.s;
}

void plan_print(const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr_ops; i++) {
		const struct plan_op *op = &plan->ops[i];
		struct text object = { .len = 0 };
		char who[16] = "launcher";

		if (!op->tid && op->process >= 0)
			snprintf(who, sizeof(who), "%d",
				 plan->processes[op->process].process->info.pid);
		if (op->tid)
			snprintf(who, sizeof(who), "%d", op->tid);
		if (op->object && *op->object)
			add_path(&object, op->object);
		printf("%-8s  %s%s%s%s\n", who, plan_op_text(plan, op), object.len ? "  /* " : "",
		       object.s, object.len ? " */" : "");
	}
}
