/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See operator.h. The file keeps a rollback journal: any of several writers may
 * end at any time, and no reader needs more than the right to read.
 */
#include "sql/operator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sql/db.h"
#include "sql/requests.h"

#define SQLITE "sqlite:"
#define VERSION 1
/* What a server has to let us in and to answer. */
#define SERVER_MS 5000
#define WAIT_MS 3000
#define LOOK_EVERY_MS 25
/* Of those that were taken up, so many are removed at once. */
#define TIDY_MAX 200

struct operator {
	char *url;                /* the store's */
	struct db *requests, *store;
};

static const char table[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE IF NOT EXISTS requests ("
	"number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, time INTEGER, who TEXT, what TEXT,"
	" limit_name TEXT, key TEXT, amount INTEGER, until INTEGER, message_id TEXT, scope TEXT, unit INTEGER,"
	" period INTEGER);"
	"PRAGMA user_version = 1;"
	"COMMIT";

static bool
is_file(const char *url)
{
	return strncmp(url, SQLITE, strlen(SQLITE)) == 0;
}

char *
requests_url(const char *url)
{
	size_t size = strlen(url) + sizeof "-operator";
	char *r = malloc(size);

	if (r != NULL)
		snprintf(r, size, "%s%s", url, is_file(url) ? "-operator" : "");
	return r;
}

/* Makes an empty file that shows under its name only when owner and mode are
 * right. 0, or -1 (errno). */
static int
make_file(const char *path, const struct stat *like)
{
	size_t size = strlen(path) + 24;
	char *name = malloc(size);
	int fd, rc = -1, saved;

	if (name == NULL)
		return -1;
	snprintf(name, size, "%s.%ld", path, (long)getpid());
	unlink(name);
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && (like->st_uid == geteuid() || fchown(fd, like->st_uid, like->st_gid) == 0) &&
	    fchmod(fd, like->st_mode & 0666) == 0 && (link(name, path) == 0 || errno == EEXIST))
		rc = 0;
	saved = errno;
	if (fd >= 0) {
		close(fd);
		unlink(name);
	}
	free(name);
	errno = saved;
	return rc;
}

/* The file of requests, made where it is missing. 0, or -1 with a text. */
static int
prepare_file(const char *url, const char *requests, char *error_r, size_t size)
{
	const char *store = url + strlen(SQLITE), *path = requests + strlen(SQLITE);
	struct stat st;

	if (stat(store, &st) != 0) {
		snprintf(error_r, size, "%s: %s; posternd makes it when it starts", store, strerror(errno));
		return -1;
	}
	if (access(path, F_OK) == 0 || make_file(path, &st) == 0)
		return 0;
	snprintf(error_r, size, "%s: %s; only root and the owner of %s can ask for this", path, strerror(errno), store);
	return -1;
}

/* NULL, or what is wrong with the file of requests. */
static const char *
prepare_table(struct db *db)
{
	int64_t version = db_number(db, "PRAGMA user_version");

	if (version < 0)
		return db_error(db);
	if (version > VERSION)
		return "it was written by a newer Postern; install that version";
	return version == VERSION || db_exec(db, table) == 0 ? NULL : db_error(db);
}

static struct db *
open_one(const char *url, enum db_use use, char *error_r, size_t size)
{
	const char *error = NULL;
	char words[200], shown[300];
	struct db *db = db_open(url, use, SERVER_MS, &error, words, sizeof words);

	if (db != NULL && is_file(url) && use == DB_WRITE && (error = prepare_table(db)) != NULL)
		db_close(&db);
	if (db != NULL) {
		db_deadline(db, SERVER_MS);
		return db;
	}
	db_shown_url(is_file(url) ? url + strlen(SQLITE) : url, shown, sizeof shown);
	snprintf(error_r, size, "%s: %s%s%s", shown, error, words[0] == '\0' ? "" : ": ", words);
	return NULL;
}

struct operator *
operator_open(const char *url, char *error_r, size_t error_size)
{
	struct operator *o = calloc(1, sizeof *o);
	char *requests = requests_url(url);

	snprintf(error_r, error_size, "memory is short");
	if (o != NULL && requests != NULL && (o->url = strdup(url)) != NULL &&
	    (!is_file(url) || prepare_file(url, requests, error_r, error_size) == 0) &&
	    (o->requests = open_one(requests, DB_WRITE, error_r, error_size)) != NULL &&
	    (o->store = open_one(url, DB_READ, error_r, error_size)) == NULL)
		db_close(&o->requests);
	free(requests);
	if (o != NULL && o->store == NULL)
		operator_close(&o);
	return o;
}

void
operator_close(struct operator **o)
{
	if (*o == NULL)
		return;
	db_close(&(*o)->requests);
	db_close(&(*o)->store);
	free((*o)->url);
	free(*o);
	*o = NULL;
}

static enum db_result
remove_one(struct db *db, const char *id)
{
	struct db_query *q = db_prepare(db, "DELETE FROM requests WHERE id = ?");
	enum db_result rc = DB_FAILED;
	int i = 0;

	if (q != NULL) {
		db_bind_text(q, &i, id);
		rc = db_run(q);
	}
	db_finalize(&q);
	return rc;
}

/* What the daemon made of a request: 1 with the text, 0 not taken up, -1. */
static int
look(struct operator *o, const char *id, char *text_r, size_t size)
{
	struct db_query *q = db_prepare(o->store, "SELECT result FROM acts WHERE id = ?");
	enum db_result rc = DB_FAILED;
	int i = 0;

	if (q != NULL) {
		db_bind_text(q, &i, id);
		rc = db_step(q);
		if (rc == DB_ROW)
			snprintf(text_r, size, "%s", db_text(q, 0));
	}
	db_finalize(&q);
	return rc == DB_ROW ? 1 : rc == DB_DONE ? 0 : -1;
}

/* Removes those of the oldest that were taken up. */
static void
tidy(struct operator *o)
{
	struct db_query *q = db_prepare(o->requests, "SELECT id FROM requests ORDER BY id LIMIT ?");
	char ids[TIDY_MAX][ID_LENGTH + 1], text[8];
	int i = 0, n = 0;

	if (q != NULL)
		db_bind_int(q, &i, TIDY_MAX);
	while (q != NULL && n < TIDY_MAX && db_step(q) == DB_ROW)
		snprintf(ids[n++], sizeof ids[0], "%s", db_text(q, 0));
	db_finalize(&q);
	for (int k = 0; k < n; k++)
		if (look(o, ids[k], text, sizeof text) == 1)
			(void)remove_one(o->requests, ids[k]);
}

static enum db_result
add_one(struct db_query *q, const struct operator_request *r)
{
	const char *const texts[] = { r->who, r->what, r->limit_name, r->key };
	int i = 0;

	db_bind_text(q, &i, r->id);
	db_bind_int(q, &i, r->time);
	for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
		db_bind_text(q, &i, texts[k] == NULL ? "" : texts[k]);
	db_bind_int(q, &i, r->amount);
	db_bind_int(q, &i, r->until);
	db_bind_text(q, &i, r->message_id == NULL ? "" : r->message_id);
	db_bind_text(q, &i, r->scope == NULL ? "" : r->scope);
	db_bind_int(q, &i, r->unit);
	db_bind_int(q, &i, r->period);
	return db_run(q);
}

int
operator_add(struct operator *o, const struct clock *clock, struct operator_request *requests, size_t n,
	     const char **error_r)
{
	struct db *db = o->requests;
	bool is_begun = db_exec(db, is_file(o->url) ? "BEGIN IMMEDIATE" : "BEGIN") == 0;
	struct db_query *q = !is_begun ? NULL : db_prepare(db, "INSERT INTO requests (id, time, who, what, limit_name, key,"
							   " amount, until, message_id, scope, unit, period) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)");
	enum db_result rc = q == NULL ? DB_FAILED : DB_DONE;

	if (is_begun && is_file(o->url)) /* on a server the daemon does it */
		tidy(o);
	for (size_t k = 0; rc == DB_DONE && k < n; k++) {
		uint8_t chance[ID_RANDOM_OCTETS];

		clock->random(clock->context, chance, sizeof chance);
		requests[k].time = clock->wall_ms(clock->context);
		snprintf(requests[k].id, sizeof requests[k].id, "%s", id_make(requests[k].time, chance).s);
		rc = add_one(q, &requests[k]);
	}
	db_finalize(&q);
	if (rc == DB_DONE && db_exec(db, "COMMIT") == 0)
		return 0;
	*error_r = db_error(db);
	(void)db_rollback(db);
	return -1;
}

int
operator_is_pending(struct operator *o, const char *message_id, const char *what, const char **error_r)
{
	struct db_query *q = db_prepare(o->requests, "SELECT id FROM requests WHERE message_id = ?1 AND (what = ?2 OR ?2 = '')");
	char text[8];
	enum db_result rc = DB_FAILED;
	int i = 0, found = 0;

	if (q != NULL) {
		db_bind_text(q, &i, message_id);
		db_bind_text(q, &i, what == NULL ? "" : what);
		while (found == 0 && (rc = db_step(q)) == DB_ROW)
			found = look(o, db_text(q, 0), text, sizeof text) == 0;
	}
	if (rc == DB_FAILED)
		*error_r = db_error(o->requests);
	db_finalize(&q);
	return rc == DB_FAILED ? -1 : found;
}

/* Whether a posternd has the store open; in PostgreSQL nobody knows. */
static bool
daemon_runs(const struct operator *o)
{
	char name[4096];
	bool runs;
	int fd;

	if (!is_file(o->url))
		return true;
	snprintf(name, sizeof name, "%s.lock", o->url + strlen(SQLITE));
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	runs = flock(fd, LOCK_SH | LOCK_NB) != 0;
	close(fd);
	return runs;
}

static enum operator_answer
answer(struct operator *o, const char *id, const char *result, char *text_r, size_t size)
{
	bool is_done = strncmp(result, "done", 4) == 0;
	const char *text = strstr(result, ": ");

	if (is_file(o->url))
		(void)remove_one(o->requests, id); /* if not now, with the next one that is added */
	snprintf(text_r, size, "%s", text == NULL ? "" : text + 2);
	return is_done ? OPERATOR_DONE : OPERATOR_REFUSED;
}

enum operator_answer
operator_wait(struct operator *o, const char *id, int64_t ms, char *text_r, size_t text_size)
{
	const struct timespec tick = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
	char result[400];
	int rc;

	while ((rc = look(o, id, result, sizeof result)) == 0 && ms > 0 && daemon_runs(o)) {
		nanosleep(&tick, NULL);
		ms -= LOOK_EVERY_MS;
	}
	if (rc == 1)
		return answer(o, id, result, text_r, text_size);
	snprintf(text_r, text_size, "%s", rc < 0 ? db_error(o->store)
		 : daemon_runs(o) ? "posternd has not taken it up so far; it will as soon as it can write"
				  : "posternd does not run; it takes this up when it starts");
	return OPERATOR_LATER;
}

enum operator_answer
operator_request(const char *url, const struct clock *clock, struct operator_request *r, char *text_r,
		 size_t text_size)
{
	struct operator *o = operator_open(url, text_r, text_size);
	enum operator_answer a = OPERATOR_FAILED;
	const char *error;

	if (o == NULL)
		return OPERATOR_FAILED;
	if (operator_add(o, clock, r, 1, &error) == 0)
		a = operator_wait(o, r->id, WAIT_MS, text_r, text_size);
	else
		snprintf(text_r, text_size, "%s", error);
	operator_close(&o);
	return a;
}
