/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A hash of counters, bounded by forgetting the idle ones.
 */
#include "sql/usage.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096u
#define COUNTERS_MAX 50000u

struct usage {
	pthread_mutex_t lock;
	struct counter *bucket[BUCKETS];
	struct counter *touched;
	uint64_t epoch;
	int64_t quiet_ms;
	size_t n;
	struct counter **room;    /* the writer's alone */
	size_t room_size;
};

struct usage *
usage_new(void)
{
	struct usage *u = calloc(1, sizeof *u);

	if (u == NULL)
		return NULL;
	u->epoch = 1;
	pthread_mutex_init(&u->lock, NULL);
	return u;
}

static void
counter_free(struct counter *c)
{
	free(c->scope);
	free(c->key);
	free(c);
}

/* Removes the counters for which `gone` says so. */
static void
sweep(struct usage *u, bool (*gone)(const struct counter *c, int64_t now_ms), int64_t now_ms)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct counter **p = &u->bucket[i]; *p != NULL;) {
			struct counter *c = *p;

			if (!gone(c, now_ms)) {
				p = &c->next;
				continue;
			}
			*p = c->next;
			counter_free(c);
			u->n--;
		}
}

static bool
is_any(const struct counter *c, int64_t now_ms)
{
	(void)c;
	(void)now_ms;
	return true;
}

static bool
is_stored(const struct counter *c, int64_t now_ms)
{
	(void)now_ms;
	return c->limit_id != 0 && c->state.boost == 0;
}

/* Made in this batch, which failed. */
static bool
is_unborn(const struct counter *c, int64_t now_ms)
{
	(void)now_ms;
	return c->limit_id == 0 && window_used(&c->window, c->window.newest) == 0;
}

static bool
is_idle(const struct counter *c, int64_t now_ms)
{
	return window_used(&c->window, window_slot(now_ms, c->period)) == 0 && c->state.boost == 0;
}

static int
compare_ids(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void
usage_forget(struct usage *u, const int64_t *limit_ids, size_t n)
{
	if (n == 0)
		return;
	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct counter *c = u->bucket[i]; c != NULL; c = c->next)
			if (bsearch(&c->limit_id, limit_ids, n, sizeof *limit_ids, compare_ids) != NULL)
				c->limit_id = c->limit_id_before = 0;
	pthread_mutex_unlock(&u->lock);
}

void
usage_detach(struct usage *u)
{
	pthread_mutex_lock(&u->lock);
	u->epoch++;
	pthread_mutex_unlock(&u->lock);
}

void
usage_free(struct usage **u)
{
	if (*u == NULL)
		return;
	sweep(*u, is_any, 0);
	pthread_mutex_destroy(&(*u)->lock);
	free((*u)->room);
	free(*u);
	*u = NULL;
}

