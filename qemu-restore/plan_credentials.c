// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Credentials. Every thread has its own, and gives up its privileges last. In
 * which order matters: ids, then with all capabilities what needs them, then
 * the capabilities themselves.
 */
#include <stdio.h>
#include <string.h>

#include "plan.h"

#define PR_SET_PDEATHSIG 1
#define PR_SET_DUMPABLE 4
#define PR_SET_KEEPCAPS 8
#define PR_CAPBSET_DROP 24
#define PR_SET_SECUREBITS 28
#define PR_SET_NO_NEW_PRIVS 38
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_RAISE 2
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#define SECBIT_KEEP_CAPS 0x10
#define CAPABILITY_VERSION_3 0x20080522

static struct plan_op *set_capabilities(struct process_plan *plan, int tid, uint64_t effective,
					uint64_t permitted, uint64_t inheritable)
{
	uint32_t head[2] = { CAPABILITY_VERSION_3, 0 };
	uint32_t data[6] = { effective,	      permitted,       inheritable,
			     effective >> 32, permitted >> 32, inheritable >> 32 };
	struct plan_op *op;

	op = plan_syscall(plan, tid, NR_CAPSET, buffer_add(&plan->data, head, sizeof(head), 8),
			  buffer_add(&plan->data, data, sizeof(data), 8), 0, 0);
	op->refs = 3;
	op->object = "the capabilities";
	return op;
}

static bool same_groups(const struct plan_host *host, const struct credentials *c)
{
	return c->nr_groups == host->nr_groups &&
	       (!c->nr_groups ||
		!memcmp(c->groups, host->groups, c->nr_groups * sizeof(*c->groups)));
}

static void plan_groups(struct process_plan *plan, int tid, const struct credentials *c)
{
	struct plan_op *op;

	if (same_groups(plan->host, c))
		return;
	op = plan_syscall(plan, tid, NR_SETGROUPS, c->nr_groups, 0, 0, 0);
	op->object = "the supplementary groups";
	if (c->nr_groups) {
		op->arg[1] =
			buffer_add(&plan->data, c->groups, c->nr_groups * sizeof(*c->groups), 4);
		op->refs = 1 << 1;
	}
}

struct caps plan_caps(const struct plan_host *host, const struct credentials *c)
{
	struct caps caps;

	caps.permitted = c->cap_permitted & host->cap_permitted;
	caps.effective = c->cap_effective & caps.permitted;
	caps.inheritable = c->cap_inheritable & (host->cap_inheritable | host->cap_bset);
	caps.ambient = c->cap_ambient & caps.permitted & caps.inheritable;
	caps.bounding = c->cap_bset & host->cap_bset;
	caps.securebits = c->securebits;
	return caps;
}

/* What would come of ours by the change of ids alone. */
static struct caps left_by_ids(const struct plan_host *host, const struct credentials *c)
{
	bool any_root = !c->uid || !c->euid || !c->suid;
	struct caps caps;

	caps.permitted = any_root ? host->cap_permitted : 0;
	caps.effective = c->euid ? 0 : caps.permitted;
	caps.inheritable = host->cap_inheritable;
	caps.ambient = any_root ? host->cap_ambient : 0;
	caps.bounding = host->cap_bset;
	caps.securebits = host->securebits;
	return caps;
}

static bool same_caps(const struct caps *a, const struct caps *b)
{
	return a->effective == b->effective && a->permitted == b->permitted &&
	       a->inheritable == b->inheritable && a->ambient == b->ambient &&
	       a->bounding == b->bounding && a->securebits == b->securebits;
}

/* It follows the effective one until it is set itself. */
static void plan_fsuid(struct process_plan *plan, int tid, const struct credentials *c)
{
	if (c->fsuid != c->euid)
		plan_syscall(plan, tid, NR_SETFSUID, c->fsuid, 0, 0, 0);
}

static void plan_capabilities(struct process_plan *plan, int tid, const struct credentials *creds)
{
	const struct plan_host *host = plan->host;
	struct caps c = plan_caps(host, creds);
	unsigned int i;

	set_capabilities(plan, tid, host->cap_permitted, host->cap_permitted, c.inheritable);
	plan_fsuid(plan, tid, creds);
	plan_syscall(plan, tid, NR_PRCTL, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0);
	for (i = 0; i < 64; i++)
		if (c.ambient >> i & 1)
			plan_syscall(plan, tid, NR_PRCTL, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i,
				     0)
				->optional = true;
	for (i = 0; i < 64; i++)
		if ((host->cap_bset & ~c.bounding) >> i & 1)
			plan_syscall(plan, tid, NR_PRCTL, PR_CAPBSET_DROP, i, 0, 0)->object =
				"the capability bounding set";
	/* one of these bits is what PR_SET_KEEPCAPS has changed */
	if ((c.securebits ^ host->securebits) & ~SECBIT_KEEP_CAPS)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_SECUREBITS, c.securebits, 0, 0)->object =
			"the securebits";
	else
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_KEEPCAPS,
			     !!(c.securebits & SECBIT_KEEP_CAPS), 0, 0);
	set_capabilities(plan, tid, c.effective, c.permitted, c.inheritable);
}

