# shellcheck shell=bash disable=SC2154 # DIR, IMAGES and PID are set by errors.sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What cannot be resumed is told of by name when it is dumped. Sourced by errors.sh.

# Everything that cannot be resumed is told by name, and not killed; also where files are packed.
dump_error_unsupported() {
	local kind pattern
	while read -r kind pattern; do
		ticker "$kind"
		run xckpt-dump -p "$PID" -o "$IMAGES/image"
		result "$(grep -qE "warning: pid [0-9]+.*$pattern.*cannot be resumed" "$DIR/err" && echo 0 || echo 1)" \
			"$kind: warned of by name" "$(<"$DIR/err")"
		rm -rf "$IMAGES/image"
		refused "$kind: not with --kill" "^xckpt-dump: cannot kill pid $PID .*$pattern.*--force" \
			xckpt-dump -p "$PID" -o "$IMAGES/image" --with-files --kill
		end_ticker
		forget_sysv
	done <<-'END'
		tables descriptors that are shared with another process
		packets fd [0-9]+ \(pipe:.*with and without O_DIRECT
		unread fd [0-9]+ \(anon_inode:.*inotify.*events that were not read
		slave fd [0-9]+ \(/dev/ptmx\): .* whose slave others than the group have open
		pidfd fd [0-9]+ \(.*pidfd.*outside of the group
		undo SEM_UNDO .*shared with another process
		apart several IPC namespaces
		traced thread [0-9]+, which pid [0-9]+ \(ticker\) traces: tracing
		aio mapping [0-9a-f]+-[0-9a-f]+ \(/\[aio\].*asynchronous I/O
		request requests of io_uring that are under way
		registered fd [0-9]+ \(anon_inode:.*io_uring.*with which something is registered
		ringfd registered descriptors of io_uring
		sqpoll fd [0-9]+ \(anon_inode:.*io_uring.*a thread of the kernel
		issuer fd [0-9]+ \(anon_inode:.*io_uring.*of one thread only
		poll fd [0-9]+ \(anon_inode:.*eventpoll.*waits for a file of /proc
	END
}

# Paths lead elsewhere in another mount namespace, but only if something else is there.
dump_error_mounts() {
	ticker mounts
	run xckpt-dump -p "$PID" -o "$IMAGES/image"
	result "$(grep -qE 'warning: pid [0-9]+ \(ticker\) has not mounted at /mnt what pid' "$DIR/err" && echo 0 || echo 1)" \
		'two mount namespaces: warned of' "$(<"$DIR/err")"
	rm -rf "$DIR/mounts" && mv "$IMAGES/image" "$DIR/mounts"
	refused 'two mount namespaces: not resumed as one' \
		'^qemu-resume: cannot resume pid [0-9]+: it had other things mounted.*--force' \
		qemu-resume --engine native "$DIR/mounts"
	refused 'two mount namespaces: not with --kill' \
		"^xckpt-dump: cannot kill pid $PID .*has not mounted at /mnt.*--force" \
		xckpt-dump -p "$PID" -o "$IMAGES/image" --kill
	end_ticker
	ticker
	run unshare --mount sh -c \
		"mount -t tmpfs none /mnt && xckpt-dump -p $PID -o '$IMAGES/image'"
	result "$(grep -qE 'warning: pid [0-9]+ \(ticker\) is in a mount namespace where /mnt' "$DIR/err" && echo 0 || echo 1)" \
		'in another mount namespace than xckpt-dump: warned of' "$(<"$DIR/err")"
	result "$(xckpt-info "$IMAGES/image" | grep -q '^  mounts .*other than xckpt-dump' && echo 0 || echo 1)" \
		'and the image tells'
	rm -rf "$IMAGES/image"
	run unshare --mount xckpt-dump -p "$PID" -o "$IMAGES/image"
	result "$(grep -q mount "$DIR/err" && echo 1 || echo 0)" \
		'where the same is mounted: not a word' "$(<"$DIR/err")"
	rm -rf "$IMAGES/image"
	end_ticker
}

# What is on its way through a terminal can be read, but not copied: never lost silently.
dump_error_terminal() {
	local name="^xckpt-dump: cannot dump pid"
	ticker typed
	refused 'a line that was typed and not read' \
		"$name $PID: [0-9]+ bytes in pseudo-terminal [0-9]+ that pid $PID \\(fd .*\\) has not read .*dump again" \
		xckpt-dump -p "$PID" -o "$IMAGES/image"
	goes_on 'a line that was typed and not read'
	end_ticker
	ticker held
	refused 'a terminal that is held up' \
		"$name $PID: what pid $PID \\(fd .*\\) writes to pseudo-terminal [0-9]+ is held up.*dump again" \
		xckpt-dump -p "$PID" -o "$IMAGES/image"
	goes_on 'a terminal that is held up'
	end_ticker
}

dump_error_socket() {
	ticker socket
	run xckpt-dump -p "$PID" -o "$IMAGES/image"
	result "$((STATUS != 0))" 'a socket: dumped all the same' "$(<"$DIR/err")"
	result "$(grep -q 'warning: .*fd 10 (socket:.*sockets cannot be resumed' "$DIR/err" && echo 0 || echo 1)" \
		'a socket: warned of by name' "$(<"$DIR/err")"
	rm -rf "$DIR/with-socket" && mv "$IMAGES/image" "$DIR/with-socket"
	refused 'a socket: not with --kill' \
		"^xckpt-dump: cannot kill pid $PID .*fd 10 \(socket:.*--force" \
		xckpt-dump -p "$PID" -o "$IMAGES/image" --kill
	goes_on 'a socket: not with --kill'
	run xckpt-dump -q -p "$PID" -o "$IMAGES/image" --kill --force
	result "$((STATUS != 0))" 'a socket: with --kill --force' "$(<"$DIR/err")"
	rm -rf "$IMAGES/image"
	wait "$PID" 2>/dev/null || true
}
