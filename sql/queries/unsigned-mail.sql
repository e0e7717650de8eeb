-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
-- Accepted mail without a DKIM signature.
SELECT at, id, app, header_from, signing FROM mail WHERE verdict = 'accept' AND signing <> 'signed' ORDER BY time DESC;
