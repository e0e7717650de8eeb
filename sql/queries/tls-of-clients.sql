-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Which clients hand in their mail encrypted, and how: TLS version and certificate of each
-- client in the last 7 days; `clear text` where there was none, `local` for mail that was
-- handed in on the machine itself.
-- Change 7 to look at more or fewer days.
SELECT app, client, tls, certificate, count(*) AS messages, max(at) AS last
FROM (SELECT app, client, certificate, at,
	     CASE WHEN picked_up = 1 THEN 'local' WHEN tls = '' THEN 'clear text' ELSE tls END AS tls
      FROM clock CROSS JOIN mail
      WHERE time >= now_ms - 7 * day_ms) AS sessions
GROUP BY app, client, tls, certificate
ORDER BY tls, messages DESC, app, client;
