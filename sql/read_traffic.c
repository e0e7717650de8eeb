/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Traffic as readers see it: sums of the roll-ups, or of the rows where no roll-up has what
 * is asked for. The statement is put together here from constant pieces.
 */
#include "base/text.h"
#include "sql/read-private.h"

#define HOUR_MS 3600000

/* What is told apart, in the order of enum store_traffic_by. */
static const char *const parts[] = {
	"hour", "relay", "app", "tenant", "department", "method", "verdict", "reason", "signing", "sender", "client",
};
#define PARTS (int)(sizeof parts / sizeof parts[0])
#define OF_ROWS (STORE_TRAFFIC_SENDER | STORE_TRAFFIC_CLIENT)

#define WENT "CASE WHEN verdict IN ('accept', 'hold') THEN "
#define IF_VERDICT(v) ", sum(CASE WHEN verdict = '" v "' THEN messages ELSE 0 END)"
/* In the order of read_sum(). */
static const char sums[] =
	"sum(messages) AS n" IF_VERDICT("accept") IF_VERDICT("hold") IF_VERDICT("defer") IF_VERDICT("reject") IF_VERDICT("discard")
	", sum(counted), sum(CASE WHEN would <> verdict OR would_reason <> reason THEN messages ELSE 0 END)"
	", sum(CASE WHEN verdict IN ('accept', 'hold') AND signing <> 'signed' THEN messages ELSE 0 END)"
	", sum(" WENT "recipients ELSE 0 END), sum(" WENT "external ELSE 0 END), sum(" WENT "bytes ELSE 0 END)"
	", min(first_time), max(last_time), sum(decide_us)"
	", sum(within_1ms), sum(within_2ms), sum(within_5ms), sum(within_10ms), sum(within_50ms), sum(within_250ms), sum(within_1s)";

/* The same places, of which most are 0: what a chart needs. */
static const char brief_sums[] =
	"sum(messages) AS n" IF_VERDICT("accept") IF_VERDICT("hold") IF_VERDICT("defer") IF_VERDICT("reject") IF_VERDICT("discard")
	", 0, 0, 0, 0, 0, 0, min(first_time), max(last_time), 0, 0, 0, 0, 0, 0, 0, 0";

/* Not all columns: those that no roll-up of a row needs are left out. A count's last one came within
 * an hour of its first, and only that has an index. */
static const char rows_of_messages[] =
	"(SELECT time - time % 3600000 AS hour, relay, app, tenant, department, method, verdict, reason, would, would_reason,"
	" signing, sender, client, 1 AS messages, 0 AS counted, recipients, external, size AS bytes, time AS first_time,"
	" time AS last_time, decide_us, 0 AS within_1ms, 0 AS within_2ms, 0 AS within_5ms, 0 AS within_10ms, 0 AS within_50ms,"
	" 0 AS within_250ms, 0 AS within_1s FROM messages m WHERE time >= ?1 AND time < ?2 AND (verdict NOT IN ('defer', 'reject')"
	" OR NOT EXISTS (SELECT 1 FROM refusals f WHERE f.id = m.id AND f.reason = m.reason AND f.stage = m.stage))";
static const char rows_of_refusals[] =
	" UNION ALL SELECT first_time - first_time % 3600000, relay, app, tenant, department, method, verdict, reason, verdict,"
	" reason, '', sender, client, count, count, 0, 0, 0, first_time, last_time, 0, 0, 0, 0, 0, 0, 0, 0 FROM refusals"
	" WHERE last_time >= ?1 AND last_time < ?2 + 3600000 AND first_time >= ?1 AND first_time < ?2";

static void
add_part(struct text *t, const struct store_traffic_query *what, int i)
{
	int64_t step = what->step_ms == 0 ? HOUR_MS : what->step_ms;

	if ((what->by & 1u << i) == 0)
		text_add(t, i == 0 ? "0" : "''");
	else if (i == 0)
		text_printf(t, "hour - hour %% %lld", (long long)step);
	else
		text_printf(t, "coalesce(%s, '')", parts[i]);
}

static const char *
part_name(unsigned only)
{
	for (int i = 0; i < PARTS; i++)
		if (only == 1u << i)
			return parts[i];
	return parts[0];
}

