#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# latency.sh [RUNS]   in a VM with the module: how long it takes until programs of
# several sizes stand still, by each way to freeze them. Lines of JSON. LATENCY_THREADS,
# LATENCY_ASLEEP, of which none runs, LATENCY_PROCESSES: how many of each.

. "$(dirname "$0")/../lib.sh"

RUNS=${1:-5}
SIZES=${LATENCY_THREADS-1 10 100 1000}
SLEEPERS=${LATENCY_ASLEEP-1 10}
TREES=${LATENCY_PROCESSES-100}
CGROUP=/sys/fs/cgroup/xckpt-bench

measure() {
	echo "latency: $2 of kind $1" >&2
	"$TESTS/bench_latency" "$RUNS" "$CGROUP" "$TESTS/bench_crowd" "$1" "$2"
	wait_for 30 grep -q 'populated 0' "$CGROUP/cgroup.events"
}

load_module
mkdir -p "$CGROUP"
for n in $SIZES; do measure threads "$n"; done
for n in $SLEEPERS; do measure asleep "$n"; done
for n in $TREES; do measure tree "$n"; done
