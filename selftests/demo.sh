#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# demo.sh   one program, begun on x86-64 and finished on ARM64. Both machines are
# virtual and made by the rig; nothing on this one is touched.

. "$(dirname "$0")/lib.sh"

WORK=/tmp/xckpt-demo # where the program runs, on both machines
KEEP=$SHARE/demo     # what goes from one to the other
LINES_ALL=90
LINES_X86=40
ME=selftests/demo.sh

headline() {
	printf '\n\033[1m== %s\033[0m\n' "$*"
}

note() {
	printf '   %s\n' "$@"
}

# Prints what the program writes, while it does, until process PID has ended.
follow() {
	tail -n "+$3" -s 0.2 --pid="$1" -f "$WORK/out" 2>/dev/null | sed -u "s/^/   $2 | /"
}

on_x86() {
	local pid
	note "This is $(uname -m), Linux $(uname -r), $(python3 --version)."
	rm -rf "$WORK" "$KEEP"
	mkdir -p "$WORK" "$KEEP"
	cp "$SELFTESTS/demo.py" "$WORK"
	cd "$WORK" || exit
	python3 demo.py "$LINES_ALL" >"$KEEP/expected"
	note '$ insmod xckpt.ko'
	load_module
	note "\$ python3 demo.py $LINES_ALL >out &"
	setsid python3 demo.py "$LINES_ALL" </dev/null >out 2>&1 9<&- &
	pid=$!
	STARTED+=("$pid")
	follow "$pid" x86-64 1 &
	wait_for 120 has_lines out "$LINES_X86" || die 'the program does not start'
	xckpt-dump -p "$pid" -o "$KEEP/image" --kill --with-files 2>"$KEEP/summary"
	wait
	note "\$ xckpt-dump -p $pid -o image --kill --with-files"
	sed 's/^/   /' "$KEEP/summary"
	cp out "$KEEP/first-half"
	note '' 'The program is dead; what is left of it is an ELF core and a manifest:'
	xckpt-info "$KEEP/image" | head -n 14 | sed 's/^/   /'
}

on_arm64() {
	local pid status=0
	note "This is $(uname -m), Linux $(uname -r). No x86-64 library is installed here."
	rm -rf "$WORK"
	mkdir -p "$WORK"
	cp "$SELFTESTS/demo.py" "$WORK"
	cp "$KEEP/first-half" "$WORK/out"
	cp -r --sparse=always "$KEEP/image" "$WORK/"
	cd "$WORK" || exit
	note '$ qemu-resume image'
	qemu-resume image </dev/null 9<&- &
	pid=$!
	STARTED+=("$pid")
	follow "$pid" arm64 $(($(wc -l <"$KEEP/first-half") + 1))
	wait "$pid" || status=$?
	note "The program ended with status $status."
	cp out "$KEEP/all"
	return "$status"
}

machine() {
	local phase=$1
	shift
	XCKPT_SHARE=$SHARE "$SELFTESTS/vm/run.sh" --suite trixie --timeout 280 "$@" -- \
		"cd '$TOP' && bash $ME $phase"
}

verdict() {
	local half
	half=$(wc -l <"$KEEP/first-half")
	head -n "$half" "$KEEP/all" | sed 's/^/   x86-64 | /'
	tail -n "+$((half + 1))" "$KEEP/all" | sed 's/^/   arm64  | /'
	if ! cmp "$KEEP/expected" "$KEEP/all"; then
		headline 'DIFFERENT from a run that nobody interrupted'
		return 1
	fi
	headline "Identical, byte for byte, to a run that nobody interrupted."
	note "$half lines were computed on x86-64, $((LINES_ALL - half)) on arm64."
}

main() {
	local start=$SECONDS
	headline '1. An x86-64 machine: a program runs, is frozen, becomes an image'
	machine in-x86
	headline '2. An ARM64 machine: the same program goes on, where it was'
	machine in-arm64 --arch arm64
	headline '3. Both halves of its output, as one'
	verdict
	note "This took $((SECONDS - start)) s."
}

case ${1:-} in
in-x86) trap end_started EXIT && on_x86 ;;
in-arm64) trap end_started EXIT && on_arm64 ;;
'') main ;;
*) die "usage: ${0##*/}" ;;
esac
