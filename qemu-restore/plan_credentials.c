// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Credentials. Every thread has its own, and gives up its privileges last. In
 * which order matters: ids, then with all capabilities what needs them, then
 * the capabilities themselves.
 */
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

static bool same_groups(const struct process_plan *plan)
{
	const struct image_process *p = plan->process;

	return p->nr_groups == plan->host->nr_groups &&
	       (!p->nr_groups ||
		!memcmp(p->groups, plan->host->groups, p->nr_groups * sizeof(*p->groups)));
}

static void plan_groups(struct process_plan *plan, int tid)
{
	const struct image_process *p = plan->process;
	struct plan_op *op;

	if (same_groups(plan))
		return;
	op = plan_syscall(plan, tid, NR_SETGROUPS, p->nr_groups, 0, 0, 0);
	op->object = "the supplementary groups";
	if (p->nr_groups) {
		op->arg[1] =
			buffer_add(&plan->data, p->groups, p->nr_groups * sizeof(*p->groups), 4);
		op->refs = 1 << 1;
	}
}

struct caps plan_caps(const struct process_plan *plan)
{
	const struct xckpt_note_process *info = &plan->process->info;
	const struct plan_host *host = plan->host;
	struct caps c;

	c.permitted = info->cap_permitted & host->cap_permitted;
	c.effective = info->cap_effective & c.permitted;
	c.inheritable = info->cap_inheritable & (host->cap_inheritable | host->cap_bset);
	c.ambient = info->cap_ambient & c.permitted & c.inheritable;
	c.bounding = info->cap_bset & host->cap_bset;
	c.securebits = info->securebits;
	return c;
}

/* What would come of ours by the change of ids alone. */
static struct caps left_by_ids(const struct process_plan *plan)
{
	const struct xckpt_note_process *info = &plan->process->info;
	const struct plan_host *host = plan->host;
	bool any_root = !info->uid || !info->euid || !info->suid;
	struct caps c;

	c.permitted = any_root ? host->cap_permitted : 0;
	c.effective = info->euid ? 0 : c.permitted;
	c.inheritable = host->cap_inheritable;
	c.ambient = any_root ? host->cap_ambient : 0;
	c.bounding = host->cap_bset;
	c.securebits = host->securebits;
	return c;
}

static bool same_caps(const struct caps *a, const struct caps *b)
{
	return a->effective == b->effective && a->permitted == b->permitted &&
	       a->inheritable == b->inheritable && a->ambient == b->ambient &&
	       a->bounding == b->bounding && a->securebits == b->securebits;
}

static void plan_capabilities(struct process_plan *plan, int tid, const struct caps *c)
{
	const struct plan_host *host = plan->host;
	unsigned int i;

	set_capabilities(plan, tid, host->cap_permitted, host->cap_permitted, c->inheritable);
	plan_syscall(plan, tid, NR_PRCTL, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0);
	for (i = 0; i < 64; i++)
		if (c->ambient >> i & 1)
			plan_syscall(plan, tid, NR_PRCTL, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i,
				     0)
				->optional = true;
	for (i = 0; i < 64; i++)
		if ((host->cap_bset & ~c->bounding) >> i & 1)
			plan_syscall(plan, tid, NR_PRCTL, PR_CAPBSET_DROP, i, 0, 0)->object =
				"the capability bounding set";
	/* one of these bits is what PR_SET_KEEPCAPS has changed */
	if ((c->securebits ^ host->securebits) & ~SECBIT_KEEP_CAPS)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_SECUREBITS, c->securebits, 0, 0)->object =
			"the securebits";
	else
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_KEEPCAPS,
			     !!(c->securebits & SECBIT_KEEP_CAPS), 0, 0);
	set_capabilities(plan, tid, c->effective, c->permitted, c->inheritable);
}

