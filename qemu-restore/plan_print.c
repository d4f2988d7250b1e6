// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan as a person reads it: one line for each operation, like strace. */
#include <stdio.h>
#include <string.h>

#include "plan.h"
#include "plan_text.h"

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
	{ NR_CHROOT, "chroot", { REF } },
	{ NR_PERSONALITY, "personality", { HEX } },
	{ NR_SETPRIORITY, "setpriority", { DEC, DEC, DEC } },
	{ NR_SCHED_SETSCHEDULER, "sched_setscheduler", { DEC, DEC, REF } },
	{ NR_MLOCK, "mlock", { HEX, DEC } },
	{ NR_MLOCKALL, "mlockall", { DEC } },
	{ NR_MEMBARRIER, "membarrier", { HEX } },
	{ NR_MLOCK2, "mlock2", { HEX, DEC, DEC } },
	{ NR_PRCTL, "prctl", { DEC, HEX, HEX, HEX } },
	{ NR_ARCH_PRCTL, "arch_prctl", { HEX, HEX } },
	{ NR_SETGROUPS, "setgroups", { DEC, REF } },
	{ NR_SETRESUID, "setresuid", { DEC, DEC, DEC } },
	{ NR_SETRESGID, "setresgid", { DEC, DEC, DEC } },
	{ NR_SETFSUID, "setfsuid", { DEC } },
	{ NR_SETFSGID, "setfsgid", { DEC } },
	{ NR_SCHED_SETAFFINITY, "sched_setaffinity", { DEC, DEC, REF } },
	{ NR_SET_TID_ADDRESS, "set_tid_address", { HEX } },
	{ NR_TIMER_SETTIME, "timer_settime", { DEC, DEC, REF, DEC } },
	{ NR_TGKILL, "tgkill", { DEC, DEC, SIG } },
	{ NR_WAITID, "waitid", { DEC, DEC, DEC, HEX } },
	{ NR_IOPRIO_SET, "ioprio_set", { DEC, DEC, HEX } },
	{ NR_SIGNALFD4, "signalfd4", { FD, REF, DEC, DEC } },
	{ NR_SET_ROBUST_LIST, "set_robust_list", { HEX, DEC } },
	{ NR_RT_TGSIGQUEUEINFO, "rt_tgsigqueueinfo", { DEC, DEC, SIG, REF } },
	{ NR_PRLIMIT64, "prlimit64", { DEC, DEC, REF, DEC } },
	{ NR_PKEY_MPROTECT, "pkey_mprotect", { HEX, DEC, PROT, DEC } },
	{ NR_PKEY_ALLOC, "pkey_alloc", { DEC, DEC } },
	{ NR_PKEY_FREE, "pkey_free", { DEC } },
	{ NR_RSEQ, "rseq", { HEX, DEC, DEC, HEX } },
	{ NR_MSEAL, "mseal", { HEX, DEC } },
};

static void add_bits(struct text *t, uint64_t v, const char *const names[], size_t n,
		     const char *none)
{
	const char *separator = "";
	size_t i;

	for (i = 0; i < n; i++)
		if (v >> i & 1 && names[i]) {
			text_add(t, "%s%s", separator, names[i]);
			separator = "|";
		}
	if (!*separator)
		text_add(t, "%s", none);
}

static void add_fd(struct text *t, const struct plan *plan, const struct plan_op *op, uint64_t fd)
{
	const struct plan_fds *fds = &plan->processes[op->process].fds;

	if ((int)fd == fds->core)
		text_add(t, "core");
	else if ((int)fd == fds->restorer)
		text_add(t, "restorer");
	else if ((int)fd == fds->status)
		text_add(t, "status");
	else
		text_add(t, "%d", (int)fd);
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
		text_add(t, "&data[%llu]", (unsigned long long)v);
		return;
	}
	switch (form) {
	case PROT:
		add_bits(t, v, prot, 3, "PROT_NONE");
		break;
	case MAP:
		add_bits(t, v, flags, 21, "0");
		if (v >> X86_MAP_HUGE_SHIFT)
			text_add(t, "|%d << MAP_HUGE_SHIFT", (int)(v >> X86_MAP_HUGE_SHIFT));
		break;
	case FD:
		add_fd(t, plan, op, v);
		break;
	case HEX:
		text_add(t, "%#llx", (unsigned long long)v);
		break;
	default:
		text_add(t, "%lld", (long long)v);
	}
}

static void add_syscall(struct text *t, const struct plan *plan, const struct plan_op *op)
{
	size_t n;
	int i;

	for (n = 0; n < sizeof(calls) / sizeof(calls[0]) && calls[n].nr != op->nr; n++)
		;
	if (n == sizeof(calls) / sizeof(calls[0])) {
		text_add(t, "syscall_%u()", op->nr);
		return;
	}
	text_add(t, "%s(", calls[n].name);
	for (i = 0; i < 6 && calls[n].form[i]; i++) {
		text_add(t, "%s", i ? ", " : "");
		add_arg(t, plan, op, calls[n].form[i], i);
	}
	text_add(t, ")");
	if (op->want == WANT_VALUE)
		text_add(t, " = %#llx", (unsigned long long)op->value);
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
		text_add(t, "munmap(everything)");
		break;
	case OP_OCCUPY:
		text_add(t, a[2] ? "occupy(%#llx, %#llx)" : "munmap(%#llx, %#llx)", a[0],
			 a[1] - a[0]);
		break;
	case OP_LOAD:
		text_add(t, "load(core)");
		break;
	case OP_READ:
		text_add(t, "pread(");
		add_fd(t, plan, op, a[0]);
		text_add(t, ", %#llx, %llu, %#llx)", a[1], a[2], a[3]);
		break;
	case OP_POKE4:
	case OP_POKE8:
		text_add(t, "*%#llx = %#llx", a[0], a[1]);
		break;
	case OP_CLONE:
		text_add(t, "clone(%#llx, child_tid=%#llx, tls=%#llx) = %llu", a[1], a[2], a[3],
			 a[5]);
		break;
	case OP_TIMER:
		text_add(t, "timer_create(%lld, &data[%llu]) = %llu", (long long)op->arg[0], a[1],
			 a[2]);
		break;
	case OP_LEFT:
		text_add(t, "*%#llx = %llu.%09llu - clock_gettime(%s)", a[0], a[2] / 1000000000,
			 a[2] % 1000000000, a[1] == 1 ? "CLOCK_MONOTONIC" : "CLOCK_BOOTTIME");
		break;
	case OP_OPEN_ITSELF:
		text_add(t, "open(&data[%llu], %#llx) = %llu; lseek(%llu)", a[0], a[1], a[3], a[2]);
		break;
	case OP_END:
		text_add(t, "exit(0)");
		break;
	case OP_BARRIER:
	case OP_WAIT:
	case OP_GO:
		text_add(t, "%s", barrier[op->kind - OP_BARRIER]);
		break;
	default:
		text_add(t, "rt_sigreturn(rip=%#llx, xstate=%#llx)", a[3], a[2]);
	}
}

const char *plan_op_text(const struct plan *plan, const struct plan_op *op)
{
	static struct text t;

	t.len = 0;
	if (op->kind < OP_RESTORER)
		text_launcher(&t, plan, op);
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
			text_path(&object, op->object);
		printf("%-8s  %s%s%s%s\n", who, plan_op_text(plan, op), object.len ? "  /* " : "",
		       object.s, object.len ? " */" : "");
	}
}
