#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# objects.sh [RUNS]   in a VM with the module: what it costs that processes share
# things. Medians of RUNS (5), as a Markdown table: a dump to tmpfs, for how long the
# program stood still, and a resume up to its first instruction and its end by SIGTERM.

. "$(dirname "$0")/../lib.sh"

RUNS=${1:-5}
DIR=$(mktemp -d /dev/shm/xckpt-objects.XXXXXX)
trap 'end_started; rm -rf "$DIR"' EXIT

# median FILE FIELD
median() {
	cut -d' ' -f"$2" "$1" | sort -n | sed -n "$(((RUNS + 1) / 2))p"
}

crowd() {
	"$TESTS/bench_crowd" tree "$1" "$2" </dev/null >"$DIR/out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 100 has_lines "$DIR/out" 1 || die "no $1 processes with $2 objects: $(<"$DIR/out")"
}

# "SECONDS MILLISECONDS" of one dump
dump_once() {
	rm -rf "$DIR/image"
	xckpt-dump -p "$PID" -o "$DIR/image" 2>&1 | tee "$DIR/log" |
		sed -n 's/.* in \([0-9.]*\) s, frozen \([0-9.]*\) \(m\?s\).*/\1 \2 \3/p' |
		awk '{ print $1, $3 == "s" ? $2 * 1000 : $2 }'
}

# milliseconds until the resumed program says that it runs, by its main process
resume_once() {
	local start=${EPOCHREALTIME/./} pid
	qemu-resume --engine native "$DIR/image" </dev/null >"$DIR/resumed" 2>&1 9<&- &
	pid=$!
	wait_for 100 runs_on "$pid" || die "not resumed: $(<"$DIR/resumed")"
	echo $(((${EPOCHREALTIME/./} - start) / 1000))
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

row() {
	local n=$1 objects=$2 run
	crowd "$n" "$objects"
	for ((run = 0; run < RUNS; run++)); do dump_once; done >"$DIR/dumps"
	rm -rf "$DIR/image"
	xckpt-dump -q -p "$PID" -o "$DIR/image" --kill
	wait "$PID" 2>/dev/null || true
	for ((run = 0; run < RUNS; run++)); do resume_once; done >"$DIR/resumes"
	printf '| %d | %d | %s | %s | %s |\n' "$n" "$objects" \
		"$(median "$DIR/dumps" 1)" "$(median "$DIR/dumps" 2)" "$(median "$DIR/resumes" 1)"
}

load_module
echo '| processes | objects | dump, s | frozen, ms | resume, ms |'
echo '|---|---|---|---|---|'
for objects in 0 10 100 1000; do row 10 "$objects"; done
row 100 300
