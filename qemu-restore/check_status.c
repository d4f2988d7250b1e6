// SPDX-License-Identifier: GPL-2.0-or-later
/* Compare what /proc tells in status and stat: ids, credentials, signals, scheduling. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define PR_SET_NAME 15
#define PR_SET_THP_DISABLE 41
#define PR_CAP_AMBIENT 47

static uint64_t signal_bit(int sig)
{
	return 1ull << (sig - 1);
}

static bool is_root(const struct check *c)
{
	return c->plan->host->root;
}

static int check_four(struct check *c, const char *object, const char *value,
		      const uint32_t want[4])
{
	char expected[64], found[64];
	unsigned int id[4] = { 0 };

	sscanf(value, "%u %u %u %u", &id[0], &id[1], &id[2], &id[3]);
	snprintf(found, sizeof(found), "%u/%u/%u/%u", id[0], id[1], id[2], id[3]);
	snprintf(expected, sizeof(expected), "%u/%u/%u/%u", want[0], want[1], want[2], want[3]);
	return check_text(c, object, found, expected);
}

/* Who is not root is told where it has another. */
static int check_uid(struct check *c, const struct image_thread *t, const char *name,
		     const char *value)
{
	const struct credentials want = image_credentials(c->image, t);
	uint32_t uid = c->plan->host->uid;

	return check_four(c, name, value,
			  is_root(c) ? (uint32_t[]){ want.uid, want.euid, want.suid, want.fsuid }
				     : (uint32_t[]){ uid, uid, uid, uid });
}

static int check_gid(struct check *c, const struct image_thread *t, const char *name,
		     const char *value)
{
	const struct credentials want = image_credentials(c->image, t);
	uint32_t gid = c->plan->host->gid;

	return check_four(c, name, value,
			  is_root(c) ? (uint32_t[]){ want.gid, want.egid, want.sgid, want.fsgid }
				     : (uint32_t[]){ gid, gid, gid, gid });
}

static int check_groups(struct check *c, const struct image_thread *t, const char *name,
			const char *value)
{
	const struct credentials want = image_credentials(c->image, t);
	char found[128], *end;
	size_t i;

	if (!is_root(c)) /* keeps its own, and was told so */
		return 0;
	value += strspn(value, " \t");
	snprintf(found, sizeof(found), "%.*s", (int)strcspn(value, "\n"), value);
	for (i = 0; i < want.nr_groups; i++, value = end)
		if (strtoul(value, &end, 10) != want.groups[i] || end == value)
			return check_differs(c, name, found, "another list");
	return value[strspn(value, " \t")] == '\n' ? 0
						   : check_differs(c, name, found, "another list");
}

static int check_umask(struct check *c, const struct image_thread *t, const char *name,
		       const char *value)
{
	(void)t;
	return check_number(c, name, "%#llo", strtoul(value, NULL, 8), c->image->info.umask & 0777);
}

static int check_no_new_privs(struct check *c, const struct image_thread *t, const char *name,
			      const char *value)
{
	const struct credentials want = image_credentials(c->image, t);

	return check_number(c, name, "%llu", strtoul(value, NULL, 10),
			    want.no_new_privs || c->plan->host->no_new_privs);
}

/* A program with a filter of its own is refused; qemu-resume's was told. */
static int check_seccomp(struct check *c, const struct image_thread *t, const char *name,
			 const char *value)
{
	(void)t;
	if (c->plan->host->seccomp)
		return 0;
	return check_number(c, name, "%llu", strtoul(value, NULL, 10), 0);
}

static int check_thp(struct check *c, const struct image_thread *t, const char *name,
		     const char *value)
{
	/* it is the memory's, and once is enough */
	if (t != c->image->threads || !(c->image->mm.flags & XCKPT_MM_THP_DISABLED))
		return 0;
	return check_unless_told(c, check_number(c, name, "%llu", strtoul(value, NULL, 10), 0),
				 NR_PRCTL, 0, PR_SET_THP_DISABLE);
}

