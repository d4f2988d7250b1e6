#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of a terminal are dumped and resumed in another one: see terminal.sh.

terminal.py ENGINE DIR: one line of TAP for each case, without numbers.
"""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time

PATIENCE = 60
ENGINE, DIR = sys.argv[1:]


class Terminal:
    """A program on a terminal of its own, as a person sees it."""

    def __init__(self, *command):
        self.seen = ''
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ.update(PS1='ready> ', TERM='dumb')
            os.execvp(command[0], command)
        # programs of later terminals have nothing to do with this one
        os.set_inheritable(self.fd, False)

    def type(self, text):
        os.write(self.fd, text.encode())

    def sees(self, pattern):
        """Waits until the pattern comes, and forgets all up to its end."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end():]
                return True
            if not select.select([self.fd], [], [], 1)[0]:
                continue
            try:
                self.seen += os.read(self.fd, 4096).decode(errors='replace')
            except OSError:
                return bool(re.search(pattern, self.seen))
        return False

    def ends(self):
        """Its exit status, or None."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.1)
        os.kill(self.pid, signal.SIGKILL)
        return None


def result(good, what, terminal):
    print(('ok - ' if good else 'not ok - ') + f'{ENGINE}: {what}')
    if not good:
        print('# it showed: ' + repr(terminal.seen[-300:]))
    sys.stdout.flush()


def wait_for(name):
    """Until a program of that name runs, and has had time to read; its pid."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = subprocess.run(['pgrep', '-x', name], stdout=subprocess.PIPE, check=False, text=True)
        if found.stdout:
            time.sleep(1)
            return int(found.stdout.split()[0])
        time.sleep(0.1)
    return None


def dump(pid, name):
    image = f'{DIR}/{name}'
    subprocess.run(['xckpt-dump', '-q', '-p', str(pid), '-o', image, '--kill'], check=True)
    return image


def shell():
    """A shell with job control: it gets the terminal and manages it."""
    first = Terminal('bash', '--norc', '--noprofile', '-i')
    first.sees('ready> ')
    first.type('x=5\n')
    first.sees('ready> ')
    image = dump(first.pid, 'shell')
    term = Terminal('qemu-resume', '--engine', ENGINE, image)
    term.type('echo $((x + 37)) is it\n')
    result(term.sees(r'\n42 is it'), 'a shell goes on in another terminal', term)
    term.type('sleep 1000\n')
    wait_for('sleep')
    term.type('\x03echo interrupted: $?\n')
    result(term.sees('\ninterrupted: 130'), 'its foreground job gets the ^C', term)
    term.type('tr a-z A-Z | cat\n')
    wait_for('tr')
    term.type('whisper\n\x04')
    result(term.sees('\nWHISPER'), 'and what is typed', term)
    term.type('exit 6\n')
    result(term.ends() == 6, 'its exit status', term)


def job():
    """A program that is the foreground job of a shell, in the place of which it is resumed."""
    first = Terminal('bash', '--norc', '--noprofile', '-i')
    first.sees('ready> ')
    first.type('cat\n')
    pid = wait_for('cat')
    first.type('one\n')
    first.sees('one\r\none')
    image = dump(pid, 'job')
    first.type('exit\n')
    term = Terminal('bash', '--norc', '--noprofile', '-i')
    term.sees('ready> ')
    term.type(f'qemu-resume --engine {ENGINE} {image}\n')
    wait_for('cat')
    term.type('two\n')
    result(term.sees('two\r\ntwo'), 'a job reads from the terminal', term)
    term.type('\x1a')
    result(term.sees(r'(?s)Stopped.*ready> '), '^Z stops it and gives the shell back', term)
    term.type('fg\n')
    term.sees('qemu-resume.*\n')
    time.sleep(1)
    term.type('three\n')
    result(term.sees('three\r\nthree'), 'fg lets it go on in the foreground', term)
    term.type('\x03')
    result(term.sees('ready> '), '^C ends it', term)
    term.type('echo status $?\n')
    result(term.sees('\nstatus 130'), 'as a signal does', term)
    term.type('exit\n')
    term.ends()


def modes():
    """A program that reads keys as they come: an editor, say, that draws its screen anew."""
    keys = """
import os, signal, termios, tty
tty.setraw(0)
signal.signal(signal.SIGWINCH, lambda *_: print('size', *os.get_terminal_size(), end=';', flush=True))
print('up;', end='', flush=True)
while True:
    key = os.read(0, 1)
    print('key', key[0], end=';', flush=True)
    if key == b'q':
        break
"""
    first = Terminal('python3', '-c', keys)
    termios.tcsetwinsize(first.fd, (17, 71))
    first.sees('up;')
    image = dump(first.pid, 'modes')
    term = Terminal('qemu-resume', '--engine', ENGINE, image)
    result(term.sees('size 0 0;'), 'a screen of another size is told of', term)
    term.type('\x03')
    result(term.sees('key 3;'), 'keys are read as they come', term)
    result(not termios.tcgetattr(term.fd)[3] & termios.ECHO, 'and not echoed', term)
    term.type('q')
    result(term.ends() == 0, 'up to its end', term)


shell()
job()
modes()
