# shellcheck shell=bash disable=SC2154 # set by who sources it
# SPDX-License-Identifier: GPL-2.0-or-later
# A program to dump, the fake device's settings, and checks in TAP. Sourced.

export LC_ALL=C ASAN_OPTIONS=detect_leaks=1
work=$(mktemp -d "${TMPDIR:-/tmp}/xckpt-dump-test-XXXXXX") || exit 1
nr=0 failed=0

# a process with both ends of a pipe as 0 and 1, and 5 bytes in it
python3 -c '
import os, time
r, w = os.pipe(); os.write(w, b"hello")
os.dup2(r, 0); os.dup2(w, 1)
while True: time.sleep(100)' &
victim=$!
disown
sleep 0.5
trap 'kill -9 $victim 2>/dev/null; umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT
export FAKE_PID=$victim FAKE_LOG=$work/log

check() { # STATUS TEXT
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then echo "ok $nr - $2"; else echo "not ok $nr - $2"; failed=$((failed + 1)); fi
}
dump() { : >"$work/log"; xckpt-dump-fake -p $victim "$@" 2>"$work/err"; }
says() { grep -qF -- "$1" "$work/err" && [ "$(wc -l <"$work/err")" = 1 ]; }
nothing_left() { ! compgen -G "$work/.*xckpt-*" && ! compgen -G "$work/img*"; } >/dev/null
cmds() { [ "$(tr '\n' ' ' <"$work/log")" = "$1" ]; }

# The last lines of each test.
finish() {
	kill -0 $victim; check $? "the victim lives"
	echo "1..$nr"
	echo "# $((nr - failed)) passed, $failed failed"
	[ $failed = 0 ]
}
