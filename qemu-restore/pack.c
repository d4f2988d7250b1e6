// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blobs.h"
#include "checksum.h"
#include "pack.h"
#include "regs.h"
#include "report.h"

#define KEEP_SLACK 2048
#define COPIERS_FROM (8ull << 20) /* bytes: what it takes to make them is less than they save */

/* Addresses in the hole. */
struct layout {
	uint64_t code_size, head, keep, drop, records, data, vdso, file_end, stacks, end;
};

/* In the restorer: one may be there only to make the others. */
static size_t nr_threads(const struct process_plan *plan)
{
	return plan->process->nr_threads + plan->leader_ended;
}

static struct layout lay_out(const struct process_plan *plan)
{
	uint64_t size = (uint64_t)(blob_restorer_end - blob_restorer);
	struct layout l = { .code_size = PAGE_UP(size) };

	l.head = plan->hole + l.code_size;
	l.keep = l.head + sizeof(struct record_head);
	/* engines look at more of an area than its size says */
	l.drop = PAGE_UP(l.keep + plan->keep.len + KEEP_SLACK);
	l.records = l.drop;
	l.data = PAGE_UP(l.records + plan->nr_ops * sizeof(struct record));
	l.vdso = PAGE_UP(l.data + plan->data.len);
	l.file_end = PAGE_UP(l.vdso + plan->vdso.len);
	l.stacks = l.file_end;
	l.end = l.stacks + nr_threads(plan) * RECORD_STACK_SIZE;
	return l;
}

uint64_t pack_head(const struct process_plan *plan)
{
	return lay_out(plan).head;
}

static uint64_t stack_of(const struct layout *l, size_t thread)
{
	return l->stacks + (thread + 1) * RECORD_STACK_SIZE - 64;
}

static const struct plan_op *ops_of(const struct process_plan *plan)
{
	return plan->group->ops + plan->first_op;
}

unsigned int pack_copiers(const struct process_plan *plan)
{
	const struct plan_op *ops = ops_of(plan);
	uint64_t bytes = 0;
	size_t i;

	/* an engine would copy its own, emulated code */
	if (plan->engine->kind != ENGINE_NATIVE)
		return 0;
	for (i = 0; i < plan->nr_ops; i++)
		if (ops[i].kind == OP_READ && (int)ops[i].arg[0] == plan->fds.core)
			bytes += ops[i].arg[2];
	if (bytes < COPIERS_FROM)
		return 0;
	return nr_cpus() < COPIERS_MAX ? nr_cpus() : COPIERS_MAX;
}

/* Thread @tid's first record among those of the restorer. */
static size_t first_record(const struct process_plan *plan, int tid)
{
	const struct plan_op *ops = ops_of(plan);
	size_t i, n = 0;

	for (i = 0; i < plan->nr_ops; i++) {
		if (ops[i].kind < OP_RESTORER)
			continue;
		if (ops[i].tid == tid)
			break;
		n++;
	}
	return n;
}

static struct record make_record(const struct process_plan *plan, const struct layout *l,
				 size_t index)
{
	const struct plan_op *op = &ops_of(plan)[index];
	struct record r = { .kind = op->kind - OP_RESTORER,
			    .index = plan->first_op + index,
			    .want = op->want,
			    .flags = op->optional ? RECORD_OPTIONAL : 0,
			    .nr = op->nr,
			    .value = op->value };
	int i;

	for (i = 0; i < 6; i++)
		r.arg[i] = op->arg[i] + (op->refs >> i & 1 ? l->data : 0);
	if (op->kind == OP_CLONE) {
		r.arg[0] = stack_of(l, op->arg[0]);
		r.arg[4] = l->records + first_record(plan, op->arg[5]) * sizeof(r);
	} else if (op->kind == OP_START) {
		r.arg[0] += l->keep;
		r.arg[1] += l->keep;
	} else if (op->kind == OP_READ && (int)op->arg[0] == plan->fds.core) {
		r.flags |= RECORD_FROM_CORE;
	} else if (op->kind == OP_READ) {
		r.arg[3] += l->vdso - plan->hole;
	}
	return r;
}

