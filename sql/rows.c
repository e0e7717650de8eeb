/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rows of one batch: messages and their parts, charges, refusals, policies.
 */
#include <string.h>

#include "base/crash.h"
#include "sql/backend-private.h"
#include "sql/hours.h"

#define MESSAGE_COLUMNS \
	"id, time, relay, queue_id, stage, verdict, reason, code, enhanced, text, would, would_reason, would_text, mode, " \
	"app, tenant, method, department, client, client_name, helo, login, tls, certificate, certificate_issuer, " \
	"picked_up, sender, sender_domain, header_from, header_from_domain, header_sender, subject, message_id, form, " \
	"size, recipients, internal, external, local, signing, stripped, policy, trace, decide_us"

/* The parts of a message replace what a message of the same id left behind. */
static const char *const statements[STATEMENTS] = {
	[MESSAGE] = "INSERT INTO messages (" MESSAGE_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
		"?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING",
	[RECIPIENT] = "INSERT INTO recipients VALUES (?,?,?,?,?,?,?) ON CONFLICT (message_id, number) DO UPDATE SET"
		" address = excluded.address, domain = excluded.domain, place = excluded.place,"
		" accepted = excluded.accepted, reason = excluded.reason",
	[SIGNATURE] = "INSERT INTO signatures VALUES (?,?,?,?,?,?) ON CONFLICT (message_id, number) DO UPDATE SET"
		" domain = excluded.domain, selector = excluded.selector, algorithm = excluded.algorithm,"
		" result = excluded.result",
	[CHARGE] = "INSERT INTO charges VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (message_id, number) DO UPDATE SET"
		" name = excluded.name, key = excluded.key, amount = excluded.amount, used_before = excluded.used_before,"
		" count = excluded.count, over = excluded.over, exceeded = excluded.exceeded, charged = excluded.charged",
	[RULE] = "INSERT INTO rule_matches VALUES (?,?,?,?,?,?,?) ON CONFLICT (message_id, number) DO UPDATE SET"
		" rule = excluded.rule, action = excluded.action, mode = excluded.mode, answer = excluded.answer,"
		" decided = excluded.decided",
	[POLICY_RULE] = "INSERT INTO policy_rules VALUES (?,?,?,?) ON CONFLICT DO NOTHING",
	[REFUSAL] = "INSERT INTO refusals VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
		" ON CONFLICT (id, reason, stage) DO UPDATE SET count = refusals.count + excluded.count,"
		" last_time = CASE WHEN refusals.last_time > excluded.last_time THEN refusals.last_time"
		" ELSE excluded.last_time END",
	[LIMIT_FIND] = "SELECT id, " STATE_COLUMNS " FROM limits WHERE scope=? AND unit=? AND period=? AND key=?",
	[LIMIT_NEW] = "INSERT INTO limits (scope,unit,period,key,name,count) VALUES (?,?,?,?,?,?) RETURNING id",
	[LIMIT_COUNT] = "UPDATE limits SET name=?2, count=?3 WHERE id=?1"
		" AND (name IS DISTINCT FROM ?2 OR count IS DISTINCT FROM ?3)",
	[USE_READ] = "SELECT slot, used FROM limit_use WHERE limit_id=? ORDER BY slot",
	[USE_WRITE] = "INSERT INTO limit_use VALUES (?,?,?)"
		" ON CONFLICT (limit_id, slot) DO UPDATE SET used = excluded.used",
	[USE_PRUNE] = "DELETE FROM limit_use WHERE limit_id=? AND slot<?",
	[OLD_MESSAGES] = "SELECT id FROM messages WHERE time < ? AND NOT EXISTS (SELECT 1 FROM held"
		" WHERE held.message_id = messages.id AND state IN ('waiting', 'kept', 'granted')) ORDER BY time LIMIT ?",
	[DROP_MESSAGE] = "DELETE FROM messages WHERE id = ?",
	[DROP_RECIPIENTS] = "DELETE FROM recipients WHERE message_id = ?",
	[DROP_SIGNATURES] = "DELETE FROM signatures WHERE message_id = ?",
	[DROP_CHARGES] = "DELETE FROM charges WHERE message_id = ?",
	[DROP_RULES] = "DELETE FROM rule_matches WHERE message_id = ?",
	[DROP_REFUSALS] = "DELETE FROM refusals WHERE (id, reason, stage) IN"
		" (SELECT id, reason, stage FROM refusals WHERE last_time < ? LIMIT ?)",
	/* The counters after ?1, each with whether some slot of its window is used. */
	[FREE_LIMITS] = "SELECT id, CASE WHEN EXISTS (SELECT 1 FROM limit_use WHERE limit_id = id"
		" AND slot >= ?3 * 60 / (period * 1000) - 61)"
		" OR EXISTS (SELECT 1 FROM held_charges WHERE limit_id = id)"
		" OR boost_until > ?3 OR need > 0 OR near_time > ?4 OR reached_time > ?4 OR freed_time > ?4"
		" THEN 1 ELSE 0 END"
		" FROM limits WHERE id > ?1 ORDER BY id LIMIT ?2",
	[DROP_LIMIT] = "DELETE FROM limits WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM limit_use"
		" WHERE limit_id = ?1 AND slot >= ?2 * 60 / (period * 1000) - 61)"
		" AND NOT EXISTS (SELECT 1 FROM held_charges WHERE limit_id = ?1) AND boost_until <= ?2 AND need = 0 RETURNING id",
	[DROP_USE] = "DELETE FROM limit_use WHERE limit_id = ?",
	[ROLLBACK] = "ROLLBACK",
	[HELD_NEW] = "INSERT INTO held (message_id, relay, queue_id, app, tenant, limit_id, state, held_time)"
		" VALUES (?,?,?,?,?,?,?,?)",
	[HELD_CHARGE] = "INSERT INTO held_charges VALUES (?,?,?,?,?,0,?,?) ON CONFLICT (message_id, number) DO UPDATE SET"
		" limit_id = excluded.limit_id, amount = excluded.amount, over = excluded.over, granted = 0,"
		" kept = excluded.kept, reserves = excluded.reserves",
	[HELD_COUNT] = "SELECT count(*) FROM held_charges WHERE limit_id = ? AND over = 1 AND granted = 0",
	[HELD_ANY] = "SELECT 1 FROM held WHERE relay = ? AND state = 'waiting' LIMIT 1",
	/* A queue: those of one app that wait for one counter. */
	[HELD_QUEUE] = "SELECT limit_id, app FROM held WHERE relay = ? AND state = 'waiting' AND (limit_id, app) > (?, ?)"
		" ORDER BY limit_id, app LIMIT 1",
	[HELD_OLDEST] = "SELECT number, message_id, tenant FROM held WHERE relay = ? AND state = 'waiting' AND limit_id = ?"
		" AND app = ? AND held_time <= ? ORDER BY number LIMIT ?",
	[HELD_CHARGES] = "SELECT l.scope, l.unit, l.period, l.key, l.name, l.count, h.amount, h.over, h.kept, h.reserves"
		" FROM held_charges h JOIN limits l ON l.id = h.limit_id WHERE h.message_id = ? ORDER BY h.number",
	[HELD_GRANT] = "UPDATE held SET state = 'granted', granted_time = ?, who = ? WHERE message_id = ?",
	[HELD_GRANTED] = "UPDATE held_charges SET granted = ? WHERE message_id = ?",
	[HELD_CHARGED] = "UPDATE charges SET charged = 1 WHERE message_id = ?",
	/* What was granted and not confirmed; operators' grants aside. */
	[HELD_OUT] = "SELECT count(*), min(granted_time) FROM held WHERE relay = ? AND state = 'granted' AND who = ''",
	[HELD_STATE] = "SELECT state, app, tenant FROM held WHERE message_id = ?",
	[HELD_SET] = "UPDATE held SET state = ?, released_time = ? WHERE message_id = ?",
	[ACT_NEW] = "INSERT INTO acts (id, time, who, what, limit_name, key, amount, until, message_id, scope, unit, period,"
		" applied_time, result) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,'') ON CONFLICT DO NOTHING",
	[ACT_RESULT] = "UPDATE acts SET result = ? WHERE id = ?",
	[DROP_ACTS] = "DELETE FROM acts WHERE id IN (SELECT id FROM acts WHERE time < ?1 OR (time < ?2"
		" AND what IN ('released', 'missing', 'late', 'gone')) ORDER BY time LIMIT ?3)",
	[EVENT_NEW] = "INSERT INTO events (time, relay, kind, limit_name, scope, key, unit, period, used, count, boost,"
		" over, mode, app, tenant, message_id) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[EVENT_STATE] = "UPDATE limits SET name = ?, count = ?, near_time = ?, reached_time = ?, freed_time = ?,"
		" need = ?, free_time = ? WHERE id = ?",
	[EVENT_LOOK] = "SELECT id, scope, unit, period, key, name, count, need FROM limits"
		" WHERE need > 0 AND free_time <= ? ORDER BY free_time LIMIT ?",
	[EVENT_LAST] = "SELECT over, mode, app, tenant, message_id FROM events WHERE limit_name = ? AND key = ?"
		" AND scope = ? AND kind = 'reached' ORDER BY number DESC LIMIT 1",
	[EVENT_LATER] = "UPDATE limits SET free_time = ? WHERE id = ?",
	[EVENT_NEXT] = "SELECT min(free_time) FROM limits WHERE need > 0",
	[DROP_EVENTS] = "DELETE FROM events WHERE number IN (SELECT number FROM events WHERE time < ? ORDER BY time LIMIT ?)",
	[BOOST_SET] = "UPDATE limits SET boost = ?, boost_until = ?, boost_act = ? WHERE id = ?",
	[TALLIES] = "SELECT key FROM limits WHERE scope = ? AND unit = ? AND period = ? AND key LIKE 'app=%' LIMIT ?",
	[LIMIT_CHANGED] = "UPDATE limits SET changed_time = ?, free_time = ? WHERE id = ?",
	[LIMITS_CHANGED] = "SELECT scope, unit, period, key, changed_time, name, count FROM limits"
		" WHERE changed_time > 0 AND (changed_time >= ? OR boost_until > ?)",
	[HOURS_ADD] = HOURS_SQL,
	[TIMING_ADD] = "INSERT INTO timings VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (relay, what) DO UPDATE SET"
		" count = timings.count + excluded.count, sum_us = timings.sum_us + excluded.sum_us,"
		" within_0 = timings.within_0 + excluded.within_0,"
		" within_1 = timings.within_1 + excluded.within_1,"
		" within_2 = timings.within_2 + excluded.within_2,"
		" within_3 = timings.within_3 + excluded.within_3,"
		" within_4 = timings.within_4 + excluded.within_4,"
		" within_5 = timings.within_5 + excluded.within_5,"
		" within_6 = timings.within_6 + excluded.within_6,"
		" most = excluded.most, time = excluded.time",
	/* The oldest hour, where it is that old; not that of all time. */
	[DROP_HOURS] = "DELETE FROM hours WHERE hour = (SELECT min(hour) FROM hours WHERE hour > 0) AND hour < ?",
	[DROP_HELD] = "DELETE FROM held WHERE message_id = ?",
	[DROP_HELD_CHARGES] = "DELETE FROM held_charges WHERE message_id = ?",
};

