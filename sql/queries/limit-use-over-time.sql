-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- How full the limits were in the last 7 days: for each hour (UTC) the highest use of each
-- limit, and how many messages found it exceeded. So you see what a limit should be, and
-- whether it was hit once or every day.
-- Change 7 to look at more or fewer days; change 50 to see more, or fewer, than those that
-- were half full.
SELECT hour, name, key, max(used) AS peak, max(count) AS count,
       round(max(100.0 * used / nullif(count, 0)), 1) AS percent, sum(exceeded) AS exceeded
FROM (SELECT substr(at, 1, 13) AS hour, name, key, count, exceeded,
	     used_before + CASE WHEN charged = 1 AND verdict <> 'hold' THEN amount ELSE 0 END AS used
      FROM clock CROSS JOIN mail_charges
      WHERE time >= now_ms - 7 * day_ms AND key NOT LIKE 'app=%') AS uses
GROUP BY hour, name, key
HAVING max(100.0 * used) >= 50 * max(count)
ORDER BY hour, name, key;
