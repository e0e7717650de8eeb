/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Limits without a database, for what-if: see store.h.
 *
 * What a limit holds waits in a queue of its counter and is charged at the time when all
 * its limits have room, before anything of a later time is weighed. `due` is never later
 * than that time: use only grows until then.
 */
#include <stdlib.h>
#include <string.h>

#include "sql/store.h"
#include "sql/usage.h"

struct waiting {
	struct waiting *next;
	size_t what;              /* which of the charges it waits for */
	size_t n;
	struct charge charges[];  /* behind them their reserves and keys */
};

struct queue {
	struct queue *next;
	struct waiting *first, **last;
	int64_t due;
};

struct rehearsal {
	struct usage *usage;
	struct queue *queues;
};

struct rehearsal *
rehearsal_new(void)
{
	struct rehearsal *r = calloc(1, sizeof *r);

	if (r != NULL && (r->usage = usage_new()) == NULL) {
		free(r);
		r = NULL;
	}
	return r;
}

/* Drops the first of a queue. */
static void
drop_first(struct queue *q)
{
	struct waiting *w = q->first;

	q->first = w->next;
	if (q->first == NULL)
		q->last = &q->first;
	free(w);
}

void
rehearsal_free(struct rehearsal **r)
{
	if (*r == NULL)
		return;
	for (struct queue *q = (*r)->queues, *next; q != NULL; q = next) {
		next = q->next;
		while (q->first != NULL)
			drop_first(q);
		free(q);
	}
	usage_free(&(*r)->usage);
	free(*r);
	*r = NULL;
}

/* Changes by one how many wait for the limits that hold. */
static int
count_waiting(struct rehearsal *r, const struct charge *charges, size_t n, int change)
{
	for (size_t i = 0; i < n; i++) {
		struct counter *k = charges[i].over == OVER_HOLD ? usage_find(r->usage, &charges[i]) : NULL;

		if (k == NULL && charges[i].over == OVER_HOLD)
			return -1;
		if (k != NULL)
			usage_wait(r->usage, k, change);
	}
	return 0;
}

static int
charge_all(struct rehearsal *r, struct charge *charges, size_t n, int64_t now_ms)
{
	struct counter **counters = usage_find_all(r->usage, charges, n);

	for (size_t i = 0; counters != NULL && i < n; i++)
		usage_add(r->usage, counters[i], now_ms, charges[i].amount);
	return counters == NULL ? -1 : 0;
}

/* When a message would fit, as far as is known at a time: that time itself where it does. -1: never. */
static int64_t
fits_at(struct rehearsal *r, struct waiting *w, int64_t now_ms)
{
	struct counter **counters = usage_find_all(r->usage, w->charges, w->n);
	int64_t wait = 0;

	if (counters == NULL)
		return -1;
	usage_weigh(r->usage, counters, w->charges, w->n, now_ms);
	for (size_t i = 0; i < w->n; i++) {
		if (charge_stops(&w->charges[i]) && w->charges[i].retry_ms < 0)
			return -1;
		if (charge_stops(&w->charges[i]) && w->charges[i].retry_ms > wait)
			wait = w->charges[i].retry_ms;
	}
	return now_ms + wait;
}

/* The first of a queue, at the time when it is due: goes, or is due later. One that will
 * never fit keeps nobody waiting. */
static int
serve(struct rehearsal *r, struct queue *q)
{
	struct waiting *w = q->first;
	int64_t now = q->due, at = fits_at(r, w, now);
	int rc = 0;

	q->due = at;
	if (at < 0 || at == now) {
		if (at == now)
			rc = charge_all(r, w->charges, w->n, now);
		if (rc == 0)
			rc = count_waiting(r, w->charges, w->n, -1);
		drop_first(q);
		q->due = q->first == NULL ? INT64_MAX : now;
	}
	usage_keep(r->usage, now);
	return rc;
}

