/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store in an SQLite file. One connection, on the writer's thread; the
 * lock file keeps other writers out.
 *
 * Another file under the same name (restored, moved, removed) is noticed before
 * and after each commit: what was written into the old one does not count, and
 * the windows in memory are joined to what the new one holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "sql/db.h"
#include "sql/initial.h"
#include "sql/limit-clock.h"
#include "sql/store-private.h"
#include "sql/usage.h"


enum statement {
	MESSAGE, RECIPIENT, SIGNATURE, CHARGE, RULE, POLICY_RULE, REFUSAL, LIMIT_FIND, LIMIT_NEW, LIMIT_COUNT,
	USE_READ, USE_WRITE, USE_PRUNE, CLOCK_WRITE, OLD_MESSAGES, DROP_MESSAGE, DROP_RECIPIENTS, DROP_SIGNATURES,
	DROP_CHARGES, DROP_RULES, DROP_REFUSALS, FREE_LIMITS, DROP_USE, DROP_LIMIT, BEGIN, COMMIT, ROLLBACK,
	STATEMENTS
};

static const char *const sql[STATEMENTS] = {
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

struct backend {
	struct db *db;            /* NULL: must be opened anew */
	struct db_query *query[STATEMENTS];
	struct store_options options;
	char *path;
	int lock_fd;
	struct stat file;
	struct usage *usage;
	struct limit_clock clock;
	int64_t free_after;       /* the counter that prune() last looked at */
	int64_t clock_written;    /* the limits' time for which `clock` was last stored */
	_Atomic int64_t offset;   /* limits' clock less boot clock */
};

/* How old the stored limit_clock may be: no more than the shortest slot. */
#define CLOCK_EVERY_MS 1000

static int64_t
limit_now(struct backend *b)
{
	const struct clock *c = b->options.clock;

	return c->boot_ms(c->context) + atomic_load(&b->offset);
}

static void
say(struct backend *b, bool is_error, const char *line)
{
	if (b->options.log != NULL)
		b->options.log(b->options.log_context, is_error, line);
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

static enum db_result
write_clock(struct backend *b, int64_t now)
{
	struct db_query *q = b->query[CLOCK_WRITE];
	int i = 0;

	if (now - b->clock_written < CLOCK_EVERY_MS)
		return DB_DONE;
	db_bind_text(q, &i, b->clock.boot_id);
	db_bind_int(q, &i, b->clock.anchor_wall);
	db_bind_int(q, &i, b->clock.anchor_boot);
	db_bind_int(q, &i, now);
	return db_run(q);
}

static enum db_result
write_batch(struct backend *b, const struct batch *batch, int64_t now)
{
	enum db_result rc = db_run(b->query[BEGIN]);

	for (size_t i = 0; rc == DB_DONE && i < batch->n_admits; i++)
		rc = admit_one(b, batch->admits[i], now, &batch->admit_errors[i]);
	for (size_t i = 0; rc == DB_DONE && i < batch->n_records; i++)
		rc = write_record(b, batch->records[i]);
	for (size_t i = 0; rc == DB_DONE && i < batch->n_refusals; i++)
		rc = write_refusal(b, &batch->refusals[i]);
	for (size_t i = 0; rc == DB_DONE && i < batch->n_notes; i++)
		rc = write_note(b, &batch->notes[i]);
	if (rc == DB_DONE)
		rc = write_clock(b, now);
	CRASH_POINT("admit-before-commit");
	if (rc == DB_DONE)
		rc = db_run(b->query[FAULT("no-commit") ? ROLLBACK : COMMIT]);
	CRASH_POINT("admit-after-commit");
	return rc;
}

static void
close_db(struct backend *b)
{
	for (int i = 0; i < STATEMENTS; i++)
		db_finalize(&b->query[i]);
	db_close(&b->db);
	usage_detach(b->usage);
}

static const char *
migrate(struct db *db)
{
	int64_t version = db_number(db, "PRAGMA user_version");

	if (version < 0)
		return db_error(db);
	if (version > SQLITE_SCHEMA_VERSION)
		return sqlite_newer_text;
	if (version == SQLITE_SCHEMA_VERSION)
		return NULL;
	if (db_exec(db, "BEGIN IMMEDIATE") == 0 && db_exec(db, initial_sql) == 0 &&
	    db_exec(db, "PRAGMA user_version=1; COMMIT") == 0)
		return NULL;
	return db_error(db);
}

/* Once per process: a file that takes the place of another does not set the
 * clock. */
static void
start_clock(struct backend *b)
{
	b->clock_written = 0;
	if (b->clock.boot_id[0] != '\0')
		return;
	sqlite_read_clock(b->db, &b->clock);
	switch (limit_clock_start(&b->clock, b->options.clock)) {
	case LIMIT_CLOCK_BEHIND:
		say(b, true, "the clock is behind the limits' last use; limits go on from there");
		break;
	case LIMIT_CLOCK_AHEAD:
		say(b, true, "the clock is more than a day after the limits' last use; if the machine was not off for "
			     "so long, the clock is wrong, and limits are free that should not be");
		break;
	case LIMIT_CLOCK_CONTINUES:
	case LIMIT_CLOCK_ANEW:
		break;
	}
	atomic_store(&b->offset, limit_clock_offset(&b->clock));
}

/* NULL, or what is wrong. */
static const char *
prepare_db(struct backend *b)
{
	const char *error;

	if (db_exec(b->db, "PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=67108864;"
			   "PRAGMA foreign_keys=OFF") != 0 ||
	    db_exec(b->db, b->options.durability == STORE_DURABILITY_POWER ? "PRAGMA synchronous=FULL"
									   : "PRAGMA synchronous=NORMAL") != 0)
		return db_error(b->db);
	if ((error = migrate(b->db)) != NULL)
		return error;
	for (int i = 0; i < STATEMENTS; i++)
		if ((b->query[i] = db_prepare(b->db, sql[i])) == NULL)
			return db_error(b->db);
	start_clock(b);
	return stat(b->path, &b->file) == 0 ? NULL : "it cannot be found again";
}

/* NULL, or what is wrong (static); then the database is closed. */
static const char *
open_db(struct backend *b)
{
	const char *error;
	int fd = open(b->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640); /* the mode is ours, not SQLite's */

	if (fd >= 0)
		close(fd);
	b->db = db_open(b->path, DB_WRITE, &error);
	if (b->db != NULL && (error = prepare_db(b)) != NULL)
		close_db(b);
	return b->db == NULL ? error : NULL;
}

/* Whether the path still names the file that is open. */
static bool
is_same_file(const struct backend *b)
{
	struct stat st;

	return stat(b->path, &st) == 0 && st.st_ino == b->file.st_ino && st.st_dev == b->file.st_dev;
}

static const char *
check_file(struct backend *b)
{
	if (b->db != NULL && is_same_file(b))
		return NULL;
	if (b->db != NULL) {
		say(b, true, "the database file was moved or replaced; another is opened under its name");
		close_db(b);
	}
	return open_db(b);
}

static int
sqlite_commit(void *backend, const struct batch *batch, const char **error_r)
{
	struct backend *b = backend;
	enum db_result rc;
	int64_t now;

	CRASH_POINT("admit-before-begin");
	if ((*error_r = check_file(b)) != NULL)
		return -1;
	now = limit_now(b);
	rc = write_batch(b, batch, now);
	if (rc == DB_DONE && is_same_file(b)) {
		usage_keep(b->usage, now);
		if (now - b->clock_written >= CLOCK_EVERY_MS)
			b->clock_written = now;
		return 0;
	}
	*error_r = rc == DB_DONE ? "the database file was moved or replaced during a write" : db_error(b->db);
	if (db_in_transaction(b->db))
		db_run(b->query[ROLLBACK]);
	usage_undo(b->usage);
	if (rc == DB_DONE || db_is_lost(b->db))
		close_db(b);
	return -1;
}

#define PRUNE_MAX 200

struct old {
	char id[PRUNE_MAX][27];
	int n;
};

static enum db_result
drop_message(struct backend *b, const char *id)
{
	static const enum statement drops[] = {
		DROP_RECIPIENTS, DROP_SIGNATURES, DROP_CHARGES, DROP_RULES, DROP_MESSAGE,
	};
	enum db_result rc = DB_DONE;

	for (size_t k = 0; rc == DB_DONE && k < sizeof drops / sizeof drops[0]; k++) {
		int i = 0;

		db_bind_text(b->query[drops[k]], &i, id);
		rc = db_run(b->query[drops[k]]);
	}
	return rc;
}

/* The messages from before the time, and the counted refusals. */
static enum db_result
prune_audit(struct backend *b, int64_t before_ms, int max, int *n_r)
{
	struct db_query *q = b->query[OLD_MESSAGES];
	struct old old = {.n = 0};
	enum db_result rc;
	int i = 0;

	db_bind_int(q, &i, before_ms);
	db_bind_int(q, &i, max);
	while ((rc = db_step(q)) == DB_ROW && old.n < PRUNE_MAX)
		snprintf(old.id[old.n++], sizeof old.id[0], "%s", db_text(q, 0));
	db_reset(q);
	for (int k = 0; rc == DB_DONE && k < old.n; k++)
		rc = drop_message(b, old.id[k]);
	if (rc != DB_DONE)
		return rc;
	q = b->query[DROP_REFUSALS];
	i = 0;
	db_bind_int(q, &i, before_ms);
	db_bind_int(q, &i, max);
	rc = db_run(q);
	*n_r = old.n + (rc == DB_DONE ? (int)db_changes(b->db) : 0);
	return rc;
}

static enum db_result
drop_limit(struct backend *b, int64_t id)
{
	enum db_result rc;
	int i = 0;

	db_bind_int(b->query[DROP_USE], &i, id);
	rc = db_run(b->query[DROP_USE]);
	i = 0;
	db_bind_int(b->query[DROP_LIMIT], &i, id);
	return rc == DB_DONE ? db_run(b->query[DROP_LIMIT]) : rc;
}

/* The next counters in turn: those of which nothing is used go, so that keys that
 * never come back (a recipient, a client) do not stay for ever. */
static enum db_result
prune_limits(struct backend *b, int max)
{
	struct db_query *q = b->query[FREE_LIMITS];
	int64_t free_ids[PRUNE_MAX];
	int i = 0, n = 0, n_free = 0;
	enum db_result rc;

	db_bind_int(q, &i, b->free_after);
	db_bind_int(q, &i, max);
	db_bind_int(q, &i, limit_now(b));
	while ((rc = db_step(q)) == DB_ROW && n++ < PRUNE_MAX) {
		b->free_after = db_int(q, 0);
		if (db_int(q, 1) == 0)
			free_ids[n_free++] = b->free_after;
	}
	db_reset(q);
	if (n < max)
		b->free_after = 0; /* round again */
	usage_forget(b->usage, free_ids, (size_t)n_free);
	for (int k = 0; rc == DB_DONE && k < n_free; k++)
		rc = drop_limit(b, free_ids[k]);
	return rc;
}

static int
sqlite_prune(void *backend, int64_t before_ms, int max)
{
	struct backend *b = backend;
	enum db_result rc;
	int n = 0;

	if (b->db == NULL || max > PRUNE_MAX || db_run(b->query[BEGIN]) != DB_DONE)
		return -1;
	rc = prune_audit(b, before_ms, max, &n);
	if (rc == DB_DONE)
		rc = prune_limits(b, max);
	if (rc == DB_DONE)
		rc = db_run(b->query[COMMIT]);
	if (rc == DB_DONE)
		return n;
	if (db_in_transaction(b->db))
		db_run(b->query[ROLLBACK]);
	/* The forgotten counters find their rows again. */
	return -1;
}

static void
sqlite_close(void *backend)
{
	struct backend *b = backend;

	if (b->usage != NULL)
		close_db(b);
	usage_free(&b->usage);
	if (b->lock_fd >= 0)
		close(b->lock_fd);
	free(b->path);
	free(b);
}

static int
take_lock(struct backend *b, char *error_r, size_t size)
{
	char name[4096];

	snprintf(name, sizeof name, "%s.lock", b->path);
	b->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (b->lock_fd < 0) {
		snprintf(error_r, size, "%s: %s; the directory must exist and be writable",
			 name, strerror(errno));
		return -1;
	}
	if (flock(b->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	snprintf(error_r, size, "%s: another posternd has this store open; stop it first", b->path);
	return -1;
}

static void *
sqlite_open(const struct store_options *o, char *error_r, size_t error_size)
{
	struct backend *b = calloc(1, sizeof *b);
	const char *error = "memory is short";

	if (b == NULL) {
		snprintf(error_r, error_size, "%s", error);
		return NULL;
	}
	b->options = *o;
	b->lock_fd = -1;
	b->usage = usage_new();
	b->path = strdup(o->url + strlen("sqlite:"));
	if (b->usage == NULL || b->path == NULL) {
		snprintf(error_r, error_size, "%s", error);
	} else if (take_lock(b, error_r, error_size) == 0) {
		if ((error = open_db(b)) == NULL)
			return b;
		snprintf(error_r, error_size, "%s: %s", b->path, error);
	}
	sqlite_close(b);
	return NULL;
}

static void
sqlite_peek(void *backend, struct charge *charges, size_t n)
{
	struct backend *b = backend;

	usage_weigh(b->usage, NULL, charges, n, limit_now(b));
}

const struct store_ops store_sqlite_ops = {
	.scheme = "sqlite:", .open = sqlite_open, .close = sqlite_close, .commit = sqlite_commit,
	.prune = sqlite_prune,
	.peek = sqlite_peek, .reader_open = sqlite_reader_open, .reader_close = sqlite_reader_close,
	.reader_peek = sqlite_reader_peek, .reader_messages = sqlite_reader_messages,
	.reader_refusals = sqlite_reader_refusals, .reader_count = sqlite_reader_count, .reader_limit = sqlite_reader_limit,
	.reader_policy = sqlite_reader_policy,
};
