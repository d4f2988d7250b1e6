#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The modes of the terminal that a program is in the foreground of.

# shellcheck source=userland/tests/dump_lib.sh
. "${0%/*}/dump_lib.sh"

# on_terminal WHERE: a program on a terminal of its own, raw but for ECHO, 7 rows; sets on
on_terminal() {
	python3 -c '
import os, pty, sys, termios, time, tty
pid, fd = pty.fork()
if not pid:
    tty.setraw(0)
    modes = termios.tcgetattr(0)
    modes[3] |= termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, modes)
    termios.tcsetwinsize(0, (7, 70))
    name = sys.argv[2]
    child = sys.argv[1] == "background" and os.fork() == 0
    if child:
        os.setpgid(0, 0)
    if child or sys.argv[1] == "foreground":
        open(name + "~", "w").write(str(os.getpid()))
        os.rename(name + "~", name)
    time.sleep(1000)
time.sleep(1000)' "$1" "$work/$1" & holder=$!
	disown
	until [ -s "$work/$1" ]; do sleep 0.1; done
	sleep 0.2
	on=$(<"$work/$1")
}
modes() { python3 -c 'import json, sys
front = json.load(open(sys.argv[1])).get("front")
print("%x %d %d" % (front["lflag"] & 0x800b, front["rows"], front["chars"][6]) if front else "none")' \
	"$work/img/group.json"; }

for where in foreground background; do
	on_terminal $where
	FAKE_PID=$on xckpt-dump-fake -q -p "$on" -o "$work/img"; check $? "a program in the $where"
	got=$(modes)
	case $where in
	foreground) [ "$got" = "8 7 1" ] ;; # ECHO, and neither ICANON nor ISIG nor IEXTEN
	background) [ "$got" = none ] ;;
	esac
	check $? "modes of its terminal: $got"
	got=$(xckpt-info "$work/img" | grep '^  terminal ')
	case $where in
	foreground) [[ $got == *' 7 lines of 70, by keys, '* ]] ;;
	background) [ -z "$got" ] ;;
	esac
	check $? "xckpt-info tells: $got"
	kill $holder "$on"
	rm -rf "$work/img"
done
dump -q -o "$work/img"; check $? "a program without a terminal in front"
[ "$(modes)" = none ]; check $? "has none"
finish
