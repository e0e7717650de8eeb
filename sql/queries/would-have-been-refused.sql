-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- What passed in the last 7 days only because it, or a rule, is on trial (mode: monitor), and
-- what enforcing would have made of it, by the first thing that was wrong. Where recipients
-- are `wrong`, they alone would have been refused, and the rest of the message would have
-- passed. The id is that of one of the messages, for postern explain.
-- Change 7 to look at more or fewer days.
SELECT would, would_reason, app, client, count(*) AS messages, sum(recipients) AS recipients, sum(wrong) AS wrong,
       max(at) AS last, max(id) AS id
FROM (SELECT would, would_reason, app, client, recipients, at, id,
	     (SELECT count(*) FROM recipients r
	      WHERE r.message_id = m.id AND r.accepted = 1 AND r.reason = m.would_reason) AS wrong
      FROM clock CROSS JOIN mail m
      WHERE time >= now_ms - 7 * day_ms AND verdict NOT IN ('defer', 'reject')
	AND (would <> verdict OR would_reason <> reason)) AS trials
GROUP BY would, would_reason, app, client
ORDER BY messages DESC, would_reason, app, client;
