# shellcheck shell=bash disable=SC2034 # what is set here is used elsewhere
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the tests share: results in TAP, waiting for events, the module. Sourced.
#
# A test script runs all its cases inside `tap_main FUNCTION...`, where
# pass/fail/skip each give one result on fd 1.

set -euo pipefail

SELFTESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
TOP=${SELFTESTS%/*}
SHARE=${XCKPT_SHARE:-$TOP/build/share}
SUITE=${XCKPT_SUITE:-$(. /etc/os-release && echo "${VERSION_CODENAME:-host}")}
TESTS=${XCKPT_TESTS:-$TOP/build/$SUITE-amd64/tests}
ARCH=$(uname -m)
# processes that are to be gone when a script ends
STARTED=()

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# The tests of the module in C, in the order in which they run.
kernel_test_names() {
	grep -v '^#' "$SELFTESTS/kernel.list"
}

# One line, without what would look like a directive of TAP.
tap_text() {
	local text=$*
	text=${text//$'\n'/ }
	printf '%s\n' "${text//#/}"
}

pass() {
	printf 'ok - %s\n' "$(tap_text "$@")"
}

# fail DESCRIPTION [DETAIL]: the detail may have many lines; 20 are shown.
fail() {
	printf 'not ok - %s\n' "$(tap_text "$1")"
	[ -z "${2:-}" ] || head -n 20 <<<"$2" | sed 's/^/# /'
}

skip() {
	printf 'ok - %s # SKIP %s\n' "$(tap_text "$1")" "$(tap_text "$2")"
}

# result STATUS DESCRIPTION [DETAIL]
result() {
	if [ "$1" -eq 0 ]; then pass "$2"; else fail "$2" "${3:-}"; fi
}

# Numbers the results on stdin, counts them and sets the exit status. Without
# the end mark the script died on its way, which is a failure.
tap_count() {
	local line n=0 passed=0 failed=0 skipped=0 ended=''
	while IFS= read -r line; do
		case $line in
		'ok - '*' # SKIP '*) skipped=$((skipped + 1)) ;;
		'ok - '*) passed=$((passed + 1)) ;;
		'not ok - '*) failed=$((failed + 1)) ;;
		'# end of tests') ended=1; continue ;;
		esac
		case $line in
		'ok - '* | 'not ok - '*) n=$((n + 1)); line="${line%%ok - *}ok $n - ${line#*ok - }" ;;
		esac
		printf '%s\n' "$line"
	done
	if [ -z "$ended" ]; then
		n=$((n + 1)) failed=$((failed + 1))
		printf 'not ok %d - %s came to its end\n' "$n" "${0##*/}"
	fi
	printf '1..%d\n' "$n"
	[ "$skipped" -eq 0 ] || printf '# %d skipped\n' "$skipped"
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# Runs each named function (with its arguments, as one word) as a group of
# cases, then prints the count.
tap_main() {
	set +e
	(
		set -e
		trap end_started EXIT
		for group; do $group; done
		echo '# end of tests'
	) | tap_count
	exit "${PIPESTATUS[1]}"
}

# Ends what `start` left running. Frozen or stopped ones end as well.
end_started() {
	local pid
	for pid in "${STARTED[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
}

# A sleep that starts no process: reads from a pipe nobody writes to. What is
# dumped must not inherit the descriptor: 9<&-.
exec 9<> <(:)
nap() {
	read -r -t "$1" -u 9 || true
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		nap 0.02
	done
}

has_lines() {
	local lines=()
	mapfile -t lines <"$1"
	[ "${#lines[@]}" -ge "$2" ]
} 2>/dev/null

alive() {
	kill -0 "$1" 2>/dev/null
}

# The letter that /proc/PID/status has as a process's state.
state_of() {
	local line
	while read -r line; do
		[[ $line != State:* ]] || { line=${line#State:}; line=${line//[[:space:]]/}; break; }
	done <"/proc/$1/status"
	echo "${line:0:1}"
} 2>/dev/null

# It is a zombie at most. (Of a process whose first thread has ended that one is, too.)
has_ended() {
	local tasks=("/proc/$1/task/"*)
	! alive "$1" || { [ "$(state_of "$1")" = Z ] && [ ${#tasks[@]} -le 1 ]; }
}

# A process and all that descend from it.
tree_of() {
	local child children=()
	echo "$1"
	read -r -a children < <(cat "/proc/$1/task/"*/children 2>/dev/null | tr '\n' ' ')
	for child in "${children[@]}"; do tree_of "$child"; done
}

# Does all of a tree stand? Who waits for that in vfork() has no state of its own.
stands() {
	local pid task state stopped=1
	for pid in $(tree_of "$1"); do
		for task in /proc/"$pid"/task/*; do
			state=$(state_of "$pid/task/${task##*/}")
			case $state in
			T) stopped=0 ;;
			Z | D) ;;
			*) return 1 ;;
			esac
		done
	done
	return "$stopped"
}

in_state() {
	[ "$(state_of "$1")" = "$2" ]
}

# All System V IPC of this machine: it outlives who made it.
forget_sysv() {
	local kind
	for kind in shm sem msg; do ipcrm --all=$kind; done
}

load_module() {
	[ ! -c /dev/xckpt ] || return 0
	insmod "${XCKPT_KO?not in a VM with the module}"
	wait_for 10 test -c /dev/xckpt || die "no /dev/xckpt after loading the module"
}

unload_module() {
	[ ! -c /dev/xckpt ] || rmmod xckpt
}

# What CRIU looks at, and would have loaded by itself were it not for its locks.
load_criu_modules() {
	modprobe -a af_packet af_packet_diag inet_diag netlink_diag nf_tables raw_diag \
		tcp_diag tun udp_diag unix_diag veth
}

# differences A B [NAME...]: files or folders; the first differing lines on
# stdout, and status 1, when there are any.
differences() {
	local out
	if out=$(diff -r --text "$@" 2>&1 | tr -d '\000'); then return 0; fi
	cut -c1-160 <<<"$out" | head -n 12
	return 1
}

median() {
	printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
