// SPDX-License-Identifier: GPL-2.0-or-later
/* What the launcher does, as a person reads it. */
#include <stdarg.h>
#include <stdio.h>

#include "oflags.h"
#include "plan_text.h"

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s + t->len, sizeof(t->s) - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = t->len + n < sizeof(t->s) ? t->len + n : sizeof(t->s) - 1;
}

void text_path(struct text *t, const char *path)
{
	text_add(t, "\"");
	for (; path && *path; path++)
		text_add(t, (unsigned char)*path < 32 || *path == 127 ? "\\%03o" : "%c",
			 (unsigned char)*path);
	text_add(t, "\"");
}

static void add_modes(struct text *t, const struct plan_op *op, const struct terminal *terminal)
{
	text_add(t, "ioctl(slot %llu, TCSETS2, {%#o, %#o, %#o, %#o})",
		 (unsigned long long)op->arg[0], terminal->iflag, terminal->oflag, terminal->cflag,
		 terminal->lflag);
	text_add(t, "; ioctl(TIOCSWINSZ, {%u, %u})%s%s%s%s", terminal->rows, terminal->columns,
		 terminal->end ? "; write(VEOF)" : "", terminal->packet ? "; ioctl(TIOCPKT)" : "",
		 terminal->exclusive || terminal->slave_exclusive ? "; ioctl(TIOCEXCL)" : "",
		 terminal->locked ? "; ioctl(TIOCSPTLCK)" : "");
}

static void add_terminal(struct text *t, const struct plan *plan, const struct plan_op *op)
{
	const unsigned long long *a = (const unsigned long long *)op->arg;
	char flags[256];

	if (op->kind == OP_MODES) {
		add_modes(t, op, plan->img->files[a[2]].terminal);
		return;
	}
	oflags_text(a[2], flags, sizeof(flags));
	if (op->kind == OP_OPEN_TTY) {
		text_add(t, "ioctl(slot %llu, TIOCSCTTY); open(\"/dev/tty\", %s) = slot %llu", a[1],
			 flags, a[0]);
		return;
	}
	text_add(t, "open(");
	text_path(t, op->path);
	text_add(t, ", %s) = slot %llu", flags, a[0]);
	if (a[1] != ~0ull)
		text_add(t, "; ioctl(TIOCGPTPEER) = slot %llu", a[1]);
}

/* What is made from the image, and what is held on files. */
static void add_made(struct text *t, const struct plan_op *op)
{
	const unsigned long long *a = (const unsigned long long *)op->arg;

	switch (op->kind) {
	case OP_UNPACK:
		text_add(t, "unpack(");
		text_path(t, op->path);
		text_add(t, ", %#llo, %llu)", a[1], a[0]);
		break;
	case OP_CONTENTS:
		text_add(t, "copy(");
		text_path(t, op->path);
		text_add(t, ", %llu, slot %llu)", a[1], a[0]);
		break;
	case OP_LOST_DIRECTORY:
		text_add(t, "mkdir(%#llo) = slot %llu; rmdir()", a[1], a[0]);
		break;
	case OP_EVENTFD:
		text_add(t, "eventfd(%llu%s) = slot %llu", a[1], a[2] ? ", EFD_SEMAPHORE" : "",
			 a[0]);
		break;
	case OP_TIMERFD:
		text_add(t,
			 "timerfd_create(%llu) = slot %llu; timerfd_settime(%#x, %llu, %llu), %llu",
			 a[1], a[0], op->nr, a[4], a[5], a[2]);
		break;
	case OP_SIGNALFD:
		text_add(t, "signalfd(%#llx) = slot %llu", a[1], a[0]);
		break;
	case OP_EPOLL:
		text_add(t, "epoll_create() = slot %llu", a[0]);
		break;
	case OP_INOTIFY:
		text_add(t, "inotify_init() = slot %llu", a[0]);
		break;
	case OP_RING:
		text_add(t, "io_uring_setup() = slot %llu; io_uring_enter()", a[0]);
		break;
	case OP_RING_COPY:
		text_add(t, "copy(core, %#llx, %llu, slot %llu, %#llx)", a[2], a[3], a[0], a[4]);
		break;
	case OP_WATCH:
		text_add(t, "inotify_add_watch(slot %llu, ", a[0]);
		text_path(t, op->path);
		text_add(t, ", %#llx) = %llu", a[2], a[1]);
		break;
	case OP_FLOCK:
		text_add(t, "flock(slot %llu, %s)", a[0], a[1] ? "LOCK_EX" : "LOCK_SH");
		break;
	case OP_OFD_LOCK:
		text_add(t, "fcntl(slot %llu, F_OFD_SETLK, {%s, %llu, %llu})", a[0],
			 a[1] ? "F_WRLCK" : "F_RDLCK", a[2], a[3]);
		break;
	case OP_SEAL:
		text_add(t, "fcntl(slot %llu, F_ADD_SEALS, %#llx)", a[0], a[1]);
		break;
	case OP_PIDFD:
		text_add(t, "pidfd_open(%lld) = %llu", (long long)a[1], a[0]);
		break;
	case OP_ENTRY:
		text_add(t, "epoll_ctl(slot %llu, EPOLL_CTL_ADD, %llu, {%#llx, %#llx})", a[0], a[1],
			 a[2], a[3]);
		break;
	case OP_OWNER:
		text_add(t, "fcntl(slot %llu, F_SETOWN_EX, {%llu, %llu})", a[0], a[1], a[2]);
		break;
	default:
		text_add(t, "fcntl(slot %llu, F_SETLEASE, %s)", a[0], a[1] ? "F_WRLCK" : "F_RDLCK");
	}
}

