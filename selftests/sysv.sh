#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sysv.sh   System V IPC: what of it is taken into an image, what is told of the rest,
# and a program that has been resumed, in its own IPC namespace, is dumped again. In a
# VM with the module.

. "$(dirname "$0")/lib.sh"

DIR=$(mktemp -d /tmp/xckpt-sysv.XXXXXX)
IMAGE=$DIR/image
trap 'rm -rf "$DIR"' EXIT

# start NAME [PREFIX...]: a ticker with System V IPC; sets PID
start() {
	local name=$1
	shift
	rm -f "$DIR/$name"
	"$@" "$TESTS/ticker" "$DIR/$name" sysv </dev/null >"$DIR/out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 20 test -s "$DIR/$name" || die "it does not start: $(<"$DIR/out")"
}

# end PID...: and what they had
end() {
	kill -KILL "$@" 2>/dev/null || true
	wait "$@" 2>/dev/null || true
	forget_sysv
}

# taken WHAT SEGMENTS SETS QUEUES PID OPTION...: that the image has so many of them
taken() {
	local what=$1 want="$2 $3 $4" pid=$5 got
	shift 5
	rm -rf "$IMAGE"
	xckpt-dump -p "$pid" -o "$IMAGE" "$@" 2>"$DIR/err" || true
	got=$(xckpt-info --verify --json "$IMAGE" 2>>"$DIR/err" | python3 -c '
import json, sys
ipc = json.load(sys.stdin).get("sysv", {})
print(*(len(ipc.get(kind, [])) for kind in ("segments", "sets", "queues")))') || true
	result "$([ "$got" = "$want" ] && echo 0 || echo 1)" "$what" \
		"$got instead of $want: $(<"$DIR/err")"
}

told() {
	result "$(grep -qE "$2" "$DIR/err" && echo 0 || echo 1)" "$1" "$(<"$DIR/err")"
}

choice() {
	local first second sleeper nobody
	start first
	first=$PID
	sleep 1000 >/dev/null 2>&1 9<&- &
	sleeper=$!
	STARTED+=("$sleeper")
	taken "of root: what others used last is left out" 0 0 0 "$sleeper"
	told 'and told of' 'warning: 3 System V IPC objects of root, last used by others'
	taken 'what the group used itself is taken' 1 1 1 "$first"
	told 'and told of' '; System V: 1 segment, 1 semaphore set, 1 queue$'
	start second
	second=$PID
	taken 'two of them: each has its own' 1 1 1 "$second" --leave-stopped
	kill -KILL "$second"
	wait "$second" 2>/dev/null || true
	taken 'what somebody has used who has ended is taken, but no memory' 0 1 1 "$sleeper"
	end "$first" "$sleeper"
	chmod 777 "$DIR"
	start first setpriv --reuid 1234 --regid 1234 --clear-groups
	first=$PID
	setpriv --reuid 1234 --clear-groups sleep 1000 </dev/null >/dev/null 2>&1 9<&- &
	nobody=$!
	STARTED+=("$nobody")
	wait_for 20 grep -q '^Uid:.1234' "/proc/$nobody/status"
	taken "another user's: all of that user" 1 1 1 "$nobody"
	end "$first" "$nobody"
	start first unshare --ipc
	first=$PID
	taken 'in another IPC namespace: all of it' 1 1 1 "$first"
	end "$first"
}

# That the victim's lines are those of an undisturbed run.
again() {
	local pid status=0 round seen=20
	cp "$TESTS/sysv" "$DIR"
	cd "$DIR"
	./sysv 240 >ref </dev/null 9<&- || fail 'an undisturbed run' "$(grep NO ref)"
	./sysv 240 >out </dev/null 2>err 9<&- &
	pid=$!
	STARTED+=("$pid")
	for round in 1 2 3; do
		wait_for 60 has_lines out "$seen" || die "it stands in round $round: $(<err)"
		xckpt-dump -q -p "$pid" -o "$IMAGE.$round" --kill
		wait "${STARTED[-1]}" 2>/dev/null || true
		seen=$(($(wc -l <out) + 5))
		qemu-resume --engine native "$IMAGE.$round" </dev/null >>err 2>&1 9<&- &
		STARTED+=("$!")
		# it runs, and so is there to be found
		wait_for 60 has_lines out "$seen" || die "not resumed: $(<err)"
		pid=$(pgrep -x -P "${STARTED[-1]}" sysv | head -n 1)
	done
	wait "${STARTED[-1]}" || status=$?
	result "$status" 'dumped and resumed three times: the right status' "$(<err)"
	result "$(cmp -s out ref && echo 0 || echo 1)" 'and the right output' "$(diff out ref)"
	forget_sysv
}

load_module
tap_main choice again