/* As far as qemu-resume may give them; what is missing was told. */
static int check_caps(struct check *c, const struct image_thread *t, const char *name,
		      const char *value)
{
	const struct credentials creds = image_credentials(c->image, t);
	struct caps want = is_root(c) ? plan_caps(c->plan->host, &creds) : (struct caps){ 0 };
	const struct {
		const char *name;
		uint64_t want;
	} sets[] = {
		{ "CapInh", want.inheritable }, { "CapPrm", want.permitted },
		{ "CapEff", want.effective },	{ "CapBnd", want.bounding },
		{ "CapAmb", want.ambient },
	};
	size_t i = 0;

	while (strcmp(sets[i].name, name))
		i++;
	/* in a user namespace of one's own this set bounds nothing */
	if (!strcmp(name, "CapBnd") && !is_root(c))
		return 0;
	return check_unless_told(
		c, check_number(c, name, "%#llx", strtoull(value, NULL, 16), sets[i].want),
		NR_PRCTL, 0, PR_CAP_AMBIENT);
}

static uint64_t queued(const uint8_t *pending, size_t n)
{
	uint64_t set = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		int sig = image_signal(pending, i);

		if (sig != X86_SIGSTOP) /* it has not stopped yet */
			set |= signal_bit(sig);
	}
	return set;
}

/*
 * Others may send signals at any time, so more may be pending; but no SIGCHLD, which
 * only the making of the processes has as a reason. A QEMU keeps them to itself.
 */
static int check_pending(struct check *c, const struct image_thread *t, const char *name,
			 const char *value)
{
	bool own = !strcmp(name, "SigPnd");
	uint64_t want = own ? queued(t->pending, t->nr_pending)
			    : queued(c->image->pending, c->image->nr_pending);
	uint64_t found = strtoull(value, NULL, 16);

	if (!check_natively(c))
		return 0;
	return check_number(c, name, "%#llx", found & (want | signal_bit(X86_SIGCHLD)), want);
}

static uint64_t actions(const struct image_process *p, bool ignored)
{
	uint64_t set = 0;
	int sig;

	for (sig = 1; sig <= 64; sig++)
		if (ignored ? p->sigaction[sig - 1].handler == 1
			    : p->sigaction[sig - 1].handler > 1)
			set |= signal_bit(sig);
	return set;
}

/*
 * A QEMU has handlers of its own for more signals; those by which the CPU tells
 * faults are all its own, and real-time signals have other numbers there.
 */
static int check_actions(struct check *c, const struct image_thread *t, const char *name,
			 const char *value)
{
	uint64_t want = actions(c->image, !strcmp(name, "SigIgn"));
	uint64_t found = strtoull(value, NULL, 16);
	/* ILL, TRAP, ABRT, BUS, FPE, SEGV */
	const uint64_t faults =
		1ull << 3 | 1ull << 4 | 1ull << 5 | 1ull << 6 | 1ull << 7 | 1ull << 10;

	(void)t;
	if (!check_natively(c)) {
		want &= 0x7fffffffull & ~faults;
		found &= want;
	}
	return check_number(c, name, "%#llx", found, want);
}

static const struct {
	const char *name;
	int (*check)(struct check *c, const struct image_thread *t, const char *name,
		     const char *value);
} rows[] = {
	{ "Umask", check_umask },     { "Uid", check_uid },
	{ "Gid", check_gid },	      { "Groups", check_groups },
	{ "SigPnd", check_pending },  { "ShdPnd", check_pending },
	{ "SigIgn", check_actions },  { "SigCgt", check_actions },
	{ "CapInh", check_caps },     { "CapPrm", check_caps },
	{ "CapEff", check_caps },     { "CapBnd", check_caps },
	{ "CapAmb", check_caps },     { "NoNewPrivs", check_no_new_privs },
	{ "Seccomp", check_seccomp }, { "THP_enabled", check_thp },
};

/* One line, "Name:\tvalue". */
static int check_row(struct check *c, const struct image_thread *t, const char *line)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].name);

		if (!strncmp(line, rows[i].name, n) && line[n] == ':')
			return rows[i].check(c, t, rows[i].name, line + n + 1);
	}
	return 0;
}

int check_status(struct check *c, const struct image_thread *t, const char *status)
{
	int ret = 0;

	while (*status && !ret) {
		size_t len = strcspn(status, "\n");

		ret = check_row(c, t, status);
		status += len + !!status[len];
	}
	return ret;
}