/* What of a table is meant; the name is parameter `number`. */
static void
add_filter(struct text *t, const struct store_traffic_query *what, int number, bool is_refusals)
{
	if (what->only != 0)
		text_printf(t, " AND %s = ?%d", part_name(what->only), number);
	if (what->unsigned_only)
		text_add(t, is_refusals ? " AND verdict = 'accept'" : " AND verdict IN ('accept', 'hold') AND signing <> 'signed'");
}

static void
add_from(struct text *t, const struct store_traffic_query *what)
{
	if (((what->by | what->only) & OF_ROWS) != 0) {
		text_add(t, rows_of_messages);
		add_filter(t, what, 3, false);
		text_add(t, rows_of_refusals);
		add_filter(t, what, 3, true);
		text_add(t, ") AS r");
		return;
	}
	text_add(t, "hours");
	text_add(t, what->ever ? " WHERE hour = 0" : " WHERE hour >= ?1 AND hour < ?2");
	add_filter(t, what, what->ever ? 1 : 3, false);
}

void
traffic_statement(const struct store_traffic_query *what, struct text *t)
{
	const char *before = " GROUP BY ";

	text_add(t, "SELECT ");
	for (int i = 0; i < PARTS; i++) {
		add_part(t, what, i);
		text_add(t, ", ");
	}
	text_printf(t, "%s FROM ", what->brief ? brief_sums : sums);
	add_from(t, what);
	for (int i = 0; i < PARTS; i++)
		if ((what->by & 1u << i) != 0) {
			text_printf(t, "%s%d", before, i + 1);
			before = ", ";
		}
	text_add(t, (what->by & STORE_TRAFFIC_HOUR) != 0 ? " ORDER BY 1, n DESC" : " ORDER BY n DESC");
	for (int i = 1; i < PARTS; i++)
		if ((what->by & 1u << i) != 0)
			text_printf(t, ", %d", i + 1);
	if (what->max > 0)
		text_printf(t, " LIMIT %d", what->max);
}

static void
read_sum(struct db_query *q, struct store_traffic *s)
{
	const char **const texts[] = {
		&s->relay, &s->app, &s->tenant, &s->department, &s->method, &s->verdict, &s->reason, &s->signing, &s->sender,
		&s->client,
	};
	uint64_t *const numbers[] = {
		&s->messages, &s->accepted, &s->held, &s->deferred, &s->rejected, &s->discarded, &s->counted, &s->on_trial,
		&s->is_unsigned, &s->recipients, &s->external, &s->bytes,
	};
	int i = 0;

	s->hour = db_int(q, i++);
	for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
		*texts[k] = db_text(q, i++);
	for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++)
		*numbers[k] = (uint64_t)db_int(q, i++);
	s->first = db_int(q, i++);
	s->last = db_int(q, i++);
	s->decide_us = (uint64_t)db_int(q, i++);
	for (int k = 0; k < STORE_TRAFFIC_BUCKETS; k++)
		s->within[k] = (uint64_t)db_int(q, i++);
}

int
reader_traffic(void *reader, const struct store_traffic_query *what,
	       int (*each)(void *context, const struct store_traffic *t), void *context, const char **error_r)
{
	struct reader *r = reader;
	struct text sql = {0};
	struct db_query *q = NULL;
	struct store_traffic s;
	enum db_result rc = DB_DONE;
	int i = 0, result = -1;

	traffic_statement(what, &sql);
	*error_r = "memory is short";
	if (!sql.failed && (q = db_prepare(reader_db(r), text_string(&sql))) == NULL)
		*error_r = db_error(r->db);
	text_free(&sql);
	if (q != NULL && !what->ever) {
		db_bind_int(q, &i, what->since > 0 ? what->since : 1); /* hour 0 is all time */
		db_bind_int(q, &i, what->until);
	}
	if (q != NULL && what->only != 0)
		db_bind_text(q, &i, what->name);
	if (q != NULL)
		result = 0;
	while (result == 0 && (rc = db_step(q)) == DB_ROW) {
		read_sum(q, &s);
		if (s.messages > 0) /* a sum of nothing is a row as well */
			result = each(context, &s);
	}
	if (rc != DB_DONE && rc != DB_ROW) {
		*error_r = db_error(r->db);
		result = -1;
	}
	db_finalize(&q);
	return result;
}