/* What waits and has room by now goes, in the order of time. */
static int
advance(struct rehearsal *r, int64_t now_ms)
{
	int rc = 0;

	while (rc == 0) {
		struct queue *next = NULL;

		for (struct queue *q = r->queues; q != NULL; q = q->next)
			if (q->due <= now_ms && (next == NULL || q->due < next->due))
				next = q;
		if (next == NULL)
			break;
		rc = serve(r, next);
	}
	return rc;
}

void
rehearsal_weigh(struct rehearsal *r, struct charge *charges, size_t n, int64_t now_ms)
{
	(void)advance(r, now_ms); /* a hint in any case */
	usage_weigh(r->usage, NULL, charges, n, now_ms);
}

int
rehearsal_admit(struct rehearsal *r, struct charge *charges, size_t n, int64_t now_ms)
{
	struct counter **counters = advance(r, now_ms) == 0 ? usage_find_all(r->usage, charges, n) : NULL;
	bool stopped = false;

	if (counters == NULL)
		return -1;
	usage_weigh(r->usage, counters, charges, n, now_ms);
	for (size_t i = 0; i < n; i++)
		stopped = stopped || charge_stops(&charges[i]);
	for (size_t i = 0; !stopped && i < n; i++)
		usage_add(r->usage, counters[i], now_ms, charges[i].amount);
	usage_keep(r->usage, now_ms);
	return stopped ? 0 : 1;
}

/* A copy of charges that have waited; NULL when memory is short. */
static struct waiting *
copy(const struct charge *charges, size_t n)
{
	size_t reserves = 0, keys = 0;
	struct charge_reserve *reserve;
	struct waiting *w;
	char *key;

	for (size_t i = 0; i < n; i++) {
		reserves += charges[i].n_reserves;
		keys += strlen(charges[i].key) + 1;
	}
	w = calloc(1, sizeof *w + n * sizeof w->charges[0] + reserves * sizeof *reserve + keys);
	if (w == NULL)
		return NULL;
	w->n = n;
	reserve = (struct charge_reserve *)(void *)(w->charges + n);
	key = (char *)(reserve + reserves);
	for (size_t i = 0; i < n; i++) {
		w->charges[i] = charges[i];
		w->charges[i].has_waited = true;
		w->charges[i].key = strcpy(key, charges[i].key);
		key += strlen(key) + 1;
		w->charges[i].reserves = reserve;
		for (size_t k = 0; k < charges[i].n_reserves; k++)
			*reserve++ = charges[i].reserves[k];
	}
	return w;
}

static bool
is_same(const struct charge *a, const struct charge *b)
{
	return a->unit == b->unit && a->period == b->period && strcmp(a->scope, b->scope) == 0 && strcmp(a->key, b->key) == 0;
}

/* The queue of a counter; made where there is none. */
static struct queue *
find_queue(struct rehearsal *r, const struct charge *what)
{
	struct queue *q, *idle = NULL;

	for (q = r->queues; q != NULL; q = q->next) {
		if (q->first == NULL)
			idle = q;
		else if (is_same(&q->first->charges[q->first->what], what))
			return q;
	}
	if (idle != NULL)
		return idle;
	q = calloc(1, sizeof *q);
	if (q == NULL)
		return NULL;
	*q = (struct queue){.next = r->queues, .last = &q->first, .due = INT64_MAX};
	r->queues = q;
	return q;
}

int
rehearsal_wait(struct rehearsal *r, const struct charge *charges, size_t n, int64_t now_ms)
{
	struct waiting *w;
	struct queue *q;
	size_t what = 0;

	while (what < n && !(charges[what].over == OVER_HOLD && charge_stops(&charges[what])))
		what++;
	if (what == n)
		return 0;
	w = copy(charges, n);
	q = w == NULL ? NULL : find_queue(r, &charges[what]);
	if (q == NULL || count_waiting(r, charges, n, 1) != 0) {
		free(w);
		return -1;
	}
	usage_keep(r->usage, now_ms);
	w->what = what;
	if (q->first == NULL)
		q->due = now_ms;
	*q->last = w;
	q->last = &w->next;
	return 0;
}
