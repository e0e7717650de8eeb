/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How long posternd took, as it noted that.
 */
#include "sql/read-private.h"

int
reader_timings(void *reader, int (*each)(void *context, const struct store_timing *t), void *context, const char **error_r)
{
	struct reader *r = reader;
	struct db_query *q = db_prepare(reader_db(r), "SELECT relay, what, count, sum_us, within_0, within_1, within_2, within_3, within_4,"
						      " within_5, within_6, most, time FROM timings ORDER BY relay, what");
	int result = q == NULL ? -1 : 0;
	enum db_result rc = DB_DONE;

	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		struct store_timing t = {
			.relay = db_text(q, 0), .what = db_text(q, 1), .count = (uint64_t)db_int(q, 2), .sum_us = (uint64_t)db_int(q, 3),
			.most = (uint64_t)db_int(q, 4 + STORE_TRAFFIC_BUCKETS), .time = db_int(q, 5 + STORE_TRAFFIC_BUCKETS),
		};

		for (int i = 0; i < STORE_TRAFFIC_BUCKETS; i++)
			t.within[i] = (uint64_t)db_int(q, 4 + i);
		result = each(context, &t);
	}
	if (rc == DB_FAILED)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}
