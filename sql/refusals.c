/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Kinds hang in chains by client, so that the bound per client is a short walk.
 */
#include "sql/refusals.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define BUCKETS 1024u
#define KINDS_PER_CLIENT 100u
#define KINDS_MAX 20000u
#define HOUR_MS 3600000

struct kind {
	struct kind *next;
	struct arena *arena;
	struct refusal facts;
	int64_t last_time;
	uint64_t waiting;
	uint64_t writing;
};

struct refusals {
	pthread_mutex_t lock;
	struct kind *bucket[BUCKETS];
	size_t n;
};

struct refusals *
refusals_new(void)
{
	struct refusals *r = calloc(1, sizeof *r);

	if (r != NULL)
		pthread_mutex_init(&r->lock, NULL);
	return r;
}

static void
kind_free(struct kind *k)
{
	arena_free(&k->arena);
	free(k);
}

void
refusals_free(struct refusals **r)
{
	if (*r == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while ((*r)->bucket[i] != NULL) {
			struct kind *k = (*r)->bucket[i];

			(*r)->bucket[i] = k->next;
			kind_free(k);
		}
	pthread_mutex_destroy(&(*r)->lock);
	free(*r);
	*r = NULL;
}

static struct kind **
bucket_of(struct refusals *r, const char *client)
{
	uint32_t h = 2166136261u;

	for (; *client != '\0'; client++)
		h = (h ^ (uint8_t)*client) * 16777619u;
	return &r->bucket[h % BUCKETS];
}

static bool
is_kind(const struct refusal *a, const struct refusal *b)
{
	return strcmp(a->client, b->client) == 0 && strcmp(a->app, b->app) == 0 &&
	       strcmp(a->stage, b->stage) == 0 && strcmp(a->reason, b->reason) == 0 &&
	       strcmp(a->sender, b->sender) == 0 && strcmp(a->header_from, b->header_from) == 0;
}

/* The kind, or NULL; *n_r counts the kinds of this client. */
static struct kind *
lookup(struct refusals *r, const struct refusal *what, size_t *n_r)
{
	*n_r = 0;
	for (struct kind *k = *bucket_of(r, what->client); k != NULL; k = k->next) {
		if (what->time - k->facts.time >= HOUR_MS)
			continue;
		if (is_kind(&k->facts, what))
			return k;
		if (strcmp(k->facts.client, what->client) == 0)
			++*n_r;
	}
	return NULL;
}

static struct kind *
kind_new(const struct refusal *w)
{
	struct kind *k = calloc(1, sizeof *k);
	struct arena *a;

	if (k == NULL || (k->arena = arena_new(0)) == NULL) {
		free(k);
		return NULL;
	}
	a = k->arena;
	k->facts = *w;
	const char **const strings[] = {
		&k->facts.id, &k->facts.stage, &k->facts.verdict, &k->facts.reason,
		&k->facts.enhanced, &k->facts.text, &k->facts.app, &k->facts.tenant,
		&k->facts.method, &k->facts.client, &k->facts.login, &k->facts.tls,
		&k->facts.certificate, &k->facts.certificate_issuer, &k->facts.sender,
		&k->facts.header_from, &k->facts.recipient, &k->facts.queue_id, &k->facts.policy,
		&k->facts.department,
	};
	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
		*strings[i] = arena_string(a, *strings[i]);
	if (!arena_failed(a))
		return k;
	kind_free(k);
	return NULL;
}

static struct id
id_of(const char *s)
{
	struct id id;

	snprintf(id.s, sizeof id.s, "%s", s);
	return id;
}

struct id
refusals_count(struct refusals *r, const struct refusal *what, bool *is_new_r)
{
	struct refusal w = *what;
	struct kind *k;
	struct id id;
	size_t n;

	pthread_mutex_lock(&r->lock);
	k = lookup(r, &w, &n);
	if (k == NULL && (n >= KINDS_PER_CLIENT || r->n >= KINDS_MAX)) {
		w.sender = w.header_from = "*";
		if (r->n >= KINDS_MAX)
			w.client = "*";
		k = lookup(r, &w, &n);
	}
	*is_new_r = k == NULL;
	if (k == NULL && (k = kind_new(&w)) != NULL) {
		k->next = *bucket_of(r, w.client);
		*bucket_of(r, w.client) = k;
		r->n++;
	}
	id = id_of(k != NULL ? k->facts.id : what->id);
	if (k != NULL) {
		k->waiting++;
		if (k->last_time < what->time)
			k->last_time = what->time;
	}
	pthread_mutex_unlock(&r->lock);
	return id;
}

size_t
refusals_take(struct refusals *r, struct refusal_delta *deltas, size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct kind *k = r->bucket[i]; k != NULL && n < max; k = k->next) {
			if (k->waiting == 0)
				continue;
			k->writing = k->waiting;
			k->waiting = 0;
			deltas[n++] = (struct refusal_delta){ &k->facts, k->writing, k->last_time };
		}
	pthread_mutex_unlock(&r->lock);
	return n;
}

void
refusals_done(struct refusals *r, bool is_written, int64_t now_ms)
{
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct kind **p = &r->bucket[i]; *p != NULL;) {
			struct kind *k = *p;

			if (!is_written)
				k->waiting += k->writing;
			k->writing = 0;
			if (k->waiting > 0 || now_ms - k->facts.time < HOUR_MS) {
				p = &k->next;
				continue;
			}
			*p = k->next;
			kind_free(k);
			r->n--;
		}
	pthread_mutex_unlock(&r->lock);
}
