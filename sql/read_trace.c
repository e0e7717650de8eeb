/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a trace asks: which messages, and what became of one. The follower's file is attached when it is
 * first asked for, read-only as the connection is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "sql/read-private.h"

/* The stamps of logs have no part of a second. */
#define SLACK_MS 999

/* The newest of one way to be found. ?1 what, ?2 since, ?3 until, ?4 how many, ?5 the least id of that time. */
#define NEWEST(from, where, time) \
	"SELECT id, at, refused FROM (SELECT id, " time " AS at, " from " WHERE " where " AND " time " >= ?2 AND " time " < ?3" \
	" ORDER BY " time " DESC LIMIT ?4) AS a"
#define REFUSED_ALONE " AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = f.id)"
#define ORDER " ORDER BY at DESC, id DESC LIMIT ?4"

const char trace_by_queue_id[] =
	NEWEST("0 AS refused FROM messages", "queue_id = ?1", "time") " UNION "
	NEWEST("1 AS refused FROM refusals f", "queue_id = ?1 AND queue_id <> ''" REFUSED_ALONE, "last_time") ORDER;
const char trace_by_address[] =
	NEWEST("0 AS refused FROM messages", "sender = ?1", "time") " UNION "
	NEWEST("0 AS refused FROM messages", "header_from = ?1 AND header_from <> sender", "time") " UNION "
	"SELECT id, time AS at, 0 AS refused FROM (SELECT DISTINCT message_id FROM recipients WHERE address = ?1 AND message_id >= ?5"
	" ORDER BY message_id DESC LIMIT ?4) AS r JOIN messages ON id = r.message_id WHERE time >= ?2 AND time < ?3 UNION "
	NEWEST("1 AS refused FROM refusals f", "sender = ?1" REFUSED_ALONE, "last_time") " UNION "
	NEWEST("1 AS refused FROM refusals f", "recipient = ?1" REFUSED_ALONE, "last_time") ORDER;
const char trace_deliveries[] =
	"SELECT " DELIVERY_COLUMNS " FROM deliveries WHERE relay = ?1 AND queue_id = ?2 AND origin_id = queue_id AND first_time + 999 >= ?3 AND first_time + 999 < ?4"
	" UNION ALL SELECT " DELIVERY_COLUMNS " FROM deliveries WHERE relay = ?1 AND origin_id = ?2 AND origin_id <> queue_id AND first_time + 999 >= ?3"
	" AND first_time + 999 < ?4 ORDER BY 11, 1, 12";
_Static_assert(SLACK_MS == 999, "as in the statement and in the views");

int
reader_find(void *reader, const struct store_find *what, int (*each)(void *context, const struct store_found *found), void *context,
	    const char **error_r)
{
	static const uint8_t none[ID_RANDOM_OCTETS];
	const char *by = what->queue_id != NULL ? what->queue_id : what->address;
	struct id least = id_make(what->since, none);
	struct reader *r = reader;
	struct db_query *q = db_prepare(reader_db(r), what->queue_id != NULL ? trace_by_queue_id : trace_by_address);
	enum db_result rc = DB_DONE;
	int i = 0, result = q == NULL ? -1 : 0;

	if (q != NULL) {
		db_bind_text(q, &i, by);
		db_bind_int(q, &i, what->since);
		db_bind_int(q, &i, what->until);
		db_bind_int(q, &i, what->max);
		if (what->queue_id == NULL)
			db_bind_text(q, &i, least.s);
	}
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		const struct store_found found = {.id = db_text(q, 0), .time = db_int(q, 1), .is_refusal = db_int(q, 2) != 0};

		result = each(context, &found);
	}
	if (rc == DB_FAILED)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}

static enum db_result
attach(struct db *db, const char *path)
{
	struct db_query *q = db_prepare(db, "ATTACH DATABASE ? AS follower");
	enum db_result rc = DB_FAILED;
	int i = 0;

	if (q != NULL) {
		db_bind_text(q, &i, path);
		rc = db_run(q);
	}
	db_finalize(&q);
	return rc;
}

