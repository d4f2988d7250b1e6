# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Starting the programs of victims.list and waiting until they are somewhere.
# Sourced after lib.sh.

# The folders the victims work in: the same path when they are resumed.
WORK_TOP=/tmp/xckpt-victims
HUGEPAGES=/proc/sys/vm/nr_hugepages

victim_names() {
	sed -n 's/^\([a-z0-9]\+\) *|.*/\1/p' "$SELFTESTS/victims.list"
}

# Those whose files may be copied, for an engine; those whose files may not.
movable_names() {
	local not='| stays$'
	[ "$1" = native ] || not='| \(stays\|native\)$'
	grep -v "$not" "$SELFTESTS/victims.list" | sed -n 's/^\([a-z0-9]\+\) *|.*/\1/p'
}

staying_names() {
	sed -n 's/^\([a-z0-9]\+\) *|.*| stays$/\1/p' "$SELFTESTS/victims.list"
}

# victim_field NAME N: the N-th field of its line
victim_field() {
	local line fields
	line=$(grep "^$1 *|" "$SELFTESTS/victims.list")
	IFS='|' read -r -a fields <<<"$line"
	sed 's/^ *//; s/ *$//' <<<"${fields[$2]}"
}

victim_check() {
	local name
	for name; do
		grep -q "^$name *|" "$SELFTESTS/victims.list" ||
			die "cannot find victim '$name' (see victims.list)"
	done
}

# Needs: each runs in the victim's folder.
program() {
	cp "$TESTS/$1" .
}

script() {
	cp "$SELFTESTS/victims/$1" .
}

records() {
	local i
	for ((i = 0; i < $1; i++)); do printf 'record %08d\n' "$i"; done >fds.in
}

# N MiB that are the same every time. (seq is ended by SIGPIPE.)
numbers() {
	{ seq 100000000 || true; } | head -c "$1M" >numbers
}

noise() {
	{ seq 100000000 || true; } | head -c "$1M" | tr '0-9\n' '\200-\212' >noise
}

# The machine has N of them, and no more.
hugepages() {
	[ "$(<"$HUGEPAGES")" -eq "$1" ] || echo "$1" >"$HUGEPAGES"
	[ "$(<"$HUGEPAGES")" -eq "$1" ]
} 2>/dev/null

# The kernel has guard regions.
guards() {
	"$TESTS/guarded" has
}

# Programs may use io_uring, and its memory is laid out as where the image is from: since 6.6
# Linux does that otherwise than before.
rings() {
	local compact=1
	[ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0)" = 0 ] || return 1
	[ "$(printf '%s\n' 6.6 "$(uname -r)" | sort -V | head -n 1)" = 6.6 ] || compact=0
	case ${XCKPT_IMAGES:-$SUITE} in
	bookworm) [ "$compact" = 0 ] ;;
	trixie | sid) [ "$compact" = 1 ] ;;
	esac
}

# N C files that take a while to compile; "done" grows by half a KiB with each.
project() {
	local i
	mkdir tmp
	for ((i = 1; i <= $1; i++)); do
		sed "s/@N@/$i/g" "$SELFTESTS/victims/project.c.in" >"part$i.c"
	done
	cp "$SELFTESTS/victims/project.mk" Makefile
}

# victim_lacks NAME NEED...: what of NEED this machine cannot give it, for people; status 1: nothing
victim_lacks() {
	local needs need name=$1
	shift
	IFS=';' read -r -a needs <<<"$(victim_field "$name" 3)"
	for need in "${needs[@]}"; do
		[[ " $* " == *" ${need%% *} "* ]] || continue
		$need && continue
		case $need in
		hugepages*) echo 'this machine has no huge pages to spare' ;;
		rings) echo 'this kernel has no io_uring for all, or not that of the image' ;;
		guards) echo 'this kernel has no guard regions (it takes Linux 6.13)' ;;
		esac
		return 0
	done
	return 1
}

# victim_prepare NAME: an empty folder with what it needs
victim_prepare() {
	local needs need
	rm -rf "${WORK_TOP:?}/$1"
	mkdir -p "$WORK_TOP/$1"
	IFS=';' read -r -a needs <<<"$(victim_field "$1" 3)"
	(
		cd "$WORK_TOP/$1" || exit
		for need in "${needs[@]}"; do $need || exit; done
	)
}

# victim_start NAME: sets PID. It is this shell's child and leads a session.
victim_start() {
	local command work=$WORK_TOP/$1
	eval "command=($(victim_field "$1" 4))"
	env -i -C "$work" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/ LC_ALL=C XCKPT_VICTIM="$1" setsid "${command[@]}" \
		</dev/null >"$work/stdout" 2>"$work/stderr" 9<&- &
	PID=$!
	STARTED+=("$PID")
}

file_size_above() {
	[ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]
}

# Whether process PID has read N per cent of FILE.
position_above() {
	local pid=$1 file=$2 percent=$3 fd key pos
	for fd in "/proc/$pid/fd/"*; do
		[ "$fd" -ef "$file" ] || continue
		read -r key pos <"/proc/$pid/fdinfo/${fd##*/}" || continue
		[ "$key" = pos: ] || continue
		[ "$pos" -ge $(($(stat -c %s "$file") * percent / 100)) ] && return 0
	done 2>/dev/null
	return 1
}

# Whether the victim is at the point, or has ended (which the dump will tell).
at_point() {
	local work=$WORK_TOP/$1 pid=$2
	alive "$pid" || return 0
	case $3 in
	lines) has_lines "$work/stdout" "$4" ;;
	size) file_size_above "$work/$4" $(($5 * 1024)) ;;
	position) position_above "$pid" "$work/$4" "$5" ;;
	*) die "cannot wait for '$3': no such kind of point" ;;
	esac
}

# victim_wait NAME PID 1|2: until it is at its first or second point
victim_wait() {
	local point
	read -r -a point <<<"$(victim_field "$1" "$3")"
	wait_for 300 at_point "$1" "$2" "${point[@]}"
}
