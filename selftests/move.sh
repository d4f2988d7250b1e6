#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# move.sh dump [VICTIM...]            run, dump running and stopped, go on (module needed)
# move.sh resume ENGINE [VICTIM...]   resume what `dump` left in the share
# move.sh stream ENGINE [VICTIM...]   dump into a pipe to qemu-resume; where there is
#                                     no module, resume the stream kept by `stream qemu`
#
# Runs inside a VM. Every victim is compared, byte for byte in all the files of
# its folder and in its exit status, with a run that nobody interrupted. The
# share gets, in move/SUITE/VICTIM/: ref/ and ref.status (the undisturbed run),
# image.tar.zst and work.tar.zst (its folder at the moment of that image), or skipped
# (why there are none), and in
# VICTIM.stream/ the same with stream.tar.zst.
# XCKPT_IMAGES names the suite whose images are resumed (default: this one).

. "$(dirname "$0")/lib.sh"
. "$SELFTESTS/victim.sh"

JOBS=${XCKPT_JOBS:-$(nproc)}
STORE=$SHARE/move/${XCKPT_IMAGES:-$SUITE}
# seconds that a resumed victim may take
PATIENCE=${XCKPT_PATIENCE:-900}
LOCAL=$(mktemp -d /tmp/xckpt-move.XXXXXX)
trap 'rm -rf "$LOCAL"' EXIT

# Waits for the victim's end and sets STATUS.
end_of() {
	STATUS=0
	wait "$1" 2>/dev/null || STATUS=$?
}