static void add_sysv(struct text *t, const struct plan_op *op)
{
	const unsigned long long *a = (const unsigned long long *)op->arg;
	unsigned long long i;

	switch (op->kind) {
	case OP_IPC_LIMIT:
		text_add(t, "write(");
		text_path(t, op->path);
		text_add(t, ", \"");
		for (i = 0; i < a[4]; i++)
			text_add(t, "%s%llu", i ? " " : "", a[i]);
		text_add(t, "\")");
		break;
	case OP_SHM:
		text_add(t, "shmget(%#x, %llu, %#llo) = %llu%s%s", (unsigned int)a[1], a[2], a[3],
			 a[0], a[4] ? "; shmctl(SHM_LOCK)" : "", a[5] ? "; shmctl(IPC_RMID)" : "");
		break;
	case OP_SHM_COPY:
		text_add(t, "copy(core, %#llx, %llu, shm %llu, %#llx)", a[2], a[3], a[0], a[4]);
		break;
	case OP_SHM_FILL:
		text_add(t, "copy(");
		text_path(t, op->path);
		text_add(t, ", %llu, shm %llu)", a[1], a[0]);
		break;
	case OP_SEM:
		text_add(t, "semget(%#x, %llu, %#llo) = %llu; semctl(SETALL)", (unsigned int)a[1],
			 a[2], a[3], a[0]);
		break;
	default:
		text_add(t, "msgget(%#x, %#llo) = %llu; msgctl({msg_qbytes=%llu}); msgsnd(",
			 (unsigned int)a[1], a[3], a[0], a[2]);
		text_path(t, op->path);
		text_add(t, ")");
	}
}

static void add_tree(struct text *t, const struct plan_op *op)
{
	const uint64_t *a = op->arg;

	switch (op->kind) {
	case OP_FORK:
		if (a[1] == FORK_ORPHAN)
			text_add(t, "clone3({set_tid=%llu}), which ends after ",
				 (unsigned long long)a[2]);
		text_add(t, "clone3({set_tid=%llu%s})", (unsigned long long)a[0],
			 a[1] == FORK_BROTHER ? ", flags=CLONE_PARENT" : "");
		break;
	case OP_SUBREAPER:
		text_add(t, "prctl(PR_SET_CHILD_SUBREAPER)");
		break;
	case OP_SETSID:
		text_add(t, "setsid()");
		break;
	case OP_SETPGID:
		text_add(t, "setpgid(0, %llu)", (unsigned long long)a[0]);
		break;
	case OP_TAKE_TERMINAL:
		text_add(t, "ioctl(slot %llu, TIOCSCTTY)", (unsigned long long)a[0]);
		break;
	case OP_LEAVE_TERMINAL:
		text_add(t, "ioctl(slot %llu, TIOCNOTTY)", (unsigned long long)a[0]);
		break;
	case OP_FOREGROUND:
		text_add(t, "tcsetpgrp(slot %llu, %llu)", (unsigned long long)a[0],
			 (unsigned long long)a[1]);
		break;
	case OP_MEET:
		text_add(t, "meet()");
		break;
	case OP_SEE:
		text_add(t, "%s(%llu)", a[1] ? "waitid" : "waitpid", (unsigned long long)a[0]);
		break;
	case OP_EXIT:
		if (a[0] & 0x7f)
			text_add(t, "raise(%llu)", (unsigned long long)a[0] & 0x7f);
		else
			text_add(t, "_exit(%llu)", (unsigned long long)a[0] >> 8 & 0xff);
		break;
	default:
		add_made(t, op);
	}
}

