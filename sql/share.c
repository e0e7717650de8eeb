/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store of a relay that goes on while the database that it shares is away: see
 * "Shares" in store.h. Two backends, the database and the relay's own file; this one
 * decides which of them a batch goes to, makes shares of its limits, and sends what
 * the file holds after it (sql/report.h).
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "sql/report.h"

#define SAY_EVERY_MS 60000
/* How often the file is written to although nothing is to be written: so that it is known whether it
 * could be, and the limits' clock in it goes on; and how many counters are looked at then. */
#define VISIT_EVERY_MS 10000
#define VISIT_COUNTERS 200
/* After a report that failed. */
#define REST_MS 5000
/* When what no share has room for may be tried again. */
#define RETRY_MS 300000

struct share {
	const struct store_ops *main_ops, *local_ops;
	struct backend *main, *local;
	struct store_options options;
	char *local_url;
	struct report report;
	_Atomic bool is_here;     /* the file grants */
	bool is_said;             /* ... which was said */
	bool may_report;          /* the file may hold something */
	bool is_foreign;          /* the file is not for this */
	const char *said_local;   /* what is wrong with the file, as last said; NULL: nothing */
	int64_t away_said_ms, local_said_ms, visited_ms, rest_until; /* of machine_ms() */
};

/* What is put around an admit while its charges are shares. */
struct wrapped {
	struct admit *admit;
	void (*settle)(struct admit *a, bool stopped);
	void *context;
	struct charge *whole;     /* the charges as they were */
};

static const char foreign[] = "it is an audit of its own; local-database needs a file that is nothing else";

static int64_t
machine_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
say(const struct share *s, bool is_error, const char *line)
{
	if (s->options.log != NULL)
		s->options.log(s->options.log_context, is_error, line);
}

/* At most once a minute. */
static void
say_away(struct share *s, const char *why)
{
	char line[400];

	atomic_store(&s->is_here, true);
	if (s->away_said_ms != 0 && machine_ms() - s->away_said_ms < SAY_EVERY_MS)
		return;
	s->away_said_ms = machine_ms();
	s->is_said = true;
	snprintf(line, sizeof line, "the database is away (%s); this relay grants its share of each limit, one of %llu", why,
		 (unsigned long long)s->options.relays);
	say(s, true, line);
}

static void
say_back(struct share *s)
{
	if (!atomic_load(&s->is_here))
		return;
	atomic_store(&s->is_here, false);
	s->rest_until = 0;
	if (s->is_said)
		say(s, false, "the database is there again; what was granted meanwhile is being reported");
	s->is_said = false;
}

static void
say_reported(struct share *s)
{
	char line[120];

	if (s->report.messages == 0)
		return;
	snprintf(line, sizeof line, "what was granted while the database was away is reported: %llu messages",
		 (unsigned long long)s->report.messages);
	s->report.messages = 0;
	say(s, false, line);
}

/* What is wrong with the file, once a minute; NULL: nothing any more. */
static void
say_local(struct share *s, const char *what)
{
	char line[400];

	if (what == NULL && s->said_local != NULL)
		say(s, false, "the local database can be written again");
	if (what != NULL && (what != s->said_local || machine_ms() - s->local_said_ms >= SAY_EVERY_MS)) {
		s->local_said_ms = machine_ms();
		snprintf(line, sizeof line, "the local database cannot be written: %s", what);
		say(s, true, line);
	}
	s->said_local = what;
}

/* ---- shares */

static uint64_t
part(uint64_t n, uint64_t relays)
{
	return n / relays;
}

static void
make_share(struct charge *c, uint64_t relays)
{
	if (c->whole != 0)
		return;
	c->whole = c->count;
	c->count = part(c->count, relays);
	c->kept = part(c->kept, relays);
	for (size_t i = 0; i < c->n_reserves; i++)
		c->reserves[i].amount = part(c->reserves[i].amount, relays);
	if (c->over == OVER_REJECT && c->amount <= c->whole)
		c->over = OVER_DEFER;
}

/* What is too much for a share may well fit into the whole. */
static void
mend_retry(struct charge *c)
{
	if (c->exceeded && c->retry_ms < 0 && c->amount <= c->whole)
		c->retry_ms = RETRY_MS;
}

