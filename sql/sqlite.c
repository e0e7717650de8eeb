/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store in an SQLite file: the only file that includes sqlite3.h. One
 * connection, on the writer's thread; the lock file keeps other writers out.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "sql/initial.h"
#include "sql/store-private.h"
#include "sql/usage.h"

#define SCHEMA 1

enum statement {
	MESSAGE, RECIPIENT, SIGNATURE, CHARGE, REFUSAL, LIMIT_FIND, LIMIT_NEW, LIMIT_COUNT,
	USE_READ, USE_WRITE, USE_PRUNE, CLOCK_READ, CLOCK_WRITE, BEGIN, COMMIT, ROLLBACK, STATEMENTS
};

static const char *const sql[STATEMENTS] = {
	[MESSAGE] = "INSERT INTO messages VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
		"?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[RECIPIENT] = "INSERT INTO recipients VALUES (?,?,?,?,?,?,?)",
	[SIGNATURE] = "INSERT INTO signatures VALUES (?,?,?,?,?,?)",
	[CHARGE] = "INSERT INTO charges VALUES (?,?,?,?,?,?,?,?,?,?)",
	[REFUSAL] = "INSERT INTO refusals VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
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
	[CLOCK_READ] = "SELECT boot_id, anchor_wall_ms, anchor_boot_ms, latest_ms FROM limit_clock",
	[CLOCK_WRITE] = "REPLACE INTO limit_clock VALUES (1,?,?,?,?)",
	[BEGIN] = "BEGIN IMMEDIATE", [COMMIT] = "COMMIT", [ROLLBACK] = "ROLLBACK",
};

struct backend {
	sqlite3 *db;
	sqlite3_stmt *st[STATEMENTS];
	struct store_options options;
	char *path;
	int lock_fd;
	struct stat file;
	int64_t checked_ms;
	struct usage *usage;
	int64_t anchor_wall;
	int64_t anchor_boot;
	int64_t latest;
	_Atomic int64_t offset;   /* limits' clock less boot clock */
};

static int64_t
boot_ms(const struct backend *b)
{
	return b->options.clock->boot_ms(b->options.clock->context);
}

static int64_t
limit_now(struct backend *b)
{
	return boot_ms(b) + atomic_load(&b->offset);
}

/* Each binds the next parameter. */
static void
bind_text(sqlite3_stmt *st, int *i, const char *s)
{
	sqlite3_bind_text(st, ++*i, s, -1, SQLITE_STATIC);
}

static void
bind_int(sqlite3_stmt *st, int *i, int64_t n)
{
	sqlite3_bind_int64(st, ++*i, n);
}

