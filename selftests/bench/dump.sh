#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dump.sh [RUNS]   in a VM with the module: how long it takes until all memory of programs
# of several sizes is in a file, and what that takes on disk: by xckpt-dump as a directory
# and as a stream, by CRIU, by gcore, by dd of /proc/PID/mem; beside them a memcpy of the
# same size. All files are on a tmpfs. Lines of JSON. DUMP_4K, DUMP_ZEROS, DUMP_SPARSE:
# sizes in MiB, of written memory, of which each second page has only zeroes, or was never
# touched.

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/tools.sh"

RUNS=${1:-5}
PATIENCE=${DUMP_PATIENCE:-300}

# The mapping need not begin at a whole MiB: dd skips by bytes then.
read_mem() {
	dd if="/proc/$PID/mem" of="$DIR/image/mem" bs=1M skip="$(start_of_memory)" \
		count="$(($1 << 20))" iflag=skip_bytes,count_bytes,fullblock
}

# Where the mapping is that is as large as the victim's memory.
start_of_memory() {
	local range
	while read -r range _; do
		if ((0x${range#*-} - 0x${range%-*} == MIB << 20)); then
			echo $((0x${range%-*}))
			return
		fi
	done <"/proc/$PID/maps"
	die "no mapping of $MIB MiB"
}

to_file() {
	local file=$1
	shift
	"$@" >"$file"
}

# once TOOL: the members of one measurement
once() {
	local image=$DIR/image
	fresh_dir
	case $1 in
	xckpt) took xckpt-dump -q -p "$PID" -o "$image/image" ;;
	thin) took xckpt-dump -q --thin -p "$PID" -o "$image/image" ;;
	stream) took to_file "$image/image" xckpt-dump -q -p "$PID" -o - ;;
	null) took to_file /dev/null xckpt-dump -q -p "$PID" -o - ;;
	criu) took criu_dump "$image" ;;
	gcore) took to_file /dev/null timeout "$PATIENCE" gcore -o "$image/core" "$PID" ;;
	dd) took read_mem "$MIB" ;;
	memcpy) "$TESTS/bench_copy" "$MIB" ;;
	esac 2>"$DIR/err" || return
	printf ','
	disk_use "$image"
}

measure() {
	local kind=$2 tool run members
	MIB=$1
	start_victim bench_memory "$MIB" "$kind" idle
	for ((run = 1; run <= RUNS; run++)); do
		echo "dump: $MIB MiB of $kind, run $run" >&2
		for tool in memcpy dd xckpt thin stream null criu gcore; do
			members=$(once "$tool") ||
				die "$tool fails on $MIB MiB of $kind: $(tail -n 3 "$DIR/err")"
			printf '{"part":"dump","kind":"%s","mib":%d,"tool":"%s",%s}\n' \
				"$kind" "$MIB" "$tool" "$members"
		done
	done
	end_victim
}

begin_bench
for mib in ${DUMP_4K-64 256 1024}; do measure "$mib" 4k; done
for mib in ${DUMP_ZEROS-256}; do measure "$mib" zeros; done
for mib in ${DUMP_SPARSE-256}; do measure "$mib" sparse; done
