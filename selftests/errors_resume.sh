# shellcheck shell=bash disable=SC2154 # DIR, IMAGES and PID are set by errors.sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How qemu-resume fails. Sourced by errors.sh, which runs the resume_error_*.

GOOD=''

# A good image of a small program, once; its core's path in CORE.
good_image() {
	GOOD=$DIR/good
	if [ ! -d "$GOOD" ]; then
		ticker
		xckpt-dump -q -p "$PID" -o "$GOOD" --kill
		wait "$PID" 2>/dev/null || true
	fi
	CORE=$(echo "$GOOD"/*.core)
	CORE=${CORE##*/}
}

# A copy of it to be spoiled.
copy_good() {
	good_image
	BAD=$DIR/bad
	rm -rf "$BAD"
	cp -r --sparse=always "$GOOD" "$BAD"
}

# resume_refused NAME PATTERN [ARGUMENT...]: of the copy, unless arguments say
resume_refused() {
	local name=$1 pattern=$2
	shift 2
	[ $# -gt 0 ] || set -- --engine native "$BAD"
	refused "$name" "^qemu-resume: .*$pattern" qemu-resume "$@"
}

resume_error_truncated_core() {
	local size length
	good_image
	size=$(stat -c %s "$GOOD/$CORE")
	for length in 0 10 64 200 $((size / 2)) $((size - 1)); do
		copy_good
		truncate -s "$length" "$BAD/$CORE"
		resume_refused "core cut to $length of $size bytes" "$CORE"
	done
}

# flips PART COUNT: each of COUNT bytes of a part, alone
flips() {
	local part=$1 offset lines bad=0 seen=0 detail=''
	good_image
	while read -r offset; do
		copy_good
		python3 "$SELFTESTS/spoil.py" flip "$BAD/$CORE" "$offset"
		run qemu-resume --engine native "$BAD"
		mapfile -t lines <"$DIR/err"
		seen=$((seen + 1))
		if [ "$STATUS" -eq 0 ] || [ "$STATUS" -ge 126 ] || [ "${#lines[@]}" -ne 1 ] ||
			! [[ ${lines[0]} =~ ^qemu-resume:.*$CORE ]]; then
			bad=$((bad + 1))
			detail+="byte $offset: status $STATUS: ${lines[*]:0:2}"$'\n'
		fi
	done < <(python3 "$SELFTESTS/spoil.py" offsets "$GOOD/$CORE" "$part" "$2")
	result "$((bad != 0 || seen == 0))" "a wrong byte in the core's $part ($seen tried)" "$detail"
}

resume_error_wrong_bytes() {
	flips head 13
	flips phdrs 12
	flips notes 20
	flips contents 16
}

resume_error_other_machine() {
	copy_good
	python3 "$SELFTESTS/spoil.py" machine "$BAD/$CORE" 183
	resume_refused 'a core of arm64' '(x86-64|machine|architecture)'
}

resume_error_manifest() {
	copy_good
	rm "$BAD/group.json"
	resume_refused 'no manifest' 'group\.json.*(missing|No such file)'
	: >"$BAD/group.json"
	resume_refused 'an empty manifest' 'group\.json'
	head -c 300 "$GOOD/group.json" >"$BAD/group.json"
	resume_refused 'half a manifest' 'group\.json'
	tr '{}' '[]' <"$GOOD/group.json" >"$BAD/group.json"
	resume_refused 'a garbled manifest' 'group\.json'
	echo '{}' >"$BAD/group.json"
	resume_refused 'a manifest without anything' 'group\.json'
	head -c 4096 /dev/urandom >"$BAD/group.json"
	resume_refused 'noise as manifest' 'group\.json'
}

resume_error_no_image() {
	mkdir -p "$DIR/empty"
	resume_refused 'no such image' '/nonexistent.*No such file' /nonexistent
	resume_refused 'an empty folder' "$DIR/empty" "$DIR/empty"
	resume_refused 'a text file' '/etc/passwd' /etc/passwd
	resume_refused 'a program' '/bin/ls' /bin/ls
	resume_refused 'a device' '/dev/null' /dev/null
}

resume_error_arguments() {
	good_image
	run qemu-resume
	result "$((STATUS == 0 || STATUS >= 126))" 'misuse: qemu-resume' "$STATUS $(<"$DIR/err")"
	run qemu-resume --engine nonsense "$GOOD"
	result "$((STATUS == 0 || STATUS >= 126))" 'an engine nobody knows' "$STATUS $(<"$DIR/err")"
	run qemu-resume --nonsense "$GOOD"
	result "$((STATUS == 0 || STATUS >= 126))" 'misuse: --nonsense' "$STATUS $(<"$DIR/err")"
}

resume_error_engine() {
	local tool
	good_image
	tool=$(command -v qemu-resume)
	resume_refused 'an engine that is not there' '/nonexistent/qemu.*No such file' \
		--engine qemu --qemu /nonexistent/qemu "$GOOD"
	resume_refused 'an engine that is none' '(/bin/true|engine)' \
		--engine qemu --qemu /bin/true "$GOOD"
	mkdir -p "$DIR/path"
	refused 'no engine on PATH' '^qemu-resume: .*qemu-x86_64' \
		env PATH="$DIR/path" "$tool" --engine qemu "$GOOD"
}

# An engine that does something else, too, before the program is restored: only what
# is compared at the end can tell.
resume_error_self_check() {
	local qemu what expected
	good_image
	[ -s "$DIR/ticker.out" ] || echo 'a line before' >"$DIR/ticker.out"
	qemu=$(command -v qemu-x86_64 || command -v qemu-x86_64-static)
	while IFS='|' read -r what expected; do
		printf '#!/bin/bash\n%s\nexec %s "$@"\n' "$what" "$qemu" >"$DIR/engine"
		chmod +x "$DIR/engine"
		resume_refused "self-check: an engine with $what" "cannot resume pid .*$expected" \
			--engine qemu --qemu "$DIR/engine" --allow-changed "$GOOD"
	done <<'END'
umask 0|Umask is 0, it was 022
cd /usr|cwd is /usr, it was
echo 77 >/proc/self/oom_score_adj|oom_score_adj is 77, it was 0
exec 5</etc/passwd|fd 5 is /etc/passwd, it was closed
exec 0</etc/passwd|fd 0 is /etc/passwd, it was /dev/null
test -f /dev/stdout && echo|the position of fd 1 is
END
	result "$(none_left >"$DIR/left" && echo 0 || echo 1)" \
		'and nothing is left of the program' "$(<"$DIR/left")"
	printf '#!/bin/bash\nexec %s "$@"\n' "$qemu" >"$DIR/engine"
	printf '%020d\n' 0 >"$DIR/tick"
	setsid qemu-resume --engine qemu --qemu "$DIR/engine" --allow-changed "$GOOD" \
		</dev/null >"$DIR/out" 2>"$DIR/err" 9<&- &
	PID=$!
	STARTED+=("$PID")
	result "$(wait_for 60 ticks_beyond 3 && echo 0 || echo 1)" \
		'an engine that does nothing else is good' "$(<"$DIR/err")"
	end_ticker
}

# Of System V IPC, too: the engine is in its namespace.
resume_error_self_check_sysv() {
	local qemu what expected
	ticker sysv
	xckpt-dump -q -p "$PID" -o "$DIR/sysv" --kill
	wait "$PID" 2>/dev/null || true
	forget_sysv
	qemu=$(command -v qemu-x86_64 || command -v qemu-x86_64-static)
	while IFS='|' read -r what expected; do
		printf '#!/bin/bash\n%s\nexec %s "$@"\n' "$what" "$qemu" >"$DIR/engine"
		chmod +x "$DIR/engine"
		resume_refused "self-check: an engine with $what" "cannot .*$expected" \
			--engine qemu --qemu "$DIR/engine" --allow-changed "$DIR/sysv"
	done <<'END'
ipcrm --all=msg|give System V queue [0-9]+ its owner and mode: Invalid argument
perl -ane 'semop($F[1], pack("s3", 0, 3, 0)) if /^0x/' <(ipcs -s)|resume .*value 0 of System V semaphore set [0-9]+ is 4, it was 1
perl -ane 'msgsnd($F[1], pack("l! a*", 5, "more"), 2048) if /^0x/' <(ipcs -q)|resume .*messages of System V queue [0-9]+ is 2, it was 1
END
	rm -rf "$DIR/sysv/files"
	resume_refused 'messages that are gone' 'files/sysv-msg-[0-9]+ is missing' \
		--engine native "$DIR/sysv"
	result "$(none_left >"$DIR/left" && echo 0 || echo 1)" \
		'and nothing is left of the program' "$(<"$DIR/left")"
	rm -rf "$DIR/sysv"
}

# Pages of the machine's own: told before anything starts, and what can be done about it.
resume_error_huge_pages() {
	local pages=/proc/sys/vm/nr_hugepages
	if ! { echo 10 >$pages && [ "$(<$pages)" = 10 ]; } 2>/dev/null; then
		skip 'huge pages' 'this machine has none to spare'
		return
	fi
	(cd "$DIR" && exec setsid "$TESTS/huge" 40) </dev/null >"$DIR/huge.out" 2>&1 9<&- &
	STARTED+=("$!")
	wait_for 60 has_lines "$DIR/huge.out" 5 || die "huge does not start: $(<"$DIR/huge.out")"
	xckpt-dump -q -p "${STARTED[-1]}" -o "$DIR/huge.image" --kill
	wait "${STARTED[-1]}" 2>/dev/null || true
	wait_for 10 grep -q '^HugePages_Free: *10$' /proc/meminfo
	echo 3 >$pages
	resume_refused 'too few huge pages' \
		'pages of 2048 kB: 10 of them are needed, 3 are free .sysctl vm.nr_hugepages=10, or --force' \
		--engine native "$DIR/huge.image"
	run qemu-resume --engine native --force "$DIR/huge.image"
	result "$([ "$STATUS" -eq 0 ] && ! grep -q NO "$DIR/huge.out" && echo 0 || echo 1)" \
		'ordinary ones, if that is forced' "status $STATUS: $(<"$DIR/err") $(<"$DIR/huge.out")"
	result "$(grep -q 'warning: forced: .*2048 kB' "$DIR/err" && echo 0 || echo 1)" \
		'which is told' "$(<"$DIR/err")"
	echo 0 >$pages
}

resume_error_socket() {
	if [ ! -d "$DIR/with-socket" ]; then
		ticker socket
		xckpt-dump -q -p "$PID" -o "$DIR/with-socket"
		end_ticker
	fi
	resume_refused 'a socket' 'fd 10.*socket:' --engine native "$DIR/with-socket"
}

# What is wrong with a child is wrong with all: not one of them runs.
# No process of a program that was not resumed; their pids if there are.
none_left() {
	local left
	left=$(pgrep -x ticker; pgrep -x xckpt-init) || true
	echo "$left"
	[ -z "$left" ]
}

resume_error_tree() {
	local core
	ticker child
	wait_for 20 test -s "$DIR/tick.child"
	xckpt-dump -q -p "$PID" -o "$DIR/tree" --kill
	wait "$PID" 2>/dev/null || true
	mv "$DIR/tick.child" "$DIR/tick.away"
	resume_refused "a child's file that is gone" "$DIR/tick\.child: No such file" \
		--engine native "$DIR/tree"
	mv "$DIR/tick.away" "$DIR/tick.child"
	core=$(printf '%s\n' "$DIR"/tree/*.core | sort -V | tail -n 1)
	cp "$core" "$DIR/core.good"
	printf '~' | dd of="$core" bs=1 seek=$(($(stat -c %s "$core") - 3000)) conv=notrunc status=none
	resume_refused "a child's core is damaged" "${core##*/}" --engine native "$DIR/tree"
	mv "$DIR/core.good" "$core"
	result "$(none_left >"$DIR/left" && echo 0 || echo 1)" \
		'and nothing is left of the tree' "$(<"$DIR/left")"
	qemu-resume --engine native "$DIR/tree" </dev/null >"$DIR/out" 2>"$DIR/err" 9<&- &
	PID=$!
	STARTED+=("$PID")
	result "$(still_ticks && echo 0 || echo 1)" 'the good tree runs' "$(<"$DIR/err")"
	kill -TERM "$PID"
	wait "$PID" 2>/dev/null || true
}

resume_error_files() {
	good_image
	: >"$DIR/ticker.out"
	resume_refused 'an open file that is shorter now' "$DIR/ticker\.out" --engine native "$GOOD"
	mv "$DIR/ticker.out" "$DIR/ticker.out.away"
	resume_refused 'an open file that is gone' "$DIR/ticker\.out.*No such file.*--map" \
		--engine native "$GOOD"
	mkdir "$DIR/ticker.out"
	resume_refused 'a folder in place of an open file' "$DIR/ticker\.out" --engine native "$GOOD"
	rmdir "$DIR/ticker.out"
	echo 'a line before' >"$DIR/ticker.out"
}

resume_error_stream() {
	local kind size
	ticker
	xckpt-dump -q -p "$PID" -o - --kill >"$DIR/stream.tar"
	wait "$PID" 2>/dev/null || true
	size=$(stat -c %s "$DIR/stream.tar")
	for kind in 0 100 5000 $((size / 2)) $((size * 9 / 10)); do
		run sh -c "head -c $kind '$DIR/stream.tar' | TMPDIR='$IMAGES' qemu-resume --engine native -"
		judge "a stream cut to $kind of $size bytes" '^qemu-resume: '
	done
	printf '#!/bin/sh\nexec sleep 6\n' >"$DIR/slow-qemu"
	chmod +x "$DIR/slow-qemu"
	run sh -c "TMPDIR='$IMAGES' qemu-resume --engine qemu --qemu '$DIR/slow-qemu' - \
		<'$DIR/stream.tar' & sleep 4; kill -TERM \$!; wait \$!"
	judge 'told to end when the stream has been read' '^qemu-resume: '
	run sh -c "head -c 100000 /dev/urandom | TMPDIR='$IMAGES' qemu-resume --engine native -"
	judge 'noise as a stream' '^qemu-resume: '
	for kind in absolute dotdot symlink hardlink device; do
		run sh -c "python3 '$SELFTESTS/spoil.py' hostile $kind '$DIR/escaped' |
			TMPDIR='$IMAGES' qemu-resume --engine native -"
		judge "a hostile stream ($kind)" '^qemu-resume: '
	done
	result "$([ ! -e "$DIR/escaped" ] && echo 0 || echo 1)" 'nothing was written elsewhere'
}

# The cases above mean something only if the good image itself is good.
resume_error_none_with_the_good_image() {
	good_image
	[ -s "$DIR/ticker.out" ] || echo 'a line before' >"$DIR/ticker.out"
	printf '%020d\n' 0 >"$DIR/tick"
	# other cases have written to its files
	setsid qemu-resume --engine native --allow-changed "$GOOD" </dev/null >"$DIR/out" 2>"$DIR/err" 9<&- &
	PID=$!
	STARTED+=("$PID")
	result "$(wait_for 60 ticks_beyond 3 && echo 0 || echo 1)" 'the good image runs' \
		"$(<"$DIR/err")"
	end_ticker
}
