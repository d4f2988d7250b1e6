// SPDX-License-Identifier: GPL-2.0-or-later
/* Pseudo-terminals of an image: what does not fit together is refused, in one line. */
#include "common.h"

#include <string.h>

static struct terminal terminals[2];
static struct open_file files[5];
static struct image_process processes[2];
static struct image_zombie zombie;
static struct image_priv priv;
static struct image img;

/* Two pseudo-terminals; the first one is that of session 42, with group 43 in front. */
static void begin(void)
{
	terminals[0] =
		(struct terminal){ .index = 3, .opened = true, .session = 42, .foreground = 43 };
	terminals[1] = (struct terminal){ .index = 4 };
	files[0] = (struct open_file){ .id = 2, .kind = FILE_DEVICE, .terminal = &terminals[0] };
	files[1] = (struct open_file){ .id = 3, .kind = FILE_DEVICE, .terminal = &terminals[1] };
	files[2] = (struct open_file){ .id = 5, .kind = FILE_TTY, .master = 2 };
	files[3] = (struct open_file){ .id = 7, .kind = FILE_REGULAR };
	files[4] = (struct open_file){ .id = 9, .kind = FILE_TTY, .master = 2 };
	memset(processes, 0, sizeof(processes));
	processes[0].info = (struct xckpt_note_process){
		.pid = 42, .pgid = 42, .sid = 42, .flags = XCKPT_PROCESS_TTY
	};
	processes[1].info = (struct xckpt_note_process){ .pid = 43, .pgid = 43, .sid = 42 };
	zombie = (struct image_zombie){ .pid = 44, .pgid = 44, .sid = 42 };
	priv.action = "cannot use it";
	img = (struct image){ .files = files,
			      .nr_files = 5,
			      .processes = processes,
			      .nr_processes = 2,
			      .zombies = &zombie,
			      .nr_zombies = 1,
			      .priv = &priv };
}

static void refused(const char *words)
{
	const char *said;
	int ret;

	quiet_begin();
	ret = image_check_terminals(&img, &priv);
	said = quiet_end();
	check(ret == -1 && strstr(said, words) && strchr(said, '\n') == strrchr(said, '\n'),
	      "%s: %s", words, said);
	arena_free(&priv.arena);
	begin();
}

static void accepted(const char *what)
{
	check(!image_check_terminals(&img, &priv), "%s", what);
	arena_free(&priv.arena);
	begin();
}

static void test_sides(void)
{
	files[4].master = 4;
	refused("file 9 is a terminal whose master it does not have");
	files[4].master = 7;
	refused("file 9 is a terminal whose master it does not have");
	files[4].master = 3;
	refused("file 9 is a terminal that was never open");
	terminals[1].index = 3;
	refused("is a pseudo-terminal that is there twice");
}

static void test_sessions(void)
{
	terminals[1].session = 42;
	refused("is a second terminal of a session that has one");
	terminals[0].session = 41;
	refused("file 2 is the terminal of a session that it does not have");
	terminals[0].session = 43;
	refused("file 2 is the terminal of a session that it does not have");
	processes[0].info.flags = 0;
	refused("file 2 is the terminal of a session that it does not have");
	terminals[0].foreground = 45;
	refused("file 2 has a foreground process group that it does not have");
	processes[1].info.sid = 43;
	refused("file 2 has a foreground process group that it does not have");
	terminals[0].foreground = 44;
	accepted("a group of one that has ended may be in front");
	terminals[0].foreground = 0;
	accepted("or one that nobody is in any more");
}

int main(void)
{
	begin();
	accepted("terminals that fit together");
	img.nr_files = 0;
	accepted("or none");
	test_sides();
	test_sessions();
	return check_end();
}
