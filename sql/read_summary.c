/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a summary asks of rows: which senders and clients each app had when, and what next hops
 * answered. Each is one walk along the index of the time, and one sum.
 */
#include "sql/read-private.h"

/* ?1 the oldest, ?2 since, ?3 until, ?4 how long a range is. */
#define SEEN(name) \
	"SELECT coalesce(app, '') AS a, coalesce(" name ", '') AS n," \
	" CASE WHEN time >= ?2 THEN 0 ELSE 1 + (?2 - 1 - time) / ?4 END AS range, count(*), min(time), min(id)" \
	" FROM messages WHERE time >= ?1 AND time < ?3 AND verdict NOT IN ('defer', 'reject') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
const char summary_senders[] = SEEN("sender");
const char summary_clients[] = SEEN("client");

/* The message of a delivery: the one of this relay and queue id that is nearest before it. */
#define OF_MESSAGE(column) \
	"coalesce((SELECT n." column " FROM messages n WHERE n.queue_id = d.origin_id AND n.relay = d.relay AND n.time <= d.first_time + 999" \
	" ORDER BY n.time DESC LIMIT 1), '')"
#define UNLESS_SENT(column) "CASE WHEN status = 'sent' THEN '' ELSE " column " END"
/* ?1 since, ?2 until. What was sent is counted; of the others each reply is told. */
const char summary_answers[] =
	"SELECT app, tenant, status, " UNLESS_SENT("CASE WHEN instance = 'sendmail' THEN dsn ELSE '' END") ", " UNLESS_SENT("reply") ", next_hop_of, " UNLESS_SENT("next_hop") ", count(*)"
	" FROM (SELECT " OF_MESSAGE("app") " AS app, " OF_MESSAGE("tenant") " AS tenant, status, instance, dsn, reply, next_hop_of, next_hop"
	" FROM deliveries d WHERE time >= ?1 AND time < ?2) AS a GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 8 DESC, 1, 2, 3, 4, 5";

int
reader_seen(void *reader, const struct store_seen_query *what, int (*each)(void *context, const struct store_seen *s),
	    void *context, const char **error_r)
{
	struct reader *r = reader;
	struct db_query *q = db_prepare(reader_db(r), what->by == STORE_BY_CLIENT ? summary_clients : summary_senders);
	enum db_result rc = DB_DONE;
	int i = 0, result = q == NULL ? -1 : 0;

	if (q != NULL) {
		db_bind_int(q, &i, what->oldest);
		db_bind_int(q, &i, what->since);
		db_bind_int(q, &i, what->until);
		db_bind_int(q, &i, what->range_ms);
	}
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		const struct store_seen s = {
			.app = db_text(q, 0), .name = db_text(q, 1), .range = db_int(q, 2), .messages = (uint64_t)db_int(q, 3),
			.first = db_int(q, 4), .first_id = db_text(q, 5),
		};

		result = each(context, &s);
	}
	if (rc == DB_FAILED)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}

int
reader_answers(void *reader, int64_t since, int64_t until, int (*each)(void *context, const struct store_answer *a), void *context,
	       const char **error_r)
{
	struct reader *r = reader;
	int i = 0, result = reader_open_deliveries(r, error_r);
	enum db_result rc = DB_DONE;
	struct db_query *q;

	if (result <= 0)
		return result == 0 ? STORE_NO_DELIVERIES : -1;
	q = db_prepare(reader_db(r), summary_answers);
	result = q == NULL ? -1 : 0;
	if (q != NULL) {
		db_bind_int(q, &i, since);
		db_bind_int(q, &i, until);
	}
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		struct store_answer a = {
			.app = db_text(q, 0), .tenant = db_text(q, 1), .status = db_text(q, 2), .dsn = db_text(q, 3), .reply = db_text(q, 4),
			.next_hop = db_text(q, 6), .recipients = (uint64_t)db_int(q, 7),
		};

		a.is_believed = deliveries_is_of(db_text(q, 5), a.tenant);
		result = each(context, &a);
	}
	if (rc == DB_FAILED)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}
