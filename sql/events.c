/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What happens to limits, told in `events` within the transaction that caused it:
 *     near     use came up to the share of the count that store_notify() names
 *     reached  something was refused or held, or went over it where it only observes
 *     freed    what was refused would fit again, and nobody waits
 *     more     of a limit per key more counters had events than are told in a minute
 * A counter that was reached is so until it is freed: what is refused in between is no
 * event. Nor is one of its kind within the quiet time; freed waits for its end. What a
 * counter came to stands with it in `limits`, so that no restart repeats it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "sql/backend-private.h"

/* Events told in a minute of the counters that a limit has per key. */
#define PER_MINUTE 10
#define FLOODS_MAX 200
/* Counters looked at in one transaction, and how soon the same one again. */
#define LOOK_MAX 100
#define LOOK_AGAIN_MS 1000
/* Other relays may have reached a limit, and be gone. */
#define SHARED_EVERY_MS 5000

/* How many events of a limit's keys there were in this minute. */
struct flood {
	struct flood *next;
	int64_t minute, told_ms;  /* of the limits' clock; told_ms: when `more` was told, 0: never */
	int n;
	char name[];
};

void
events_free(struct backend *b)
{
	while (b->floods != NULL) {
		struct flood *f = b->floods;

		b->floods = f->next;
		free(f);
	}
}

static struct flood *
find_flood(struct backend *b, const char *name)
{
	struct flood *f = b->floods;
	int n = 0;

	for (; f != NULL; f = f->next, n++)
		if (strcmp(f->name, name) == 0)
			return f;
	if (n >= FLOODS_MAX)
		events_free(b);
	f = calloc(1, sizeof *f + strlen(name) + 1);
	if (f == NULL)
		return NULL;
	strcpy(f->name, name);
	f->next = b->floods;
	return b->floods = f;
}

static int64_t
quiet_ms(struct backend *b)
{
	return atomic_load(&b->quiet_ms);
}

static enum db_result
write_event(struct backend *b, const char *kind, const struct charge *c, const char *key, uint64_t used,
	    const struct cause *cause)
{
	struct db_query *q = b->query[EVENT_NEW];
	int i = 0;

	db_bind_int(q, &i, b->options.clock->wall_ms(b->options.clock->context));
	db_bind_text(q, &i, b->options.relay);
	db_bind_text(q, &i, kind);
	db_bind_text(q, &i, c->name);
	db_bind_text(q, &i, c->scope);
	db_bind_text(q, &i, key);
	db_bind_int(q, &i, (int64_t)c->unit);
	db_bind_int(q, &i, c->period);
	db_bind_u64(q, &i, used);
	db_bind_u64(q, &i, c->count);
	db_bind_u64(q, &i, c->boost);
	db_bind_int(q, &i, (int64_t)c->over);
	db_bind_text(q, &i, c->enforced ? "enforce" : "monitor");
	db_bind_text(q, &i, cause->app);
	db_bind_text(q, &i, cause->tenant);
	db_bind_text(q, &i, cause->id);
	return db_send(q);
}

/* Whether an event of this counter may be told; with the first of a minute that may not,
 * that there are more. */
static enum db_result
may_tell(struct backend *b, const struct charge *c, const struct cause *cause, bool *may_r)
{
	struct flood *f = c->key[0] == '\0' ? NULL : find_flood(b, c->name);

	*may_r = true;
	if (f == NULL)
		return DB_DONE;
	if (f->minute != b->now / 60000) {
		f->minute = b->now / 60000;
		f->n = 0;
	}
	if (f->n++ < PER_MINUTE)
		return DB_DONE;
	*may_r = false;
	if (f->told_ms > 0 && b->now - f->told_ms < quiet_ms(b))
		return DB_DONE;
	f->told_ms = b->now;
	return write_event(b, "more", c, "", PER_MINUTE, cause);
}

/* Notes what a counter came to, in memory and where it stands. */
static enum db_result
write_state(struct backend *b, struct counter *k, const struct charge *c, const struct counter_state *s,
	    int64_t free_time)
{
	struct db_query *q = b->query[EVENT_STATE];
	int i = 0;

	usage_set_state(b->usage, k, s);
	if (s->need > 0 && free_time < b->free_next)
		b->free_next = free_time;
	db_bind_text(q, &i, c->name);
	db_bind_u64(q, &i, c->count);
	db_bind_int(q, &i, s->near_time);
	db_bind_int(q, &i, s->reached_time);
	db_bind_int(q, &i, s->freed_time);
	db_bind_u64(q, &i, s->need);
	db_bind_int(q, &i, free_time);
	db_bind_int(q, &i, k->limit_id);
	return db_send(q);
}

static bool
is_quiet(struct backend *b, int64_t last)
{
	return last > 0 && b->now - last < quiet_ms(b);
}

