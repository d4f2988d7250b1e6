#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stat.sh [CASE...]   what xckpt-stat tells of a checkpoint, held against what others
# know of it: /proc, the kernel's own trace, the image. In a VM with the module.

. "$(dirname "$0")/lib.sh"
. "$SELFTESTS/victim.sh"

DIR=$(mktemp -d /tmp/xckpt-stat.XXXXXX)
trap 'rm -rf "$DIR"' EXIT
TRACING=/sys/kernel/tracing

# start_program NAME ARGUMENT...: one of the test programs; sets PID
start_program() {
	local name=$1
	shift
	(cd "$DIR" && exec setsid "$TESTS/$name" "$@") </dev/null >"$DIR/$name.out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 60 has_lines "$DIR/$name.out" 1 || die "$name does not start: $(<"$DIR/$name.out")"
}

end_program() {
	local pid
	for pid in $(tree_of "$PID"); do kill -KILL "$pid" 2>/dev/null || true; done
	wait "$PID" 2>/dev/null || true
}

# dump OPTION...: a checkpoint of PID under xckpt-stat, as JSON in $DIR/json
dump() {
	rm -rf "$DIR/image"
	xckpt-stat --json -o "$DIR/json" "$@" -- xckpt-dump -p "$PID" -o "$DIR/image" \
		2>"$DIR/err" || die "cannot dump pid $PID: $(<"$DIR/err")"
}

