#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pause.sh [RUNS]   in a VM with the module: for how long dumps of programs of
# several sizes hold them up, as they see it, and how long it all takes: by
# xckpt-dump, by CRIU, and beside them a bare fork() of the program.
# Images go to a tmpfs. Lines of JSON. Needs memory for the largest program twice.

. "$(dirname "$0")/../lib.sh"

RUNS=${1:-5}
PLAIN=${PAUSE_4K-256 512 1024}
HUGE=${PAUSE_THP-256 512 1024}
WRITERS=${PAUSE_WRITERS-512}
MODES=${PAUSE_MODES:-auto strict}
DIR=/dev/shm/xckpt-bench
CONTROL=/tmp/xckpt-bench-control
IDLE_MS=2000

trap 'end_started; rm -rf "$DIR" "$CONTROL"' EXIT

# The numbers of DumpStatsEntry in CRIU's stats-dump, in microseconds.
criu_stats() {
	python3 - "$1" <<'END'
import struct, sys

def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at

data = open(sys.argv[1], "rb").read()
assert struct.unpack("<II", data[:8]) == (0x55105940, 0x57093306), "not a stats-dump"
data = data[12:]
assert data[0] == 0x0a, "no dump in it"
end, at = varint(data, 1)
fields = {}
while at < len(data):
    key, at = varint(data, at)
    fields[key >> 3], at = varint(data, at)
for nr, name in (1, "freezing"), (2, "frozen"), (3, "memdump"), (4, "memwrite"):
    print(f',"{name}_ns":{fields[nr] * 1000}', end="")
END
}

huge_kib() {
	awk '/^AnonHugePages:/ { print $2 }' "/proc/$PID/smaps_rollup"
}

# once TOOL: the members of one measurement
once() {
	rm -rf "$DIR"
	case $1 in
	idle) "$TESTS/bench_pause" "$CONTROL" idle "$IDLE_MS" ;;
	fork) "$TESTS/bench_pause" "$CONTROL" fork ;;
	criu)
		mkdir "$DIR"
		"$TESTS/bench_pause" "$CONTROL" run criu dump -t "$PID" -D "$DIR" -o log \
			--leave-running --shell-job &&
			criu_stats "$DIR/stats-dump"
		;;
	xckpt-*) "$TESTS/bench_pause" "$CONTROL" run xckpt-dump -q --mode "${1#xckpt-}" -p "$PID" -o "$DIR" ;;
	esac
}

# The victim holds no pipe: what is in one would have to be read before the thaw.
measure() {
	local mib=$1 tool run members
	KIND=$2
	(exec "$TESTS/bench_memory" "$CONTROL" "$mib" "$KIND") </dev/null >"$CONTROL.out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 300 has_lines "$CONTROL.out" 1 || die "no program with $mib MiB of $KIND"
	for ((run = 1; run <= RUNS; run++)); do
		echo "pause: $mib MiB of $KIND, run $run" >&2
		for tool in idle fork criu "${TOOLS[@]}"; do
			members=$(once "$tool") || die "$tool fails on $mib MiB of $KIND"
			printf '{"part":"pause","kind":"%s","mib":%d,"tool":"%s","huge_kib":%d,%s}\n' \
				"$KIND" "$mib" "$tool" "$(huge_kib)" "$members"
		done
	done
	kill -KILL "$PID"
	wait "$PID" 2>/dev/null || true
	rm -f "$CONTROL" "$CONTROL.out"
}

load_module
load_criu_modules
mount -o remount,size=80% /dev/shm
read -r -a TOOLS <<<"$MODES"
TOOLS=("${TOOLS[@]/#/xckpt-}")
for mib in $PLAIN; do measure "$mib" 4k; done
for mib in $HUGE; do measure "$mib" thp; done
for mib in $WRITERS; do measure "$mib" writers; done
