/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The audit as arrivals (retries.h). Two readings: the first finds the 451s, the second
 * everything of those who got one. Counted refusals, few beside the messages, are kept
 * in memory and merged into the messages by their times.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/learn_table.h"
#include "admin/retries.h"
#include "base/arena.h"
#include "sql/store.h"

#define COUNTS_MAX 500000u

/* A count of refusals of somebody who got a 451. */
struct count {
	struct retry_arrival arrival; /* strings in the arena; `time` is that of the first */
	int64_t last;
	uint64_t n;
	bool is_rcpt, is_whole;       /* the first of them has a row among the messages, which was read */
};

/* The first or the last of a count. */
struct event {
	int64_t time;
	uint32_t count;
	bool is_last;
};

struct reading {
	struct retries *r;
	const struct store_range *asked;
	struct arena *arena;
	struct count *counts;
	struct event *events;
	size_t n_counts, counts_room, n_events, next_event;
	struct learn_table *at_end;   /* ids of counts at the end of a message ... */
	uint32_t *at_end_count;       /* ... and which they are */
	size_t at_end_room;
};

static bool
is_deferred(const char *verdict)
{
	return strcmp(verdict, "defer") == 0;
}

static bool
is_limit(const char *reason)
{
	return strncmp(reason, "limit:", strlen("limit:")) == 0;
}

/* Too many kinds of one client are counted under "*". */
static bool
is_unnamed(const struct refusal *f)
{
	return strcmp(f->sender, "*") == 0 || strcmp(f->client, "*") == 0;
}

static struct retry_arrival
arrival_of_message(const struct record *m)
{
	return (struct retry_arrival){
		.time = m->time, .id = m->id, .app = m->app, .client = m->picked_up ? "local" : m->client,
		.sender = m->sender, .recipient = "", .record = m, .deferred = is_deferred(m->verdict),
		.by_limit = is_limit(m->reason),
	};
}

/* One of a count; of several the recipient is known of the first only. */
static struct retry_arrival
arrival_of_refusal(const struct refusal *f)
{
	return (struct retry_arrival){
		.time = f->time, .id = f->id, .app = f->app, .client = f->client, .sender = f->sender,
		.recipient = strcmp(f->stage, "rcpt") == 0 ? f->recipient : "",
		.deferred = is_deferred(f->verdict), .by_limit = is_limit(f->reason),
	};
}

/* ---- the first reading */

static int
watch_refusal(void *context, const struct refusal *f, uint64_t count, int64_t last_time)
{
	struct reading *x = context;
	struct retry_arrival a = arrival_of_refusal(f);

	(void)last_time;
	if (a.deferred && is_unnamed(f))
		retries_count(x->r, f->app, f->client, f->id, RETRY_TOO_MANY, count);
	else if (a.deferred)
		retries_watch(x->r, &a);
	if (a.deferred && !is_unnamed(f) && !retries_watched(x->r, f->client, f->sender))
		retries_count(x->r, f->app, f->client, f->id, RETRY_TOO_MANY, count);
	return retries_failed(x->r) == NULL ? 0 : -2;
}

static int
watch_message(void *context, const struct record *m, const struct charge *charges, size_t n_charges)
{
	struct reading *x = context;
	struct retry_arrival a = arrival_of_message(m);

	(void)charges;
	(void)n_charges;
	if (a.deferred)
		retries_watch(x->r, &a);
	return retries_failed(x->r) == NULL ? 0 : -2;
}

static int
both_refusals(struct reading *x, struct store_reader *reader, const struct store_range *range,
	      int (*each)(void *context, const struct refusal *f, uint64_t count, int64_t last_time), const char **error_r)
{
	int rc = store_reader_refusals(reader, range, false, each, x, error_r);

	return rc == 0 ? store_reader_refusals(reader, range, true, each, x, error_r) : rc;
}

/* ---- counts, in memory */

static bool
add_count_room(struct reading *x)
{
	size_t room = x->counts_room == 0 ? 256 : x->counts_room * 2;
	struct count *more;

	if (x->n_counts < x->counts_room)
		return true;
	more = x->counts_room >= COUNTS_MAX ? NULL : realloc(x->counts, room * sizeof *more);
	if (more == NULL)
		return false;
	x->counts = more;
	x->counts_room = room;
	return true;
}

/* Remembers a count at the end of a message by its id. */
static bool
note_at_end(struct reading *x, const char *id, size_t count)
{
	uint32_t n = learn_table_add(x->at_end, id, NULL);
	size_t room = x->at_end_room == 0 ? 256 : x->at_end_room * 2;
	uint32_t *more;

	if (n == 0)
		return false;
	if (n >= x->at_end_room) {
		more = realloc(x->at_end_count, room * sizeof *more);
		if (more == NULL)
			return false;
		x->at_end_count = more;
		x->at_end_room = room;
	}
	x->at_end_count[n] = (uint32_t)count;
	return true;
}

