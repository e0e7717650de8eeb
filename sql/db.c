/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See db.h: the only file that includes sqlite3.h.
 */
#include "sql/db.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_MS 2000

struct db {
	sqlite3 *handle;
	int failure;              /* the last failed result, SQLITE_OK for none */
};

struct db_query {
	struct db *db;
	sqlite3_stmt *st;
};

static const struct {
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
	{SQLITE_SCHEMA, true, "the tables are not those of Postern"},
};

static enum db_result
result(struct db *d, int rc)
{
	if (rc == SQLITE_ROW)
		return DB_ROW;
	if (rc == SQLITE_DONE || rc == SQLITE_OK)
		return DB_DONE;
	d->failure = rc;
	return (rc & 0xff) == SQLITE_CONSTRAINT ? DB_CONSTRAINT : DB_FAILED;
}

struct db *
db_open(const char *path, enum db_use use, const char **error_r)
{
	struct db *d = calloc(1, sizeof *d);
	int flags = use == DB_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	int rc;

	if (d == NULL) {
		*error_r = "memory is short";
		return NULL;
	}
	rc = sqlite3_open_v2(strncmp(path, "sqlite:", 7) == 0 ? path + 7 : path, &d->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(d->handle, BUSY_MS);
		sqlite3_wal_autocheckpoint(d->handle, use == DB_WRITE ? 1000 : 0);
		if (use == DB_READ || sqlite3_db_readonly(d->handle, "main") != 1)
			return d;
		rc = SQLITE_READONLY;
	}
	d->failure = rc;
	*error_r = db_error(d);
	db_close(&d);
	return NULL;
}

void
db_close(struct db **d)
{
	if (*d == NULL)
		return;
	sqlite3_close((*d)->handle);
	free(*d);
	*d = NULL;
}

int
db_exec(struct db *d, const char *sql)
{
	return result(d, sqlite3_exec(d->handle, sql, NULL, NULL, NULL)) == DB_DONE ? 0 : -1;
}

struct db_query *
db_prepare(struct db *d, const char *sql)
{
	struct db_query *q = calloc(1, sizeof *q);
	int rc = SQLITE_NOMEM;

	if (q != NULL)
		rc = sqlite3_prepare_v3(d->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->st, NULL);
	if (rc == SQLITE_OK) {
		q->db = d;
		return q;
	}
	/* Tables that are not there. */
	d->failure = rc == SQLITE_ERROR ? SQLITE_SCHEMA : rc;
	free(q);
	return NULL;
}

void
db_finalize(struct db_query **q)
{
	if (*q == NULL)
		return;
	sqlite3_finalize((*q)->st);
	free(*q);
	*q = NULL;
}

void
db_bind_text(struct db_query *q, int *i, const char *s)
{
	sqlite3_bind_text(q->st, ++*i, s, -1, SQLITE_STATIC);
}

void
db_bind_int(struct db_query *q, int *i, int64_t n)
{
	sqlite3_bind_int64(q->st, ++*i, n);
}

void
db_bind_u64(struct db_query *q, int *i, uint64_t n)
{
	db_bind_int(q, i, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

enum db_result
db_step(struct db_query *q)
{
	return result(q->db, sqlite3_step(q->st));
}

void
db_reset(struct db_query *q)
{
	sqlite3_reset(q->st);
}

enum db_result
db_run(struct db_query *q)
{
	enum db_result r = db_step(q);

	db_reset(q);
	return r == DB_ROW ? DB_DONE : r;
}

const char *
db_text(struct db_query *q, int column)
{
	const unsigned char *s = sqlite3_column_text(q->st, column);

	return s == NULL ? "" : (const char *)s;
}

int64_t
db_int(struct db_query *q, int column)
{
	return sqlite3_column_int64(q->st, column);
}

int64_t
db_last_number(const struct db *d)
{
	return sqlite3_last_insert_rowid(d->handle);
}

int64_t
db_changes(const struct db *d)
{
	return sqlite3_changes(d->handle);
}

bool
db_in_transaction(const struct db *d)
{
	return sqlite3_get_autocommit(d->handle) == 0;
}

const char *
db_error(const struct db *d)
{
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
		if (failures[i].code == (d->failure & 0xff))
			return failures[i].text;
	return sqlite3_errstr(d->failure);
}

bool
db_is_lost(const struct db *d)
{
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
		if (failures[i].code == (d->failure & 0xff))
			return failures[i].is_lost;
	return false;
}

int64_t
db_number(struct db *d, const char *sql)
{
	struct db_query *q = db_prepare(d, sql);
	int64_t n = -1;

	if (q != NULL && db_step(q) == DB_ROW)
		n = db_int(q, 0);
	db_finalize(&q);
	return n;
}

enum db_dialect
db_dialect(const struct db *d)
{
	(void)d;
	return DB_SQLITE;
}

enum db_result
db_send(struct db_query *q)
{
	return db_run(q);
}
