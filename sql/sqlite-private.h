/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the files of the SQLite backend that write. For sqlite*.c only; all on
 * the writer's thread, or before it starts.
 */
#ifndef POSTERN_SQL_SQLITE_PRIVATE_H
#define POSTERN_SQL_SQLITE_PRIVATE_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "sql/db.h"
#include "sql/limit-clock.h"
#include "sql/store-private.h"
#include "sql/usage.h"

enum statement {
	MESSAGE, RECIPIENT, SIGNATURE, CHARGE, RULE, POLICY_RULE, REFUSAL, LIMIT_FIND, LIMIT_NEW, LIMIT_COUNT,
	USE_READ, USE_WRITE, USE_PRUNE, CLOCK_WRITE, OLD_MESSAGES, DROP_MESSAGE, DROP_RECIPIENTS, DROP_SIGNATURES,
	DROP_CHARGES, DROP_RULES, DROP_REFUSALS, FREE_LIMITS, DROP_USE, DROP_LIMIT, BEGIN, COMMIT, ROLLBACK,
	STATEMENTS
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

/* The statements, in that order. */
extern const char *const sqlite_statements[STATEMENTS];

/* The limits' time, in milliseconds. */
int64_t sqlite_limit_now(struct backend *b);

/* All rows of a batch, within a transaction that the caller begins and ends. */
enum db_result sqlite_write_rows(struct backend *b, const struct batch *batch, int64_t now);

/* See struct store_ops. */
int sqlite_prune(void *backend, int64_t before_ms, int max);

#endif