/* Where PostgreSQL must be told what SQLite, with its one writer, need not. */
static const char *const postgres_statements[STATEMENTS] = {
	[LOCK_LIMIT] = "SELECT id FROM limits WHERE id = ? FOR UPDATE",
};

int
backend_prepare(struct backend *b)
{
	bool is_postgres = db_dialect(b->db) == DB_POSTGRES;

	for (int i = 0; i < STATEMENTS; i++) {
		const char *sql = is_postgres && postgres_statements[i] != NULL ? postgres_statements[i] : statements[i];

		if (sql != NULL && (b->query[i] = db_prepare(b->db, sql)) == NULL)
			return -1;
	}
	return 0;
}

void
backend_close(struct backend *b)
{
	for (int i = 0; i < STATEMENTS; i++)
		db_finalize(&b->query[i]);
	db_close(&b->db);
	usage_detach(b->usage);
}

void
backend_roll_back(struct backend *b)
{
	if (b->db != NULL)
		(void)db_rollback(b->db);
	usage_undo(b->usage);
}

bool
backend_may_tend(struct backend *b, int64_t now)
{
	return held_may_wait(b) || events_due(b, now) || boosts_due(b, now);
}

enum db_result
backend_tend(struct backend *b)
{
	enum db_result rc = boosts_due(b, b->now) ? boosts_follow(b) : DB_DONE;

	if (rc == DB_DONE && held_may_wait(b))
		rc = held_grant(b);
	return rc == DB_DONE && events_due(b, b->now) ? events_free_again(b) : rc;
}

