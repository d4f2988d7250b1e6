#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check.sh   everything that a change must pass: unit tests here, then the tests
# in VMs, two machines at a time, and here with what was dumped there. One line for
# each suite while it runs, details in build/check/*.log, last line "N passed, N
# failed".

. "$(dirname "$0")/lib.sh"

LOGS=$TOP/build/check
VM=$SELFTESTS/vm/run.sh
O=${O:-$TOP/build/host}
IN=selftests # scripts are named from the top, in VMs as well
RESUME=qemu-restore/tests/resume.sh

rm -rf "$LOGS"
mkdir -p "$LOGS"

# suite NAME COMMAND...: runs one, its output to NAME.log, then one line
suite() {
	local name=$1 status=0 counts start=$SECONDS
	shift
	"$@" >"$LOGS/$name.log" 2>&1 </dev/null 9<&- || status=$?
	counts=$(counts_of "$LOGS/$name.log")
	# a suite that fails without a failed case is one failure by itself
	if [ "$status" -ne 0 ] && [[ $counts == *' 0' ]]; then
		counts="${counts% *} 1"
		echo "not ok - ended with status $status" >>"$LOGS/$name.log"
	fi
	echo "$counts" >"$LOGS/$name.count"
	printf '%-28s %4d passed, %d failed  (%d s)\n' "$name" "${counts% *}" "${counts#* }" \
		$((SECONDS - start))
	if [ "$status" -ne 0 ]; then show_failures "$name"; fi
}

# Sums "N passed, N failed" of all scripts that ran; nothing at all is a failure.
counts_of() {
	tr -d '\r' <"$1" | awk '
	/^(# )?[0-9]+ passed, [0-9]+ failed$/ { sub(/^# /, ""); passed += $1; failed += $3; seen = 1 }
	END { print passed + 0, seen ? failed + 0 : 1 }'
}

show_failures() {
	local log=$LOGS/$1.log
	if grep -q '^not ok' "$log"; then
		awk '/^#/ { if (on) print "    " $0; else said = said "    " $0 "\n"; next }
			{ on = /^not ok/; if (on) printf "%s    %s\n", said, $0; said = "" }' \
			"$log" | head -n 60
	fi
	tail -n 5 "$log" | sed 's/^/    | /'
	echo "    all of it: $log"
}

unit_tests() {
	suite "unit-$1" make -C "$TOP/$1" check O="$O"
}

# in_vm NAME "OPTION..." LINE: a shell line in a VM, in the top folder
in_vm() {
	local name=$1 line=$3 options
	read -r -a options <<<"$2"
	suite "$name" "$VM" --timeout 1500 "${options[@]}" -- \
		"cd '$TOP' && status=0; $line exit \$status"
}

# run LINE...: for the VM's shell: all of them, remembering a failure
run() {
	local line
	for line; do printf '%s || status=1; ' "$line"; done
}

# shellcheck disable=SC2016 # for the VM's shell
load='insmod $XCKPT_KO'
# shellcheck disable=SC2016
mapfile -t kernel_tests < <(kernel_test_names | sed 's|^|$XCKPT_TOP/build/$XCKPT_SUITE-amd64/tests/|')

# What was dumped in a machine goes on here, on a real processor: it has more than an
# emulated one. But make goes on to start compilers, which are others here, huge would
# take memory for good, and settings needs what root may not do in every container.
mapfile -t movable < <(sed -n '/| stays$/!s/^\([a-z0-9]\+\) *|.*/\1/p' "$SELFTESTS/victims.list" |
	grep -vxE 'make|huge|settings')

# on_host NAME SUITE COMMAND...: with the images of SUITE, and trixie's QEMU, which needs
# nothing of its root. One at a time: the folders of the programs are the same.
on_host() {
	local name=$1 images=$2 as_root=()
	shift 2
	[ "$EUID" -eq 0 ] || as_root=(sudo)
	suite "$name" flock /tmp/xckpt-victims.lock "${as_root[@]}" env "PATH=$LOGS/qemu:$O/bin:$PATH" "XCKPT_IMAGES=$images" "$@"
}

trixie_amd64() {
	in_vm trixie-move '--suite trixie --mem 3072' "$IN/move.sh dump || status=1;"
	on_host host-trixie trixie "$SELFTESTS/move.sh" resume native "${movable[@]}"
	on_host host-qemu trixie "$SELFTESTS/move.sh" resume qemu
	in_vm trixie-stream '--suite trixie' \
		"$(run "$IN/move.sh stream native" "$IN/move.sh stream qemu" "$IN/observe.sh" "$IN/limits.sh" \
			"$IN/groups.sh" "$IN/files.sh" "$IN/sysv.sh" "$IN/terminal.sh" "$IN/stat.sh" "$RESUME dump")"
	: >"$LOGS/images-ready"
	in_vm trixie-errors '--suite trixie --mem 3072' \
		"$(run "$IN/errors.sh" "$RESUME resume native" "$IN/many.sh")"
}

bookworm_amd64() {
	in_vm bookworm-kernel '--suite bookworm --append syscall.x32=y' "$(run "$load" "${kernel_tests[@]}")"
	in_vm bookworm-move '--suite bookworm --mem 3072' \
		"$(run "$IN/move.sh dump" "$IN/move.sh resume native make huge settings")"
	on_host host-bookworm bookworm "$SELFTESTS/move.sh" resume native "${movable[@]}"
	in_vm bookworm-errors '--suite bookworm --mem 3072' \
		"$(run "$IN/errors.sh" "$IN/groups.sh" "$IN/chain.sh 6" "$IN/stat.sh threads cow killed errors")"
}

trixie_kernel() {
	in_vm trixie-kernel '--suite trixie --append syscall.x32=y' "$(run "$load" "${kernel_tests[@]}")"
}

trixie_arm64() {
	in_vm arm64-move '--suite trixie --arch arm64 --mem 3072' \
		"$(run "$IN/move.sh resume qemu" "$IN/move.sh stream qemu" "$RESUME resume qemu")"
}

# The machines are prepared one after the other, so that two suites do not build
# the same thing at once.
prepare() {
	local options
	for options in '--suite trixie' '--suite bookworm' '--suite trixie --arch arm64'; do
		read -r -a options <<<"$options"
		"$VM" --timeout 300 "${options[@]}" -- true ||
			die "cannot boot a machine: run.sh ${options[*]} -- true"
	done >"$LOGS/prepare.log" 2>&1
	mkdir "$LOGS/qemu"
	ln -s "$("$SELFTESTS/vm/root.sh" trixie amd64)/usr/bin/qemu-x86_64" "$LOGS/qemu/"
}

make -s -C "$TOP" tools O="$O"
unit_tests userland
unit_tests qemu-restore
prepare || { tail -n 5 "$LOGS/prepare.log"; die 'no machines'; }
export XCKPT_NO_BUILD=1
(
	trixie_amd64
	trixie_kernel
) &
trixie=$!
(
	bookworm_amd64
	wait_for 1800 test -e "$LOGS/images-ready" && trixie_arm64
) &
bookworm=$!
wait "$trixie" || true
wait "$bookworm" || true

# One count for each suite there is; a missing one is a failure.
suites=(unit-userland unit-qemu-restore trixie-move trixie-stream trixie-errors trixie-kernel
	bookworm-kernel bookworm-move bookworm-errors host-trixie host-bookworm host-qemu arm64-move)
passed=0 failed=0
for name in "${suites[@]}"; do
	if read -r p f 2>/dev/null <"$LOGS/$name.count"; then
		passed=$((passed + p)) failed=$((failed + f))
	else
		echo "$name did not run"
		failed=$((failed + 1))
	fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
