#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# freeze.sh   what a freeze and a dump cost, against cgroup.freeze, SIGSTOP, CRIU
# and fork(), all in one VM: build/bench/freeze.{md,json}, freeze-*.svg. See
# latency.sh and pause.sh for what can be set; RUNS (5), LATENCY_RUNS (15).

. "$(dirname "$0")/../lib.sh"

OUT=$TOP/build/bench
RAW=$OUT/freeze.jsonl
export XCKPT_SHARE=$OUT/share

# One line about where the figures are from, then those.
# shellcheck disable=SC2016 # for the VM's shell
line='
	cd "$XCKPT_TOP/selftests/bench" && set -e
	printf "{\"part\":\"machine\",\"kernel\":\"%s\",\"criu\":\"%s\",\"xckpt\":\"%s\",\"cpus\":%d,\"mib\":%d}\n" \
		"$(uname -r)" "$(criu --version | sed -n "s/^Version: //p")" \
		"$(xckpt-dump --version | sed "s/.* //")" "$(nproc)" \
		"$(awk "/^MemTotal/ { print int(\$2 / 1024) }" /proc/meminfo)"
	./latency.sh "$LATENCY_RUNS"
	./pause.sh "$RUNS"
	./leak.sh snapshot "$RUNS"'

# settings as the guest's shell reads them
settings() {
	local name
	RUNS=${RUNS:-5} LATENCY_RUNS=${LATENCY_RUNS:-15}
	for name in RUNS LATENCY_{RUNS,THREADS,PROCESSES} PAUSE_{4K,THP,WRITERS,MODES}; do
		[ -z "${!name+set}" ] || printf 'export %s=%q\n' "$name" "${!name}"
	done
}

"$SELFTESTS/vm/deps.sh" gnuplot-nox python3
mkdir -p "$OUT" "$XCKPT_SHARE"
"$SELFTESTS/vm/run.sh" --suite trixie --mem "${MEM:-5120}" --timeout "${TIMEOUT:-2700}" -- \
	"$(settings)$line" | tee "$RAW"
"$SELFTESTS/bench/report.py" "$RAW" "$OUT"
echo "bench-freeze: see $OUT/freeze.md"
