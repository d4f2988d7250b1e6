#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xckpt-dump of processes that share memory, against a faked device; TAP output.

# shellcheck source=userland/tests/dump_lib.sh
. "${0%/*}/dump_lib.sh"

export FAKE_PROCESSES=4 FAKE_MIB=32

facts() { # of an image: what of shared memory each core has, and who has it instead
	xckpt-info --verify --json "$1" | python3 -c '
import json, sys
image = json.load(sys.stdin)
print(image["version"], *("%d:%s:%d" % (m["core_bytes"] >> 20, m.get("held_by", "-"),
                                        m.get("held_bytes", 0) >> 20)
      for p in image["processes"] for m in p["mappings"] if m["kind"] == "shared"))'
}
same_cores() {
	local file
	for file in "$work"/img/*.core; do cmp -s "$file" "$work/again/${file##*/}" || return 1; done
}
mib() { du -m "$1" | tail -1 | cut -f1; }
core=$work/img/$victim.core other=$work/img/$((victim + 10)).core
once="2 2048:-:0 0:$victim.core:2048 0:$victim.core:2048 0:$victim.core:2048"

written() { grep -o '[0-9]*\.[0-9] MiB in' "$work/err" | cut -d. -f1; }

dump -o "$work/whole"; whole=$(mib "$work/whole") whole_written=$(written)
FAKE_SHARED=1 dump -o "$work/img"; check $? "a dump: $(cat "$work/err")"
[ "$(mib "$work/img")" -le $((whole - 3 * 32)) ]; check $? "takes $(mib "$work/img") MiB, not $whole"
[ "$(written)" = $((whole_written - 3 * 32)) ]; check $? "and tells so"
[ "$(facts "$work/img")" = "$once" ]; check $? "one core has it: $(facts "$work/img")"
xckpt-info "$work/img" | grep -q "contents of 1 mapping, 2.0 GiB, are in $victim.core"; check $? "as xckpt-info tells"
[ "$(stat -c %s "$core")" = "$(stat -c %s "$other")" ]; check $? "no core changes its size"
[ "$(readelf -lW "$core" | awk '$1 == "LOAD" && $3 == "0x0000000020000000" { print $2, $5 }')" = \
	"$(readelf -lW "$other" | awk '$1 == "LOAD" && $3 == "0x0000000020000000" { print $2, "0x80000000" }')" ] &&
	readelf -lW "$other" | grep -q '0x0000000020000000 0x[0-9a-f]* 0x000000 0x80000000 '
check $? "but for how much is there: $(readelf -lW "$other" | grep 0x0000000020000000)"

for how in "FAKE_UNCLONED=1" "FAKE_NOTHING=1 --kill" "FAKE_NOTHING=1 --jobs 1" "FAKE_NOTHING=1 --jobs 64"; do
	read -r setting options <<<"$how"
	# shellcheck disable=SC2086 # words
	(export FAKE_SHARED=1 "${setting?}"; dump -q $options -o "$work/again"); check $? "$how"
	[ "$(facts "$work/again")" = "$once" ]; check $? "$how: once: $(facts "$work/again")"
	same_cores; check $? "$how: the same cores"
	rm -rf "$work/again"
done
FAKE_SHARED=1 dump -q -o - >"$work/tar"; check $? "a stream"
[ "$(mib "$work/tar")" -le $((whole - 3 * 32)) ]; check $? "of $(mib "$work/tar") MiB"
mkdir "$work/again" && tar -C "$work/again" -xSf "$work/tar"
[ "$(facts "$work/again")" = "$once" ]; check $? "has it once: $(facts "$work/again")"
same_cores; check $? "and the same cores"
rm -rf "$work/again"

FAKE_PROCESSES=1 FAKE_SHARED=1 dump -q -o "$work/again"
[ "$(facts "$work/again")" = "1 2048:-:0" ]; check $? "one process alone: version 1"
finish
