#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Finds or fetches a qemu-system that is fit for the rig. Sourced after lib.sh.
#
# The multi-threaded TCG of QEMU 7.2 corrupts SMP guests that patch their own
# code (jump labels, static calls, kprobes), which Linux does all the time: 10.0
# or newer is wanted. Where the machine has an older one, or none, it is taken
# from a root of its own, and run from there by that root's dynamic linker: so
# no chroot is needed, and QEMU sees the paths of this machine.

# Sets the array qemu (the command) and tcg (the value of -accel) for ARCH.
# shellcheck disable=SC2034 # both are for the caller
qemu_find() {
	local name system
	case $1 in
	amd64) name='qemu-system-x86_64' ;;
	arm64) name='qemu-system-aarch64' ;;
	esac
	tcg=tcg,thread=multi
	system=$(command -v "$name" || true)
	if [ -n "$system" ] && [ "$(qemu_major "$system")" -ge 10 ]; then
		qemu=("$system")
	elif qemu_from_root "$name"; then
		return 0
	elif [ -n "$system" ]; then
		say "slow: using $system, older than 10.0, with thread=single"
		qemu=("$system")
		tcg=tcg,thread=single
	else
		die "cannot find $name (install qemu-system-x86 and qemu-system-arm, 10.0 or newer)"
	fi
}

qemu_major() {
	"$1" --version | sed -n 's/^QEMU emulator version \([0-9]*\).*/\1/p'
}

# shellcheck disable=SC2034
qemu_from_root() {
	local root loader libs
	root=$("$VM_DIR/root.sh" --qemu) || return 1
	for loader in "$root"/lib64/ld-linux-x86-64.so.2 \
		"$root"/lib/ld-linux-aarch64.so.1; do
		[ ! -x "$loader" ] || break
	done
	libs=$(dirname "$(find "$root/usr/lib" -maxdepth 2 -name libc.so.6 | head -n 1)")
	qemu=(env "QEMU_MODULE_DIR=$libs/qemu"
		"$loader" --library-path "$libs" "$root/usr/bin/$1"
		-L "$root/usr/share/qemu" -L "$root/usr/share/seabios")
}
