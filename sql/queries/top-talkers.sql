-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
-- Who sent most in the last day of the audit.
SELECT app, client, count(*) AS messages, sum(recipients) AS recipients FROM mail
WHERE time > (SELECT max(time) FROM messages) - 86400000 GROUP BY app, client ORDER BY messages DESC LIMIT 50;