void
backend_say(const struct backend *b, bool is_error, const char *line)
{
	if (b->options.log != NULL)
		b->options.log(b->options.log_context, is_error, line);
}

int64_t
backend_wall_ms(const struct backend *b)
{
	return b->options.clock->wall_ms(b->options.clock->context);
}

static void
bind_message_who(struct db_query *st, int *i, const struct record *r)
{
	const char *const strings[] = {
		r->app, r->tenant, r->method, r->department, r->client, r->client_name, r->helo,
		r->login, r->tls, r->certificate, r->certificate_issuer,
	};
	const char *const sender[] = {
		r->sender, r->sender_domain, r->header_from, r->header_from_domain,
		r->header_sender, r->subject, r->message_id, r->form,
	};

	for (size_t k = 0; k < sizeof strings / sizeof strings[0]; k++)
		db_bind_text(st, i, strings[k]);
	db_bind_int(st, i, r->picked_up);
	for (size_t k = 0; k < sizeof sender / sizeof sender[0]; k++)
		db_bind_text(st, i, sender[k]);
}

/* DB_CONSTRAINT: it is recorded already. is_known: which ids are was asked before. */
static enum db_result
write_message(struct backend *b, const struct record *r, bool is_known)
{
	struct db_query *st = b->query[MESSAGE];
	const char *const first[] = { r->relay, r->queue_id, r->stage, r->verdict, r->reason };
	const char *const then[] = { r->enhanced, r->text, r->would, r->would_reason, r->would_text, r->mode };
	const int64_t sizes[] = { r->size, r->recipients, r->internal, r->external, r->local };
	enum db_result rc;
	int i = 0;

	db_bind_text(st, &i, r->id);
	db_bind_int(st, &i, r->time);
	for (size_t k = 0; k < sizeof first / sizeof first[0]; k++)
		db_bind_text(st, &i, first[k]);
	db_bind_int(st, &i, r->code);
	for (size_t k = 0; k < sizeof then / sizeof then[0]; k++)
		db_bind_text(st, &i, then[k]);
	bind_message_who(st, &i, r);
	for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
		db_bind_int(st, &i, sizes[k]);
	db_bind_text(st, &i, r->signing);
	db_bind_int(st, &i, r->stripped);
	db_bind_text(st, &i, r->policy);
	db_bind_text(st, &i, r->trace);
	db_bind_int(st, &i, r->decide_us);
	if (is_known)
		return db_send(st);
	rc = db_run(st);
	return rc == DB_DONE && db_changes(b->db) == 0 ? DB_CONSTRAINT : rc;
}

