#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# startup.sh IMAGE   on any x86-64 machine: how much longer it takes until
# a program of IMAGE runs again under qemu-x86_64 than until a trivial program
# starts there. IMAGE is one of `cleanmap` (see startup.sh --make, in a VM with
# the module): it prints a line as soon as it runs.

. "$(dirname "$0")/lib.sh"

SIZE_MIB=${SIZE_MIB:-1024}
WORK=/var/tmp/xckpt-startup

# In a VM: an image of a program with SIZE_MIB of clean mapped file in memory.
make_image() {
	load_module
	rm -rf "$WORK" "$1"
	mkdir -p "$WORK"
	cp "$TESTS/cleanmap" "$WORK"
	{ yes 'clean memory that nobody wrote to' || true; } | head -c "${SIZE_MIB}M" >"$WORK/file"
	(cd "$WORK" && exec ./cleanmap file 0) </dev/null >"$WORK/stdout" 9<&- &
	STARTED+=("$!")
	wait_for 300 has_lines "$WORK/stdout" 3
	xckpt-dump -p "$!" -o "$1" --kill
	cp "$WORK/stdout" "$1.stdout"
}

milliseconds_since() {
	echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000))
}

resume_once() {
	local start pid lines
	mkdir -p "$WORK"
	cp "$1.stdout" "$WORK/stdout"
	lines=$(wc -l <"$WORK/stdout")
	start=$EPOCHREALTIME
	qemu-resume --engine qemu "$1" </dev/null >/dev/null 2>"$WORK/err" 9<&- &
	pid=$!
	wait_for 120 has_lines "$WORK/stdout" $((lines + 1)) || die "no start: $(<"$WORK/err")"
	milliseconds_since "$start"
	kill "$pid" || true
	wait "$pid" 2>/dev/null || true
}

start_once() {
	local start=$EPOCHREALTIME
	qemu-x86_64 "$TESTS/counter" 0 >/dev/null
	milliseconds_since "$start"
}

case ${1:-} in
--make)
	trap end_started EXIT
	make_image "$2"
	exit
	;;
'') die 'usage: startup.sh IMAGE | startup.sh --make IMAGE' ;;
esac

resumed=() started=()
for _ in 1 2 3 4 5; do
	started+=("$(start_once)")
	resumed+=("$(resume_once "$1")")
done
a=$(median "${started[@]}")
b=$(median "${resumed[@]}")
echo "qemu-x86_64 of a trivial program: ${started[*]} ms"
echo "qemu-resume of $(du -sm "$1" | cut -f1) MiB: ${resumed[*]} ms"
echo "difference of the medians: $((b - a)) ms"
