-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- What was refused in the last 7 days, and why: by reason, app and client. `deferred` of
-- them were told to come again (451), the others that it is final. The id is that of one of
-- them, for postern explain.
-- Change 7 to look at more or fewer days.
WITH recent AS MATERIALIZED
	(SELECT reason, app, client, count, verdict, last_at, id
	 FROM clock CROSS JOIN stopped
	 WHERE last_time >= now_ms - 7 * day_ms)
SELECT reason, app, client, sum(count) AS times,
       sum(CASE verdict WHEN 'defer' THEN count ELSE 0 END) AS deferred,
       max(last_at) AS last, max(id) AS id
FROM recent
GROUP BY reason, app, client
ORDER BY times DESC, reason, app, client;
