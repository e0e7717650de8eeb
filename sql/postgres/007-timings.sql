-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Schema 7: the twin of sql/sqlite/007-timings.sql, which describes it.

CREATE TABLE timings (
	relay TEXT, what TEXT, count BIGINT, sum_us BIGINT, within_0 BIGINT, within_1 BIGINT, within_2 BIGINT, within_3 BIGINT, within_4 BIGINT, within_5 BIGINT, within_6 BIGINT,
	most BIGINT, time BIGINT, PRIMARY KEY (relay, what)
);
