#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pause.sh [RUNS]   in a VM with the module: for how long dumps of programs of
# several sizes hold them up, as they see it, and how long it all takes: by
# xckpt-dump, by CRIU, by gcore, and beside them a bare fork() of the program.
# Images go to a tmpfs. Lines of JSON. Needs memory for the largest program twice.
# PAUSE_4K, PAUSE_THP, PAUSE_WRITERS: sizes in MiB, in ordinary and huge pages, and of a
# program that writes to them; PAUSE_MODES, of xckpt-dump.

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/tools.sh"

# Not on a tmpfs, as /tmp is: what such a file holds would be read before the thaw.
CONTROL=/var/tmp/xckpt-bench-control

RUNS=${1:-5}
PLAIN=${PAUSE_4K-256 512 1024}
HUGE=${PAUSE_THP-256 512 1024}
WRITERS=${PAUSE_WRITERS-512}
MODES=${PAUSE_MODES:-auto strict}
IDLE_MS=2000

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
			printf ',' && criu_stats "$DIR/stats-dump"
		;;
	gcore)
		mkdir "$DIR"
		# shellcheck disable=SC2016 # for that shell
		"$TESTS/bench_pause" "$CONTROL" run \
			sh -c 'exec gcore -o "$0" "$1" >/dev/null' "$DIR/core" "$PID"
		;;
	xckpt-*) "$TESTS/bench_pause" "$CONTROL" run xckpt-dump -q --mode "${1#xckpt-}" -p "$PID" -o "$DIR" ;;
	esac
}

# The victim holds no pipe: what is in one would have to be read before the thaw.
measure() {
	local mib=$1 tool run members
	KIND=$2
	start_victim bench_memory "$mib" "$KIND"
	for ((run = 1; run <= RUNS; run++)); do
		echo "pause: $mib MiB of $KIND, run $run" >&2
		for tool in idle fork criu gcore "${TOOLS[@]}"; do
			members=$(once "$tool") || die "$tool fails on $mib MiB of $KIND"
			printf '{"part":"pause","kind":"%s","mib":%d,"tool":"%s","huge_kib":%d,%s}\n' \
				"$KIND" "$mib" "$tool" "$(huge_kib)" "$members"
		done
	done
	end_victim
}

begin_bench
read -r -a TOOLS <<<"$MODES"
TOOLS=("${TOOLS[@]/#/xckpt-}")
for mib in $PLAIN; do measure "$mib" 4k; done
for mib in $HUGE; do measure "$mib" thp; done
for mib in $WRITERS; do measure "$mib" writers; done
