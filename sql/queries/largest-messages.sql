-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- The twenty largest messages of the last 7 days. `size` is in octets of header and body; by
-- the time it reaches a mailbox it is what the MTA made of it.
-- Change 7 to look at more or fewer days, 20 to see more of them.
SELECT size, at, app, client, sender, recipients, verdict, id
FROM clock CROSS JOIN mail
WHERE time >= now_ms - 7 * day_ms
ORDER BY size DESC, time, id
LIMIT 20;
