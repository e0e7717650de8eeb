-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Who sent most in the last 24 hours: messages, recipients, those of them outside, and
-- megabytes of each app and client.
-- Change 24 to look at more or fewer hours, and the order to have those first who send
-- outside, or the most octets.
SELECT app, client, count(*) AS messages, sum(recipients) AS recipients, sum(external) AS outside,
       round(sum(size) / 1048576.0, 1) AS megabytes
FROM clock CROSS JOIN mail
WHERE time >= now_ms - 24 * hour_ms AND verdict NOT IN ('defer', 'reject')
GROUP BY app, client
ORDER BY messages DESC, app, client
LIMIT 50;
