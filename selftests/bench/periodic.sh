#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# periodic.sh [RUNS [counted]]   in a VM with the module: what a program that is busy all the time
# gets done while it is dumped again and again, by xckpt-dump, the same under the eyes of xckpt-stat,
# and CRIU, and without; to a tmpfs, where each image takes the place of the one before. Lines of JSON.
# counted: the VM's clock counts instructions, which takes long; one is looked at by itself.
# PERIODIC_MIB (64), of its memory; PERIODIC_MS (1000 5000 10000), how often; PERIODIC_JOBS.

. "$(dirname "$0")/../lib.sh"

RUNS=${1:-5}
CLOCK=${2:-timed}
MIB=${PERIODIC_MIB:-64}
[ "$CLOCK" = timed ] || PERIODIC_MS=${PERIODIC_MS:-2000}
PERIODS=${PERIODIC_MS:-1000 5000 10000}
JOBS=${PERIODIC_JOBS:-compute write calls}
LEAST_MS=2000 # of a measurement, or one period
QUIET_MS=1000 # without any checkpoint
DIR=/dev/shm/xckpt-bench
CONTROL=/tmp/xckpt-bench-control
REPORT=/tmp/xckpt-bench-report

trap 'end_started; rm -rf "$DIR" "$CONTROL" "$CONTROL.out" "$REPORT" "$REPORT.err"' EXIT

# command_of TOOL: sets the array command, which makes an image of PID
# shellcheck disable=SC2016 # for the shell that it runs in
command_of() {
	local dump
	case $1 in
	xckpt*) dump='xckpt-dump -q --mode auto -p "$2" -o "$1/new"' ;;
	criu) dump='mkdir "$1/new" && criu dump -t "$2" -D "$1/new" -o log --leave-running --shell-job' ;;
	esac
	command=(sh -c "$dump && rm -rf \"\$1/image\" && mv \"\$1/new\" \"\$1/image\"" dump "$DIR" "$PID")
}

# once TOOL PERIOD: one measurement
once() {
	local command=() period=() ms=$QUIET_MS members
	if [ "$1" != none ]; then
		command_of "$1"
		period=("$2")
		ms=$(($2 > LEAST_MS ? $2 : LEAST_MS))
	fi
	rm -rf "$DIR"
	mkdir "$DIR"
	members=$("$TESTS/bench_periodic" "$CONTROL" "$ms" "${period[@]}" "${command[@]}") ||
		die "$1 fails while it does $JOB"
	printf '{"part":"periodic","clock":"%s","job":"%s","mib":%d,"tool":"%s","period_ms":%d,%s}\n' \
		"$CLOCK" "$JOB" "$MIB" "$1" "$2" "$members"
}

# With its probes in place, which takes long, before anything is measured.
once_watched() {
	local watch
	xckpt-stat --watch --json -o "$REPORT" 2>"$REPORT.err" 9<&- &
	watch=$!
	STARTED+=("$watch")
	wait_for 60 grep -qs waiting "$REPORT.err" || die "xckpt-stat: $(<"$REPORT.err")"
	once xckpt-watched "$1"
	kill -TERM "$watch"
	wait "$watch" 2>/dev/null || true
}

# All tools in each run, each between two measurements without any: a machine has moods.
measure() {
	local run period tool
	JOB=$1
	(exec setsid "$TESTS/bench_busy" "$CONTROL" "$MIB" "$JOB") </dev/null >"$CONTROL.out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 60 has_lines "$CONTROL.out" 1 || die "no program that does $JOB"
	for ((run = 1; run <= RUNS; run++)); do
		echo "periodic: $JOB, run $run" >&2
		once none 0
		for period in $PERIODS; do
			for tool in xckpt criu; do
				once "$tool" "$period"
				once none 0
			done
		done
		[ "$CLOCK" = timed ] || continue
		once_watched "${PERIODS%% *}"
		once none 0
	done
	kill -KILL "$PID"
	wait "$PID" 2>/dev/null || true
	rm -f "$CONTROL" "$CONTROL.out"
}

load_module
load_criu_modules
for job in $JOBS; do measure "$job"; done
