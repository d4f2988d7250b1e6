// SPDX-License-Identifier: GPL-2.0-only
/* SEM_UNDO: what is added to semaphores when the process ends. */
#include <linux/nsproxy.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sort.h>

#include "capture.h"
#include "compat/sem.h"

/* Sets and semaphores that are looked at while a lock is held. Nobody has as many. */
#define UNDO_MAX (1u << 20)

struct undo_walk {
	struct xckpt_sem_undo *to;
	u32 room, nr; /* @nr may be more than there is room for */
	u32 looked_at;
};

#ifdef COMPAT_SEM_UNDO
static void walk_set(struct undo_walk *walk, const struct compat_undo *undo, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < size; i++) {
		short adjust = READ_ONCE(undo->semadj[i]);

		if (!adjust)
			continue;
		if (walk->nr < walk->room)
			walk->to[walk->nr] =
				(struct xckpt_sem_undo){ READ_ONCE(undo->semid), i, adjust };
		walk->nr++;
	}
}

/* The caller has task_lock, and @list is the task's. */
static void walk_list(struct undo_walk *walk, struct task_struct *task,
		      struct compat_undo_list *list)
{
	struct compat_undo *undo;
	unsigned int size;

	rcu_read_lock();
	list_for_each_entry_rcu(undo, &list->list_proc, list_proc) {
		size = compat_set_size(task->nsproxy->ipc_ns, READ_ONCE(undo->semid));
		walk->looked_at += 1 + min(size, UNDO_MAX);
		if (walk->looked_at > UNDO_MAX)
			break;
		walk_set(walk, undo, size);
	}
	rcu_read_unlock();
}

static bool is_shared(struct compat_undo_list *list, int nr)
{
	return refcount_read(&list->refcnt) > nr;
}
#else
static void walk_list(struct undo_walk *walk, struct task_struct *task,
		      struct compat_undo_list *list)
{
	walk->looked_at = UNDO_MAX + 1;
}

static bool is_shared(struct compat_undo_list *list, int nr)
{
	return true;
}
#endif

/* A task that is killed gives its list back after its memory, and that it does under task_lock. */
static void walk_undo(struct undo_walk *walk, struct task_struct *task)
{
	struct compat_undo_list *list;

	task_lock(task);
	list = task->mm && task->nsproxy ? compat_undo_list(task) : NULL;
	if (list)
		walk_list(walk, task, list);
	task_unlock(task);
}

/* Has anybody else the same ones, or a thread others; or are there too many to be looked at? */
bool has_odd_undo(struct task_struct *leader)
{
	struct undo_walk walk = {};
	struct compat_undo_list *list;
	struct task_struct *task;
	bool odd = false;
	int nr = 0;

	task_lock(leader);
	list = leader->mm ? compat_undo_list(leader) : NULL;
	rcu_read_lock();
	for_each_thread(leader, task) {
		void *own = compat_undo_list(task);

		odd |= own && own != list;
		nr += own && own == list;
	}
	rcu_read_unlock();
	odd |= list && is_shared(list, nr);
	task_unlock(leader);
	walk_undo(&walk, leader);
	return odd || walk.looked_at > UNDO_MAX;
}

static int compare_undo(const void *a, const void *b)
{
	const struct xckpt_sem_undo *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

void capture_undo(struct capture *capture)
{
	struct xckpt_note_table table = { .size = sizeof(table) };
	struct notes *notes = &capture->notes;
	struct undo_walk count = {}, fill = {};

	walk_undo(&count, capture->leader);
	if (!count.nr)
		return;
	notes_begin(notes, XCKPT_NOTE_NAME, XCKPT_NT_SEM_UNDO);
	notes_add(notes, sizeof(table));
	table.entry_size = sizeof(*fill.to);
	table.entries_off = capture_table(notes, count.nr, sizeof(*fill.to));
	if (notes->err)
		return;
	fill.to = notes_at(notes, table.entries_off);
	fill.room = count.nr;
	walk_undo(&fill, capture->leader);
	table.nr_entries = min(fill.room, fill.nr);
	sort(fill.to, table.nr_entries, sizeof(*fill.to), compare_undo, NULL);
	memcpy(notes_at(notes, 0), &table, sizeof(table));
	notes_end(notes);
}
