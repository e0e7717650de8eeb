/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A database in this project's words: SQLite, or PostgreSQL. Only the drivers
 * (db_sqlite.c, db_postgres.c) know more. One connection belongs to one thread
 * at a time. For files of sql/ only.
 *
 * SQLite: exactly one process writes and checkpoints a file (the daemon, which
 * holds its lock); everybody else opens it with DB_READ and changes nothing,
 * not even a checkpoint.
 *
 * PostgreSQL: every call that waits for the server ends at the deadline; the
 * connection is dropped then, for nobody knows what the server still makes of
 * it. Only what libpq asks of others (name service, Kerberos, LDAP) can take
 * longer, while db_open() runs.
 *
 * Statements: a placeholder is `?`, counted from 1, or `?2`; it is one wherever
 * it stands outside of literals, quoted names and comments. In PostgreSQL a bound
 * number is a bigint and a bound text is text, from the first run of a statement on.
 */
#ifndef POSTERN_SQL_DB_H
#define POSTERN_SQL_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_query;

enum db_use { DB_WRITE, DB_READ };

enum db_dialect { DB_SQLITE, DB_POSTGRES };

/* What a statement came to. */
enum db_result {
	DB_DONE,
	DB_ROW,
	/* This row cannot be. In SQLite the transaction stands; in PostgreSQL it is
	 * gone, and db_rollback() is all that is left: where a collision is expected,
	 * say ON CONFLICT and look at db_changes(). */
	DB_CONSTRAINT,
	DB_FAILED                 /* db_error() says why; the transaction may be gone */
};

/* Opens "sqlite:PATH" (DB_WRITE creates the file), "postgresql://..." or
 * "postgres://..." as libpq has it; DB_READ can change nothing. Transactions of a writer are
 * READ COMMITTED in PostgreSQL unless BEGIN says otherwise. A server has `ms`
 * milliseconds to let us in (its URL's connect_timeout can only shorten that,
 * per host); SQLite ignores it. NULL with a static text in *error_r, and in words_r
 * (caller's buffer, or NULL) what the server or libpq said themselves, "" for nothing. */
struct db *db_open(const char *url, enum db_use use, int64_t ms, const char **error_r,
		   char *words_r, size_t words_size);

/* Why there is no database. */
struct db_failure {
	const char *error;        /* static, as *error_r above */
	bool is_away;             /* as db_is_away() */
	char words[512];          /* as words_r above */
};
/* The same, with all there is to say. */
struct db *db_try(const char *url, enum db_use use, int64_t ms, struct db_failure *failure_r);
void db_close(struct db **d);

enum db_dialect db_dialect(const struct db *d);

/* The URL without its passwords, for logs and errors; cut to size. Where one is written so
 * that its end is uncertain, only the scheme is left. */
void db_shown_url(const char *url, char *shown_r, size_t size);

/* From now on all calls together may take `ms` milliseconds; then they fail with a lost
 * connection. Negative: as long as it takes, which is so until the first call. SQLite
 * ignores it. */
void db_deadline(struct db *d, int64_t ms);

/* From now on what is read may take `ms` milliseconds, whatever it works on; then it is DB_FAILED, and what is
 * asked next. For readers; on a server db_deadline() does it. */
void db_interrupt_after(struct db *d, int64_t ms);

/* Runs statements that return nothing and have no placeholders, separated by ";".
 * Those outside of BEGIN and COMMIT are one transaction in PostgreSQL, and one each in
 * SQLite. 0, or -1 (db_error()). */
int db_exec(struct db *d, const char *sql);

/* A statement kept for many runs; NULL on error (db_error()). Finalize all of
 * them before db_close(). PostgreSQL sees it only when it first runs. */
struct db_query *db_prepare(struct db *d, const char *sql);
/* The same for one SELECT with more rows than memory should hold: PostgreSQL hands them
 * out some hundreds at a time, all as they were at the first step. Other queries may run
 * between two steps. A transaction that begins before its first step must not end before
 * its reset. */
struct db_query *db_prepare_large(struct db *d, const char *sql);
void db_finalize(struct db_query **q);

/* Each binds parameter *i + 1 and moves *i on. Text is not copied: it must live
 * until the query is reset, run or sent. Parameters keep their values. PostgreSQL takes no
 * octets that are not UTF-8: each gets U+FFFD in its place. */
void db_bind_text(struct db_query *q, int *i, const char *s);
void db_bind_int(struct db_query *q, int *i, int64_t n);
void db_bind_u64(struct db_query *q, int *i, uint64_t n); /* saturates at INT64_MAX */
void db_bind_null(struct db_query *q, int *i);

/* The next row. */
enum db_result db_step(struct db_query *q);
void db_reset(struct db_query *q);
/* Steps to the end of a statement without rows, and resets. */
enum db_result db_run(struct db_query *q);

/* Like db_run() for a statement within a transaction, but does not wait for the server
 * where the driver can queue. SQLite runs it at once. When something sent fails (a
 * constraint is a failure here), the next db_run(), db_step(), db_exec() or db_flush() is
 * DB_FAILED and does nothing itself; where it is known already, so is this. */
enum db_result db_send(struct db_query *q);
/* Sends a query whose rows the first db_step() gets, so that several share one round trip: the
 * first step of any of them waits for all that was sent and asked, and is DB_FAILED when anything of
 * it failed. SQLite runs it in db_step(), so nothing that changes its rows may come between. */
enum db_result db_ask(struct db_query *q);
/* Waits for all that was sent: DB_DONE or DB_FAILED. */
enum db_result db_flush(struct db *d);

/* Gives up the open transaction, if any, and what was sent: DB_DONE or DB_FAILED. db_error()
 * stays what it was unless this fails itself. */
enum db_result db_rollback(struct db *d);

/* Columns of the present row, from 0. Text is never NULL and lives until the
 * next step. A boolean is 1 or 0. */
const char *db_text(struct db_query *q, int column);
int64_t db_int(struct db_query *q, int column);

/* How many rows the last insert, update or delete changed (PostgreSQL: the last that was
 * run or flushed). */
int64_t db_changes(const struct db *d);

/* Whether a transaction is open; a BEGIN that was only sent counts once it is flushed. */
bool db_in_transaction(const struct db *d);

/* What the last failure was, for admins: a static text with what to do. */
const char *db_error(const struct db *d);

/* What the server itself said of it, one line, "" for nothing; until the next call. */
const char *db_words(const struct db *d);

/* Whether the last failure means that the database must be opened anew. A COMMIT that failed
 * so may have been done all the same. */
bool db_is_lost(const struct db *d);

/* Whether the last failure says that the server cannot be reached or takes nobody in for now:
 * no network, refused, silent, stopping, starting, recovering, a standby. Never so in SQLite. */
bool db_is_away(const struct db *d);

/* Whether the same transaction may well succeed when it is tried again: others were in the
 * way of it, or the connection was lost (then db_is_lost(), too). */
bool db_is_retryable(const struct db *d);

/* The first value of a query without parameters, as a number; -1 on error. */
int64_t db_number(struct db *d, const char *sql);

#endif