static void plan_as_root(struct process_plan *plan, int tid, const struct credentials *c,
			 bool other)
{
	struct caps want = plan_caps(plan->host, c), left = left_by_ids(plan->host, c);
	/* to be none of the others takes CAP_SETUID, which an effective one takes away */
	bool odd = c->fsuid != c->uid && c->fsuid != c->euid && c->fsuid != c->suid;
	bool caps = odd || !same_caps(&want, &left);

	if (other && caps)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_KEEPCAPS, 1, 0, 0);
	plan_groups(plan, tid, c);
	if (other)
		plan_syscall(plan, tid, NR_SETRESGID, c->gid, c->egid, c->sgid, 0);
	/* while it may be any */
	if (c->fsgid != c->egid)
		plan_syscall(plan, tid, NR_SETFSGID, c->fsgid, 0, 0, 0);
	if (other)
		plan_syscall(plan, tid, NR_SETRESUID, c->uid, c->euid, c->suid, 0);
	if (caps)
		plan_capabilities(plan, tid, c);
	else
		plan_fsuid(plan, tid, c);
}

/* In a user namespace of our own: what launch_exec.c kept goes, nothing else can be had. */
static void plan_as_user(struct process_plan *plan, int tid)
{
	plan_syscall(plan, tid, NR_PRCTL, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0);
	set_capabilities(plan, tid, 0, 0, 0);
}

static bool has_other_ids(const struct plan_host *host, const struct credentials *c)
{
	return c->uid != host->uid || c->euid != host->uid || c->suid != host->uid ||
	       c->gid != host->gid || c->egid != host->gid || c->sgid != host->gid;
}

static void tell_lost_capabilities(struct process_plan *plan, const char *who,
				   const struct credentials *c)
{
	const struct plan_host *host = plan->host;
	uint64_t lost = c->cap_permitted & ~(host->root ? host->cap_permitted : 0);
	uint64_t bounding = host->root ? c->cap_bset & ~host->cap_bset : 0;

	if (lost)
		plan_warning(plan->group,
			     "%s: it will not have all of its capabilities (%#llx): %s", who,
			     (unsigned long long)lost,
			     host->root ? "qemu-resume does not have them itself"
					: "run qemu-resume as root");
	if (bounding & ~lost)
		plan_warning(
			plan->group,
			"%s: its bounding set will be without capabilities that qemu-resume does "
			"not have itself (%#llx)",
			who, (unsigned long long)bounding);
	if (host->no_new_privs && !c->no_new_privs)
		plan_warning(plan->group, "%s: it will have no_new_privs, as qemu-resume has", who);
	if (host->seccomp)
		plan_warning(plan->group, "%s: it will be under the seccomp filter of qemu-resume",
			     who);
}

static void tell_lost_ids(struct process_plan *plan, const char *who, const struct credentials *c)
{
	const struct plan_host *host = plan->host;

	if (has_other_ids(host, c))
		plan_warning(plan->group,
			     "%s: it will have the user and group of qemu-resume only: run "
			     "qemu-resume as root",
			     who);
	if (!same_groups(host, c))
		plan_warning(plan->group,
			     "%s: it will have the supplementary groups of qemu-resume: run "
			     "qemu-resume as root",
			     who);
	if (c->securebits != host->securebits)
		plan_warning(plan->group, "%s: it will have no securebits: run qemu-resume as root",
			     who);
}

/* Threads are told of only where they have not what their process has. */
static void tell_lost_privileges(struct process_plan *plan, const struct image_thread *t,
				 const struct credentials *c)
{
	char who[64];

	if (t != plan->process->threads && !t->own)
		return;
	snprintf(who, sizeof(who), t->own ? "pid %d thread %d" : "pid %d", plan->process->info.pid,
		 t->tid);
	tell_lost_capabilities(plan, who, c);
	if (!plan->host->root)
		tell_lost_ids(plan, who, c);
}

/* When all threads have their ids, as new ones take it away; 2 is not for programs to set. */
void plan_dumpable(struct process_plan *plan)
{
	const struct image_process *p = plan->process;

	/* any change of a thread's ids may have taken it away */
	if (p->info.dumpable < 2)
		plan_syscall(plan, p->info.pid, NR_PRCTL, PR_SET_DUMPABLE, p->info.dumpable, 0, 0)
			->optional = true;
}

void plan_credentials(struct process_plan *plan, const struct image_thread *t)
{
	const struct credentials c = image_credentials(plan->process, t);
	int tid = t->tid;

	tell_lost_privileges(plan, t, &c);
	plan_wishes(plan, t);
	if (plan->host->root)
		plan_as_root(plan, tid, &c, has_other_ids(plan->host, &c));
	else
		plan_as_user(plan, tid);
	if (c.no_new_privs)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
	if (t->info.pdeath_signal)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_PDEATHSIG, t->info.pdeath_signal, 0, 0);
}
