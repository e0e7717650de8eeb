/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rows of one batch: messages and their parts, charges, refusals, policies.
 */
#include <string.h>

#include "base/crash.h"
#include "sql/sqlite-private.h"

const char *const sqlite_statements[STATEMENTS] = {
	[MESSAGE] = "INSERT INTO messages VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
		"?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[RECIPIENT] = "REPLACE INTO recipients VALUES (?,?,?,?,?,?,?)",
	[SIGNATURE] = "REPLACE INTO signatures VALUES (?,?,?,?,?,?)",
	[CHARGE] = "REPLACE INTO charges VALUES (?,?,?,?,?,?,?,?,?,?)",
	[RULE] = "REPLACE INTO rule_matches VALUES (?,?,?,?,?,?,?)",
	[POLICY_RULE] = "INSERT OR IGNORE INTO policy_rules VALUES (?,?,?,?)",
	[REFUSAL] = "INSERT INTO refusals VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
		" ON CONFLICT DO UPDATE SET count = count + excluded.count,"
		" last_time = max(last_time, excluded.last_time)",
	[LIMIT_FIND] = "SELECT id FROM limits WHERE scope=? AND unit=? AND period=? AND key=?",
	[LIMIT_NEW] = "INSERT INTO limits (scope,unit,period,key,name,count) VALUES (?,?,?,?,?,?)",
	[LIMIT_COUNT] = "UPDATE limits SET name=?2, count=?3 WHERE id=?1"
		" AND (name IS NOT ?2 OR count IS NOT ?3)",
	[USE_READ] = "SELECT slot, used FROM limit_use WHERE limit_id=? ORDER BY slot",
	[USE_WRITE] = "INSERT INTO limit_use VALUES (?,?,?)"
		" ON CONFLICT DO UPDATE SET used = excluded.used",
	[USE_PRUNE] = "DELETE FROM limit_use WHERE limit_id=? AND slot<?",
	[CLOCK_WRITE] = "REPLACE INTO limit_clock VALUES (1,?,?,?,?)",
	[OLD_MESSAGES] = "SELECT id FROM messages WHERE time < ? ORDER BY time LIMIT ?",
	[DROP_MESSAGE] = "DELETE FROM messages WHERE id = ?",
	[DROP_RECIPIENTS] = "DELETE FROM recipients WHERE message_id = ?",
	[DROP_SIGNATURES] = "DELETE FROM signatures WHERE message_id = ?",
	[DROP_CHARGES] = "DELETE FROM charges WHERE message_id = ?",
	[DROP_RULES] = "DELETE FROM rule_matches WHERE message_id = ?",
	[DROP_REFUSALS] = "DELETE FROM refusals WHERE (id, reason, stage) IN"
		" (SELECT id, reason, stage FROM refusals WHERE last_time < ? LIMIT ?)",
	/* The counters after ?1, each with whether some slot of its window is used. */
	[FREE_LIMITS] = "SELECT id, EXISTS (SELECT 1 FROM limit_use WHERE limit_id = id"
		" AND slot >= ?3 * 60 / (period * 1000) - 61) FROM limits WHERE id > ?1 ORDER BY id LIMIT ?2",
	[DROP_USE] = "DELETE FROM limit_use WHERE limit_id = ?",
	[DROP_LIMIT] = "DELETE FROM limits WHERE id = ?",
	[BEGIN] = "BEGIN IMMEDIATE", [COMMIT] = "COMMIT", [ROLLBACK] = "ROLLBACK",
};

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

