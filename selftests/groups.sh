#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# groups.sh   process groups, sessions, cgroups and several trees: each image has
# the processes that it should, and all of them run on. In a VM with the module.

. "$(dirname "$0")/lib.sh"

DIR=$(mktemp -d /tmp/xckpt-groups.XXXXXX)
trap 'rm -rf "$DIR"' EXIT

# tickers SHELL-LINE: runs it in a session of its own, whose number is SESSION;
# `tick NAME` in it starts a ticker in the background.
tickers() {
	rm -f "$DIR"/*.tick "$DIR"/*.pid
	# shellcheck disable=SC2016 # the inner shell's
	setsid bash -c 'DIR=$1; tick() { "$0" "$DIR/$1.tick" & echo $! >"$DIR/$1.pid"; }
		'"$1" "$TESTS/ticker" "$DIR" </dev/null >"$DIR/out" 2>&1 9<&- &
	SESSION=$!
	STARTED+=("$SESSION")
}

pid_of() {
	wait_for 20 test -s "$DIR/$1.pid" || die "$1 does not start: $(<"$DIR/out")"
	wait_for 20 test -s "$DIR/$1.tick" || die "$1 does not tick: $(<"$DIR/out")"
	local pid
	read -r pid <"$DIR/$1.pid"
	STARTED+=("$pid")
	echo "$pid"
}

shows() {
	[ "$(<"$DIR/$1.tick")" = "$2" ]
}

ticks_on() {
	local shown
	shown=$(<"$DIR/$1.tick")
	wait_for 20 eval "! shows '$1' '$shown'"
}

pids_in() {
	xckpt-info --verify --json "$1" | python3 -c '
import json, sys
print(*sorted(p["pid"] for p in json.load(sys.stdin)["processes"]))'
}

# dumped WHAT PIDS OPTION...: that the image has exactly these processes
dumped() {
	local what=$1 want got=''
	want=$(printf '%s\n' "$2" | tr ' ' '\n' | sort -n | tr '\n' ' ')
	shift 2
	if ! xckpt-dump -q "$@" -o "$DIR/image" 2>"$DIR/err"; then
		fail "$what" "$(<"$DIR/err")"
		return
	fi
	got=$(pids_in "$DIR/image" 2>"$DIR/err") || true
	result "$([ "$got" = "${want% }" ] && echo 0 || echo 1)" "$what" \
		"$got instead of $want: $(<"$DIR/err")"
	rm -rf "$DIR/image"
}

go_on() {
	local what=$1 name still=''
	shift
	for name; do ticks_on "$name" || still+=" $name"; done
	result "${#still}" "$what: all run on" "not:$still"
}

end() {
	local pid
	for pid; do kill -KILL "$pid" 2>/dev/null || true; done
}

# Libraries and programs are in an image once, however many processes have them.
group_files() {
	local a b c one three
	tickers 'tick a; tick b; tick c; wait'
	a=$(pid_of a) b=$(pid_of b) c=$(pid_of c)
	xckpt-dump -q -p "$a" -o "$DIR/one"
	xckpt-dump -q -p "$a" -p "$b" -p "$c" -o "$DIR/image"
	one=$(du -sk "$DIR/one" | cut -f1) three=$(du -sk "$DIR/image" | cut -f1)
	result "$((three * 2 > one * 3))" 'files that three have mapped are in the image once' \
		"$one KiB of one, $three KiB of three"
	result "$(xckpt-info --verify --json "$DIR/image" | python3 -c '
import json, sys
held = [m for p in json.load(sys.stdin)["processes"] for m in p["mappings"] if m.get("held_by")]
print(int(not any(m["path"] and m["held_bytes"] > 1 << 18 for m in held)))')" \
		'and told where they are' "$(xckpt-info "$DIR/image")"
	rm -rf "$DIR/image" "$DIR/one"
	go_on 'after that' a b c
	end "$a" "$b" "$c" "$SESSION"
}

group_pgrp() {
	local a b
	tickers 'tick a; tick b; wait'
	a=$(pid_of a) b=$(pid_of b)
	dumped 'a process group' "$SESSION $a $b" --pgrp "$SESSION"
	dumped 'its tree' "$SESSION $a $b" -p "$SESSION"
	dumped 'several trees' "$a $b" -p "$a" --pid "$b" -p "$a"
	dumped 'trees within each other' "$SESSION $a $b" -p "$b" -p "$SESSION"
	go_on 'a process group' a b
	end "$SESSION" "$a" "$b"
}

# With job control each ticker is a process group of its own; the leader has gone.
group_session() {
	local a b
	tickers 'set -m; tick a; tick b; exit'
	a=$(pid_of a) b=$(pid_of b)
	wait "$SESSION" || true
	dumped 'a session without its leader' "$a $b" --session "$SESSION"
	dumped 'one process group of it' "$b" --pgrp "$b"
	go_on 'a session' a b
	resume_session "$a" "$b"
}

# Both are qemu-resume's own: it ends when both have, with the status of the first.
resume_session() {
	local status=0 pid image=$DIR/session
	xckpt-dump -q --session "$SESSION" -o "$image" --kill
	wait_for 20 eval "! alive '$1' && ! alive '$2'"
	# DIR/out is the tickers', and must be as it was
	qemu-resume --engine native "$image" </dev/null >"$DIR/resumed" 2>&1 9<&- &
	pid=$!
	STARTED+=("$pid")
	go_on 'a session is resumed' a b
	result "$(cat "$DIR"/{a,b}.pid | sort -n | diff - <(resumed_pids "$pid") >"$DIR/diff" &&
		echo 0 || echo 1)" 'they have their pids and sessions' "$(<"$DIR/diff")"
	kill -TERM "$pid"
	nap 1
	result "$(alive "$pid" && ticks_on b && echo 0 || echo 1)" 'the second goes on alone'
	kill -TERM "$pid"
	wait "$pid" || status=$?
	result "$((status != 143))" 'is told to end, too, and the status is that of the first' "$status: $(<"$DIR/resumed")"
	rm -rf "$image"
}

# One of them is an orphan of a session below: a child of the init of their namespace.
group_killed() {
	local a b pid image=$DIR/killed outer
	# shellcheck disable=SC2016
	tickers 'export -f tick; export DIR; setsid bash -c "tick a; (tick b); wait" "$0" & wait'
	a=$(pid_of a) b=$(pid_of b)
	outer=$SESSION
	SESSION=$(ps -o sid= -p "$a" | tr -d ' ')
	xckpt-dump -q -p "$outer" -p "$b" -o "$image" --kill
	wait_for 20 eval "! alive '$a' && ! alive '$b'"
	qemu-resume --engine native "$image" </dev/null >"$DIR/resumed" 2>&1 9<&- &
	pid=$!
	STARTED+=("$pid")
	go_on 'a tree with an orphan is resumed' a b
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
	result "$(wait_for 20 nobody_left && echo 0 || echo 1)" \
		'and is killed when qemu-resume is' "$(resumed_pids)"
	rm -rf "$image"
}

nobody_left() {
	[ -z "$(resumed_pids)" ]
}

# Of those below qemu-resume $1 (without: of all), as they see themselves; SESSION must be theirs.
resumed_pids() {
	local child ids
	for child in $(pgrep ${1:+-P "$1"} -x ticker); do
		ids=$(sed -n 's/^NSpid:.*\t//p; s/^NSsid:.*\t/session /p' "/proc/$child/status")
		[[ $ids != *"session $SESSION"* ]] || echo "${ids%%$'\n'*}"
	done | sort -n
}

group_cgroup() {
	local a b c cgroup=$DIR/cgroup
	mkdir "$cgroup"
	mount -t cgroup2 none "$cgroup" || die 'no cgroup2 file system'
	mkdir -p "$cgroup/group.$$/below"
	tickers 'tick a; tick b; tick c; wait'
	a=$(pid_of a) b=$(pid_of b) c=$(pid_of c)
	echo "$a" >"$cgroup/group.$$/cgroup.procs"
	echo "$b" >"$cgroup/group.$$/below/cgroup.procs"
	dumped 'a cgroup with what is below' "$a $b" --cgroup "$cgroup/group.$$"
	dumped 'one below' "$b" --cgroup "$cgroup/group.$$/below/"
	go_on 'a cgroup' a b c
	end "$SESSION" "$a" "$b" "$c"
	wait "$SESSION" 2>/dev/null || true
	wait_for 10 rmdir "$cgroup/group.$$/below" "$cgroup/group.$$" 2>/dev/null
	umount "$cgroup"
}

# Many small processes by any number of readers.
group_many() {
	local names=() pids='' i
	# shellcheck disable=SC2016
	tickers 'for ((i = 0; i < 40; i++)); do tick "t$i"; done; wait'
	for ((i = 0; i < 40; i++)); do
		names+=("t$i")
		pids+=" $(pid_of "t$i")"
	done
	for i in 1 2 64; do
		dumped "41 processes by $i threads" "$SESSION$pids" --session "$SESSION" --jobs "$i"
	done
	xckpt-dump -q --session "$SESSION" -o - | xckpt-info --verify - >"$DIR/info" 2>"$DIR/err" || true
	result $(($(grep -c '^process ' "$DIR/info") != 41)) '41 processes as a stream' "$(<"$DIR/err")"
	go_on '41 processes' "${names[@]}"
	# shellcheck disable=SC2086 # words
	end "$SESSION" $pids
}

load_module
tap_main group_files group_pgrp group_session group_killed group_cgroup group_many
