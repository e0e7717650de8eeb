-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Who sends as whom: which app used which From address and envelope sender in the last 30
-- days, and how often. An address that surprises you is one to take out of the app's senders.
-- Change 30 to look at more or fewer days.
SELECT app, header_from, sender, count(*) AS messages, max(at) AS last
FROM clock CROSS JOIN mail
WHERE time >= now_ms - 30 * day_ms AND verdict NOT IN ('defer', 'reject')
GROUP BY app, header_from, sender
ORDER BY messages DESC, app, header_from, sender;
