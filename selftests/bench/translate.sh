#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# translate.sh PROGRAM...   what it costs to run translated: three operations (ops),
# python3, xz and operations of the system (os), natively, under qemu-user from the start,
# and resumed under it from an image, os also resumed natively; on this machine with its own
# QEMU, trixie's and sid's, and in an ARM64 machine, os in an x86-64 one too, whose clock
# counts instructions. Lines of JSON. RUNS (5), for this machine; XZ_KIB (2048).
#
# `translate.sh dump PROGRAM...` and `translate.sh count MACHINE PROGRAM...` are for VMs.

. "$(dirname "$0")/../lib.sh"

BENCH=$SELFTESTS/bench
XZ_LEVEL=-1
XZ_BLOCK=64KiB
XZ_KIB=${XZ_KIB:-2048}

# command_of PROGRAM: sets the array command. Each waits for its input before it works.
command_of() {
	case $1 in
	ops | os) command=("$SHARE/bench_$1" "$ROUNDS") ;;
	python3) command=(/usr/bin/python3 "$BENCH/work.py") ;;
	xz) command=(/usr/bin/xz "$XZ_LEVEL" --block-size="$XZ_BLOCK" -T1 -c) ;;
	esac
}

waits_for_input() {
	local call
	read -r call _ <"/proc/$1/syscall" && [[ $call = 0 || $call = 7 ]] # read(), poll()
} 2>/dev/null

# What a run from the start needs on a machine that is none of this kind.
keep_root() {
	local files
	mapfile -t files < <(
		ldd /usr/bin/python3 /usr/bin/xz | grep -o '/[^ ]*'
		python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))'
	)
	tar -C / -chf - --exclude=__pycache__ --exclude='*/test' --exclude='config-*' \
		/lib64/ld-linux-x86-64.so.2 "${files[@]%:}" 2>/dev/null |
		zstd -q -1 >"$SHARE/root.tar.zst"
}

# With pipes for its input and output, which whoever resumes it has of its own.
dump() {
	local program command pid
	cp "$TESTS"/bench_{ops,os} "$SHARE/"
	keep_root
	load_module
	for program in "${PROGRAMS[@]}"; do
		command_of "$program"
		coproc { exec env -i PATH=/usr/bin LC_ALL=C "${command[@]}" 2>/dev/null 9<&-; }
		pid=$COPROC_PID
		STARTED+=("$pid")
		wait_for 100 waits_for_input "$pid" || die "$program does not wait for its input"
		xckpt-dump -q -p "$pid" --kill -o - | zstd -q -1 >"$SHARE/$program.tar.zst"
		wait "$pid" 2>/dev/null || true
	done
}

input_of() {
	case $1 in
	xz) { seq 100000000 || true; } | head -c "${XZ_KIB}K" ;;
	*) : ;;
	esac
}

# Lines "NAME NANOSECONDS" out of a program's output: of xz, from its first block on.
figures_of() {
	case $1 in
	xz) "$BENCH/span.py" ;;
	*) grep -v ready ;;
	esac
}

# measure WAY PROGRAM COMMAND...: lines of JSON
measure() {
	local way=$1 program=$2 name ns
	shift 2
	input_of "$program" >"$WORK/input"
	"$@" <"$WORK/input" 2>"$WORK/err" | figures_of "$program" >"$WORK/figures" ||
		die "$way: $program: $(<"$WORK/err")"
	while read -r name ns; do
		printf '{"machine":"%s","way":"%s","engine":"%s","name":"%s","ns":%s}\n' \
			"$MACHINE" "$way" "$ENGINE" "$name" "$ns"
	done <"$WORK/figures"
}

# engine QEMU: from the start and resumed
engine() {
	local qemu=$1 program command
	ENGINE=$("$qemu" --version | sed -n 's/^qemu-x86_64 version \([0-9.]*\).*/\1/p')
	for program in "${PROGRAMS[@]}"; do
		command_of "$program"
		[ ! -e "$WORK/root${command[0]}" ] || command[0]=$WORK/root${command[0]}
		measure start "$program" env -i PATH=/usr/bin LC_ALL=C \
			"$qemu" -cpu max -L "$WORK/root" "${command[@]}"
		measure resumed "$program" qemu-resume --engine qemu --qemu "$qemu" "$WORK/$program"
	done
}