static enum db_result
write_message(struct backend *b, const struct record *r)
{
	struct db_query *st = b->query[MESSAGE];
	const char *const first[] = { r->relay, r->queue_id, r->stage, r->verdict, r->reason };
	const char *const then[] = { r->enhanced, r->text, r->would, r->would_reason, r->would_text, r->mode };
	const int64_t sizes[] = { r->size, r->recipients, r->internal, r->external, r->local };
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
	return db_run(st);
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
		rc = db_run(st);
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
		rc = db_run(st);
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
		rc = db_run(st);
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

/* The number of the limit that a charge names, made when it is new. */
static enum db_result
find_limit(struct backend *b, const struct charge *c, int64_t *id_r)
{
	struct db_query *q = b->query[LIMIT_FIND];
	enum db_result rc;
	int i = 0;

	bind_counter(q, &i, c);
	rc = db_step(q);
	if (rc == DB_ROW)
		*id_r = db_int(q, 0);
	db_reset(q);
	if (rc != DB_DONE)
		return rc == DB_ROW ? DB_DONE : rc;
	q = b->query[LIMIT_NEW];
	i = 0;
	bind_counter(q, &i, c);
	db_bind_text(q, &i, c->name);
	db_bind_u64(q, &i, c->count);
	rc = db_run(q);
	*id_r = db_last_number(b->db);
	return rc;
}

static enum db_result
write_slot(struct backend *b, int64_t limit_id, int64_t slot, uint64_t used)
{
	struct db_query *q = b->query[USE_WRITE];
	int i = 0;

	db_bind_int(q, &i, limit_id);
	db_bind_int(q, &i, slot);
	db_bind_u64(q, &i, used);
	return db_run(q);
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
	int64_t id = 0;
	enum db_result rc;
	int i = 0;

	rc = find_limit(b, c, &id);
	if (rc != DB_DONE)
		return rc;
	db_bind_int(q, &i, id);
	while ((rc = db_step(q)) == DB_ROW)
		window_add(&w, db_int(q, 0), (uint64_t)db_int(q, 1));
	db_reset(q);
	if (rc != DB_DONE)
		return rc;
	usage_load(b->usage, k, id, &w);
	return was_used ? write_window(b, k) : DB_DONE;
}

static enum db_result
write_use(struct backend *b, struct counter *k, const struct charge *c, int64_t now)
{
	int64_t slot = window_slot(now, c->period);
	bool is_new_slot = slot > k->window.newest;
	uint64_t used = usage_add(b->usage, k, now, c->amount);
	enum db_result rc = write_slot(b, k->limit_id, k->window.newest, used);
	struct db_query *q = b->query[LIMIT_COUNT];
	int i = 0;

	if (rc != DB_DONE || !is_new_slot)
		return rc;
	db_bind_int(q, &i, k->limit_id);
	db_bind_text(q, &i, c->name);
	db_bind_u64(q, &i, c->count);
	rc = db_run(q);
	if (rc != DB_DONE)
		return rc;
	q = b->query[USE_PRUNE];
	i = 0;
	db_bind_int(q, &i, k->limit_id);
	db_bind_int(q, &i, slot - WINDOW_SLOTS);
	return db_run(q);
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
	db_bind_u64(q, &i, c->count);
	db_bind_int(q, &i, (int64_t)c->over);
	db_bind_int(q, &i, c->exceeded);
	db_bind_int(q, &i, a->charged);
	return db_run(q);
}

/* Finds the counters and weighs the charges. */
static enum db_result
weigh(struct backend *b, struct admit *a, struct counter **counters, int64_t now, const char **error_r)
{
	enum db_result rc = DB_DONE;

	for (size_t i = 0; rc == DB_DONE && i < a->n_charges; i++) {
		counters[i] = usage_find(b->usage, &a->charges[i]);
		if (counters[i] == NULL) {
			*error_r = "memory is short";
			return DB_DONE;
		}
		if (counters[i]->limit_id == 0)
			rc = load(b, counters[i], &a->charges[i]);
	}
	if (rc == DB_DONE)
		usage_weigh(b->usage, counters, a->charges, a->n_charges, now);
	return rc;
}

/* One message. What concerns it alone goes into *error_r; anything else ends
 * the batch. */
static enum db_result
admit_one(struct backend *b, struct admit *a, int64_t now, const char **error_r)
{
	struct counter **counters = usage_room(b->usage, a->n_charges);
	bool stopped = false;
	enum db_result rc;

	if (counters == NULL) {
		*error_r = "memory is short";
		return DB_DONE;
	}
	rc = weigh(b, a, counters, now, error_r);
	if (rc != DB_DONE || *error_r != NULL)
		return rc;
	for (size_t i = 0; i < a->n_charges; i++)
		stopped = stopped || charge_stops(&a->charges[i]);
	a->charged = !stopped;
	if (a->settle != NULL)
		a->settle(a, stopped);
	rc = write_message(b, a->record);
	if (rc == DB_CONSTRAINT) {
		*error_r = "a message of this id is already recorded";
		return DB_DONE;
	}
	if (rc == DB_DONE)
		rc = write_parts(b, a->record);
	for (size_t i = 0; rc == DB_DONE && i < a->n_charges; i++) {
		rc = write_charge(b, a, i);
		if (rc == DB_DONE && !stopped && !FAULT("no-charge"))
			rc = write_use(b, counters[i], &a->charges[i], now);
	}
	return rc;
}

static enum db_result
write_record(struct backend *b, const struct record *r)
{
	enum db_result rc = write_message(b, r);

	if (rc == DB_CONSTRAINT)
		return DB_DONE; /* recorded already */
	return rc == DB_DONE ? write_parts(b, r) : rc;
}

static enum db_result
write_refusal(struct backend *b, const struct refusal_delta *d)
{
	const struct refusal *r = d->refusal;
	const char *const tail[] = { r->enhanced, r->text, r->app, r->tenant, r->method, r->client,
				     r->login, r->tls, r->certificate, r->certificate_issuer, r->sender,
				     r->header_from, r->recipient, r->queue_id, r->policy };
	struct db_query *q = b->query[REFUSAL];
	int i = 0;

	db_bind_text(q, &i, r->id);
	db_bind_text(q, &i, r->reason);
	db_bind_text(q, &i, r->stage);
	db_bind_int(q, &i, r->time);
	db_bind_int(q, &i, d->last_time);
	db_bind_u64(q, &i, d->count);
	db_bind_text(q, &i, r->verdict);
	db_bind_int(q, &i, r->code);
	for (size_t k = 0; k < sizeof tail / sizeof tail[0]; k++)
		db_bind_text(q, &i, tail[k]);
	return db_run(q);
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
		rc = db_run(q);
	}
	return rc;
}

enum db_result
sqlite_write_rows(struct backend *b, const struct batch *batch, int64_t now)
{
	enum db_result rc = DB_DONE;

	for (size_t i = 0; rc == DB_DONE && i < batch->n_admits; i++)
		rc = admit_one(b, batch->admits[i], now, &batch->admit_errors[i]);
	for (size_t i = 0; rc == DB_DONE && i < batch->n_records; i++)
		rc = write_record(b, batch->records[i]);
	for (size_t i = 0; rc == DB_DONE && i < batch->n_refusals; i++)
		rc = write_refusal(b, &batch->refusals[i]);
	for (size_t i = 0; rc == DB_DONE && i < batch->n_notes; i++)
		rc = write_note(b, &batch->notes[i]);
	return rc;
}
