#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# scale.sh [RUNS]   in a VM with the module: how a dump, the time that it stops the program,
# the image's size and a native resume grow with the number of threads, processes, mappings
# and open files, with MiB of written memory and with GiB of address space that nobody
# touches; beside it a dump by CRIU, unless that refuses or takes more than a minute.
# Mappings are resumed under QEMU, too, once each. Images are on a tmpfs. Lines of JSON.
# SCALE_THREADS, SCALE_PROCESSES, SCALE_VMAS, SCALE_FDS, SCALE_MEMORY, SCALE_RESERVED: the
# numbers of each.

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/tools.sh"

RUNS=${1:-5}
CRIU_PATIENCE=60

start() {
	case $KIND in
	memory) start_victim bench_memory "$N" 4k idle ;;
	*) start_victim bench_scale "$KIND" "$N" ;;
	esac
}

# row TOOL MEMBERS
row() {
	printf '{"part":"scale","kind":"%s","n":%d,"tool":"%s",%s}\n' "$KIND" "$N" "$1" "$2"
}

by_criu() {
	fresh_dir
	took criu_dump "$DIR/image" 2>"$DIR/err" || return
	printf ','
	criu_stats "$DIR/image/stats-dump"
	printf ','
	disk_use "$DIR/image"
}

# One dump by CRIU, unless it is known to fail. What it fails on may not be what it was.
try_criu() {
	local members status=0
	[ -z "$REFUSED" ] || return 0
	members=$(by_criu) || status=$?
	if [ "$status" -eq 0 ]; then
		row criu "$members"
		return
	fi
	REFUSED="status $status: $({ grep -sm 1 Error "$DIR/image/log" || tail -n 1 "$DIR/err"; } | tr -d '"\\\t')"
	[ "$status" -lt 124 ] || REFUSED='more than 60 s'
	row criu "\"refused\":\"$REFUSED\""
	end_victim
	start
}

# resume ENGINE: the member of one
resume() {
	timeout 600 "$TESTS/bench_resume" "$CONTROL" run \
		qemu-resume --allow-changed --engine "$1" "$DIR/image" </dev/null 2>"$DIR/err"
}

resumes() {
	local engine=$1 times=$2 run members
	for ((run = 1; run <= times; run++)); do
		members=$(resume "$engine") ||
			members="\"refused\":\"$(tail -n 1 "$DIR/err" | tr -d '"\\\t')\""
		row "$engine" "$members"
		end_victim
	done
}

# measure KIND N
measure() {
	local run members
	KIND=$1 N=$2 REFUSED=''
	start
	for ((run = 1; run <= RUNS; run++)); do
		echo "scale: $N of kind $KIND, run $run" >&2
		members=$(by_xckpt) || die "no dump of $N $KIND: $(<"$DIR/err")"
		row xckpt "$members"
		try_criu
	done
	rm -rf "$DIR"
	mkdir "$DIR"
	xckpt-dump -q -p "$PID" --kill -o "$DIR/image"
	end_victim
	resumes native "$RUNS"
	[ "$KIND" != vmas ] || resumes qemu 1
}

begin_bench
ulimit -n 100000
echo 1000000 >/proc/sys/vm/max_map_count
for n in ${SCALE_THREADS-1 10 100 1000}; do measure threads "$n"; done
for n in ${SCALE_PROCESSES-1 10 100}; do measure processes "$n"; done
for n in ${SCALE_VMAS-10 100 1000 10000 100000}; do measure vmas "$n"; done
for n in ${SCALE_FDS-10 100 1000 10000}; do measure fds "$n"; done
for n in ${SCALE_MEMORY-64 256 1024}; do measure memory "$n"; done
for n in ${SCALE_RESERVED-0 64 1024 16384}; do measure reserved "$n"; done
