/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See postgres.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sql/db.h"
#include "tests/lib/postgres.h"

static const char *
setting(const char *name)
{
	const char *value = getenv(name);

	assert_non_null(value);
	return value;
}

bool
postgres_is_there(void)
{
	return getenv("POSTERN_TEST_POSTGRES") != NULL;
}

const char *
postgres_folder(void)
{
	return setting("POSTERN_TEST_POSTGRES_FOLDER");
}

/* A URL with its "/postgres" replaced, and parameters ("a=b&c=d") added. */
static char *
with_database(const char *url, const char *database, const char *parameters)
{
	const char *end = strstr(url, "/postgres?");
	size_t size = strlen(url) + strlen(database) + strlen(parameters) + 3;
	char *s = malloc(size);

	assert_non_null(s);
	if (end == NULL)
		end = url + strlen(url) - strlen("/postgres");
	snprintf(s, size, "%.*s/%s%s%s%s", (int)(end - url), url, database, end + strlen("/postgres"),
		 parameters[0] == '\0' ? "" : end[strlen("/postgres")] == '?' ? "&" : "?", parameters);
	return s;
}

char *
postgres_url(const char *database, const char *parameters)
{
	return with_database(setting("POSTERN_TEST_POSTGRES_TCP"), database, parameters);
}

void
postgres_sql(const char *sql)
{
	const char *error;
	char words[256];
	struct db *d = db_open(setting("POSTERN_TEST_POSTGRES"), DB_WRITE, 30000, &error, words, sizeof words);

	if (d == NULL)
		fail_msg("%s (%s)", error, words);
	db_deadline(d, 60000);
	if (db_exec(d, sql) != 0)
		fail_msg("%s: %s (%s)", sql, db_error(d), db_words(d));
	db_close(&d);
}

static const char *
make_database(void)
{
	static char name[64];
	static unsigned n;
	char sql[128];

	snprintf(name, sizeof name, "test_%ld_%u", (long)getpid(), ++n);
	snprintf(sql, sizeof sql, "CREATE DATABASE %s OWNER postern", name);
	postgres_sql(sql);
	return name;
}

char *
postgres_fresh(void)
{
	return postgres_url(make_database(), "");
}

char *
postgres_fresh_as_superuser(void)
{
	return with_database(setting("POSTERN_TEST_POSTGRES"), make_database(), "");
}

void
postgres_control(const char *what)
{
	char command[4096];

	snprintf(command, sizeof command, "%s %s", setting("POSTERN_TEST_POSTGRES_CONTROL"), what);
	assert_int_equal(system(command), 0);
}
