#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# files.sh   the files of a program that is resumed somewhere else, or later: changed
# ones are refused, packed ones put back, mapped paths found. In a VM with the module.

. "$(dirname "$0")/lib.sh"

DIR=$(mktemp -d /tmp/xckpt-files.XXXXXX)
IMAGE=$DIR/image
trap 'rm -rf "$DIR"' EXIT

program() {
	python3 "$SELFTESTS/files.py" "$DIR/go" </dev/null >"$DIR/out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
}

# began: the program runs, its folder being DIR/work
began() {
	rm -rf "$IMAGE" "$DIR"/{work,go,kept}
	mkdir -p "$DIR/work/deep/in"
	cd "$DIR/work"
	printf 'first\nsecond\n' >data
	echo one >table
	chmod 640 data
	program
	wait_for 30 test -s deep/in/note || die "the program does not start: $(<"$DIR/out")"
}

# dumped OPTION...: and ended
dumped() {
	began
	xckpt-dump -q -p "$PID" -o "$IMAGE" --kill "$@"
	wait "$PID" 2>/dev/null || true
	cp -a "$DIR/work" "$DIR/kept"
	: >"$DIR/go"
}

as_it_was() {
	rm -rf "$DIR/work"
	cp -a "$DIR/kept" "$DIR/work"
	cd "$DIR/work"
}

# resumed STATUS OPTION...: what it says goes to DIR/err
resumed() {
	local want=$1 status=0
	shift
	timeout 120 qemu-resume --engine native "$@" "$IMAGE" </dev/null >"$DIR/err" 2>&1 9<&- ||
		status=$?
	[ "$status" -eq "$want" ]
}

# refused WHAT PATTERN OPTION...: one line, and nothing was touched
refused() {
	local what=$1 pattern=$2 before after good=0
	shift 2
	before=$(find "$DIR/work" -type f -exec stat -c '%n %s %Y' {} + | sort)
	resumed 125 "$@" || good=1
	after=$(find "$DIR/work" -type f -exec stat -c '%n %s %Y' {} + | sort)
	grep -q "$pattern" "$DIR/err" && [ "$(wc -l <"$DIR/err")" -eq 1 ] || good=1
	[ "$before" = "$after" ] || good=1
	result "$good" "$what" "$(<"$DIR/err")"
}

# runs WHAT DATA LOG OPTION...: to its end, with these contents then
runs() {
	local what=$1 data=$2 log=$3 good=0
	shift 3
	resumed 0 "$@" || good=1
	[ "$(<"$DIR/work/data")" = "$data" ] && [ "$(<"$DIR/work/log")" = "$log" ] || good=1
	result "$good" "$what" "$(<"$DIR/err"); $(head -v "$DIR/work/data" "$DIR/work/log")"
}

changed_files() {
	dumped
	sed -i s/second/SECOND/ data
	refused 'a file that was written to since' 'work/data has changed since the checkpoint'
	as_it_was
	echo more >>log
	refused 'one that has grown' 'work/log has changed.* it has 11 bytes, it had 6'
	runs '--allow-changed takes it' $'first\nsecond\nthird' $'began\nmore\nsecond' --allow-changed
	as_it_was
	touch -d @1000000000 "$DIR/stamp"
	cp data copy && mv copy data
	refused 'one that was replaced' 'work/data has changed.* at another time'
	as_it_was
	rm data
	mkfifo data
	refused 'a FIFO in its place' 'work/data'
	as_it_was
	touch -d "@$(stat -c %Y data)" data
	runs 'whole seconds of its time are enough' $'first\nsecond\nthird' $'began\nsecond'
}

packed_files() {
	dumped --with-files
	rm -rf "$DIR/work"
	mkdir "$DIR/work"
	cd "$DIR/work"
	runs 'files that are gone come with the image' $'first\nsecond\nthird' $'began\nsecond'
	result "$([ "$(stat -c %a data)" = 640 ] && [ "$(<deep/in/note)" = first ] && echo 0 || echo 1)" \
		'with their modes and folders' "$(ls -lR)"
	refused 'others that are there now' 'cannot put back .*work/data: .*--replace-files'
	runs '--replace-files puts them back' $'first\nsecond\nthird' $'began\nsecond' --replace-files
	as_it_was
	touch data log
	runs 'the same contents are the same file' $'first\nsecond\nthird' $'began\nsecond'
	as_it_was
	chown 1234 data
	refused 'the same contents of another owner' 'put back .*work/data: .*another owner or mode'
	result "$(find "$DIR/work" -name '*.xckpt-*' | grep -q . && echo 1 || echo 0)" \
		'nothing else is left there' "$(ls -lR)"
	as_it_was
	rm -rf "$DIR/work"
	: >"$DIR/work"
	result "$(resumed 125 && grep -q 'cannot put back .*Not a directory' "$DIR/err" && echo 0 || echo 1)" \
		'a folder that cannot be made' "$(<"$DIR/err")"
	rm "$DIR/work"
}

