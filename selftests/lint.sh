#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Style: SPDX lines, scripts, format, and a build by both compilers without a warning.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
report() {
	printf 'lint: %s\n' "$*" >&2
	failed=1
}

mapfile -t files < <(git ls-files --cached --others --exclude-standard)

# Prose and licence texts carry no tag of their own.
check_spdx() {
	local file
	for file in "${files[@]}"; do
		case $file in
		LICENSES/* | *.md | *.list) continue ;;
		esac
		[ -s "$file" ] || continue
		head -n 2 "$file" | grep -q 'SPDX-License-Identifier: ' ||
			report "$file has no SPDX line"
	done
}

check_shell() {
	local file scripts=()
	for file in "${files[@]}"; do
		[ ! -L "$file" ] && head -c 64 "$file" | head -n 1 | grep -aqE '^#!.*\b(ba)?sh\b' &&
			scripts+=("$file")
	done
	shellcheck -x "${scripts[@]}" || report "shellcheck complains"
}

# Formats differ between releases of clang-format: the one named here decides.
check_format() {
	local version=14 sources=()
	clang-format --version 2>/dev/null | grep -q "version $version\." || {
		echo "lint: no clang-format $version here, format not checked" >&2
		return
	}
	mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep -E '^(kmod|userland|qemu-restore|selftests)/.*\.[ch]$' |
		grep -vE '(^|/)trace\.h$')
	clang-format --dry-run -Werror "${sources[@]}" || report "clang-format would change something"
}

check_compilers() {
	local cc out=$PWD/build/lint
	for cc in gcc clang; do
		command -v "$cc" >/dev/null || { echo "lint: no $cc here, build with it not checked" >&2; continue; }
		make -s -C userland O="$out-$cc" CC="$cc" all || report "userland does not build with $cc"
		make -s -C qemu-restore O="$out-$cc" CC="$cc" all || report "qemu-restore does not build with $cc"
		make -s -C selftests O="$out-$cc" CC="$cc" all || report "selftests do not build with $cc"
	done
}

check_spdx
check_shell
check_format
check_compilers
exit "$failed"
