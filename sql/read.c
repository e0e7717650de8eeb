/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A database as its readers see it. They never write, nor checkpoint a file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "sql/limit-clock.h"
#include "sql/read-private.h"

/* Milliseconds that a server has to let us in. */
#define OPEN_MS 10000
/* And to find the next rows; a report over a large audit sorts for a while. */
#define STEP_MS 300000

void
sqlite_read_clock(struct db *db, struct limit_clock *c)
{
	struct db_query *q = db_prepare(db, "SELECT boot_id, anchor_wall_ms, anchor_boot_ms, latest_ms FROM limit_clock");

	if (q != NULL && db_step(q) == DB_ROW) {
		snprintf(c->boot_id, sizeof c->boot_id, "%s", db_text(q, 0));
		c->anchor_wall = db_int(q, 1);
		c->anchor_boot = db_int(q, 2);
		c->latest = db_int(q, 3);
	}
	db_finalize(&q);
}

/* How long the next step may take. */
static int64_t
step_ms(const struct reader *r)
{
	const struct clock *c = clock_system();
	int64_t left = r->end_ms == 0 ? STEP_MS : r->end_ms - c->boot_ms(c->context);

	return left > STEP_MS ? STEP_MS : left < 1 ? 1 : left;
}

struct db *
reader_db(struct reader *r)
{
	db_deadline(r->db, step_ms(r));
	return r->db;
}

void
reader_patience(void *reader, int64_t ms)
{
	const struct clock *c = clock_system();
	struct reader *r = reader;

	r->end_ms = c->boot_ms(c->context) + ms;
	db_interrupt_after(r->db, ms);
}

void
reader_close(void *reader)
{
	struct reader *r = reader;

	db_close(&r->db);
	free(r->deliveries);
	free(r);
}

void *
reader_open(const char *url, char *error_r, size_t error_size)
{
	const char *path = strncmp(url, "sqlite:", 7) == 0 ? url + 7 : NULL, *error = "memory is short";
	struct reader *r = calloc(1, sizeof *r);
	char shown[300], words[300] = "";

	if (r != NULL && path != NULL && access(path, R_OK) != 0)
		error = strerror(errno);
	else if (r != NULL && (r->deliveries = deliveries_url(url)) != NULL)
		r->db = db_open(url, DB_READ, OPEN_MS, &error, words, sizeof words);
	if (r != NULL && r->db != NULL)
		db_deadline(r->db, STEP_MS);
	if (r != NULL && r->db != NULL && (error = schema_check(r->db)) == NULL)
		return r;
	db_shown_url(url, shown, sizeof shown);
	snprintf(error_r, error_size, "%s: %s%s%s%s", path != NULL ? path : shown, error, words[0] != '\0' ? " (" : "",
		 words, words[0] != '\0' ? ")" : "");
	if (r != NULL)
		reader_close(r);
	return NULL;
}

int64_t
reader_now(struct reader *r, const struct clock *clock)
{
	struct limit_clock c = {0};

	if (db_dialect(r->db) == DB_POSTGRES)
		return db_number(reader_db(r), "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)");
	sqlite_read_clock(r->db, &c);
	(void)limit_clock_start(&c, clock);
	return clock->boot_ms(clock->context) + limit_clock_offset(&c);
}

static int
load_one(struct counter_queries *q, struct usage *u, struct counter *k, const struct charge *c)
{
	struct counter_state state;
	struct window w;

	if (k == NULL || counter_read(q, c, &w, &state) != 0)
		return -1;
	usage_load(u, k, 1, &w, &state);
	return 0;
}

/* A charge's counter, and what others have spent of their reserves. */
static int
load_counter(struct counter_queries *q, struct usage *u, const struct charge *c)
{
	int rc = load_one(q, u, usage_find(u, c), c);

	for (size_t i = 0; rc == 0 && i < c->n_reserves; i++) {
		struct charge as;
		struct counter *k = usage_find_sibling(u, c, i, &as);

		rc = load_one(q, u, k, &as);
	}
	return rc;
}

int
reader_peek(void *reader, const struct clock *clock, struct charge *charges, size_t n, const char **error_r)
{
	struct reader *r = reader;
	struct usage *u = usage_new();
	int64_t now = reader_now(r, clock);
	struct counter_queries q = {0};
	int rc = counter_queries_open(r, &q) != 0 || u == NULL || now < 0 ? -1 : 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = load_counter(&q, u, &charges[i]);
	if (rc == 0)
		usage_weigh(u, NULL, charges, n, now);
	else
		*error_r = u == NULL ? "memory is short" : db_error(r->db);
	counter_queries_close(&q);
	usage_free(&u);
	return rc;
}