# What was put in the place of others is taken back, and so is what is new.
undone_files() {
	dumped --with-files
	as_it_was
	echo mine >data
	rm -r deep
	refused 'a file that cannot be made' '/nowhere/x: No such file' \
		--replace-files --fd 1=/nowhere/x
	result "$([ "$(<data)" = mine ] && [ ! -e deep ] && echo 0 || echo 1)" \
		'files are as they were before' "$(ls -lR)"
	result "$(find "$DIR/work" -name '*.xckpt-*' | grep -q . && echo 1 || echo 0)" \
		'without anything beside them' "$(ls -lR)"
}

# To another machine in one go.
streamed_files() {
	local status=0
	began
	xckpt-dump -q -p "$PID" --with-files -o - --kill >"$DIR/stream"
	wait "$PID" 2>/dev/null || true
	cd /
	rm -rf "$DIR/work"
	mkdir "$DIR/moved"
	: >"$DIR/go"
	timeout 120 qemu-resume --engine native --map "$DIR/work=$DIR/moved" - <"$DIR/stream" \
		>"$DIR/err" 2>&1 9<&- || status=$?
	[ "$(<"$DIR/moved/data")" = $'first\nsecond\nthird' ] || status=1
	[ "$(stat -c %s "$DIR/stream")" -lt 30000000 ] || status=1
	result "$status" 'packed files in a stream, to another folder' "$(<"$DIR/err")"
	rm -rf "$DIR/moved"
}

mapped_paths() {
	dumped
	cd /
	mv "$DIR/work" "$DIR/moved"
	mkdir "$DIR/work"
	refused 'files that are elsewhere' 'work.* No such file'
	rmdir "$DIR/work"
	resumed 0 --map "$DIR/work=$DIR/moved" || true
	result "$([ "$(<"$DIR/moved/data")" = $'first\nsecond\nthird' ] && echo 0 || echo 1)" \
		'--map tells where they are' "$(<"$DIR/err")"
	resumed 2 --map work=/x && resumed 2 --map /x
	result $? 'a map that is none'
	rm -rf "$DIR/moved"
}

# sees WHAT ROWS WARNING OPTION...: of its mapped table, and with how many words of it
sees() {
	local what=$1 rows=$2 warning=$3 good=0
	shift 3
	resumed 0 "$@" || good=1
	[ "$(<"$DIR/work/seen")" = "$rows" ] || good=1
	if [ -n "$warning" ]; then grep -q "table$warning" "$DIR/err"; else [ ! -s "$DIR/err" ]; fi ||
		good=1
	result "$good" "$what" "$(<"$DIR/err"); $(head -v "$DIR/work/seen")"
}

# It has its table, and nothing of qemu-resume's any more: it was let go.
runs_again() {
	local pid fds
	for pid in $(pgrep -f "files.py $DIR/go"); do
		fds=("/proc/$pid/fd/"*)
		grep -q "r--s.*$DIR/work/table" "/proc/$pid/maps" && [ "${#fds[@]}" -le 7 ] &&
			return
	done 2>/dev/null
	return 1
}

# What it has mapped is not open, and nobody of the group writes to it.
mapped_files() {
	dumped
	sees 'a mapped file that is as it was' one ''
	as_it_was
	rm "$DIR/go"
	timeout 120 qemu-resume --engine native "$IMAGE" </dev/null >"$DIR/err" 2>&1 9<&- &
	STARTED+=("$!")
	wait_for 60 runs_again || true
	printf two | dd of=table conv=notrunc status=none
	: >"$DIR/go"
	wait "${STARTED[-1]}" || true
	result "$([ "$(<seen)" = two ] && echo 0 || echo 1)" 'which is seen to change' "$(<"$DIR/err")"
	as_it_was
	echo six >table
	touch -d @1000000000 table
	sees 'one that has changed' one ' has changed since the checkpoint.*--allow-changed'
	as_it_was
	echo six >table
	touch -d @1000000000 table
	sees '--allow-changed takes it' six '' --allow-changed
	as_it_was
	mv table "$DIR/table"
	sees 'one that is not there' one ': No such file or directory: it is mapped as it was'
	as_it_was
	mkdir "$DIR/tables"
	mv table "$DIR/tables/"
	sees 'or elsewhere' one '' --map "$DIR/work/table=$DIR/tables/table"
}

is_locked() {
	! flock -n "$DIR/work/data" true
}

