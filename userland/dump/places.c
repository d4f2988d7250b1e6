// SPDX-License-Identifier: GPL-2.0-or-later
/* How far directories were read, for where their positions mean nothing. */
#include "dump.h"
#include "pseudo.h"

#include <unistd.h>

static void find_place(const struct dump *d, struct open_file *f)
{
	/* to read it is an event for who watches it */
	int fd = d->watches ? -1 : holder_reopen(d, f);

	/* else it cannot be told, and the position is all that there is */
	if (fd < 0 || is_pseudo_file(fd) || directory_place_of(fd, (int64_t)f->pos, &f->place) < 0)
		f->place = (struct directory_place){ 0 };
	if (fd >= 0)
		close(fd);
}

int capture_places(struct dump *d)
{
	for (size_t i = 0; i < d->img.nr_files; i++) {
		struct open_file *f = &d->img.files[i];

		if (f->kind == FILE_DIRECTORY && f->pos && !(f->flags & X86_O_PATH) &&
		    d->holders[i].process)
			find_place(d, f);
	}
	return 0;
}
