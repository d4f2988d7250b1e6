// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch_cover.h"
#include "launch_exec.h"
#include "launch_slots.h"
#include "report.h"

#define USUAL_STACK (8ul << 20) /* of which kernels leave free 128 MiB and more */

#define PIDS_USUAL 32768 /* kernel.pid_max where nobody has set it */
#define ARGS_MAX (64 * 1024)

extern char **environ;

static int write_number(const char *path, long long value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = -1;

	if (fd >= 0) {
		ret = dprintf(fd, "%lld", value) > 0 ? 0 : -1;
		close(fd);
	}
	return ret;
}

static bool is_near(const struct image_process *p, int pid, int range)
{
	size_t i;

	for (i = 0; i < p->nr_threads; i++)
		if (p->threads[i].tid >= pid && p->threads[i].tid < pid + range)
			return true;
	return false;
}

/* An engine's own threads must not take the ids that the program's threads will have. */
static void move_pids_away(const struct plan *plan)
{
	const struct image *img = plan->img;
	int range = 100 + 2 * (int)img->nr_processes, pid = 300;
	size_t i = 0;

	while (i < img->nr_processes && pid < PIDS_USUAL - range)
		if (is_near(&img->processes[i++], pid, range)) {
			pid += range;
			i = 0;
		}
	if (write_number("/proc/sys/kernel/ns_last_pid", pid))
		fail("cannot choose thread ids: /proc/sys/kernel/ns_last_pid: %s", strerror(errno));
}

/* What the launcher does goes wrong without harm: the word for it is the restorer's. */
static void tell_warning(const struct plan *plan, const struct plan_op *op, int status)
{
	const struct record_status warning = { .magic = RECORD_MAGIC,
					       .kind = STATUS_WARNING,
					       .index = op - plan->ops,
					       .result = -errno };

	if (write(status, &warning, sizeof(warning)) != sizeof(warning))
		warn("cannot tell a warning: %s", strerror(errno));
}

static int enter_directory(const struct slots *slots, const struct plan_op *op)
{
	return op->arg[0] ? fchdir(slots->fd[op->arg[0] - 1]) : chdir(op->path);
}

static int surroundings(const struct process_plan *plan, const struct slots *slots, int status)
{
	size_t i;

	for (i = 0; i < plan->nr_ops; i++) {
		const struct plan_op *op = &plan->group->ops[plan->first_op + i];

		if (op->kind == OP_CWD && enter_directory(slots, op))
			return fail("cannot resume pid %d: its working directory %s: %s",
				    plan->process->info.pid, op->path, strerror(errno));
		if (op->kind == OP_UMASK)
			umask(op->arg[0]);
		if (op->kind == OP_OOM && write_number("/proc/self/oom_score_adj", (int)op->arg[0]))
			tell_warning(plan->group, op, status);
		if (op->kind == OP_DUMP_FILTER &&
		    write_number("/proc/self/coredump_filter", (int)op->arg[0]))
			tell_warning(plan->group, op, status);
	}
	return 0;
}

/*
 * As a user in a user namespace: what the restorer needs would be lost when the
 * engine is executed, unless it is ambient. The restorer gives it up again.
 */
static int keep_capabilities(const struct process_plan *plan)
{
	static const int wanted[] = { CAP_SYS_ADMIN, CAP_SYS_RESOURCE, CAP_CHECKPOINT_RESTORE };
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	size_t i;

	if (plan->host->root)
		return 0;
	if (syscall(SYS_capget, &head, data))
		return fail("cannot read the capabilities: %s", strerror(errno));
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		data[wanted[i] / 32].inheritable |= 1u << wanted[i] % 32;
	if (syscall(SYS_capset, &head, data))
		return fail("cannot keep capabilities: %s", strerror(errno));
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, wanted[i], 0, 0))
			return fail("cannot keep a capability: %s", strerror(errno));
	return 0;
}

/* Our own descriptors at the numbers that the plan gives them. */
static int place_own(const struct launch_files *files, const struct process_plan *plan, int status)
{
	const struct plan_fds *to = &plan->fds;
	int from[] = { status, files->restorer, plan->process->core_fd, files->exe, files->elf };
	const int target[] = { to->status, to->restorer, to->core, to->exe, to->restart };
	const int nr = sizeof(from) / sizeof(from[0]);
	int i;

	for (i = 0; i < nr; i++)
		if (from[i] >= 0) {
			from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, to->next);
			if (from[i] < 0)
				return fail("cannot hold another open file: %s", strerror(errno));
		}
	for (i = 0; i < nr; i++)
		if (from[i] >= 0 && dup2(from[i], target[i]) < 0)
			return fail("cannot make fd %d: %s", target[i], strerror(errno));
	return 0;
}

/* The image's own arguments, which /proc/PID/cmdline shows; NULL-terminated. */
static char **arguments(const struct image_process *p, char **first)
{
	static char text[ARGS_MAX + 1];
	size_t len = p->mm.arg_end - p->mm.arg_start, i, n = 1, k = 0;
	char **argv;

	if (p->mm.arg_end <= p->mm.arg_start || len > ARGS_MAX ||
	    image_read_memory(p, p->mm.arg_start, text, len) || !text[0]) {
		snprintf(text, sizeof(text), "%.15s", p->info.comm);
		len = strlen(text) + 1;
	}
	text[len] = 0;
	for (i = 0; i < len; i++)
		n += !text[i];
	argv = calloc(n + 1, sizeof(*argv));
	if (!argv)
		return NULL;
	for (i = 0; i < len && k < n; i += strlen(text + i) + 1)
		argv[k++] = text + i;
	*first = argv[0];
	return argv;
}

