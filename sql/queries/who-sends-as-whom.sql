-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
-- Which app uses which From address.
SELECT app, header_from, count(*) AS messages FROM mail GROUP BY app, header_from ORDER BY messages DESC;
