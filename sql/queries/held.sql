-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- What was held in the last 7 days, by which rule or limit, and what has become of it: the
-- newest first. The queue id finds it in the MTA's hold queue while it is there.
-- Change 7 to look at more or fewer days; with AND state = 'waiting' it shows what still waits
-- for a limit.
SELECT at, queue_id, reason, app, client, sender, recipients, state, released_at AS released, message_id AS id
FROM clock CROSS JOIN mail_held
WHERE time >= now_ms - 7 * day_ms
ORDER BY time DESC, message_id;
