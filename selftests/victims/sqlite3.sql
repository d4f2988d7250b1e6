-- SPDX-License-Identifier: GPL-2.0-or-later
-- One long query whose rows go to a file as they are found.
.output rows
WITH RECURSIVE step(n, x) AS (
	SELECT 1, 1 UNION ALL
	SELECT n + 1, (x * 48271) % 2147483647 FROM step WHERE n < 150000)
SELECT n, x, hex(x % 251), round(x / 7.0, 3), substr('abcdefghijklmnop', x % 11 + 1, 3) FROM step;
.output
.print rows written
CREATE TABLE sums(k, v);
INSERT INTO sums
WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2000)
SELECT n % 17, n * n FROM i;
SELECT k, count(*), sum(v), max(v) FROM sums GROUP BY k ORDER BY k;
