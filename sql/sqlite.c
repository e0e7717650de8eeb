/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store in an SQLite file. One connection, on the writer's thread; the
 * lock file keeps other writers out.
 *
 * Another file under the same name (restored, moved, removed) is noticed before
 * and after each commit: what was written into the old one does not count, and
 * the windows in memory are joined to what the new one holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "sql/initial.h"
#include "sql/sqlite-private.h"

/* How old the stored limit_clock may be: no more than the shortest slot. */
#define CLOCK_EVERY_MS 1000

int64_t
sqlite_limit_now(struct backend *b)
{
	const struct clock *c = b->options.clock;

	return c->boot_ms(c->context) + atomic_load(&b->offset);
}

static void
say(struct backend *b, bool is_error, const char *line)
{
	if (b->options.log != NULL)
		b->options.log(b->options.log_context, is_error, line);
}

static enum db_result
write_clock(struct backend *b, int64_t now)
{
	struct db_query *q = b->query[CLOCK_WRITE];
	int i = 0;

	if (now - b->clock_written < CLOCK_EVERY_MS)
		return DB_DONE;
	db_bind_text(q, &i, b->clock.boot_id);
	db_bind_int(q, &i, b->clock.anchor_wall);
	db_bind_int(q, &i, b->clock.anchor_boot);
	db_bind_int(q, &i, now);
	return db_run(q);
}

static enum db_result
write_batch(struct backend *b, const struct batch *batch, int64_t now)
{
	enum db_result rc = db_run(b->query[BEGIN]);

	if (rc == DB_DONE)
		rc = sqlite_write_rows(b, batch, now);
	if (rc == DB_DONE)
		rc = write_clock(b, now);
	CRASH_POINT("admit-before-commit");
	if (rc == DB_DONE)
		rc = db_run(b->query[FAULT("no-commit") ? ROLLBACK : COMMIT]);
	CRASH_POINT("admit-after-commit");
	return rc;
}

static void
close_db(struct backend *b)
{
	for (int i = 0; i < STATEMENTS; i++)
		db_finalize(&b->query[i]);
	db_close(&b->db);
	usage_detach(b->usage);
}

static const char *
migrate(struct db *db)
{
	int64_t version = db_number(db, "PRAGMA user_version");

	if (version < 0)
		return db_error(db);
	if (version > SQLITE_SCHEMA_VERSION)
		return sqlite_newer_text;
	if (version == SQLITE_SCHEMA_VERSION)
		return NULL;
	if (db_exec(db, "BEGIN IMMEDIATE") == 0 && db_exec(db, initial_sql) == 0 &&
	    db_exec(db, "PRAGMA user_version=1; COMMIT") == 0)
		return NULL;
	return db_error(db);
}

/* Once per process: a file that takes the place of another does not set the
 * clock. */
static void
start_clock(struct backend *b)
{
	b->clock_written = 0;
	if (b->clock.boot_id[0] != '\0')
		return;
	sqlite_read_clock(b->db, &b->clock);
	switch (limit_clock_start(&b->clock, b->options.clock)) {
	case LIMIT_CLOCK_BEHIND:
		say(b, true, "the clock is behind the limits' last use; limits go on from there");
		break;
	case LIMIT_CLOCK_AHEAD:
		say(b, true, "the clock is more than a day after the limits' last use; if the machine was not off for "
			     "so long, the clock is wrong, and limits are free that should not be");
		break;
	case LIMIT_CLOCK_CONTINUES:
	case LIMIT_CLOCK_ANEW:
		break;
	}
	atomic_store(&b->offset, limit_clock_offset(&b->clock));
}

/* NULL, or what is wrong. */
static const char *
prepare_db(struct backend *b)
{
	const char *error;

	if (db_exec(b->db, "PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=67108864;"
			   "PRAGMA foreign_keys=OFF") != 0 ||
	    db_exec(b->db, b->options.durability == STORE_DURABILITY_POWER ? "PRAGMA synchronous=FULL"
									   : "PRAGMA synchronous=NORMAL") != 0)
		return db_error(b->db);
	if ((error = migrate(b->db)) != NULL)
		return error;
	for (int i = 0; i < STATEMENTS; i++)
		if ((b->query[i] = db_prepare(b->db, sqlite_statements[i])) == NULL)
			return db_error(b->db);
	start_clock(b);
	return stat(b->path, &b->file) == 0 ? NULL : "it cannot be found again";
}

