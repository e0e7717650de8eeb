-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Who is new this week: each app and From address that sent in the last 7 days, and not in
-- the time before them that the audit remembers.
-- Change both 7 to look at more or fewer days.
WITH recent AS MATERIALIZED
	(SELECT app, header_from, count(*) AS messages, min(at) AS first, min(client) AS client
	 FROM clock CROSS JOIN mail
	 WHERE time >= now_ms - 7 * day_ms AND verdict NOT IN ('defer', 'reject')
	 GROUP BY app, header_from)
SELECT app, header_from, client, messages, first
FROM clock CROSS JOIN recent
WHERE NOT EXISTS (SELECT 1 FROM mail m
		  WHERE m.header_from = recent.header_from AND m.app = recent.app AND m.time < now_ms - 7 * day_ms)
ORDER BY first, app, header_from;
