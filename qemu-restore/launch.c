// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes the processes, starts the engine in each and listens to the restorer until all stand. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch.h"
#include "launch_cover.h"
#include "launch_tree.h"
#include "load.h"
#include "pack.h"
#include "report.h"

#define ATTEMPTS 8
#define EXIT_STAGE1 124
#define X86_EEXIST 17
#define X86_ENOMEM 12
#define X86_EINVAL 22

enum outcome { READY, FAILED, COLLISION };

static const struct plan_op *operation(const struct plan *plan, uint32_t index)
{
	return index < plan->nr_ops ? &plan->ops[index] : NULL;
}

/* Linux' error numbers below 35 are everybody's, and those are what the restorer's calls give. */
static void tell_failure(const struct plan *plan, int pid, const struct record_status *status)
{
	const struct plan_op *op = operation(plan, status->index);
	const char *object = op && op->object && *op->object ? op->object : NULL;
	const char *text = op ? plan_op_text(plan, op) : "an unknown operation";
	char reason[64];

	if (status->result < 0 && status->result > -4096)
		snprintf(reason, sizeof(reason), "%s", strerror(-status->result));
	else
		snprintf(reason, sizeof(reason), "got %#llx", (long long)status->result);
	if (status->kind == STATUS_WARNING)
		warn("pid %d: cannot restore all: %s%s%s: %s", pid, text, object ? " of " : "",
		     object ? object : "", reason);
	else
		fail("cannot resume pid %d: %s%s%s: %s", pid, text, object ? " of " : "",
		     object ? object : "", reason);
}

/* Did something stand where the image has memory? Another try may lay the engine out otherwise. */
static bool is_collision(const struct plan *plan, const struct record_status *status)
{
	const struct plan_op *op = operation(plan, status->index);

	if (!op || plan->engine->kind != ENGINE_QEMU || op->kind != OP_SYSCALL)
		return false;
	if (op->nr == NR_SHMAT)
		return status->result == -X86_EINVAL;
	return (op->nr == NR_MMAP || op->nr == NR_BRK) &&
	       (status->result > 0 || status->result == -X86_EEXIST ||
		status->result == -X86_ENOMEM);
}

/* How process @birth ended, if that can be known: it has said nothing. */
static void tell_end(const struct launched *l, const struct plan *plan, unsigned int birth)
{
	const struct birth *b = &plan->births[birth];
	const struct process_plan *process = &plan->processes[b->process];
	siginfo_t info = { 0 };

	if (b->ours && l->all[birth].pid > 0)
		waitid(P_PID, l->all[birth].pid, &info, WEXITED | WNOWAIT);
	if (info.si_code == CLD_EXITED && info.si_status == EXIT_STAGE1)
		fail("cannot resume pid %d: no room for the restorer at %#llx", b->pid,
		     (unsigned long long)process->hole);
	else if (info.si_pid)
		fail("cannot resume pid %d: %s ended while the program was being restored (%s %d)",
		     b->pid, plan->engine->name, info.si_code == CLD_EXITED ? "status" : "signal",
		     info.si_status);
	else
		fail("cannot resume pid %d: %s ended while the program was being restored", b->pid,
		     plan->engine->name);
}

static enum outcome listen_to(struct launched *l, const struct plan *plan, unsigned int birth,
			      bool last)
{
	int heard, pid = plan->births[birth].pid;
	struct record_status status;

	while ((heard = tree_listen(l, birth, &status)) > 0) {
		switch (status.kind) {
		case STATUS_MAPPED:
		case STATUS_STARTED:
			return READY;
		case STATUS_WARNING:
			tell_failure(plan, pid, &status);
			if (status.index < plan->nr_ops)
				l->told[status.index] = true;
			break;
		case STATUS_TOLD:
			return FAILED;
		default:
			if (!last && is_collision(plan, &status))
				return COLLISION;
			tell_failure(plan, pid, &status);
			return FAILED;
		}
	}
	if (heard < 0) {
		fail("cannot resume pid %d: interrupted (%s)", pid, strsignal(tree_interrupted()));
		return FAILED;
	}
	if (!last && plan->engine->kind == ENGINE_QEMU)
		return COLLISION;
	tell_end(l, plan, birth);
	return FAILED;
}

/* One after the other: where they are the same program, each needs its path for itself. */
static enum outcome map_all(struct launched *l, const struct nursery *nursery, bool last)
{
	const struct plan *plan = nursery->plan;
	enum outcome outcome = READY;
	unsigned int i;

	for (i = 0; i < l->nr && outcome == READY; i++) {
		int process = plan->births[i].process;

		if (process < 0)
			continue;
		tree_word(l, i, WORD_GO);
		outcome = listen_to(l, plan, i, last);
		if (*nursery->files[process].cover)
			world_uncover(&l->world, process);
	}
	return outcome;
}

/* One after the other: each needs the next free thread ids for itself. */
static enum outcome finish_all(struct launched *l, const struct plan *plan, bool loaded, bool last)
{
	enum outcome outcome = READY;
	unsigned int i;

	for (i = 0; i < l->nr && outcome == READY; i++) {
		if (plan->births[i].process < 0)
			continue;
		tree_word(l, i, loaded ? WORD_LOADED : WORD_GO);
		outcome = listen_to(l, plan, i, last);
	}
	return outcome;
}

static int load_all(const struct launched *l, const struct plan *plan, struct loader *loader,
		    bool *loaded)
{
	pid_t *pids = calloc(plan->nr_processes, sizeof(*pids));
	unsigned int i;
	int ret;

	if (!pids)
		return fail("cannot load the image: %s", strerror(ENOMEM));
	for (i = 0; i < l->nr; i++)
		if (plan->births[i].process >= 0)
			pids[plan->births[i].process] = l->all[i].pid;
	ret = loader_load(loader, pids, loaded);
	free(pids);
	return ret;
}

