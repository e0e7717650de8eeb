/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What operators do to one counter: empty it, add to its count for a time, end that.
 * Rows of the table in acts.c. A counter has one boost at a time, kept with it in
 * `limits` until the limits' clock says that it is over; whose it is tells boost_act.
 * Other relays on the same database find what was changed by changed_time.
 */
#include "base/arena.h"
#include "sql/backend-private.h"

#define FOLLOW_EVERY_MS 1000
/* A change may show so long after its time: as long as a transaction may take. */
#define FOLLOW_BACK_MS 15000
#define FOLLOW_MAX 1000
/* More apps than a tenant has with reserves. */
#define TALLIES_MAX 500

/* The counter of a request, locked and loaded; NULL with a text in result. */
static enum db_result
find(struct backend *b, const struct operator_request *r, struct counter **k, struct charge *c, struct text *result)
{
	const char *error = NULL;
	enum db_result rc;

	*k = NULL;
	*c = (struct charge){
		.scope = r->scope, .unit = (enum unit)r->unit, .period = (uint32_t)r->period, .key = r->key,
		.name = r->limit_name,
	};
	if (r->scope[0] == '\0' || r->unit < 0 || r->unit >= UNIT_COUNT || r->period < 60 || r->period > UINT32_MAX) {
		acts_refuse(result, "no limit is named");
		return DB_DONE;
	}
	rc = rows_weigh(b, k, c, 1, &error);
	if (error != NULL)
		*k = NULL;
	return rc == DB_DONE && error != NULL ? DB_FAILED : rc;
}

/* Whoever was told that it is reached is told soon if that is over. */
static enum db_result
note_change(struct backend *b, struct counter *k)
{
	struct db_query *q = b->query[LIMIT_CHANGED];
	struct counter_state s = k->state;
	int i = 0;

	s.changed_time = b->now;
	usage_set_state(b->usage, k, &s);
	if (k->state.need > 0)
		b->free_next = b->now;
	db_bind_int(q, &i, b->now);
	db_bind_int(q, &i, b->now);
	db_bind_int(q, &i, k->limit_id);
	return db_send(q);
}

static enum db_result
empty(struct backend *b, struct counter *k)
{
	struct db_query *q = b->query[DROP_USE];
	enum db_result rc;
	int i = 0;

	usage_empty(b->usage, k);
	db_bind_int(q, &i, k->limit_id);
	rc = db_send(q);
	return rc == DB_DONE ? note_change(b, k) : rc;
}

/* The keys of what apps have spent of their reserves of this limit. */
static enum db_result
read_tallies(struct backend *b, const struct charge *c, struct arena *arena, const char **keys, size_t *n_r)
{
	struct db_query *q = b->query[TALLIES];
	enum db_result rc;
	int i = 0;

	*n_r = 0;
	db_bind_text(q, &i, c->scope);
	db_bind_int(q, &i, (int64_t)c->unit);
	db_bind_int(q, &i, c->period);
	db_bind_int(q, &i, TALLIES_MAX);
	while ((rc = db_step(q)) == DB_ROW && *n_r < TALLIES_MAX)
		keys[(*n_r)++] = arena_string(arena, db_text(q, 0));
	db_reset(q);
	return rc == DB_ROW ? DB_DONE : rc;
}

/* They are parts of the same use. */
static enum db_result
empty_tallies(struct backend *b, const struct charge *c)
{
	struct arena *arena = arena_new(0);
	const char *keys[TALLIES_MAX], *error = NULL;
	enum db_result rc = arena == NULL ? DB_FAILED : DB_DONE;
	size_t n = 0;

	if (rc == DB_DONE)
		rc = read_tallies(b, c, arena, keys, &n);
	for (size_t i = 0; rc == DB_DONE && error == NULL && i < n; i++) {
		struct charge as = *c;
		struct counter *k;

		as.key = keys[i];
		rc = rows_weigh(b, &k, &as, 1, &error);
		if (rc == DB_DONE && error == NULL)
			rc = empty(b, k);
	}
	if (arena != NULL && (arena_failed(arena) || error != NULL))
		rc = DB_FAILED;
	arena_free(&arena);
	return rc;
}

enum db_result
boosts_act_reset(struct backend *b, const struct operator_request *r, struct text *result)
{
	struct charge c;
	struct counter *k;
	enum db_result rc = find(b, r, &k, &c, result);

	if (rc != DB_DONE || k == NULL)
		return rc;
	text_printf(result, "%llu had been used", (unsigned long long)c.used);
	rc = empty(b, k);
	return rc == DB_DONE && c.key[0] == '\0' ? empty_tallies(b, &c) : rc;
}

