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
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"
#include "sql/backend-private.h"
#include "sql/hours.h"
#include "sql/limit-clock.h"

/* How old the stored limit_clock may be: no more than the shortest slot. */
#define CLOCK_EVERY_MS 1000

struct sqlite {
	struct backend b;         /* first: the rest of sql/ knows no more */
	struct db_query *begin, *commit, *write_clock;
	char *url;
	const char *path;         /* within url */
	int lock_fd;
	struct stat file;
	struct limit_clock clock;
	struct requests *requests; /* what operators ask for, in a file of theirs */
	const char *requests_error; /* as last said */
	int64_t clock_written;    /* the limits' time for which `clock` was last stored */
	_Atomic int64_t offset;   /* limits' clock less boot clock */
};

static int64_t
limit_now(const struct backend *b)
{
	const struct sqlite *s = (const struct sqlite *)b;
	const struct clock *c = b->options.clock;

	return c->boot_ms(c->context) + atomic_load(&s->offset);
}

static enum db_result
write_clock(struct sqlite *s)
{
	struct db_query *q = s->write_clock;
	int i = 0;

	if (s->b.now - s->clock_written < CLOCK_EVERY_MS)
		return DB_DONE;
	db_bind_text(q, &i, s->clock.boot_id);
	db_bind_int(q, &i, s->clock.anchor_wall);
	db_bind_int(q, &i, s->clock.anchor_boot);
	db_bind_int(q, &i, s->b.now);
	return db_run(q);
}

static void
close_db(struct sqlite *s)
{
	db_finalize(&s->begin);
	db_finalize(&s->commit);
	db_finalize(&s->write_clock);
	backend_close(&s->b);
}

/* Once per process: a file that takes the place of another does not set the
 * clock. */
static void
start_clock(struct sqlite *s)
{
	s->clock_written = 0;
	if (s->clock.boot_id[0] != '\0')
		return;
	sqlite_read_clock(s->b.db, &s->clock);
	switch (limit_clock_start(&s->clock, s->b.options.clock)) {
	case LIMIT_CLOCK_BEHIND:
		backend_say(&s->b, true, "the clock is behind the limits' last use; limits go on from there");
		break;
	case LIMIT_CLOCK_AHEAD:
		backend_say(&s->b, true, "the clock is more than a day after the limits' last use; if the machine was "
			    "not off for so long, the clock is wrong, and limits are free that should not be");
		break;
	case LIMIT_CLOCK_CONTINUES:
	case LIMIT_CLOCK_ANEW:
		break;
	}
	atomic_store(&s->offset, limit_clock_offset(&s->clock));
}

/* NULL, or what is wrong. */
static const char *
prepare_db(struct sqlite *s)
{
	struct db *db = s->b.db;
	const char *error;

	if (db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=67108864; PRAGMA foreign_keys=OFF") != 0 ||
	    db_exec(db, s->b.options.durability == STORE_DURABILITY_POWER ? "PRAGMA synchronous=FULL"
									 : "PRAGMA synchronous=NORMAL") != 0)
		return db_error(db);
	if ((error = schema_migrate(db)) != NULL)
		return error;
	s->begin = db_prepare(db, "BEGIN IMMEDIATE");
	s->commit = db_prepare(db, "COMMIT");
	s->write_clock = db_prepare(db, "REPLACE INTO limit_clock VALUES (1,?,?,?,?)");
	if (s->begin == NULL || s->commit == NULL || s->write_clock == NULL || backend_prepare(&s->b) != 0 ||
	    held_adopt(&s->b) != 0)
		return db_error(db);
	start_clock(s);
	s->b.may_wait = true;
	s->b.free_next = 0;
	return stat(s->path, &s->file) == 0 ? NULL : "it cannot be found again";
}

/* NULL, or what is wrong (static); then the database is closed. */
static const char *
open_db(struct sqlite *s)
{
	const char *error;
	int fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640); /* the mode is ours, not SQLite's */

	if (fd >= 0)
		close(fd);
	s->b.db = db_open(s->url, DB_WRITE, 0, &error, NULL, 0);
	if (s->b.db != NULL && (error = prepare_db(s)) != NULL)
		close_db(s);
	return s->b.db == NULL ? error : NULL;
}

