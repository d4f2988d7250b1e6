// SPDX-License-Identifier: GPL-2.0-or-later
/* qemu-resume: make the process of an image run again, here, in the foreground. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "checksum.h"
#include "dirty.h"
#include "huge.h"
#include "image.h"
#include "interrupt.h"
#include "label.h"
#include "launch.h"
#include "load.h"
#include "mapped.h"
#include "options.h"
#include "report.h"
#include "space.h"
#include "vdso.h"

struct objections {
	const struct options *options;
	int refused;
};

static void object(void *ctx, int pid, const char *what, const char *why)
{
	struct objections *o = ctx;
	unsigned int fd;

	/* what the user gives in its place need not be resumed */
	if (sscanf(what, "fd %u", &fd) == 1 && fd < o->options->nr_override &&
	    o->options->override[fd])
		return;
	fail("cannot resume pid %d: %s%s%s", pid, what, *what ? ": " : "", why);
	o->refused = 1;
}

static int check_image(const struct image *img, const struct options *options)
{
	struct objections o = { .options = options };

	image_unsupported(img, object, &o);
	return o.refused ? -1 : 0;
}

static int compare_ids(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void look_at_privileges(struct plan_host *host)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };
	static gid_t groups[65536]; /* the kernel's NGROUPS_MAX */
	int i, n = getgroups(65536, groups);

	host->groups = groups;
	host->nr_groups = n > 0 ? n : 0;
	qsort(groups, host->nr_groups, sizeof(groups[0]), compare_ids);
	host->securebits = prctl(PR_GET_SECUREBITS);
	for (i = 0; i < 64; i++) {
		if (prctl(PR_CAPBSET_READ, i) == 1)
			host->cap_bset |= 1ull << i;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
			host->cap_ambient |= 1ull << i;
	}
	if (!syscall(SYS_capget, &head, data))
		host->cap_inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	/* as root's program starts */
	host->cap_permitted = host->securebits & SECBIT_NOROOT
				      ? host->cap_ambient
				      : host->cap_inheritable | host->cap_bset;
}

/* Which of the programs are on this machine. */
static const bool *look_for_programs(const struct image *img)
{
	bool *exists = plan_must(calloc(img->nr_processes, sizeof(*exists)));
	struct stat st;
	size_t i;

	for (i = 0; i < img->nr_processes; i++) {
		const char *exe = img->processes[i].exe;

		exists[i] = *exe && !stat(exe, &st) && S_ISREG(st.st_mode) && st.st_mode & 0111;
	}
	return exists;
}

static long read_own(const char *path, int base)
{
	FILE *file = fopen(path, "re");
	char text[32] = "";

	if (file && !fgets(text, sizeof(text), file))
		text[0] = 0;
	if (file)
		fclose(file);
	return strtol(text, NULL, base);
}

/* What a child of ours has from us. */
static void look_at_attributes(struct plan_host *host)
{
	host->oom_score_adj = (int)read_own("/proc/self/oom_score_adj", 10);
	host->dump_filter = (int)read_own("/proc/self/coredump_filter", 16);
	host->tells_dirty = dirty_is_told();
	host->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	host->seccomp = prctl(PR_GET_SECCOMP) > 0;
	host->policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
	host->nice = getpriority(PRIO_PROCESS, 0);
	host->timer_slack_ns = prctl(PR_GET_TIMERSLACK);
}

static void look_around(struct plan_host *host, const struct options *options)
{
	static struct vdso_own own;
	static char label[LABEL_ROOM];
	int i;

	memset(host, 0, sizeof(*host));
	look_at_privileges(host);
	look_at_attributes(host);
	host->label = label_read(0, label);
	host->root = !geteuid();
	host->uid = getuid();
	host->gid = getgid();
	host->address_top = space_top();
	host->page_size = sysconf(_SC_PAGESIZE);
	host->look_at = mapped_look_at;
	host->find_place = mapped_find_place;
	host->huge = huge_look(&host->nr_huge);
	host->vdso = vdso_own(&own) ? &own : NULL;
	host->stdin_taken = options->from_stdin;
	host->maps = options->maps;
	host->nr_maps = options->nr_maps;
	host->allow_changed = options->allow_changed;
	host->replace_files = options->replace_files;
	host->override = options->override;
	host->nr_override = options->nr_override;
	for (i = 0; i < 3; i++)
		host->tty[i] = isatty(i);
	for (i = 0; i < XCKPT_NR_RLIMITS; i++) {
		struct rlimit limit;

		if (getrlimit(i, &limit))
			continue;
		host->rlimit[i].cur = limit.rlim_cur == RLIM_INFINITY ? ~0ull : limit.rlim_cur;
		host->rlimit[i].max = limit.rlim_max == RLIM_INFINITY ? ~0ull : limit.rlim_max;
	}
}

/* Returns -1 if one of the plan's complaints stands. */
static int refuse(const struct plan *plan, bool force)
{
	int ret = 0;
	size_t i;

	for (i = 0; i < plan->nr_issues; i++) {
		const struct issue *issue = &plan->issues[i];

		if (issue->warning || (issue->forceable && force))
			continue;
		/* "... (REMEDY)" */
		ret = fail("%.*s%s", (int)strlen(issue->text) - 1, issue->text,
			   issue->forceable ? ", or --force to go on without)" : ")");
	}
	return ret;
}

