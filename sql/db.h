/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An SQLite database in this project's words: the only module that knows
 * sqlite3.h. One connection belongs to one thread at a time. For files of
 * sql/ only.
 *
 * Exactly one process writes and checkpoints a file (the daemon, which holds
 * its lock); everybody else opens it with DB_READ and changes nothing, not
 * even a checkpoint.
 */
#ifndef POSTERN_SQL_DB_H
#define POSTERN_SQL_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_query;

enum db_use { DB_WRITE, DB_READ };

/* What a statement came to. */
enum db_result {
	DB_DONE,
	DB_ROW,
	DB_CONSTRAINT,            /* this row cannot be; the transaction stands */
	DB_FAILED                 /* db_error() says why; the transaction may be gone */
};

/* Opens; DB_WRITE creates the file. NULL with a static text in *error_r. */
struct db *db_open(const char *path, enum db_use use, const char **error_r);
void db_close(struct db **d);

/* Runs statements that return nothing. 0, or -1 (db_error()). */
int db_exec(struct db *d, const char *sql);

/* A statement kept for many runs; NULL on error (db_error()). Finalize all of
 * them before db_close(). */
struct db_query *db_prepare(struct db *d, const char *sql);
void db_finalize(struct db_query **q);

/* Each binds parameter *i + 1 and moves *i on. Text is not copied: it must live
 * until the query is reset. */
void db_bind_text(struct db_query *q, int *i, const char *s);
void db_bind_int(struct db_query *q, int *i, int64_t n);
void db_bind_u64(struct db_query *q, int *i, uint64_t n); /* saturates at INT64_MAX */

enum db_dialect { DB_SQLITE, DB_POSTGRES };
enum db_dialect db_dialect(const struct db *d);
enum db_result db_send(struct db_query *q);

/* The next row. */
enum db_result db_step(struct db_query *q);
void db_reset(struct db_query *q);
/* Steps to the end of a statement without rows, and resets. */
enum db_result db_run(struct db_query *q);

/* Columns of the present row, from 0. Text is never NULL and lives until the
 * next step. */
const char *db_text(struct db_query *q, int column);
int64_t db_int(struct db_query *q, int column);

/* The row number of the last insert. */
int64_t db_last_number(const struct db *d);

/* How many rows the last insert, update or delete changed. */
int64_t db_changes(const struct db *d);

/* Whether a transaction is open. */
bool db_in_transaction(const struct db *d);

/* What the last failure was, for admins: a static text with what to do. */
const char *db_error(const struct db *d);

/* Whether the last failure means that the file must be opened anew. */
bool db_is_lost(const struct db *d);

/* The first value of a query without parameters, as a number; -1 on error. */
int64_t db_number(struct db *d, const char *sql);

#endif
