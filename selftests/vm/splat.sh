#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# splat.sh LOG
#
# Prints the lines of a kernel log that tell of a fault of the kernel, with
# what follows each; status 0 if there is one, 1 if there is none.

set -euo pipefail

faults=(
	'BUG:' 'WARNING:' 'Oops' 'Kernel panic' 'general protection fault'
	'KASAN:' 'UBSAN:' 'KCSAN:' 'KFENCE:' 'kernel BUG at' 'Internal error'
	'INFO: task .* blocked for more than' 'INFO: rcu_.* detected'
	'rcu: INFO:' 'possible circular locking' 'suspicious RCU usage'
	'inconsistent lock state' 'lock held when returning' 'held lock freed'
	'DEBUG_LOCKS_WARN_ON' 'unreferenced object' 'suspected memory leaks'
	'refcount_t:' 'list_(add|del) corruption' 'Bad page (state|map)'
	'Unable to handle kernel' 'stack guard page was hit' 'scheduling while atomic'
	'unable to handle page fault' 'double fault' 'nobody cared'
)
# Advice that stock kernels give at boot.
harmless='Spectre V2 : WARNING'

pattern=$(IFS='|'; echo "${faults[*]}")
grep -aE "^\[ *[0-9]+\.[0-9]+\].*($pattern)" "$1" | grep -avE "$harmless" >/dev/null ||
	exit 1
grep -avE "$harmless" "$1" | tr -d '\r' |
	grep -aE -A 30 "($pattern)" | head -n 120
