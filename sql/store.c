/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The front of the store: finds the backend by the URL, joins it to the writer.
 */
#include "sql/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "sql/backend-private.h"
#include "sql/refusals.h"
#include "sql/writer.h"

/* Milliseconds that a server has to let us in. */
#define MIGRATE_MS 10000

struct store {
	const struct store_ops *ops;
	void *backend;
	struct refusals *refusals;
	struct writer *writer;
};

static const struct store_ops *
find_ops(const char *url)
{
	static const struct store_ops *const all[] = {
		&store_sqlite_ops, &store_postgres_ops, &store_postgres_short_ops, &store_memory_ops,
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strncmp(url, all[i]->scheme, strlen(all[i]->scheme)) == 0)
			return all[i];
	return NULL;
}

void
store_shown_url(const char *url, char *shown_r, size_t size)
{
	db_shown_url(url, shown_r, size);
}

/* The backend of s->ops, or the one that has another beside it. */
static void *
open_backend(struct store *s, const struct store_options *o, char *error_r, size_t error_size)
{
	const struct store_ops *ops = s->ops;

	if (o->local_url == NULL)
		return ops->open(o, error_r, error_size);
	if (ops == &store_sqlite_ops || ops == &store_memory_ops) {
		snprintf(error_r, error_size, "%s: shares need a database that relays share", o->url);
		return NULL;
	}
	s->ops = &store_share_ops;
	return share_open(ops, o, error_r, error_size);
}

struct store *
store_open(const struct store_options *options, char *error_r, size_t error_size)
{
	struct store *s = calloc(1, sizeof *s);

	if (s == NULL) {
		snprintf(error_r, error_size, "out of memory");
		return NULL;
	}
	s->ops = find_ops(options->url);
	if (s->ops == NULL) {
		char shown[300];

		db_shown_url(options->url, shown, sizeof shown);
		snprintf(error_r, error_size, "%s: not a store; use sqlite:/path/to/file or postgresql://HOST/DATABASE", shown);
		free(s);
		return NULL;
	}
	s->backend = open_backend(s, options, error_r, error_size);
	if (s->backend == NULL) {
		free(s);
		return NULL;
	}
	s->refusals = refusals_new();
	if (s->refusals != NULL)
		s->writer = writer_start(s->ops, s->backend, s->refusals, options);
	if (s->writer != NULL)
		return s;
	snprintf(error_r, error_size, "the store's thread cannot start: out of memory or threads");
	store_close(&s);
	return NULL;
}

int
store_migrate(const char *url, char *error_r, size_t error_size)
{
	const char *error;
	char words[300] = "";
	struct db *db = db_open(url, DB_WRITE, MIGRATE_MS, &error, words, sizeof words);

	if (db != NULL)
		error = schema_migrate(db);
	if (db != NULL && error != NULL)
		snprintf(words, sizeof words, "%s", db_words(db));
	if (error != NULL)
		snprintf(error_r, error_size, "%s%s%s%s", error, words[0] != '\0' ? " (" : "", words, words[0] != '\0' ? ")" : "");
	db_close(&db);
	return error == NULL ? 0 : -1;
}

void
store_close(struct store **s)
{
	if (*s == NULL)
		return;
	writer_stop(&(*s)->writer);
	refusals_free(&(*s)->refusals);
	(*s)->ops->close((*s)->backend);
	free(*s);
	*s = NULL;
}

int
store_admit(struct store *s, struct admit *a, const char **error_r)
{
	return writer_admit(s->writer, a, error_r);
}

void
store_peek(struct store *s, struct charge *charges, size_t n)
{
	s->ops->peek(s->backend, charges, n);
}

struct id
store_refuse(struct store *s, const struct refusal *r, bool *is_new_r)
{
	return refusals_count(s->refusals, r, is_new_r);
}

void
store_record(struct store *s, const struct record *r)
{
	writer_record(s->writer, r);
}

void
store_note_policy(struct store *s, const struct policy_note *note)
{
	writer_note(s->writer, note);
}

void
store_unrecorded(struct store *s)
{
	writer_unrecorded(s->writer);
}

void
store_signed(struct store *s, int64_t us)
{
	writer_signed(s->writer, us);
}

void
store_keep(struct store *s, int64_t keep_ms)
{
	writer_keep(s->writer, keep_ms);
}

void
store_notify(struct store *s, uint64_t near_percent, int64_t quiet_ms)
{
	if (s->ops->notify != NULL)
		s->ops->notify(s->backend, near_percent, quiet_ms);
}

void
store_reached(struct store *s, const struct charge *charges, size_t n, const char *id, const char *app,
	      const char *tenant)
{
	const struct cause cause = {id, app, tenant};

	for (size_t i = 0; s->ops->notify != NULL && i < n; i++)
		if (charge_stops(&charges[i]) && charges[i].over != OVER_HOLD && !charges[i].is_told &&
		    charges[i].amount <= charge_count(&charges[i]))
			writer_reached(s->writer, &charges[i], &cause);
}

