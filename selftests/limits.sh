#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# limits.sh   a program that may have little more memory than it has: a checkpoint must
# not be what it is killed for. In a VM with the module.

. "$(dirname "$0")/lib.sh"

DIR=$(mktemp -d /tmp/xckpt-limits.XXXXXX)
CGROUP=$DIR/cgroup
BOX=$CGROUP/box
MIB=64
trap 'rm -rf "$DIR/image" "$DIR/turn"' EXIT

# writer LIMIT-MIB: writes to MIB mebibytes of memory all the time
writer() {
	mkdir -p "$BOX"
	echo "$1M" >"$BOX/memory.max"
	[ ! -e "$BOX/memory.swap.max" ] || echo 0 >"$BOX/memory.swap.max"
	rm -f "$DIR/turn"
	# shellcheck disable=SC2016 # the inner shell's
	bash -c 'echo $$ >"$1/cgroup.procs" && exec python3 "$2" "$3" "$4"' - \
		"$BOX" "$SELFTESTS/limits.py" "$MIB" "$DIR/turn" </dev/null >"$DIR/out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 60 turned || die "the writer does not start: $(<"$DIR/out")"
}

turned() {
	local turn=''
	[ ! -e "$DIR/turn" ] || read -r turn <"$DIR/turn" || true
	[ "${turn:-0}" -gt "${1:-1}" ]
} 2>/dev/null

goes_on() {
	local turn
	read -r turn <"$DIR/turn" || true
	wait_for 30 turned "$((${turn:-0} + 2))"
}

# dumped NAME PATTERN: it goes on, the image is whole, and the summary says so
dumped() {
	local status=0
	xckpt-dump -p "$PID" -o "$DIR/image" 2>"$DIR/err" || status=1
	result "$(((status || $(oom_kills)) != 0))" "$1: nothing is killed" "$(<"$DIR/err")"
	result "$(goes_on && echo 0 || echo 1)" "$1: the program goes on" "$(<"$DIR/err")"
	result "$(grep -Eq "$2" "$DIR/err" && echo 0 || echo 1)" "$1: what is told" "$(<"$DIR/err")"
	result "$(xckpt-info --verify "$DIR/image" >"$DIR/err" 2>&1 && echo 0 || echo 1)" \
		"$1: the image" "$(<"$DIR/err")"
	rm -rf "$DIR/image"
	kill -KILL "$PID" 2>/dev/null || true
	wait "$PID" 2>/dev/null || true
}

oom_kills() {
	sed -n 's/^oom_kill //p' "$BOX/memory.events"
}

plenty_of_memory() {
	writer $((MIB * 4))
	dumped 'much' 'frozen ([^;]|; System V)*$'
}

little_memory_later() {
	writer $((MIB + 60))
	dumped 'little' '; held while it was read \(/.*/box has little left of its 124.0 MiB\)'
}

little_memory_from_the_start() {
	writer $((MIB + 20))
	dumped 'hardly any' 'read while frozen \(/.*/box has little left of its 84.0 MiB\)'
}

mkdir -p "$CGROUP"
mount -t cgroup2 none "$CGROUP" || die 'no cgroup2 file system'
echo +memory >"$CGROUP/cgroup.subtree_control" || die 'no memory controller'
load_module
tap_main plenty_of_memory little_memory_later little_memory_from_the_start
