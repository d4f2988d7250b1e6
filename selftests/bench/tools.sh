# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the benchmarks in a VM share: a victim, the tools that dump it, images on a
# tmpfs. Sourced after lib.sh.

DIR=/dev/shm/xckpt-bench
CONTROL=/tmp/xckpt-bench-control
trap 'end_started; rm -rf "$DIR" "$CONTROL"{,.*}' EXIT

# Room for images, and what CRIU needs.
begin_bench() {
	load_module
	load_criu_modules
	mount -o remount,size=80% /dev/shm
}

# start_victim PROGRAM ARGUMENT...: as leader of a session; sets PID when it is ready
start_victim() {
	local program=$1
	shift
	rm -f "$CONTROL" "$CONTROL.out"
	: >"$CONTROL.out"
	(exec setsid "$TESTS/$program" "$CONTROL" "$@") </dev/null >"$CONTROL.out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 300 has_lines "$CONTROL.out" 1 || die "no $program $*"
	[ "$(<"$CONTROL.out")" = ready ] || die "$(<"$CONTROL.out")"
}

# with all that it started
end_victim() {
	kill -KILL -- "-$PID" 2>/dev/null || true
	wait "$PID" 2>/dev/null || true
	wait_for 60 eval '! pgrep -x "bench_memory|bench_scale" >/dev/null' ||
		die 'the victim does not end'
}

# Nothing is left of the image before, nor of the work to remove it.
fresh_dir() {
	rm -rf "$DIR"
	mkdir -p "$DIR/image"
	nap 0.3
}

# took COMMAND...: the member of a JSON object that tells its nanoseconds
took() {
	local start=${EPOCHREALTIME/./}
	"$@" || return
	printf '"total_ns":%d' $(((${EPOCHREALTIME/./} - start) * 1000))
}

# disk_use PATH: the member that tells what it takes on disk
disk_use() {
	printf '"disk":%d' "$(du -s -B1 "$1" | cut -f1)"
}

# criu_dump FOLDER: the victim goes on
criu_dump() {
	timeout -k 5 "${CRIU_PATIENCE:-600}" \
		criu dump -t "$PID" -D "$1" -o log --leave-running --shell-job
}

# criu_stats FILE: members with the numbers of DumpStatsEntry in CRIU's stats-dump
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
print(",".join(f'"{name}_ns":{fields[nr] * 1000}'
               for nr, name in ((1, "freezing"), (2, "frozen"), (3, "memdump"), (4, "memwrite"))), end="")
END
}

# xckpt_stats FILE: the member that tells for how long a program stood still, as the last
# line of xckpt-dump does
xckpt_stats() {
	sed -n 's/.*, frozen \([0-9.]*\) \([mnµu]\?s\),.*/\1 \2/p' "$1" |
		awk '{ unit["s"] = 1e9; unit["ms"] = 1e6; unit["ns"] = 1; by = $2 in unit ? unit[$2] : 1e3
			printf "\"frozen_ns\":%d", $1 * by }'
}

# by_xckpt: one dump of $PID that runs on; members with what it took, told and fills
by_xckpt() {
	fresh_dir
	took xckpt-dump -p "$PID" -o "$DIR/image/image" 2>"$DIR/err" || return
	printf ','
	xckpt_stats "$DIR/err"
	printf ','
	disk_use "$DIR/image"
}
