#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# kernel.sh            builds, once, the kernel that looks for mistakes: 6.1 with
#                      KASAN, lockdep, kmemleak and fault injection. Prints the
#                      folder of its build; arch/x86/boot/bzImage in it boots.
# kernel.sh module DIR builds xckpt.ko for it from DIR/kmod and DIR/uapi
#
# By chroot in the bookworm root, with that suite's sources and compiler.

# shellcheck source=selftests/vm/lib.sh
. "$(dirname "$0")/../vm/lib.sh"
need_root "$@"

HERE=$(cd "$(dirname "$0")" && pwd -P)
CONFIG=$HERE/kernel.config

root=$("$VM_DIR/root.sh" bookworm amd64 --with linux-source-6.1,flex,bison,bc,libssl-dev)
# a new source package makes a new root, and that a new kernel
key=$(cat "$CONFIG" <(basename "$(dirname "$root")") | sha256sum | cut -c1-12)
dir=$XCKPT_CACHE/debug-kernel/$key

# inside LINE [PATH...]: a shell line in the root, with the paths mounted there
inside() {
	local line=$1
	shift
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount --pid --fork --kill-child bash -euc '
		root=$1 line=$2
		shift 2
		for path; do
			mkdir -p "$root$path"
			mount --bind "$path" "$root$path"
		done
		mount -t proc proc "$root/proc"
		mount -t tmpfs tmp "$root/tmp"
		mount --bind /dev "$root/dev"
		export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
		exec chroot "$root" sh -euc "$line"
	' inside "$root" "$line" "$@"
}

# What kconfig quietly dropped would not be tested.
check_config() {
	local option
	while read -r option; do
		grep -qxF "$option" "$dir/out/.config" || die "the debug kernel has no $option"
	done < <(grep '^CONFIG_' "$CONFIG")
}

build_kernel() {
	say "building the debug kernel, once (10 minutes and more; log: $dir.log)"
	rm -rf "$dir"
	mkdir -p "$dir/out"
	cp "$CONFIG" "$dir/kernel.config"
	inside "
		tar -C '$dir' -xf /usr/src/linux-source-6.1.tar.xz
		cd '$dir'/linux-source-6.1
		make -s O='$dir/out' tinyconfig
		cat '$dir/kernel.config' >>'$dir/out/.config'
		make -s O='$dir/out' olddefconfig" "$dir" >"$dir.log" 2>&1 ||
		die "cannot configure the debug kernel (log: $dir.log)"
	check_config
	inside "cd '$dir'/linux-source-6.1 && make -s -j$(nproc) O='$dir/out' bzImage modules_prepare" \
		"$dir" >>"$dir.log" 2>&1 || die "cannot build the debug kernel (log: $dir.log)"
	: >"$dir/.complete"
}

lock "$XCKPT_CACHE/debug-kernel/.lock"
[ -e "$dir/.complete" ] || build_kernel
unlock

case ${1:-} in
'') echo "$dir/out" ;;
module)
	# its symbols are looked up at load: there is no list of them without a full build
	inside "make -s -C '$dir/out' M='$2/kmod' KBUILD_MODPOST_WARN=1 modules" "$dir" "$2" \
		>"$2/log" 2>&1 || die "cannot build the module (log: $2/log)"
	;;
*) die 'usage: kernel.sh [module DIR]' ;;
esac
