/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Held mail as its readers see it: the releaser, and who asks what waits.
 */
#include "sql/read-private.h"

static void
read_row(struct db_query *q, struct store_held *h)
{
	const char **const texts[] = {
		&h->id, &h->relay, &h->queue_id, &h->app, &h->tenant, &h->state, &h->who, &h->limit, &h->key,
		&h->reason, &h->sender,
	};
	int64_t *const numbers[] = { &h->held_time, &h->granted_time, &h->released_time };
	const int n = sizeof texts / sizeof texts[0];

	for (int i = 0; i < n; i++)
		*texts[i] = db_text(q, i);
	for (int i = 0; i < 3; i++)
		*numbers[i] = db_int(q, n + i);
	h->is_superseded = db_int(q, n + 3) != 0;
}

#define COLUMNS "SELECT h.message_id, h.relay, h.queue_id, h.app, h.tenant, h.state, h.who," \
		" l.name, l.key, m.reason, m.sender, h.held_time, h.granted_time, h.released_time, EXISTS (SELECT 1 FROM held n" \
		" WHERE n.relay = h.relay AND n.queue_id = h.queue_id AND n.number > h.number)" \
		" FROM held h LEFT JOIN limits l ON l.id = h.limit_id LEFT JOIN messages m ON m.id = h.message_id"

/* All rows of a query whose parameters are bound. */
static int
read_rows(struct db_query *q, int (*each)(void *context, const struct store_held *held), void *context)
{
	enum db_result rc;
	int result = 0;

	while (result == 0 && (rc = db_step(q)) != DB_DONE) {
		struct store_held h;

		if (rc == DB_ROW)
			read_row(q, &h);
		result = rc == DB_ROW ? each(context, &h) : -1;
	}
	db_reset(q);
	return result;
}

/* Those of one relay in one state. */
static int
read_relay(struct db_query *q, const char *relay, const char *state,
	   int (*each)(void *context, const struct store_held *held), void *context)
{
	int i = 0;

	db_bind_text(q, &i, relay);
	db_bind_text(q, &i, state);
	return read_rows(q, each, context);
}

int
reader_held_one(void *reader, const char *id, int (*each)(void *context, const struct store_held *held), void *context,
		const char **error_r)
{
	struct reader *r = reader;
	struct db_query *q = db_prepare(reader_db(r), COLUMNS " WHERE h.message_id = ?");
	int i = 0, result = -1;

	if (q != NULL) {
		db_bind_text(q, &i, id);
		result = read_rows(q, each, context);
	}
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}

int
reader_held(void *reader, const char *relay, const char *state,
	    int (*each)(void *context, const struct store_held *held), void *context, const char **error_r)
{
	struct reader *r = reader;
	struct db_query *q = db_prepare(reader_db(r), COLUMNS " WHERE h.relay = ? AND h.state = ? ORDER BY h.number");
	char name[HELD_RELAY_SIZE] = "";
	enum db_result rc = DB_DONE;
	int result = q == NULL ? -1 : 0;

	if (result == 0 && relay != NULL)
		result = read_relay(q, relay, state, each, context);
	while (result == 0 && relay == NULL && (rc = held_next_relay(r->db, name)) == DB_DONE && name[0] != '\0')
		result = read_relay(q, name, state, each, context);
	if (rc == DB_FAILED)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}

static int
count_relay(struct db_query *q, const char *relay,
	    int (*each)(void *context, const struct store_holding *h), void *context)
{
	enum db_result rc = DB_DONE;
	int i = 0, result = 0;

	db_bind_text(q, &i, relay);
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		const struct store_holding h = {relay, db_text(q, 0), db_text(q, 1), (uint64_t)db_int(q, 2)};

		result = each(context, &h);
	}
	db_reset(q);
	return rc == DB_FAILED ? -1 : result;
}

/* Relay by relay, as the index has it: what has left is not looked at. */
int
reader_holding(void *reader, int (*each)(void *context, const struct store_holding *h), void *context,
	       const char **error_r)
{
	struct reader *r = reader;
	struct db_query *q = db_prepare(reader_db(r), "SELECT app, state, count(*) FROM held WHERE relay = ?"
					" AND state IN ('waiting', 'kept', 'granted', 'missing') GROUP BY app, state ORDER BY app, state");
	char relay[HELD_RELAY_SIZE] = "";
	int result = q == NULL ? -1 : 0;

	while (result == 0) {
		if (held_next_relay(r->db, relay) != DB_DONE)
			result = -1;
		if (result != 0 || relay[0] == '\0')
			break;
		result = count_relay(q, relay, each, context);
	}
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}

int
reader_left(void *reader, int64_t since, int (*each)(void *context, const struct store_left *left), void *context,
	    const char **error_r)
{
	struct reader *r = reader;
	struct db_query *q = db_prepare(reader_db(r), "SELECT h.relay, h.app, h.state, l.name, l.key,"
		" CASE WHEN l.name IS NULL THEN m.reason ELSE '' END, count(*) FROM held h"
		" LEFT JOIN limits l ON l.id = h.limit_id LEFT JOIN messages m ON m.id = h.message_id"
		" WHERE h.released_time >= ? AND h.released_time > 0 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 4, 5, 6, 2, 3");
	enum db_result rc = DB_DONE;
	int i = 0, result = q == NULL ? -1 : 0;

	if (q != NULL)
		db_bind_int(q, &i, since);
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		const struct store_left left = {
			.relay = db_text(q, 0), .app = db_text(q, 1), .state = db_text(q, 2), .limit = db_text(q, 3),
			.key = db_text(q, 4), .reason = db_text(q, 5), .count = db_int(q, 6),
		};

		result = each(context, &left);
	}
	if (rc == DB_FAILED)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}
