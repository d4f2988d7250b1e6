#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xckpt-dump against a device that is faked (fake_device.c), TAP output.
# Needs xckpt-dump-fake and xckpt-info on PATH.

# shellcheck source=userland/tests/dump_lib.sh
. "${0%/*}/dump_lib.sh"

dump -o "$work/img"; check $? "dump: $(cat "$work/err")"
says "pid $victim (victim): 1 process, 3 threads"; check $? "one line tells of it"
cmds "freeze snapshot thaw core contents "; check $? "the program goes on before its memory is read"
[ "$(stat -c %a "$work/img")/$(stat -c %a "$work/img/$victim.core")" = 700/600 ]; check $? "modes"
[ "$(du -m "$work/img" | tail -1 | cut -f1)" -lt 60 ]; check $? "holes stay holes"
xckpt-info --verify "$work/img" >"$work/info" 2>&1; check $? "xckpt-info --verify"
xckpt-info --json "$work/img" | python3 -m json.tool >/dev/null; check $? "xckpt-info --json"
dump -o "$work/img"; [ $? = 1 ]; check $? "an existing image"
says "File exists"; check $? "$(cat "$work/err")"
cmds ""; check $? "nothing was frozen for it"
rm -rf "$work/img"

FAKE_PIPES=1 dump -q -o "$work/img"; check $? "pipes inside"
[ ! -s "$work/err" ]; check $? "quietly"
cmds "freeze snapshot core thaw contents "; check $? "what pipes hold is read before"
[ "$(cat "$work"/img/files/pipe-1)" = hello ]; check $? "their contents"
xckpt-info "$work/img" | grep -q 'pipe.*5 bytes'; check $? "and xckpt-info shows it"
rm -rf "$work/img"
FAKE_PIPES=1 dump -q -o - >"$work/tar"; check $? "a stream"
xckpt-info --verify - <"$work/tar" >/dev/null; check $? "xckpt-info - --verify"
tar tf "$work/tar" | tail -1 | grep -qx group.json; check $? "group.json is last"

for reason in 1 2 3 4 5 6 7 8; do
	FAKE_REASON=$reason dump -o "$work/img"; [ $? = 1 ] && says "cannot freeze pid $victim (python3): it " && nothing_left
	check $? "reason $reason: $(cat "$work/err")"
done
FAKE_MISSING=1 dump -o "$work/img"; [ $? = 1 ] && says "load the module: insmod xckpt.ko"; check $? "no module"
xckpt-dump-fake -p 4194303 -o "$work/img" 2>"$work/err"; [ $? = 1 ] && says "cannot find pid 4194303: No such process"; check $? "no process"
dump -o "$work/no/img"; [ $? = 1 ] && says "No such file or directory"; check $? "no parent"
dump -o /proc/img; [ $? = 1 ] && [ "$(wc -l <"$work/err")" = 1 ] && cmds ""; check $? "a parent that cannot be written"
dump -o - >/dev/full; [ $? = 1 ] && says "No space left on device" && ! grep -q kill "$work/log"; check $? "a full disk behind a stream"
{ dump --kill -o -; echo $? >"$work/status"; } | true
[ "$(cat "$work/status")" = 1 ] && grep -q "Broken pipe" "$work/err" && ! grep -q kill "$work/log"; check $? "a reader that is gone"

FAKE_SOCKET=1 dump -o "$work/img"
grep -qF "warning: pid $victim fd 2 (socket:[5]): sockets cannot be resumed by this version" "$work/err"
check $? "a socket: $(head -1 "$work/err")"
rm -rf "$work/img"
FAKE_SOCKET=1 dump --kill -o "$work/img"; [ $? = 1 ] && says "(socket:[5])" && nothing_left && cmds "freeze-strict snapshot-frozen core "
check $? "--kill with a socket"
FAKE_SOCKET=1 dump --kill --force -o "$work/img" && cmds "freeze-strict snapshot-frozen core contents kill "; check $? "--kill --force"
rm -rf "$work/img"
FAKE_IMAGE=$work/img dump --leave-stopped -o "$work/img/" && cmds "freeze-strict snapshot-frozen core contents stop " && [ -d "$work/img" ]; check $? "--leave-stopped"
rm -rf "$work/img"

