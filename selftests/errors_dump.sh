# shellcheck shell=bash disable=SC2154 # DIR, IMAGES and PID are set by errors.sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How xckpt-dump fails. Sourced by errors.sh, which runs the dump_error_*.

dump_error_arguments() {
	local args
	for args in '' '-p 1' '-o x' '-p x -o x' '-p -1 -o x' '-p 0 -o x' '-p 1 -o x --nonsense' \
		'-p 1 -o x --kill --leave-stopped' '-p 1 -o x y' '-p 1 -o x --timeout 0' \
		'-p 1 --pgrp 1 -o x' '--pgrp 1 --pgrp 1 -o x' '--session 0 -o x' \
		'-p 1 -o x --mode hard' '-p 1 -o x --kill --mode soft' '-p 1 -o x --jobs 0'; do
		# shellcheck disable=SC2086 # words
		run xckpt-dump $args
		result $((STATUS != 2)) "misuse: xckpt-dump $args" "$STATUS $(<"$DIR/err")"
	done
}

dump_error_targets() {
	local out=$IMAGES/image
	refused 'no such process' '^xckpt-dump: .*pid 4194303: No such process' \
		xckpt-dump -p 4194303 -o "$out"
	refused 'a kernel thread' '^xckpt-dump: cannot freeze pid 2 \(kthreadd\).*kernel thread' \
		xckpt-dump -p 2 -o "$out"
	refused 'pid 1' '^xckpt-dump: cannot freeze pid 1 .*(init process|started from)' \
		xckpt-dump -p 1 -o "$out"
	refused 'its own ancestor' "^xckpt-dump: cannot freeze pid $$ .*(started from|its descendants)" \
		xckpt-dump -p $$ -o "$out"
	# shellcheck disable=SC2016 # expanded by the inner shell
	refused 'itself' '^xckpt-dump: cannot freeze pid [0-9]+ .*itself' \
		sh -c 'exec xckpt-dump -p $$ -o "$0"' "$out"
}

dump_error_group_targets() {
	local out=$IMAGES/image cgroup=$DIR/cgroup
	for kind in pgrp:'process group' session:session; do
		refused "no such ${kind#*:}" \
			"^xckpt-dump: cannot freeze ${kind#*:} 4194303: it has no process that is alive" \
			xckpt-dump "--${kind%:*}" 4194303 -o "$out"
		# shellcheck disable=SC2016 # expanded by the inner shell
		refused "its own ${kind#*:}" \
			"^xckpt-dump: cannot freeze ${kind#*:} [0-9]+: it has xckpt-dump itself in it" \
			setsid -w sh -c 'xckpt-dump "$0" $$ -o "$1"; exit $?' "--${kind%:*}" "$out"
	done
	refused 'one tree of two is not there' '^xckpt-dump: cannot find pid 4194303: No such process' \
		xckpt-dump -p $$ -p 4194303 -o "$out"
	refused 'no cgroup there' "^xckpt-dump: cannot open cgroup $cgroup: No such file or directory" \
		xckpt-dump --cgroup "$cgroup" -o "$out"
	refused 'a folder that is no cgroup' "^xckpt-dump: cannot use cgroup $DIR: .*cgroup2 file system" \
		xckpt-dump --cgroup "$DIR" -o "$out"
	mkdir "$cgroup" && mount -t cgroup2 none "$cgroup" && mkdir "$cgroup/empty.$$"
	refused 'an empty cgroup' \
		"^xckpt-dump: cannot freeze cgroup $cgroup/empty.$$: it has no process that is alive" \
		xckpt-dump --cgroup "$cgroup/empty.$$" -o "$out"
	rmdir "$cgroup/empty.$$" && umount "$cgroup" && rmdir "$cgroup"
}

