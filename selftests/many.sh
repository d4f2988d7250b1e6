#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# many.sh [N [ENGINE...]]   in a VM with the module: a program with N mappings (66,000, more
# than ELF's 16-bit count of segments holds) is dumped and resumed by each ENGINE (native
# and qemu), and finds all of their contents as they were.

. "$(dirname "$0")/lib.sh"

N=${1:-66000}
ENGINES=("${@:2}")
[ ${#ENGINES[@]} -gt 0 ] || ENGINES=(native qemu)
DIR=$(mktemp -d /dev/shm/xckpt-many.XXXXXX)
CONTROL=$DIR/control
trap 'end_started; rm -rf "$DIR"' EXIT

start() {
	(exec setsid "$TESTS/bench_scale" "$CONTROL" vmas "$N") </dev/null >"$DIR/out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 100 grep -qsx ready "$DIR/out" || die "no program with $N mappings: $(<"$DIR/out")"
}

# It answers, then checks what it has: bench_resume fails where it does not do both.
resumed() {
	local status=0
	"$TESTS/bench_resume" "$CONTROL" run qemu-resume --allow-changed --engine "$1" "$DIR/image" \
		</dev/null >"$DIR/log" 2>&1 || status=$?
	result "$status" "$N mappings: resumed ($1), with their contents" "$(<"$DIR/log")"
}

dumped() {
	local status=0
	start
	xckpt-dump -p "$PID" -o "$DIR/image" --kill 2>"$DIR/log" || status=$?
	result "$status" "$N mappings: dumped" "$(<"$DIR/log")"
	wait "$PID" 2>/dev/null || true
}

echo $((N + 10000)) >/proc/sys/vm/max_map_count
load_module
tap_main dumped "${ENGINES[@]/#/resumed }"
