/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the roll-ups must be, in SQL that SQLite and PostgreSQL understand: the rows of the
 * audit, added up.
 */
#ifndef POSTERN_TESTS_STORE_HOURS_H
#define POSTERN_TESTS_STORE_HOURS_H

#define NAMES "relay, app, tenant, department, method, mode, verdict, reason, would, would_reason, signing"
#define WITHIN(us) ", CASE WHEN decide_us <= " us " THEN 1 ELSE 0 END"
#define KNOWN(name) "coalesce(" name ", ''), "
#define ROWS \
	"SELECT time - time % 3600000 AS hour, " KNOWN("relay") KNOWN("app") KNOWN("tenant") KNOWN("department") KNOWN("method") KNOWN("mode") \
	KNOWN("verdict") KNOWN("reason") KNOWN("would") KNOWN("would_reason") KNOWN("signing") "1 AS n, 0 AS counted, recipients, external, size AS bytes," \
	" time AS first_time, time AS last_time, decide_us" WITHIN("1000") WITHIN("2000") WITHIN("5000") WITHIN("10000") \
	WITHIN("50000") WITHIN("250000") WITHIN("1000000") " FROM messages WHERE (id, reason, stage) NOT IN" \
	" (SELECT id, reason, stage FROM refusals)" \
	" UNION ALL SELECT first_time - first_time % 3600000, relay, app, tenant, department, method, 'enforce', verdict, reason," \
	" verdict, reason, '', count, count, 0, 0, 0, first_time, last_time, 0, 0, 0, 0, 0, 0, 0, 0 FROM refusals"
#define COLUMNS "hour, " NAMES ", n, counted, recipients, external, bytes, first_time, last_time, decide_us, w1, w2, w3, w4, w5, w6, w7"
#define SUMS(hour) \
	"SELECT " hour ", " NAMES ", sum(n), sum(counted), sum(recipients), sum(external), sum(bytes), min(first_time)," \
	" max(last_time), sum(decide_us), sum(w1), sum(w2), sum(w3), sum(w4), sum(w5), sum(w6), sum(w7) FROM r GROUP BY " hour ", " NAMES
#define EXPECTED "WITH r (" COLUMNS ") AS (" ROWS "), e AS (" SUMS("hour") " UNION ALL SELECT * FROM (SELECT 0 AS zero, " NAMES \
	", sum(n), sum(counted), sum(recipients), sum(external), sum(bytes), min(first_time), max(last_time), sum(decide_us)," \
	" sum(w1), sum(w2), sum(w3), sum(w4), sum(w5), sum(w6), sum(w7) FROM r GROUP BY " NAMES ") AS ever) "

/* How many sums there are on one side only: must be 0. A group all of which was taken back stays, with nothing in it. */
#define HOURS_DIFFER \
	EXPECTED "SELECT (SELECT count(*) FROM (SELECT * FROM e EXCEPT SELECT * FROM hours) AS missing)" \
	" + (SELECT count(*) FROM (SELECT * FROM hours WHERE messages <> 0 EXCEPT SELECT * FROM e) AS surplus)"

#endif