int
reader_open_deliveries(struct reader *r, const char **error_r)
{
	const char *path = r->deliveries + strlen("sqlite:");

	if (r->has_deliveries || strncmp(r->deliveries, "sqlite:", 7) != 0)
		return 1;
	if (access(path, R_OK) != 0) {
		*error_r = strerror(errno);
		return errno == ENOENT ? 0 : -1;
	}
	if (attach(reader_db(r), path) != DB_DONE) {
		*error_r = db_error(r->db);
		return -1;
	}
	*error_r = deliveries_file_check(db_number(r->db, "PRAGMA follower.user_version"));
	if (*error_r != NULL)
		return -1;
	r->has_deliveries = db_number(r->db, "PRAGMA follower.user_version") == DELIVERIES_VERSION;
	if (!r->has_deliveries) /* it is being made */
		(void)db_exec(r->db, "DETACH DATABASE follower");
	return r->has_deliveries;
}

/* When the MTA gave this queue id to another message. */
static int64_t
next_time(struct reader *r, const struct record *m)
{
	struct db_query *q = db_prepare(reader_db(r), "SELECT time FROM messages WHERE queue_id = ? AND relay = ? AND time > ? ORDER BY time LIMIT 1");
	int64_t time = INT64_MAX;
	enum db_result rc = DB_FAILED;
	int i = 0;

	if (q != NULL) {
		db_bind_text(q, &i, m->queue_id);
		db_bind_text(q, &i, m->relay);
		db_bind_int(q, &i, m->time);
		rc = db_step(q);
		if (rc == DB_ROW)
			time = db_int(q, 0);
	}
	db_finalize(&q);
	return rc == DB_FAILED ? -1 : time;
}

bool
deliveries_is_of(const char *next_hop_of, const char *tenant)
{
	size_t len = strlen(tenant);

	for (const char *s = next_hop_of; len > 0 && (s = strstr(s, tenant)) != NULL; s++)
		if (s > next_hop_of && s[-1] == ',' && s[len] == ',')
			return true;
	return false;
}

void
reader_read_delivery(struct db_query *q, const char *tenant, struct store_delivery *d)
{
	const char **const texts[] = {&d->recipient, &d->original, &d->status, &d->dsn, &d->next_hop, &d->tls, &d->reply, &d->queue_id,
				      &d->instance, &d->next_hop_of};
	int64_t *const numbers[] = {&d->first_time, &d->time, &d->delay_ms, &d->attempts, &d->closed};
	const int n = sizeof texts / sizeof texts[0];

	for (int i = 0; i < n; i++)
		*texts[i] = db_text(q, i);
	for (int i = 0; i < 5; i++)
		*numbers[i] = db_int(q, n + i);
	d->is_believed = deliveries_is_of(d->next_hop_of, tenant);
}

int
reader_deliveries(void *reader, const struct record *m, int (*each)(void *context, const struct store_delivery *d), void *context,
		  const char **error_r)
{
	struct reader *r = reader;
	int64_t next = m->queue_id[0] == '\0' ? 0 : next_time(r, m);
	struct db_query *q = NULL;
	enum db_result rc = DB_DONE;
	int i = 0, result = reader_open_deliveries(r, error_r);

	if (result <= 0)
		return result == 0 ? STORE_NO_DELIVERIES : -1;
	if (m->queue_id[0] == '\0')
		return 0;
	q = next < 0 ? NULL : db_prepare(reader_db(r), trace_deliveries);
	result = q == NULL ? -1 : 0;
	if (q != NULL) {
		db_bind_text(q, &i, m->relay);
		db_bind_text(q, &i, m->queue_id);
		db_bind_int(q, &i, m->time);
		db_bind_int(q, &i, next);
	}
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		struct store_delivery d;

		reader_read_delivery(q, m->tenant, &d);
		result = each(context, &d);
	}
	if (rc == DB_FAILED)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}