locked_files() {
	local holder
	dumped
	(exec 8<"$DIR/work/data" && flock 8 && exec sleep 1000) 9<&- &
	holder=$!
	STARTED+=("$holder")
	wait_for 10 is_locked
	refused 'a lock that somebody else has' 'cannot lock .*work/data again'
	kill "$holder"
	wait "$holder" 2>/dev/null || true
	runs 'and that can be had again' $'first\nsecond\nthird' $'began\nsecond'
}

# Was there a copy of what FILE holds at the freeze? XCKPT_VMA_COPIED.
is_copied() { # FILE
	xckpt-info --verify --json "$IMAGE" | python3 -c '
import json, sys
print(*(int(str(m["flags"]), 0) >> 23 & 1 for p in json.load(sys.stdin)["processes"] for m in p["mappings"]
        if m.get("path") == sys.argv[1]))' "$1"
}

# A program that runs on has noticed nothing, in a mount namespace of its own.
undisturbed() {
	local facts
	rm -rf "$IMAGE" "$DIR/go"
	cd /
	unshare --mount sh -c "mount -t tmpfs none /mnt && exec python3 '$SELFTESTS/undisturbed.py' '$DIR/go' /mnt" \
		</dev/null >"$DIR/out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 30 grep -q ready "$DIR/out" || die "the program does not start: $(<"$DIR/out")"
	xckpt-dump -q -p "$PID" -o "$IMAGE" --with-files 2>"$DIR/err" || true
	: >"$DIR/go"
	wait "$PID" || true
	[ -e "$IMAGE/group.json" ] || die "no image: $(<"$DIR/err") $(<"$DIR/out")"
	result "$(grep -qx "signals 0 events b'' lease True position 7" "$DIR/out" && echo 0 || echo 1)" \
		'no lease is broken, no event made, no signal sent' "$(<"$DIR/out")"
	facts=$(python3 -c '
import json, sys
files = [f for f in json.load(open(sys.argv[1]))["files"] if "watches" in f.get("event", f)]
for f in files:
    e = f.get("event", f)
    print(e.get("unread", 0), *(w["path"] for w in e["watches"]))' "$IMAGE/group.json" | sort | tr '\n' ' ')
	result "$([ "$facts" = '0 /mnt 0 /mnt/deep/names ' ] && echo 0 || echo 1)" \
		'what is watched, as the program has it mounted' "$facts $(<"$DIR/err")"
	result "$(grep -qx leased "$IMAGE"/files/* && echo 0 || echo 1)" 'what is leased is packed' \
		"$(ls -l "$IMAGE/files")"
	facts="$(is_copied /mnt/written) $(is_copied /mnt/still)"
	result "$([ "$facts" = '1 0' ] && echo 0 || echo 1)" \
		'only of what is open for writing there is a copy' "$facts"
}

# told WHAT STATUS NAMES OPTION...: the program, resumed, was told of so many names in all
told() {
	local what=$1 want=$2 names=$3 good=0
	shift 3
	printf 'began\n' >"$DIR/out"
	resumed "$want" --allow-changed "$@" || good=1
	[ -z "$names" ] || [ "$(tail -n 1 "$DIR/out")" = "$names $names" ] || good=1
	result "$good" "$what" "$(<"$DIR/err") $(<"$DIR/out")"
}

# A folder of which some names were read: where it was, copied, and on another file system.
read_folders() {
	local folder=/var/tmp/xckpt-names
	rm -rf "$folder" "$folder.was" "$IMAGE" "$DIR/go"
	mkdir "$folder"
	(cd "$folder" && seq -f '%.0f' 3000 | xargs touch)
	cd /
	python3 "$SELFTESTS/names.py" "$folder" "$DIR/go" </dev/null >"$DIR/out" 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	wait_for 30 grep -q began "$DIR/out" || die "the program does not start: $(<"$DIR/out")"
	xckpt-dump -q -p "$PID" -o "$IMAGE" --kill
	wait "$PID" 2>/dev/null || true
	: >"$DIR/go"
	told 'a folder that was read in part: the rest' 0 3000
	touch "$folder/new"
	told 'it has changed' 0 3001
	rm "$folder/new"
	mv "$folder" "$folder.was"
	cp -a "$folder.was" "$folder"
	told 'it is a copy, with its names in the same order' 0 3000
	rm -rf "$folder"
	mkdir "$folder"
	mount -t tmpfs none "$folder"
	cp -a "$folder.was/." "$folder"
	told 'in another order: refused' 125 ''
	result "$(grep -q "has read a part of the directory $folder" "$DIR/err" && echo 0 || echo 1)" \
		'by its name' "$(<"$DIR/err")"
	told 'but with --force' 0 '' --force
	umount "$folder"
	rm -rf "$folder" "$folder.was"
}

load_module
tap_main changed_files packed_files undone_files streamed_files mapped_paths mapped_files locked_files \
	undisturbed read_folders
