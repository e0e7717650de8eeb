/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Limits as readers see them: what is used, by whom, what was added for a time, and
 * what happened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "sql/read-private.h"

int
counter_queries_open(struct reader *r, struct counter_queries *q)
{
	q->find = db_prepare(r->db, "SELECT id, " STATE_COLUMNS " FROM limits WHERE scope = ? AND unit = ?"
			     " AND period = ? AND key = ?");
	q->slots = db_prepare(r->db, "SELECT slot, used FROM limit_use WHERE limit_id = ? ORDER BY slot");
	q->waiting = db_prepare(r->db, "SELECT count(*) FROM held_charges WHERE limit_id = ? AND over = 1 AND granted = 0");
	return q->find == NULL || q->slots == NULL || q->waiting == NULL ? -1 : 0;
}

void
counter_queries_close(struct counter_queries *q)
{
	db_finalize(&q->find);
	db_finalize(&q->slots);
	db_finalize(&q->waiting);
}

/* Its number, 0 where it is not stored, -1 on error. */
static int64_t
find(struct db_query *q, const struct charge *c, struct counter_state *state)
{
	int64_t id = 0;
	enum db_result rc;
	int i = 0;

	db_bind_text(q, &i, c->scope);
	db_bind_int(q, &i, (int64_t)c->unit);
	db_bind_int(q, &i, c->period);
	db_bind_text(q, &i, c->key);
	if ((rc = db_step(q)) == DB_ROW) {
		id = db_int(q, 0);
		rows_read_state(q, 1, state);
	}
	db_reset(q);
	return rc == DB_ROW || rc == DB_DONE ? id : -1;
}

int
counter_read(struct counter_queries *q, const struct charge *c, struct window *w, struct counter_state *state)
{
	enum db_result rc;
	int64_t id;
	int i = 0;

	*w = (struct window){0};
	*state = (struct counter_state){0};
	if ((id = find(q->find, c, state)) <= 0)
		return (int)id;
	db_bind_int(q->slots, &i, id);
	while ((rc = db_step(q->slots)) == DB_ROW)
		window_add(w, db_int(q->slots, 0), (uint64_t)db_int(q->slots, 1));
	db_reset(q->slots);
	if (rc != DB_DONE)
		return -1;
	i = 0;
	db_bind_int(q->waiting, &i, id);
	if ((rc = db_step(q->waiting)) == DB_ROW)
		state->waiting = (uint64_t)db_int(q->waiting, 0);
	db_reset(q->waiting);
	return rc == DB_ROW ? 0 : -1;
}

/* The limits' clock and that of the wall are not read at once. */
static int64_t
to_second(int64_t ms)
{
	return (ms + 500) / 1000 * 1000;
}

/* ---- all counters */

/* How many wait for a counter, by its number. */
struct waiting {
	int64_t id;
	uint64_t n;
};

struct counters {
	struct waiting *waiting;
	size_t n_waiting;
	int64_t now, wall;
	int (*each)(void *context, const struct store_counter *c);
	void *context;
	struct arena *arena;
	struct store_counter counter;
	int64_t id;               /* of the counter being read, 0: none */
	int64_t boost_until;      /* of the limits' clock */
};

static int
read_waiting(struct reader *r, struct counters *x)
{
	struct db_query *q = db_prepare(r->db, "SELECT limit_id, count(*) FROM held_charges WHERE over = 1 AND granted = 0"
					" GROUP BY limit_id ORDER BY limit_id");
	enum db_result rc = DB_FAILED;
	size_t room = 0;

	while (q != NULL && (rc = db_step(q)) == DB_ROW) {
		if (x->n_waiting == room) {
			struct waiting *more = arena_array(x->arena, room = room == 0 ? 64 : 2 * room, sizeof *more);

			if (more == NULL)
				break;
			if (x->n_waiting > 0)
				memcpy(more, x->waiting, x->n_waiting * sizeof *more);
			x->waiting = more;
		}
		x->waiting[x->n_waiting++] = (struct waiting){db_int(q, 0), (uint64_t)db_int(q, 1)};
	}
	db_finalize(&q);
	return rc == DB_DONE ? 0 : -1;
}