# Compares a finished run with the undisturbed one and gives the result.
compare() {
	local name=$1 status=$2 what=$3 messages=$4 expected detail
	expected=$(<"$LOCAL/$name/ref.status")
	detail=$(differences "$LOCAL/$name/ref" "$WORK_TOP/$name") || true
	[ "$status" = "$expected" ] || detail+=$'\n'"exit status $status, not $expected"
	detail=${detail#$'\n'}
	if [ -z "$detail" ]; then
		pass "$name: $what"
	else
		fail "$name: $what" "$detail"$'\n'"$(tail -n 8 "$messages" 2>/dev/null)"
	fi
}

reference_run() {
	local name=$1 keep=$LOCAL/$1
	victim_prepare "$name"
	victim_start "$name"
	end_of "$PID"
	echo "$STATUS" >"$keep/ref.status"
	mv "$WORK_TOP/$name" "$keep/ref"
}

# fresh_run NAME: starts it anew
fresh_run() {
	victim_prepare "$1"
	victim_start "$1"
}

# dump_at NAME POINT IMAGE OPTION...: starts it and dumps it there; one result;
# status 1 when it went wrong. On a machine that is slow for a moment a victim may
# be over before it is dumped: that says nothing, and it is started again.
dump_at() {
	local name=$1 nth=$2 image=$3 log=$LOCAL/$1/dump.$2.log what="dumped at point $2" try
	shift 3
	for try in 1 2 3; do
		fresh_run "$name"
		: >"$log"
		if ! victim_wait "$name" "$PID" "$nth"; then
			fail "$name: reaches point $nth" "state $(state_of "$PID")"
			return 1
		elif has_ended "$PID"; then
			echo "it had ended: $(tail -n 5 "$WORK_TOP/$name/stderr")" >"$log"
		elif xckpt-dump -p "$PID" -o "$image" "$@" 2>"$log"; then
			if xckpt-info "$image" >"$log" 2>&1; then
				pass "$name: $what"
				return 0
			fi
			what+=" and readable"
			break
		elif ! has_ended "$PID"; then
			break
		fi
		[ "$try" = 3 ] || end_of "$PID"
	done
	fail "$name: $what" "$(<"$log")"
	return 1
}

# Keeps in the share all that another machine needs.
store() {
	local name=$1
	rm -rf "${STORE:?}/$name"
	mkdir -p "$STORE/$name"
	cp -r "$LOCAL/$name"/{ref,ref.status} "$STORE/$name/"
	# the share cannot tell where holes are, and some cores are mostly holes
	tar -C "$LOCAL/$name" -cSf - image | zstd -q -1 >"$STORE/$name/image.tar.zst"
	tar -C "$LOCAL/$name/work" -cSf - "$name" | zstd -q -1 >"$STORE/$name/work.tar.zst"
}

# Runs on while its image is written: it may be anywhere, or over, when that is done.
dump_running() {
	local name=$1
	dump_at "$name" 1 "$LOCAL/$name/first" || true
	end_of "$PID"
	compare "$name" "$STATUS" "ran on to the right end" "$LOCAL/$name/dump.1.log"
	rm -rf "${LOCAL:?}/$name/first"
}

# go_on PID INFO: all of its tree but who stood before, as xckpt-info tells
go_on() {
	local stood
	stood=$(awk '/^process / { pid = $2 } /^  stopped / { print pid }' "$2")
	tree_of "$1" | grep -vxF "$stood" | xargs -r kill -CONT 2>/dev/null || true
}

dump_stopped() {
	local name=$1
	if dump_at "$name" 2 "$LOCAL/$name/image" --leave-stopped; then
		if stands "$PID"; then
			pass "$name: left stopped"
			# quickly: some victims measure time, and being stopped is part of it
			mkdir "$LOCAL/$name/work"
			cp -a "$WORK_TOP/$name" "$LOCAL/$name/work/"
		else
			fail "$name: left stopped" "state $(state_of "$PID")"
		fi
	fi
	go_on "$PID" "$LOCAL/$name/dump.2.log"
	[ ! -d "$LOCAL/$name/work" ] || store "$name"
	end_of "$PID"
	compare "$name" "$STATUS" "went on to the right end" "$LOCAL/$name/dump.2.log"
}

dump_victim() {
	local name=$1 lacks
	if lacks=$(victim_lacks "$name" hugepages guards rings); then
		skip "$name: dumped" "$lacks"
		rm -rf "${STORE:?}/$name"
		mkdir -p "$STORE/$name"
		echo "$lacks" >"$STORE/$name/skipped"
		return
	fi
	mkdir "$LOCAL/$name"
	reference_run "$name"
	dump_running "$name"
	dump_stopped "$name"
	rm -rf "${LOCAL:?}/$name" "${WORK_TOP:?}/$name"
}

# The victim's folder as it was at the dump, and the undisturbed run.
put_back() {
	local name=$1 from=$2
	rm -rf "${WORK_TOP:?}/$name" "${LOCAL:?}/$name"
	mkdir -p "$WORK_TOP" "$LOCAL/$name"
	cp -r "$from"/{ref,ref.status} "$LOCAL/$name/"
	zstd -q -d -c "$from/work.tar.zst" | tar -C "$WORK_TOP" -xSf -
}

resume_victim() {
	local engine=$1 name=$2 status=0 log=$LOCAL/$2/resume.log lacks
	if [ -e "$STORE/$name/skipped" ]; then
		skip "$name: resumed $(where "$engine")" "not dumped: $(<"$STORE/$name/skipped")"
		return
	fi
	if [ ! -e "$STORE/$name/image.tar.zst" ]; then
		fail "$name: resumed $(where "$engine")" "no image of it in ${STORE#"$SHARE"/}"
		return
	fi
	if [ "$engine" = native ] && lacks=$(victim_lacks "$name" hugepages rings); then
		skip "$name: resumed natively" "$lacks"
		return
	fi
	put_back "$name" "$STORE/$name"
	zstd -q -d -c "$STORE/$name/image.tar.zst" | tar -C "$LOCAL/$name" -xSf -
	(cd "$WORK_TOP/$name" && exec timeout -k 5 "$PATIENCE" \
		qemu-resume --engine "$engine" "$LOCAL/$name/image") \
		</dev/null >"$log" 2>&1 9<&- || status=$?
	compare "$name" "$status" "resumed $(where "$engine")" "$log"
	rm -rf "${LOCAL:?}/$name" "${WORK_TOP:?}/$name"
}

where() {
	case $1-$ARCH in
	native-*) echo 'natively' ;;
	qemu-aarch64) echo 'under qemu on arm64' ;;
	*) echo "under $1 on $ARCH" ;;
	esac
}

# Sets up NAME and waits until it is where it is to be dumped.
run_to_dump() {
	victim_prepare "$1"
	victim_start "$1"
	victim_wait "$1" "$PID" 2 || true
}

# resume_stream ENGINE NAME: a stream on stdin
resume_stream() {
	(cd "$WORK_TOP/$2" && exec timeout -k 5 "$PATIENCE" qemu-resume --engine "$1" -)
}

