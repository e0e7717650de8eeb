-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- The messages of one day (UTC), by hour and app: yesterday. What each got: passed on, held,
-- thrown away, or stopped at its end by a limit or as the first of its kind.
-- Change both 1: 2 and 2 is the day before yesterday; 0 and 0 is today.
SELECT substr(at, 12, 2) AS hour, app, count(*) AS messages,
       sum(CASE verdict WHEN 'accept' THEN 1 ELSE 0 END) AS passed,
       sum(CASE verdict WHEN 'hold' THEN 1 ELSE 0 END) AS held,
       sum(CASE verdict WHEN 'discard' THEN 1 ELSE 0 END) AS discarded,
       sum(CASE WHEN verdict IN ('defer', 'reject') THEN 1 ELSE 0 END) AS stopped,
       sum(external) AS outside
FROM clock CROSS JOIN mail
WHERE time >= today_ms - 1 * day_ms AND time < today_ms - 1 * day_ms + day_ms
GROUP BY substr(at, 12, 2), app
ORDER BY hour, app;