static void
share_settle(struct admit *a, bool stopped)
{
	struct wrapped *w = a->context;

	for (size_t i = 0; i < a->n_charges; i++)
		mend_retry(&a->charges[i]);
	a->context = w->context;
	if (w->settle != NULL)
		w->settle(a, stopped);
	w->context = a->context;
	a->context = w;
}

static bool
copy_charges(struct arena *arena, struct wrapped *w, const struct admit *a)
{
	w->whole = arena_array(arena, a->n_charges + 1, sizeof *w->whole);
	for (size_t i = 0; w->whole != NULL && i < a->n_charges; i++) {
		const struct charge *c = &a->charges[i];
		struct charge *copy = &w->whole[i];

		*copy = *c;
		copy->reserves = c->n_reserves == 0 ? NULL : arena_array(arena, c->n_reserves, sizeof *c->reserves);
		if (copy->reserves != NULL)
			memcpy(copy->reserves, c->reserves, c->n_reserves * sizeof *c->reserves);
	}
	return !arena_failed(arena);
}

/* NULL when memory is short; then nothing was changed. */
static struct wrapped *
wrap_all(struct share *s, struct arena *arena, const struct batch *b)
{
	struct wrapped *all = arena_array(arena, b->n_admits + 1, sizeof *all);

	for (size_t i = 0; all != NULL && i < b->n_admits; i++)
		if (!copy_charges(arena, &all[i], b->admits[i]))
			return NULL;
	for (size_t i = 0; all != NULL && i < b->n_admits; i++) {
		struct admit *a = b->admits[i];

		all[i].admit = a;
		all[i].settle = a->settle;
		all[i].context = a->context;
		a->settle = share_settle;
		a->context = &all[i];
		a->is_share = true;
		for (size_t k = 0; k < a->n_charges; k++)
			make_share(&a->charges[k], s->options.relays);
		b->admit_errors[i] = NULL;
	}
	return all;
}

static void
unwrap_all(struct wrapped *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		all[i].admit->settle = all[i].settle;
		all[i].admit->context = all[i].context;
	}
}

static enum db_result
keep_whole(struct backend *local, const struct admit *a)
{
	const struct wrapped *w = a->context;

	return report_keep(local, a, w->whole);
}

/* ---- the file */

struct work {
	struct share *share;
	const struct batch *batch;
};

static enum db_result
write_here(struct backend *local, void *context)
{
	struct work *w = context;
	bool is_ours = false;
	enum db_result rc = report_claim(local, &is_ours);

	w->share->is_foreign = rc == DB_DONE && !is_ours;
	if (rc != DB_DONE || !is_ours)
		return DB_FAILED;
	return w->batch == NULL ? DB_DONE : rows_write(local, w->batch);
}

/* 0, or -1 with what is wrong; batch NULL: only looks whether it could be written. */
static int
transact_here(struct share *s, const struct batch *batch, const char **error_r)
{
	struct work w = {.share = s, .batch = batch};
	int rc = s->local->transaction(s->local, write_here, &w, error_r);

	if (rc != 0 && s->is_foreign)
		*error_r = foreign;
	say_local(s, rc == 0 ? NULL : *error_r);
	return rc;
}

/* Whatever is wrong with the file, it is the database that is away. */
static int
commit_here(struct share *s, const struct batch *batch, const char **error_r)
{
	struct arena *arena = arena_new(0);
	struct wrapped *all = arena == NULL ? NULL : wrap_all(s, arena, batch);
	struct batch here = *batch;
	int rc = -1;

	here.n_reached = 0; /* of shares nothing is told */
	*error_r = "memory is short";
	if (all != NULL) {
		rc = transact_here(s, &here, error_r);
		unwrap_all(all, batch->n_admits);
		s->may_report = true;
	}
	arena_free(&arena);
	return rc == 0 ? 0 : STORE_AWAY;
}

static int
share_commit(void *backend, const struct batch *batch, const char **error_r)
{
	struct share *s = backend;
	int rc = s->main_ops->commit(s->main, batch, error_r);

	if (rc != STORE_AWAY) {
		say_back(s);
		return rc;
	}
	say_away(s, *error_r);
	return commit_here(s, batch, error_r);
}

/* ---- what nobody waits for */