static enum db_result
set_boost(struct backend *b, struct counter *k, uint64_t boost, int64_t until, const char *act)
{
	struct db_query *q = b->query[BOOST_SET];
	struct counter_state s = k->state;
	enum db_result rc;
	int i = 0;

	s.boost = boost;
	s.boost_until = until;
	usage_set_state(b->usage, k, &s);
	db_bind_u64(q, &i, boost);
	db_bind_int(q, &i, until);
	db_bind_text(q, &i, act);
	db_bind_int(q, &i, k->limit_id);
	rc = db_send(q);
	return rc == DB_DONE ? note_change(b, k) : rc;
}

static bool
is_boosted(const struct backend *b, const struct counter *k)
{
	return k->state.boost > 0 && k->state.boost_until > b->now;
}

enum db_result
boosts_act_boost(struct backend *b, const struct operator_request *r, struct text *result)
{
	int64_t left = r->until - backend_wall_ms(b);
	char until[CLOCK_TEXT_SIZE];
	struct charge c;
	struct counter *k;
	enum db_result rc;

	if (r->amount <= 0 || left <= 0) {
		acts_refuse(result, left <= 0 ? "its time is over" : "it would add nothing");
		return DB_DONE;
	}
	rc = find(b, r, &k, &c, result);
	if (rc != DB_DONE || k == NULL)
		return rc;
	clock_write(r->until, until);
	text_printf(result, "%lld more until %s", (long long)r->amount, until);
	if (is_boosted(b, k)) {
		clock_write(backend_wall_ms(b) + (k->state.boost_until - b->now), until);
		text_printf(result, ", instead of %llu until %s", (unsigned long long)k->state.boost, until);
	}
	return set_boost(b, k, (uint64_t)r->amount, b->now + left, r->id);
}

enum db_result
boosts_act_unboost(struct backend *b, const struct operator_request *r, struct text *result)
{
	struct charge c;
	struct counter *k;
	enum db_result rc = find(b, r, &k, &c, result);

	if (rc != DB_DONE || k == NULL)
		return rc;
	if (!is_boosted(b, k)) {
		acts_refuse(result, "it has no boost");
		return DB_DONE;
	}
	text_printf(result, "%llu fewer", (unsigned long long)k->state.boost);
	return set_boost(b, k, 0, 0, "");
}

bool
boosts_due(const struct backend *b, int64_t now)
{
	return b->followed == 0 || (b->is_shared && now - b->followed >= FOLLOW_EVERY_MS);
}

/* Those that memory does not know as they are; at first all with a boost are among them. */
static enum db_result
collect(struct backend *b, struct arena *arena, struct charge *found, size_t *n_r)
{
	struct db_query *q = b->query[LIMITS_CHANGED];
	enum db_result rc;
	int i = 0;

	*n_r = 0;
	db_bind_int(q, &i, b->now - FOLLOW_BACK_MS);
	db_bind_int(q, &i, b->now);
	while ((rc = db_step(q)) == DB_ROW && *n_r < FOLLOW_MAX) {
		struct charge c = {
			.scope = db_text(q, 0), .unit = (enum unit)db_int(q, 1), .period = (uint32_t)db_int(q, 2),
			.key = db_text(q, 3), .name = db_text(q, 5), .count = (uint64_t)db_int(q, 6),
		};

		if (usage_knows(b->usage, &c, db_int(q, 4)))
			continue;
		c.scope = arena_string(arena, c.scope);
		c.key = arena_string(arena, c.key);
		c.name = arena_string(arena, c.name);
		found[(*n_r)++] = c;
	}
	db_reset(q);
	return rc == DB_ROW ? DB_DONE : rc;
}

enum db_result
boosts_follow(struct backend *b)
{
	struct arena *arena = arena_new(0);
	struct charge *found = arena == NULL ? NULL : arena_array(arena, FOLLOW_MAX, sizeof *found);
	enum db_result rc = DB_DONE;
	size_t n = 0;

	b->followed = b->now;
	if (found != NULL)
		rc = collect(b, arena, found, &n);
	for (size_t i = 0; rc == DB_DONE && !arena_failed(arena) && i < n; i++) {
		const char *error = NULL;
		struct counter *k;

		rc = rows_weigh(b, &k, &found[i], 1, &error);
	}
	if (n == FOLLOW_MAX)
		b->followed = 0;
	arena_free(&arena);
	return rc;
}
