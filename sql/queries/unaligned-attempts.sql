-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Who tried to send as somebody else in the last 7 days: senders and From addresses that are
-- not of the tenant or not of the app, or say nothing for certain. What was refused, and
-- what passed because it was only monitored.
-- Change both 7 to look at more or fewer days.
WITH tries AS MATERIALIZED
	(SELECT reason, 'refused' AS outcome, app, client, sender, header_from, count AS n, last_at AS last
	 FROM clock CROSS JOIN stopped
	 WHERE last_time >= now_ms - 7 * day_ms
	 UNION ALL
	 SELECT would_reason, 'passed', app, client, sender, header_from, 1, at
	 FROM clock CROSS JOIN mail
	 WHERE time >= now_ms - 7 * day_ms AND verdict NOT IN ('defer', 'reject') AND would IN ('defer', 'reject'))
SELECT reason, outcome, app, client, sender, header_from, sum(n) AS times, max(last) AS last
FROM tries
WHERE reason IN ('sender-malformed', 'sender-not-accepted', 'sender-not-allowed', 'null-sender',
		 'from-missing', 'from-multiple', 'from-malformed', 'from-not-accepted', 'from-not-allowed',
		 'from-not-aligned', 'header-sender', 'header-resent', 'identity-conflict')
GROUP BY reason, outcome, app, client, sender, header_from
ORDER BY times DESC, reason, app, client, sender, header_from, outcome;
