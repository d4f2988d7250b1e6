#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check-debug.sh   the tests of the module under a kernel that looks for mistakes:
# use after free, locks in the wrong order, sleeping where one may not, leaks. Any
# report of that kernel fails the run. `check-debug.sh inside` is the VM's part.

. "$(dirname "$0")/lib.sh"

STORM_SECONDS=60 # for each kind of change that freezing has to cope with
KMEMLEAK=/sys/kernel/debug/kmemleak

# An object counts as lost when two scans, some seconds apart, find nothing that
# points to it.
leaks() {
	local found
	echo scan >"$KMEMLEAK"
	nap 6
	echo scan >"$KMEMLEAK"
	found=$(<"$KMEMLEAK")
	result "$((${#found} != 0))" 'nothing leaked' "$found"
}

unloads() {
	result "$(rmmod xckpt 2>/dev/null && echo 0 || echo 1)" 'the module unloads'
}

inside() {
	local status=0 name storm
	insmod "$SHARE/debug/kmod/xckpt.ko"
	for name in $(kernel_test_names) faults; do
		echo "# $name"
		storm=
		[ "$name" != stress ] || storm=$STORM_SECONDS
		"$TESTS/$name" $storm || status=1
	done
	(tap_main unloads leaks) || status=1
	return "$status"
}

main() {
	local dir=$SHARE/debug
	rm -rf "$dir"
	mkdir -p "$dir"
	cp -r "$TOP/kmod" "$TOP/uapi" "$dir/"
	"$SELFTESTS/debug/kernel.sh" module "$dir"
	"$SELFTESTS/vm/run.sh" --suite bookworm --timeout 3600 \
		--kernel "$("$SELFTESTS/debug/kernel.sh")/arch/x86/boot/bzImage" -- \
		"$TOP/selftests/check-debug.sh inside"
}

case ${1:-} in
inside) inside ;;
'') main ;;
*) die "usage: ${0##*/}" ;;
esac