static void
visit_local(struct share *s)
{
	const char *error;
	int64_t now = machine_ms();

	if (now - s->visited_ms < VISIT_EVERY_MS)
		return;
	s->visited_ms = now;
	if (transact_here(s, NULL, &error) == 0)
		(void)s->local_ops->prune(s->local, 0, VISIT_COUNTERS); /* counters alone: nothing is as old as that */
}

/* 1: there may be more. */
static int
report(struct share *s)
{
	const char *error;
	char line[400];
	int rc;

	if (!s->may_report || s->said_local != NULL || machine_ms() < s->rest_until)
		return 0;
	rc = report_step(&s->report, &error);
	if (rc < 0) {
		s->rest_until = machine_ms() + REST_MS;
		snprintf(line, sizeof line, "what was granted while the database was away cannot be reported: %s", error);
		if (rc != STORE_AWAY)
			say(s, true, line);
		return 0;
	}
	s->may_report = rc == 1;
	if (rc == 0)
		say_reported(s);
	return rc;
}

static int
share_tend(void *backend, const char **error_r)
{
	struct share *s = backend;
	int rc = s->main_ops->tend(s->main, error_r);

	visit_local(s);
	if (rc == STORE_AWAY) {
		say_away(s, *error_r);
		return 0;
	}
	say_back(s);
	return rc < 0 ? rc : report(s);
}

static int
share_prune(void *backend, int64_t before_ms, int max)
{
	struct share *s = backend;

	return s->main_ops->prune(s->main, before_ms, max);
}

static void
share_notify(void *backend, uint64_t near_percent, int64_t quiet_ms)
{
	struct share *s = backend;

	s->main_ops->notify(s->main, near_percent, quiet_ms);
}

static void
share_peek(void *backend, struct charge *charges, size_t n)
{
	struct share *s = backend;

	if (!atomic_load(&s->is_here)) {
		s->main_ops->peek(s->main, charges, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		make_share(&charges[i], s->options.relays);
	s->local_ops->peek(s->local, charges, n);
	for (size_t i = 0; i < n; i++) {
		mend_retry(&charges[i]);
		charges[i].is_told = true;
	}
}

static void
share_close(void *backend)
{
	struct share *s = backend;

	if (s->main != NULL)
		s->main_ops->close(s->main);
	if (s->local != NULL)
		s->local_ops->close(s->local);
	free(s->local_url);
	free(s);
}

static struct backend *
open_local(struct share *s, char *error_r, size_t error_size)
{
	struct store_options o = s->options;
	struct backend *b;

	o.url = s->local_url;
	o.local_url = NULL;
	o.is_backup = true;
	b = s->local_ops->open(&o, error_r, error_size);
	if (b == NULL)
		return NULL;
	b->admitted = keep_whole;
	b->tells_nothing = true;
	return b;
}

/* Whether both are open. That the file cannot be written now is said, and no reason not to start. */
static bool
open_both(struct share *s, char *error_r, size_t error_size)
{
	const char *error;

	s->local_url = strdup(s->options.local_url);
	if (s->local_url == NULL) {
		snprintf(error_r, error_size, "memory is short");
		return false;
	}
	s->local = open_local(s, error_r, error_size);
	if (s->local == NULL || (s->main = s->main_ops->open(&s->options, error_r, error_size)) == NULL)
		return false;
	if (transact_here(s, NULL, &error) != 0 && s->is_foreign) {
		snprintf(error_r, error_size, "%s: %s", s->local_url + strlen(s->local_ops->scheme), foreign);
		return false;
	}
	s->report = (struct report){.local = s->local, .main = s->main, .local_url = s->local_url};
	s->may_report = true;
	return true;
}

void *
share_open(const struct store_ops *main_ops, const struct store_options *o, char *error_r, size_t error_size)
{
	struct share *s = calloc(1, sizeof *s);

	if (s == NULL) {
		snprintf(error_r, error_size, "memory is short");
		return NULL;
	}
	s->main_ops = main_ops;
	s->local_ops = &store_sqlite_ops;
	s->options = *o;
	s->options.relays = o->relays == 0 ? 1 : o->relays;
	if (open_both(s, error_r, error_size))
		return s;
	share_close(s);
	return NULL;
}

const struct store_ops store_share_ops = {
	.close = share_close, .commit = share_commit, .prune = share_prune, .tend = share_tend, .notify = share_notify,
	.peek = share_peek,
};