static void
bind_u64(sqlite3_stmt *st, int *i, uint64_t n)
{
	bind_int(st, i, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

static int
run(struct backend *b, enum statement s)
{
	int rc = sqlite3_step(b->st[s]);

	sqlite3_reset(b->st[s]);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static void
bind_message_who(sqlite3_stmt *st, int *i, const struct record *r)
{
	const char *const strings[] = {
		r->app, r->tenant, r->method, r->department, r->client, r->client_name, r->helo,
		r->login, r->tls, r->certificate,
	};
	const char *const sender[] = {
		r->sender, r->sender_domain, r->header_from, r->header_from_domain,
		r->header_sender, r->subject, r->message_id,
	};

	for (size_t k = 0; k < sizeof strings / sizeof strings[0]; k++)
		bind_text(st, i, strings[k]);
	bind_int(st, i, r->picked_up);
	for (size_t k = 0; k < sizeof sender / sizeof sender[0]; k++)
		bind_text(st, i, sender[k]);
}

static int
write_message(struct backend *b, const struct record *r)
{
	sqlite3_stmt *st = b->st[MESSAGE];
	const char *const first[] = { r->relay, r->queue_id, r->stage, r->verdict, r->would,
				      r->mode, r->reason };
	const int64_t sizes[] = { r->size, r->recipients, r->internal, r->external, r->local };
	int i = 0;

	bind_text(st, &i, r->id);
	bind_int(st, &i, r->time);
	for (size_t k = 0; k < sizeof first / sizeof first[0]; k++)
		bind_text(st, &i, first[k]);
	bind_int(st, &i, r->code);
	bind_text(st, &i, r->enhanced);
	bind_text(st, &i, r->text);
	bind_message_who(st, &i, r);
	for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
		bind_int(st, &i, sizes[k]);
	bind_text(st, &i, r->signing);
	bind_int(st, &i, r->stripped);
	bind_text(st, &i, r->policy);
	bind_text(st, &i, r->trace);
	bind_int(st, &i, r->decide_us);
	return run(b, MESSAGE);
}

static int
write_parts(struct backend *b, const struct record *r)
{
	int rc = SQLITE_OK;

	for (size_t n = 0; rc == SQLITE_OK && n < r->n_rcpt; n++) {
		const struct record_recipient *p = &r->rcpt[n];
		sqlite3_stmt *st = b->st[RECIPIENT];
		int i = 0;

		bind_text(st, &i, r->id);
		bind_u64(st, &i, n);
		bind_text(st, &i, p->address);
		bind_text(st, &i, p->domain);
		bind_text(st, &i, p->place);
		bind_int(st, &i, p->accepted);
		bind_text(st, &i, p->reason);
		rc = run(b, RECIPIENT);
	}
	for (size_t n = 0; rc == SQLITE_OK && n < r->n_signature; n++) {
		const struct record_signature *p = &r->signature[n];
		sqlite3_stmt *st = b->st[SIGNATURE];
		int i = 0;

		bind_text(st, &i, r->id);
		bind_u64(st, &i, n);
		bind_text(st, &i, p->domain);
		bind_text(st, &i, p->selector);
		bind_text(st, &i, p->algorithm);
		bind_text(st, &i, p->result);
		rc = run(b, SIGNATURE);
	}
	return rc;
}

static int
load(struct backend *b, struct counter *k, const struct charge *c)
{
	struct window w = { 0 };
	int64_t id = 0;
	int i = 0;
	int rc;

	for (int s = LIMIT_FIND; s <= LIMIT_NEW; s++, i = 0) {
		bind_text(b->st[s], &i, c->scope);
		bind_int(b->st[s], &i, (int64_t)c->unit);
		bind_int(b->st[s], &i, c->period);
		bind_text(b->st[s], &i, c->key);
	}
	rc = sqlite3_step(b->st[LIMIT_FIND]);
	if (rc == SQLITE_ROW)
		id = sqlite3_column_int64(b->st[LIMIT_FIND], 0);
	sqlite3_reset(b->st[LIMIT_FIND]);
	if (rc == SQLITE_DONE) {
		sqlite3_bind_text(b->st[LIMIT_NEW], 5, c->name, -1, SQLITE_STATIC);
		i = 5;
		bind_u64(b->st[LIMIT_NEW], &i, c->count);
		if ((rc = run(b, LIMIT_NEW)) != SQLITE_OK)
			return rc;
		id = sqlite3_last_insert_rowid(b->db);
	} else if (rc != SQLITE_ROW)
		return rc;
	sqlite3_bind_int64(b->st[USE_READ], 1, id);
	while ((rc = sqlite3_step(b->st[USE_READ])) == SQLITE_ROW)
		window_add(&w, sqlite3_column_int64(b->st[USE_READ], 0),
			   (uint64_t)sqlite3_column_int64(b->st[USE_READ], 1));
	sqlite3_reset(b->st[USE_READ]);
	usage_load(b->usage, k, id, &w);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
write_use(struct backend *b, struct counter *k, const struct charge *c, int64_t now)
{
	int64_t slot = window_slot(now, c->period);
	bool is_new_slot = slot > k->window.newest;
	uint64_t used = usage_add(b->usage, k, now, c->amount);
	int i = 0;
	int rc;

	bind_int(b->st[USE_WRITE], &i, k->limit_id);
	bind_int(b->st[USE_WRITE], &i, k->window.newest);
	bind_u64(b->st[USE_WRITE], &i, used);
	rc = run(b, USE_WRITE);
	if (rc != SQLITE_OK || !is_new_slot)
		return rc;
	i = 0;
	bind_int(b->st[LIMIT_COUNT], &i, k->limit_id);
	bind_text(b->st[LIMIT_COUNT], &i, c->name);
	bind_u64(b->st[LIMIT_COUNT], &i, c->count);
	sqlite3_bind_int64(b->st[USE_PRUNE], 1, k->limit_id);
	sqlite3_bind_int64(b->st[USE_PRUNE], 2, slot - WINDOW_SLOTS);
	rc = run(b, LIMIT_COUNT);
	return rc == SQLITE_OK ? run(b, USE_PRUNE) : rc;
}

static int
write_charge(struct backend *b, const struct admit *a, size_t n)
{
	const struct charge *c = &a->charges[n];
	sqlite3_stmt *st = b->st[CHARGE];
	int i = 0;

	bind_text(st, &i, a->record->id);
	bind_u64(st, &i, n);
	bind_text(st, &i, c->name);
	bind_text(st, &i, c->key);
	bind_u64(st, &i, c->amount);
	bind_u64(st, &i, c->used);
	bind_u64(st, &i, c->count);
	bind_int(st, &i, (int64_t)c->over);
	bind_int(st, &i, c->exceeded);
	bind_int(st, &i, a->charged);
	return run(b, CHARGE);
}

static int
admit_one(struct backend *b, struct admit *a, int64_t now, const char **error_r)
{
	struct counter **counters = usage_room(b->usage, a->n_charges);
	bool stopped = false;
	bool is_new;
	int rc = counters == NULL ? SQLITE_NOMEM : SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < a->n_charges; i++) {
		counters[i] = usage_find(b->usage, &a->charges[i], &is_new);
		if (counters[i] == NULL)
			rc = SQLITE_NOMEM;
		else if (is_new)
			rc = load(b, counters[i], &a->charges[i]);
	}
	if (rc != SQLITE_OK)
		return rc;
	usage_weigh(b->usage, counters, a->charges, a->n_charges, now);
	for (size_t i = 0; i < a->n_charges; i++)
		stopped = stopped || charge_stops(&a->charges[i]);
	a->charged = !stopped;
	if (a->settle != NULL)
		a->settle(a, stopped);
	rc = write_message(b, a->record);
	if (rc == SQLITE_CONSTRAINT) {
		*error_r = "a message of this id is already recorded";
		return SQLITE_OK;
	}
	if (rc == SQLITE_OK)
		rc = write_parts(b, a->record);
	for (size_t i = 0; rc == SQLITE_OK && i < a->n_charges; i++) {
		rc = write_charge(b, a, i);
		if (rc == SQLITE_OK && !stopped && !FAULT("no-charge"))
			rc = write_use(b, counters[i], &a->charges[i], now);
	}
	return rc;
}

static int
write_refusal(struct backend *b, const struct refusal_delta *d)
{
	const struct refusal *r = d->refusal;
	const char *const tail[] = { r->enhanced, r->text, r->app, r->tenant, r->method, r->client,
				     r->login, r->sender, r->header_from, r->recipient, r->queue_id };
	sqlite3_stmt *st = b->st[REFUSAL];
	int i = 0;

	bind_text(st, &i, r->id);
	bind_text(st, &i, r->reason);
	bind_text(st, &i, r->stage);
	bind_int(st, &i, r->time);
	bind_int(st, &i, d->last_time);
	bind_u64(st, &i, d->count);
	bind_text(st, &i, r->verdict);
	bind_int(st, &i, r->code);
	for (size_t k = 0; k < sizeof tail / sizeof tail[0]; k++)
		bind_text(st, &i, tail[k]);
	return run(b, REFUSAL);
}

static int
write_clock(struct backend *b, int64_t now)
{
	int i = 0;

	bind_text(b->st[CLOCK_WRITE], &i, b->options.clock->boot_id(b->options.clock->context));
	bind_int(b->st[CLOCK_WRITE], &i, b->anchor_wall);
	bind_int(b->st[CLOCK_WRITE], &i, b->anchor_boot);
	bind_int(b->st[CLOCK_WRITE], &i, now);
	return run(b, CLOCK_WRITE);
}

static int
write_batch(struct backend *b, const struct batch *batch, int64_t now)
{
	int rc = run(b, BEGIN);

	for (size_t i = 0; rc == SQLITE_OK && i < batch->n_admits; i++)
		rc = admit_one(b, batch->admits[i], now, &batch->admit_errors[i]);
	for (size_t i = 0; rc == SQLITE_OK && i < batch->n_records; i++) {
		rc = write_message(b, batch->records[i]);
		if (rc == SQLITE_OK)
			rc = write_parts(b, batch->records[i]);
		else if (rc == SQLITE_CONSTRAINT)
			rc = SQLITE_OK;
	}
	for (size_t i = 0; rc == SQLITE_OK && i < batch->n_refusals; i++)
		rc = write_refusal(b, &batch->refusals[i]);
	if (rc == SQLITE_OK)
		rc = write_clock(b, now);
	CRASH_POINT("admit-before-commit");
	if (rc == SQLITE_OK)
		rc = run(b, FAULT("no-commit") ? ROLLBACK : COMMIT);
	CRASH_POINT("admit-after-commit");
	return rc;
}

static void
close_db(struct backend *b)
{
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(b->st[i]);
		b->st[i] = NULL;
	}
	sqlite3_close(b->db);
	b->db = NULL;
	usage_clear(b->usage);
}

static int
read_version(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	int version = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		version = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return version;
}

static const char *
migrate(struct backend *b)
{
	int version = read_version(b->db);

	if (version < 0)
		return sqlite3_errmsg(b->db);
	if (version > SCHEMA)
		return "it was written by a newer Postern; install that version or use another file";
	if (version == SCHEMA)
		return NULL;
	if (sqlite3_exec(b->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(b->db, initial_sql, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(b->db, "PRAGMA user_version=1; COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return NULL;
	return sqlite3_errmsg(b->db);
}

static void
load_clock(struct backend *b)
{
	const struct clock *c = b->options.clock;
	sqlite3_stmt *st = b->st[CLOCK_READ];
	const char *boot;

	b->anchor_boot = c->boot_ms(c->context);
	b->anchor_wall = c->wall_ms(c->context);
	if (sqlite3_step(st) == SQLITE_ROW) {
		boot = (const char *)sqlite3_column_text(st, 0);
		b->latest = sqlite3_column_int64(st, 3);
		if (boot != NULL && strcmp(boot, c->boot_id(c->context)) == 0 &&
		    sqlite3_column_int64(st, 2) <= b->anchor_boot) {
			b->anchor_wall = sqlite3_column_int64(st, 1);
			b->anchor_boot = sqlite3_column_int64(st, 2);
		} else if (b->anchor_wall < b->latest) {
			b->anchor_wall = b->latest;
			if (b->options.log != NULL)
				b->options.log(b->options.log_context, true, "the clock is behind "
					"the limits' last use; limits go on from there");
		}
	}
	sqlite3_reset(st);
	atomic_store(&b->offset, b->anchor_wall - b->anchor_boot);
}

/* NULL, or what is wrong. */
static const char *
open_db(struct backend *b)
{
	const char *error;

	if (sqlite3_open_v2(b->path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			    SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return sqlite3_errmsg(b->db);
	if (sqlite3_db_readonly(b->db, "main") == 1)
		return "it cannot be written; check its owner and mode";
	sqlite3_busy_timeout(b->db, 2000);
	if (sqlite3_exec(b->db, "PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=67108864;"
			 "PRAGMA foreign_keys=OFF", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(b->db, b->options.durability == STORE_DURABILITY_POWER ?
			 "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
			 NULL, NULL, NULL) != SQLITE_OK)
		return sqlite3_errmsg(b->db);
	if ((error = migrate(b)) != NULL)
		return error;
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(b->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &b->st[i],
				       NULL) != SQLITE_OK)
			return sqlite3_errmsg(b->db);
	load_clock(b);
	b->checked_ms = boot_ms(b);
	return stat(b->path, &b->file) == 0 ? NULL : "it cannot be found again";
}

static const char *
check_file(struct backend *b)
{
	bool was_open = b->db != NULL;
	struct stat st;

	if (b->db != NULL && boot_ms(b) - b->checked_ms < 5000)
		return NULL;
	b->checked_ms = boot_ms(b);
	if (b->db != NULL && stat(b->path, &st) == 0 && st.st_ino == b->file.st_ino &&
	    st.st_dev == b->file.st_dev)
		return NULL;
	close_db(b);
	if (open_db(b) == NULL) {
		if (was_open && b->options.log != NULL)
			b->options.log(b->options.log_context, true, "the database file was moved or replaced: "
				"rows of the last seconds may be lost, and limits count what the file now there holds");
		return NULL;
	}
	close_db(b);
	return "the file was moved or replaced and cannot be opened again";
}

static int
sqlite_commit(void *backend, const struct batch *batch, const char **error_r)
{
	struct backend *b = backend;
	int64_t now;
	int rc;

	CRASH_POINT("admit-before-begin");
	if ((*error_r = check_file(b)) != NULL)
		return -1;
	now = limit_now(b);
	rc = write_batch(b, batch, now);
	if (rc == SQLITE_OK) {
		usage_keep(b->usage, now);
		return 0;
	}
	if (!sqlite3_get_autocommit(b->db))
		run(b, ROLLBACK);
	usage_undo(b->usage);
	*error_r = sqlite3_errstr(rc);
	return -1;
}

static void
sqlite_close(void *backend)
{
	struct backend *b = backend;

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
	const char *error = "out of memory";
	int fd;

	if (b == NULL || (b->usage = usage_new()) == NULL ||
	    (b->path = strdup(o->url + strlen("sqlite:"))) == NULL) {
		snprintf(error_r, error_size, "%s", error);
		if (b != NULL)
			usage_free(&b->usage);
		free(b);
		return NULL;
	}
	b->options = *o;
	b->lock_fd = -1;
	if (take_lock(b, error_r, error_size) != 0) {
		sqlite_close(b);
		return NULL;
	}
	fd = open(b->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd >= 0)
		close(fd);
	if ((error = open_db(b)) == NULL)
		return b;
	snprintf(error_r, error_size, "%s: %s", b->path, error);
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
	"sqlite:", sqlite_open, sqlite_close, sqlite_commit, sqlite_peek,
};
