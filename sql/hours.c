/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See hours.h.
 */
#include "sql/hours.h"

#include <stdlib.h>
#include <string.h>

#define HOUR_MS 3600000
#define NAMES 11
#define SUMS (6 + STORE_TRAFFIC_BUCKETS)
#define GROUPS 256u
#define BUCKETS 512u              /* a power of two */

const int64_t store_traffic_within_us[STORE_TRAFFIC_BUCKETS] = {1000, 2000, 5000, 10000, 50000, 250000, 1000000};

struct group {
	struct group *next;       /* of the same hash */
	int64_t hour, first, last;
	const char *name[NAMES];
	int64_t sum[SUMS];
};

struct hours {
	struct group group[GROUPS];
	size_t n;
	struct group *bucket[BUCKETS];
};

struct hours *
hours_new(void)
{
	return calloc(1, sizeof(struct hours));
}

void
hours_free(struct hours **h)
{
	free(*h);
	*h = NULL;
}

void
hours_begin(struct hours *h)
{
	h->n = 0;
	memset(h->bucket, 0, sizeof h->bucket);
}

static uint32_t
hash(const struct group *g)
{
	uint32_t h = 2166136261u;

	for (int i = 0; i < NAMES; i++)
		for (const char *s = g->name[i]; *s != '\0'; s++)
			h = (h ^ (uint8_t)*s) * 16777619u;
	return (h ^ (uint32_t)(g->hour / HOUR_MS)) & (BUCKETS - 1);
}

static bool
is_same(const struct group *a, const struct group *b)
{
	if (a->hour != b->hour)
		return false;
	for (int i = 0; i < NAMES; i++)
		if (a->name[i] != b->name[i] && strcmp(a->name[i], b->name[i]) != 0)
			return false;
	return true;
}

static enum db_result
write_group(const struct group *g, int64_t hour, struct db_query *q)
{
	int i = 0;

	db_bind_int(q, &i, hour);
	db_bind_int(q, &i, g->first);
	db_bind_int(q, &i, g->last);
	for (int k = 0; k < NAMES; k++)
		db_bind_text(q, &i, g->name[k]);
	for (int k = 0; k < SUMS; k++)
		db_bind_int(q, &i, g->sum[k]);
	return db_send(q);
}

/* To its hour, and to all time. */
enum db_result
hours_write(struct hours *h, struct db_query *q)
{
	enum db_result rc = DB_DONE;

	for (size_t i = 0; rc == DB_DONE && i < h->n; i++) {
		rc = write_group(&h->group[i], h->group[i].hour, q);
		if (rc == DB_DONE)
			rc = write_group(&h->group[i], 0, q);
	}
	hours_begin(h);
	return rc;
}

static enum db_result
add(struct hours *h, const struct group *g, struct db_query *q)
{
	struct group **p = &h->bucket[hash(g)], *same = *p;
	enum db_result rc;

	while (same != NULL && !is_same(same, g))
		same = same->next;
	if (same == NULL) {
		if (h->n == GROUPS && (rc = hours_write(h, q)) != DB_DONE)
			return rc;
		same = &h->group[h->n++];
		*same = *g;
		same->next = *p;
		*p = same;
		return DB_DONE;
	}
	same->first = g->first < same->first ? g->first : same->first;
	same->last = g->last > same->last ? g->last : same->last;
	for (int i = 0; i < SUMS; i++)
		same->sum[i] += g->sum[i];
	return DB_DONE;
}

static const char *
known(const char *s)
{
	return s == NULL ? "" : s;
}

enum db_result
hours_add_message(struct hours *h, const struct record *r, int times, struct db_query *q)
{
	struct group g = {
		.hour = r->time - r->time % HOUR_MS, .first = r->time, .last = r->time,
		.name = {known(r->relay), known(r->app), known(r->tenant), known(r->department), known(r->method), known(r->mode),
			 known(r->verdict), known(r->reason), known(r->would), known(r->would_reason), known(r->signing)},
		.sum = {1, 0, r->recipients, r->external, r->size, r->decide_us},
	};

	for (int i = 0; i < STORE_TRAFFIC_BUCKETS; i++)
		g.sum[6 + i] = r->decide_us <= store_traffic_within_us[i];
	for (int i = 0; i < SUMS; i++)
		g.sum[i] *= times;
	return add(h, &g, q);
}

enum db_result
hours_add_refusal(struct hours *h, const struct refusal_delta *d, const char *relay, struct db_query *q)
{
	const struct refusal *r = d->refusal;
	const struct group g = {
		.hour = r->time - r->time % HOUR_MS, .first = r->time, .last = d->last_time,
		.name = {known(relay), known(r->app), known(r->tenant), known(r->department), known(r->method), "enforce",
			 known(r->verdict), known(r->reason), known(r->verdict), known(r->reason), ""},
		.sum = {(int64_t)d->count, (int64_t)d->count},
	};

	return add(h, &g, q);
}