/* /proc/PID/stat, with numbers as in proc(5): from 3 on */
struct stat_fields {
	char comm[64];
	char state;
	uint64_t field[53];
};

static int parse(struct check *c, const char *text, struct stat_fields *f)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	char *end;
	int i;

	memset(f, 0, sizeof(*f));
	if (!open || !close || close < open || !close[1])
		return check_differs(c, "stat", text, "of another form");
	snprintf(f->comm, sizeof(f->comm), "%.*s", (int)(close - open - 1), open + 1);
	f->state = close[2];
	text = close + 2 + !!close[2];
	for (i = 4; i < 53; i++, text = end)
		f->field[i] = strtoull(text, &end, 10);
	return 0;
}

/* The kernel writes line ends and backslashes another way here: such a name is not compared. */
static int check_comm(struct check *c, const char *found, const char comm[16])
{
	char want[16] = { 0 };

	memcpy(want, comm, 15);
	if (!strcmp(found, want) || strpbrk(want, "\n\\"))
		return 0;
	return check_unless_told(c, check_differs(c, "comm", found, want), NR_PRCTL, 0,
				 PR_SET_NAME);
}

int check_stat(struct check *c, const struct image_thread *t, const char *stat)
{
	const struct xckpt_note_thread *info = &t->info;
	struct stat_fields f;
	int ret;

	if (parse(c, stat, &f) ||
	    check_comm(c, f.comm, *info->comm ? info->comm : c->image->info.comm))
		return -1;
	if (check_unless_told(c, check_number(c, "nice", "%lld", f.field[19], (int64_t)info->nice),
			      NR_SETPRIORITY, -1, 0))
		return -1;
	ret = check_number(c, "real-time priority", "%llu", f.field[40], info->rt_priority);
	if (!ret)
		ret = check_number(c, "scheduling policy", "%llu", f.field[41], info->policy);
	return check_unless_told(c, ret, NR_SCHED_SETSCHEDULER, -1, 0);
}

/* Where brk(2) and /proc see things; field 26 is 1 for who may not know. */
static int check_layout(struct check *c, const struct stat_fields *f)
{
	const struct xckpt_note_mm *mm = &c->image->mm;
	const struct {
		const char *name;
		int field;
		uint64_t want;
	} table[] = {
		{ "start_code", 26, mm->start_code },	{ "end_code", 27, mm->end_code },
		{ "start_stack", 28, mm->start_stack }, { "start_data", 45, mm->start_data },
		{ "end_data", 46, mm->end_data },	{ "start_brk", 47, mm->start_brk },
		{ "arg_start", 48, mm->arg_start },	{ "arg_end", 49, mm->arg_end },
		{ "env_start", 50, mm->env_start },	{ "env_end", 51, mm->env_end },
	};
	size_t i;

	if (!check_natively(c) || f->field[26] == 1)
		return 0;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (check_number(c, table[i].name, "%#llx", f->field[table[i].field],
				 table[i].want))
			return -1;
	return 0;
}

static int check_family(struct check *c, const struct birth *birth, const struct stat_fields *f)
{
	return check_number(c, "its parent", "%llu", f->field[4], birth->ppid) ||
			       check_number(c, "its process group", "%llu", f->field[5],
					    birth->pgid) ||
			       check_number(c, "its session", "%llu", f->field[6], birth->sid)
		       ? -1
		       : 0;
}

int check_ids(struct check *c, const struct birth *birth, const char *stat)
{
	struct stat_fields f;

	/* the name is the first thread's, even if that had ended */
	return parse(c, stat, &f) || check_comm(c, f.comm, c->image->info.comm) ||
			       check_family(c, birth, &f) || check_layout(c, &f)
		       ? -1
		       : 0;
}

int check_zombie(struct check *c, const struct birth *birth, const char *stat)
{
	struct stat_fields f;
	const uint64_t no_core = ~0x80ull; /* that cannot be had */

	if (parse(c, stat, &f))
		return -1;
	if (f.state != 'Z')
		return check_differs(c, "its state", (const char[]){ f.state, 0 }, "Z");
	return check_family(c, birth, &f) ||
			       check_number(c, "its exit code", "%#llx", f.field[52] & no_core,
					    birth->exit_code & no_core)
		       ? -1
		       : 0;
}
