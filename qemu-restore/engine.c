// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blobs.h"
#include "engine.h"
#include "report.h"

const char *const engine_qemu_options[] = { "-cpu", "max", NULL };

/* The signal frames that a QEMU reads know no more than these. */
#define TCG_XFEATURES 0x7ull

#define PROBE_PATIENCE 60 /* seconds, for an emulated machine under load */

static char *find_on_path(const char *name)
{
	const char *path = getenv("PATH"), *end;
	char *found;

	for (path = path ? path : "/usr/local/bin:/usr/bin:/bin"; *path;
	     path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		if (end == path)
			continue;
		if (asprintf(&found, "%.*s/%s", (int)(end - path), path, name) < 0)
			return NULL;
		if (!access(found, X_OK))
			return found;
		free(found);
	}
	return NULL;
}

/* The engine is started in the program's working directory. */
static const char *absolute(const char *path)
{
	char *cwd, *whole = NULL;

	if (!path || *path == '/')
		return path;
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&whole, "%s/%s", cwd, path) < 0)
		whole = NULL;
	free(cwd);
	return whole;
}

static int find_qemu(struct engine *engine, const char *qemu)
{
	if (qemu && strchr(qemu, '/'))
		engine->path = access(qemu, X_OK) ? NULL : qemu;
	else if (qemu)
		engine->path = find_on_path(qemu);
	else if (!(engine->path = find_on_path("qemu-x86_64")))
		engine->path = find_on_path("qemu-x86_64-static");
	engine->path = absolute(engine->path);
	if (engine->path)
		return 0;
	if (qemu)
		return fail("cannot run %s: %s (name an executable qemu-x86_64 with --qemu)", qemu,
			    strerror(errno));
	return fail("cannot find qemu-x86_64 on PATH: No such file or directory "
		    "(install qemu-user, or name it with --qemu)");
}

static _Noreturn void exec_probe(const struct engine *engine, int elf, int out)
{
	char path[32];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0); /* to be ended with all that it may start */
	dup2(out, 1);
	elf = dup(elf); /* without close-on-exec */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", elf);
	if (engine->path)
		execl(engine->path, engine->path, engine_qemu_options[0], engine_qemu_options[1],
		      path, NULL);
	else
		execl(path, "probe", NULL);
	_exit(127);
}

/* Read until the end; *@late tells that it did not come in good time. */
static size_t read_all(int fd, void *buf, size_t len, bool *late)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char more[64];
	size_t done = 0;
	ssize_t n;

	for (;;) {
		*late = poll(&ready, 1, PROBE_PATIENCE * 1000) <= 0;
		if (*late)
			return done;
		n = done < len ? read(fd, (char *)buf + done, len - done)
			       : read(fd, more, sizeof(more));
		if (n <= 0)
			return done;
		done += n;
	}
}

static int run_probe(struct engine *engine)
{
	size_t size = blob_probe_end - blob_probe;
	int status = 0, fds[2], elf = memfd_create("probe", MFD_CLOEXEC);
	bool late = false;
	size_t n = 0;
	pid_t pid;

	if (elf < 0 || write(elf, blob_probe, size) != (ssize_t)size || pipe2(fds, O_CLOEXEC))
		return fail("cannot probe %s: %s", engine->name, strerror(errno));
	pid = fork();
	if (!pid)
		exec_probe(engine, elf, fds[1]);
	close(fds[1]);
	close(elf);
	if (pid > 0) {
		n = read_all(fds[0], &engine->can, sizeof(engine->can), &late);
		if (late && kill(-pid, SIGKILL))
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(fds[0]);
	if (n == sizeof(engine->can) && engine->can.magic == PROBE_MAGIC && !status)
		return 0;
	if (late)
		return fail(
			"cannot probe %s: it does not end within %d seconds (name a qemu-x86_64 "
			"with --qemu)",
			engine->name, PROBE_PATIENCE);
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return fail("cannot run %s: it cannot be executed on this machine%s", engine->name,
			    engine->path ? "" : " (use --engine qemu)");
	return fail("cannot probe %s: it does not run an x86-64 program (status %#x)", engine->name,
		    status);
}

int engine_open(struct engine *engine, enum engine_kind kind, const char *qemu)
{
	memset(engine, 0, sizeof(*engine));
#ifdef __x86_64__
	if (kind == ENGINE_AUTO)
		kind = qemu ? ENGINE_QEMU : ENGINE_NATIVE;
#else
	if (kind == ENGINE_NATIVE)
		return fail(
			"cannot resume natively: this machine is not x86-64 (use --engine qemu)");
	if (kind == ENGINE_AUTO)
		kind = ENGINE_QEMU;
#endif
	engine->kind = kind;
	engine->name = "this CPU";
	if (kind == ENGINE_QEMU) {
		if (find_qemu(engine, qemu))
			return -1;
		engine->name = engine->path;
	}
	if (run_probe(engine))
		return -1;
	engine->xfeatures = engine->can.xcr0;
	if (kind == ENGINE_QEMU)
		engine->xfeatures &= TCG_XFEATURES;
	return 0;
}