/* Each frame's pointer to its XSAVE area. */
static void link_frames(struct process_plan *plan, const struct layout *l)
{
	const struct plan_op *ops = ops_of(plan);
	size_t i;

	for (i = 0; i < plan->nr_ops; i++)
		if (ops[i].kind == OP_START) {
			uint64_t area = l->keep + ops[i].arg[1];

			memcpy(plan->keep.bytes + ops[i].arg[0] + FRAME_FPSTATE, &area,
			       sizeof(area));
		}
}

static bool write_at(int fd, const void *buf, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, offset);

		if (n <= 0)
			return false;
		buf = (const char *)buf + n;
		offset += n;
		len -= n;
	}
	return true;
}

static int fill_restorer(struct process_plan *plan, const struct layout *l, int fd)
{
	struct record_head head = { .magic = RECORD_MAGIC,
				    .nr_threads = nr_threads(plan),
				    .status_fd = plan->fds.status,
				    .keep_tables = plan->engine->kind == ENGINE_QEMU,
				    .hole = plan->hole,
				    .hole_size = l->end - plan->hole,
				    .drop_start = l->drop,
				    .drop_size = l->end - l->drop,
				    .first = l->records,
				    .stack = stack_of(l, 0),
				    .nr_copiers = pack_copiers(plan) };
	struct record *records = calloc(plan->nr_ops, sizeof(*records));
	size_t i, n = 0;
	bool good = records;

	for (i = 0; good && i < plan->nr_ops; i++)
		if (ops_of(plan)[i].kind >= OP_RESTORER)
			records[n++] = make_record(plan, l, i);
	good = good && !ftruncate(fd, l->file_end - plan->hole) &&
	       write_at(fd, blob_restorer, blob_restorer_end - blob_restorer, 0) &&
	       write_at(fd, &head, sizeof(head), l->head - plan->hole) &&
	       write_at(fd, plan->keep.bytes, plan->keep.len, l->keep - plan->hole) &&
	       write_at(fd, records, n * sizeof(*records), l->records - plan->hole) &&
	       write_at(fd, plan->data.bytes, plan->data.len, l->data - plan->hole) &&
	       write_at(fd, plan->vdso.bytes, plan->vdso.len, l->vdso - plan->hole);
	free(records);
	return good ? 0 : -1;
}

int pack_restorer(struct process_plan *plan)
{
	struct layout l = lay_out(plan);
	int fd = memfd_create("restorer", MFD_CLOEXEC);

	link_frames(plan, &l);
	if (fd >= 0 && !fill_restorer(plan, &l, fd))
		return fd;
	fail("cannot write the restorer's file: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

int pack_restart_elf(const struct process_plan *plan)
{
	struct layout l = lay_out(plan);
	size_t code = blob_stage1_end - blob_stage1;
	const struct stage1_args args = { plan->hole,	      l.end - plan->hole,
					  l.code_size,	      l.file_end - plan->hole,
					  plan->fds.restorer, stack_of(&l, 0) };
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[2];
		uint8_t text[2048];
	} elf = { 0 };
	int fd = memfd_create("restart", MFD_CLOEXEC);

	memcpy(elf.eh.e_ident, "\177ELF\2\1\1", 7);
	elf.eh.e_type = ET_EXEC;
	elf.eh.e_machine = EM_X86_64;
	elf.eh.e_version = 1;
	elf.eh.e_entry = plan->restart + offsetof(__typeof__(elf), text);
	elf.eh.e_phoff = sizeof(elf.eh);
	elf.eh.e_ehsize = sizeof(elf.eh);
	elf.eh.e_phentsize = sizeof(elf.ph[0]);
	elf.eh.e_phnum = 2;
	elf.ph[0] = (Elf64_Phdr){ PT_LOAD,
				  PF_R | PF_W | PF_X,
				  0,
				  plan->restart,
				  plan->restart,
				  plan->restart_end - plan->restart,
				  plan->restart_end - plan->restart,
				  IMAGE_PAGE_SIZE };
	elf.ph[1] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16 };
	memcpy(elf.text, blob_stage1, code);
	memcpy(elf.text + code, &args, sizeof(args));
	if (fd >= 0 && write_at(fd, &elf, sizeof(elf), 0) &&
	    !ftruncate(fd, plan->restart_end - plan->restart))
		return fd;
	fail("cannot write the restart ELF: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}