# The same programs built for this machine.
native() {
	local program suffix=''
	ENGINE=none
	[ "$ARCH" = x86_64 ] || suffix=.arm64
	for program in "${PROGRAMS[@]}"; do
		[ ! -e "$SHARE/bench_$program$suffix" ] ||
			measure native "$program" "$SHARE/bench_$program$suffix" "$ROUNDS"
		[ "$program $ARCH" != 'os x86_64' ] ||
			measure native-resumed os qemu-resume --engine native "$WORK/os"
	done
}

# The images, and for the runs from the start what the programs are made of.
unpack() {
	local program
	WORK=$(mktemp -d /tmp/xckpt-translate.XXXXXX)
	trap 'rm -rf "$WORK"' EXIT
	mkdir "$WORK/root"
	zstd -q -d -c "$SHARE/root.tar.zst" | tar -C "$WORK/root" -xf -
	for program in "${PROGRAMS[@]}"; do
		mkdir "$WORK/$program"
		zstd -q -d -c "$SHARE/$program.tar.zst" | tar -C "$WORK/$program" -xSf -
	done
}

# Where instructions are counted, once is enough: the second time gives the same.
count() {
	MACHINE=$1
	unpack
	native
	engine "$(command -v qemu-x86_64)"
}

# All that can differ from one run to the next is in each run, side by side.
here() {
	local run qemu
	MACHINE=x86-64
	unpack
	for ((run = 1; run <= RUNS; run++)); do
		native
		for qemu in "$@"; do engine "$qemu"; done
	done
}

# build_for_arm64: the operations for the machine that counts
build_for_arm64() {
	local root name
	root=$("$SELFTESTS/vm/root.sh" trixie arm64)
	for name in bench_ops bench_os; do
		make -s -C "$SELFTESTS" O="$SHARE/arm64" CROSS_COMPILE=aarch64-linux-gnu- SYSROOT="$root" \
			"$SHARE/arm64/tests/$name" >&2
		cp "$SHARE/arm64/tests/$name" "$SHARE/$name.arm64"
	done
}

main() {
	local vm=$SELFTESTS/vm/run.sh qemus settings="XZ_KIB=$XZ_KIB"
	mapfile -t qemus < <(emulators)
	make -s -C "$TOP" tools >&2
	mkdir -p "$SHARE"
	PATH=$TOP/build/host/bin:$PATH
	"$vm" --suite trixie -- "$settings $BENCH/translate.sh dump ${PROGRAMS[*]}"
	build_for_arm64
	here "${qemus[@]}"
	rm -rf "$WORK"
	[[ " ${PROGRAMS[*]} " != *' os '* ]] || "$vm" --suite trixie --icount --timeout 3000 -- \
		"$BENCH/translate.sh count 'emulated x86-64' os"
	"$vm" --suite trixie --arch arm64 --icount --timeout 3000 -- \
		"$settings $BENCH/translate.sh count arm64 ${PROGRAMS[*]}"
}

# This machine's, and those of suites where they need nothing else of their root.
emulators() {
	local suite
	command -v qemu-x86_64
	for suite in trixie sid; do
		echo "$("$SELFTESTS/vm/root.sh" "$suite" amd64)/usr/bin/qemu-x86_64"
	done
}

ROUNDS=3
RUNS=${RUNS:-5}
case ${1:-} in
dump)
	PROGRAMS=("${@:2}")
	dump
	;;
count)
	PROGRAMS=("${@:3}")
	count "$2"
	;;
'')
	die "usage: ${0##*/} PROGRAM..."
	;;
*)
	PROGRAMS=("$@")
	export XCKPT_SHARE=$SHARE
	main
	;;
esac
