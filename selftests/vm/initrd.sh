#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# initrd.sh ROOT KVER
#
# Writes to stdout the part of the initramfs that only depends on a root:
# busybox, and the modules without which no disk, no shared folder and no
# output can be reached, in the order in which they must be loaded. run.sh adds
# the part of the single run to it. Not compressed: that would slow the boot.

# shellcheck source=selftests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

root=$1
kver=$2
modules=(virtio_pci virtio_blk virtio_console virtio_rng ext4 9pnet_virtio 9p)

# Paths of the modules and all they need, dependencies first. Built-in ones
# have no file.
module_files() {
	local module
	for module in "${modules[@]}"; do
		modprobe -d "$root" -S "$kver" --show-depends "$module" 2>/dev/null || true
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

unpack() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -dcq "$1" ;;
	*.gz) gzip -dc "$1" ;;
	*) cat "$1" ;;
	esac
}

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{bin,dev,proc,sys,root,modules}
cp "$root/bin/busybox" "$tree/bin/busybox"
n=100
while read -r file; do
	name=${file##*/}
	unpack "$file" >"$tree/modules/$n-${name%%.ko*}.ko"
	n=$((n + 1))
done < <(module_files)
(cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0)
