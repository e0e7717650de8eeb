/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See connector.h. The thread is detached: what only the name service can end
 * must not keep posternd from ending. Who leaves last frees.
 */
#include "sql/connector.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sql/backend-private.h"

/* Milliseconds that a try may take: to be let in, and to bring the tables up to date. */
#define OPEN_MS 5000
#define TABLES_MS 10000
/* From one try that failed to the next. */
#define REST_MS 1000
#define END_MS 6000

struct connector {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	char *url;
	bool is_wanted, is_ending, has_ended;
	unsigned users;           /* the thread, the owner */
	struct db *db;            /* ready to be taken */
	uint64_t tries;           /* that have ended */
	struct db_failure failure; /* of the last one */
	int64_t rest_until;       /* by the clock of now_ms() */
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
wait_until(struct connector *c, int64_t ms)
{
	const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	return pthread_cond_timedwait(&c->changed, &c->lock, &t);
}

/* One user less; the lock is held, and given up. */
static void
leave(struct connector *c)
{
	bool is_last = --c->users == 0;

	pthread_mutex_unlock(&c->lock);
	if (!is_last)
		return;
	db_close(&c->db);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c->url);
	free(c);
}

static struct db *
try_once(const char *url, struct db_failure *f)
{
	struct db *db = db_try(url, DB_WRITE, OPEN_MS, f);
	const char *error;

	if (db == NULL)
		return NULL;
	db_deadline(db, TABLES_MS);
	error = schema_migrate(db);
	if (error == NULL)
		return db;
	*f = (struct db_failure){.error = error};
	if (error == db_error(db)) {
		f->is_away = db_is_away(db);
		strncpy(f->words, db_words(db), sizeof f->words - 1);
	}
	db_close(&db);
	return NULL;
}

/* Waits until somebody wants a connection and the rest is over; the lock is held. */
static void
wait_for_wish(struct connector *c)
{
	while (!c->is_ending) {
		if (!c->is_wanted || c->db != NULL)
			pthread_cond_wait(&c->changed, &c->lock);
		else if (now_ms() < c->rest_until)
			(void)wait_until(c, c->rest_until);
		else
			return;
	}
}

static void *
run(void *arg)
{
	struct connector *c = arg;
	struct db_failure failure;
	struct db *db;

	pthread_mutex_lock(&c->lock);
	for (wait_for_wish(c); !c->is_ending; wait_for_wish(c)) {
		pthread_mutex_unlock(&c->lock);
		db = try_once(c->url, &failure);
		pthread_mutex_lock(&c->lock);
		c->db = db;
		c->tries++;
		if (db == NULL) {
			c->failure = failure;
			c->rest_until = now_ms() + REST_MS;
		}
		pthread_cond_broadcast(&c->changed);
	}
	c->has_ended = true;
	pthread_cond_broadcast(&c->changed);
	leave(c);
	return NULL;
}

static void
init(struct connector *c)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	c->failure = (struct db_failure){
		.error = "the database server does not answer in time; look whether it runs, is overloaded or is cut off",
		.is_away = true,
	};
	c->users = 2;
	c->is_wanted = true;
}

struct connector *
connector_new(const char *url)
{
	struct connector *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	init(c);
	c->url = strdup(url);
	if (c->url != NULL && pthread_create(&c->thread, NULL, run, c) == 0)
		return c;
	c->users = 1;
	pthread_mutex_lock(&c->lock);
	leave(c);
	return NULL;
}

void
connector_free(struct connector **connector)
{
	struct connector *c = *connector;
	int64_t until = now_ms() + END_MS;
	pthread_t thread;
	bool has_ended;

	*connector = NULL;
	if (c == NULL)
		return;
	thread = c->thread;
	pthread_mutex_lock(&c->lock);
	c->is_ending = true;
	pthread_cond_broadcast(&c->changed);
	while (!c->has_ended && wait_until(c, until) == 0)
		;
	has_ended = c->has_ended;
	leave(c);
	/* What libraries keep for it goes with it, and not after the process has begun to end. */
	if (has_ended)
		pthread_join(thread, NULL);
	else
		pthread_detach(thread);
}

struct db *
connector_take(struct connector *c, int64_t ms, struct db_failure *failure_r)
{
	int64_t until = now_ms() + ms;
	uint64_t tries;
	struct db *db;

	pthread_mutex_lock(&c->lock);
	tries = c->tries;
	c->is_wanted = true;
	pthread_cond_broadcast(&c->changed);
	while (ms > 0 && c->db == NULL && c->tries == tries && wait_until(c, until) == 0)
		;
	db = c->db;
	c->db = NULL;
	c->is_wanted = db == NULL;
	*failure_r = c->failure;
	pthread_mutex_unlock(&c->lock);
	return db;
}

void
connector_rest(struct connector *c, int64_t ms)
{
	pthread_mutex_lock(&c->lock);
	c->rest_until = now_ms() + ms;
	pthread_mutex_unlock(&c->lock);
}
