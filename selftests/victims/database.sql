-- SPDX-License-Identifier: GPL-2.0-or-later
-- A transaction that is open for long: a database file, its journal, its locks.
.print open
PRAGMA cache_size = 20;
PRAGMA temp_store = MEMORY;
CREATE TABLE step(n INTEGER PRIMARY KEY, x INTEGER, t TEXT);
BEGIN IMMEDIATE;
INSERT INTO step
WITH RECURSIVE s(n, x) AS (
	SELECT 1, 1 UNION ALL
	SELECT n + 1, (x * 48271) % 2147483647 FROM s WHERE n < 100000)
SELECT n, x, printf('%08x', x) FROM s;
COMMIT;
CREATE INDEX by_x ON step(x);
PRAGMA integrity_check;
SELECT count(*), sum(x), max(t) FROM step;
