# SPDX-License-Identifier: GPL-2.0-or-later
# jobs.sh [LINES]: five commands joined by pipes, each a process of its own, and two
# jobs in the background. What comes out at the end must be all there, in order.

lines=${1:-40}

# steady N TEXT: keeps the processor busy, then a line
steady() {
	local i sum=0
	for ((i = 0; i < $1; i++)); do sum=$(((sum * 31 + i) % 1000003)); done
	echo "$2 $sum"
}

numbers() {
	local n
	for ((n = 1; n <= lines; n++)); do steady 2500 "$n"; done
}

job() {
	local n
	for ((n = 1; n <= lines; n++)); do steady 1000 "$1 $n"; done >"job.$1"
	return "$1"
}

job 3 &
first=$!
job 4 &
second=$!
numbers | sed -u 's/ / squared /' | grep --line-buffered squared |
	awk -W interactive '{ print $1 * $1, $0; fflush() }' |
	while read -r square line; do echo "$square is $line"; done
echo "the pipeline: ${PIPESTATUS[*]}"
wait "$first"
echo "the first job: $?"
wait "$second"
echo "the second job: $?"
cat job.3 job.4
