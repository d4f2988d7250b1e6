#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# throughput.sh [MIB]   how fast memory becomes an image, against plain reading of
# /proc/PID/mem, both to a tmpfs, three times each. In a VM with the module and
# memory for MIB (512) twice. Figures of one run can be compared, not those of two.

. "$(dirname "$0")/lib.sh"

MIB=${1:-512}
DIR=$(mktemp -d /dev/shm/xckpt-throughput.XXXXXX)
trap 'end_started; rm -rf "$DIR"' EXIT
mount -o remount,size=$((MIB + 128))m /dev/shm 2>/dev/null || true

# milliseconds COMMAND...
milliseconds() {
	local start=$EPOCHREALTIME
	"$@" >/dev/null 2>"$DIR/err" || die "$* failed: $(<"$DIR/err")"
	echo $(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
}


# The mapping need not begin at a whole MiB: dd skips by bytes then.
read_mem() {
	dd if="/proc/$PID/mem" of="$DIR/mem" bs=1M skip="$FROM" count=$((MIB << 20)) \
		iflag=skip_bytes,count_bytes,fullblock
}

measure() {
	local mem=() dump=() a b
	(cd "$DIR" && exec "$TESTS/memory" "$MIB" random 0) </dev/null >"$DIR/stdout" 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 300 has_lines "$DIR/stdout" 1 || die 'the program does not start'
	FROM=$((16#$(cut -d' ' -f1 "$DIR/memory.range")))
	for _ in 1 2 3; do
		mem+=("$(milliseconds read_mem)")
		rm "$DIR/mem"
		dump+=("$(milliseconds xckpt-dump -q -p "$PID" -o "$DIR/image")")
		rm -rf "$DIR/image"
	done
	a=$(median "${mem[@]}")
	b=$(median "${dump[@]}")
	echo "# $MIB MiB: dd of /proc/PID/mem ${mem[*]} ms, xckpt-dump ${dump[*]} ms"
	echo "# median: $((MIB * 1000 / a)) MiB/s against $((MIB * 1000 / b)) MiB/s," \
		"xckpt-dump takes $(awk "BEGIN { printf \"%.2f\", $b / $a }") times as long"
	# only what is far off is a fault: the machine is shared
	result $((b > 3 * a)) 'a dump is not far slower than reading the memory'
}

load_module
tap_main measure
