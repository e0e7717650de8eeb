/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The newest messages of a kind, place by place in their order, and the newest words of the MTA's log.
 * Every statement walks an index from its newest end; where the kind has no index of its own, the caller
 * bounds the time (reader_newest()).
 */
#include "base/text.h"
#include "sql/read-private.h"

static const char *
column_of(unsigned only)
{
	switch (only) {
	case STORE_TRAFFIC_RELAY: return "relay";
	case STORE_TRAFFIC_APP: return "app";
	case STORE_TRAFFIC_TENANT: return "tenant";
	case STORE_TRAFFIC_DEPARTMENT: return "department";
	case STORE_TRAFFIC_METHOD: return "method";
	case STORE_TRAFFIC_VERDICT: return "verdict";
	case STORE_TRAFFIC_REASON: return "reason";
	case STORE_TRAFFIC_SENDER: return "sender";
	default: return "client";
	}
}

/* Prepares what was put together; NULL with a text. */
static struct db_query *
prepare(struct reader *r, struct text *sql, const char **error_r)
{
	struct db_query *q = sql->failed ? NULL : db_prepare(reader_db(r), text_string(sql));

	*error_r = sql->failed ? "memory is short" : db_error(r->db);
	text_free(sql);
	return q;
}

/* ---- how far back a number of rows reaches */

static void
add_newest(struct text *t, const char *table, const char *time, const char *filter, int rows)
{
	text_printf(t, "SELECT min(t) AS t, count(*) AS n FROM (SELECT %s AS t FROM %s WHERE %s%s >= ?1 AND %s < ?2 ORDER BY %s DESC LIMIT %d) AS %.1s",
		    time, table, filter, time, time, time, rows, table);
}

static bool
has_index(unsigned only)
{
	return only == STORE_TRAFFIC_APP || only == STORE_TRAFFIC_SENDER;
}

void
newest_statement(const struct store_traffic_query *what, int rows, struct text *t)
{
	bool is_sender = what->only == STORE_TRAFFIC_SENDER;
	const char *filter = what->only == STORE_TRAFFIC_APP ? "app = ?3 AND " : is_sender ? "sender = ?3 AND " : "";

	text_add(t, "SELECT coalesce(max(t), 0) FROM (");
	add_newest(t, "messages", "time", filter, rows);
	text_add(t, " UNION ALL ");
	add_newest(t, "refusals", "last_time", is_sender ? filter : "", rows);
	text_printf(t, ") AS two WHERE n >= %d", rows);
}

int
reader_newest(void *reader, const struct store_traffic_query *what, int rows, int64_t *since_r, const char **error_r)
{
	struct reader *r = reader;
	struct text sql = {0};
	struct db_query *q;
	enum db_result rc = DB_FAILED;
	int i = 0;

	newest_statement(what, rows, &sql);
	if ((q = prepare(r, &sql, error_r)) == NULL)
		return -1;
	db_bind_int(q, &i, what->since > 0 ? what->since : 1);
	db_bind_int(q, &i, what->until);
	if (has_index(what->only))
		db_bind_text(q, &i, what->name);
	if ((rc = db_step(q)) == DB_ROW)
		*since_r = db_int(q, 0);
	else
		*error_r = db_error(r->db);
	db_finalize(&q);
	return rc == DB_ROW ? 0 : -1;
}

/* ---- the newest of a kind */

static void
add_latest(struct text *t, const struct store_latest *what, bool is_refusals)
{
	const char *time = is_refusals ? "last_time" : "time";

	text_printf(t, "SELECT id, at, refused FROM (SELECT id, %s AS at, %d AS refused FROM %s WHERE %s >= ?1 AND %s <= ?2 AND (%s < ?2 OR id < ?3)",
		    time, is_refusals, is_refusals ? "refusals f" : "messages", time, time, time);
	if (what->only != 0)
		text_printf(t, " AND %s = ?5", column_of(what->only));
	if (what->unsigned_only)
		text_add(t, is_refusals ? " AND verdict = 'accept'" : " AND verdict IN ('accept', 'hold') AND signing <> 'signed'");
	if (what->stopped_only)
		text_add(t, " AND verdict NOT IN ('accept', 'discard')");
	if (is_refusals)
		text_add(t, " AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = f.id)");
	text_printf(t, " ORDER BY %s DESC, id DESC LIMIT ?4) AS %s", time, is_refusals ? "b" : "a");
}

