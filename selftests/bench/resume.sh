#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# resume.sh [RUNS]   in a VM with the module: how long it takes until a resumed program of
# several sizes answers, natively and under QEMU, against `criu restore` of the same
# program and a parallel read of the image's largest file into such memory. Images are on
# a tmpfs. Lines of JSON. RESUME_DIRTY, RESUME_THP, RESUME_CLEAN: sizes in MiB, of written
# memory in ordinary and in huge pages, and of memory that is a file's. Who has not the
# memory for a size is told that it was left out.

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/tools.sh"

RUNS=${1:-5}
DIRTY=${RESUME_DIRTY-1 64 256 1024 4096}
THP=${RESUME_THP-1024}
CLEAN=${RESUME_CLEAN-1 64 256 1024 4096}

# once TOOL KIND: the members of one measurement
once() {
	local core=("$DIR/image/"*.core)
	case $1 in
	native | qemu)
		"$TESTS/bench_resume" "$CONTROL" run \
			qemu-resume --allow-changed --engine "$1" "$DIR/image"
		;;
	criu)
		"$TESTS/bench_resume" "$CONTROL" run \
			criu restore -D "$DIR/criu" -o log --shell-job --restore-detached
		;;
	read) "$TESTS/bench_resume" "$CONTROL" read "${core[0]}" "$2" ;;
	esac
}

# fits MIB KIND: written memory is there three times, with two images; a file may take six
# tenths of all.
fits() {
	local all
	all=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
	if [ "$2" = file ]; then [ $(($1 * 10 / 6)) -lt "$all" ]; else [ $(($1 * 3 + 256)) -lt "$all" ]; fi
}

measure() {
	local mib=$1 kind=$2 tool run members
	if ! fits "$mib" "$kind"; then
		printf '{"part":"resume","kind":"%s","mib":%d,"left_out":"no memory for it"}\n' "$kind" "$mib"
		return
	fi
	rm -rf "$DIR"
	mkdir -p "$DIR/criu"
	start_victim bench_memory "$mib" "$kind" idle
	criu_dump "$DIR/criu"
	xckpt-dump -q -p "$PID" --kill -o "$DIR/image"
	end_victim
	for ((run = 1; run <= RUNS; run++)); do
		echo "resume: $mib MiB of $kind, run $run" >&2
		for tool in read criu native qemu; do
			members=$(once "$tool" "$kind" </dev/null) || die "$tool fails on $mib MiB of $kind"
			wait_for 60 eval '! pgrep -x bench_memory >/dev/null'
			printf '{"part":"resume","kind":"%s","mib":%d,"tool":"%s",%s}\n' \
				"$kind" "$mib" "$tool" "$members"
		done
	done
	rm -rf "$DIR" "$CONTROL.data"
}

begin_bench
for mib in $DIRTY; do measure "$mib" 4k; done
for mib in $THP; do measure "$mib" thp; done
for mib in $CLEAN; do measure "$mib" file; done