static void add_files(struct text *t, const struct plan_op *op)
{
	const uint64_t *a = op->arg;
	char flags[256];

	switch (op->kind) {
	case OP_OPEN:
		text_add(t, "open(");
		text_path(t, op->path);
		oflags_text(a[1], flags, sizeof(flags));
		text_add(t, ", %s) = slot %llu", flags, (unsigned long long)a[0]);
		if (a[2])
			text_add(t, "; lseek(%llu)", (unsigned long long)a[2]);
		break;
	case OP_PIPE:
		text_add(t, "pipe() = slots %llu, %llu", (unsigned long long)a[0],
			 (unsigned long long)a[1]);
		break;
	case OP_FIFO:
		text_add(t, "open(");
		text_path(t, op->path);
		text_add(t, ", O_RDWR) = slot %llu", (unsigned long long)a[0]);
		break;
	case OP_REOPEN:
		oflags_text(a[2], flags, sizeof(flags));
		text_add(t,
			 a[4] ? "dup(slot %llu), %s = slot %llu"
			      : "open(slot %llu, %s) = slot %llu",
			 (unsigned long long)a[1], flags, (unsigned long long)a[0]);
		if (a[3])
			text_add(t, "; lseek(%llu)", (unsigned long long)a[3]);
		break;
	case OP_FILL:
		text_add(t, "write(slot %llu, ", (unsigned long long)a[0]);
		text_path(t, op->path);
		text_add(t, ", %llu)", (unsigned long long)a[1]);
		if (a[3])
			text_add(t, " from %llu, a packet", (unsigned long long)a[2]);
		break;
	case OP_MEMORY:
		text_add(t, "memfd_create() = slot %llu; ftruncate(%llu)", (unsigned long long)a[0],
			 (unsigned long long)a[1]);
		break;
	case OP_COPY:
		text_add(t, "copy(core, %#llx, %llu, slot %llu, %#llx)", (unsigned long long)a[2],
			 (unsigned long long)a[3], (unsigned long long)a[0],
			 (unsigned long long)a[4]);
		break;
	case OP_CORE:
		text_add(t, "dup(core of process %llu) = slot %llu", (unsigned long long)a[1],
			 (unsigned long long)a[0]);
		break;
	case OP_OWN:
		text_add(t, "dup(own %llu) = slot %llu", (unsigned long long)a[1],
			 (unsigned long long)a[0]);
		break;
	case OP_PLACE:
		text_add(t, "dup2(slot %llu, %llu)", (unsigned long long)a[0],
			 (unsigned long long)a[1]);
		break;
	default:
		add_tree(t, op);
	}
}

void text_launcher(struct text *t, const struct plan *plan, const struct plan_op *op)
{
	const uint64_t *a = op->arg;

	if (is_sysv_op(op->kind)) {
		add_sysv(t, op);
		return;
	}
	switch (op->kind) {
	case OP_NAMESPACES:
		text_add(t, "unshare(CLONE_NEWPID|CLONE_NEWNS%s%s)",
			 a[0] & 0x80 ? "|CLONE_NEWTIME" : "",
			 a[0] & 0x08000000 ? "|CLONE_NEWIPC" : "");
		break;
	case OP_CLOCKS:
		text_add(t, "clocks(monotonic=%lld.%09llu, boottime=%lld.%09llu)",
			 (long long)(a[0] / 1000000000), (unsigned long long)(a[0] % 1000000000),
			 (long long)(a[1] / 1000000000), (unsigned long long)(a[1] % 1000000000));
		break;
	case OP_TERMINAL:
	case OP_OPEN_TTY:
	case OP_MODES:
		add_terminal(t, plan, op);
		break;
	case OP_FRONT:
		text_add(t, "tcsetattr(\"/dev/tty\", {%#o, %#o, %#o})", plan->img->front->iflag,
			 plan->img->front->oflag, plan->img->front->lflag);
		break;
	case OP_CWD:
		if (op->arg[0])
			text_add(t, "fchdir(slot %llu, ", (unsigned long long)a[0] - 1);
		else
			text_add(t, "chdir(");
		text_path(t, op->path);
		text_add(t, ")");
		break;
	case OP_UMASK:
		text_add(t, "umask(%#o)", (unsigned int)a[0]);
		break;
	case OP_OOM:
		text_add(t, "oom_score_adj(%d)", (int)a[0]);
		break;
	case OP_DUMP_FILTER:
		text_add(t, "coredump_filter(%#x)", (unsigned int)a[0]);
		break;
	case OP_EXEC:
		text_add(t, "execve(");
		text_path(t, op->path ? op->path : "restart ELF");
		text_add(t, ")");
		break;
	default:
		add_files(t, op);
	}
}
