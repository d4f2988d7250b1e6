#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xckpt-dump's targets, modes and the order of its steps, against a device that is
# faked (fake_device.c), TAP output. Needs xckpt-dump-fake and xckpt-info on PATH.

# shellcheck source=userland/tests/dump_lib.sh
. "${0%/*}/dump_lib.sh"

misuse() { # WHAT ARGUMENT...
	local what=$1
	shift
	: >"$work/log"
	xckpt-dump-fake "$@" >"$work/out" 2>"$work/err"
	[ $? = 2 ] && [ ! -s "$work/out" ] && [ "$(wc -l <"$work/err")" = 2 ] && cmds "" &&
		grep -q "^Try 'xckpt-dump --help'" "$work/err"
	check $? "misuse: $what: $(head -1 "$work/err")"
}
misuse "no target" -o x
misuse "no image" -p 1
misuse "no number" -p x -o x
misuse "two kinds" -p 1 --pgrp 1 -o x
misuse "two kinds, other way" --session 1 -p 1 -o x
misuse "two groups" --pgrp 1 --pgrp 2 -o x
misuse "group 0" --pgrp 0 -o x
misuse "an unknown mode" -p 1 --mode hard -o x
misuse "no jobs" -p 1 --jobs 0 -o x
misuse "too many jobs" -p 1 --jobs 1025 -o x
misuse "soft and killed" -p 1 --kill --mode soft -o x
misuse "soft and stopped" -p 1 --leave-stopped --mode soft -o x
misuse "killed and stopped" -p 1 --kill --leave-stopped -o x
misuse "too long a time-out" -p 1 --timeout 600001 -o x
misuse "something more" -p 1 -o x y
xckpt-dump-fake --help >"$work/out" 2>"$work/err" && [ ! -s "$work/err" ]; check $? "--help"
while read -r option; do
	grep -q -- "--$option" "$work/out" || { echo "# --$option" && false; }
	check $? "--help knows --$option"
	grep -q -- "Fl .*-${option//-/.*}\b" "${0%/*}/../man/xckpt-dump.1"; check $? "so does the manual"
	grep -q -- "--$option" "${0%/*}/../completion/xckpt-dump"; check $? "and the completion"
done < <(sed -n 's/^	{ "\([a-z-]*\)".*/\1/p' "${0%/*}/../dump/options.c")

# target OPTION... -- LOG NAME: of whom the freeze is, and what it is called
target() {
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	: >"$work/log"
	xckpt-dump-fake "${options[@]}" -o "$work/img" 2>"$work/err" &&
		[ "$(head -1 "$work/log")" = "$2" ] && says "xckpt-dump: $3 (victim): 1 process"
	check $? "${options[*]}: $(cat "$work/log" "$work/err" | tr '\n' ' ')"
	rm -rf "$work/img"
}
target -p $victim -- freeze "pid $victim"
target -p $victim --pid $victim -- freeze "pid $victim"
target -p $victim -p $$ -p $victim -- "freeze trees 2" "pids $victim, $$"
target --pgrp 77 -- "freeze pgrp 77" "process group 77"
target --session 78 -- "freeze session 78" "session 78"
target -p $victim --mode soft -- freeze-soft "pid $victim"
target -p $victim --mode strict --jobs 1 -- freeze-strict "pid $victim"

xckpt-dump-fake --cgroup "$work" -o "$work/img" 2>"$work/err"; [ $? = 1 ] && nothing_left &&
	says "cannot use cgroup $work: it is not a directory of a cgroup2 file system"
check $? "$(cat "$work/err")"
xckpt-dump-fake --cgroup "$work/no" -o "$work/img" 2>"$work/err"; [ $? = 1 ] && nothing_left &&
	says "cannot open cgroup $work/no: No such file or directory"
check $? "$(cat "$work/err")"
mkdir "$work/cgroup"
if mount -t cgroup2 none "$work/cgroup" 2>/dev/null; then
	target --cgroup "$work/cgroup" -- "freeze cgroup" "cgroup $work/cgroup"
	xckpt-dump-fake --cgroup "$work/cgroup/cgroup.procs" -o "$work/img" 2>"$work/err"
	[ $? = 1 ] && says "Not a directory"; check $? "$(cat "$work/err")"
	umount "$work/cgroup"
else
	nr=$((nr + 1))
	echo "ok $nr - --cgroup # SKIP cannot mount a cgroup2 file system"
fi

refused() { # REASON MESSAGE OPTION...
	FAKE_REASON=$1 xckpt-dump-fake "${@:3}" -o "$work/img" 2>"$work/err"
	[ $? = 1 ] && says "$2" && nothing_left; check $? "$(cat "$work/err")"
}
refused 1 "cannot freeze process group 77: it has no process that is alive" --pgrp 77
refused 6 "cannot freeze session 78: it has xckpt-dump itself in it" --session 78
refused 6 "one of them has xckpt-dump itself among its descendants" -p $victim -p $$
FAKE_CULPRIT=$$ refused 6 "(python3): it has xckpt-dump itself among" -p $victim
FAKE_CULPRIT=$$ refused 8 "cannot freeze process group 77: pid $$ (dump_target_tes) runs 32-bit" --pgrp 77
FAKE_OLD=1 refused 0 "cannot use /dev/xckpt: the module does not know this target" --pgrp 77

