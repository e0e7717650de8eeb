-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Schema 5: the twin of sql/sqlite/deliveries-upstream.sql, which describes it.

CREATE TABLE upstream (
	tenant TEXT, sender TEXT, relay TEXT, keyword TEXT, external_only BIGINT, wait_ms BIGINT, reply TEXT,
	since BIGINT, said BIGINT, times BIGINT, good BIGINT, PRIMARY KEY (tenant, sender, relay, keyword)
);
