#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xckpt-info of a stream leaves nothing behind, however it ends; TAP output. Needs
# xckpt-dump-fake and xckpt-info on PATH.

# shellcheck source=userland/tests/dump_lib.sh
. "${0%/*}/dump_lib.sh"

dump -q -o - >"$work/tar"; check $? "a stream"
mkdir "$work/tmp"
export TMPDIR=$work/tmp
left() { ls -A "$work/tmp"; }

xckpt-info - <"$work/tar" >/dev/null && [ -z "$(left)" ]; check $? "told: $(left)"
{ xckpt-info - <"$work/tar" 2>"$work/err"; } | true
[ -z "$(left)" ] && [ ! -s "$work/err" ]; check $? "nobody listens: $(left; cat "$work/err")"
rm -rf "$work"/tmp/*
# one that cannot say what it has to say, and is ended meanwhile
python3 - "$work/tar" "$work/tmp" <<'END' 2>"$work/err"
import os, signal, subprocess, sys, time
listen, say = os.pipe()
os.set_blocking(say, False)
try:
    while True:
        os.write(say, b'x')
except BlockingIOError:
    os.set_blocking(say, True)
info = subprocess.Popen(['xckpt-info', '-'], stdin=open(sys.argv[1]), stdout=say)
while open(f'/proc/{info.pid}/wchan').read() not in ('pipe_write', 'anon_pipe_write'):
    time.sleep(0.05)
    assert info.poll() is None
assert os.listdir(sys.argv[2])
info.send_signal(signal.SIGTERM)
sys.exit(info.wait(30) != -signal.SIGTERM)
END
check $? "ended by a signal: $(cat "$work/err")"
[ -z "$(left)" ]; check $? "leaves nothing: $(left)"

finish
