-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Who sends by Direct Send: each client of the last 30 days with its messages and recipients,
-- and how often it was refused recipients outside. These are what would stop if Exchange
-- Online took no Direct Send (RejectDirectSend).
-- Change both 30 to look at more or fewer days.
WITH sources AS MATERIALIZED
	(SELECT client, app, 1 AS messages, recipients, 0 AS refused, at AS last
	 FROM clock CROSS JOIN mail
	 WHERE time >= now_ms - 30 * day_ms AND method = 'direct-send' AND verdict NOT IN ('defer', 'reject')
	 UNION ALL
	 SELECT client, app, 0, 0, count, last_at
	 FROM clock CROSS JOIN refused
	 WHERE last_time >= now_ms - 30 * day_ms AND reason = 'direct-send-external')
SELECT client, app, sum(messages) AS messages, sum(recipients) AS recipients, sum(refused) AS outside_refused,
       max(last) AS last
FROM sources
GROUP BY client, app
ORDER BY messages DESC, client, app;
