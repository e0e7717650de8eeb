/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See snapshot.h.
 */
#include "gate/snapshot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct counted {
	struct snapshot snapshot;
	atomic_uint references;
};

struct snapshot_holder {
	pthread_mutex_t lock; /* guards `present` */
	struct snapshot *present;
};

static int
load_keys(struct snapshot *s)
{
	const struct policy *p = s->policy;
	size_t n = 0;

	for (size_t i = 0; i < p->n_signing; i++) {
		for (size_t j = 0; j < p->signing[i].n_keys; j++) {
			const struct signing_key *k = &p->signing[i].keys[j];

			s->key[n] = keys_load(s->keys, p->signing[i].domain, k->selector, k->file);
			if (s->key[n++] == NULL)
				return -1;
		}
	}
	return 0;
}

struct snapshot *
snapshot_new(struct policy *policy)
{
	struct counted *c = calloc(1, sizeof *c);
	struct snapshot *s;

	if (c == NULL)
		return NULL;
	atomic_init(&c->references, 1);
	s = &c->snapshot;
	s->policy = policy;
	s->keys = keys_new();
	s->key = calloc(policy->n_keys + 1, sizeof *s->key);
	if (s->keys == NULL || s->key == NULL || load_keys(s) != 0) {
		s->policy = NULL; /* it stays the caller's */
		snapshot_unref(&s);
	}
	return s;
}

struct snapshot *
snapshot_ref(struct snapshot *s)
{
	atomic_fetch_add(&((struct counted *)s)->references, 1);
	return s;
}

void
snapshot_unref(struct snapshot **s)
{
	struct counted *c = (struct counted *)*s;

	*s = NULL;
	if (c == NULL || atomic_fetch_sub(&c->references, 1) != 1)
		return;
	keys_free(&c->snapshot.keys);
	policy_unref(&c->snapshot.policy);
	free(c->snapshot.key);
	free(c);
}

struct snapshot_holder *
snapshot_holder_new(struct snapshot *s)
{
	struct snapshot_holder *h = calloc(1, sizeof *h);

	if (h == NULL)
		return NULL;
	pthread_mutex_init(&h->lock, NULL);
	h->present = s;
	return h;
}

void
snapshot_holder_free(struct snapshot_holder **h)
{
	if (*h == NULL)
		return;
	snapshot_unref(&(*h)->present);
	pthread_mutex_destroy(&(*h)->lock);
	free(*h);
	*h = NULL;
}

struct snapshot *
snapshot_current(struct snapshot_holder *h)
{
	struct snapshot *s;

	pthread_mutex_lock(&h->lock);
	s = snapshot_ref(h->present);
	pthread_mutex_unlock(&h->lock);
	return s;
}

void
snapshot_swap(struct snapshot_holder *h, struct snapshot *s)
{
	struct snapshot *old;

	pthread_mutex_lock(&h->lock);
	old = h->present;
	h->present = s;
	pthread_mutex_unlock(&h->lock);
	snapshot_unref(&old);
}