static uint32_t
hash_string(uint32_t h, const char *s)
{
	for (; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return (h ^ 0xffu) * 16777619u;
}

static uint32_t
hash_charge(const struct charge *c)
{
	uint32_t h = hash_string(hash_string(2166136261u, c->scope), c->key);

	return (h ^ c->period ^ (uint32_t)c->unit) * 16777619u;
}

static struct counter *
lookup(struct usage *u, const struct charge *c, uint32_t hash)
{
	struct counter *k = u->bucket[hash % BUCKETS];

	while (k != NULL && (k->hash != hash || k->unit != c->unit || k->period != c->period ||
			     strcmp(k->scope, c->scope) != 0 || strcmp(k->key, c->key) != 0))
		k = k->next;
	return k;
}

static struct counter *
counter_new(const struct charge *c, uint32_t hash)
{
	struct counter *k = calloc(1, sizeof *k);

	if (k == NULL)
		return NULL;
	k->scope = strdup(c->scope);
	k->key = strdup(c->key);
	k->unit = c->unit;
	k->period = c->period;
	k->hash = hash;
	if (k->scope != NULL && k->key != NULL)
		return k;
	counter_free(k);
	return NULL;
}

static void
touch(struct usage *u, struct counter *k)
{
	if (k->touched)
		return;
	k->touched = true;
	if (k->epoch != u->epoch)
		k->limit_id = 0;
	k->epoch = u->epoch;
	k->limit_id_before = k->limit_id;
	k->state_before = k->state;
	k->known_before = k->known;
	k->before = k->window;
	k->next_touched = u->touched;
	u->touched = k;
}

struct counter *
usage_find(struct usage *u, const struct charge *c)
{
	uint32_t hash = hash_charge(c);
	struct counter *k;

	pthread_mutex_lock(&u->lock);
	k = lookup(u, c, hash);
	if (k == NULL && (k = counter_new(c, hash)) != NULL) {
		k->next = u->bucket[hash % BUCKETS];
		u->bucket[hash % BUCKETS] = k;
		u->n++;
	}
	if (k != NULL)
		touch(u, k);
	pthread_mutex_unlock(&u->lock);
	return k;
}

struct counter *
usage_find_sibling(struct usage *u, const struct charge *c, size_t i, struct charge *as_r)
{
	*as_r = charge_sibling(c, i);
	return usage_find(u, as_r);
}

struct counter **
usage_room(struct usage *u, size_t n)
{
	struct counter **room;

	if (n <= u->room_size && u->room != NULL)
		return u->room;
	room = realloc(u->room, (n + 1) * sizeof *room);
	if (room == NULL)
		return NULL;
	u->room = room;
	u->room_size = n;
	return room;
}

/* NULL when memory is short. */
static struct counter *
find_whole(struct usage *u, const struct charge *c)
{
	struct counter *k = usage_find(u, c);

	if (k == NULL)
		return NULL;
	pthread_mutex_lock(&u->lock);
	k->known = u->epoch;
	pthread_mutex_unlock(&u->lock);
	return k;
}

struct counter **
usage_find_all(struct usage *u, const struct charge *charges, size_t n)
{
	struct counter **counters = usage_room(u, n);

	for (size_t i = 0; counters != NULL && i < n; i++) {
		if ((counters[i] = find_whole(u, &charges[i])) == NULL)
			return NULL;
		for (size_t k = 0; k < charges[i].n_reserves; k++) {
			struct charge s = charge_sibling(&charges[i], k);

			if (find_whole(u, &s) == NULL)
				return NULL;
		}
	}
	return counters;
}

void
usage_load(struct usage *u, struct counter *c, int64_t limit_id, const struct window *w,
	   const struct counter_state *state)
{
	pthread_mutex_lock(&u->lock);
	c->limit_id = limit_id;
	c->state = *state;
	c->known = u->epoch;
	window_join(&c->window, w);
	pthread_mutex_unlock(&u->lock);
}

void
usage_set(struct usage *u, struct counter *c, int64_t limit_id, const struct window *w,
	  const struct counter_state *state)
{
	pthread_mutex_lock(&u->lock);
	c->limit_id = limit_id;
	c->state = *state;
	c->window = *w;
	c->known = u->epoch;
	pthread_mutex_unlock(&u->lock);
}

void
usage_set_state(struct usage *u, struct counter *c, const struct counter_state *state)
{
	pthread_mutex_lock(&u->lock);
	c->state = *state;
	pthread_mutex_unlock(&u->lock);
}

void
usage_empty(struct usage *u, struct counter *c)
{
	pthread_mutex_lock(&u->lock);
	memset(c->window.used, 0, sizeof c->window.used);
	pthread_mutex_unlock(&u->lock);
}

bool
usage_knows(struct usage *u, const struct charge *c, int64_t changed_time)
{
	const struct counter *k;
	bool knows;

	pthread_mutex_lock(&u->lock);
	k = lookup(u, c, hash_charge(c));
	knows = k != NULL && k->state.changed_time >= changed_time;
	pthread_mutex_unlock(&u->lock);
	return knows;
}

void
usage_quiet(struct usage *u, int64_t quiet_ms)
{
	pthread_mutex_lock(&u->lock);
	u->quiet_ms = quiet_ms;
	pthread_mutex_unlock(&u->lock);
}

void
usage_wait(struct usage *u, struct counter *c, int change)
{
	pthread_mutex_lock(&u->lock);
	if (change > 0)
		c->state.waiting++;
	else if (c->state.waiting > 0)
		c->state.waiting--;
	pthread_mutex_unlock(&u->lock);
}

static bool
is_same_counter(const struct charge *a, const struct charge *b)
{
	return a->unit == b->unit && a->period == b->period && strcmp(a->scope, b->scope) == 0 &&
	       strcmp(a->key, b->key) == 0;
}

static uint64_t
plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* What the reserve's app has not spent at a slot; NULL: nothing of it is. */
static uint64_t
unspent(const struct charge_reserve *r, const struct counter *sibling, int64_t slot)
{
	uint64_t used = sibling == NULL ? 0 : window_used(&sibling->window, slot);

	return used > r->amount ? 0 : r->amount - used;
}

/* Whether the charge's i-th reserve is held back, by what its counter, in *sibling_r
 * (NULL: an unused one), says. A hint rests on those only that were loaded with the
 * charge's own counter k or after it: what an older one does not know of, k may count. */
static bool
is_held(struct usage *u, const struct counter *k, const struct charge *c, size_t i, bool is_hint,
	const struct counter **sibling_r)
{
	struct charge s = charge_sibling(c, i);
	const struct counter *sibling = lookup(u, &s, hash_charge(&s));

	*sibling_r = sibling;
	return !is_hint || (sibling != NULL && sibling->known != 0 && sibling->known >= k->known);
}

/* Fills what is held back from a charge; how much that is with what is kept. */
static uint64_t
hold_back(struct usage *u, const struct counter *k, struct charge *c, bool is_hint, int64_t slot)
{
	uint64_t held = c->kept;

	for (size_t i = 0; i < c->n_reserves; i++) {
		struct charge_reserve *r = &c->reserves[i];
		const struct counter *sibling;

		r->unspent = is_held(u, k, c, i, is_hint, &sibling) ? unspent(r, sibling, slot) : 0;
		held = plus(held, r->unspent);
	}
	return held;
}

/* window_wait() where reserves are held back: as use falls out of the window room
 * comes back, but what the reserves' apps had used is held back again. more: what
 * the message and those before it add. */
static int64_t
wait_beside(struct usage *u, const struct counter *k, const struct charge *c, bool is_hint, uint64_t more, int64_t now_ms)
{
	int64_t now = window_slot(now_ms, c->period), first = now > k->window.newest ? now : k->window.newest;
	const struct counter *sibling;
	uint64_t need[WINDOW_SPAN + 1];

	for (int64_t s = 0; s <= WINDOW_SPAN; s++)
		need[s] = plus(plus(window_used(&k->window, first + s), more), c->kept);
	for (size_t i = 0; i < c->n_reserves; i++) {
		bool held = is_held(u, k, c, i, is_hint, &sibling);

		for (int64_t s = 0; held && s <= WINDOW_SPAN; s++)
			need[s] = plus(need[s], unspent(&c->reserves[i], sibling, first + s));
	}
	for (int64_t s = 0; s <= WINDOW_SPAN; s++)
		if (need[s] <= charge_count(c))
			return s == 0 ? 0 : window_start(first + s, c->period) - now_ms;
	return -1;
}

static int64_t
wait(struct usage *u, const struct counter *k, const struct charge *c, bool is_hint, uint64_t more, int64_t now_ms)
{
	if (c->n_reserves == 0)
		return window_wait(&k->window, now_ms, c->period, charge_count(c) - c->kept, more);
	return wait_beside(u, k, c, is_hint, more, now_ms);
}

/* What charges before this one add to its counter. */
static uint64_t
amounts_before(struct counter *const *counters, const struct charge *charges, size_t i)
{
	uint64_t sum = 0;

	for (size_t j = 0; j < i; j++)
		if (counters != NULL ? counters[j] == counters[i] : is_same_counter(&charges[j], &charges[i]))
			sum = plus(sum, charges[j].amount);
	return sum;
}

static void
weigh(struct usage *u, const struct counter *k, struct counter *const *counters, struct charge *charges, size_t i,
      int64_t now_ms)
{
	uint64_t before = amounts_before(counters, charges, i), need;
	int64_t slot = window_slot(now_ms, charges[i].period);
	const struct counter_state *s = &k->state;
	struct charge *c = &charges[i];

	c->boost = now_ms < s->boost_until ? s->boost : 0;
	c->used = plus(window_used(&k->window, slot), before);
	need = plus(plus(c->used, c->amount), hold_back(u, k, c, counters == NULL, slot));
	c->exceeded = !c->tally && need > charge_count(c);
	c->retry_ms = c->exceeded ? wait(u, k, c, counters == NULL, plus(c->amount, before), now_ms) : 0;
	/* Newcomers go behind those that wait. */
	c->waiting = c->over == OVER_HOLD && !c->has_waited ? s->waiting : 0;
	c->is_told = s->need > 0 || (s->reached_time > 0 && now_ms - s->reached_time < u->quiet_ms);
	c->exceeded = c->exceeded || c->waiting > 0;
}

void
usage_weigh(struct usage *u, struct counter *const *counters, struct charge *charges, size_t n,
	    int64_t now_ms)
{
	static const struct counter empty;

	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; i < n; i++) {
		const struct counter *k = counters != NULL ? counters[i]
			: lookup(u, &charges[i], hash_charge(&charges[i]));

		weigh(u, k != NULL ? k : &empty, counters, charges, i, now_ms);
	}
	pthread_mutex_unlock(&u->lock);
}

