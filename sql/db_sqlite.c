/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The SQLite driver of db.h: the only file that includes sqlite3.h.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sql/db-private.h"

#define BUSY_MS 2000
/* A look at the clock after so many steps of SQLite's machine. */
#define STEPS 20000
#define SCHEME "sqlite:"

struct sqlite {
	struct db db;
	sqlite3 *handle;
	int failure;              /* the last failed result, SQLITE_OK for none */
	int64_t end_ms;           /* of reading, by the monotonic clock */
	bool has_sent_failed;     /* what was sent has failed, and was not told yet */
};

struct sqlite_query {
	struct db_query query;
	sqlite3_stmt *st;
};

static const struct failure {
	int code;
	bool is_lost;
	const char *text;
} failures[] = {
	{SQLITE_FULL, false, "the disk is full; make room"},
	{SQLITE_READONLY, true, "the database cannot be written; check owner and mode of the file and its folder, and how "
				"the file system is mounted"},
	{SQLITE_CANTOPEN, true, "the file cannot be opened; check owner and mode of the file and its folder"},
	{SQLITE_BUSY, false, "the database is locked by another process; end it"},
	{SQLITE_LOCKED, false, "the database is locked by another process; end it"},
	{SQLITE_CORRUPT, true, "the database is damaged; stop posternd, keep the file aside, and recover it with sqlite3's .recover"},
	{SQLITE_NOTADB, true, "this file is no SQLite database; move it away or name another one"},
	{SQLITE_IOERR, true, "the disk does not read or write; look at the system's log"},
	{SQLITE_NOMEM, false, "memory is short"},
	{SQLITE_CONSTRAINT, false, "a row of this key is there already, or a value is not one that the tables take"},
	{SQLITE_INTERRUPT, false, "the answer takes too long; ask for less time"},
	{SQLITE_SCHEMA, true, "the tables are not those of Postern"},
};

static struct sqlite *
own(struct db *d)
{
	return (struct sqlite *)d;
}

static const struct sqlite *
own_const(const struct db *d)
{
	return (const struct sqlite *)d;
}

static sqlite3_stmt *
statement(struct db_query *q)
{
	return ((struct sqlite_query *)q)->st;
}

static enum db_result
result(struct sqlite *d, int rc)
{
	if (rc == SQLITE_ROW)
		return DB_ROW;
	if (rc == SQLITE_DONE || rc == SQLITE_OK)
		return DB_DONE;
	d->failure = rc;
	return (rc & 0xff) == SQLITE_CONSTRAINT ? DB_CONSTRAINT : DB_FAILED;
}

static const struct failure *
failure(const struct db *d)
{
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
		if (failures[i].code == (own_const(d)->failure & 0xff))
			return &failures[i];
	return NULL;
}

static const char *
error(const struct db *d)
{
	const struct failure *f = failure(d);

	return f == NULL ? sqlite3_errstr(own_const(d)->failure) : f->text;
}

static bool
is_lost(const struct db *d)
{
	const struct failure *f = failure(d);

	return f != NULL && f->is_lost;
}

static bool
is_retryable(const struct db *d)
{
	int code = own_const(d)->failure & 0xff;

	return code == SQLITE_BUSY || code == SQLITE_LOCKED || is_lost(d);
}

static void
close_file(struct db *d)
{
	sqlite3_close(own(d)->handle);
	free(d);
}

static struct db *
open_file(const char *url, enum db_use use, int64_t ms, struct db_failure *failure_r)
{
	struct sqlite *d = calloc(1, sizeof *d);
	int flags = use == DB_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	int rc;

	(void)ms;
	if (d == NULL) {
		failure_r->error = "memory is short";
		return NULL;
	}
	d->db.ops = &db_sqlite_ops;
	rc = sqlite3_open_v2(url + strlen(SCHEME), &d->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(d->handle, BUSY_MS);
		sqlite3_wal_autocheckpoint(d->handle, use == DB_WRITE ? 1000 : 0);
		if (use == DB_READ || sqlite3_db_readonly(d->handle, "main") != 1)
			return &d->db;
		rc = SQLITE_READONLY;
	}
	d->failure = rc;
	failure_r->error = error(&d->db);
	close_file(&d->db);
	return NULL;
}