/* Pids that copiers had are free before the first thread is made. */
static enum outcome end_copiers(struct launched *l, const struct plan *plan, bool last)
{
	enum outcome outcome = READY;
	unsigned int i;

	for (i = 0; i < l->nr && outcome == READY; i++) {
		int process = plan->births[i].process;

		if (process < 0 || !pack_copiers(&plan->processes[process]))
			continue;
		tree_word(l, i, WORD_ALONE);
		outcome = listen_to(l, plan, i, last);
	}
	return outcome;
}

static enum outcome attempt(struct launched *l, struct nursery *nursery, struct loader *loader,
			    bool last)
{
	const struct plan *plan = nursery->plan;
	enum outcome outcome;
	bool loaded;

	memset(l->told, 0, plan->nr_ops * sizeof(*l->told));
	if (sysv_set_values(plan) || tree_make(l, nursery))
		return FAILED;
	outcome = map_all(l, nursery, last);
	if (outcome == READY && load_all(l, plan, loader, &loaded))
		outcome = FAILED;
	if (outcome == READY)
		outcome = end_copiers(l, plan, last);
	return outcome == READY ? finish_all(l, plan, loaded, last) : outcome;
}

/* Natively the kernel is told which file the program is; an engine goes by the path. */
static const char *path_to_cover(const struct process_plan *plan)
{
	const struct engine *engine = plan->engine;
	bool kept = plan->exe_exists || engine->can.flags & PROBE_EXE_NAME;

	return engine->kind == ENGINE_QEMU && kept ? plan->process->exe : "";
}

static int prepare_files(struct launch_files *files, struct cover *cover, struct process_plan *plan)
{
	*files = (struct launch_files){ .restorer = pack_restorer(plan),
					.restart = pack_restart_elf(plan),
					.exe = -1,
					.elf = -1,
					.cover = path_to_cover(plan) };
	*cover = (struct cover){ .path = files->cover,
				 .engine = plan->engine->path,
				 .restart = files->restart };
	if (files->restorer < 0 || files->restart < 0)
		return -1;
	if (*files->cover)
		files->made = cover_prepare(files->cover);
	return 0;
}

static void close_files(struct launch_files *files, size_t nr)
{
	size_t i;

	for (i = nr; i-- > 0;) {
		cover_forget(files[i].made);
		if (files[i].restorer >= 0)
			close(files[i].restorer);
		if (files[i].restart >= 0)
			close(files[i].restart);
	}
}

static unsigned int main_birth(const struct plan *plan)
{
	unsigned int i;

	for (i = 0; i < plan->nr_births; i++)
		if (plan->births[i].process == plan->main)
			break;
	return i;
}

/* Again and again, as long as it is for a reason that chance may remove. */
static enum outcome attempts(struct launched *l, struct nursery *nursery, struct loader *loader)
{
	const struct plan *plan = nursery->plan;
	enum outcome outcome;
	unsigned int i;
	size_t j;

	for (i = 1;; i++) {
		outcome = attempt(l, nursery, loader, i == ATTEMPTS);
		if (outcome == READY)
			return outcome;
		tree_end(l, plan);
		if (outcome == FAILED)
			return outcome;
		if (world_wait_clear(&l->world)) {
			fail("cannot resume pid %d: processes of the last try do not end",
			     plan->births[l->main].pid);
			return FAILED;
		}
		for (j = 0; j < plan->nr_processes; j++)
			nursery->files[j].failures = i;
	}
}

static int open_slots(const struct launched *l, const struct plan *plan, struct slots *slots)
{
	int root = world_root(&l->world), ret;

	if (root < 0)
		return -1;
	ret = slots_open(slots, plan, root);
	close(root);
	slots->root = -1;
	return ret;
}

int launch(struct launched *l, struct plan *plan, struct slots *slots, struct loader *loader)
{
	struct launch_files *files = calloc(plan->nr_processes, sizeof(*files));
	struct cover *covers = calloc(plan->nr_processes, sizeof(*covers));
	struct nursery nursery = {
		.plan = plan, .slots = slots, .world = &l->world, .files = files
	};
	enum outcome outcome = FAILED;
	size_t i, nr = 0;
	int ret = 0;

	l->nr = plan->nr_births;
	l->main = main_birth(plan);
	l->all = calloc(l->nr, sizeof(*l->all));
	l->told = calloc(plan->nr_ops + 1, sizeof(*l->told));
	if (!files || !covers || !l->all || !l->told)
		ret = fail("cannot make the processes: %s", strerror(ENOMEM));
	for (i = 0; i < plan->nr_processes && !ret; i++, nr++)
		ret = prepare_files(&files[i], &covers[i], &plan->processes[i]);
	if (!ret && !world_open(&l->world, plan, covers)) {
		if (!open_slots(l, plan, slots) && !slots_start_timers(slots, plan) &&
		    !sysv_make(plan))
			outcome = attempts(l, &nursery, loader);
		if (outcome != READY)
			world_kill(&l->world);
	}
	if (files)
		close_files(files, nr);
	free(files);
	free(covers);
	return outcome == READY ? 0 : -1;
}

int launch_go(struct launched *l, const struct plan *plan)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < l->nr; i++) {
		if (l->all[i].status < 0)
			continue;
		ret |= tree_word(l, i, WORD_GO);
		close(l->all[i].status);
		l->all[i].status = -1;
	}
	if (!ret)
		return 0;
	launch_abort(l, plan);
	return fail("cannot resume the program: it ended before its start");
}

void launch_abort(struct launched *l, const struct plan *plan)
{
	/* their namespace does not end before they are waited for, and that is for us to do */
	tree_end(l, plan);
	world_kill(&l->world);
}
