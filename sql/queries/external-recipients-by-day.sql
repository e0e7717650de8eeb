-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Who spends the tenant's budget of external recipients: by day (UTC), tenant and app, what
-- was passed on by the methods that Microsoft counts; held mail on the day on which it was let
-- go. `share` is the app's part of what the tenant spent on that day, in per cent. The budget
-- itself rolls: limit-use.sql has it.
-- Change both 30 to look at more or fewer days.
SELECT day, tenant, app, messages, outside,
       sum(outside) OVER (PARTITION BY day, tenant) AS tenant_outside,
       round(100.0 * outside / nullif(sum(outside) OVER (PARTITION BY day, tenant), 0), 1) AS share
FROM (SELECT day, tenant, app, count(*) AS messages, sum(external) AS outside
      FROM (SELECT substr(at, 1, 10) AS day, tenant, app, external
	    FROM clock CROSS JOIN mail
	    WHERE time >= now_ms - 30 * day_ms AND external > 0 AND method IN ('connector', 'smtp-auth')
	      AND verdict = 'accept'
	    UNION ALL
	    SELECT substr(h.released_at, 1, 10), h.tenant, h.app, h.external
	    FROM clock CROSS JOIN held r
	    JOIN mail_held h ON h.message_id = r.message_id
	    WHERE r.released_time >= now_ms - 30 * day_ms AND r.released_time > 0 AND r.state = 'released'
	      AND h.external > 0 AND h.method IN ('connector', 'smtp-auth')) AS sent
      GROUP BY day, tenant, app) AS days
ORDER BY day DESC, tenant, outside DESC, app;
