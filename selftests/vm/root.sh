#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# root.sh SUITE ARCH [--with PACKAGE,...]
# root.sh --qemu
#
# Makes the Debian root of SUITE for ARCH, or takes it from the cache, and
# prints the path of its folder, which is for chroot or as a sysroot. Beside
# that folder lie the same root as a disk image and what is needed to boot it:
#
#   root/  disk.ext4  vmlinuz  initrd  kver
#
# --qemu makes the root that holds a qemu-system of its own (see qemu.sh).

# shellcheck source=selftests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/vm/mirror.sh
. "$VM_DIR/mirror.sh"

common=(
	bash busybox-static coreutils findutils grep gzip
	iproute2 kmod libcap2-bin mawk perl procps psmisc python3 qemu-user sed
	sqlite3 strace tar util-linux xz-utils zstd
	libarchive-dev libc6-dev libelf-dev libjansson-dev libxxhash-dev
	libzstd-dev
)
amd64=(
	linux-image-amd64 linux-headers-amd64
	bpftool clang criu diffutils file g++ gcc gdb hostname libbpf-dev make mount pkgconf
)
# Only extracted, so the essential packages must be named.
arm64=(
	linux-image-arm64
	base-files base-passwd dash debianutils diffutils hostname libc-bin login mount
	passwd sysvinit-utils
)
# Free space that a booted root has for its own files. Sparse.
free_mib=6144

parse() {
	suite='' arch='' with=''
	while [ $# -gt 0 ]; do
		case $1 in
		--with) with=${2?}; shift ;;
		--qemu) suite=trixie arch=qemu ;;
		-*) die "cannot understand '$1': unknown option" ;;
		*) if [ -z "$suite" ]; then suite=$1; else arch=$1; fi ;;
		esac
		shift
	done
	[ "$arch" = qemu ] || { check_suite "$suite"; check_arch "$arch"; }
}

package_list() {
	case $arch in
	amd64) printf '%s\n' "${common[@]}" "${amd64[@]}" ;;
	arm64) printf '%s\n' "${common[@]}" "${arm64[@]}" ;;
	qemu) printf '%s\n' qemu-system-x86 qemu-system-arm ;;
	esac
	tr ',' '\n' <<<"$with" | sed '/^$/d'
}

# A change of what is in a root, or of how it is made, must make a new one.
cache_key() {
	{
		package_list | sort -u
		declare -f make_folder finish finish_extracted make_image
	} | sha256sum | cut -c1-12
}

# Packages are only extracted, not installed, when this machine cannot run
# them; it is also quicker when nothing of their set-up is needed.
make_folder() {
	local root=$1 sources=$2 options=()
	case $arch in
	amd64)
		options+=(--variant=apt --architectures=amd64
			--dpkgopt=force-confold
			--dpkgopt=path-exclude=/etc/kernel/postinst.d/initramfs-tools
			"--essential-hook=mkdir -p \"\$1/etc/initramfs-tools\""
			"--essential-hook=echo update_initramfs=no >\"\$1/etc/initramfs-tools/update-initramfs.conf\"")
		;;
	arm64) options+=(--variant=extract --architectures=arm64) ;;
	qemu) options+=(--variant=extract) ;;
	esac
	mmdebstrap "${options[@]}" \
		--aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
		--dpkgopt=path-exclude='/usr/share/man/*' \
		--dpkgopt=path-exclude='/usr/share/locale/*' \
		--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
		--include="$(package_list | paste -sd,)" \
		"$suite" "$root" - <"$sources" >"$entry.log" 2>&1 || {
		local status=$?
		grep -E '^ ?(E|W|dpkg|Err):? ' "$entry.log" | tail -n 30 >&2
		die "cannot make the $suite/$arch root: mmdebstrap: $status (log: $entry.log)"
	}
}

