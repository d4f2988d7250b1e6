// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copy-on-write clones of address spaces. The kernel clones one only for a new
 * process. So a kernel thread takes on the memory for a moment and forks: the child
 * never runs user code, and when it has ended the memory is left. The process whose
 * memory it is has no part in this: it gets no child, spends none of its limits, and
 * may be stopped, traced or asleep.
 */
#include <linux/completion.h>
#include <linux/hugetlb.h>
#include <linux/kref.h>
#include <linux/kthread.h>
#include <linux/oom.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <uapi/linux/wait.h>

#include "clone.h"
#include "compat/mm.h"
#include "symbols.h"
#include "trace.h"

struct clone {
	struct work_struct work;
	pid_t pid; /* whose memory it is, for trace events */
	struct kref ref; /* the work's and the caller's */
	struct mm_struct *mm; /* to be cloned, with a user reference */
	struct mm_struct *copy;
	int err;
	bool unwanted; /* by now: nothing is to be begun any more */
	u64 ns;
	struct completion done; /* @copy or @err are set */
	struct completion leave; /* the child may end */
};

static struct workqueue_struct *clone_queue;

static void clone_free(struct kref *ref)
{
	struct clone *clone = container_of(ref, struct clone, ref);

	if (clone->copy)
		mmput(clone->copy);
	kfree(clone);
}

/* Dies on its way to user mode, where it has nothing to go to. */
static int clone_child(void *data)
{
	struct clone *clone = data;

	/* whoever asked for the clone shall not wait for our end, too */
	set_user_nice(current, MAX_NICE);
	wait_for_completion(&clone->leave);
	kernel_sigaction(SIGKILL, SIG_DFL); /* kernel threads ignore all signals */
	send_sig(SIGKILL, current, 1);
	return 0;
}

static struct mm_struct *child_memory(pid_t pid)
{
	struct task_struct *child;
	struct mm_struct *mm = NULL;

	rcu_read_lock();
	child = pid_task(find_vpid(pid), PIDTYPE_PID);
	if (child)
		get_task_struct(child);
	rcu_read_unlock();
	if (child) {
		mm = get_task_mm(child);
		put_task_struct(child);
	}
	return mm;
}

/*
 * Huge pages have been copied, but for what is sealed, which stays. A page that the process shares
 * with its clone would cost it another one when it writes there, of which there are just so many;
 * who gets none is killed.
 *
 * What is shared with others has been copied, too, or is the business of a file. But the
 * clone would count among those who may write to it: nobody could seal a memfd
 * (F_SEAL_WRITE), nor be the last to have attached a segment of System V.
 */
static bool is_unneeded(struct vm_area_struct *vma)
{
	const unsigned long written_to = VM_SHARED | VM_MAYWRITE;

	if (vma->vm_flags & COMPAT_VM_SEALED)
		return false;
	return is_vm_hugetlb_page(vma) || (vma->vm_flags & written_to) == written_to;
}

/* The next mappings that are, one behind the other, from @from on; false: there are none. */
static bool next_unneeded(struct mm_struct *mm, unsigned long from, unsigned long *start,
			  unsigned long *end)
{
	struct vm_area_struct *vma;
	bool found = false;
	VMA_ITERATOR(iter, mm, from);

	mmap_read_lock(mm);
	for_each_vma(iter, vma) {
		if (found && (!is_unneeded(vma) || vma->vm_start != *end))
			break;
		if (!found && !is_unneeded(vma))
			continue;
		if (!found)
			*start = vma->vm_start;
		*end = vma->vm_end;
		found = true;
	}
	mmap_read_unlock(mm);
	return found;
}

static void drop_unneeded(struct mm_struct *mm)
{
	unsigned long start, end = 0;

	kthread_use_mm(mm);
	while (next_unneeded(mm, end, &start, &end) && !vm_munmap(start, end - start))
		;
	kthread_unuse_mm(mm);
}

/*
 * The child is as large as the process, and no kernel thread. When memory is short, the
 * kernel must not choose it: it would empty the clone at once, of which zeros are left.
 */
static pid_t clone_memory(struct clone *clone)
{
	struct kernel_clone_args args = {
		.flags = CLONE_UNTRACED | CLONE_FILES | CLONE_FS,
		.fn = clone_child,
		.fn_arg = clone,
	};
	short adj = current->signal->oom_score_adj; /* which children inherit */
	pid_t pid;

	current->signal->oom_score_adj = OOM_SCORE_ADJ_MIN;
	kthread_use_mm(clone->mm);
	pid = kernel_call(kernel_clone)(&args);
	kthread_unuse_mm(clone->mm);
	current->signal->oom_score_adj = adj;
	return pid;
}

static void clone_work(struct work_struct *work)
{
	struct clone *clone = container_of(work, struct clone, work);
	u64 start = ktime_get_ns();
	pid_t pid = -ECANCELED;

	trace_clone_begin(clone->pid, get_mm_rss(clone->mm));
	if (!READ_ONCE(clone->unwanted))
		pid = clone_memory(clone);
	if (pid > 0)
		clone->copy = child_memory(pid);
	if (clone->copy)
		drop_unneeded(clone->copy);
	else
		clone->err = pid < 0 ? pid : -ENOMEM;
	clone->ns = ktime_get_ns() - start;
	trace_clone_end(clone->pid, get_mm_rss(clone->mm), clone->err);
	mmput(clone->mm);
	complete(&clone->done);

	if (pid > 0) {
		complete(&clone->leave);
		kernel_call(kernel_wait4)(pid, NULL, __WALL, NULL);
	}
	kref_put(&clone->ref, clone_free);
}

struct clone *clone_begin(struct mm_struct *mm, pid_t pid)
{
	struct clone *clone = kzalloc(sizeof(*clone), GFP_KERNEL_ACCOUNT);

	if (!clone)
		return NULL;
	kref_init(&clone->ref);
	kref_get(&clone->ref);
	init_completion(&clone->done);
	init_completion(&clone->leave);
	mmget(mm);
	clone->mm = mm;
	clone->pid = pid;
	INIT_WORK(&clone->work, clone_work);
	queue_work(clone_queue, &clone->work);
	return clone;
}

void clone_cancel(struct clone *clone)
{
	WRITE_ONCE(clone->unwanted, true);
}

struct mm_struct *clone_finish(struct clone *clone, u64 *ns)
{
	struct mm_struct *mm;

	if (wait_for_completion_killable(&clone->done)) {
		mm = ERR_PTR(-EINTR);
		clone_cancel(clone);
	} else {
		mm = clone->copy ?: ERR_PTR(clone->err);
		*ns = max(*ns, clone->ns);
		clone->copy = NULL;
	}
	kref_put(&clone->ref, clone_free);
	return mm;
}

int clone_init(void)
{
	clone_queue = alloc_workqueue("xckpt", WQ_UNBOUND, num_possible_cpus());
	return clone_queue ? 0 : -ENOMEM;
}

/* Waits for what runs, and so for every child. */
void clone_exit(void)
{
	destroy_workqueue(clone_queue);
}