start=$SECONDS
slow() { # OPTION...: begins a dump, until it waits
	: >"$work/log"
	FAKE_SLOW=1 xckpt-dump-fake -p $victim -o "$work/img" "$@" 2>"$work/err" & dumper=$!
	until grep -q slow "$work/log"; do sleep 0.1; done
}
slow
kill -TERM $dumper; wait $dumper; [ $? = 143 ]; check $? "SIGTERM"
says "interrupted" && nothing_left; check $? "$(cat "$work/err")"
[ $((SECONDS - start)) -lt 9 ]; check $? "at once"
for signal in XCPU ALRM USR1 USR2; do
	slow
	kill -$signal $dumper; wait $dumper; [ $? = $((128 + $(kill -l $signal))) ] && says "interrupted" && nothing_left
	check $? "SIG$signal: $(cat "$work/err")"
done
FAKE_FSIZE=1000000 dump -q -o "$work/img"; [ $? = 1 ] && says "File too large (see ulimit -f)" && nothing_left
check $? "no file may be so large: $(cat "$work/err")"
slow --leave-stopped
for signal in TSTP TTIN TTOU; do
	kill -$signal $dumper; sleep 0.2; grep -q "^State:.*T" /proc/$dumper/status; [ $? = 1 ]; check $? "SIG$signal while all stand does not stop it"
done
for ((i = 0; i < 100; i++)); do grep -q "^State:.*T" /proc/$dumper/status && break; sleep 0.1; done
grep -qx stop "$work/log" && [ -d "$work/img" ]; check $? "but then"
kill -CONT $dumper; wait $dumper; check $? "and it ends: $(cat "$work/err")"
rm -rf "$work/img"

# changing COMMAND...: what is done to a mapped file while its pages are read
changing() {
	echo hello >"$work/mapped"
	: >"$work/log"
	FAKE_MAPPED=$work/mapped FAKE_SLOW_READ=1 dump -q -o "$work/img" --jobs "${jobs:-2}" & dumper=$!
	while kill -0 $dumper 2>/dev/null && ! grep -q contents "$work/log"; do sleep 0.1; done
	"$@" "$work/mapped"
	wait $dumper
}
overwrite() { printf j | dd of="$1" conv=notrunc status=none; }
for change in "truncate -s 0" touch overwrite; do
	# shellcheck disable=SC2086 # words
	changing $change; [ $? = 1 ] && says "$work/mapped was changed meanwhile" && nothing_left
	check $? "a mapped file, $change: $(cat "$work/err")"
	rm -rf "$work/img"
done
for change in true "chmod 600" rm; do
	# shellcheck disable=SC2086 # words
	changing $change; check $? "a mapped file that holds the same, $change: $(cat "$work/err")"
	rm -rf "$work/img"
done
FAKE_COPIED=1 changing overwrite; check $? "one that was open for writing, and copied: $(cat "$work/err")"
rm -rf "$work/img"

# more mapped files than there can be descriptors, which a core must have as well
for ((i = 1; i <= 60; i++)); do echo hello >"$work/mapped.$i"; done
export FAKE_MAPPED_TOO=60
for jobs in 1 1024; do
	export FAKE_NOFILE=64
	changing true; check $? "60 mapped files, 64 descriptors, $jobs jobs: $(cat "$work/err")"
	rm -rf "$work/img"
	for file in 1 60; do
		overwrite_one() { overwrite "$1.$file"; }
		changing overwrite_one; [ $? = 1 ] && says "$work/mapped.$file was changed meanwhile" && nothing_left
		check $? "the last one is looked at as the first: $(cat "$work/err")"
		rm -rf "$work/img"
		echo hello >"$work/mapped.$file"
	done
done
unset FAKE_MAPPED_TOO FAKE_NOFILE

FAKE_DISTURBED=2 dump --kill -o "$work/img"; [ $? = 1 ] && says "2 of its threads were woken or killed" && nothing_left && ! grep -q kill "$work/log"
check $? "threads that moved"

if mkdir "$work/small" && mount -t tmpfs -o size=8m none "$work/small" 2>/dev/null; then
	FAKE_MIB=32 dump --kill -o "$work/small/img"; [ $? = 1 ] && says "No space left on device" && ! grep -q kill "$work/log"
	check $? "a full disk: $(cat "$work/err")"
	[ -z "$(ls -A "$work/small")" ]; check $? "leaves nothing"
	umount "$work/small"
fi
finish