static enum db_result
write_parts(struct backend *b, const struct record *r)
{
	enum db_result rc = DB_DONE;

	for (size_t n = 0; rc == DB_DONE && n < r->n_rcpt; n++) {
		const struct record_recipient *p = &r->rcpt[n];
		struct db_query *st = b->query[RECIPIENT];
		int i = 0;

		db_bind_text(st, &i, r->id);
		db_bind_u64(st, &i, n);
		db_bind_text(st, &i, p->address);
		db_bind_text(st, &i, p->domain);
		db_bind_text(st, &i, p->place);
		db_bind_int(st, &i, p->accepted);
		db_bind_text(st, &i, p->reason);
		rc = db_send(st);
	}
	for (size_t n = 0; rc == DB_DONE && n < r->n_signature; n++) {
		const struct record_signature *p = &r->signature[n];
		struct db_query *st = b->query[SIGNATURE];
		int i = 0;

		db_bind_text(st, &i, r->id);
		db_bind_u64(st, &i, n);
		db_bind_text(st, &i, p->domain);
		db_bind_text(st, &i, p->selector);
		db_bind_text(st, &i, p->algorithm);
		db_bind_text(st, &i, p->result);
		rc = db_send(st);
	}
	for (size_t n = 0; rc == DB_DONE && n < r->n_rule; n++) {
		const struct record_rule *p = &r->rule[n];
		struct db_query *st = b->query[RULE];
		int i = 0;

		db_bind_text(st, &i, r->id);
		db_bind_u64(st, &i, n);
		db_bind_text(st, &i, p->name);
		db_bind_text(st, &i, p->action);
		db_bind_text(st, &i, p->mode);
		db_bind_text(st, &i, p->answer);
		db_bind_int(st, &i, p->decided);
		rc = db_send(st);
	}
	return rc;
}

