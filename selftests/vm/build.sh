#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# build.sh SUITE ARCH
#
# Builds what the guest of SUITE and ARCH gets, into build/SUITE-ARCH: for
# amd64 by chroot in that suite's own root, because a module must be built by
# the compiler of its kernel; for arm64 by this machine's cross-compiler with
# the root as sysroot.

# shellcheck source=selftests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

[ $# -eq 2 ] || die "cannot build: want SUITE ARCH"
suite=$1
arch=$2
check_suite "$suite"
check_arch "$arch"
[ -e "$XCKPT_TOP/Makefile" ] || exit 0
need_root "$@"

root=$("$VM_DIR/root.sh" "$suite" "$arch")
out=$(out_dir "$suite" "$arch")
lock "$out/.lock"

if [ "$arch" = arm64 ]; then
	exec make -s -C "$XCKPT_TOP" suite-cross O="$out" \
		CROSS_COMPILE=aarch64-linux-gnu- SYSROOT="$root" >&2
fi

# The mounts live in a namespace of their own and so end with its processes;
# those end with the first of them, even when it is killed.
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --pid --fork --kill-child bash -euc '
	root=$1 top=$2 out=$3 kver=$4
	mount -t proc proc "$root/proc"
	mount -t tmpfs tmp "$root/tmp"
	mount --bind /dev "$root/dev"
	mkdir -p "$root$top"
	mount --bind "$top" "$root$top"
	export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
	exec chroot "$root" make -s -C "$top" suite O="$out" \
		KDIR="/lib/modules/$kver/build" >&2
' build "$root" "$XCKPT_TOP" "$out" "$(cat "$root/../kver")"