uint64_t
usage_add(struct usage *u, struct counter *c, int64_t now_ms, uint64_t amount)
{
	uint64_t sum;

	pthread_mutex_lock(&u->lock);
	window_add(&c->window, window_slot(now_ms, c->period), amount);
	sum = c->window.used[c->window.newest % WINDOW_SPAN];
	pthread_mutex_unlock(&u->lock);
	return sum;
}

bool
usage_add_late(struct usage *u, struct counter *c, int64_t time_ms, uint64_t amount, uint64_t *sum_r)
{
	int64_t slot = window_slot(time_ms, c->period);
	bool counts;

	pthread_mutex_lock(&u->lock);
	counts = window_add_late(&c->window, slot, amount);
	*sum_r = counts ? c->window.used[slot % WINDOW_SPAN] : 0;
	pthread_mutex_unlock(&u->lock);
	return counts;
}

void
usage_keep(struct usage *u, int64_t now_ms)
{
	pthread_mutex_lock(&u->lock);
	for (struct counter *k = u->touched; k != NULL; k = k->next_touched)
		k->touched = false;
	u->touched = NULL;
	if (u->n > COUNTERS_MAX)
		sweep(u, is_idle, now_ms);
	if (u->n > COUNTERS_MAX)
		sweep(u, is_stored, now_ms);
	pthread_mutex_unlock(&u->lock);
}

void
usage_undo(struct usage *u)
{
	pthread_mutex_lock(&u->lock);
	for (struct counter *k = u->touched; k != NULL; k = k->next_touched) {
		k->touched = false;
		k->limit_id = k->limit_id_before;
		k->state = k->state_before;
		k->known = k->known_before;
		k->window = k->before;
	}
	u->touched = NULL;
	sweep(u, is_unborn, 0);
	pthread_mutex_unlock(&u->lock);
}