# Keeps a stream and the victim's folder at that moment for another machine.
keep_stream() {
	local name=$1 keep=$STORE/$1.stream
	rm -rf "$keep"
	mkdir -p "$keep"
	cp -r "$LOCAL/$name"/{ref,ref.status} "$keep/"
	run_to_dump "$name"
	xckpt-dump -p "$PID" --leave-stopped -o - | zstd -q -1 >"$keep/stream.tar.zst"
	tar -C "$WORK_TOP" -cSf - "$name" | zstd -q -1 >"$keep/work.tar.zst"
	kill -KILL "$PID"
	end_of "$PID"
}

# Dumps with --kill into a pipe at whose end it is resumed at once.
pipe_victim() {
	local engine=$1 name=$2 log=$LOCAL/$2/stream.log status=0
	mkdir "$LOCAL/$name"
	reference_run "$name"
	[ "$engine" != qemu ] || keep_stream "$name"
	run_to_dump "$name"
	{ xckpt-dump -p "$PID" --kill -o - | zstd -q -1 | zstd -q -d |
		resume_stream "$engine" "$name"; } >"$log" 2>&1 9<&- || status=$?
	end_of "$PID"
	result $((STATUS != 137)) "$name: ended by --kill" "$(<"$log")"
	compare "$name" "$status" "resumed from a pipe $(where "$engine")" "$log"
	rm -rf "${LOCAL:?}/$name" "${WORK_TOP:?}/$name"
}

# Resumes the stream that a machine with the module has kept.
kept_stream_victim() {
	local engine=$1 name=$2 log=$LOCAL/$2/stream.log status=0
	if [ ! -e "$STORE/$name.stream/stream.tar.zst" ]; then
		fail "$name: resumed from a stream $(where "$engine")" "none in ${STORE#"$SHARE"/}"
		return
	fi
	put_back "$name" "$STORE/$name.stream"
	zstd -q -d -c "$STORE/$name.stream/stream.tar.zst" |
		resume_stream "$engine" "$name" >"$log" 2>&1 9<&- || status=$?
	compare "$name" "$status" "resumed from a stream $(where "$engine")" "$log"
	rm -rf "${LOCAL:?}/$name" "${WORK_TOP:?}/$name"
}

# at_once FUNCTION [ARGUMENT] -- VICTIM...: JOBS of them at a time, each one's
# results in one piece.
at_once() {
	local do=() name running=0
	while [ "$1" != -- ]; do do+=("$1"); shift; done
	shift
	for name; do
		if [ "$running" -ge "$JOBS" ]; then
			wait -n || true
			running=$((running - 1))
		fi
		one "${do[@]}" "$name" &
		running=$((running + 1))
	done
	while wait -n; [ $? -ne 127 ]; do :; done
}

one() {
	local name=${*: -1} out
	out=$(mktemp "$LOCAL/out.XXXXXX")
	set +e
	(
		set -e
		STARTED=()
		trap end_started EXIT
		"$@"
		echo '# whole'
	) >"$out" 2>&1
	# a victim whose case died gives a result all the same
	grep -q '^# whole$' "$out" || echo "not ok - $name: its test came to its end" >>"$out"
	sed '/^# whole$/d' "$out"
}

dump_all() {
	load_module
	at_once dump_victim -- "${victims[@]}"
}

resume_all() {
	at_once resume_victim "$engine" -- "${victims[@]}"
}

stream_all() {
	if [ -n "${XCKPT_KO:-}" ]; then
		load_module
		at_once pipe_victim "$engine" -- "${victims[@]}"
	else
		at_once kept_stream_victim "$engine" -- "${victims[@]}"
	fi
}

command=${1:-}
shift || true
case $command in
dump) ;;
resume | stream) engine=${1?engine: native or qemu}; shift ;;
*) sed -n '3,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
victims=("$@")
if [ $# -eq 0 ] && [ "$command" = stream ]; then
	victims=(counter python3)
	# resumed at once and where it was: nothing is copied
	[ -z "${XCKPT_KO:-}" ] || mapfile -t -O 2 victims < <(staying_names)
elif [ $# -eq 0 ] && [ "$command" = resume ]; then
	mapfile -t victims < <(movable_names "$engine")
elif [ $# -eq 0 ]; then
	mapfile -t victims < <(victim_names)
fi
victim_check "${victims[@]}"
tap_main "${command}_all"
