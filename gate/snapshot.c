/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See snapshot.h.
 */
#include "gate/snapshot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sql/store.h"

#define DAY INT64_C(86400)

struct counted {
	struct snapshot snapshot;
	atomic_uint references;
};

struct snapshot_holder {
	pthread_mutex_t lock; /* guards `present` */
	struct snapshot *present;
};

/* What a key was in a snapshot, where it was usable; NULL else. */
static const struct key *
find_usable(const struct snapshot *s, const struct key *k)
{
	for (size_t i = 0; s != NULL && i < s->policy->n_keys; i++) {
		const struct key *o = s->key[i];

		if (o->usable && strcmp(o->domain, k->domain) == 0 && strcmp(o->selector, k->selector) == 0 &&
		    strcmp(o->file, k->file) == 0)
			return o;
	}
	return NULL;
}

static int
load_keys(struct snapshot *s, const struct snapshot *before, int64_t now_ms)
{
	const struct policy *p = s->policy;
	const struct key *old;
	size_t n = 0;

	for (size_t i = 0; i < p->n_signing; i++) {
		for (size_t j = 0; j < p->signing[i].n_keys; j++) {
			const struct signing_key *k = &p->signing[i].keys[j];

			s->key[n] = keys_load(s->keys, p->signing[i].domain, k->selector, k->file);
			if (s->key[n] == NULL)
				return -1;
			old = s->key[n]->usable ? NULL : find_usable(before, s->key[n]);
			if (old != NULL && keys_keep(s->key[n], old, now_ms) != 0)
				return -1;
			n++;
		}
	}
	return 0;
}

struct snapshot *
snapshot_new(struct policy *policy)
{
	return snapshot_after(policy, NULL, 0);
}

struct snapshot *
snapshot_after(struct policy *policy, const struct snapshot *before, int64_t now_ms)
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
	if (s->keys == NULL || s->key == NULL || load_keys(s, before, now_ms) != 0) {
		s->policy = NULL; /* it stays the caller's */
		snapshot_unref(&s);
	}
	return s;
}

void
snapshot_note(const struct policy *p, struct store *store)
{
	struct policy_rule *rules = store == NULL ? NULL : calloc(p->n_rules + 1, sizeof *rules);
	struct policy_note note = {.policy = p->digest, .rules = rules, .n_rules = p->n_rules};

	for (size_t i = 0; rules != NULL && i < p->n_rules; i++)
		rules[i] = (struct policy_rule){p->rules[i].name, p->rules[i].conditions};
	if (rules != NULL)
		store_note_policy(store, &note);
	free(rules);
}

/* At the place that names the key. */
static void
add_keys(const struct snapshot *s, struct problems *problems)
{
	size_t n = 0;

	for (size_t i = 0; i < s->policy->n_signing; i++) {
		for (size_t j = 0; j < s->policy->signing[i].n_keys; j++, n++) {
			const struct signing_key *where = &s->policy->signing[i].keys[j];
			const struct key *k = s->key[n];

			if (k->problem != NULL && k->problem[0] != '\0')
				problems_add(problems, !k->usable || k->kept, where->policy_file, where->line,
					     where->column, "key %s %s", k->file, k->problem);
		}
	}
}

/* Seconds since the file was changed. */
static int64_t
age_of(const struct accepted_source *a, int64_t now_ms)
{
	return now_ms / 1000 - (a->modified < 0 ? 0 : a->modified);
}

int64_t
snapshot_age_days(const struct accepted_source *a, int64_t now_ms)
{
	return age_of(a, now_ms) / DAY;
}

static void
add_aged(const struct tenant *t, const struct accepted_source *a, int64_t now_ms, struct problems *problems)
{
	int64_t days = snapshot_age_days(a, now_ms);
	int64_t max = (int64_t)t->sources_max_age;
	bool whole = max % DAY == 0;

	if (days < 0)
		problems_add(problems, false, a->policy_file, a->line, a->column, "%s is dated %lld day%s ahead, so its age "
			     "is not known; look at the clock, and export it again", a->file, (long long)-days,
			     days == -1 ? "" : "s");
	else if (age_of(a, now_ms) > max)
		problems_add(problems, false, a->policy_file, a->line, a->column, "%s was last changed %lld day%s ago, and "
			     "accepted-domains-max-age is %lld %s; export it again and reload", a->file, (long long)days,
			     days == 1 ? "" : "s", (long long)(whole ? max / DAY : max / 3600), whole ? "days" : "hours");
}

