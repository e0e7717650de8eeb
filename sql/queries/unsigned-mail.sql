-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- What was let out without a DKIM signature in the last 7 days, and which keys failed where another
-- one signed. `signing` is empty where it did not come to that; `selector` and `result` name
-- the key that failed.
-- Change 7 to look at more or fewer days.
SELECT m.signing, m.app, m.header_from_domain, coalesce(s.selector, '') AS selector, coalesce(s.result, '') AS result,
       count(*) AS messages, max(m.at) AS last
FROM clock CROSS JOIN mail m
LEFT JOIN signatures s ON s.message_id = m.id AND s.result <> 'signed'
WHERE m.time >= now_ms - 7 * day_ms AND m.verdict IN ('accept', 'hold')
  AND (m.signing <> 'signed' OR s.result IS NOT NULL)
GROUP BY m.signing, m.app, m.header_from_domain, s.selector, s.result
ORDER BY messages DESC, m.app, m.header_from_domain, selector;
