/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An SQLite store as its readers see it. They never write or checkpoint.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sql/db.h"
#include "sql/limit-clock.h"
#include "sql/store-private.h"
#include "sql/usage.h"

const char sqlite_newer_text[] = "it was written by a newer Postern; install that version or use another file";

struct reader {
	struct db *db;
};

void
sqlite_read_clock(struct db *db, struct limit_clock *c)
{
	struct db_query *q = db_prepare(db, "SELECT boot_id, anchor_wall_ms, anchor_boot_ms, latest_ms FROM limit_clock");

	if (q != NULL && db_step(q) == DB_ROW) {
		snprintf(c->boot_id, sizeof c->boot_id, "%s", db_text(q, 0));
		c->anchor_wall = db_int(q, 1);
		c->anchor_boot = db_int(q, 2);
		c->latest = db_int(q, 3);
	}
	db_finalize(&q);
}

void
sqlite_reader_close(void *reader)
{
	struct reader *r = reader;

	db_close(&r->db);
	free(r);
}

static const char *
check_version(struct db *db)
{
	int64_t version = db_number(db, "PRAGMA user_version");

	if (version < 0)
		return db_error(db);
	if (version > SQLITE_SCHEMA_VERSION)
		return sqlite_newer_text;
	return version == 0 ? "it is no store of Postern" : NULL;
}

void *
sqlite_reader_open(const char *url, char *error_r, size_t error_size)
{
	const char *path = url + strlen("sqlite:"), *error = "memory is short";
	struct reader *r = calloc(1, sizeof *r);

	if (r != NULL && access(path, R_OK) != 0)
		error = strerror(errno);
	else if (r != NULL)
		r->db = db_open(path, DB_READ, &error);
	if (r != NULL && r->db != NULL && (error = check_version(r->db)) == NULL)
		return r;
	snprintf(error_r, error_size, "%s: %s", path, error);
	if (r != NULL)
		sqlite_reader_close(r);
	return NULL;
}

/* The window of a charge's counter; what is not stored is unused. */
static int
read_window(struct db_query *q, const struct charge *c, struct window *w)
{
	enum db_result rc;
	int i = 0;

	*w = (struct window){0};
	db_bind_text(q, &i, c->scope);
	db_bind_int(q, &i, (int64_t)c->unit);
	db_bind_int(q, &i, c->period);
	db_bind_text(q, &i, c->key);
	while ((rc = db_step(q)) == DB_ROW)
		window_add(w, db_int(q, 0), (uint64_t)db_int(q, 1));
	db_reset(q);
	return rc == DB_DONE ? 0 : -1;
}

int
sqlite_reader_peek(void *reader, const struct clock *clock, struct charge *charges, size_t n,
		   const char **error_r)
{
	struct reader *r = reader;
	struct usage *u = usage_new();
	struct limit_clock c = {0};
	struct db_query *q = db_prepare(r->db, "SELECT slot, used FROM limit_use JOIN limits ON id = limit_id "
					"WHERE scope = ? AND unit = ? AND period = ? AND key = ? ORDER BY slot");
	int rc = q == NULL || u == NULL ? -1 : 0;

	sqlite_read_clock(r->db, &c);
	(void)limit_clock_start(&c, clock);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct counter *k = usage_find(u, &charges[i]);
		struct window w;

		rc = k == NULL ? -1 : read_window(q, &charges[i], &w);
		if (rc == 0)
			usage_load(u, k, 1, &w);
	}
	if (rc == 0)
		usage_weigh(u, NULL, charges, n, clock->boot_ms(clock->context) + limit_clock_offset(&c));
	else
		*error_r = u == NULL ? "memory is short" : db_error(r->db);
	db_finalize(&q);
	usage_free(&u);
	return rc;
}