/* Whether something sent has failed; then it is told now. */
static bool
tell_sent(struct sqlite *d)
{
	bool has_failed = d->has_sent_failed;

	d->has_sent_failed = false;
	return has_failed;
}

static int64_t
monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
is_over(void *context)
{
	const struct sqlite *d = context;

	return monotonic_ms() >= d->end_ms;
}

static void
interrupt_after(struct db *d, int64_t ms)
{
	own(d)->end_ms = monotonic_ms() + ms;
	sqlite3_progress_handler(own(d)->handle, STEPS, is_over, d);
}

static int
exec(struct db *d, const char *sql)
{
	if (tell_sent(own(d)))
		return -1;
	return result(own(d), sqlite3_exec(own(d)->handle, sql, NULL, NULL, NULL)) == DB_DONE ? 0 : -1;
}

static struct db_query *
prepare(struct db *d, const char *sql, bool is_large)
{
	struct sqlite_query *q = calloc(1, sizeof *q);
	int rc = SQLITE_NOMEM;

	(void)is_large; /* rows come one by one in any case */
	if (q != NULL)
		rc = sqlite3_prepare_v3(own(d)->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->st, NULL);
	if (rc == SQLITE_OK) {
		q->query.db = d;
		return &q->query;
	}
	/* Tables that are not there. */
	own(d)->failure = rc == SQLITE_ERROR ? SQLITE_SCHEMA : rc;
	free(q);
	return NULL;
}

static void
finalize(struct db_query *q)
{
	sqlite3_finalize(statement(q));
	free(q);
}

static void
bind_text(struct db_query *q, int parameter, const char *s)
{
	sqlite3_bind_text(statement(q), parameter + 1, s, -1, SQLITE_STATIC);
}

static void
bind_int(struct db_query *q, int parameter, int64_t n)
{
	sqlite3_bind_int64(statement(q), parameter + 1, n);
}

static enum db_result
step(struct db_query *q)
{
	if (tell_sent(own(q->db)))
		return DB_FAILED;
	return result(own(q->db), sqlite3_step(statement(q)));
}

static void
reset(struct db_query *q)
{
	sqlite3_reset(statement(q));
}

static enum db_result
send_statement(struct db_query *q)
{
	struct sqlite *d = own(q->db);

	if (d->has_sent_failed)
		return DB_FAILED;
	switch (result(d, sqlite3_step(statement(q)))) {
	case DB_DONE:
	case DB_ROW:
		break;
	case DB_CONSTRAINT:
	case DB_FAILED:
		d->has_sent_failed = true;
	}
	sqlite3_reset(statement(q));
	return d->has_sent_failed ? DB_FAILED : DB_DONE;
}

static enum db_result
flush(struct db *d)
{
	return tell_sent(own(d)) ? DB_FAILED : DB_DONE;
}

static bool
in_transaction(const struct db *d)
{
	return sqlite3_get_autocommit(own_const(d)->handle) == 0;
}

static enum db_result
rollback(struct db *d)
{
	own(d)->has_sent_failed = false;
	if (!in_transaction(d))
		return DB_DONE;
	return exec(d, "ROLLBACK") == 0 ? DB_DONE : DB_FAILED;
}

static const char *
text(struct db_query *q, int column)
{
	const unsigned char *s = sqlite3_column_text(statement(q), column);

	return s == NULL ? "" : (const char *)s;
}

static int64_t
number(struct db_query *q, int column)
{
	return sqlite3_column_int64(statement(q), column);
}

static int64_t
changes(const struct db *d)
{
	return sqlite3_changes(own_const(d)->handle);
}

const struct db_ops db_sqlite_ops = {
	.dialect = DB_SQLITE, .schemes = { SCHEME }, .open = open_file, .close = close_file,
	.interrupt_after = interrupt_after, .exec = exec,
	.prepare = prepare, .finalize = finalize, .bind_text = bind_text, .bind_int = bind_int, .step = step,
	.reset = reset, .send = send_statement, .flush = flush, .rollback = rollback, .text = text, .number = number,
	.changes = changes, .in_transaction = in_transaction, .error = error, .is_lost = is_lost,
	.is_retryable = is_retryable,
};