/* The next row of many, each of which may take its time. */
static enum db_result
next(struct reader *r, struct db_query *q)
{
	(void)reader_db(r);
	return db_step(q);
}

/* The columns of messages, in the order of read_message(). */
#define COLUMNS \
	"id, relay, queue_id, stage, verdict, reason, enhanced, text, would, would_reason, would_text, mode, " \
	"app, tenant, method, department, client, client_name, helo, login, tls, certificate, certificate_issuer, " \
	"sender, sender_domain, header_from, header_from_domain, header_sender, subject, message_id, form, " \
	"signing, policy, trace, " \
	"time, code, picked_up, size, recipients, internal, external, local, stripped, decide_us"

static void
read_message(struct db_query *q, struct record *r)
{
	const char **const texts[] = {
		&r->id, &r->relay, &r->queue_id, &r->stage, &r->verdict, &r->reason, &r->enhanced, &r->text,
		&r->would, &r->would_reason, &r->would_text, &r->mode, &r->app, &r->tenant, &r->method,
		&r->department, &r->client, &r->client_name, &r->helo, &r->login, &r->tls, &r->certificate,
		&r->certificate_issuer, &r->sender, &r->sender_domain, &r->header_from, &r->header_from_domain,
		&r->header_sender, &r->subject, &r->message_id, &r->form, &r->signing, &r->policy, &r->trace,
	};
	int64_t code, picked_up;
	int64_t *const numbers[] = {
		&r->time, &code, &picked_up, &r->size, &r->recipients, &r->internal, &r->external, &r->local,
		&r->stripped, &r->decide_us,
	};
	const int n_texts = sizeof texts / sizeof texts[0];

	for (int i = 0; i < n_texts; i++)
		*texts[i] = db_text(q, i);
	for (int i = 0; i < (int)(sizeof numbers / sizeof numbers[0]); i++)
		*numbers[i] = db_int(q, n_texts + i);
	r->code = (int)code;
	r->picked_up = picked_up != 0;
}

/* The queries for one message's parts, and where their rows go. */
enum part { PART_RECIPIENTS, PART_SIGNATURES, PART_RULES, PART_CHARGES, PART_COUNT };

struct reading {
	struct db_query *message;
	struct db_query *part[PART_COUNT];
	struct arena *arena;
	struct record record;
	struct charge *charges;
	size_t n_charges;
};

static const char *const part_sql[PART_COUNT] = {
	[PART_RECIPIENTS] = "SELECT address, domain, place, reason, accepted FROM recipients WHERE message_id=? ORDER BY number",
	[PART_SIGNATURES] = "SELECT domain, selector, algorithm, result FROM signatures WHERE message_id=? ORDER BY number",
	[PART_RULES] = "SELECT rule, action, mode, answer, decided FROM rule_matches WHERE message_id=? ORDER BY number",
	[PART_CHARGES] = "SELECT name, key, amount, used_before, count, over, exceeded, charged FROM charges WHERE message_id=? ORDER BY number",
};

static const char *
keep(struct reading *x, enum part p, int column)
{
	return arena_string(x->arena, db_text(x->part[p], column));
}

static void
keep_row(struct reading *x, enum part p, size_t i)
{
	struct db_query *q = x->part[p];

	switch (p) {
	case PART_RECIPIENTS:
		x->record.rcpt[i] = (struct record_recipient){
			.address = keep(x, p, 0), .domain = keep(x, p, 1), .place = keep(x, p, 2),
			.reason = keep(x, p, 3), .accepted = db_int(q, 4) != 0,
		};
		break;
	case PART_SIGNATURES:
		x->record.signature[i] = (struct record_signature){
			.domain = keep(x, p, 0), .selector = keep(x, p, 1), .algorithm = keep(x, p, 2),
			.result = keep(x, p, 3),
		};
		break;
	case PART_RULES:
		x->record.rule[i] = (struct record_rule){
			.name = keep(x, p, 0), .action = keep(x, p, 1), .mode = keep(x, p, 2),
			.answer = keep(x, p, 3), .decided = db_int(q, 4) != 0,
		};
		break;
	case PART_CHARGES:
		x->charges[i] = (struct charge){
			.scope = "", .name = keep(x, p, 0), .key = keep(x, p, 1), .amount = (uint64_t)db_int(q, 2),
			.used = (uint64_t)db_int(q, 3), .count = (uint64_t)db_int(q, 4),
			.over = (enum over)db_int(q, 5), .exceeded = db_int(q, 6) != 0,
			.charged = db_int(q, 7) != 0,
		};
		break;
	case PART_COUNT:
		break;
	}
}