static void
bind_counter(struct db_query *q, int *i, const struct charge *c)
{
	db_bind_text(q, i, c->scope);
	db_bind_int(q, i, (int64_t)c->unit);
	db_bind_int(q, i, c->period);
	db_bind_text(q, i, c->key);
}

void
rows_read_state(struct db_query *q, int column, struct counter_state *s)
{
	s->boost = (uint64_t)db_int(q, column);
	s->boost_until = db_int(q, column + 1);
	s->near_time = db_int(q, column + 2);
	s->reached_time = db_int(q, column + 3);
	s->freed_time = db_int(q, column + 4);
	s->need = (uint64_t)db_int(q, column + 5);
	s->changed_time = db_int(q, column + 6);
}

/* The number of the limit that a charge names, made when it is new, and its state. */
static enum db_result
find_limit(struct backend *b, const struct charge *c, int64_t *id_r, struct counter_state *state)
{
	struct db_query *q = b->query[LIMIT_FIND];
	enum db_result rc;
	int i = 0;

	bind_counter(q, &i, c);
	rc = db_step(q);
	if (rc == DB_ROW) {
		*id_r = db_int(q, 0);
		rows_read_state(q, 1, state);
	}
	db_reset(q);
	if (rc != DB_DONE)
		return rc == DB_ROW ? DB_DONE : rc;
	q = b->query[LIMIT_NEW];
	i = 0;
	bind_counter(q, &i, c);
	db_bind_text(q, &i, c->name);
	db_bind_u64(q, &i, c->count);
	if ((rc = db_step(q)) == DB_ROW)
		*id_r = db_int(q, 0);
	db_reset(q);
	return rc == DB_ROW ? DB_DONE : rc == DB_DONE ? DB_FAILED : rc;
}

static enum db_result
write_slot(struct backend *b, int64_t limit_id, int64_t slot, uint64_t used)
{
	struct db_query *q = b->query[USE_WRITE];
	int i = 0;

	db_bind_int(q, &i, limit_id);
	db_bind_int(q, &i, slot);
	db_bind_u64(q, &i, used);
	return db_send(q);
}

/* Stores what memory knows of a counter into a file that is new to it. */
static enum db_result
write_window(struct backend *b, const struct counter *k)
{
	enum db_result rc = DB_DONE;

	for (int64_t s = k->window.newest - WINDOW_SLOTS; rc == DB_DONE && s <= k->window.newest; s++)
		if (s >= 0 && k->window.used[s % WINDOW_SPAN] > 0)
			rc = write_slot(b, k->limit_id, s, k->window.used[s % WINDOW_SPAN]);
	return rc;
}

static enum db_result
load(struct backend *b, struct counter *k, const struct charge *c)
{
	struct db_query *q = b->query[USE_READ];
	bool was_used = window_used(&k->window, k->window.newest) > 0;
	struct window w = {0};
	struct counter_state state = {0};
	int64_t id = 0;
	enum db_result rc;
	int i = 0;

	if (b->load_all != NULL)
		return b->load_all(b, c, 1);
	rc = find_limit(b, c, &id, &state);
	if (rc != DB_DONE)
		return rc;
	db_bind_int(q, &i, id);
	while ((rc = db_step(q)) == DB_ROW)
		window_add(&w, db_int(q, 0), (uint64_t)db_int(q, 1));
	db_reset(q);
	if (rc != DB_DONE)
		return rc;
	q = b->query[HELD_COUNT];
	i = 0;
	db_bind_int(q, &i, id);
	if ((rc = db_step(q)) == DB_ROW)
		state.waiting = (uint64_t)db_int(q, 0);
	db_reset(q);
	if (rc != DB_ROW)
		return DB_FAILED;
	usage_load(b->usage, k, id, &w, &state);
	return was_used ? write_window(b, k) : DB_DONE;
}

