/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See requests.h.
 */
#include "sql/requests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUESTS_MAX 500

struct requests {
	char *url;
	const char *path;         /* within url */
	struct db *db;            /* NULL while there is no file */
	struct stat file;
	struct db_query *select, *version;
	int64_t seen_version;     /* of the file when all of it had been read */
	int64_t seen, read;       /* the last number that was taken up, that was read */
	struct arena *arena;
	const char *error;
};

struct requests *
requests_new(const char *url)
{
	struct requests *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->arena = arena_new(0);
	r->url = requests_url(url);
	if (r->arena == NULL || r->url == NULL) {
		requests_free(&r);
		return NULL;
	}
	r->path = r->url + strlen("sqlite:");
	return r;
}

static void
close_file(struct requests *r)
{
	db_finalize(&r->select);
	db_finalize(&r->version);
	db_close(&r->db);
	r->seen = r->read = 0;
	r->seen_version = -1;
}

void
requests_free(struct requests **r)
{
	if (*r == NULL)
		return;
	close_file(*r);
	arena_free(&(*r)->arena);
	free((*r)->url);
	free(*r);
	*r = NULL;
}

/* Whether a writer is in the file, or died within its transaction. */
static bool
has_journal(const struct requests *r)
{
	char name[4096];

	snprintf(name, sizeof name, "%s-journal", r->path);
	return access(name, F_OK) == 0;
}

/* What a failed read comes to: another try at the next turn. */
static void
failed(struct requests *r)
{
	if (!db_is_lost(r->db) && db_is_retryable(r->db))
		return; /* a writer is in it */
	r->error = has_journal(r) ? NULL : db_error(r->db);
	close_file(r);
}

/* Opens what is there. A journal that was left behind only one who may write can undo. */
static void
open_file(struct requests *r)
{
	r->error = NULL;
	r->db = db_open(r->url, has_journal(r) ? DB_WRITE : DB_READ, 0, &r->error, NULL, 0);
	if (r->db == NULL)
		return;
	(void)db_exec(r->db, "PRAGMA busy_timeout = 0");
	r->select = db_prepare(r->db, "SELECT id, time, who, what, limit_name, key, amount, until, message_id,"
			       " scope, unit, period, number"
			       " FROM requests WHERE number > ? ORDER BY number LIMIT ?");
	r->version = db_prepare(r->db, "PRAGMA data_version");
	if (r->select == NULL || r->version == NULL) {
		failed(r);
		close_file(r);
	}
}

/* Whether the file is open; it is the one that has its name. */
static bool
check_file(struct requests *r)
{
	struct stat st;

	if (stat(r->path, &st) != 0) {
		r->error = errno == ENOENT ? NULL : strerror(errno);
		close_file(r);
		return false;
	}
	if (r->db != NULL && (st.st_ino != r->file.st_ino || st.st_dev != r->file.st_dev))
		close_file(r);
	if (r->db == NULL && st.st_size > 0) {
		r->file = st;
		open_file(r);
	}
	return r->db != NULL;
}

/* Whether somebody wrote since all of it was read. */
static bool
has_changed(struct requests *r, int64_t *version_r)
{
	*version_r = -1;
	if (db_step(r->version) == DB_ROW)
		*version_r = db_int(r->version, 0);
	db_reset(r->version);
	return *version_r < 0 || *version_r != r->seen_version;
}

struct operator_request
requests_row(struct db_query *q, struct arena *arena)
{
	struct operator_request r = {
		.time = db_int(q, 1), .who = arena_string(arena, db_text(q, 2)), .what = arena_string(arena, db_text(q, 3)),
		.limit_name = arena_string(arena, db_text(q, 4)), .key = arena_string(arena, db_text(q, 5)),
		.amount = db_int(q, 6), .until = db_int(q, 7), .message_id = arena_string(arena, db_text(q, 8)),
		.scope = arena_string(arena, db_text(q, 9)), .unit = db_int(q, 10), .period = db_int(q, 11),
	};

	snprintf(r.id, sizeof r.id, "%s", db_text(q, 0));
	return r;
}

static enum db_result
read_rows(struct requests *r, struct operator_request *rows, size_t *n_r)
{
	enum db_result rc;
	int i = 0;

	db_bind_int(r->select, &i, r->seen);
	db_bind_int(r->select, &i, REQUESTS_MAX);
	while ((rc = db_step(r->select)) == DB_ROW && *n_r < REQUESTS_MAX) {
		rows[(*n_r)++] = requests_row(r->select, r->arena);
		r->read = db_int(r->select, 12);
	}
	db_reset(r->select);
	return rc;
}

struct operator_request *
requests_read(struct requests *r, size_t *n_r)
{
	struct operator_request *rows;
	int64_t version;

	*n_r = 0;
	if (!check_file(r) || !has_changed(r, &version))
		return NULL;
	arena_reset(r->arena);
	rows = arena_array(r->arena, REQUESTS_MAX, sizeof *rows);
	r->read = r->seen;
	if (rows != NULL && read_rows(r, rows, n_r) == DB_FAILED) {
		*n_r = 0;
		failed(r);
	} else if (*n_r == 0 && rows != NULL) {
		r->seen_version = version;
	}
	if (arena_failed(r->arena))
		*n_r = 0;
	return rows;
}

void
requests_done(struct requests *r)
{
	r->seen = r->read;
}

const char *
requests_error(const struct requests *r)
{
	return r->error;
}