int
store_health(struct store *s, const char **error_r)
{
	return writer_health(s->writer, error_r);
}

struct store_reader {
	const struct store_ops *ops;
	void *reader;
};

struct store_reader *
store_reader_open(const char *url, char *error_r, size_t error_size)
{
	struct store_reader *r = calloc(1, sizeof *r);

	if (r == NULL) {
		snprintf(error_r, error_size, "memory is short");
		return NULL;
	}
	r->ops = find_ops(url);
	if (r->ops == NULL || r->ops->reader_open == NULL)
		snprintf(error_r, error_size, "%s: there is nothing to read from; use sqlite:/path/to/file or postgresql://HOST/DATABASE", url);
	else
		r->reader = r->ops->reader_open(url, error_r, error_size);
	if (r->reader == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

void
store_reader_close(struct store_reader **r)
{
	if (*r == NULL)
		return;
	(*r)->ops->reader_close((*r)->reader);
	free(*r);
	*r = NULL;
}

int
store_reader_peek(struct store_reader *r, const struct clock *clock, struct charge *charges, size_t n,
		  const char **error_r)
{
	return r->ops->reader_peek(r->reader, clock, charges, n, error_r);
}

int
store_reader_messages(struct store_reader *r, const struct store_range *range,
		      int (*each)(void *context, const struct record *record, const struct charge *charges,
				  size_t n_charges),
		      void *context, const char **error_r)
{
	return r->ops->reader_messages(r->reader, range, each, context, error_r);
}

int
store_reader_refusals(struct store_reader *r, const struct store_range *range, bool at_end,
		      int (*each)(void *context, const struct refusal *refusal, uint64_t count, int64_t last_time),
		      void *context, const char **error_r)
{
	return r->ops->reader_refusals(r->reader, range, at_end, each, context, error_r);
}

int
store_reader_policy(struct store_reader *r, const char *policy, struct arena *arena, struct policy_note *note_r,
		    const char **error_r)
{
	return r->ops->reader_policy(r->reader, policy, arena, note_r, error_r);
}

int64_t
store_reader_limit(struct store_reader *r, const char *name)
{
	return r->ops->reader_limit(r->reader, name);
}

int64_t
store_reader_count(struct store_reader *r, const struct store_range *range)
{
	return r->ops->reader_count(r->reader, range);
}

int
store_reader_held(struct store_reader *r, const char *relay, const char *state,
		  int (*each)(void *context, const struct store_held *held), void *context, const char **error_r)
{
	return r->ops->reader_held(r->reader, relay, state, each, context, error_r);
}

int
store_reader_held_one(struct store_reader *r, const char *id,
		      int (*each)(void *context, const struct store_held *held), void *context, const char **error_r)
{
	return r->ops->reader_held_one(r->reader, id, each, context, error_r);
}

int
store_reader_find(struct store_reader *r, const struct store_find *what,
		  int (*each)(void *context, const struct store_found *found), void *context, const char **error_r)
{
	return r->ops->reader_find(r->reader, what, each, context, error_r);
}

int
store_reader_deliveries(struct store_reader *r, const struct record *message,
			int (*each)(void *context, const struct store_delivery *d), void *context, const char **error_r)
{
	return r->ops->reader_deliveries(r->reader, message, each, context, error_r);
}

int
store_reader_timings(struct store_reader *r, int (*each)(void *context, const struct store_timing *t), void *context, const char **error_r)
{
	return r->ops->reader_timings(r->reader, each, context, error_r);
}

int
store_reader_upstream(struct store_reader *r, int (*each)(void *context, const struct store_upstream *u), void *context,
		      const char **error_r)
{
	return r->ops->reader_upstream(r->reader, each, context, error_r);
}

int
store_reader_reports(struct store_reader *r, const char *message_id, int64_t since, int64_t until, int max,
		     int (*each)(void *context, const struct store_report *report), void *context, const char **error_r)
{
	return r->ops->reader_reports(r->reader, message_id, since, until, max, each, context, error_r);
}

int
store_reader_followed(struct store_reader *r, int (*each)(void *context, const struct store_followed *f), void *context,
		      const char **error_r)
{
	return r->ops->reader_followed(r->reader, each, context, error_r);
}

int
store_reader_left(struct store_reader *r, int64_t since, int (*each)(void *context, const struct store_left *left),
		  void *context, const char **error_r)
{
	return r->ops->reader_left(r->reader, since, each, context, error_r);
}

int
store_reader_counters(struct store_reader *r, const struct clock *clock,
		      int (*each)(void *context, const struct store_counter *c), void *context, const char **error_r)
{
	return r->ops->reader_counters(r->reader, clock, each, context, error_r);
}

int
store_reader_spenders(struct store_reader *r, const struct store_spent *what,
		      int (*each)(void *context, const char *who, uint64_t amount), void *context,
		      const char **error_r)
{
	return r->ops->reader_spenders(r->reader, what, each, context, error_r);
}

int
store_reader_boosts(struct store_reader *r, const struct clock *clock,
		    int (*each)(void *context, const struct store_boost *b), void *context, const char **error_r)
{
	return r->ops->reader_boosts(r->reader, clock, each, context, error_r);
}

int
store_reader_events(struct store_reader *r, const char *relay, int64_t after,
		    int (*each)(void *context, const struct store_event *e), void *context, const char **error_r)
{
	return r->ops->reader_events(r->reader, relay, after, each, context, error_r);
}

int
store_reader_traffic(struct store_reader *r, const struct store_traffic_query *what,
		     int (*each)(void *context, const struct store_traffic *t), void *context, const char **error_r)
{
	return r->ops->reader_traffic(r->reader, what, each, context, error_r);
}

int
store_reader_seen(struct store_reader *r, const struct store_seen_query *what,
		  int (*each)(void *context, const struct store_seen *s), void *context, const char **error_r)
{
	return r->ops->reader_seen(r->reader, what, each, context, error_r);
}

int
store_reader_answers(struct store_reader *r, int64_t since, int64_t until,
		     int (*each)(void *context, const struct store_answer *a), void *context, const char **error_r)
{
	return r->ops->reader_answers(r->reader, since, until, each, context, error_r);
}

int
store_reader_newest(struct store_reader *r, const struct store_traffic_query *what, int rows, int64_t *since_r,
		    const char **error_r)
{
	return r->ops->reader_newest(r->reader, what, rows, since_r, error_r);
}

int
store_reader_latest(struct store_reader *r, const struct store_latest *what,
		    int (*each)(void *context, const struct store_found *found), void *context, const char **error_r)
{
	return r->ops->reader_latest(r->reader, what, each, context, error_r);
}

int
store_reader_replies(struct store_reader *r, int64_t since, int64_t until, int max,
		     int (*each)(void *context, const struct store_reply *reply), void *context, const char **error_r)
{
	return r->ops->reader_replies(r->reader, since, until, max, each, context, error_r);
}

void
store_reader_patience(struct store_reader *r, int64_t ms)
{
	r->ops->reader_patience(r->reader, ms);
}

int
store_reader_holding(struct store_reader *r, int (*each)(void *context, const struct store_holding *h),
		     void *context, const char **error_r)
{
	return r->ops->reader_holding(r->reader, each, context, error_r);
}

int64_t
store_reader_last_event(struct store_reader *r)
{
	return r->ops->reader_last_event(r->reader);
}

static void
copy_strings(struct arena *a, struct record *r)
{
	const char **const strings[] = {
		&r->id, &r->relay, &r->queue_id, &r->stage, &r->verdict, &r->reason, &r->enhanced,
		&r->text, &r->would, &r->would_reason, &r->would_text, &r->mode, &r->app, &r->tenant, &r->method,
		&r->department, &r->client, &r->client_name, &r->helo, &r->login, &r->tls,
		&r->certificate, &r->certificate_issuer, &r->form, &r->sender, &r->sender_domain, &r->header_from,
		&r->header_from_domain, &r->header_sender, &r->subject, &r->message_id,
		&r->signing, &r->policy, &r->trace,
	};

	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
		*strings[i] = arena_string(a, *strings[i]);
}

static void
copy_parts(struct arena *arena, struct record *c, const struct record *r)
{
	for (size_t i = 0; i < r->n_rcpt; i++) {
		c->rcpt[i] = r->rcpt[i];
		c->rcpt[i].address = arena_string(arena, r->rcpt[i].address);
		c->rcpt[i].domain = arena_string(arena, r->rcpt[i].domain);
		c->rcpt[i].place = arena_string(arena, r->rcpt[i].place);
		c->rcpt[i].reason = arena_string(arena, r->rcpt[i].reason);
	}
	for (size_t i = 0; i < r->n_signature; i++) {
		c->signature[i].domain = arena_string(arena, r->signature[i].domain);
		c->signature[i].selector = arena_string(arena, r->signature[i].selector);
		c->signature[i].algorithm = arena_string(arena, r->signature[i].algorithm);
		c->signature[i].result = arena_string(arena, r->signature[i].result);
	}
	for (size_t i = 0; i < r->n_rule; i++) {
		c->rule[i] = r->rule[i];
		c->rule[i].name = arena_string(arena, r->rule[i].name);
		c->rule[i].action = arena_string(arena, r->rule[i].action);
		c->rule[i].mode = arena_string(arena, r->rule[i].mode);
		c->rule[i].answer = arena_string(arena, r->rule[i].answer);
	}
}

struct record *
record_copy(struct arena *arena, const struct record *r)
{
	struct record *c = arena_alloc(arena, sizeof *c);

	if (c == NULL)
		return NULL;
	*c = *r;
	copy_strings(arena, c);
	c->rcpt = arena_array(arena, r->n_rcpt + 1, sizeof *c->rcpt);
	c->signature = arena_array(arena, r->n_signature + 1, sizeof *c->signature);
	c->rule = arena_array(arena, r->n_rule + 1, sizeof *c->rule);
	if (arena_failed(arena))
		return NULL;
	copy_parts(arena, c, r);
	return arena_failed(arena) ? NULL : c;
}
