/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The versions of the tables. Each is one file of SQL per dialect; a file is
 * never changed once it was released.
 */
#include <stdio.h>

#include "sql/backend-private.h"
#include "sql/schema-texts.h"

#define VERSION 2

static const char newer[] = "it was written by a newer Postern; install that version or use another database";

/* What brings the tables to version i + 1. */
static const char *const sqlite_steps[VERSION] = { sqlite_001_initial, sqlite_002_held };

static int64_t
version_of(struct db *db)
{
	return db_number(db, "PRAGMA user_version");
}

static int
step(struct db *db, int to)
{
	char end[80];

	snprintf(end, sizeof end, "PRAGMA user_version=%d; COMMIT", to);
	if (db_exec(db, "BEGIN IMMEDIATE") == 0 && db_exec(db, sqlite_steps[to - 1]) == 0 && db_exec(db, end) == 0)
		return 0;
	return -1;
}

const char *
schema_migrate(struct db *db)
{
	int64_t version = version_of(db);

	if (version > VERSION)
		return newer;
	for (int to = (int)version + 1; version >= 0 && to <= VERSION; to++)
		if (step(db, to) != 0)
			return db_error(db);
	return version < 0 ? db_error(db) : NULL;
}

const char *
schema_check(struct db *db)
{
	int64_t version = version_of(db);

	if (version < 0)
		return db_error(db);
	if (version > VERSION)
		return newer;
	if (version == 0)
		return "it is no store of Postern";
	return version == VERSION ? NULL : "its tables are of an older Postern; start posternd once, it brings them up to date";
}
