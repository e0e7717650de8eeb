-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- What was told to come again later (451) in the last 7 days, and by which limit, rule or
-- fault: how often, for which app and client, from when to when. Whether it did come again
-- says postern report retries.
-- Change 7 to look at more or fewer days.
WITH deferred AS MATERIALIZED
	(SELECT reason, app, client, count, first_at, last_at
	 FROM clock CROSS JOIN stopped
	 WHERE last_time >= now_ms - 7 * day_ms AND verdict = 'defer')
SELECT reason, app, client, sum(count) AS times, min(first_at) AS first, max(last_at) AS last
FROM deferred
GROUP BY reason, app, client
ORDER BY times DESC, reason, app, client;
