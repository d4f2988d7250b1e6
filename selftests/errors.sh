#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# errors.sh [dump|resume]...   every way to fail, in a VM with the module
#
# Each failure must end with a status that is not 0, say why in exactly one line
# that names the tool, the object and the reason, leave the target running, and
# leave nothing behind. The cases are the functions of errors_*.sh.

. "$(dirname "$0")/lib.sh"
. "$SELFTESTS/errors_dump.sh"
. "$SELFTESTS/errors_kinds.sh"
. "$SELFTESTS/errors_resume.sh"

DIR=$(mktemp -d /tmp/xckpt-errors.XXXXXX)
IMAGES=$DIR/images
mkdir "$IMAGES"
chmod 755 "$DIR"
trap 'rm -rf "$DIR"' EXIT

# ticker OPTION...: starts one, sets PID, and waits until it ticks.
ticker() {
	rm -f "$DIR/tick" "$DIR/tick.child"
	{ echo 'a line before' && exec setsid "$TESTS/ticker" "$DIR/tick" "$@"; } \
		</dev/null >"$DIR/ticker.out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 60 ticks_beyond 3 || die "ticker does not start: $(<"$DIR/ticker.out")"
}

ticks_beyond() {
	local n
	read -r n <"$DIR/tick" && [ "$((10#$n))" -gt "$1" ]
} 2>/dev/null

# Whether the ticker runs: neither frozen nor stopped.
still_ticks() {
	local n
	read -r n <"$DIR/tick"
	wait_for 20 ticks_beyond "$((10#$n + 2))"
}

end_ticker() {
	kill -KILL "$PID" 2>/dev/null || true
	wait "$PID" 2>/dev/null || true
	pkill -KILL -s "$PID" 2>/dev/null || true
}

# Nothing under IMAGES, neither images nor temporary ones.
nothing_left() {
	[ -z "$(ls -A "$IMAGES")" ]
}

# run COMMAND...: sets STATUS; its output in $DIR/out and $DIR/err
run() {
	STATUS=0
	timeout -k 5 120 "$@" </dev/null >"$DIR/out" 2>"$DIR/err" 9<&- || STATUS=$?
}

# judge NAME PATTERN: whether the last run failed as it should: with one line
# that matches the extended regular expression.
judge() {
	local name=$1 pattern=$2 lines wrong=''
	mapfile -t lines <"$DIR/err"
	if [ "$STATUS" -eq 0 ]; then wrong='it succeeded'
	elif [ "$STATUS" -eq 124 ]; then wrong='it did not end'
	elif [ "$STATUS" -ge 126 ]; then wrong="it ended with status $STATUS"
	elif [ "${#lines[@]}" -ne 1 ]; then wrong="it said ${#lines[@]} lines"
	elif ! [[ ${lines[0]} =~ $pattern ]]; then wrong="it did not say: $pattern"
	elif ! nothing_left; then wrong="it left $(ls -A "$IMAGES")"
	fi
	if [ -z "$wrong" ]; then
		pass "$name"
	else
		fail "$name" "$wrong"$'\n'"$(head -n 6 "$DIR/err")"
		rm -rf "$IMAGES"
		mkdir "$IMAGES"
	fi
}

# refused NAME PATTERN COMMAND...
refused() {
	local name=$1 pattern=$2
	shift 2
	run "$@"
	judge "$name" "$pattern"
}

# The target lives and counts on.
goes_on() {
	result "$(still_ticks && ! in_state "$PID" T && echo 0 || echo 1)" \
		"$1: the program goes on" "state $(state_of "$PID"), $(<"$DIR/tick")"
}

load_module
groups=("$@")
[ $# -gt 0 ] || groups=(dump resume)
cases=()
for group in "${groups[@]}"; do
	mapfile -t -O "${#cases[@]}" cases < <(declare -F | sed -n "s/^declare -f ${group}_error_/${group}_error_/p")
done
tap_main "${cases[@]}"
