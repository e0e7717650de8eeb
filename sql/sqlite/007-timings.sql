-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Schema 7: how long posternd took, for monitoring. sql/postgres/007-timings.sql has the same table.

-- what: "admit" (from the end of a message until it was written), "sign" (all that signing it took). Sums of all
-- time, in microseconds; within_0: those within the first of the bounds that mail_hours has, and so on. most: the most messages that
-- waited to be written at once, since the row was written before; time: when that was, about every ten seconds while there is mail.
CREATE TABLE timings (
	relay TEXT, what TEXT, count INTEGER, sum_us INTEGER, within_0 INTEGER, within_1 INTEGER, within_2 INTEGER, within_3 INTEGER, within_4 INTEGER, within_5 INTEGER, within_6 INTEGER,
	most INTEGER, time INTEGER, PRIMARY KEY (relay, what)
);