flow() { # LOG WHAT OPTION...
	dump -q -o "$work/img" "${@:3}" && cmds "$1 "; check $? "$2: $(tr '\n' ' ' <"$work/log"; cat "$work/err")"
	xckpt-info --verify "$work/img" >/dev/null 2>"$work/err"; check $? "its image is good: $(cat "$work/err")"
	rm -rf "$work/img"
}
FAKE_ASLEEP=1 flow "freeze snapshot thaw core contents" "threads asleep"
FAKE_UNCLONED=2 flow "freeze snapshot core contents thaw" "a memory that cannot be cloned"
FAKE_UNCLONED=2 FAKE_ASLEEP=1 flow "freeze snapshot thaw freeze-strict snapshot core contents thaw" \
	"and threads asleep: nobody may wake while it is read"
FAKE_UNCLONED=2 FAKE_ASLEEP=1 flow "freeze-soft snapshot core contents thaw" "unless told so" --mode soft
FAKE_MOVED=2 flow "freeze snapshot thaw freeze snapshot thaw freeze snapshot thaw core contents" \
	"threads that moved twice"
for how in kill:kill leave-stopped:stop; do
	FAKE_IMAGE=$work/img flow "freeze-strict snapshot-frozen core contents ${how#*:}" "--${how%:*}" "--${how%:*}"
	FAKE_PIPES=1 FAKE_IMAGE=$work/img flow "freeze-strict snapshot-frozen core contents ${how#*:}" \
		"--${how%:*} with pipes" "--${how%:*}"
	FAKE_STUCK=1 dump "--${how%:*}" -o "$work/img"; [ $? = 1 ] && says "cannot ${how#*:} pid $victim: Input/output error" && nothing_left
	check $? "no image of who could not be ended: $(cat "$work/err")"
done
FAKE_MOVED=3 dump -o "$work/img"; [ $? = 1 ] && nothing_left && [ "$(grep -c '^thaw$' "$work/log")" = 3 ] &&
	says "cannot dump pid $victim: threads of it were woken or killed in each of 3 attempts"
check $? "$(cat "$work/err")"

remark() { # REASON TEXT OPTION...
	FAKE_UNCLONED=$1 dump -o "$work/img" "${@:3}" && says "img; pid $victim$2"; check $? "$(cat "$work/err")"
	rm -rf "$work/img"
}
remark 2 " was read while frozen (it uses userfaultfd)"
remark 3 " was read while frozen (there was no memory for a clone of it)"
remark 4 " was read while frozen (the system had no room for another process)"
remark 0 " was read while frozen (as --kill needs it)" --kill
FAKE_PROCESSES=3 dump -o "$work/img" --leave-stopped --force
grep -q "; pid $victim and 2 others were read while frozen (as --leave-stopped" "$work/err"; check $? "$(tail -1 "$work/err")"
rm -rf "$work/img"

FAKE_ASLEEP=1 dump -o "$work/img" && grep -q 'frozen [0-9.]* m\?s, image' "$work/err" && xckpt-info "$work/img" | grep -q 'worker *asleep' &&
	grep -q '"state": "asleep"' "$work/img/group.json"
check $? "xckpt-info and the manifest name who is asleep"
rm -rf "$work/img"

# a child of the victim that has ended and stays so
python3 -c '
import os, sys, time
pid = os.fork()
if pid == 0: os.setsid(); open("/proc/self/comm", "w").write("gone"); os._exit(1)
print(pid, flush=True); time.sleep(100)' >"$work/zombie" & parent=$!
disown
until [ -s "$work/zombie" ] && grep -q '^State:.Z' "/proc/$(cat "$work/zombie")/status"; do sleep 0.05; done
FAKE_PROCESSES=3 FAKE_ENDED=$(cat "$work/zombie") dump -q -o "$work/img"; check $? "several processes: $(cat "$work/err")"
kill -9 $parent
cmds "freeze snapshot thaw core core core contents contents contents "; check $? "one core each: $(tr '\n' ' ' <"$work/log")"
xckpt-info --verify --json "$work/img" >"$work/json" && python3 -c '
import json, sys
image = json.load(open(sys.argv[1]))
pid, ended = int(sys.argv[2]), int(sys.argv[3])
assert [p["pid"] for p in image["processes"]] == [pid, pid + 10, pid + 20]
assert [p["ppid"] for p in image["processes"]] == [1, pid, pid + 10]
assert image["root"] == pid and len(image["ended"]) == 1
assert image["ended"][0] == {"pid": ended, "ppid": pid, "comm": "gone", "exit_code": 256}
manifest = json.load(open(sys.argv[4]))["processes"][3]
assert manifest["pgid"] == manifest["sid"] == ended and manifest["state"] == "zombie"
' "$work/json" $victim "$(cat "$work/zombie")" "$work/img/group.json"
check $? "parents before children, and who has ended"
rm -rf "$work/img"
FAKE_PROCESSES=3 dump -q --jobs 7 -o - >"$work/tar" && xckpt-info --verify - <"$work/tar" >"$work/info" 2>"$work/err"
check $? "several in a stream: $(cat "$work/err")"
[ "$(grep -c '^process ' "$work/info")" = 3 ]; check $? "all of them"

finish