/* Whether the path still names the file that is open. */
static bool
is_same_file(const struct sqlite *s)
{
	struct stat st;

	return stat(s->path, &st) == 0 && st.st_ino == s->file.st_ino && st.st_dev == s->file.st_dev;
}

static const char *
check_file(struct sqlite *s)
{
	if (s->b.db != NULL && is_same_file(s))
		return NULL;
	if (s->b.db != NULL) {
		backend_say(&s->b, true, "the database file was moved or replaced; another is opened under its name");
		close_db(s);
	}
	return open_db(s);
}

/* Begins a transaction: NULL, or what is wrong. */
static const char *
begin(struct sqlite *s)
{
	const char *error = check_file(s);

	if (error != NULL)
		return error;
	s->b.now = limit_now(&s->b);
	return db_run(s->begin) == DB_DONE ? NULL : db_error(s->b.db);
}

/* Ends a transaction whose work came to rc: 0 when it is committed. */
static int
end(struct sqlite *s, enum db_result rc, const char **error_r)
{
	if (rc == DB_DONE)
		rc = write_clock(s);
	CRASH_POINT("admit-before-commit");
	if (rc == DB_DONE)
		rc = db_run(FAULT("no-commit") ? s->b.query[ROLLBACK] : s->commit);
	CRASH_POINT("admit-after-commit");
	if (rc == DB_DONE && is_same_file(s)) {
		usage_keep(s->b.usage, s->b.now);
		if (s->b.now - s->clock_written >= CLOCK_EVERY_MS)
			s->clock_written = s->b.now;
		return 0;
	}
	*error_r = rc == DB_DONE ? "the database file was moved or replaced during a write" : db_error(s->b.db);
	backend_roll_back(&s->b);
	if (rc == DB_DONE || db_is_lost(s->b.db))
		close_db(s);
	return -1;
}

/* See backend-private.h. */
static int
transaction(struct backend *b, enum db_result (*work)(struct backend *b, void *context), void *context,
	    const char **error_r)
{
	struct sqlite *s = (struct sqlite *)b;

	if ((*error_r = begin(s)) == NULL)
		return end(s, work(b, context), error_r);
	if (b->db != NULL && db_is_lost(b->db))
		close_db(s);
	return -1;
}

static enum db_result
write_batch(struct backend *b, void *context)
{
	return rows_write(b, context);
}

static int
sqlite_commit(void *backend, const struct batch *batch, const char **error_r)
{
	struct sqlite *s = backend;
	struct batch copy = *batch;

	CRASH_POINT("admit-before-begin");
	return transaction(&s->b, write_batch, &copy, error_r);
}

static int
sqlite_prune(void *backend, int64_t before_ms, int max)
{
	struct sqlite *s = backend;
	const char *error;
	int n = 0;

	if (s->b.db == NULL || begin(s) != NULL)
		return -1;
	return end(s, prune_rows(&s->b, before_ms, max, &n), &error) == 0 ? n : -1;
}

/* Held mail goes on without the operators. */
static void
say_requests_error(struct sqlite *s)
{
	const char *error = requests_error(s->requests);
	char line[300];

	if (error != NULL && error != s->requests_error) {
		snprintf(line, sizeof line, "what operators ask for cannot be read from %s-operator: %s", s->path, error);
		backend_say(&s->b, true, line);
	}
	s->requests_error = error;
}

static int
sqlite_tend(void *backend, const char **error_r)
{
	struct sqlite *s = backend;
	struct operator_request *requests;
	enum db_result rc;
	size_t n;

	if (s->b.db == NULL)
		return 0;
	requests = requests_read(s->requests, &n);
	say_requests_error(s);
	if (n == 0 && !backend_may_tend(&s->b, limit_now(&s->b)))
		return 0;
	if ((*error_r = begin(s)) != NULL)
		return -1;
	rc = acts_apply(&s->b, requests, n);
	if (end(s, rc == DB_DONE ? backend_tend(&s->b) : rc, error_r) != 0)
		return -1;
	requests_done(s->requests);
	return 0;
}