void
latest_statement(const struct store_latest *what, struct text *t)
{
	add_latest(t, what, false);
	text_add(t, " UNION ALL ");
	add_latest(t, what, true);
	text_add(t, " ORDER BY at DESC, id DESC LIMIT ?4");
}

int
reader_latest(void *reader, const struct store_latest *what, int (*each)(void *context, const struct store_found *found),
	      void *context, const char **error_r)
{
	struct reader *r = reader;
	struct text sql = {0};
	struct db_query *q;
	enum db_result rc = DB_DONE;
	int i = 0, result = 0;

	latest_statement(what, &sql);
	if ((q = prepare(r, &sql, error_r)) == NULL)
		return -1;
	db_bind_int(q, &i, what->since);
	db_bind_int(q, &i, what->until);
	db_bind_text(q, &i, what->before_id);
	db_bind_int(q, &i, what->max);
	if (what->only != 0)
		db_bind_text(q, &i, what->name);
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		const struct store_found found = {.id = db_text(q, 0), .time = db_int(q, 1), .is_refusal = db_int(q, 2) != 0};

		result = each(context, &found);
	}
	if (rc != DB_DONE && rc != DB_ROW)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}

/* ---- the newest words of the log */

const char latest_replies[] =
	"SELECT " DELIVERY_COLUMNS ", m_id, m_app, m_tenant, m_sender FROM (SELECT d.*, coalesce(m.id, '') AS m_id, coalesce(m.app, '') AS m_app,"
	" coalesce(m.tenant, '') AS m_tenant, coalesce(m.sender, '') AS m_sender FROM"
	" (SELECT *, CASE WHEN status = 'sent' THEN '' ELSE (SELECT n.id FROM messages n WHERE n.queue_id = e.origin_id AND n.relay = e.relay"
	" AND n.time <= e.first_time + 999 ORDER BY n.time DESC LIMIT 1) END AS found FROM (SELECT * FROM deliveries WHERE time >= ?1 AND time < ?2"
	" ORDER BY time DESC LIMIT ?3) AS e) AS d LEFT JOIN messages m ON m.id = d.found) AS r ORDER BY time DESC, number DESC";

int
reader_replies(void *reader, int64_t since, int64_t until, int max, int (*each)(void *context, const struct store_reply *reply),
	       void *context, const char **error_r)
{
	struct reader *r = reader;
	int i = 0, result = reader_open_deliveries(r, error_r);
	struct db_query *q = result <= 0 ? NULL : db_prepare(reader_db(r), latest_replies);
	enum db_result rc = DB_DONE;

	if (result <= 0)
		return result == 0 ? STORE_NO_DELIVERIES : -1;
	result = q == NULL ? -1 : 0;
	if (q != NULL) {
		db_bind_int(q, &i, since);
		db_bind_int(q, &i, until);
		db_bind_int(q, &i, max);
	}
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		struct store_reply reply = {
			.message_id = db_text(q, DELIVERY_COLUMN_COUNT), .app = db_text(q, DELIVERY_COLUMN_COUNT + 1),
			.tenant = db_text(q, DELIVERY_COLUMN_COUNT + 2), .sender = db_text(q, DELIVERY_COLUMN_COUNT + 3),
		};

		reader_read_delivery(q, reply.tenant, &reply.d);
		result = each(context, &reply);
	}
	if (rc != DB_DONE && rc != DB_ROW)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}
