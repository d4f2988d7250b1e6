// SPDX-License-Identifier: GPL-2.0-or-later
/* What has a position goes on at it. */
#include <sys/stat.h>

#include "synth.h"
#include "tap.h"

#define POSITION 1536

static struct synth s;

static uint64_t opened_at(enum file_kind kind, uint32_t mode, uint32_t flags)
{
	struct open_file *f;
	struct plan *plan;
	uint64_t at;

	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	f = synth_file(&s, kind, "/dev/some", flags);
	f->mode = mode;
	f->pos = POSITION;
	synth_fd(&s, 3, f, false);
	synth_place = POSITION;
	plan = plan_make(&s.img, &s.engine, &s.host);
	at = find_op(plan, OP_OPEN, 0)->arg[2];
	plan_free(plan);
	return at;
}

int main(void)
{
	ok(opened_at(FILE_REGULAR, S_IFREG | 0644, 2) == POSITION, "a file");
	ok(opened_at(FILE_DIRECTORY, S_IFDIR | 0755, 0) == POSITION, "a folder");
	ok(opened_at(FILE_DEVICE, S_IFBLK | 0660, 2) == POSITION, "a disk");
	ok(!opened_at(FILE_DEVICE, S_IFCHR | 0666, 2), "but no terminal or the like");
	ok(!opened_at(FILE_DEVICE, S_IFBLK | 0660, 010000000), "and no mere path");
	return tap_end();
}