/* NULL, or what is wrong (static); then the database is closed. */
static const char *
open_db(struct backend *b)
{
	const char *error;
	int fd = open(b->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640); /* the mode is ours, not SQLite's */

	if (fd >= 0)
		close(fd);
	b->db = db_open(b->path, DB_WRITE, &error);
	if (b->db != NULL && (error = prepare_db(b)) != NULL)
		close_db(b);
	return b->db == NULL ? error : NULL;
}

/* Whether the path still names the file that is open. */
static bool
is_same_file(const struct backend *b)
{
	struct stat st;

	return stat(b->path, &st) == 0 && st.st_ino == b->file.st_ino && st.st_dev == b->file.st_dev;
}

static const char *
check_file(struct backend *b)
{
	if (b->db != NULL && is_same_file(b))
		return NULL;
	if (b->db != NULL) {
		say(b, true, "the database file was moved or replaced; another is opened under its name");
		close_db(b);
	}
	return open_db(b);
}

static int
sqlite_commit(void *backend, const struct batch *batch, const char **error_r)
{
	struct backend *b = backend;
	enum db_result rc;
	int64_t now;

	CRASH_POINT("admit-before-begin");
	if ((*error_r = check_file(b)) != NULL)
		return -1;
	now = sqlite_limit_now(b);
	rc = write_batch(b, batch, now);
	if (rc == DB_DONE && is_same_file(b)) {
		usage_keep(b->usage, now);
		if (now - b->clock_written >= CLOCK_EVERY_MS)
			b->clock_written = now;
		return 0;
	}
	*error_r = rc == DB_DONE ? "the database file was moved or replaced during a write" : db_error(b->db);
	if (db_in_transaction(b->db))
		db_run(b->query[ROLLBACK]);
	usage_undo(b->usage);
	if (rc == DB_DONE || db_is_lost(b->db))
		close_db(b);
	return -1;
}

static void
sqlite_close(void *backend)
{
	struct backend *b = backend;

	if (b->usage != NULL)
		close_db(b);
	usage_free(&b->usage);
	if (b->lock_fd >= 0)
		close(b->lock_fd);
	free(b->path);
	free(b);
}

static int
take_lock(struct backend *b, char *error_r, size_t size)
{
	char name[4096];

	snprintf(name, sizeof name, "%s.lock", b->path);
	b->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (b->lock_fd < 0) {
		snprintf(error_r, size, "%s: %s; the directory must exist and be writable",
			 name, strerror(errno));
		return -1;
	}
	if (flock(b->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	snprintf(error_r, size, "%s: another posternd has this store open; stop it first", b->path);
	return -1;
}

static void *
sqlite_open(const struct store_options *o, char *error_r, size_t error_size)
{
	struct backend *b = calloc(1, sizeof *b);
	const char *error = "memory is short";

	if (b == NULL) {
		snprintf(error_r, error_size, "%s", error);
		return NULL;
	}
	b->options = *o;
	b->lock_fd = -1;
	b->usage = usage_new();
	b->path = strdup(o->url + strlen("sqlite:"));
	if (b->usage == NULL || b->path == NULL) {
		snprintf(error_r, error_size, "%s", error);
	} else if (take_lock(b, error_r, error_size) == 0) {
		if ((error = open_db(b)) == NULL)
			return b;
		snprintf(error_r, error_size, "%s: %s", b->path, error);
	}
	sqlite_close(b);
	return NULL;
}

static void
sqlite_peek(void *backend, struct charge *charges, size_t n)
{
	struct backend *b = backend;

	usage_weigh(b->usage, NULL, charges, n, sqlite_limit_now(b));
}

const struct store_ops store_sqlite_ops = {
	.scheme = "sqlite:", .open = sqlite_open, .close = sqlite_close, .commit = sqlite_commit,
	.prune = sqlite_prune,
	.peek = sqlite_peek, .reader_open = sqlite_reader_open, .reader_close = sqlite_reader_close,
	.reader_peek = sqlite_reader_peek, .reader_messages = sqlite_reader_messages,
	.reader_refusals = sqlite_reader_refusals, .reader_count = sqlite_reader_count, .reader_limit = sqlite_reader_limit,
	.reader_policy = sqlite_reader_policy,
};