# What maintainer scripts would have done that a running system needs.
finish_extracted() {
	local root=$1 lib name
	cp -n "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
	cp -n "$root/usr/share/base-passwd/group.master" "$root/etc/group"
	mkdir -p "$root"/{dev,etc,proc,root,run,sys,tmp,usr/local/bin,var/tmp,var/lib}
	chmod 1777 "$root/tmp" "$root/var/tmp"
	chmod 700 "$root/root"
	[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
	[ -e "$root/usr/bin/awk" ] || ln -s mawk "$root/usr/bin/awk"
	[ -e "$root/usr/bin/which" ] || ln -s which.debianutils "$root/usr/bin/which"
	for lib in "$root"/usr/lib/modules/*; do
		name=${lib##*/}
		depmod -b "$root" "$name"
	done
}

finish() {
	local root=$1
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* \
		"$root"/usr/share/doc/*
	rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
	echo '127.0.0.1 localhost' >"$root/etc/hosts"
	[ "$arch" != arm64 ] || finish_extracted "$root"
}

make_image() {
	local root=$1 image=$2 used
	used=$(du -sm --apparent-size "$root" | cut -f1)
	truncate -s "$((used + used / 4 + free_mib))M" "$image"
	# Thrown away after each boot: a journal would only cost.
	mke2fs -q -F -t ext4 -O ^has_journal -m 0 -E lazy_itable_init=1 \
		-d "$root" "$image" >&2
}

newest_kernel() {
	local dir
	for dir in "$1"/usr/lib/modules/*; do
		[ ! -e "$dir/modules.dep" ] || echo "${dir##*/}"
	done | sort -V | tail -n 1
}

copy_kernel() {
	local root=$1 kver=$2 out=$3 file
	for file in "$root/boot/vmlinuz-$kver" "$root/usr/lib/modules/$kver/vmlinuz"; do
		[ ! -e "$file" ] || { cp -L "$file" "$out"; return; }
	done
	die "cannot find the kernel $kver of $suite/$arch in its root"
}

make_entry() {
	local tmp=$1 kver
	mkdir -p "$tmp"
	sources_list "$suite" "$tmp" >"$tmp/sources.list"
	make_folder "$tmp/root" "$tmp/sources.list"
	finish "$tmp/root"
	[ "$arch" != qemu ] || return 0
	kver=$(newest_kernel "$tmp/root")
	[ -n "$kver" ] || die "cannot find a kernel of $suite/$arch in its root"
	echo "$kver" >"$tmp/kver"
	copy_kernel "$tmp/root" "$kver" "$tmp/vmlinuz"
	make_image "$tmp/root" "$tmp/disk.ext4"
}

# The initramfs is made in no time: it is no reason for a new root.
update_initrd() {
	[ ! "$entry/initrd" -nt "$VM_DIR/initrd.sh" ] || return 0
	need_root "$@"
	lock "$entry.lock"
	"$VM_DIR/initrd.sh" "$entry/root" "$(cat "$entry/kver")" >"$entry/initrd.tmp"
	mv -f "$entry/initrd.tmp" "$entry/initrd"
	unlock
}

# A root that was made half-way has another name and is never used.
clean_up() {
	local status=$?
	trap - EXIT
	rm -rf --one-file-system "$entry.tmp"
	exit "$status"
}

main() {
	parse "$@"
	entry=$XCKPT_CACHE/vm/$suite-$arch-$(cache_key)
	if [ ! -e "$entry" ]; then
		need_root "$@"
		lock "$entry.lock"
		echo '*' >"$XCKPT_CACHE/.gitignore"
		if [ ! -e "$entry" ]; then
			say "making the $suite/$arch root, once (some minutes)"
			rm -rf --one-file-system "$entry.tmp"
			trap clean_up EXIT
			trap 'exit 130' INT
			trap 'exit 143' TERM
			make_entry "$entry.tmp"
			mv -T "$entry.tmp" "$entry"
		fi
		unlock
	fi
	[ "$arch" = qemu ] || update_initrd "$@"
	echo "$entry/root"
}

main "$@"
exit