/* A counter goes on to its newest slot: what older ones than that count is forgotten. */
static enum db_result
begin_slot(struct backend *b, const struct counter *k, const struct charge *c)
{
	struct db_query *q = b->query[LIMIT_COUNT];
	enum db_result rc;
	int i = 0;

	db_bind_int(q, &i, k->limit_id);
	db_bind_text(q, &i, c->name);
	db_bind_u64(q, &i, c->count);
	rc = db_send(q);
	if (rc != DB_DONE)
		return rc;
	q = b->query[USE_PRUNE];
	i = 0;
	db_bind_int(q, &i, k->limit_id);
	db_bind_int(q, &i, k->window.newest - WINDOW_SLOTS);
	return db_send(q);
}

enum db_result
rows_charge(struct backend *b, struct counter *k, const struct charge *c)
{
	bool is_new_slot = window_slot(b->now, c->period) > k->window.newest;
	uint64_t used = usage_add(b->usage, k, b->now, c->amount);
	enum db_result rc = write_slot(b, k->limit_id, k->window.newest, used);

	return rc == DB_DONE && is_new_slot ? begin_slot(b, k, c) : rc;
}

enum db_result
rows_charge_late(struct backend *b, struct counter *k, const struct charge *c, int64_t time)
{
	int64_t slot = window_slot(time, c->period);
	bool is_new_slot = slot > k->window.newest;
	enum db_result rc;
	uint64_t used;

	if (!usage_add_late(b->usage, k, time, c->amount, &used))
		return DB_DONE;
	rc = write_slot(b, k->limit_id, slot, used);
	return rc == DB_DONE && is_new_slot ? begin_slot(b, k, c) : rc;
}

static enum db_result
write_charge(struct backend *b, const struct admit *a, size_t n)
{
	const struct charge *c = &a->charges[n];
	struct db_query *q = b->query[CHARGE];
	int i = 0;

	db_bind_text(q, &i, a->record->id);
	db_bind_u64(q, &i, n);
	db_bind_text(q, &i, c->name);
	db_bind_text(q, &i, c->key);
	db_bind_u64(q, &i, c->amount);
	db_bind_u64(q, &i, c->used);
	db_bind_u64(q, &i, charge_count(c));
	db_bind_int(q, &i, (int64_t)c->over);
	db_bind_int(q, &i, c->exceeded);
	db_bind_int(q, &i, a->charged);
	return db_send(q);
}

/* What others have spent of their reserves. */
static enum db_result
load_siblings(struct backend *b, const struct charge *c, const char **error_r)
{
	enum db_result rc = DB_DONE;

	for (size_t i = 0; rc == DB_DONE && i < c->n_reserves; i++) {
		struct charge as;
		struct counter *k = usage_find_sibling(b->usage, c, i, &as);

		if (k == NULL) {
			*error_r = "memory is short";
			return DB_DONE;
		}
		if (k->limit_id == 0)
			rc = load(b, k, &as);
	}
	return rc;
}

enum db_result
rows_weigh(struct backend *b, struct counter **counters, struct charge *charges, size_t n, const char **error_r)
{
	enum db_result rc = DB_DONE;

	for (size_t i = 0; rc == DB_DONE && i < n; i++) {
		counters[i] = usage_find(b->usage, &charges[i]);
		if (counters[i] == NULL) {
			*error_r = "memory is short";
			return DB_DONE;
		}
		if (counters[i]->limit_id == 0)
			rc = load(b, counters[i], &charges[i]);
		if (rc == DB_DONE)
			rc = load_siblings(b, &charges[i], error_r);
		if (*error_r != NULL)
			return DB_DONE;
	}
	if (rc == DB_DONE)
		usage_weigh(b->usage, counters, charges, n, b->now);
	return rc;
}

/* One message. What concerns it alone goes into *error_r; anything else ends
 * the batch. */
