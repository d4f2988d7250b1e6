#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the scripts of the VM rig share. Sourced, never run.

set -euo pipefail

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
XCKPT_TOP=$(cd "$VM_DIR/../.." && pwd -P)
XCKPT_CACHE=${XCKPT_CACHE:-$XCKPT_TOP/.cache}
export XCKPT_TOP XCKPT_CACHE

say() {
	printf 'vm/%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "$@"
	exit 125
}

# Run once at the top of a script that chroots or installs: everything below
# may then assume root, and files keep one owner.
need_root() {
	[ "$EUID" -ne 0 ] || return 0
	command -v sudo >/dev/null ||
		die "cannot become root: no sudo (run it as root)"
	exec sudo --preserve-env=XCKPT_CACHE,XCKPT_SHARE,XCKPT_NO_BUILD,TMPDIR \
		"$0" "$@"
}

check_suite() {
	[[ $1 =~ ^[a-z]+$ ]] || die "cannot use suite '$1': not a suite name"
}

check_arch() {
	case $1 in
	amd64 | arm64) ;;
	*) die "cannot use architecture '$1': neither amd64 nor arm64" ;;
	esac
}

# Holds an exclusive lock on FILE, open as fd 9, until the fd is closed. Long
# running children must be started with 9>&- so as not to keep it.
lock() {
	mkdir -p "$(dirname "$1")"
	exec 9>"$1"
	flock 9
}

unlock() {
	exec 9>&-
}

out_dir() {
	printf '%s/build/%s-%s\n' "$XCKPT_TOP" "$1" "$2"
}
