# SPDX-License-Identifier: GPL-2.0-or-later
# wal.sh [ROWS]: two processes write to one SQLite database in WAL mode, a third one
# reads it in the end. They lock its files and share memory mapped from one of them.

rows=${1:-40}

# feed TABLE: rows that take a while to make
feed() {
	local n
	echo '.timeout 100000'
	for ((n = 1; n <= rows; n++)); do
		echo "insert into $1 with recursive c(x) as (select $n union all select x + 1
			from c where x < $n + 20000) select $n, sum(x) from c;
			select '$1 has ' || count(*) || ', sum ' || sum(y) from $1;"
	done
}

# The reader is there from the beginning, and asks when both have ended.
ask() {
	echo '.timeout 100000'
	echo 'select name from sqlite_master order by name;'
	until [ -s ends ]; do read -r -t 0.1 -u "$quiet"; done
	echo '.dump'
	echo 'pragma integrity_check;'
}

exec {quiet}<> <(:)
printf '%s\n' 'pragma journal_mode=wal;' 'create table a(x, y);' 'create table b(x, y);' |
	sqlite3 wal.db
ask | sqlite3 wal.db >dump &
reader=$!
feed b | sqlite3 wal.db >b.lines &
second=$!
feed a | sqlite3 wal.db
wait "$second"
echo "the second one: $?"
echo both >ends
wait "$reader"
echo "the reader: $?"
# The order in the file is chance; and SQLite leaves the log behind when the file is
# not the one with the inode number that it opened.
: >wal.db >wal.db-wal >wal.db-shm
