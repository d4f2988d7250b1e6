#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# objects.sh [RUNS]   in a VM with the module: what it costs that processes share things: a
# dump to a tmpfs, for how long the program stood still, and a native resume up to the first
# thing that the program does. Lines of JSON. OBJECTS_SIZES, of "PROCESSES/OBJECTS".

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/tools.sh"

RUNS=${1:-5}
SIZES=${OBJECTS_SIZES-10/0 10/10 10/100 10/1000 100/300}

crowd() {
	: >"$CONTROL.out"
	"$TESTS/bench_crowd" tree "$N" "$OBJECTS" </dev/null >"$CONTROL.out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 100 has_lines "$CONTROL.out" 1 ||
		die "no $N processes with $OBJECTS objects: $(<"$CONTROL.out")"
}

# row TOOL MEMBERS
row() {
	printf '{"part":"objects","n":%d,"objects":%d,"tool":"%s",%s}\n' "$N" "$OBJECTS" "$1" "$2"
}

resume() {
	local start=${EPOCHREALTIME/./} pid
	qemu-resume --engine native "$DIR/image" </dev/null >"$DIR/err" 2>&1 9<&- &
	pid=$!
	wait_for 100 runs_or_ended "$pid" || true
	runs_on || die "not resumed: $(<"$DIR/err")"
	printf '"answer_ns":%d' $(((${EPOCHREALTIME/./} - start) * 1000))
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
	wait_for 100 eval '! pgrep -x bench_crowd >/dev/null'
}

# Its main process spins: it has used time of its own.
runs_on() {
	local child ticks
	child=$(pgrep -x -o bench_crowd) || return 1
	read -r -a ticks < <(sed 's/.*) //' "/proc/$child/stat") || return 1
	[ "${ticks[11]}" -gt 0 ]
}

runs_or_ended() {
	runs_on || ! alive "$1"
}

# measure N OBJECTS
measure() {
	local run members
	N=$1 OBJECTS=$2
	crowd
	for ((run = 1; run <= RUNS; run++)); do
		echo "objects: $OBJECTS of $N processes, run $run" >&2
		members=$(by_xckpt) || die "no dump of $N processes with $OBJECTS objects: $(<"$DIR/err")"
		row xckpt "$members"
	done
	rm -rf "$DIR"
	mkdir "$DIR"
	xckpt-dump -q -p "$PID" -o "$DIR/image" --kill
	wait "$PID" 2>/dev/null || true
	for ((run = 1; run <= RUNS; run++)); do
		members=$(resume)
		row native "$members"
	done
	rm -rf "$DIR"
}

begin_bench
for size in $SIZES; do measure "${size%/*}" "${size#*/}"; done
