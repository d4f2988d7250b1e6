#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# terminal.sh   programs with a controlling terminal, resumed in another one: who
# reads, who gets ^C and ^Z, and what the shell around sees. In a VM with the module.

. "$(dirname "$0")/lib.sh"

DIR=$(mktemp -d /tmp/xckpt-terminal.XXXXXX)
trap 'rm -rf "$DIR"' EXIT

by() {
	mkdir "$DIR/$1"
	python3 "$SELFTESTS/terminal.py" "$1" "$DIR/$1"
}

natively() { by native; }
by_qemu() { by qemu; }

load_module
tap_main natively by_qemu
