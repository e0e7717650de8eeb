/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See doubt.h. A short list: it is empty but after a commit that was in doubt.
 */
#include "sql/doubt.h"

#include <stdlib.h>
#include <string.h>

struct kind {
	struct kind *next;
	char *id, *reason, *stage;
	uint64_t there;           /* counted already, and to come again */
	uint64_t taking;          /* of these, left out in the present transaction */
	uint64_t open;            /* counted, if the transaction in doubt was committed */
};

struct doubt {
	struct kind *first;
};

struct doubt *
doubt_new(void)
{
	return calloc(1, sizeof(struct doubt));
}

static void
kind_free(struct kind *k)
{
	free(k->id);
	free(k->reason);
	free(k->stage);
	free(k);
}

/* Removes what says nothing any more. */
static void
tidy(struct doubt *d)
{
	for (struct kind **p = &d->first; *p != NULL;) {
		struct kind *k = *p;

		if (k->there > 0 || k->taking > 0 || k->open > 0) {
			p = &k->next;
			continue;
		}
		*p = k->next;
		kind_free(k);
	}
}

void
doubt_free(struct doubt **d)
{
	if (*d == NULL)
		return;
	for (struct kind *k = (*d)->first; k != NULL; k = k->next)
		k->there = k->taking = k->open = 0;
	tidy(*d);
	free(*d);
	*d = NULL;
}

static struct kind *
find(struct doubt *d, const struct refusal *r)
{
	struct kind *k = d->first;

	while (k != NULL && (strcmp(k->id, r->id) != 0 || strcmp(k->reason, r->reason) != 0 || strcmp(k->stage, r->stage) != 0))
		k = k->next;
	return k;
}

static struct kind *
add(struct doubt *d, const struct refusal *r)
{
	struct kind *k = calloc(1, sizeof *k);

	if (k == NULL)
		return NULL;
	k->id = strdup(r->id);
	k->reason = strdup(r->reason);
	k->stage = strdup(r->stage);
	if (k->id == NULL || k->reason == NULL || k->stage == NULL) {
		kind_free(k);
		return NULL;
	}
	k->next = d->first;
	return d->first = k;
}

uint64_t
doubt_left(struct doubt *d, const struct refusal_delta *r)
{
	struct kind *k = find(d, r->refusal);
	uint64_t left = k == NULL ? 0 : k->there - k->taking;
	uint64_t out = left < r->count ? left : r->count;

	if (k != NULL)
		k->taking += out;
	return r->count - out;
}

void
doubt_keep(struct doubt *d)
{
	for (struct kind *k = d->first; k != NULL; k = k->next) {
		k->there -= k->taking;
		k->taking = 0;
	}
	tidy(d);
}

void
doubt_undo(struct doubt *d)
{
	for (struct kind *k = d->first; k != NULL; k = k->next)
		k->taking = 0;
	tidy(d);
}

void
doubt_open(struct doubt *d, const struct refusal_delta *refusals, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct kind *k = find(d, refusals[i].refusal);

		if (k == NULL)
			k = add(d, refusals[i].refusal);
		if (k != NULL)
			k->open = refusals[i].count;
	}
}

void
doubt_settle(struct doubt *d, bool was_done)
{
	for (struct kind *k = d->first; k != NULL; k = k->next) {
		/* What was left out was for this transaction; and all that comes again is there. */
		if (was_done)
			k->there += k->open - k->taking;
		k->open = k->taking = 0;
	}
	tidy(d);
}
