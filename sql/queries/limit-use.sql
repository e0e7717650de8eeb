-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- How full the limits are now: what of each is used, in how long a period (seconds), and
-- what remains. Only those of which something is used. `boost` is what an operator has added
-- for now. What of a limit is reserved for one app is no limit, and left out (key app=NAME).
-- Change 0 to look at the fuller ones alone: 80 for those used to four fifths.
SELECT name, key, unit, period, used, count, boost, remains,
       round(100.0 * used / nullif(count + boost, 0), 1) AS percent
FROM limit_usage
WHERE used > 0 AND 100.0 * used >= 0 * (count + boost) AND key NOT LIKE 'app=%'
ORDER BY percent DESC, name, key;