/* What must fit for it to be free: what was refused, beside what is held back for others. */
static uint64_t
need_of(const struct charge *c)
{
	uint64_t need = (c->amount == 0 ? 1 : c->amount) + c->kept;

	for (size_t i = 0; i < c->n_reserves; i++)
		need += c->reserves[i].unspent;
	return need < c->kept || need > charge_count(c) ? charge_count(c) : need;
}

/* used: what there is in all now. */
static enum db_result
tell_reached(struct backend *b, struct counter *k, const struct charge *c, uint64_t used, const struct cause *cause)
{
	struct counter_state s = k->state;
	enum db_result rc;
	bool may;

	if (s.need > 0 || is_quiet(b, s.reached_time))
		return DB_DONE;
	rc = may_tell(b, c, cause, &may);
	if (rc != DB_DONE)
		return rc;
	s.reached_time = b->now;
	s.need = may ? need_of(c) : 0; /* what was not told is not told to be over */
	rc = may ? write_event(b, "reached", c, c->key, used, cause) : DB_DONE;
	return rc == DB_DONE ? write_state(b, k, c, &s, b->now + (c->retry_ms > LOOK_AGAIN_MS ? c->retry_ms
								  : LOOK_AGAIN_MS)) : rc;
}

static enum db_result
tell_near(struct backend *b, struct counter *k, const struct charge *c, const struct cause *cause)
{
	struct counter_state s = k->state;
	enum db_result rc;
	bool may;

	if (s.need > 0 || is_quiet(b, s.near_time))
		return DB_DONE;
	rc = may_tell(b, c, cause, &may);
	s.near_time = b->now;
	if (rc == DB_DONE && may)
		rc = write_event(b, "near", c, c->key, c->used + c->amount, cause);
	return rc == DB_DONE ? write_state(b, k, c, &s, 0) : rc;
}

/* From so many units on it is near. */
static uint64_t
near_mark(struct backend *b, const struct charge *c)
{
	uint64_t count = charge_count(c), at = atomic_load(&b->near_percent);
	uint64_t mark = count / 100 * at + (count % 100 * at + 99) / 100;

	return mark == 0 ? 1 : mark;
}

/* A charge that was charged without being over: whether that brought it near. */
static enum db_result
look_if_near(struct backend *b, struct counter *k, const struct charge *c, const struct cause *cause)
{
	uint64_t mark = near_mark(b, c);

	if (c->tally || c->used >= mark || c->amount < mark - c->used)
		return DB_DONE;
	return tell_near(b, k, c, cause);
}

enum db_result
events_admitted(struct backend *b, const struct admit *a, struct counter *const *counters)
{
	const struct cause cause = {a->record->id, a->record->app, a->record->tenant};
	enum db_result rc = DB_DONE;

	if (b->tells_nothing)
		return DB_DONE;
	for (size_t i = 0; rc == DB_DONE && i < a->n_charges; i++) {
		const struct charge *c = &a->charges[i];

		if (c->tally)
			continue;
		if (!c->exceeded)
			rc = a->charged ? look_if_near(b, counters[i], c, &cause) : DB_DONE;
		else if (a->charged || c->retry_ms >= 0) /* what is refused as too large for it did not reach it */
			rc = tell_reached(b, counters[i], c, c->used + (a->charged ? c->amount : 0), &cause);
	}
	return rc;
}

enum db_result
events_granted(struct backend *b, const struct charge *charges, size_t n, struct counter *const *counters,
	       const struct cause *cause)
{
	enum db_result rc = DB_DONE;

	for (size_t i = 0; rc == DB_DONE && i < n; i++)
		rc = look_if_near(b, counters[i], &charges[i], cause);
	return rc;
}

enum db_result
events_refused(struct backend *b, const struct reached *r)
{
	struct counter *k = usage_find(b->usage, &r->charge);
	const char *error = NULL;
	enum db_result rc;

	if (k == NULL || b->tells_nothing)
		return DB_DONE;
	if (k->limit_id == 0) {
		struct charge c = r->charge;

		rc = rows_weigh(b, &k, &c, 1, &error);
		if (rc != DB_DONE || error != NULL)
			return rc;
	}
	return tell_reached(b, k, &r->charge, r->charge.used, &r->cause);
}

/* ---- freed */

struct looked {
	int64_t id;
	struct charge charge;
	uint64_t need;
	struct cause cause;
};

bool
events_due(struct backend *b, int64_t now)
{
	return now >= b->free_next;
}

