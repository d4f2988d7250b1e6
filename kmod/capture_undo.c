// SPDX-License-Identifier: GPL-2.0-only
/* SEM_UNDO: what is added to semaphores when the process ends. */
#include <linux/nsproxy.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sort.h>

#include "capture.h"
#include "compat/sem.h"

#ifdef COMPAT_SEM_UNDO
/* Those of one set; returns how many there are, of which up to @room are filled in. */
static u32 fill_set(const struct compat_undo *undo, int nr, struct xckpt_sem_undo *to, u32 room)
{
	u32 found = 0;
	int i;

	for (i = 0; i < nr; i++) {
		short adjust = READ_ONCE(undo->semadj[i]);

		if (!adjust)
			continue;
		if (found < room)
			to[found] = (struct xckpt_sem_undo){ READ_ONCE(undo->semid), i, adjust };
		found++;
	}
	return found;
}

/*
 * Fill in up to @room of them; returns how many there are. A task that is killed
 * gives its list back after its memory, and that it does under task_lock.
 */
static u32 fill_undo(struct task_struct *task, struct xckpt_sem_undo *to, u32 room)
{
	struct compat_undo_list *list;
	struct compat_undo *undo;
	u32 nr = 0;

	task_lock(task);
	list = task->mm && task->nsproxy ? compat_undo_list(task) : NULL;
	rcu_read_lock();
	if (list) {
		list_for_each_entry_rcu(undo, &list->list_proc, list_proc) {
			int size = compat_set_size(task->nsproxy->ipc_ns, READ_ONCE(undo->semid));
			u32 left = nr < room ? room - nr : 0;

			nr += fill_set(undo, size, to + nr, left);
		}
	}
	rcu_read_unlock();
	task_unlock(task);
	return nr;
}
#else
static u32 fill_undo(struct task_struct *task, struct xckpt_sem_undo *to, u32 room)
{
	return 0;
}
#endif

/* Has anybody else the same ones, or a thread others? */
bool has_odd_undo(struct task_struct *leader)
{
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
#ifdef COMPAT_SEM_UNDO
	odd |= list && refcount_read(&list->refcnt) > nr;
#else
	odd |= !!list;
#endif
	task_unlock(leader);
	return odd;
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
	struct xckpt_sem_undo *undo;
	u32 room = fill_undo(capture->leader, NULL, 0);

	if (!room)
		return;
	notes_begin(notes, XCKPT_NOTE_NAME, XCKPT_NT_SEM_UNDO);
	notes_add(notes, sizeof(table));
	table.entry_size = sizeof(*undo);
	table.entries_off = capture_table(notes, room, sizeof(*undo));
	if (notes->err)
		return;
	undo = notes_at(notes, table.entries_off);
	table.nr_entries = min(room, fill_undo(capture->leader, undo, room));
	sort(undo, table.nr_entries, sizeof(*undo), compare_undo, NULL);
	memcpy(notes_at(notes, 0), &table, sizeof(table));
	notes_end(notes);
}
