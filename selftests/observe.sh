#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# observe.sh   what an image looks like from outside: its size, and what tools
# that know nothing of xckpt make of a core. In a VM with the module.

. "$(dirname "$0")/lib.sh"
. "$SELFTESTS/victim.sh"

DIR=$(mktemp -d /tmp/xckpt-observe.XXXXXX)
trap 'rm -rf "$DIR"' EXIT

# begin NAME: starts a victim and waits for its first point; sets PID
begin() {
	victim_prepare "$1"
	victim_start "$1"
	victim_wait "$1" "$PID" 1 || die "$1 does not reach its point"
}

end() {
	kill -KILL "$PID" 2>/dev/null || true # or it has ended by itself
	wait "$PID" 2>/dev/null || true
}

# What an image must hold of a process, in bytes: of a mapped file all that is
# mapped, since it is to run where that file is not; of other memory what is in
# memory or swap.
memory_in_use() {
	awk '
	/^[0-9a-f]+-[0-9a-f]+ / { file = $5 != 0; name = $6; next }
	name ~ /^\[v(var|syscall)/ { next }
	$1 == "Size:" && file { sum += $2 }
	($1 == "Rss:" || $1 == "Swap:") && !file { sum += $2 }
	END { printf "%d\n", sum * 1024 }
	' "/proc/$1/smaps"
}

allocated() {
	du -s -B1 "$1" | cut -f1
}

# Reserved memory costs neither time nor room.
observe_size() {
	local start ms used size
	begin bigmap
	used=$(memory_in_use "$PID")
	start=$EPOCHREALTIME
	xckpt-dump -q -p "$PID" -o "$DIR/bigmap"
	ms=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
	size=$(allocated "$DIR/bigmap")
	result $((ms >= 3000)) "1 TiB reserved: dumped in $ms ms (less than 3000)"
	result $((size > used + (1 << 20))) \
		"1 TiB reserved: image of $((size >> 10)) KiB for $((used >> 10)) KiB in use"
	result $((size < used / 4)) 'and there is something in it'
	end
	rm -rf "$DIR/bigmap"
}

observe_gdb() {
	local core out word missing=''
	begin threads
	xckpt-dump -q -p "$PID" -o "$DIR/threads"
	core=$DIR/threads/$PID.core
	end
	out=$(gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'thread apply all bt' \
		-ex 'info registers rip' "$WORK_TOP/threads/threads" "$core" 2>&1) || true
	for word in worker sleeper futex_waiter pipe_reader poller deadline_waiter main; do
		grep -q "[ #].*\b$word (" <<<"$out" || missing+=" $word"
	done
	result "$((${#missing} != 0))" 'gdb: backtraces of all threads' "no frame of$missing in:
$(grep -v '^\[New' <<<"$out")"
	result $(($(grep -c '^Thread ' <<<"$out") != 9)) 'gdb: nine threads' "$out"
	result "$(grep -qi 'warning.*\(core\|section\|note\)' <<<"$out" && echo 1 || echo 0)" \
		'gdb: no complaint about the core' "$(grep -i warning <<<"$out")"
}

observe_readelf() {
	local core out
	core=$(echo "$DIR"/threads/*.core)
	if out=$(readelf -n -l -h "$core" 2>&1 >"$DIR/readelf") && [ -z "$out" ]; then
		pass 'readelf: no complaint'
	else
		fail 'readelf: no complaint' "$out"
	fi
	result $(($(grep -c NT_PRSTATUS "$DIR/readelf") != 9)) 'readelf: a status of each thread'
	result "$(grep -q 'Type: *CORE' "$DIR/readelf" && echo 0 || echo 1)" 'readelf: a core'
	if ! command -v eu-readelf >/dev/null; then
		skip 'eu-readelf: no complaint' 'elfutils is not here'
	else
		result "$(eu-readelf -n -l "$core" >/dev/null 2>&1 && echo 0 || echo 1)" \
			'eu-readelf: no complaint'
	fi
}

observe_sparse_copy() {
	local core
	begin memory
	xckpt-dump -q -p "$PID" -o "$DIR/memory"
	end
	core=$(echo "$DIR"/memory/*.core)
	cp --sparse=always "$core" "$DIR/copy"
	result "$(cmp -s "$core" "$DIR/copy" && echo 0 || echo 1)" 'a sparse copy is the same'
	result $(($(stat -c '%b*%B' "$core") >= $(stat -c %s "$core"))) 'the core has holes'
	rm -rf "$DIR/memory" "$DIR/copy"
}

observe_private() {
	local loose
	loose=$(find "$DIR/threads" -perm /077)
	result "$((${#loose} != 0))" 'nobody else can read an image' "$loose"
}

observe_info() {
	local core
	core=$(echo "$DIR"/threads/*.core)
	result "$(xckpt-info "$DIR/threads" | grep -q threads && echo 0 || echo 1)" \
		'xckpt-info names the program' "$(xckpt-info "$DIR/threads" 2>&1)"
	result "$(xckpt-info --json "$DIR/threads" | python3 -m json.tool >/dev/null && echo 0 || echo 1)" \
		'xckpt-info --json is JSON'
	result "$(xckpt-info "$core" >/dev/null && echo 0 || echo 1)" 'xckpt-info of a core'
}

# events STAGE begin|end: how many of process PID were traced
events() {
	grep -c " $1_$2: pid=$PID" /sys/kernel/tracing/trace || true
}

begun_and_ended() {
	local begun
	begun=$(events "$1" begin)
	[ "$begun" -gt 0 ] && [ "$begun" -eq "$(events "$1" end)" ]
}

# image_of_shared PYTHON: an expression about its mappings of 32 MiB: those whose core has
# the contents, and the others
image_of_shared() {
	xckpt-info --verify --json "$DIR/shared" | python3 -c "
import json, sys
wide = [(p['pid'], m) for p in json.load(sys.stdin)['processes'] for m in p['mappings']
        if m['path'].startswith('/memfd:wide')]
have = [(pid, m) for pid, m in wide if m['core_bytes'] == 32 << 20]
rest = [(pid, m) for pid, m in wide if not m['core_bytes'] and m['held_bytes'] == 32 << 20]
print($1)"
}

# gdb_words PID ADDRESS: what gdb finds in that core on the page behind that one
gdb_words() {
	{ gdb -nx -batch -ex 'set debuginfod enabled off' -ex "x/2xw $2 + 4096" \
		-c "$DIR/shared/$1.core" 2>&1 || true; } | tail -n 1
}

gdb_version() {
	gdb --version | sed -n '1s/.* \([0-9]*\)\..*/\1/p'
}

# Four processes that share 32 MiB, which the first of them has twice.
observe_shared() {
	local size pid at got
	begin shared
	xckpt-dump -p "$PID" -o "$DIR/shared" 2>"$DIR/err"
	end
	size=$(allocated "$DIR/shared")
	result $((size < 32 << 20 || size > 56 << 20)) "32 MiB shared by four: image of $((size >> 20)) MiB"
	result "$(awk '{ sub(/.*threads?, /, ""); exit !($1 > 32 && $1 < 56 && $2 == "MiB") }' "$DIR/err" && echo 0 || echo 1)" \
		'and so much was written' "$(<"$DIR/err")"
	got=$(image_of_shared 'len(have), len(rest), {m["held_by"] for _, m in rest} == {"%d.core" % have[0][0]}') || true
	result "$([ "$got" = '1 4 True' ] && echo 0 || echo 1)" 'one mapping of five has it' "$got"
	read -r pid at < <(image_of_shared 'have[0][0], have[0][1]["start"]')
	got=$(gdb_words "$pid" "$at")
	result "$([[ $got == *$'\t'0xfffffffe$'\t'0x* ]] && echo 0 || echo 1)" 'gdb: it is in one core' "$got"
	got=$(xckpt-info "$DIR/shared")
	result "$([[ $got == *'contents of '*" are in $pid.core"* ]] && echo 0 || echo 1)" \
		'xckpt-info names that core' "$got"
	read -r pid at < <(image_of_shared 'rest[-1][0], rest[-1][1]["start"]')
	got=$(gdb_words "$pid" "$at")
	if [[ $got == *$'\t'0x00000000$'\t'0x00000000 ]] && [ "$(gdb_version)" -lt 16 ]; then
		skip 'gdb: and not in another' 'gdb 13 shows zeros where a core has nothing'
	else
		result "$([[ $got == *'Cannot access memory'* ]] && echo 0 || echo 1)" \
			'gdb: and not in another' "$got"
	fi
	rm -rf "$DIR/shared"
}

# Each stage tells when it begins and ends.
observe_events() {
	local stage
	: >/sys/kernel/tracing/trace
	echo 1 >/sys/kernel/tracing/events/xckpt/enable
	begin threads
	xckpt-dump -q -p "$PID" -o "$DIR/events"
	for stage in freeze park capture core thaw; do
		# the threads go on at a time of their own
		if wait_for 30 begun_and_ended "$stage"; then
			pass "trace events of $stage"
		else
			fail "trace events of $stage" \
				"$(events "$stage" begin) begin, $(events "$stage" end) end"
		fi
	done
	echo 0 >/sys/kernel/tracing/events/xckpt/enable
	end
	rm -rf "$DIR/events"
}

load_module
tap_main observe_size observe_gdb observe_readelf observe_sparse_copy observe_private observe_info \
	observe_shared observe_events
