-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- What was held in the last 7 days, by which rule or limit: the newest first. The queue id
-- finds it in the MTA's hold queue, where it may still be.
-- Change 7 to look at more or fewer days.
SELECT at, queue_id, reason, app, client, sender, recipients, size, id
FROM clock CROSS JOIN mail
WHERE time >= now_ms - 7 * day_ms AND verdict = 'hold'
ORDER BY time DESC, id;
