// SPDX-License-Identifier: GPL-2.0-or-later
/* Files that are mapped MAP_SHARED to be read: the file, or what the image has of it. */
#include "synth.h"
#include "tap.h"

#define AT 0x10000000ull

static struct synth s;
static struct segment *seg;

static struct plan *make(void)
{
	return plan_make(&s.img, &s.engine, &s.host);
}

static void begin(const char *path)
{
	uint8_t page[4096] = { 1 };

	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	seg = synth_segment(&s, AT, AT + 4096, XCKPT_VMA_FILE, XCKPT_VMA_READ | XCKPT_VMA_SHARED);
	seg->path = path;
	seg->vma.ino = 9;
	seg->vma.file_size = 4000;
	seg->vma.file_mtime_ns = 7;
	synth_contents(&s, seg, page, sizeof(page));
}

static bool is_from_core(const struct plan *plan)
{
	const struct plan_op *op = find_call(plan, NR_MMAP, AT);

	return (int)op->arg[4] == plan->processes->fds.core;
}

static bool is_shared(const struct plan *plan)
{
	return find_call(plan, NR_MMAP, AT)->arg[3] & X86_MAP_SHARED;
}

static void test_same(void)
{
	const struct plan_op *op;
	struct plan *plan;

	begin("/srv/data");
	plan = make();
	op = find_op(plan, OP_OPEN, 0);
	ok(!is_from_core(plan) && is_shared(plan) && !plan->nr_issues,
	   "the file itself, where it is as it was");
	ok(op && !strcmp(op->path, "/srv/data") && !op->arg[1] && op->arg[3] == CHECK_SAME &&
		   op->arg[4] == 4000 && op->arg[5] == 7,
	   "opened to be read, and still so by then");
	plan_free(plan);
}

static void test_only_read(void)
{
	struct segment *again;
	struct plan *plan;

	begin("/srv/data");
	again = synth_segment(&s, 2 * AT, 2 * AT + 4096, XCKPT_VMA_FILE, seg->vma.flags);
	again->path = seg->path;
	again->vma.ino = seg->vma.ino;
	synth_state = MAPPED_MISSING;
	plan = make();
	ok(is_from_core(plan) && is_shared(plan) && !find_op(plan, OP_OPEN, 0),
	   "missing: shared with the core");
	ok(plan->nr_issues == 1 && plan->issues[0].warning && has_issue(plan, "No such file"),
	   "with one warning for all its mappings");
	ok(synth_looks == 1, "it is looked for once");
	plan_free(plan);
	synth_state = MAPPED_CHANGED;
	plan = make();
	ok(is_from_core(plan) && has_issue(plan, "has changed") && plan->issues[0].warning,
	   "so when it has changed");
	plan_free(plan);
	s.host.allow_changed = true;
	plan = make();
	ok(!is_from_core(plan) && !plan->nr_issues, "unless that is allowed");
	plan_free(plan);
}

static void test_installed(void)
{
	struct plan *plan;

	begin("/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache");
	s.host.allow_changed = true;
	synth_state = MAPPED_MISSING;
	plan = make();
	ok(is_from_core(plan) && !plan->nr_issues, "the system's own may be missing");
	plan_free(plan);
	synth_state = MAPPED_CHANGED;
	plan = make();
	ok(is_from_core(plan) && !plan->nr_issues, "or be another, whatever is allowed");
	plan_free(plan);
	seg->path = "/usr/local/var/data";
	synth_state = MAPPED_MISSING;
	plan = make();
	ok(is_from_core(plan) && plan->nr_issues == 1, "but not the administrator's");
	plan_free(plan);
}

static void test_written(void)
{
	struct segment *writer;
	struct open_file *f;
	struct plan *plan;

	begin("/srv/data");
	synth_state = MAPPED_MISSING;
	f = synth_file(&s, FILE_REGULAR, "/srv/data", X86_O_RDONLY);
	f->ino = 9;
	synth_fd(&s, 3, f, false);
	plan = make();
	ok(is_from_core(plan), "it may be open for reading");
	plan_free(plan);
	f->flags = X86_O_WRONLY;
	plan = make();
	ok(!is_from_core(plan) && !plan->nr_issues, "to be written to: it must be there");
	plan_free(plan);
	f->flags = X86_O_RDONLY;
	f->data = "files/file-1";
	plan = make();
	ok(!is_from_core(plan) && find_op(plan, OP_UNPACK, 0), "packed: it will be there");
	plan_free(plan);
	f->data = NULL;
	writer = synth_segment(&s, 2 * AT, 2 * AT + 4096, XCKPT_VMA_FILE,
			       XCKPT_VMA_READ | XCKPT_VMA_SHARED | XCKPT_VMA_MAYWRITE);
	writer->path = seg->path;
	writer->vma.ino = 9;
	plan = make();
	ok(!is_from_core(plan) && is_shared(plan), "mapped to be written to: it must be there");
	plan_free(plan);
}

/* On a disk, without a name any more: one object for all who have it. */
static void test_removed(void)
{
	struct open_file *f;
	struct plan *plan;

	begin("/srv/data (deleted)");
	seg->vma.flags |= XCKPT_VMA_DELETED;
	f = synth_file(&s, FILE_REGULAR, seg->path, X86_O_RDWR);
	f->ino = 9;
	f->size = 4000;
	f->deleted = true;
	synth_fd(&s, 3, f, false);
	plan = make();
	ok(count_ops(plan, OP_MEMORY) == 1 && find_op(plan, OP_COPY, 0) && is_shared(plan) &&
		   !is_from_core(plan) && !synth_looks,
	   "a removed file is the one that is open");
	plan_free(plan);
	/* of a tmpfs: it is a kind of its own where it is written to */
	seg = synth_segment(&s, AT + 8192, AT + 12288, XCKPT_VMA_SHMEM,
			    XCKPT_VMA_READ | XCKPT_VMA_WRITE | XCKPT_VMA_SHARED |
				    XCKPT_VMA_DELETED);
	seg->path = "/srv/data (deleted)";
	seg->vma.ino = 9;
	seg->vma.file_size = 4000;
	plan = make();
	ok(count_ops(plan, OP_MEMORY) == 1, "whether it is mapped to be read or to be written to");
	plan_free(plan);
}

int main(void)
{
	test_same();
	test_only_read();
	test_installed();
	test_written();
	test_removed();
	return tap_end();
}
