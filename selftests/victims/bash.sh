#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bash.sh LINES: arithmetic, arrays, functions, then subshells and programs.

declare -A seen
declare -a list
pid=$$
trap 'echo "left with $?"' EXIT

mix() {
	local sum=$1 j
	for ((j = 0; j < 2000; j++)); do
		sum=$(((sum * 31 + j * i) & 0xffffff))
	done
	list+=("$sum")
}

for ((i = 0; i < $1; i++)); do
	mix "$i"
	seen[key$i]=${list[-1]}
	printf '%d %d %d\n' "$i" "${seen[key$i]}" "${#seen[@]}"
done
[ "$pid" = "$$" ] && echo 'pid kept'
# shellcheck disable=SC2116 # a subshell in a subshell is the point
echo "from a subshell: $(echo "${#list[@]} $((seen[key3] + 1))")"
(exit 3) || echo "a subshell ended with $?"
/bin/echo 'an external program'
[ "$(sh -c 'echo $PPID')" = "$BASHPID" ] && echo 'child knows its parent'
printf '%s\n' "${list[@]}" | sort -n | tail -n 1
exit 7