static enum db_result
admit_one(struct backend *b, struct admit *a, const char **error_r)
{
	struct counter **counters = usage_room(b->usage, a->n_charges);
	bool stopped = false;
	enum db_result rc;

	if (counters == NULL)
		*error_r = "memory is short";
	if (*error_r != NULL)
		return DB_DONE;
	rc = rows_weigh(b, counters, a->charges, a->n_charges, error_r);
	if (rc != DB_DONE || *error_r != NULL)
		return rc;
	for (size_t i = 0; i < a->n_charges; i++)
		stopped = stopped || charge_stops(&a->charges[i]);
	a->charged = !stopped;
	a->held = false;
	if (a->settle != NULL)
		a->settle(a, stopped);
	rc = write_message(b, a->record, b->is_shared); /* where it is shared, for the whole batch */
	if (rc == DB_CONSTRAINT) {
		*error_r = "a message of this id is already recorded";
		return DB_DONE;
	}
	if (rc == DB_DONE)
		rc = write_parts(b, a->record);
	if (rc == DB_DONE && !b->tells_nothing)
		rc = hours_add_message(b->hours, a->record, 1, b->query[HOURS_ADD]);
	for (size_t i = 0; rc == DB_DONE && i < a->n_charges; i++) {
		rc = write_charge(b, a, i);
		if (rc == DB_DONE && !stopped && !FAULT("no-charge"))
			rc = rows_charge(b, counters[i], &a->charges[i]);
	}
	if (rc == DB_DONE && a->held)
		rc = held_add(b, a, counters, backend_wall_ms(b));
	if (rc == DB_DONE && b->admitted != NULL)
		rc = b->admitted(b, a);
	return rc == DB_DONE ? events_admitted(b, a, counters) : rc;
}

/* Refused before it was weighed: it was counted as a refusal, and is kept for its facts. What is refused by a
 * limit has charges. */
static bool
is_first_of_count(const struct admit *a)
{
	return a->n_charges == 0 && (strcmp(a->record->verdict, "defer") == 0 || strcmp(a->record->verdict, "reject") == 0);
}

enum db_result
rows_add(struct backend *b, const struct admit *a)
{
	enum db_result rc = write_message(b, a->record, false);

	if (rc == DB_DONE)
		rc = write_parts(b, a->record);
	for (size_t i = 0; rc == DB_DONE && i < a->n_charges; i++)
		rc = write_charge(b, a, i);
	return rc == DB_DONE && !is_first_of_count(a) ? hours_add_message(b->hours, a->record, 1, b->query[HOURS_ADD]) : rc;
}

enum db_result
rows_uncount(struct backend *b, const char *id)
{
	struct db_query *q = db_prepare(b->db, "SELECT time, decide_us, size, recipients, external, relay, app, tenant, department,"
					" method, mode, verdict, reason, would, would_reason, signing FROM messages WHERE id = ?");
	enum db_result rc = DB_FAILED;
	int i = 0;

	if (q != NULL) {
		db_bind_text(q, &i, id);
		rc = db_step(q);
	}
	if (rc == DB_ROW) {
		const struct record r = {
			.time = db_int(q, 0), .decide_us = db_int(q, 1), .size = db_int(q, 2), .recipients = db_int(q, 3),
			.external = db_int(q, 4), .relay = db_text(q, 5), .app = db_text(q, 6), .tenant = db_text(q, 7),
			.department = db_text(q, 8), .method = db_text(q, 9), .mode = db_text(q, 10), .verdict = db_text(q, 11),
			.reason = db_text(q, 12), .would = db_text(q, 13), .would_reason = db_text(q, 14), .signing = db_text(q, 15),
		};

		rc = hours_add_message(b->hours, &r, -1, b->query[HOURS_ADD]);
		if (rc == DB_DONE)
			rc = hours_write(b->hours, b->query[HOURS_ADD]); /* the strings are the row's */
	}
	db_finalize(&q);
	return rc;
}

static enum db_result
write_record(struct backend *b, const struct record *r)
{
	enum db_result rc = write_message(b, r, b->is_shared);

	if (rc == DB_CONSTRAINT)
		return DB_DONE; /* recorded already */
	return rc == DB_DONE ? write_parts(b, r) : rc;
}

