-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
-- How full the limits are.
SELECT name, key, used, count, round(100.0 * used / max(count, 1), 1) AS percent FROM limit_usage ORDER BY percent DESC;