static int
compare_waiting(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static uint64_t
waiting_for(const struct counters *x, int64_t id)
{
	const struct waiting key = {.id = id}, *found;

	if (x->n_waiting == 0)
		return 0;
	found = bsearch(&key, x->waiting, x->n_waiting, sizeof key, compare_waiting);
	return found == NULL ? 0 : found->n;
}

/* Hands out the counter that has been read, if it says something. */
static int
end_counter(struct counters *x)
{
	struct store_counter *c = &x->counter;
	bool says;

	if (x->id == 0)
		return 0;
	c->waiting = waiting_for(x, x->id);
	c->now_ms = x->now;
	if (x->boost_until <= x->now)
		c->boost = 0;
	c->boost_until = c->boost == 0 ? 0 : to_second(x->wall + (x->boost_until - x->now));
	says = c->boost > 0 || c->waiting > 0 || c->is_reached ||
	       window_used(&c->window, window_slot(x->now, c->period)) > 0;
	x->id = 0;
	return says ? x->each(x->context, c) : 0;
}

/* A row: one slot of a counter, or a counter without. */
static int
counter_row(struct counters *x, struct db_query *q, struct arena *names)
{
	int rc = 0;

	if (db_int(q, 0) != x->id) {
		rc = end_counter(x);
		arena_reset(names);
		x->id = db_int(q, 0);
		x->boost_until = db_int(q, 8);
		x->counter = (struct store_counter){
			.scope = arena_string(names, db_text(q, 1)), .unit = (enum unit)db_int(q, 2),
			.period = (uint32_t)db_int(q, 3), .key = arena_string(names, db_text(q, 4)),
			.name = arena_string(names, db_text(q, 5)), .count = (uint64_t)db_int(q, 6),
			.boost = (uint64_t)db_int(q, 7), .is_reached = db_int(q, 9) > 0,
		};
	}
	if (db_text(q, 10)[0] != '\0')
		window_add(&x->counter.window, db_int(q, 10), (uint64_t)db_int(q, 11));
	return rc;
}

int
reader_counters(void *reader, const struct clock *clock, int (*each)(void *context, const struct store_counter *c),
		void *context, const char **error_r)
{
	struct reader *r = reader;
	struct counters x = {
		.each = each, .context = context, .arena = arena_new(0), .now = reader_now(r, clock),
		.wall = clock->wall_ms(clock->context),
	};
	struct arena *names = arena_new(0);
	struct db_query *q = db_prepare_large(r->db, "SELECT l.id, l.scope, l.unit, l.period, l.key, l.name, l.count, l.boost,"
		" l.boost_until, l.need, u.slot, u.used FROM limits l LEFT JOIN limit_use u ON u.limit_id = l.id"
		" ORDER BY l.id, u.slot");
	enum db_result step = DB_FAILED;
	int rc = x.arena == NULL || names == NULL || q == NULL || x.now < 0 ? -1 : read_waiting(r, &x);

	while (rc == 0 && (step = db_step(q)) == DB_ROW)
		rc = counter_row(&x, q, names);
	if (rc == 0)
		rc = step == DB_DONE ? end_counter(&x) : -1;
	if (rc == -1)
		*error_r = x.arena == NULL || names == NULL || arena_failed(x.arena) || arena_failed(names)
			   ? "memory is short" : db_error(r->db);
	db_finalize(&q);
	arena_free(&names);
	arena_free(&x.arena);
	return rc;
}

/* ---- who spends */

static const char *const spent_by[] = {
	[STORE_BY_APP] = "m.app", [STORE_BY_SENDER] = "m.sender", [STORE_BY_CLIENT] = "m.client",
};

/* With an app its messages are walked, otherwise all of the time; since the last reset.
 * CROSS JOIN: SQLite would walk the charges of all of the audit. */
static struct db_query *
prepare_spenders(struct reader *r, const struct store_spent *what)
{
	char sql[600];

	snprintf(sql, sizeof sql, "SELECT %s, sum(c.amount) FROM messages m CROSS JOIN charges c"
		 " WHERE c.message_id = m.id AND m.time >= ?1 AND m.time >= coalesce((SELECT max(applied_time) FROM acts WHERE what = 'reset'"
		 " AND limit_name = ?2 AND key = ?3), 0)%s AND c.name = ?2 AND c.key = ?3 AND c.charged = 1"
		 " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?4", spent_by[what->by], what->app[0] == '\0' ? "" : " AND m.app = ?5");
	return db_prepare(r->db, sql);
}

int
reader_spenders(void *reader, const struct store_spent *what,
		int (*each)(void *context, const char *who, uint64_t amount), void *context, const char **error_r)
{
	struct reader *r = reader;
	struct db_query *q = prepare_spenders(r, what);
	enum db_result step = DB_FAILED;
	int i = 0, rc = q == NULL ? -1 : 0;

	if (q != NULL) {
		db_bind_int(q, &i, what->since);
		db_bind_text(q, &i, what->name);
		db_bind_text(q, &i, what->key);
		db_bind_int(q, &i, what->max);
		if (what->app[0] != '\0')
			db_bind_text(q, &i, what->app);
	}
	while (rc == 0 && (step = db_step(q)) == DB_ROW)
		rc = each(context, db_text(q, 0), (uint64_t)db_int(q, 1));
	if (rc == 0 && step != DB_DONE)
		rc = -1;
	if (rc == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return rc;
}

/* ---- boosts and events */

int
reader_boosts(void *reader, const struct clock *clock, int (*each)(void *context, const struct store_boost *b),
	      void *context, const char **error_r)
{
	struct reader *r = reader;
	int64_t now = reader_now(r, clock), wall = clock->wall_ms(clock->context);
	struct db_query *q = db_prepare(r->db, "SELECT l.name, l.key, l.scope, l.unit, l.period, l.count, l.boost, l.boost_until,"
		" a.who, a.applied_time FROM limits l LEFT JOIN acts a ON a.id = l.boost_act"
		" WHERE l.boost > 0 AND l.boost_until > ? ORDER BY l.name, l.key");
	enum db_result step = DB_FAILED;
	int i = 0, rc = q == NULL || now < 0 ? -1 : 0;

	if (q != NULL)
		db_bind_int(q, &i, now);
	while (rc == 0 && (step = db_step(q)) == DB_ROW) {
		const struct store_boost b = {
			.name = db_text(q, 0), .key = db_text(q, 1), .scope = db_text(q, 2), .unit = (enum unit)db_int(q, 3),
			.period = (uint32_t)db_int(q, 4), .count = (uint64_t)db_int(q, 5), .boost = (uint64_t)db_int(q, 6),
			.until = to_second(wall + (db_int(q, 7) - now)), .who = db_text(q, 8), .time = db_int(q, 9),
		};

		rc = each(context, &b);
	}
	if (rc == 0 && step != DB_DONE)
		rc = -1;
	if (rc == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return rc;
}

static struct store_event
read_event(struct db_query *q)
{
	return (struct store_event){
		.number = db_int(q, 0), .time = db_int(q, 1), .relay = db_text(q, 2), .kind = db_text(q, 3),
		.name = db_text(q, 4), .scope = db_text(q, 5), .key = db_text(q, 6), .unit = (enum unit)db_int(q, 7),
		.period = (uint32_t)db_int(q, 8), .used = (uint64_t)db_int(q, 9), .count = (uint64_t)db_int(q, 10),
		.boost = (uint64_t)db_int(q, 11), .over = (enum over)db_int(q, 12), .mode = db_text(q, 13),
		.app = db_text(q, 14), .tenant = db_text(q, 15), .message_id = db_text(q, 16),
	};
}

int
reader_events(void *reader, const char *relay, int64_t after,
	      int (*each)(void *context, const struct store_event *e), void *context, const char **error_r)
{
	struct reader *r = reader;
	struct db_query *q = db_prepare(r->db, "SELECT number, time, relay, kind, limit_name, scope, key, unit, period, used, count,"
		" boost, over, mode, app, tenant, message_id FROM events"
		" WHERE number > ?1 AND (relay = ?2 OR ?2 = '') ORDER BY number");
	enum db_result step = DB_FAILED;
	int i = 0, rc = q == NULL ? -1 : 0;

	if (q != NULL) {
		db_bind_int(q, &i, after);
		db_bind_text(q, &i, relay);
	}
	while (rc == 0 && (step = db_step(q)) == DB_ROW) {
		const struct store_event e = read_event(q);

		rc = each(context, &e);
	}
	if (rc == 0 && step != DB_DONE)
		rc = -1;
	if (rc == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return rc;
}

int64_t
reader_last_event(void *reader)
{
	struct reader *r = reader;

	return db_number(r->db, "SELECT coalesce(max(number), 0) FROM events");
}
