-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
-- Why mail was refused.
SELECT reason, app, sum(count) AS refused, max(last_at) AS last FROM refused GROUP BY reason, app ORDER BY refused DESC;
