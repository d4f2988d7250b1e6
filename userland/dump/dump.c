// SPDX-License-Identifier: GPL-2.0-or-later
/* xckpt-dump: freeze a group of processes, write its image, let it go on. */
#include "dump.h"
#include "interrupt.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* So many a process may have at most, whoever it is. */
static rlim_t most_fds(rlim_t otherwise)
{
	FILE *f = fopen("/proc/sys/fs/nr_open", "re");
	unsigned long long most;

	if (f && fscanf(f, "%llu", &most) == 1)
		otherwise = most;
	if (f)
		fclose(f);
	return otherwise;
}

/*
 * One core and one file per process are open at a time, and the files that they have
 * mapped. A shell's limits are no reason to do with less: they are against programs that
 * open files without end, and root, who is asked for all of this, may raise the hard one.
 */
static void raise_fd_limit(void)
{
	struct rlimit limit, most;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	most.rlim_cur = most.rlim_max = most_fds(limit.rlim_max);
	if (limit.rlim_cur >= most.rlim_cur || setrlimit(RLIMIT_NOFILE, &most) == 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int check_stdout(void)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st))
		return fail("cannot write to standard output: %s", strerror(errno));
	if (isatty(STDOUT_FILENO))
		return fail(
			"cannot write to standard output: it is a terminal (give -o DIR, or send "
			"it to a file or a pipe)");
	return 0;
}

/* Before anything is written: what is not resumable must not be killed unasked. */
static int judge_unsupported(const struct dump *d)
{
	const struct manifest *m = &d->priv.manifest;
	bool refuse = d->opt.kill && !d->opt.force;

	for (size_t i = 0; i < m->nr_unsupported; i++) {
		const struct manifest_unsupported *u = &m->unsupported[i];
		const char *blank = u->object[0] ? " " : "";

		if (refuse)
			return fail("cannot kill %s after the dump: pid %d%s%s: %s (dump without "
				    "--kill, or with --force)",
				    d->name, u->pid, blank, u->object, u->why);
		if (!d->opt.quiet)
			warn("pid %d%s%s: %s", u->pid, blank, u->object, u->why);
	}
	if (d->nr_sysv_left && !d->opt.quiet)
		warn("%zu System V IPC object%s of root, last used by others, %s left out (a "
		     "program that is run by unshare --ipc has all of its own)",
		     d->nr_sysv_left, d->nr_sysv_left == 1 ? "" : "s",
		     d->nr_sysv_left == 1 ? "is" : "are");
	return 0;
}

static int run(struct dump *d)
{
	bool stream = strcmp(d->opt.output, "-") == 0;

	if (stream && check_stdout())
		return -1;
	if (session_open(d) || target_open(d) || describe_host(d))
		return -1;
	if (!stream && store_begin(d))
		return -1;
	if (snapshot_take(d) || capture(d) || judge_unsupported(d) || judge_mounts(d) ||
	    transfer(d))
		return -1;
	if (d->opt.kill)
		return session_thaw(d, XCKPT_THAW_KILL);
	if (d->opt.leave_stopped)
		return session_thaw(d, XCKPT_THAW_STOP);
	return 0;
}

static void summarize(const struct dump *d)
{
	size_t nr = d->img.nr_processes;
	char bytes[32], frozen[32], remark[256], sysv[160], line[1024];
	int n;

	n = snprintf(line, sizeof(line),
		     "xckpt-dump: %.300s (%s): %zu process%s, %zu thread%s, %s in %.2f s, frozen "
		     "%s, image %.300s%s%s\n",
		     d->name, d->priv.manifest.processes[0].comm, nr, nr == 1 ? "" : "es",
		     d->nr_threads, d->nr_threads == 1 ? "" : "s",
		     human_bytes(d->bytes_written, bytes), (double)(now_ns() - d->start_ns) / 1e9,
		     human_time(d->frozen_ns, frozen),
		     strcmp(d->opt.output, "-") == 0 ? "on standard output" : d->opt.output,
		     snapshot_remark(d, remark), sysv_remark(d, sysv));
	/* the program chose its name */
	for (int i = 0; i < n - 1; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nobody is left to be told */
}

static void clean_up(struct dump *d)
{
	/* before files are removed, which may take its time: closing thaws */
	capture_forget(d);
	if (d->mount_fd >= 0)
		close(d->mount_fd);
	if (d->session_fd >= 0)
		close(d->session_fd);
	limits_forget(d);
	target_close(d);
	store_abort(d);
	arena_free(&d->priv.arena);
	free(d->tasks);
	free(d->opt.pids);
}

int main(int argc, char **argv)
{
	struct dump d = { .session_fd = -1,
			  .mount_fd = -1,
			  .store = { .parent_fd = -1, .dir_fd = -1 } };
	int ret;

	report_tool = "xckpt-dump";
	ret = parse_options(argc, argv, &d.opt);
	if (ret) {
		free(d.opt.pids);
		return ret - 1;
	}
	d.start_ns = now_ns();
	umask(077);
	raise_fd_limit();
	interrupt_catch();
	ret = run(&d);
	if (ret && interrupted)
		fail("cannot dump %s: interrupted (no image was written, the program goes on)",
		     d.name ? d.name : "it");
	else if (!ret && !d.opt.quiet)
		summarize(&d);
	if (!ret)
		store_keep(&d);
	clean_up(&d);
	if (ret)
		interrupt_release();
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
