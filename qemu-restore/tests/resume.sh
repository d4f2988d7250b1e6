#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# resume.sh dump            dump programs in odd states into the share (module needed)
# resume.sh resume ENGINE   resume them: native or qemu
#
# Both run inside a VM, the second in any other:
#   selftests/vm/run.sh -- qemu-restore/tests/resume.sh dump
#   selftests/vm/run.sh --arch arm64 -- qemu-restore/tests/resume.sh resume qemu
#
# shellcheck disable=SC2317 # functions are run by name (tap_main)

HERE=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=selftests/lib.sh
. "$HERE/../../selftests/lib.sh"

STORE=$SHARE/resume
# a folder that other machines have not, and one whose first part they have not
HOME_DIR=/tmp/resume-test
TOP_DIR=/resume-test/bin
LOCAL=$(mktemp -d /tmp/resume-local.XXXXXX)
trap 'rm -rf "$LOCAL"' EXIT

# start COMMAND...: sets PID; its output is a pipe, and so becomes qemu-resume's own.
# Until the output has a line like $LINE.
start() {
	exec {pipe}> >(exec cat >"$LOCAL/out" 9<&-)
	"$@" </dev/null >&"$pipe" 2>&1 {pipe}>&- 9<&- &
	PID=$!
	exec {pipe}>&-
	STARTED+=("$PID")
	wait_for 60 grep -q "${LINE:-line 3}" "$LOCAL/out"
}

# dump NAME [OPTION...]
dump() {
	local name=$1 status=0
	shift
	rm -rf "${LOCAL:?}/$name"
	xckpt-dump -q -p "$PID" -o "$LOCAL/$name" "$@" 2>"$LOCAL/err" || status=$?
	# on a slow machine it may be over
	kill -KILL "$PID" 2>/dev/null || true
	wait "$PID" 2>/dev/null || true
	result "$status" "$name: dumped" "$(<"$LOCAL/err")"
	[ "$status" -ne 0 ] || tar -C "$LOCAL" -cSf "$STORE/$name.tar" "$name"
}

build() {
	mkdir -p "$(dirname "$1")"
	gcc -O1 -pthread "-Wl,--build-id=0x$2" -o "$1" "$HERE/resume_program.c"
	touch -d '2020-01-01 00:00:00 UTC' "$1"
}

dump_all() {
	load_module
	rm -rf "$STORE"
	mkdir -p "$STORE"
	build "$HOME_DIR/sub/program" 11111111
	build "$TOP_DIR/program" 11111111
	cd /tmp
	start "$HOME_DIR/sub/program" 30
	dump home
	start "$TOP_DIR/program" 30
	dump top
	start setarch -R "$HOME_DIR/sub/program" 30
	dump fixed
	start "$HOME_DIR/sub/program" 30
	kill -STOP "$PID"
	wait_for 10 in_state "$PID" T
	dump stopped
	{ seq 100000000 || true; } | head -c 160M >"$LOCAL/numbers"
	start "$HOME_DIR/sub/program" 60 "$LOCAL/numbers"
	dump clean
	start setpriv --reuid 1234 --regid 1235 --groups 4,24,777 --inh-caps +net_raw \
		--ambient-caps +net_raw --bounding-set -sys_boot,-mknod "$HOME_DIR/sub/program" 30
	dump user
	start setpriv --groups 4,24 --inh-caps -all --bounding-set -all,+net_raw,+chown,+setpcap \
		--securebits +noroot,+no_setuid_fixup "$HOME_DIR/sub/program" 30
	dump root
	start "$HOME_DIR/sub/program" 30
	dump thin --thin
	cp -p "$HOME_DIR/sub/program" "$STORE/"
	cp -p "$HOME_DIR/sub/program" "$HOME_DIR/sub/removed"
	start "$HOME_DIR/sub/removed" 30
	rm "$HOME_DIR/sub/removed"
	dump removed --thin
	thin_cases
	dump_calls
}

# In the middle of calls, and after a resume in the middle of the same ones again.
dump_calls() {
	LINE='^13$' start "$TESTS/calls" 30 all
	dump calls
	LINE='^22$' start qemu-resume --engine native "$LOCAL/calls"
	PID=$(program_of "$PID" calls)
	dump twice
}

# program_of PID NAME: the program that qemu-resume stands for
program_of() {
	local pid
	for pid in $(<"/proc/$1/task/$1/children"); do
		[ "$(<"/proc/$pid/comm")" != "$2" ] || echo "$pid"
	done
}