/* What comes after "pid 42: ". */
static const char *without_pid(const char *text)
{
	const char *rest = text + strcspn(text, "0123456789");

	if (strncmp(text, "pid ", 4) || rest != text + 4)
		return text;
	rest += strspn(rest, "0123456789");
	return strncmp(rest, ": ", 2) ? text : rest + 2;
}

static bool is_same_but_pid(const struct issue *a, const struct issue *b)
{
	return a->warning == b->warning && a->forceable == b->forceable &&
	       !strcmp(without_pid(a->text), without_pid(b->text));
}

/* What the program will miss; of interest only if it runs. What many miss is told once. */
static void tell_warnings(const struct plan *plan)
{
	size_t i, j, others;
	char more[64];

	for (i = 0; i < plan->nr_issues; i++) {
		const struct issue *issue = &plan->issues[i];

		for (j = 0; j < i && !is_same_but_pid(&plan->issues[j], issue); j++)
			;
		if (j < i || (!issue->warning && !issue->forceable))
			continue;
		for (others = 0, j = i + 1; j < plan->nr_issues; j++)
			others += is_same_but_pid(&plan->issues[j], issue);
		more[0] = 0;
		if (others)
			snprintf(more, sizeof(more), " (the same of %zu more)", others);
		warn("%s%s%s", issue->warning ? "" : "forced: ", issue->text, more);
	}
}

/* Files are put in the place of others, for good once the program has begun. */
static bool unpacks(const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr_ops; i++)
		if (plan->ops[i].kind == OP_UNPACK)
			return true;
	return false;
}

/* Takes long where much is packed. A signal that comes meanwhile is held again afterwards. */
static int verify_files(const struct image *img)
{
	sigset_t ending;
	int ret;

	sigemptyset(&ending);
	sigaddset(&ending, SIGHUP);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGQUIT);
	sigaddset(&ending, SIGTERM);
	interrupt_catch();
	sigprocmask(SIG_UNBLOCK, &ending, NULL);
	ret = image_verify(img, VERIFY_FILES, nr_cpus(), 0, NULL);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	interrupt_release();
	return ret;
}

/* Check the image and make the program stand before its first instruction. */
static int start(struct launched *l, struct plan *plan, struct image *img, struct slots *slots,
		 struct loader *loader)
{
	int ret = -1;

	if (verify_files(img) || loader_begin(loader, plan) ||
	    (unpacks(plan) && loader_check(loader)))
		return -1;
	if (!slots_make_room(plan))
		ret = launch(l, plan, slots, loader);
	if (!ret && (slots_finish(slots, plan) || sysv_finish(plan) || check(l, plan, slots))) {
		launch_abort(l, plan);
		ret = -1;
	}
	if (slots->fd)
		slots_close(slots);
	return ret;
}

static int run(struct plan *plan, struct image *img, const struct options *options)
{
	struct launched l = { 0 };
	struct loader loader = { .pid = -1 };
	struct slots slots = { 0 };
	int ret;

	front_prepare();
	ret = start(&l, plan, img, &slots, &loader);
	if (options->received)
		image_remove(options->received);
	if (!ret)
		tell_warnings(plan);
	if (!ret) {
		front_begin(&l, plan);
		if (!launch_go(&l, plan)) {
			slots_keep_unpacked(&slots);
			return front(&l, plan, &loader);
		}
	}
	slots_undo_unpacked(&slots);
	front_end();
	loader_end(&loader);
	return RECORD_EXIT_FAILURE;
}

static int resume(struct options *options)
{
	struct engine engine;
	struct plan_host host;
	struct plan *plan;
	struct image *img;
	int ret = RECORD_EXIT_FAILURE;

	img = image_open(options->image);
	if (!img)
		return ret;
	if (!check_image(img, options) && !engine_open(&engine, options->engine, options->qemu)) {
		look_around(&host, options);
		host.exe_exists = look_for_programs(img);
		plan = plan_make(img, &engine, &host);
		if (options->print_plan)
			plan_print(plan);
		fflush(stdout);
		ret = refuse(plan, options->force) ? RECORD_EXIT_FAILURE : 0;
		if (!ret && options->print_plan)
			tell_warnings(plan);
		else if (!ret)
			ret = run(plan, img, options);
		plan_free(plan);
		free((void *)host.exe_exists);
	}
	image_close(img);
	return ret;
}

int main(int argc, char **argv)
{
	struct options options;
	const char *tmpdir = getenv("TMPDIR");
	int fd, ret;

	report_tool = "qemu-resume";
	/* 0, 1 and 2 exist: nothing that is opened may take their place */
	while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd < 3)
		;
	if (fd >= 0)
		close(fd);
	ret = options_parse(&options, argc, argv);
	if (ret >= 0)
		return ret;
	if (options.from_stdin) {
		/* a signal that comes now is told, later it is held: what was unpacked is removed
		 */
		interrupt_catch();
		options.received = image_receive(0, tmpdir && *tmpdir ? tmpdir : "/tmp");
		front_hold();
		interrupt_release();
		if (!options.received)
			return RECORD_EXIT_FAILURE;
		options.image = options.received;
	}
	front_hold();
	ret = resume(&options);
	if (options.received)
		image_remove(options.received);
	return ret;
}