# agree DESCRIPTION EXPRESSION ...: each is true of d, the last one of the reports
agree() {
	local name value n=0
	while IFS=$'\t' read -r value name; do
		n=$((n + 1))
		result "$([ "$value" = True ] && echo 0 || echo 1)" "$name" "$value
$(head -c 1500 "$DIR/json")"
	done < <(python3 - "$DIR/json" "$@" <<'END'
import json, sys
reports = [json.loads(line) for line in open(sys.argv[1])]
d = reports[-1]
threads = [t for p in d["processes"] for t in p["threads"]]
contents = sum(v["bytes"] for k, v in d["memory"].items() if k != "untouched")
for name, expression in zip(sys.argv[2::2], sys.argv[3::2]):
    value = eval(expression)
    print(value if value is True else f"{expression}: {value}", name, sep="\t")
END
		)
	# of a report that is none there is not even one
	[ "$n" -eq $(($# / 2)) ] || fail 'a report that has all that is asked for' \
		"$(head -c 1500 "$DIR/json")"
}

# What the kernel's own trace of the same events says: the last value of FIELD.
traced() {
	sed -n "s/.* $1:.* $2=\([0-9]*\).*/\1/p" "$TRACING/trace" | tail -n 1
}

stat_threads() {
	local tids frozen
	start_program threads 100000
	: >"$TRACING/trace"
	echo 1 >"$TRACING/events/xckpt/enable"
	dump --svg "$DIR/svg"
	echo 0 >"$TRACING/events/xckpt/enable"
	tids=$(cd "/proc/$PID/task" && printf '%s\n' * | sort -n | paste -sd,)
	frozen=$(sed -n 's/.*frozen \([0-9.]*\) ms.*/\1/p' "$DIR/err")
	agree 'threads: those of /proc' "sorted(t['tid'] for t in threads) == [$tids]" \
		'threads: counted' "d['nr_threads'] == 9 and d['parked'] + d['asleep'] == 9" \
		'freeze: the latency that the module tells' \
			"d['freeze']['latency_ns'] == $(traced freeze_end latency_ns)" \
		'freeze: the skew that the module tells' \
			"d['freeze']['skew_ns'] == $(traced freeze_end skew_ns)" \
		"held: within the $frozen ms that xckpt-dump tells" \
			"0.3 * $frozen < d['group_held_ns'] / 1e6 <= $frozen + 0.06" \
		'held: each thread that parked, no longer than the group' \
			"d['held']['threads'] >= d['parked'] and 0 < d['held']['max_ns'] < 1.5 * d['group_held_ns'] + 1e8" \
		'held: the histogram has all of them' \
			"sum(b['threads'] for b in d['held']['histogram']) == d['held']['threads']" \
		'what they did: asleep in poll, read, futex and a sleep' \
			"{'asleep in ' + call for call in ('poll', 'read', 'futex', 'clock_nanosleep')} <= {t['was'] for t in threads}" \
		'calls: the sleep goes on, once' \
			"sum(t['call'] != 'none' for t in threads) == sum(d['restarts'].values()) >= 1" \
		'nothing was dropped' \
			"d['overhead']['dropped_records'] == d['overhead']['dropped_sums'] == d['overhead']['missed_runs'] == 0" \
		'its own cost is told' "d['overhead']['runs'] > 30 and d['overhead']['ns'] > 0 < d['overhead']['cpu_ns']" \
		'the dumper: its pid and time' \
			"d['dumper']['comm'] == 'xckpt-dump' and d['dumper']['cpu_ns'] > 0" \
		'probes as the module has types or not' \
			"d['overhead']['probes'] == '$([ -e /sys/kernel/btf/xckpt ] && echo tp_btf || echo tp)'"
	stat_svg
	end_program
}

stat_svg() {
	local lanes
	lanes=$(python3 -c 'import sys, xml.etree.ElementTree as x
print(sum(g.get("class") == "thread" for g in x.parse(sys.argv[1]).iter("{http://www.w3.org/2000/svg}g")))' \
		"$DIR/svg" 2>&1) || true
	result "$([ "$lanes" = 9 ] && echo 0 || echo 1)" 'svg: well-formed, a lane for each thread' "$lanes"
}

# has_children PID N: that are asleep by now
has_children() {
	[ "$(tree_of "$1" | while read -r pid; do state_of "$pid"; done | grep -c S)" -gt "$2" ]
}

# Several processes: each by itself, and in sum.
stat_family() {
	local pids
	setsid sh -c 'sleep 1000 & sleep 1000 & wait' </dev/null >/dev/null 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 60 has_children "$PID" 2
	dump
	pids=$(cd "$DIR/image" && printf '%s\n' *.core | sed 's/\.core//' | sort -n | paste -sd,)
	agree 'processes: those of the image' "sorted(p['pid'] for p in d['processes']) == [$pids]" \
		'processes: their sums are the sum' \
			"all(sum(p[k] for p in d['processes']) == d[k] for k in ('nr_threads', 'parked', 'clone_pages', 'capture_ns'))" \
		'processes: each was captured, cloned and read' \
			"all(p['capture']['ns'] and p['clone']['ns'] and p['copy']['bytes'] for p in d['processes'])"
	end_program
}

stat_memory() {
	local size
	start_program memory 24 random 0
	dump
	size=$(du -s -B1 "$DIR/image/$PID.core" | cut -f1)
	agree "memory: what the core of $((size >> 10)) KiB holds" \
		"abs(contents - $size) < 65536 + $size / 50" \
		'memory: 24 MiB of it anonymous' \
			"24 << 20 <= d['memory']['anonymous']['bytes'] < 26 << 20" \
		'memory: bytes and pages' "all(m['bytes'] == m['pages'] * 4096 for m in d['memory'].values())" \
		'copy: all of it was read' "d['copy']['bytes'] >= contents and d['copy']['time']['ns'] > 0"
	end_program
}

# The dump waits for its reader while the program writes to all of its pages once.
stat_cow() {
	local pages=1500 stat
	start_program pages "$pages"
	mkfifo "$DIR/fifo"
	{ head -c 1 && : >"$DIR/began" && wait_for 60 test -e "$DIR/go" && cat; } \
		<"$DIR/fifo" >/dev/null &
	xckpt-stat --json -o "$DIR/json" -- xckpt-dump -q -p "$PID" -o - >"$DIR/fifo" 2>"$DIR/err" &
	stat=$!
	wait_for 60 test -e "$DIR/began" || die "no image comes: $(<"$DIR/err")"
	kill -USR1 "$PID"
	wait_for 60 has_lines "$DIR/pages.out" 2
	: >"$DIR/go"
	wait "$stat" || die "cannot dump pages: $(<"$DIR/err")"
	agree "COW faults: $pages pages written to, and few others" \
		"$pages <= d['cow']['faults'] <= $pages + 60" \
		'COW faults: their time' \
			"d['overhead']['fault_times'] and 0 < d['cow']['max_ns'] < d['cow']['ns'] < d['ns']" \
		'COW faults: of the thread that wrote' "threads[0]['cow'] == d['cow']['faults']"
	end_program
}

# watch_start OPTION...: xckpt-stat in the background, ready; sets WATCH
watch_start() {
	rm -f "$DIR/json" "$DIR/err"
	xckpt-stat --json -o "$DIR/json" "$@" 2>"$DIR/err" 9<&- &
	WATCH=$!
	STARTED+=("$WATCH")
	wait_for 60 grep -qs '^xckpt-stat: waiting for a checkpoint$' "$DIR/err" ||
		die "xckpt-stat does not start: $(<"$DIR/err")"
}

plain_dump() {
	rm -rf "$DIR/image"
	xckpt-dump -q -p "$1" -o "$DIR/image"
}

stat_watch() {
	local status=0 other
	start_program pages 10
	other=$PID
	start_program pages 11
	watch_start -p "$PID" --watch
	plain_dump "$PID"
	plain_dump "$other"
	plain_dump "$PID"
	wait_for 20 has_lines "$DIR/json" 2
	kill -TERM "$WATCH"
	wait "$WATCH" || status=$?
	result "$status" 'watch: ends well'
	agree 'watch: each checkpoint of that process, and no other' "[r['pid'] for r in reports] == [$PID] * 2"
	watch_start --watch
	kill -TERM "$WATCH"
	status=0
	wait "$WATCH" || status=$?
	result "$status" 'watch: ends as well when there was none' "status $status: $(<"$DIR/err")"
	watch_start -p "$PID"
	plain_dump "$PID"
	status=0
	wait "$WATCH" || status=$?
	result "$status" 'without --watch it ends after one'
	stat_drops
	kill -KILL "$other"
	end_program
}

no_account_left() {
	[[ $(bpftool map dump name threads; bpftool map dump name processes) != *'"key"'* ]]
}

# A command has ended, and what it left behind has a session.
stat_outlived() {
	local status=0
	start_program pages 10
	mkfifo "$DIR/outlived"
	xckpt-stat -o "$DIR/report" -- sh -c \
		"sleep 1000 3<>'$DIR/outlived' & xckpt-dump -q -p $PID -o - >'$DIR/outlived' & sleep 5; exit 3" 2>"$DIR/err" 9<&- &
	WATCH=$!
	STARTED+=("$WATCH")
	wait_for 60 pgrep -x xckpt-dump >/dev/null
	STARTED+=("$(pgrep -x xckpt-dump)" "$(pgrep -f '^sleep 1000$')")
	sleep 10
	result "$(alive "$WATCH" && echo 0 || echo 1)" 'outlived: it waits for the session' "$(<"$DIR/err")"
	kill -TERM "$WATCH"
	wait_for 10 has_ended "$WATCH" || kill -KILL "$WATCH"
	wait "$WATCH" || status=$?
	result $((status != 3)) 'outlived: and ends when it is told to' "status $status"
	kill -KILL "${STARTED[-1]}" "${STARTED[-2]}" 2>/dev/null || true
	end_program
}

# Its reader stands still, and there is room for a few records only.
stat_drops() {
	watch_start --watch --buffer 4
	kill -STOP "$WATCH"
	for _ in 1 2 3 4 5 6; do plain_dump "$PID"; done
	kill -CONT "$WATCH"
	wait_for 20 has_lines "$DIR/json" 1 || echo null >"$DIR/json"
	agree 'drops are counted' "reports[0]['overhead']['dropped_records'] > 0"
	wait_for 20 no_account_left || true
	result "$(no_account_left && echo 0 || echo 1)" 'drops: no account of a thread or process stays' \
		"$(bpftool map dump name threads; bpftool map dump name processes)"
	kill -TERM "$WATCH"
	wait "$WATCH" || true
}

# Only those that have names of ours.
probes_left() {
	bpftool prog show | grep -c ' name \(freeze_begin\|freeze_end\|cow_begin\|session_end\) ' || true
}

no_probe_left() {
	[ "$(probes_left)" -eq 0 ] && [ -z "$(bpftool link show)" ]
}

stat_killed() {
	watch_start --watch
	result $(($(probes_left) != 4)) 'its probes are there' "$(bpftool prog show)"
	kill -KILL "$WATCH"
	wait "$WATCH" 2>/dev/null || true
	wait_for 20 no_probe_left || true
	result "$(no_probe_left && echo 0 || echo 1)" 'killed, it leaves nothing behind' \
		"$(bpftool prog show; bpftool link show)"
}

# refused NAME PATTERN STATUS COMMAND...: one line that says so
refused() {
	local name=$1 pattern=$2 status=$3 got=0 out
	shift 3
	out=$("$@" 2>&1 >/dev/null </dev/null) || got=$?
	result "$([ "$got" -eq "$status" ] && [[ $out != *$'\n'* ]] && grep -qE "$pattern" <<<"$out" &&
		echo 0 || echo 1)" "error: $name" "status $got: $out"
}

stat_errors() {
	local short
	refused 'not root' '^xckpt-stat: cannot attach .*not permitted \(run it as root\)$' 1 \
		setpriv --reuid=65534 --clear-groups "$(command -v xckpt-stat)"
	refused 'no such pid' '^xckpt-stat: cannot look at pid 999999999: No such process$' 1 \
		xckpt-stat -p 999999999
	refused 'a kernel that tells no types' 'xckpt-stat: .*/sys/kernel/btf/vmlinux' 1 \
		unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec xckpt-stat'
	refused 'in a pid namespace' 'xckpt-stat: .*pid namespace' 1 \
		unshare -pf --mount-proc xckpt-stat
	sleep 1 &
	short=$!
	refused 'a process that ends' "pid $short has ended without a checkpoint" 1 \
		sh -c "xckpt-stat -p $short 2>&1 | tail -n 1 >&2; exit 1"
	refused 'the command is not there' '^xckpt-stat: cannot run /none: No such file' 127 \
		xckpt-stat -- /none
	refused 'a report that cannot be written' 'cannot write /none/x: No such file' 125 \
		xckpt-stat -o /none/x -- true
	echo before >"$DIR/report"
	refused 'no probes can be attached' '^xckpt-stat: cannot ' 125 \
		setpriv --bounding-set -sys_admin,-bpf,-perfmon xckpt-stat -o "$DIR/report" -- true
	result "$([ "$(<"$DIR/report")" = before ] && echo 0 || echo 1)" \
		'error: and a report from before stays' "$(<"$DIR/report")"
	refused "the command's status" '^$' 7 xckpt-stat -- sh -c 'exit 7'
	timeout --foreground 3 xckpt-stat -- sleep 600 >/dev/null 2>&1 || true
	result "$(pgrep -x sleep -a | grep -q ' 600$' && echo 1 || echo 0)" \
		'error: SIGTERM ends its command, too'
	unload_module
	refused 'the module is not loaded' '^xckpt-stat: .*the module is not loaded \(insmod' 125 \
		xckpt-stat -- touch "$DIR/ran"
	result "$([ -e "$DIR/ran" ] && echo 1 || echo 0)" 'error: and the command does not run'
}

load_module
[ $# -gt 0 ] || set -- threads family memory cow watch outlived killed errors
tap_main "${@/#/stat_}"