/* Room for `n` rows of a part, what was there kept. */
static bool
make_room(struct reading *x, enum part p, size_t had, size_t n)
{
	static const size_t sizes[PART_COUNT] = {
		sizeof(struct record_recipient), sizeof(struct record_signature), sizeof(struct record_rule),
		sizeof(struct charge),
	};
	void *const old[PART_COUNT] = {x->record.rcpt, x->record.signature, x->record.rule, x->charges};
	void *room = arena_array(x->arena, n, sizes[p]);

	if (room == NULL)
		return false;
	if (had > 0)
		memcpy(room, old[p], had * sizes[p]);
	if (p == PART_RECIPIENTS)
		x->record.rcpt = room;
	else if (p == PART_SIGNATURES)
		x->record.signature = room;
	else if (p == PART_RULES)
		x->record.rule = room;
	else
		x->charges = room;
	return true;
}

static int
read_part(struct reading *x, enum part p, size_t *n_r)
{
	size_t n = 0, room = 0;
	enum db_result rc;
	int i = 0;

	db_bind_text(x->part[p], &i, x->record.id);
	while ((rc = db_step(x->part[p])) == DB_ROW) {
		if (n == room && !make_room(x, p, n, room == 0 ? (room = 4) : (room *= 2)))
			break;
		keep_row(x, p, n++);
	}
	db_reset(x->part[p]);
	*n_r = n;
	return rc == DB_DONE && !arena_failed(x->arena) ? 0 : -1;
}

static int
read_parts(struct reading *x)
{
	struct record *r = &x->record;

	if (read_part(x, PART_RECIPIENTS, &r->n_rcpt) != 0 || read_part(x, PART_SIGNATURES, &r->n_signature) != 0 ||
	    read_part(x, PART_RULES, &r->n_rule) != 0 || read_part(x, PART_CHARGES, &x->n_charges) != 0)
		return -1;
	return 0;
}

static int
prepare_reading(struct db *db, const struct store_range *range, struct reading *x)
{
	int i = 0;

	x->arena = arena_new(0);
	x->message = db_prepare_large(db, range->id != NULL
				? "SELECT " COLUMNS " FROM messages WHERE id = ?"
				: "SELECT " COLUMNS " FROM messages WHERE time >= ? AND time < ? ORDER BY time, rowid");
	if (x->message == NULL || x->arena == NULL)
		return -1;
	for (int p = 0; p < PART_COUNT; p++)
		if ((x->part[p] = db_prepare(db, part_sql[p])) == NULL)
			return -1;
	if (range->id != NULL) {
		db_bind_text(x->message, &i, range->id);
	} else {
		db_bind_int(x->message, &i, range->since);
		db_bind_int(x->message, &i, range->until);
	}
	return 0;
}

static void
end_reading(struct reading *x)
{
	db_finalize(&x->message);
	for (int p = 0; p < PART_COUNT; p++)
		db_finalize(&x->part[p]);
	arena_free(&x->arena);
}

int
reader_messages(void *reader, const struct store_range *range,
		       int (*each)(void *context, const struct record *record, const struct charge *charges,
				   size_t n_charges),
		       void *context, const char **error_r)
{
	struct reader *r = reader;
	struct reading x = {0};
	enum db_result rc = DB_DONE;
	int result = prepare_reading(reader_db(r), range, &x);

	while (result == 0 && (rc = next(r, x.message)) == DB_ROW) {
		arena_reset(x.arena);
		x.record = (struct record){0};
		read_message(x.message, &x.record);
		result = read_parts(&x);
		if (result == 0)
			result = each(context, &x.record, x.charges, x.n_charges);
	}
	if (rc != DB_DONE && rc != DB_ROW)
		result = -1;
	if (result == -1)
		*error_r = x.arena == NULL || arena_failed(x.arena) ? "memory is short" : db_error(r->db);
	end_reading(&x);
	return result;
}

#define REFUSAL_TEXTS 21

static void
read_refusal(struct db_query *q, struct refusal *r)
{
	const char **const texts[REFUSAL_TEXTS] = {
		&r->id, &r->reason, &r->stage, &r->verdict, &r->enhanced, &r->text, &r->app, &r->tenant, &r->method,
		&r->client, &r->login, &r->tls, &r->certificate, &r->certificate_issuer, &r->sender,
		&r->header_from, &r->recipient, &r->queue_id, &r->policy, &r->relay, &r->department,
	};

	for (int i = 0; i < REFUSAL_TEXTS; i++)
		*texts[i] = db_text(q, i);
	r->time = db_int(q, REFUSAL_TEXTS);
	r->code = (int)db_int(q, REFUSAL_TEXTS + 1);
}