void
snapshot_add_aged(const struct snapshot *s, int64_t now_ms, struct problems *problems)
{
	const struct policy *p = s->policy;

	for (size_t i = 0; i < p->n_tenants; i++)
		for (size_t j = 0; j < p->tenants[i].n_sources; j++)
			add_aged(&p->tenants[i], &p->tenants[i].sources[j], now_ms, problems);
}

/* "2026-10-30" for a day since 1970. */
static void
write_day(int64_t day, char text[CLOCK_TEXT_SIZE])
{
	clock_write(day * DAY * 1000, text);
	text[10] = '\0';
}

/* A limit in a plain number that is above the tenant's rate of the day. */
static void
add_above(const struct tenant *t, const struct limit *l, int64_t day, const char *until, struct problems *problems)
{
	uint64_t rate = budget_rate(&t->rate, day);

	if (l->unit == UNIT_EXTERNAL_RECIPIENTS && l->rate == NULL && limit_is_above(l, rate, (uint32_t)DAY))
		problems_add(problems, false, t->created_file, t->created_line, t->created_column, "Exchange Online takes %llu "
			     "external recipients a day from tenant \"%s\" until %s, so %s (%llu) is not reached before",
			     (unsigned long long)rate, t->name, until, l->name, (unsigned long long)l->count);
}

/* Reserves that leave nothing of the day's rate. */
static void
add_reserved(const struct tenant *t, const struct limit *l, int64_t day, const char *until, struct problems *problems)
{
	uint64_t count = limit_count(l, day), sum = budget_kept(t, count);

	if (l->rate == NULL || !budget_is_limit(l) || t->n_reserves == 0)
		return;
	for (size_t i = 0; i < t->n_reserves; i++)
		sum += budget_share(&t->reserves[i].app->reserved, count);
	if (sum >= count)
		problems_add(problems, false, t->created_file, t->created_line, t->created_column, "%s is %llu until %s, and all of "
			     "it is reserved or for critical apps; other apps can send nothing outside before", l->name,
			     (unsigned long long)count, until);
}

/* What does not fit as long as a tenant is young. */
static void
add_young(const struct tenant *t, int64_t day, struct problems *problems)
{
	int64_t grows = t->rate.created + (day < t->rate.created + BUDGET_NEW_DAYS ? BUDGET_NEW_DAYS : BUDGET_YOUNG_DAYS);
	char until[CLOCK_TEXT_SIZE];

	write_day(grows, until);
	for (size_t i = 0; i < t->n_limits; i++) {
		add_above(t, &t->limits[i], day, until, problems);
		add_reserved(t, &t->limits[i], day, until, problems);
	}
}

/* What a tenant's date of creation contradicts today. */
static void
add_created(const struct tenant *t, int64_t now_ms, struct problems *problems)
{
	int64_t day = now_ms / 1000 / DAY;
	char created[CLOCK_TEXT_SIZE];

	if (t->rate.created == 0 || t->rate.is_trial)
		return;
	write_day(t->rate.created, created);
	if (t->rate.created > day)
		problems_add(problems, false, t->created_file, t->created_line, t->created_column, "%s is ahead, so tenant \"%s\" "
			     "is taken for a new one; look at the date and the clock", created, t->name);
	if (t->rate.licenses > 0 && day < t->rate.created + BUDGET_YOUNG_DAYS)
		add_young(t, day, problems);
}

struct snapshot *
snapshot_load(const char *file, const struct snapshot *before, int64_t now_ms, struct problems **problems_r)
{
	struct policy *p = policy_load(file, problems_r);
	struct snapshot *s = p == NULL ? NULL : snapshot_after(p, before, now_ms);

	if (s != NULL) {
		add_keys(s, *problems_r);
		snapshot_add_aged(s, now_ms, *problems_r);
		for (size_t i = 0; i < p->n_tenants; i++)
			add_created(&p->tenants[i], now_ms, *problems_r);
		problems_sort(*problems_r);
	} else if (p != NULL) {
		policy_unref(&p);
		problems_add(*problems_r, true, file, 0, 0, "memory is short");
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
