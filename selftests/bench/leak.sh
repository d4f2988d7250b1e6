#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# leak.sh [N]            in a VM with the module: N dumps (1000) of a small process
#                        and of one with shared memory leave no memory behind
# leak.sh snapshot RUNS  what a snapshot of 1 GiB takes of the machine's memory
#                        while the program does nothing: lines of JSON

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/tools.sh"

TRIES=3

# KiB that are not free, and KiB in slabs that nobody can take back
used_kib() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	nap 2
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^MemTotal:/ { used = $2 } /^MemFree:/ { used -= $2 }
		/^SUnreclaim:/ { slab = $2 } END { print used, slab }' /proc/meminfo
}

# grew: N more dumps have left more than half a page each, or 512 bytes in slabs
grew() {
	local used slab used_then slab_then
	read -r used slab < <(used_kib)
	"$TESTS/bench_snapshot" dumps "$N" "$PID"
	read -r used_then slab_then < <(used_kib)
	echo "# after $N more dumps: $((used_then - used)) KiB less free," \
		"$((slab_then - slab)) KiB more in slabs"
	((used_then - used > 2 * N || slab_then - slab > N / 2))
}

# What processors keep for themselves of free pages comes and goes by some MiB: what is lost
# is so each time.
leaves_nothing() {
	local try lost=1
	start_victim bench_memory "$1" "$2" idle
	# what the kernel keeps for the next time grows for several hundreds of dumps
	"$TESTS/bench_snapshot" dumps "$N" "$PID"
	for ((try = 1; try <= TRIES && lost; try++)); do
		grew || lost=0
	done
	result "$lost" "$N dumps of $1 MiB of kind $2 leave no memory behind"
	end_victim
}

snapshots() {
	local run
	start_victim bench_memory 1024 4k idle
	for ((run = 1; run <= $1; run++)); do
		printf '{"part":"memory","mib":1024,'
		"$TESTS/bench_snapshot" memory "$PID" | sed 's/$/}/'
	done
	end_victim
}

load_module
if [ "${1:-}" = snapshot ]; then
	snapshots "${2:-5}"
else
	N=${1:-1000}
	tap_main 'leaves_nothing 2 4k' 'leaves_nothing 2 shared'
fi