int
reader_refusals(void *reader, const struct store_range *range, bool at_end,
		       int (*each)(void *context, const struct refusal *refusal, uint64_t count, int64_t last_time),
		       void *context, const char **error_r)
{
	static const char columns[] =
		"SELECT id, reason, stage, verdict, enhanced, text, app, tenant, method, client, login, tls, certificate, "
		"certificate_issuer, sender, header_from, recipient, queue_id, policy, relay, department, first_time, code, count, last_time "
		"FROM refusals WHERE last_time >= ? AND last_time < ? AND CASE WHEN stage = 'eom' THEN 1 ELSE 0 END = ? ORDER BY first_time, id";
	static const char one[] =
		"SELECT id, reason, stage, verdict, enhanced, text, app, tenant, method, client, login, tls, certificate, "
		"certificate_issuer, sender, header_from, recipient, queue_id, policy, relay, department, first_time, code, count, last_time "
		"FROM refusals WHERE id = ?";
	struct reader *r = reader;
	struct db_query *q = db_prepare(reader_db(r), range->id != NULL ? one : columns);
	struct refusal f;
	enum db_result rc = DB_DONE;
	int i = 0, result = q == NULL ? -1 : 0;

	if (q != NULL && range->id != NULL) {
		db_bind_text(q, &i, range->id);
	} else if (q != NULL) {
		db_bind_int(q, &i, range->since);
		db_bind_int(q, &i, range->until);
		db_bind_int(q, &i, at_end);
	}
	while (result == 0 && (rc = next(r, q)) == DB_ROW) {
		read_refusal(q, &f);
		result = each(context, &f, (uint64_t)db_int(q, REFUSAL_TEXTS + 2), db_int(q, REFUSAL_TEXTS + 3));
	}
	if (rc != DB_DONE && rc != DB_ROW)
		result = -1;
	if (result == -1)
		*error_r = db_error(r->db);
	db_finalize(&q);
	return result;
}

int
reader_policy(void *reader, const char *policy, struct arena *arena, struct policy_note *note_r,
		     const char **error_r)
{
	struct reader *r = reader;
	struct db_query *q = db_prepare(reader_db(r), "SELECT rule, conditions, (SELECT count(*) FROM policy_rules WHERE policy = ?1) "
					"FROM policy_rules WHERE policy = ?1 ORDER BY number");
	struct policy_rule *rules = NULL;
	enum db_result rc = DB_DONE;
	size_t room = 0;
	int i = 0;

	*note_r = (struct policy_note){.policy = arena_string(arena, policy)};
	if (q != NULL)
		db_bind_text(q, &i, policy);
	while (q != NULL && (rc = db_step(q)) == DB_ROW) {
		if (rules == NULL) {
			room = (size_t)db_int(q, 2);
			rules = arena_array(arena, room, sizeof *rules);
		}
		if (rules == NULL || note_r->n_rules == room)
			break;
		rules[note_r->n_rules++] = (struct policy_rule){
			.name = arena_string(arena, db_text(q, 0)), .conditions = arena_string(arena, db_text(q, 1)),
		};
	}
	note_r->rules = rules;
	*error_r = arena_failed(arena) ? "memory is short" : q == NULL || rc == DB_FAILED ? db_error(r->db) : NULL;
	db_finalize(&q);
	return *error_r == NULL ? 0 : -1;
}

int64_t
reader_limit(void *reader, const char *name)
{
	struct reader *r = reader;
	struct db_query *q = db_prepare(reader_db(r), "SELECT max(count) FROM limits WHERE name = ?");
	int64_t n = -1;
	int i = 0;

	if (q == NULL)
		return -1;
	db_bind_text(q, &i, name);
	if (db_step(q) == DB_ROW && db_text(q, 0)[0] != '\0')
		n = db_int(q, 0);
	db_finalize(&q);
	return n;
}

int64_t
reader_count(void *reader, const struct store_range *range)
{
	struct reader *r = reader;
	struct db_query *q = db_prepare(reader_db(r), "SELECT count(*) FROM messages WHERE time >= ? AND time < ?");
	int64_t n = -1;
	int i = 0;

	if (q == NULL)
		return -1;
	db_bind_int(q, &i, range->since);
	db_bind_int(q, &i, range->until);
	if (db_step(q) == DB_ROW)
		n = db_int(q, 0);
	db_finalize(&q);
	return n;
}