# unpack NAME: sets IMAGE
unpack() {
	IMAGE=$LOCAL/$1
	rm -rf "$IMAGE"
	tar -C "$LOCAL" -xSf "$STORE/$1.tar"
}

resume() {
	STATUS=0
	"$@" </dev/null >"$LOCAL/out" 2>"$LOCAL/err" 9<&- || STATUS=$?
}

# resumed NAME WHAT PATTERN: it ran to its end and all lines have the pattern
resumed() {
	local good=1
	if [ "$STATUS" -eq 7 ] && grep -q '^line 29 ' "$LOCAL/out" && [ ! -s "$LOCAL/err" ] &&
		! grep -qvE "$3" "$LOCAL/out"; then
		good=0
	fi
	result "$good" "$1: $2" "status $STATUS: $(cat "$LOCAL/err" "$LOCAL/out")"
}

resume_case() {
	unpack "$1"
	cd /tmp
	resume qemu-resume --engine "$engine" "$IMAGE"
	resumed "$1" "$2" "$3"
}

# Where this machine has no such program.
exe_cases() {
	rm -rf "$HOME_DIR" "${TOP_DIR%/*}"
	resume_case home 'finds itself, in a folder that is not here' " exe $HOME_DIR/sub/program cwd /tmp "
	resume_case top 'finds itself, with nothing of its path here' " exe $TOP_DIR/program cwd /tmp "
	result "$([ ! -e "$HOME_DIR" ] && [ ! -e "${TOP_DIR%/*}" ] && echo 0 || echo 1)" \
		'nothing of that is left'
	result "$(grep -c restart /proc/mounts || true)" 'nor mounted'
	mkdir "$HOME_DIR"
	echo text >"$HOME_DIR/file"
	resume_case home 'finds itself in a folder that is here' " exe $HOME_DIR/sub/program cwd /tmp "
	result "$([ "$(ls "$HOME_DIR")" = file ] && echo 0 || echo 1)" 'and nothing is put there'
	rm -r "$HOME_DIR"
}

calls_case() {
	unpack "$1"
	cd /tmp
	resume timeout 120 qemu-resume --engine "$engine" "$IMAGE"
	result "$([ "$STATUS" -eq 0 ] && [ ! -s "$LOCAL/err" ] && ! grep -q NO "$LOCAL/out" &&
		grep -q '^writev returned what it should: yes$' "$LOCAL/out" &&
		grep -q '^a sleeping thread was cancelled: yes$' "$LOCAL/out" && echo 0 || echo 1)" \
		"$1: $2" "status $STATUS: $(cat "$LOCAL/err" "$LOCAL/out")"
}

fixed_case() {
	unpack fixed
	cd /tmp
	resume timeout 120 setarch -R qemu-resume --engine "$engine" "$IMAGE"
	resumed fixed 'addresses as without randomisation, twice' ''
}

# As posix_spawn(3) starts programs: the signals that the C library keeps to itself are ignored.
ignoring_case() {
	unpack user
	cd /tmp
	resume python3 -c 'import ctypes, os, sys
nr = {"x86_64": 13, "aarch64": 134}[os.uname().machine]
for sig in 32, 33:
    assert ctypes.CDLL(None).syscall(nr, sig, (ctypes.c_long * 4)(1), None, 8) == 0
os.execvp(sys.argv[1], sys.argv[1:])' qemu-resume --engine "$engine" "$IMAGE"
	resumed user "by who ignores the C library's signals" ''
}

# Under a filter that keeps it from reaching into other processes.
denied_case() {
	unpack user
	cd /tmp
	resume python3 -c 'import ctypes, os, struct, sys
nr = {"x86_64": 310, "aarch64": 270}[os.uname().machine] # process_vm_readv(), and behind it writev
code = struct.pack("=" + "HBBI" * 5, 0x20, 0, 0, 0, 0x15, 1, 0, nr, 0x15, 0, 1, nr + 1,
                   6, 0, 0, 0x50001, 6, 0, 0, 0x7fff0000) # EPERM, or as it is
code = ctypes.create_string_buffer(code)
prog = struct.pack("@HP", 5, ctypes.addressof(code))
assert ctypes.CDLL(None).prctl(22, 2, prog, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])' qemu-resume --engine "$engine" "$IMAGE"
	sed -i '/warning: .* will be under the seccomp filter of qemu-resume/d' "$LOCAL/err"
	resumed user "by who may not write to its memory from outside" ''
}

# Else that is how memory is filled: natively strace can tell.
loaded_case() {
	unpack user
	cd /tmp
	resume strace -f -e trace=process_vm_writev,pread64 -o "$LOCAL/strace" qemu-resume --engine native "$IMAGE"
	resumed user 'under strace' ''
	# qemu-resume itself reads headers; the vDSO is not from the core
	result "$(awk 'NR == 1 { own = $1 } /process_vm_writev\(.*= [1-9]/ { written++ }
			/pread64.*= [0-9][0-9][0-9][0-9]+$/ && $1 != own { pread++ }
			END { print (!written || pread > 1) }' "$LOCAL/strace")" \
		'its memory was written from outside, and not read once more' "$(tail "$LOCAL/strace")"
}

front_and_program_stand() {
	read -r program _ < <(for pid in $(<"/proc/$PID/task/$PID/children"); do
		case $(<"/proc/$pid/comm") in program | resume_program) echo "$pid" ;; esac
	done)
	[ -n "$program" ] && in_state "$PID" T && in_state "$program" T
} 2>/dev/null

# stopped_case WHO: is to be told to go on
stopped_case() {
	local program=
	unpack stopped
	qemu-resume --engine "$engine" "$IMAGE" </dev/null >"$LOCAL/out" 2>"$LOCAL/err" 9<&- &
	PID=$!
	STARTED+=("$PID")
	if ! wait_for 60 front_and_program_stand || [ -s "$LOCAL/out" ]; then
		fail 'stopped: is resumed so' "$(cat "$LOCAL/err" "$LOCAL/out")"
		kill -KILL "$PID"
		return
	fi
	nap 0.5
	result "$(wc -c <"$LOCAL/out")" 'stopped: has run nothing'
	if [ "$1" = program ]; then kill -CONT "$program"; else kill -CONT "$PID"; fi
	STATUS=0
	wait "$PID" || STATUS=$?
	resumed stopped "goes on when $1 is told to" ''
}

damaged_case() {
	local core size
	unpack clean
	core=$(echo "$IMAGE"/*.core)
	size=$(stat -c %s "$core")
	printf '~' | dd of="$core" bs=1 seek=$((size - (20 << 20))) conv=notrunc status=none
	resume timeout -k 5 120 qemu-resume --engine "$engine" "$IMAGE"
	result "$([ "$STATUS" -eq 125 ] && [ "$(wc -l <"$LOCAL/err")" = 1 ] &&
		grep -q 'is damaged: checksum mismatch' "$LOCAL/err" &&
		! pgrep -x 'program|xckpt-init' >"$LOCAL/left" && echo 0 || echo 1)" \
		'a program is ended when its image turns out to be damaged' \
		"status $STATUS: $(cat "$LOCAL/err" "$LOCAL/left")"
}

# Where the x86-64 libraries are: a program that has another build-id now.
thin_cases() {
	local engine
	for engine in native qemu; do
		resume_case thin "resumed, $engine" ''
		resume_case removed "what no path leads to is in a thin image, $engine" ''
	done
	build "$HOME_DIR/sub/program" 22222222
	unpack thin
	resume qemu-resume --engine native "$IMAGE"
	result "$([ "$STATUS" -eq 125 ] && [ "$(wc -l <"$LOCAL/err")" = 1 ] &&
		grep -q "sub/program has build-id 22222222, at the checkpoint it had 11111111" "$LOCAL/err" &&
		echo 0 || echo 1)" 'thin: another build is refused' "$STATUS $(<"$LOCAL/err")"
}

resume_all() {
	exe_cases
	calls_case calls 'calls that were cut in two go on'
	calls_case twice 'and once more'
	fixed_case
	ignoring_case
	denied_case
	[ "$engine" != native ] || loaded_case
	stopped_case program
	stopped_case qemu-resume
	damaged_case
	resume_case user 'groups, capabilities and bounding set of a user' \
		'Uid: 1234 .*Groups: 4 24 777 +CapInh: 0+2000 CapPrm: 0+2000 CapEff: 0+2000 CapBnd: 0+1fff7bfffff CapAmb: 0+2000 Secure: 0 '
	resume_case root 'groups, capabilities and securebits of root' \
		'Uid: 0 .*Groups: 4 24 +CapInh: 0+ CapPrm: 0+ CapEff: 0+ CapBnd: 0+2101 CapAmb: 0+ Secure: 5 '
}

case ${1:-} in
dump) ;;
resume) engine=${2?engine: native or qemu} ;;
*) sed -n '3,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
tap_main "$1_all"
