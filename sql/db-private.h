/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a driver of db.h provides. For db*.c only.
 */
#ifndef POSTERN_SQL_DB_PRIVATE_H
#define POSTERN_SQL_DB_PRIVATE_H

#include "sql/db.h"

/* One row per driver; see db.h for what each does. Parameters and columns count from 0. */
struct db_ops {
	enum db_dialect dialect;
	const char *schemes[2];
	struct db *(*open)(const char *url, enum db_use use, int64_t ms, struct db_failure *failure_r);
	void (*close)(struct db *d);
	void (*deadline)(struct db *d, int64_t ms);   /* NULL: calls do not wait for others */
	void (*interrupt_after)(struct db *d, int64_t ms); /* NULL: deadline does it */
	int (*exec)(struct db *d, const char *sql);
	struct db_query *(*prepare)(struct db *d, const char *sql, bool is_large);
	void (*finalize)(struct db_query *q);
	void (*bind_text)(struct db_query *q, int parameter, const char *s); /* NULL: null */
	void (*bind_int)(struct db_query *q, int parameter, int64_t n);
	enum db_result (*step)(struct db_query *q);
	void (*reset)(struct db_query *q);
	enum db_result (*send)(struct db_query *q);
	enum db_result (*ask)(struct db_query *q);    /* NULL: step() does it */
	enum db_result (*flush)(struct db *d);
	enum db_result (*rollback)(struct db *d);
	const char *(*text)(struct db_query *q, int column);
	int64_t (*number)(struct db_query *q, int column);
	int64_t (*changes)(const struct db *d);
	bool (*in_transaction)(const struct db *d);
	const char *(*error)(const struct db *d);
	const char *(*words)(const struct db *d);     /* NULL: it has none of its own */
	bool (*is_lost)(const struct db *d);
	bool (*is_retryable)(const struct db *d);
	bool (*is_away)(const struct db *d);          /* NULL: never */
};

/* What each driver's own begin with. */
struct db {
	const struct db_ops *ops;
};

struct db_query {
	struct db *db;
};

/* Whether it is certain which part of a URL is its password. */
bool db_url_is_clear(const char *url);

extern const struct db_ops db_sqlite_ops;
extern const struct db_ops db_postgres_ops;

#endif
