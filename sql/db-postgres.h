/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the PostgreSQL driver needs that is not libpq: statements and text as
 * PostgreSQL has them, and what its SQLSTATEs mean. Pure. For db_postgres*.c only.
 */
#ifndef POSTERN_SQL_DB_POSTGRES_H
#define POSTERN_SQL_DB_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>

/* The statement with $1, $2 for its placeholders, and how many parameters it has.
 * The caller's to free; NULL when memory is short. */
char *postgres_statement(const char *sql, int *n_r);

/* Whether a statement begins with this word, case ignored. */
bool postgres_begins_with(const char *sql, const char *word);

/* A copy with U+FFFD for each octet that is not UTF-8. The caller's to free; NULL when
 * memory is short. */
char *postgres_text(const char *s);

/* The first SQLSTATE in a message of PQERRORS_VERBOSE. */
#define POSTGRES_STATE_SIZE 6
bool postgres_state_in(const char *message, char state_r[POSTGRES_STATE_SIZE]);

/* Copies what libpq said as one line: no control characters, no positions in the server's
 * source, cut to size. */
void postgres_line(const char *message, char *line_r, size_t size);

/* Beside those of PostgreSQL: */
#define POSTGRES_LOST "08006"      /* connection_failure */
#define POSTGRES_UNREACHED "08001" /* sqlclient_unable_to_establish_sqlconnection */
#define POSTGRES_BROKEN "25P02"    /* in_failed_sql_transaction */
#define POSTGRES_READ_ONLY "25006" /* read_only_sql_transaction */
#define POSTGRES_LOGIN "28P01"     /* invalid_password */
#define POSTGRES_SET_READ_ONLY "ZZRDO" /* by default_transaction_read_only, not because it is a standby */
#define POSTGRES_MEMORY "ZZMEM"    /* our own */
#define POSTGRES_LATE "ZZLAT"      /* past the deadline */
#define POSTGRES_ENCODING "ZZENC"
#define POSTGRES_URL "ZZURL"

/* What a SQLSTATE means; never NULL. */
struct postgres_failure {
	const char *state;        /* it, or the first characters of it */
	bool is_lost;
	bool is_retryable;
	bool is_away;
	const char *text;
};
const struct postgres_failure *postgres_failure(const char *state);

#endif
