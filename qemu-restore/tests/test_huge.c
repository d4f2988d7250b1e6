// SPDX-License-Identifier: GPL-2.0-or-later
/* Huge pages: counted before anything starts, given as such or made of ordinary ones. */
#include "synth.h"
#include "tap.h"

#define MIB (1ull << 20)
#define AT 0x40000000ull

static struct synth s;
static struct huge_pages have[2];

static struct segment *huge(uint64_t start, uint64_t pages, uint32_t flags, uint64_t ino)
{
	struct segment *seg =
		synth_segment(&s, start, start + pages * 2 * MIB, XCKPT_VMA_HUGETLB,
			      XCKPT_VMA_READ | XCKPT_VMA_WRITE | XCKPT_VMA_DELETED | flags);

	seg->path = "/anon_hugepage (deleted)";
	seg->vma.page_shift = 21;
	seg->vma.ino = ino;
	return seg;
}

static void begin(enum engine_kind kind, uint64_t free)
{
	synth_init(&s, kind);
	synth_program(&s);
	have[0] = (struct huge_pages){ .shift = 30, .free = 100 };
	have[1] = (struct huge_pages){ .shift = 21, .total = 10, .free = free, .usual = true };
	s.host.huge = have;
	s.host.nr_huge = 2;
}

static struct plan *make(void)
{
	return plan_make(&s.img, &s.engine, &s.host);
}

static bool is_huge(const struct plan *plan, uint64_t at)
{
	return (find_call(plan, NR_MMAP, at)->arg[3] & ~0x1fffffull) == 21ull << 26 &&
	       find_call(plan, NR_MMAP, at)->arg[3] & X86_MAP_HUGETLB;
}

static void test_private(void)
{
	struct plan *plan;

	begin(ENGINE_NATIVE, 4);
	huge(AT, 4, 0, 1);
	plan = make();
	ok(is_huge(plan, AT) && !plan->nr_issues, "as many as are free");
	plan_free(plan);
	have[1].free = 3;
	plan = make();
	ok(!is_huge(plan, AT) && plan->issues[0].forceable &&
		   has_issue(plan, "4 of them are needed, 3 are free") &&
		   has_issue(plan, "sysctl vm.nr_hugepages=11"),
	   "one too few: the remedy, or ordinary pages");
	plan_free(plan);
	have[1].usual = false;
	plan = make();
	ok(has_issue(plan, "echo 11 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"),
	   "of an unusual size: its own file");
	plan_free(plan);
	s.host.nr_huge = 1;
	plan = make();
	ok(has_issue(plan, "boot with hugepagesz=2048K"), "a size that there is not");
	plan_free(plan);
}

static void test_reserve(void)
{
	struct segment *seg;
	struct plan *plan;

	begin(ENGINE_NATIVE, 1);
	seg = huge(AT, 4, XCKPT_VMA_NORESERVE, 1);
	synth_contents(&s, seg, "x", 1);
	plan = make();
	ok(is_huge(plan, AT) && !plan->nr_issues, "without a reserve: what was touched");
	plan_free(plan);
}

static void test_shared(void)
{
	const struct plan_op *op;
	struct segment *part;
	struct plan *plan;

	begin(ENGINE_NATIVE, 4);
	huge(AT, 2, XCKPT_VMA_SHARED | XCKPT_VMA_MAYWRITE, 1)->vma.file_size = 6 * MIB;
	part = huge(2 * AT, 2, XCKPT_VMA_SHARED | XCKPT_VMA_MAYWRITE, 1);
	part->vma.pgoff = 2 * MIB;
	part->vma.file_size = 6 * MIB;
	huge(3 * AT, 1, XCKPT_VMA_SHARED | XCKPT_VMA_MAYWRITE, 2)->vma.file_size = 2 * MIB;
	plan = make();
	op = find_op(plan, OP_MEMORY, 0);
	ok(!plan->nr_issues && count_ops(plan, OP_MEMORY) == 2 && op->arg[5] == 21 &&
		   op->arg[1] == 6 * MIB,
	   "what is shared is counted, and made, once");
	plan_free(plan);
	have[1].free = 3;
	plan = make();
	ok(has_issue(plan, "4 of them are needed") && !find_op(plan, OP_MEMORY, 0)->arg[5],
	   "one too few, too");
	plan_free(plan);
}

static void test_file(void)
{
	struct open_file *f;
	struct plan *plan;

	begin(ENGINE_NATIVE, 2);
	f = synth_file(&s, FILE_MEMFD, "/memfd:x (deleted)", X86_O_RDWR);
	f->page_shift = 21;
	f->size = f->data_size = 4 * MIB;
	f->data = "files/file-1";
	synth_fd(&s, 3, f, false);
	plan = make();
	ok(find_op(plan, OP_MEMORY, 0)->arg[5] == 21 && !plan->nr_issues, "a memfd that is open");
	plan_free(plan);
	have[1].free = 1;
	plan = make();
	ok(has_issue(plan, "2 of them are needed"), "is counted");
	plan_free(plan);
}

static void test_engine(void)
{
	struct plan *plan;

	begin(ENGINE_QEMU, 100);
	huge(AT, 4, 0, 1);
	huge(2 * AT, 1, XCKPT_VMA_SHARED | XCKPT_VMA_MAYWRITE, 2)->vma.file_size = 2 * MIB;
	plan = make();
	ok(!is_huge(plan, AT) && !find_op(plan, OP_MEMORY, 0)->arg[5] && plan->nr_issues == 1 &&
		   plan->issues[0].warning && has_issue(plan, "ordinary ones"),
	   "an engine gives ordinary pages, and one warning");
	plan_free(plan);
}

int main(void)
{
	test_private();
	test_reserve();
	test_shared();
	test_file();
	test_engine();
	return tap_end();
}
