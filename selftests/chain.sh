#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# chain.sh [ROUNDS]   a tree of processes is dumped and resumed again and again (10
# times), natively: it ends as if nobody had touched it, and neither its mappings nor
# its images grow. Every other image goes on under QEMU as well, for some lines. (What
# runs under QEMU is not dumped again: that image would be QEMU's.) In a VM with the
# module.

. "$(dirname "$0")/lib.sh"

ROUNDS=${1:-10}
DIR=$(mktemp -d /tmp/xckpt-chain.XXXXXX)
IMAGE=$DIR/image
trap 'rm -rf "$DIR"' EXIT

# Sets PID to the tree's first process, which was FIRST in its own pid namespace all along.
find_first() {
	local pid
	for pid in $(pgrep -x family); do
		if [ "$(sed -n 's/^NSpid:.*\t//p' "/proc/$pid/status")" = "$FIRST" ]; then
			PID=$pid
			return
		fi
	done 2>/dev/null
	die "the program is gone: $(<"$DIR/err")"
}

# "MAPPINGS KIB" of an image
sizes() {
	xckpt-info --json "$1" | python3 -c '
import json, sys
print(sum(len(p["mappings"]) for p in json.load(sys.stdin)["processes"]), end=" ")'
	du -sk "$1" | cut -f1
}

# under_qemu IMAGE SEEN: another copy of the program goes on, in side: as the
# undisturbed one behind the SEEN lines that there were when the image was made
under_qemu() {
	local pid ok=0
	rm -f side
	qemu-resume --engine qemu --fd 1=side "$1" </dev/null >side.err 2>&1 9<&- &
	pid=$!
	STARTED+=("$pid")
	wait_for 60 has_lines side 5 || ok=1
	kill "$pid" 2>/dev/null || true
	wait "$pid" || true
	[ "$ok" -eq 0 ] && cmp -s <(head -n 5 side) <(tail -n "+$(($2 + 1))" ref | head -n 5)
}

chain() {
	local round first last seen=0 status=0 right=0 sides=0
	cd "$DIR"
	cp "$TESTS/family" .
	# it goes on until it is dumped, which takes a while
	./family $((ROUNDS * 150)) >ref </dev/null 9<&-
	./family $((ROUNDS * 150)) >out </dev/null 2>"$DIR/err" 9<&- &
	FIRST=$!
	STARTED+=("$FIRST")
	for ((round = 1; round <= ROUNDS; round++)); do
		# it runs: who is being resumed still has things of qemu-resume's
		wait_for 60 has_lines out $((seen + 5)) ||
			die "it stands in round $round: $(<"$DIR/err")"
		find_first
		xckpt-dump -q -p "$PID" -o "$IMAGE.$round" --kill
		wait "${STARTED[-1]}" 2>/dev/null || true
		seen=$(wc -l <out)
		if ((round % 2 == 0)); then
			sides=$((sides + 1))
			if under_qemu "$IMAGE.$round" "$seen"; then right=$((right + 1)); else cat side.err; fi
		fi
		qemu-resume --engine native "$IMAGE.$round" </dev/null >>"$DIR/err" 2>&1 9<&- &
		STARTED+=("$!")
		[ "$round" = 1 ] || rm -rf "$IMAGE.$((round - 1))"
		[ "$round" != 2 ] || first=$(sizes "$IMAGE.2")
	done
	last=$(sizes "$IMAGE.$ROUNDS")
	wait "${STARTED[-1]}" || status=$?
	result "$((right != sides))" "$sides images go on under QEMU" "$right of them did"
	result "$status" "$ROUNDS rounds: the right status" "$(<"$DIR/err")"
	result "$(cmp -s out ref && echo 0 || echo 1)" "$ROUNDS rounds: the right output" "$(diff out ref)"
	result "$((${last% *} > ${first% *}))" 'no mapping more' "$first, then $last"
	result "$((${last#* } > ${first#* } + 64))" 'no larger image' "$first, then $last"
}

# What is left of a timer does not depend on the clocks that a program was given.
time_namespace() {
	local wrong
	cd "$DIR"
	unshare --time --monotonic 2000000 --boottime 2000000 --fork --kill-child \
		"$TESTS/events" 4000 >ticks </dev/null 2>"$DIR/err" 9<&- &
	STARTED+=("$!")
	wait_for 60 has_lines ticks 5 || die "no program in a time namespace: $(<"$DIR/err")"
	xckpt-dump -q -p "$(pgrep -o -x events)" -o "$IMAGE.timer"
	# its farthest one is due after 1000 s
	wrong=$(python3 -c '
import json, sys
files = json.load(open(sys.argv[1]))["files"]
left = [f["event"]["value_ns"] for f in files if "value_ns" in f.get("event", ())]
print(*(v for v in left if not 0 <= v <= 10**12) if left else ["no timer"])' "$IMAGE.timer/group.json")
	result "$([ -z "$wrong" ] && echo 0 || echo 1)" 'what timers have left in a time namespace' "$wrong"
}

load_module
tap_main chain time_namespace
