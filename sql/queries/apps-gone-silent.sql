-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Which apps have gone silent: they sent ten messages or more, and none in the last 2 days.
-- Change 2 to wait longer (an app that sends once a week is silent for six days each week),
-- and 10 to see those that never sent much.
WITH apps AS
	(SELECT app, count(*) AS messages, min(time) AS first_time, max(time) AS last_time
	 FROM mail
	 WHERE app <> ''
	 GROUP BY app)
SELECT app, messages,
       (SELECT min(at) FROM mail m WHERE m.app = apps.app AND m.time = first_time) AS first,
       (SELECT max(at) FROM mail m WHERE m.app = apps.app AND m.time = last_time) AS last,
       (now_ms - last_time) / day_ms AS days
FROM clock CROSS JOIN apps
WHERE last_time < now_ms - 2 * day_ms AND messages >= 10
ORDER BY last, app;