/* What a QEMU would take as orders to itself. */
static void clean_environment(void)
{
	char **from = environ, **to = environ;

	for (; *from; from++)
		if (strncmp(*from, "QEMU_", 5))
			*to++ = *from;
	*to = NULL;
}

/* What to execute and with which arguments; @elf is where the restart ELF is seen. */
static char **command(const struct process_plan *plan, const char *elf)
{
	const char **argv;
	char *argv0, **args = arguments(plan->process, &argv0);
	size_t n = 0, i, k = 0;

	if (!args || plan->engine->kind == ENGINE_NATIVE)
		return args;
	while (args[n])
		n++;
	argv = calloc(n + 8, sizeof(*argv));
	if (!argv)
		return NULL;
	argv[k++] = plan->engine->path;
	for (i = 0; engine_qemu_options[i]; i++)
		argv[k++] = engine_qemu_options[i];
	argv[k++] = "-0";
	argv[k++] = argv0;
	argv[k++] = elf;
	for (i = 1; i < n; i++)
		argv[k++] = args[i];
	return (char **)argv;
}

/*
 * What the program finds as /proc/self/exe. Under an engine that is the path of
 * the restart ELF, so it is shown at the program's; natively the kernel is told
 * a file, and where there is none here, one that has its name at least.
 */
static const char *show_program(struct launch_files *files, const struct process_plan *plan,
				const struct world *world)
{
	const char *exe = plan->process->exe;
	int error = 0;

	if (*files->cover) {
		error = world_cover(world, plan->index);
	} else if (plan->engine->kind == ENGINE_NATIVE && *exe) {
		/* opened here, it is of the mount namespace that it is seen from */
		files->exe = plan->exe_exists ? open(exe, O_RDONLY | O_CLOEXEC) : -1;
		if (files->exe < 0)
			files->exe = cover_name(exe);
		error = files->exe < 0 ? errno : 0;
	}
	if (!error)
		return files->cover;
	if (!files->failures)
		warn("%s is not on this machine and cannot be shown there: %s: the program will "
		     "not find itself by /proc/self/exe",
		     exe, strerror(error));
	if (plan->engine->kind == ENGINE_NATIVE)
		files->exe = files->restart;
	return "";
}

/* The path of the restart ELF: the program's own, or that of a descriptor out of the way. */
static int locate_restart(struct launch_files *files, const struct process_plan *plan,
			  const struct world *world, char *path, size_t room)
{
	const char *cover = show_program(files, plan, world);
	int fd;

	if (*cover)
		return snprintf(path, room, "%s", cover) < (int)room ? 0 : -1;
	if (plan->engine->kind == ENGINE_NATIVE) { /* the kernel may close what it executes */
		fd = fcntl(files->restart, F_DUPFD_CLOEXEC, plan->fds.next);
		if (fd < 0)
			return fail("cannot hold another open file: %s", strerror(errno));
	} else { /* an engine has to open it, the restorer closes it */
		files->elf = files->restart;
		fd = plan->fds.restart;
	}
	snprintf(path, room, "/proc/self/fd/%d", fd);
	return 0;
}

/*
 * Where the kernel puts the engine: at random near the top, or in every second
 * try at random above a third of the address space (the layout of kernels before
 * 2.6.9, which goes upwards). Chance alone does not help it out of the way of a
 * program that reserves as much memory as the kernel spreads its maps over (1 TiB).
 * The program gets its own personality when it is restored.
 */
static unsigned long engine_layout(const struct process_plan *plan, unsigned int failures)
{
	if (failures % 2)
		return PER_LINUX | ADDR_COMPAT_LAYOUT;
	return plan->has_rings ? PER_LINUX | ADDR_NO_RANDOMIZE : PER_LINUX;
}

/*
 * A kernel looks for room below the stack: not above where it would be at most. Not at random
 * and with little room for the stack that is higher than it was for any program.
 */
static void raise_mappings(const struct process_plan *plan)
{
	struct rlimit limit;

	/* all of the address space is occupied for a moment */
	if (plan->has_rings && !getrlimit(RLIMIT_AS, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_AS, &limit);
	}
	if (!plan->has_rings || getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur <= USUAL_STACK)
		return;
	limit.rlim_cur = USUAL_STACK;
	setrlimit(RLIMIT_STACK, &limit);
}

int launch_exec(struct launch_files *files, const struct process_plan *plan,
		const struct slots *slots, const struct world *world, int status)
{
	char elf[PATH_MAX], **argv;

	personality(engine_layout(plan, files->failures));
	raise_mappings(plan);
	if (world_enter(world, elf) || surroundings(plan, slots, status) ||
	    keep_capabilities(plan) || syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) ||
	    locate_restart(files, plan, world, elf, sizeof(elf)))
		return -1;
	argv = command(plan, elf);
	/* from here on our descriptors are where the program's were */
	if (!argv || place_own(files, plan, status) || slots_place(slots, plan))
		return -1;
	clean_environment();
	move_pids_away(plan->group);
	execv(plan->engine->kind == ENGINE_NATIVE ? elf : plan->engine->path, argv);
	return fail("cannot run %s: %s", plan->engine->name, strerror(errno));
}
