// SPDX-License-Identifier: GPL-2.0-or-later
/* Starts the engine on the restart ELF and listens to the restorer until the program stands. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch.h"
#include "launch_cover.h"
#include "launch_exec.h"
#include "pack.h"
#include "report.h"

#define ATTEMPTS 8
#define EXIT_STAGE1 124
#define X86_EEXIST 17
#define X86_ENOMEM 12

enum outcome { STARTED, FAILED, COLLISION };

/* Linux' error numbers below 35 are everybody's, and those are what the restorer's calls give. */
static void tell_failure(const struct plan *plan, const struct record_status *status, bool warning)
{
	const struct plan_op *op = pack_operation(plan, status->index);
	const char *object = op && op->object && *op->object ? op->object : NULL;
	const char *text = op ? plan_op_text(plan, op) : "an unknown operation";
	char reason[64];

	if (status->result < 0 && status->result > -4096)
		snprintf(reason, sizeof(reason), "%s", strerror(-status->result));
	else
		snprintf(reason, sizeof(reason), "got %#llx", (long long)status->result);
	if (warning)
		warn("pid %d: cannot restore all: %s%s%s: %s", plan->process->info.pid, text,
		     object ? " of " : "", object ? object : "", reason);
	else
		fail("cannot resume pid %d: %s%s%s: %s", plan->process->info.pid, text,
		     object ? " of " : "", object ? object : "", reason);
}

/* Did something stand where the image has memory? Another try may lay the engine out otherwise. */
static bool is_collision(const struct plan *plan, const struct record_status *status)
{
	const struct plan_op *op = pack_operation(plan, status->index);

	if (!op || plan->engine->kind != ENGINE_QEMU || op->kind != OP_SYSCALL)
		return false;
	return (op->nr == NR_MMAP || op->nr == NR_BRK) &&
	       (status->result > 0 || status->result == -X86_EEXIST ||
		status->result == -X86_ENOMEM);
}

static pid_t fork_with_pid(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = (uintptr_t)&pid,
				   .set_tid_size = 1 };

	return syscall(SYS_clone3, &args, sizeof(args));
}

static int reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* Those that wait until front() passes them on mean us as long as there is no program. */
static int interrupted_by(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction action;
	sigset_t pending;
	size_t i;

	sigpending(&pending);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigismember(&pending, signals[i]) && !sigaction(signals[i], NULL, &action) &&
		    action.sa_handler != SIG_IGN)
			return signals[i];
	return 0;
}

/* Restoring takes as long as it takes, but not against the user's will. */
static bool next_status(const struct launched *l, struct record_status *status)
{
	struct pollfd ready = { .fd = l->status, .events = POLLIN };

	while (!poll(&ready, 1, 200))
		if (interrupted_by())
			return false;
	return read(l->status, status, sizeof(*status)) == sizeof(*status) &&
	       status->magic == RECORD_MAGIC;
}

static enum outcome listen_to(struct launched *l, const struct plan *plan, bool last)
{
	struct record_status status;
	int end;

	while (next_status(l, &status)) {
		if (status.kind == STATUS_STARTED)
			return STARTED;
		if (status.kind == STATUS_WARNING) {
			tell_failure(plan, &status, true);
			continue;
		}
		if (!last && is_collision(plan, &status)) {
			kill(l->pid, SIGKILL);
			reap(l->pid);
			return COLLISION;
		}
		tell_failure(plan, &status, false);
		kill(l->pid, SIGKILL);
		reap(l->pid);
		return FAILED;
	}
	kill(l->pid, SIGKILL);
	end = reap(l->pid);
	if (interrupted_by()) {
		fail("cannot resume pid %d: interrupted (%s)", plan->process->info.pid,
		     strsignal(interrupted_by()));
		return FAILED;
	}
	if (!last && plan->engine->kind == ENGINE_QEMU && end != EXIT_TOLD << 8)
		return COLLISION;
	if (WIFEXITED(end) && WEXITSTATUS(end) == EXIT_STAGE1)
		fail("cannot resume pid %d: no room for the restorer at %#llx",
		     plan->process->info.pid, (unsigned long long)plan->hole);
	else if (end != EXIT_TOLD << 8)
		fail("cannot resume pid %d: %s ended while the program was being restored (%s %d)",
		     plan->process->info.pid, plan->engine->name,
		     WIFSIGNALED(end) ? "signal" : "status",
		     WIFSIGNALED(end) ? WTERMSIG(end) : WEXITSTATUS(end));
	return FAILED;
}

static enum outcome attempt(struct launched *l, struct launch_files *files, const struct plan *plan,
			    const struct slots *slots, bool last)
{
	enum outcome outcome;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		fail("cannot make a socket: %s", strerror(errno));
		return FAILED;
	}
	l->pid = fork_with_pid(plan->process->info.pid);
	if (!l->pid)
		launch_exec(files, plan, slots, &l->world, pair[1]);
	close(pair[1]);
	l->status = pair[0];
	if (l->pid < 0) {
		fail("cannot give the program its pid %d: %s%s", plan->process->info.pid,
		     strerror(errno), errno == EINVAL ? " (raise kernel.pid_max)" : "");
		outcome = FAILED;
	} else {
		outcome = listen_to(l, plan, last);
	}
	if (outcome != STARTED)
		close(l->status);
	return outcome;
}

/* Natively the kernel is told which file the program is; an engine goes by the path. */
static const char *path_to_cover(const struct plan *plan)
{
	const struct engine *engine = plan->engine;
	bool kept = plan->host->exe_exists || engine->can.flags & PROBE_EXE_NAME;

	return engine->kind == ENGINE_QEMU && kept ? plan->process->exe : "";
}

int launch(struct launched *l, struct plan *plan, const struct slots *slots)
{
	struct launch_files files = { .restorer = pack_restorer(plan),
				      .restart = pack_restart_elf(plan),
				      .exe = -1,
				      .cover = path_to_cover(plan) };
	struct cover cover = { .path = files.cover,
			       .engine = plan->engine->path,
			       .restart = files.restart };
	enum outcome outcome = FAILED;
	char *made = NULL;

	if (files.restorer < 0 || files.restart < 0)
		return -1;
	if (plan->engine->kind == ENGINE_NATIVE && plan->host->exe_exists)
		files.exe = open(plan->process->exe, O_RDONLY | O_CLOEXEC);
	if (*files.cover)
		made = cover_prepare(files.cover);
	if (world_open(&l->world, plan, &cover))
		goto out;
	do {
		outcome = attempt(l, &files, plan, slots, files.failures == ATTEMPTS - 1);
		if (*files.cover)
			world_uncover(&l->world);
	} while (outcome == COLLISION && ++files.failures < ATTEMPTS);
	if (outcome != STARTED)
		world_kill(&l->world);
out:
	cover_forget(made);
	close(files.restorer);
	close(files.restart);
	if (files.exe >= 0)
		close(files.exe);
	return outcome == STARTED ? 0 : -1;
}

int launch_go(struct launched *l)
{
	ssize_t n = write(l->status, "g", 1);

	close(l->status);
	if (n == 1)
		return 0;
	launch_abort(l);
	return fail("cannot resume the program: it ended before its start");
}

void launch_abort(struct launched *l)
{
	/* its namespace does not end before it is waited for, and that is for us to do */
	kill(l->pid, SIGKILL);
	reap(l->pid);
	world_kill(&l->world);
}
