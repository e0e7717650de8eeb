-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Who spends the tenant's budget of external recipients: by day (UTC), tenant and app, what
-- was passed on at once by the methods that Microsoft counts. `share` is the app's part of what the
-- tenant spent on that day, in per cent. The budget itself rolls: limit-use.sql has it.
-- Change 30 to look at more or fewer days.
SELECT day, tenant, app, messages, outside,
       sum(outside) OVER (PARTITION BY day, tenant) AS tenant_outside,
       round(100.0 * outside / nullif(sum(outside) OVER (PARTITION BY day, tenant), 0), 1) AS share
FROM (SELECT substr(at, 1, 10) AS day, tenant, app, count(*) AS messages, sum(external) AS outside
      FROM clock CROSS JOIN mail
      WHERE time >= now_ms - 30 * day_ms AND external > 0 AND method IN ('connector', 'smtp-auth')
	AND verdict = 'accept'
      GROUP BY substr(at, 1, 10), tenant, app) AS days
ORDER BY day DESC, tenant, outside DESC, app;