static void
sqlite_close(void *backend)
{
	struct sqlite *s = backend;

	if (s->b.usage != NULL)
		close_db(s);
	usage_free(&s->b.usage);
	requests_free(&s->requests);
	events_free(&s->b);
	hours_free(&s->b.hours);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	held_free(&s->b);
	free(s->url);
	free(s);
}

static int
take_lock(struct sqlite *s, char *error_r, size_t size)
{
	const struct timespec tick = {.tv_nsec = 10000000};
	char name[4096];

	snprintf(name, sizeof name, "%s.lock", s->path);
	s->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (s->lock_fd < 0) {
		snprintf(error_r, size, "%s: %s; the directory must exist and be writable",
			 name, strerror(errno));
		return -1;
	}
	/* Whoever only looks whether a daemon runs has it for a moment. */
	for (int i = 0; i < 25; i++) {
		if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		nanosleep(&tick, NULL);
	}
	snprintf(error_r, size, "%s: another posternd has this store open; stop it first", s->path);
	return -1;
}

static void *
sqlite_open(const struct store_options *o, char *error_r, size_t error_size)
{
	struct sqlite *s = calloc(1, sizeof *s);
	const char *error = "memory is short";

	if (s == NULL) {
		snprintf(error_r, error_size, "%s", error);
		return NULL;
	}
	s->b.options = *o;
	s->lock_fd = -1;
	s->b.transaction = transaction;
	s->b.limit_now = limit_now;
	s->b.usage = usage_new();
	s->b.hours = hours_new();
	s->url = strdup(o->url);
	s->path = s->url == NULL ? NULL : s->url + strlen("sqlite:");
	s->requests = requests_new(o->url);
	if (s->b.usage != NULL)
		backend_notify(s, NEAR_PERCENT, QUIET_MS);
	if (s->b.usage == NULL || s->b.hours == NULL || s->url == NULL || s->requests == NULL) {
		snprintf(error_r, error_size, "%s", error);
	} else if (take_lock(s, error_r, error_size) == 0) {
		if ((error = open_db(s)) == NULL) {
			if (!o->is_backup)
				(void)sqlite_tend(s, &error); /* what fails comes again */
			return s;
		}
		snprintf(error_r, error_size, "%s: %s", s->path, error);
		if (o->is_backup) {
			backend_say(&s->b, true, error_r);
			return s;
		}
	}
	sqlite_close(s);
	return NULL;
}

static void
sqlite_peek(void *backend, struct charge *charges, size_t n)
{
	struct sqlite *s = backend;

	usage_weigh(s->b.usage, NULL, charges, n, limit_now(&s->b));
}

const struct store_ops store_sqlite_ops = {
	.scheme = "sqlite:", .open = sqlite_open, .close = sqlite_close, .commit = sqlite_commit,
	.prune = sqlite_prune, .tend = sqlite_tend, .notify = backend_notify, .peek = sqlite_peek,
	.reader_open = reader_open, .reader_close = reader_close,
	.reader_peek = reader_peek, .reader_messages = reader_messages,
	.reader_refusals = reader_refusals, .reader_count = reader_count, .reader_limit = reader_limit,
	.reader_policy = reader_policy, .reader_held = reader_held, .reader_left = reader_left,
	.reader_held_one = reader_held_one, .reader_find = reader_find, .reader_deliveries = reader_deliveries, .reader_upstream = reader_upstream,
	.reader_timings = reader_timings,
	.reader_reports = reader_reports, .reader_followed = reader_followed,
	.reader_counters = reader_counters, .reader_spenders = reader_spenders, .reader_boosts = reader_boosts,
	.reader_traffic = reader_traffic, .reader_holding = reader_holding, .reader_seen = reader_seen, .reader_answers = reader_answers,
	.reader_newest = reader_newest, .reader_latest = reader_latest, .reader_replies = reader_replies,
	.reader_patience = reader_patience,
	.reader_events = reader_events, .reader_last_event = reader_last_event,
};
