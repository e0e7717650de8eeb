/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The versions of the tables. Each is one file of SQL per dialect; a file is
 * never changed once it was released. In PostgreSQL several relays may start at
 * once: the row of schema_version is the lock, and whoever comes second finds
 * that there is nothing left to do.
 */
#include <stdio.h>

#include "sql/backend-private.h"
#include "sql/read-private.h"
#include "sql/schema-texts.h"

#define VERSION 7

static const char newer[] = "it was written by a newer Postern; install that version or use another database";
static const char none[] = "it is no store of Postern";
static const char older[] = "its tables are of an older Postern; start posternd once, it brings them up to date";

/* What brings the tables to version i + 1. PostgreSQL begins with 2. */
static const char *const sqlite_steps[VERSION] = { sqlite_001_initial, sqlite_002_held, sqlite_003_hours, sqlite_004_trace, "", "",
	sqlite_007_timings };
static const char *const postgres_steps[VERSION] = { "", postgres_002_initial, postgres_003_hours, postgres_004_deliveries,
	postgres_005_upstream, postgres_006_reported, postgres_007_timings };
const char *const schema_deliveries[DELIVERIES_VERSION] = { sqlite_deliveries, sqlite_deliveries_upstream, sqlite_deliveries_reported };
/* After any of them: the views, made anew. */
static const char *const views[] = { [DB_SQLITE] = sqlite_views, [DB_POSTGRES] = postgres_views };

/* 1 where PostgreSQL has the table of the version. */
static int64_t
has_version(struct db *db)
{
	return db_number(db, "SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'schema_version' AND relkind = 'r'"
			     " AND pg_catalog.pg_table_is_visible(oid)");
}

/* The version, 0 for none, -1 on error. */
static int64_t
version_of(struct db *db)
{
	int64_t n;

	if (db_dialect(db) == DB_SQLITE)
		return db_number(db, "PRAGMA user_version");
	n = has_version(db);
	return n > 0 ? db_number(db, "SELECT coalesce(max(version), 0) FROM schema_version") : n;
}

static int
sqlite_step(struct db *db, int to)
{
	char end[80];

	snprintf(end, sizeof end, "PRAGMA user_version=%d; COMMIT", to);
	if (db_exec(db, "BEGIN IMMEDIATE") != 0 || db_exec(db, sqlite_steps[to - 1]) != 0)
		return -1;
	if (to == VERSION && db_exec(db, views[DB_SQLITE]) != 0)
		return -1;
	return db_exec(db, end);
}

static const char *
sqlite_migrate(struct db *db)
{
	int64_t version = version_of(db);

	if (version > VERSION)
		return newer;
	for (int to = (int)version + 1; version >= 0 && to <= VERSION; to++)
		if (sqlite_step(db, to) != 0)
			return db_error(db);
	return version < 0 ? db_error(db) : NULL;
}

/* Under the lock of the row. */
static const char *
postgres_steps_from(struct db *db, int64_t version)
{
	char end[80];

	if (version > VERSION)
		return newer;
	for (int to = (int)version + 1; to <= VERSION; to++)
		if (postgres_steps[to - 1][0] != '\0' && db_exec(db, postgres_steps[to - 1]) != 0)
			return db_error(db);
	if (version < VERSION && (db_exec(db, views[DB_POSTGRES]) != 0 || db_exec(db, postgres_deliveries_view) != 0))
		return db_error(db);
	snprintf(end, sizeof end, "UPDATE schema_version SET version = %d; COMMIT", VERSION);
	return version < 0 || db_exec(db, end) != 0 ? db_error(db) : NULL;
}

static const char *
postgres_migrate(struct db *db)
{
	int64_t version = version_of(db);
	const char *error;

	if (version >= VERSION)
		return version > VERSION ? newer : NULL;
	/* Of several that create it at once all but one may fail, and find it then. */
	if (version == 0 && db_exec(db, "CREATE TABLE IF NOT EXISTS schema_version"
				    " (one BIGINT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL)") != 0) {
		error = db_error(db);
		if (has_version(db) != 1)
			return error;
	}
	if (db_exec(db, "INSERT INTO schema_version VALUES (1, 0) ON CONFLICT DO NOTHING") != 0 || db_exec(db, "BEGIN") != 0)
		return db_error(db);
	error = postgres_steps_from(db, db_number(db, "SELECT version FROM schema_version FOR UPDATE"));
	if (error != NULL)
		(void)db_rollback(db);
	return error;
}

const char *
schema_migrate(struct db *db)
{
	return db_dialect(db) == DB_SQLITE ? sqlite_migrate(db) : postgres_migrate(db);
}

const char *
schema_check(struct db *db)
{
	int64_t version = version_of(db);

	if (version < 0)
		return db_error(db);
	if (version == 0)
		return none;
	return version > VERSION ? newer : version < VERSION ? older : NULL;
}
