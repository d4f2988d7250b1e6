#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# all.sh [PART...]   benchmarks, one after the other; all that there are, unless some are
# named: those are measured anew. Each leaves its lines of JSON in build/bench/PART.jsonl and
# what they tell in PART.md, PART.json and PART*.svg; all that was measured, now or earlier,
# is put together in bench.md. A part that fails is named and keeps no other from its turn.
# RUNS (5); sizes are set by the variables that selftests/bench/*.sh name; MEM and TIMEOUT
# (7200), of each virtual machine, in MiB and seconds; BENCH_OUT (build/bench).

. "$(dirname "$0")/../lib.sh"

BENCH=$SELFTESTS/bench
OUT=$(realpath -m "${BENCH_OUT:-$TOP/build/bench}")
NEW=$OUT/new # of the part that is measured now
PARTS=(freeze resume dump scale objects stat periodic translate system)
RUNS=${RUNS:-5}
export RUNS XCKPT_SHARE=$OUT/share PYTHONDONTWRITEBYTECODE=1

# lines_of PART: what it tells, in lines of JSON
lines_of() {
	case $1 in
	freeze | dump | scale) in_vm 5120 "$1.sh $RUNS" ;;
	resume) in_vm "$(up_to 14336)" "$1.sh $RUNS" ;;
	objects) in_vm 3072 "$1.sh $RUNS" ;;
	stat) in_vm 3072 "$1.sh $RUNS" --icount ;;
	periodic)
		in_vm 3072 "$1.sh $RUNS" &&
			in_vm 3072 "$1.sh $((RUNS < 2 ? RUNS : 2)) counted" --icount
		;;
	translate) "$BENCH/translate.sh" ops python3 xz ;;
	system) "$BENCH/translate.sh" os ;;
	esac
}

# in_vm MIB "SCRIPT ARGUMENT..." [OPTION...]
in_vm() {
	"$SELFTESTS/vm/run.sh" --suite trixie --mem "${MEM:-$1}" --timeout "${TIMEOUT:-7200}" \
		"${@:3}" -- "$(settings)exec $BENCH/$2"
}

# MiB of memory, but not all that this machine has to spare
up_to() {
	awk -v most="$1" '/^MemAvailable:/ { n = int($2 / 1024 * 3 / 4); print n < most ? n : most }' \
		/proc/meminfo
}

# Sizes that were chosen, as the guest's shell reads them.
settings() {
	local name
	for name in "${!LATENCY_@}" "${!PAUSE_@}" "${!RESUME_@}" "${!DUMP_@}" "${!SCALE_@}" \
		"${!OBJECTS_@}" "${!STAT_@}" "${!PERIODIC_@}"; do
		printf 'export %s=%q; ' "$name" "${!name}"
	done
}

# measure PART: one line when it begins, one about how it ended
measure() {
	local part=$1 log=$OUT/$1.log start=$SECONDS status=0 why='' told=' Until then it told this.'
	rm -rf "$NEW"
	mkdir "$NEW"
	echo "bench: $part: begins, tells in $log how far it is"
	LOAD=$(cut -d' ' -f1 /proc/loadavg)
	lines_of "$part" >"$NEW/$part.jsonl" 2>"$log" </dev/null 9<&- || status=$?
	[ "$status" -eq 0 ] || why="$(tail -n 1 "$log") (status $status)"
	note $((SECONDS - start)) >"$NEW/$part.note"
	report "$part" >>"$log" 2>&1 || { why=${why:-$(tail -n 1 "$log")} told=''; }
	if [ -z "$why" ]; then
		rm -f "$OUT/$part.failed"
		echo "bench: $part: took $((SECONDS - start)) s, see $OUT/$part.md"
	else
		FAILED+=("$part")
		why="FAILED after $((SECONDS - start)) s: $why"
		printf '\n**At %s it %s.**%s\n' "$(date '+%F %H:%M')" "$why" "$told" >"$OUT/$part.failed"
		echo "bench: $part: $why; its log is $log; again: make bench PART=$part"
	fi
}

# Also of what was measured until it failed. Where that is nothing, what an earlier run told
# stays.
report() {
	"$BENCH/$1.py" "$NEW/$1.jsonl" "$NEW" || return
	rm -f "$OUT/$1."{md,json,jsonl,note} "$OUT/$1"{,-*}.svg
	mv "$NEW"/* "$OUT/"
}

# Where figures are from: a paragraph for below a part's title.
note() {
	local commit
	commit=$(git -C "$TOP" describe --always --dirty 2>/dev/null) || commit=unknown
	printf '\nMeasured %s in %d s, RUNS=%s, source %s; load of the machine before: %s.\n' \
		"$(date '+%F %H:%M')" "$1" "$RUNS" "$commit" "$LOAD"
}

machine() {
	printf '# Benchmarks\n\nOn %s, %s processors, %s MiB of memory, Linux %s; %s without KVM, Debian trixie in it.\n' \
		"$(sed -n 's/^model name\t*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
		"$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)" "$(uname -r)" "$(emulator)"
}

emulator() (
	# shellcheck source=selftests/vm/lib.sh
	. "$SELFTESTS/vm/lib.sh"
	# shellcheck source=selftests/vm/qemu.sh
	. "$SELFTESTS/vm/qemu.sh"
	qemu_find amd64
	"${qemu[@]}" --version | sed -n 's/^\(QEMU\) emulator \(version [0-9.]*\).*/\1 \2/p'
)

# section PART: what it told, a level deeper, with its graphs
section() {
	local notes=$NEW/notes svg
	cat "$OUT/$1".{note,failed} >"$notes" 2>/dev/null
	echo
	if [ -e "$OUT/$1.md" ]; then
		sed -e 's/^#/##/' -e "1r $notes" "$OUT/$1.md"
	else
		printf '## %s\n' "$1"
		if [ -s "$notes" ]; then cat "$notes"; else printf '\nNot measured: make bench PART=%s\n' "$1"; fi
	fi
	for svg in "$OUT/$1"{,-*}.svg; do
		[ ! -e "$svg" ] || printf '![%s](%s)\n' "$(basename "$svg" .svg)" "${svg##*/}"
	done
}

# Also when it is interrupted.
put_together() {
	mkdir -p "$NEW"
	{
		machine
		for part in "${PARTS[@]}"; do section "$part" || true; done
	} >"$OUT/bench.md"
	rm -rf "$NEW"
}

main() {
	local part
	for part; do
		[[ " ${PARTS[*]} " == *" $part "* ]] || die "no part $part: there are ${PARTS[*]}"
	done
	"$SELFTESTS/vm/deps.sh" gnuplot-nox python3
	mkdir -p "$OUT" "$XCKPT_SHARE"
	trap put_together EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	for part in "${@:-"${PARTS[@]}"}"; do measure "$part"; done
	echo "bench: all that there is: $OUT/bench.md"
	[ ${#FAILED[@]} -eq 0 ] || die "${#FAILED[@]} failed: ${FAILED[*]}"
}

FAILED=()
main "$@"