enum db_result
rows_refusal(struct backend *b, const struct refusal_delta *d)
{
	const struct refusal *r = d->refusal;
	const char *const tail[] = { r->enhanced, r->text, r->app, r->tenant, r->method, r->client,
				     r->login, r->tls, r->certificate, r->certificate_issuer, r->sender,
				     r->header_from, r->recipient, r->queue_id, r->policy, b->options.relay,
				     r->department };
	struct db_query *q = b->query[REFUSAL];
	uint64_t count = b->uncounted == NULL ? d->count : b->uncounted(b, d);
	struct refusal_delta counted = *d;
	enum db_result rc;
	int i = 0;

	if (count == 0)
		return DB_DONE;
	counted.count = count;
	db_bind_text(q, &i, r->id);
	db_bind_text(q, &i, r->reason);
	db_bind_text(q, &i, r->stage);
	db_bind_int(q, &i, r->time);
	db_bind_int(q, &i, d->last_time);
	db_bind_u64(q, &i, count);
	db_bind_text(q, &i, r->verdict);
	db_bind_int(q, &i, r->code);
	for (size_t k = 0; k < sizeof tail / sizeof tail[0]; k++)
		db_bind_text(q, &i, tail[k]);
	rc = db_send(q);
	return rc == DB_DONE && !b->tells_nothing
	       ? hours_add_refusal(b->hours, &counted, b->options.relay, b->query[HOURS_ADD]) : rc;
}

static enum db_result
write_note(struct backend *b, const struct policy_note *note)
{
	struct db_query *q = b->query[POLICY_RULE];
	enum db_result rc = DB_DONE;

	for (size_t n = 0; rc == DB_DONE && n < note->n_rules; n++) {
		int i = 0;

		db_bind_text(q, &i, note->policy);
		db_bind_u64(q, &i, n);
		db_bind_text(q, &i, note->rules[n].name);
		db_bind_text(q, &i, note->rules[n].conditions);
		rc = db_send(q);
	}
	return rc;
}

static enum db_result
add_timings(struct backend *b, const struct timing *timings)
{
	static const char *const names[STORE_TIMED_COUNT] = {"admit", "sign"};
	struct db_query *q = b->query[TIMING_ADD];
	enum db_result rc = DB_DONE;

	for (int k = 0; rc == DB_DONE && k < STORE_TIMED_COUNT; k++) {
		int i = 0;

		db_bind_text(q, &i, b->options.relay);
		db_bind_text(q, &i, names[k]);
		db_bind_u64(q, &i, timings[k].count);
		db_bind_u64(q, &i, timings[k].sum_us);
		for (int n = 0; n < STORE_TRAFFIC_BUCKETS; n++)
			db_bind_u64(q, &i, timings[k].within[n]);
		db_bind_u64(q, &i, timings[k].most);
		db_bind_int(q, &i, backend_wall_ms(b));
		rc = db_send(q);
	}
	return rc;
}

enum db_result
rows_write(struct backend *b, const struct batch *batch)
{
	enum db_result rc = DB_DONE;

	hours_begin(b->hours);
	for (size_t i = 0; rc == DB_DONE && i < batch->n_admits; i++)
		rc = admit_one(b, batch->admits[i], &batch->admit_errors[i]);
	for (size_t i = 0; rc == DB_DONE && i < batch->n_records; i++)
		rc = write_record(b, batch->records[i]);
	for (size_t i = 0; rc == DB_DONE && i < batch->n_refusals; i++)
		rc = rows_refusal(b, &batch->refusals[i]);
	if (rc == DB_DONE)
		rc = hours_write(b->hours, b->query[HOURS_ADD]);
	for (size_t i = 0; rc == DB_DONE && i < batch->n_reached; i++)
		rc = events_refused(b, &batch->reached[i]);
	for (size_t i = 0; rc == DB_DONE && i < batch->n_notes; i++)
		rc = write_note(b, &batch->notes[i]);
	if (rc == DB_DONE && batch->unrecorded != NULL)
		rc = acts_unrecorded(b, batch->unrecorded);
	return rc == DB_DONE && batch->timings != NULL ? add_timings(b, batch->timings) : rc;
}