/* The counters that may be free. */
static enum db_result
collect(struct backend *b, struct arena *arena, struct looked *found, size_t *n_r)
{
	struct db_query *q = b->query[EVENT_LOOK];
	enum db_result rc;
	int i = 0;

	*n_r = 0;
	db_bind_int(q, &i, b->now);
	db_bind_int(q, &i, LOOK_MAX);
	while ((rc = db_step(q)) == DB_ROW && *n_r < LOOK_MAX)
		found[(*n_r)++] = (struct looked){
			.id = db_int(q, 0), .need = (uint64_t)db_int(q, 7),
			.charge = {
				.scope = arena_string(arena, db_text(q, 1)), .unit = (enum unit)db_int(q, 2),
				.period = (uint32_t)db_int(q, 3), .key = arena_string(arena, db_text(q, 4)),
				.name = arena_string(arena, db_text(q, 5)), .count = (uint64_t)db_int(q, 6),
				.amount = (uint64_t)db_int(q, 7), .over = OVER_HOLD, .enforced = true,
			},
		};
	db_reset(q);
	return rc == DB_ROW ? DB_DONE : rc;
}

/* Whose message reached it. */
static enum db_result
read_cause(struct backend *b, struct arena *arena, struct looked *l)
{
	struct db_query *q = b->query[EVENT_LAST];
	enum db_result rc;
	int i = 0;

	l->cause = (struct cause){"", "", ""};
	db_bind_text(q, &i, l->charge.name);
	db_bind_text(q, &i, l->charge.key);
	db_bind_text(q, &i, l->charge.scope);
	if ((rc = db_step(q)) == DB_ROW) {
		l->charge.over = (enum over)db_int(q, 0);
		l->charge.enforced = strcmp(db_text(q, 1), "monitor") != 0;
		l->cause = (struct cause){arena_string(arena, db_text(q, 4)), arena_string(arena, db_text(q, 2)),
					  arena_string(arena, db_text(q, 3))};
	}
	db_reset(q);
	return rc == DB_ROW ? DB_DONE : rc;
}

static enum db_result
look_later(struct backend *b, int64_t id, int64_t when)
{
	struct db_query *q = b->query[EVENT_LATER];
	int i = 0;

	db_bind_int(q, &i, when);
	db_bind_int(q, &i, id);
	return db_send(q);
}

static enum db_result
tell_freed(struct backend *b, struct arena *arena, struct counter *k, struct looked *l)
{
	struct counter_state s = k->state;
	enum db_result rc = read_cause(b, arena, l);
	bool may = true;

	if (rc == DB_DONE)
		rc = may_tell(b, &l->charge, &l->cause, &may);
	s.need = 0;
	s.freed_time = b->now;
	if (rc == DB_DONE && may)
		rc = write_event(b, "freed", &l->charge, l->charge.key, l->charge.used, &l->cause);
	return rc == DB_DONE ? write_state(b, k, &l->charge, &s, 0) : rc;
}

static enum db_result
look_if_free(struct backend *b, struct arena *arena, struct looked *l)
{
	struct charge *c = &l->charge;
	const char *error = NULL;
	struct counter *k = NULL;
	enum db_result rc = rows_weigh(b, &k, c, 1, &error);
	int64_t wait;

	/* What was asked for may be more than there ever is now. */
	if (rc == DB_DONE && error == NULL && c->retry_ms < 0) {
		c->amount = charge_count(c);
		rc = rows_weigh(b, &k, c, 1, &error);
	}
	if (rc != DB_DONE || error != NULL || k->state.need == 0)
		return rc;
	if (!c->exceeded && !is_quiet(b, k->state.freed_time))
		return tell_freed(b, arena, k, l);
	wait = c->exceeded ? c->retry_ms : k->state.freed_time + quiet_ms(b) - b->now;
	return look_later(b, l->id, b->now + (wait > LOOK_AGAIN_MS ? wait : LOOK_AGAIN_MS));
}

static enum db_result
read_next(struct backend *b)
{
	struct db_query *q = b->query[EVENT_NEXT];
	enum db_result rc = db_step(q);

	b->free_next = rc == DB_ROW && db_text(q, 0)[0] != '\0' ? db_int(q, 0) : INT64_MAX;
	db_reset(q);
	if (b->is_shared && b->free_next > b->now + SHARED_EVERY_MS)
		b->free_next = b->now + SHARED_EVERY_MS;
	return rc == DB_ROW ? DB_DONE : DB_FAILED;
}

enum db_result
events_free_again(struct backend *b)
{
	struct arena *arena = arena_new(0);
	struct looked *found = arena == NULL ? NULL : arena_array(arena, LOOK_MAX, sizeof *found);
	enum db_result rc = DB_DONE;
	size_t n = 0;

	if (found != NULL)
		rc = collect(b, arena, found, &n);
	for (size_t i = 0; rc == DB_DONE && !arena_failed(arena) && i < n; i++)
		rc = look_if_free(b, arena, &found[i]);
	if (rc == DB_DONE)
		rc = read_next(b);
	arena_free(&arena);
	return rc;
}

/* ---- from outside of the writer's thread */

void
backend_notify(void *backend, uint64_t near_percent, int64_t quiet)
{
	struct backend *b = backend;

	atomic_store(&b->near_percent, near_percent);
	atomic_store(&b->quiet_ms, quiet);
	usage_quiet(b->usage, quiet);
}