static void plan_as_root(struct process_plan *plan, int tid, bool other)
{
	const struct xckpt_note_process *info = &plan->process->info;
	struct caps want = plan_caps(plan), left = left_by_ids(plan);
	bool caps = !same_caps(&want, &left);

	if (other && caps)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_KEEPCAPS, 1, 0, 0);
	plan_groups(plan, tid);
	if (other) {
		plan_syscall(plan, tid, NR_SETRESGID, info->gid, info->egid, info->sgid, 0);
		plan_syscall(plan, tid, NR_SETRESUID, info->uid, info->euid, info->suid, 0);
	}
	/* these follow the effective ones until they are set themselves */
	if (info->fsgid != info->egid)
		plan_syscall(plan, tid, NR_SETFSGID, info->fsgid, 0, 0, 0);
	if (info->fsuid != info->euid)
		plan_syscall(plan, tid, NR_SETFSUID, info->fsuid, 0, 0, 0);
	if (caps)
		plan_capabilities(plan, tid, &want);
}

/* In a user namespace of our own: what launch_exec.c kept goes, nothing else can be had. */
static void plan_as_user(struct process_plan *plan, int tid)
{
	plan_syscall(plan, tid, NR_PRCTL, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0);
	set_capabilities(plan, tid, 0, 0, 0);
}

static bool has_other_ids(const struct process_plan *plan)
{
	const struct xckpt_note_process *info = &plan->process->info;
	const struct plan_host *host = plan->host;

	return info->uid != host->uid || info->euid != host->uid || info->suid != host->uid ||
	       info->gid != host->gid || info->egid != host->gid || info->sgid != host->gid;
}

static void tell_lost_privileges(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	const struct plan_host *host = plan->host;
	uint64_t lost = p->info.cap_permitted & ~(host->root ? host->cap_permitted : 0);
	uint64_t bounding = host->root ? p->info.cap_bset & ~host->cap_bset : 0;

	if (lost)
		plan_warning(plan->group,
			     "pid %d: it will not have all of its capabilities (%#llx): %s",
			     p->info.pid, (unsigned long long)lost,
			     host->root ? "qemu-resume does not have them itself"
					: "run qemu-resume as root");
	if (bounding & ~lost)
		plan_warning(
			plan->group,
			"pid %d: its bounding set will be without capabilities that qemu-resume "
			"does not have itself (%#llx)",
			p->info.pid, (unsigned long long)bounding);
	if (host->no_new_privs && !(p->info.flags & XCKPT_PROCESS_NO_NEW_PRIVS))
		plan_warning(plan->group, "pid %d: it will have no_new_privs, as qemu-resume has",
			     p->info.pid);
	if (host->seccomp)
		plan_warning(plan->group,
			     "pid %d: it will be under the seccomp filter of qemu-resume",
			     p->info.pid);
	if (host->root)
		return;
	if (has_other_ids(plan))
		plan_warning(plan->group,
			     "pid %d: it will have the user and group of qemu-resume only: run "
			     "qemu-resume as root",
			     p->info.pid);
	if (!same_groups(plan))
		plan_warning(plan->group,
			     "pid %d: it will have the supplementary groups of qemu-resume: run "
			     "qemu-resume as root",
			     p->info.pid);
	if (p->info.securebits != host->securebits)
		plan_warning(plan->group,
			     "pid %d: it will have no securebits: run qemu-resume as root",
			     p->info.pid);
}

/* When all threads have their ids, as new ones take it away; 2 is not for programs to set. */
void plan_dumpable(struct process_plan *plan)
{
	const struct xckpt_note_process *info = &plan->process->info;

	if (info->dumpable < 2 && (has_other_ids(plan) || !info->dumpable))
		plan_syscall(plan, info->pid, NR_PRCTL, PR_SET_DUMPABLE, info->dumpable, 0, 0)
			->optional = true;
}

void plan_credentials(struct process_plan *plan, const struct image_thread *t)
{
	const struct xckpt_note_process *info = &plan->process->info;
	int tid = t->tid;

	if (t == plan->process->threads)
		tell_lost_privileges(plan);
	plan_wishes(plan, t);
	if (plan->host->root)
		plan_as_root(plan, tid, has_other_ids(plan));
	else
		plan_as_user(plan, tid);
	if (info->flags & XCKPT_PROCESS_NO_NEW_PRIVS)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
	if (t->info.pdeath_signal)
		plan_syscall(plan, tid, NR_PRCTL, PR_SET_PDEATHSIG, t->info.pdeath_signal, 0, 0);
}
