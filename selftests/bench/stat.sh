#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stat.sh [RUNS]   in a VM with the module: what it costs to be looked at by
# xckpt-stat: the time of a dump, and what a busy program gets done while its
# probes wait for a checkpoint that does not come. With and without take turns.
# Lines of JSON. They repeat where the VM's clock counts instructions (run.sh
# --icount); elsewhere they are lost in the noise. STAT_MIB (64), of the dumped
# program; STAT_BUSY_MS (1000).

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/tools.sh"

RUNS=${1:-9}
MIB=${STAT_MIB-64}
BUSY_MS=${STAT_BUSY_MS-1000}
REPORT=$CONTROL.report

look() {
	rm -f "$REPORT" "$REPORT.err"
	xckpt-stat --watch --json -o "$REPORT" 2>"$REPORT.err" 9<&- &
	WATCH=$!
	STARTED+=("$WATCH")
	wait_for 60 grep -qs waiting "$REPORT.err" || die "xckpt-stat: $(<"$REPORT.err")"
}

look_away() {
	kill -TERM "$WATCH"
	wait "$WATCH" 2>/dev/null || true
}

# Microseconds of one dump, once nothing is left of the one before.
dump() {
	local start
	rm -rf "$DIR"
	nap 0.3
	start=$EPOCHREALTIME
	xckpt-dump -q -p "$PID" -o "$DIR"
	echo $((${EPOCHREALTIME/./} - ${start/./}))
}

# once WITH: one measurement of each kind
once() {
	printf '{"part":"stat","with":%d,"mib":%d,"dump_us":%d,%s' "$1" "$MIB" "$(dump)" \
		"$("$TESTS/bench_busy" "$BUSY_MS")"
	if [ "$1" -eq 1 ]; then
		wait_for 30 has_lines "$REPORT" 1
		python3 -c 'import json, sys
o = json.loads(open(sys.argv[1]).readline())["overhead"]
print(",\"probe_runs\":%d,\"probe_ns\":%d,\"own_cpu_ns\":%d" % (o["runs"], o["ns"], o["cpu_ns"]), end="")' "$REPORT"
	fi
	echo '}'
}

# Who is first takes turns, too.
measure() {
	local run with
	for ((run = 0; run < RUNS; run++)); do
		for with in $((run % 2)) $((1 - run % 2)); do
			[ "$with" -eq 0 ] || look
			once "$with"
			[ "$with" -eq 0 ] || look_away
		done
	done
}

begin_bench
start_victim bench_memory "$MIB" 4k idle
measure
