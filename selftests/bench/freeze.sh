#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# freeze.sh [RUNS]   in a VM with the module: what a freeze and a dump cost, against
# cgroup.freeze, SIGSTOP, CRIU, gcore and fork(). Lines of JSON, the first about where
# the figures are from. See latency.sh and pause.sh for what can be set; LATENCY_RUNS (15).

. "$(dirname "$0")/../lib.sh"

BENCH=$SELFTESTS/bench
RUNS=${1:-5}

printf '{"part":"machine","kernel":"%s","criu":"%s","xckpt":"%s","cpus":%d,"mib":%d}\n' \
	"$(uname -r)" "$(criu --version | sed -n 's/^Version: //p')" \
	"$(xckpt-dump --version | sed 's/.* //')" "$(nproc)" \
	"$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
"$BENCH/latency.sh" "${LATENCY_RUNS:-15}"
"$BENCH/pause.sh" "$RUNS"
"$BENCH/leak.sh" snapshot "$RUNS"
