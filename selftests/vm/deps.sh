#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# deps.sh [PACKAGE...]
#
# Installs what the rig and the build on this machine need and is missing, and the
# packages named.

# shellcheck source=selftests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

packages=(
	# making the roots and their disk images
	mmdebstrap debian-archive-keyring e2fsprogs cpio kmod xz-utils zstd
	busybox-static util-linux perl-base
	# building for this machine and, with an arm64 root as sysroot, for arm64
	gcc make libc6-dev pkgconf gcc-aarch64-linux-gnu
	libelf-dev libjansson-dev libarchive-dev libzstd-dev libxxhash-dev
	# the probes of xckpt-stat
	clang bpftool libbpf-dev
	# trying an image without a VM, and checking the scripts
	qemu-user shellcheck
	# what the caller needs besides
	"$@"
)

# The packages of the list above that are not installed.
missing() {
	comm -23 <(printf '%s\n' "${packages[@]}" | sort) \
		<(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' \
			"${packages[@]}" 2>/dev/null | sed -n 's/^ii *//p' | sort -u)
}

need() {
	local simulated
	simulated=$(apt-get install -s -y --no-install-recommends "$@" 2>&1) || {
		tail -n 5 <<<"$simulated" >&2
		return 1
	}
}

mapfile -t wanted < <(missing)
[ ${#wanted[@]} -gt 0 ] || exit 0
need_root "$@"
say "installing ${wanted[*]}"
export DEBIAN_FRONTEND=noninteractive
# Package lists may be absent (container images) or too old to fetch from.
apt-get update -q >&2 || say "cannot renew the package lists (going on with the old ones)"
need "${wanted[@]}" || die "cannot install ${wanted[*]}: apt-get refuses (see above)"
apt-get install -q -y --no-install-recommends "${wanted[@]}" >&2 ||
	die "cannot install ${wanted[*]}: apt-get failed (see above)"