static int
keep_count(void *context, const struct refusal *f, uint64_t count, int64_t last_time)
{
	struct reading *x = context;
	struct retry_arrival a = arrival_of_refusal(f);
	const char **const strings[] = {&a.id, &a.app, &a.client, &a.sender, &a.recipient};

	if (is_unnamed(f) || !retries_watched(x->r, f->client, f->sender))
		return 0;
	if (!add_count_room(x))
		return -2;
	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
		*strings[i] = arena_string(x->arena, *strings[i]);
	if (arena_failed(x->arena) || (strcmp(f->stage, "eom") == 0 && !note_at_end(x, f->id, x->n_counts)))
		return -2;
	a.is_asked = a.deferred && last_time >= x->asked->since && last_time < x->asked->until;
	x->counts[x->n_counts++] = (struct count){.arrival = a, .last = last_time, .n = count,
						  .is_rcpt = strcmp(f->stage, "rcpt") == 0};
	return 0;
}

static int
compare_events(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	return (int)x->is_last - (int)y->is_last;
}

static int
make_events(struct reading *x)
{
	x->events = calloc(2 * x->n_counts + 1, sizeof *x->events);
	if (x->events == NULL)
		return -2;
	for (size_t i = 0; i < x->n_counts; i++) {
		const struct count *c = &x->counts[i];

		x->events[x->n_events++] = (struct event){c->arrival.time, (uint32_t)i, false};
		if (c->n > 1)
			x->events[x->n_events++] = (struct event){c->last, (uint32_t)i, true};
	}
	qsort(x->events, x->n_events, sizeof *x->events, compare_events);
	return 0;
}

/* ---- the second reading */

/* The first of a count. If it is the only one it is asked for; where it has a row among
 * the messages, that has told it. */
static void
arrive_first(struct reading *x, const struct count *c)
{
	struct retry_arrival a = c->arrival;

	if (c->is_whole)
		return;
	a.is_asked = a.is_asked && c->n == 1;
	retries_arrive(x->r, &a);
}

/* The last of several, which may be to anybody; the others cannot be told apart. */
static void
arrive_last(struct reading *x, const struct count *c)
{
	struct retry_arrival a = c->arrival;

	a.time = c->last;
	a.recipient = "";
	a.several = true;
	retries_arrive(x->r, &a);
	if (a.is_asked)
		retries_count(x->r, a.app, a.client, a.id, RETRY_COUNTED, c->n - 1 - (c->is_whole ? 1 : 0));
}

static void
arrive_before(struct reading *x, int64_t time)
{
	for (; x->next_event < x->n_events && x->events[x->next_event].time < time; x->next_event++) {
		const struct event *e = &x->events[x->next_event];

		if (e->is_last)
			arrive_last(x, &x->counts[e->count]);
		else
			arrive_first(x, &x->counts[e->count]);
	}
}

static int
arrive_message(void *context, const struct record *m, const struct charge *charges, size_t n_charges)
{
	struct reading *x = context;
	struct retry_arrival a = arrival_of_message(m);
	uint32_t n = learn_table_find(x->at_end, m->id);

	(void)charges;
	(void)n_charges;
	arrive_before(x, m->time);
	if (n != 0)
		x->counts[x->at_end_count[n]].is_whole = true;
	a.is_asked = a.deferred && m->time >= x->asked->since && m->time < x->asked->until;
	retries_arrive(x->r, &a);
	return retries_failed(x->r) == NULL ? 0 : -2;
}

static int
read_all(struct reading *x, struct store_reader *reader, int64_t end, const char **error_r)
{
	struct store_range after = {.since = x->asked->since, .until = end};
	int rc = both_refusals(x, reader, x->asked, watch_refusal, error_r);

	if (rc == 0)
		rc = store_reader_messages(reader, x->asked, watch_message, x, error_r);
	if (rc == 0)
		rc = both_refusals(x, reader, &after, keep_count, error_r);
	if (rc == 0)
		rc = make_events(x);
	if (rc == 0)
		rc = store_reader_messages(reader, &after, arrive_message, x, error_r);
	if (rc != 0)
		return rc;
	arrive_before(x, INT64_MAX);
	retries_end(x->r, end);
	return retries_failed(x->r) == NULL ? 0 : -2;
}

int
retries_read(struct retries *r, struct store_reader *reader, const struct store_range *asked, int64_t now,
	     int64_t within_ms, const char **error_r)
{
	struct reading x = {.r = r, .asked = asked, .arena = arena_new(0), .at_end = learn_table_new(COUNTS_MAX)};
	int64_t end = asked->until + within_ms < now ? asked->until + within_ms : now;
	int rc = x.arena == NULL || x.at_end == NULL ? -2 : read_all(&x, reader, end, error_r);

	if (rc != 0 && rc != -1)
		*error_r = retries_failed(r) != NULL ? retries_failed(r)
			   : "there are too many refusals, or memory is short; take a shorter time";
	free(x.counts);
	free(x.events);
	free(x.at_end_count);
	learn_table_free(&x.at_end);
	arena_free(&x.arena);
	return rc == 0 ? 0 : -1;
}
