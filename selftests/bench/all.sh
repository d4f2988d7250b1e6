#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# all.sh   every benchmark there is, one machine after the other, with what each tells in
# build/bench/*.md, *.json and *.svg, and all of it in build/bench/bench.md. RUNS (5).

. "$(dirname "$0")/../lib.sh"

BENCH=$SELFTESTS/bench
OUT=$TOP/build/bench
RUNS=${RUNS:-5}
export RUNS XCKPT_SHARE=$OUT/share PYTHONDONTWRITEBYTECODE=1

# in_vm MIB LINE [OPTION...]
in_vm() {
	"$SELFTESTS/vm/run.sh" --suite trixie --mem "$1" --timeout 2700 "${@:3}" -- "$(settings)$2"
}

# Sizes that were chosen, as the guest's shell reads them.
settings() {
	local name
	for name in "${!RESUME_@}" "${!DUMP_@}" "${!SCALE_@}"; do
		printf 'export %s=%q; ' "$name" "${!name}"
	done
}

machine() {
	printf '# Benchmarks\n\n'
	printf 'On %s, %s processors, Linux %s; virtual machines by QEMU without KVM, Debian trixie.\n\n' \
		"$(sed -n 's/^model name\t*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)"
}

mkdir -p "$OUT" "$XCKPT_SHARE"
"$SELFTESTS/vm/deps.sh" gnuplot-nox python3
"$BENCH/freeze.sh"
in_vm 5120 "selftests/bench/resume.sh $RUNS" >"$OUT/resume.jsonl"
"$BENCH/resume.py" "$OUT/resume.jsonl" "$OUT"
in_vm 5120 "selftests/bench/dump.sh $RUNS" >"$OUT/dump.jsonl"
"$BENCH/dump.py" "$OUT/dump.jsonl" "$OUT"
in_vm 5120 "selftests/bench/scale.sh $RUNS" >"$OUT/scale.jsonl"
"$BENCH/scale.py" "$OUT/scale.jsonl" "$OUT"
{
	printf '# What shared objects cost\n\n'
	in_vm 3072 "selftests/bench/objects.sh $RUNS"
} >"$OUT/objects.md"
{
	printf '# What it costs to be looked at by xckpt-stat\n\n'
	in_vm 3072 "STAT_MIB=64 selftests/bench/stat.sh $RUNS" --icount | sed -n 's/^# /- /p'
} >"$OUT/stat.md"
{
	in_vm 3072 "selftests/bench/periodic.sh $RUNS"
	in_vm 3072 "selftests/bench/periodic.sh 2 counted" --icount
} >"$OUT/periodic.jsonl"
"$BENCH/periodic.py" "$OUT/periodic.jsonl" "$OUT"
"$BENCH/translate.sh"
{
	machine
	for part in freeze resume dump scale objects stat periodic translate system; do
		sed 's/^#/##/' "$OUT/$part.md"
		echo
	done
} >"$OUT/bench.md"
echo "bench: see $OUT/bench.md"