dump_error_thread() {
	local task tid
	ticker blocked
	for task in "/proc/$PID/task/"*; do
		tid=${task##*/}
		[ "$tid" != "$PID" ] || continue
		refused 'a thread' "^xckpt-dump: cannot dump pid $tid: it is a thread" \
			xckpt-dump -p "$tid" -o "$IMAGES/image"
	done
	goes_on 'a thread'
	end_ticker
}

dump_error_32_bit() {
	python3 "$SELFTESTS/spoil.py" elf32 "$DIR/elf32"
	setsid "$DIR/elf32" </dev/null >/dev/null 2>&1 9<&- &
	PID=$!
	STARTED+=("$PID")
	if ! wait_for 5 in_state "$PID" S; then
		skip 'a 32-bit program' 'this kernel runs none'
		return
	fi
	refused 'a 32-bit program' "^xckpt-dump: cannot freeze pid $PID .*32-bit" \
		xckpt-dump -p "$PID" -o "$IMAGES/image"
	end_ticker
}

dump_error_not_root() {
	ticker
	chmod 1777 "$IMAGES"
	refused 'not root' '^xckpt-dump: cannot open /dev/xckpt: Permission denied \(.*root' \
		setpriv --reuid 65534 --regid 65534 --clear-groups xckpt-dump -p "$PID" \
		-o "$IMAGES/image"
	goes_on 'not root'
	end_ticker
}

dump_error_no_module() {
	ticker
	unload_module
	refused 'no module' '^xckpt-dump: cannot open /dev/xckpt: .*\(load the module' \
		xckpt-dump -p "$PID" -o "$IMAGES/image"
	load_module
	goes_on 'no module'
	end_ticker
}

dump_error_output() {
	local kind
	ticker
	mkdir "$DIR/there" && : >"$DIR/file" && ln -sfn nowhere "$DIR/link"
	for kind in there file link; do
		refused "output exists ($kind)" "^xckpt-dump: cannot write $DIR/$kind: File exists" \
			xckpt-dump -p "$PID" -o "$DIR/$kind"
	done
	refused 'no parent of the output' \
		"^xckpt-dump: cannot write $DIR/no/image: .*No such file or directory" \
		xckpt-dump -p "$PID" -o "$DIR/no/image"
	refused 'a file as parent of the output' \
		"^xckpt-dump: cannot write $DIR/file/image: .*Not a directory" \
		xckpt-dump -p "$PID" -o "$DIR/file/image"
	goes_on 'output'
	end_ticker
}

dump_error_disk_full() {
	ticker mib=24
	mount -t tmpfs -o size=8m small "$IMAGES"
	refused 'disk full' "^xckpt-dump: cannot write $IMAGES/image.*: No space left on device" \
		xckpt-dump -p "$PID" -o "$IMAGES/image"
	umount "$IMAGES"
	goes_on 'disk full'
	end_ticker
}

dump_error_full_device_as_stream() {
	ticker
	run sh -c "xckpt-dump -p $PID -o - >/dev/full"
	judge 'stream to a full device' '^xckpt-dump: cannot write .*No space left on device'
	goes_on 'stream to a full device'
	end_ticker
}

dump_error_broken_pipe() {
	ticker mib=4
	run bash -c "xckpt-dump -p $PID -o - | head -c 1000 >/dev/null; exit \${PIPESTATUS[0]}"
	# ended by SIGPIPE, as programs are, or by an error with its line
	[ "$STATUS" -ne 141 ] || { STATUS=1 && echo 'xckpt-dump: Broken pipe' >"$DIR/err"; }
	judge 'a pipe nobody reads' '^xckpt-dump: .*Broken pipe'
	goes_on 'a pipe nobody reads'
	end_ticker
}

dump_error_timeout() {
	ticker stuck
	refused 'a thread that cannot stop' \
		"^xckpt-dump: cannot freeze pid $PID \(ticker\): pid [0-9]+ \(ticker\) did not stop in time" \
		xckpt-dump -p "$PID" -o "$IMAGES/image" --timeout 500
	goes_on 'a thread that cannot stop'
	end_ticker
}

# A shell's background processes ignore SIGINT; these do not.
background() {
	exec env --default-signal=INT,QUIT xckpt-dump "$@"
}

# blocked_dump OPTION...: starts a dump into a pipe that is full, which stops it in
# the middle. Sets DUMPER. Descriptor 8 keeps the pipe from breaking.
blocked_dump() {
	rm -f "$DIR/fifo"
	mkfifo "$DIR/fifo"
	exec 8<>"$DIR/fifo"
	background -p "$PID" -o - "$@" >"$DIR/fifo" 2>"$DIR/err" 8<&- 9<&- &
	DUMPER=$!
	STARTED+=("$DUMPER")
}

# The same with its target held: it is to be killed when all has been read.
holding_dump() {
	blocked_dump --kill
	wait_for 30 stands_still || die 'the dump does not freeze its target'
}

# The same with its target running on. Descriptor 8 is the stream, but for FIRST.
writing_dump() {
	blocked_dump
	exec 7<"$DIR/fifo"
	IFS= read -r -N 1 -t 60 -u 7 FIRST || die 'the dump does not write'
	exec 8<&7 7<&-
}

stands_still() {
	local n m
	read -r n <"$DIR/tick"
	nap 0.3
	read -r m <"$DIR/tick"
	[ "$n" = "$m" ]
}

has_ended() {
	! alive "$1" || in_state "$1" Z
}

# Waits for the end of the dump, not for ever: its status in STATUS.
dumper_ends() {
	wait_for 60 has_ended "$DUMPER" || kill -KILL "$DUMPER"
	STATUS=0
	wait "$DUMPER" 2>/dev/null || STATUS=$?
}

dump_error_ended_by_a_signal() {
	local signal how
	ticker mib=8
	for how in holding writing; do
		for signal in KILL INT TERM HUP; do
			"${how}_dump"
			kill "-$signal" "$DUMPER"
			dumper_ends
			exec 8<&-
			result $((STATUS == 0)) "ended by SIG$signal while $how: not a success" \
				"status $STATUS"
			goes_on "ended by SIG$signal while $how"
		done
	done
	end_ticker
}

# Whether the unfinished image has so many KiB.
has_written() {
	local kib
	kib=$(du -s "$IMAGES" 2>/dev/null | cut -f1)
	[ "${kib:-0}" -ge "$1" ]
}

dump_error_interrupted_while_writing() {
	local signal
	ticker mib=160
	for signal in INT KILL; do
		background -p "$PID" -o "$IMAGES/image" >/dev/null 2>"$DIR/err" 9<&- &
		DUMPER=$!
		STARTED+=("$DUMPER")
		wait_for 60 has_written 1024 || true
		kill "-$signal" "$DUMPER" 2>/dev/null || true
		dumper_ends
		if [ "$STATUS" -eq 0 ]; then
			fail "SIG$signal while writing" 'the dump was over before'
		elif [ -e "$IMAGES/image" ]; then
			fail "SIG$signal while writing" 'half an image has its final name'
		elif [ "$signal" = INT ] && ! nothing_left; then
			fail "SIG$signal while writing" "it left $(ls -A "$IMAGES")"
		else
			pass "SIG$signal while writing"
		fi
		rm -rf "$IMAGES" && mkdir "$IMAGES"
		goes_on "SIG$signal while writing"
	done
	end_ticker
}

dump_error_target_killed() {
	ticker mib=8
	holding_dump
	kill -KILL "$PID"
	STATUS=0
	wait "$PID" 2>/dev/null || STATUS=$?
	result $((STATUS != 137)) 'a frozen program can be killed' "status $STATUS"
	# reading on is not to hang and not to look like a success
	cat <&8 >/dev/null 9<&- &
	local drain=$!
	STARTED+=("$drain")
	dumper_ends
	exec 8<&-
	kill "$drain" 2>/dev/null || true
	judge 'its dump fails' '^xckpt-dump: '
}

# A program that ended after its snapshot has an image all the same.
dump_error_target_killed_later() {
	ticker mib=8
	writing_dump
	result "$(still_ticks && echo 0 || echo 1)" 'a program runs on while its image is written'
	end_ticker
	{ printf %s "$FIRST" && cat <&8; } >"$DIR/stream" 9<&-
	dumper_ends
	exec 8<&-
	result "$STATUS" 'an image of a program that was killed meanwhile' "$(<"$DIR/err")"
	STATUS=0
	xckpt-info --verify - <"$DIR/stream" >/dev/null 2>"$DIR/err" || STATUS=$?
	result "$STATUS" 'it is whole' "$(<"$DIR/err")"
	rm -f "$DIR/stream"
}

dump_error_two_at_once() {
	ticker mib=8
	holding_dump
	cp "$DIR/err" "$DIR/err.first"
	refused 'two dumps at once' \
		"^xckpt-dump: cannot freeze pid $PID .*frozen by another session" \
		xckpt-dump -p "$PID" -o "$IMAGES/image"
	result "$(stands_still && echo 0 || echo 1)" 'the first dump still holds it'
	kill -KILL "$DUMPER"
	dumper_ends
	exec 8<&-
	goes_on 'two dumps at once'
	writing_dump
	run xckpt-dump -q -p "$PID" -o "$IMAGES/image"
	result "$STATUS" 'a second dump while the first one writes' "$(<"$DIR/err")"
	kill -KILL "$DUMPER"
	dumper_ends
	exec 8<&-
	rm -rf "$IMAGES/image"
	end_ticker
}

# Programs that end while they are dumped: a good image or a clear error.
dump_error_program_ends() {
	local i good=0 errors=0 wrong='' pid
	for ((i = 0; i < 50; i++)); do
		setsid "$TESTS/mayfly" $((RANDOM * 5)) $((i % 7)) </dev/null >"$DIR/mayfly" 2>&1 9<&- &
		pid=$!
		run xckpt-dump -q -p "$pid" -o "$IMAGES/image"
		if [ "$STATUS" -eq 0 ] && xckpt-info "$IMAGES/image" >/dev/null 2>"$DIR/err"; then
			good=$((good + 1))
		elif [ "$STATUS" -ne 0 ] && [ "$STATUS" -lt 124 ] && nothing_left &&
			[ "$(grep -c '^xckpt-dump: ' "$DIR/err")" = 1 ]; then
			errors=$((errors + 1))
		else
			wrong+="$i: status $STATUS: $(head -n 3 "$DIR/err")"$'\n'
		fi
		rm -rf "$IMAGES" && mkdir "$IMAGES"
		wait "$pid" || wrong+="$i: the program ended with $?"$'\n'
	done
	result "$((${#wrong} != 0 || good == 0))" \
		"programs that end meanwhile ($good images, $errors clear errors)" "$wrong"
}

# Which is no error: files that are mapped leave descriptors to what is written.
dump_error_few_descriptors() {
	local how command=()
	python3 - "$DIR" >"$DIR/mapper" 2>&1 <<-'END' 9<&- &
		import mmap, sys, time
		maps = []
		for i in range(60):
		    with open(f"{sys.argv[1]}/mapped.{i}", "wb") as f:
		        f.write(b"hello")
		    with open(f.name, "rb") as f:
		        maps.append(mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ))
		print("ready", flush=True)
		time.sleep(1000)
	END
	PID=$!
	STARTED+=("$PID")
	wait_for 30 grep -qsx ready "$DIR/mapper" || die "nothing is mapped: $(<"$DIR/mapper")"
	for how in 'a limit that root may raise' 'one that it may not raise'; do
		# shellcheck disable=SC2016 # the inner shell's
		run "${command[@]}" bash -c 'ulimit -n 64 && exec xckpt-dump -p "$1" -o "$2"' - \
			"$PID" "$IMAGES/image"
		result "$STATUS" "60 mapped files and 64 descriptors, $how" "$(<"$DIR/err")"
		run xckpt-info --verify "$IMAGES/image"
		result "$STATUS" 'the image is whole' "$(<"$DIR/err")"
		rm -rf "$IMAGES/image"
		command=(setpriv --bounding-set -sys_resource)
	done
	end_ticker
}
