/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is reserved beside a limit: weighed in rows, in hints, and against a plain
 * list of events that shares no code with the store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/store.h"
#include "sql/usage.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])
#define MINUTE 60u

/* A charge to the budget of 100 a minute, with these reserves. */
static struct charge
budget(uint64_t amount, uint64_t kept, struct charge_reserve *reserves, size_t n)
{
	return (struct charge){
		.scope = "tenant:t", .unit = UNIT_EXTERNAL_RECIPIENTS, .period = MINUTE, .key = "", .name = "t/x",
		.count = 100, .amount = amount, .over = OVER_DEFER, .enforced = true, .kept = kept, .reserves = reserves,
		.n_reserves = n,
	};
}

static struct charge
tally(const char *key, uint64_t count, uint64_t amount)
{
	return (struct charge){
		.scope = "tenant:t", .unit = UNIT_EXTERNAL_RECIPIENTS, .period = MINUTE, .key = key, .name = "t/x-per-app",
		.count = count, .amount = amount, .over = OVER_OBSERVE, .enforced = true, .tally = true,
	};
}

/* Spends of the budget at a time, in the name of an app with a reserve where key is not NULL. */
static void
spend(struct rehearsal *r, const char *key, uint64_t amount, int64_t now)
{
	struct charge c[2] = {budget(amount, 0, NULL, 0), tally(key, 0, amount)};

	assert_int_equal(rehearsal_admit(r, c, key == NULL ? 1 : 2, now), 1);
}

static void
test_weighing(void **state)
{
	/* Spent: by others at 0 s, by the app that holds `reserve` at 10 s and at 20 s; weighed at 30 s. A slot is a
	 * second, and what is of the slot s falls out at s + 61. */
	static const struct {
		uint64_t others, first, second, reserve, kept, amount;
		uint64_t used, unspent;
		int64_t retry;          /* 0: it fits */
	} rows[] = {
		{0, 0, 0, 0, 0, 100, 0, 0, 0},
		{0, 0, 0, 40, 0, 60, 0, 40, 0},
		{0, 0, 0, 40, 0, 61, 0, 40, -1},
		{0, 0, 0, 40, 10, 50, 0, 40, 0},
		{0, 0, 0, 40, 10, 51, 0, 40, -1},
		{0, 0, 0, 200, 0, 1, 0, 200, -1},
		{60, 0, 0, 40, 0, 1, 60, 40, 31000},
		{50, 0, 0, 40, 0, 10, 50, 40, 0},
		/* What it has spent of its reserve is not held back a second time. */
		{50, 10, 10, 40, 0, 10, 70, 20, 0},
		{50, 10, 10, 40, 0, 11, 70, 20, 31000},
		{0, 30, 30, 40, 0, 40, 60, 0, 0},
		/* Beyond its reserve it has spent 20: with the slots of 10 s its reserve is held back again. */
		{0, 30, 30, 40, 0, 41, 60, 0, 41000},
		{0, 30, 30, 40, 0, 60, 60, 0, 41000},
		{0, 30, 30, 40, 0, 61, 60, 0, -1},
		{20, 40, 40, 40, 0, 60, 100, 0, 41000},
		{20, 40, 40, 40, 0, 20, 100, 0, 31000},
		/* All of it was of the reserve: that it falls out frees nothing. */
		{60, 20, 20, 40, 0, 60, 100, 0, 31000},
		{60, 20, 20, 40, 10, 50, 100, 0, 31000},
		{60, 20, 20, 40, 10, 51, 100, 0, -1},
		{1, 60, 39, 40, 0, 1, 100, 0, 31000},
		{1, 60, 39, 40, 0, 2, 100, 0, 41000},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct rehearsal *r = rehearsal_new();
		struct charge_reserve held = {.key = "app=b", .name = "t/x-per-app", .amount = rows[i].reserve};
		struct charge c = budget(rows[i].amount, rows[i].kept, &held, 1);

		spend(r, NULL, rows[i].others, 0);
		spend(r, "app=b", rows[i].first, 10000);
		spend(r, "app=b", rows[i].second, 20000);
		rehearsal_weigh(r, &c, 1, 30000);
		if (c.used != rows[i].used || held.unspent != rows[i].unspent || c.retry_ms != rows[i].retry ||
		    c.exceeded != (rows[i].retry != 0))
			fail_msg("row %zu: used %llu, unspent %llu, retry %lld", i, (unsigned long long)c.used,
				 (unsigned long long)held.unspent, (long long)c.retry_ms);
		assert_int_equal(rehearsal_admit(r, &c, 1, 30000), rows[i].retry == 0);
		rehearsal_free(&r);
	}
}

/* A message of one app under a limit of ten a minute that holds, at a time in seconds; whether it went. */
static bool
send_or_wait(struct rehearsal *r, const char *key, uint64_t amount, int64_t s)
{
	struct charge c = {.scope = "app:a", .unit = UNIT_MESSAGES, .period = MINUTE, .key = key, .name = "a/m", .count = 10,
		.amount = amount, .over = OVER_HOLD, .enforced = true};
	int rc = rehearsal_admit(r, &c, 1, s * 1000);

	assert_true(rc >= 0);
	if (rc == 0)
		assert_int_equal(rehearsal_wait(r, &c, 1, s * 1000), 0);
	return rc == 1;
}

/* What is held is not charged when it comes; it goes in its turn, is charged then, and nothing overtakes it. */
static void
test_waiting(void **state)
{
	struct rehearsal *r = rehearsal_new();
	struct charge c = {.scope = "app:a", .unit = UNIT_MESSAGES, .period = MINUTE, .key = "", .name = "a/m", .count = 10,
		.amount = 1, .over = OVER_OBSERVE, .enforced = true};

	(void)state;
	assert_true(send_or_wait(r, "", 4, 0));
	assert_true(send_or_wait(r, "", 6, 30));
	assert_false(send_or_wait(r, "", 5, 31));       /* fits at 91 s, when the 6 of 30 s fall out */
	assert_true(send_or_wait(r, "client=x", 5, 31)); /* another counter */
	assert_false(send_or_wait(r, "", 3, 40));       /* behind it */
	assert_false(send_or_wait(r, "", 1, 62));       /* would fit, and is behind both */
	rehearsal_weigh(r, &c, 1, 62000);
	assert_int_equal(c.used, 6);
	rehearsal_weigh(r, &c, 1, 90999);
	assert_int_equal(c.used, 6);
	rehearsal_weigh(r, &c, 1, 91000);
	assert_int_equal(c.used, 9);                    /* all three go at once */
	assert_true(send_or_wait(r, "", 1, 92));
	assert_false(send_or_wait(r, "", 11, 92));      /* never fits, and keeps nobody waiting */
	assert_false(send_or_wait(r, "", 9, 93));
	assert_true(send_or_wait(r, "", 1, 400));
	rehearsal_weigh(r, &c, 1, 400000);
	assert_int_equal(c.used, 1);                    /* what had waited went at 152 s, not now */
	assert_false(send_or_wait(r, "", 10, 400));
	assert_false(send_or_wait(r, "", 10, 401));
	rehearsal_weigh(r, &c, 1, 470000);
	assert_int_equal(c.used, 10);                   /* one went at 461 s, the other still waits */
	rehearsal_weigh(r, &c, 1, 521999);
	assert_int_equal(c.used, 10);
	rehearsal_weigh(r, &c, 1, 522001);
	assert_int_equal(c.used, 10);                   /* now that one */
	rehearsal_weigh(r, &c, 1, 700000);
	assert_int_equal(c.used, 0);
	rehearsal_free(&r);
}

/* A tally is never exceeded, whatever its reserve; nor do reserves of another limit count. */
static void
test_tally(void **state)
{
	struct rehearsal *r = rehearsal_new();
	struct charge_reserve held = {.key = "app=b", .name = "t/x-per-app", .amount = 40};
	struct charge c[2] = {budget(60, 0, NULL, 0), tally("app=b", 40, 60)}, d;

	(void)state;
	assert_int_equal(rehearsal_admit(r, c, 2, 0), 1);
	assert_int_equal(rehearsal_admit(r, c, 2, 0), 0);
	assert_true(c[0].exceeded);
	assert_false(c[1].exceeded);
	assert_int_equal(c[1].used, 60);
	d = budget(60, 0, &held, 1);
	d.period = 2 * MINUTE; /* its sibling is another */
	assert_int_equal(rehearsal_admit(r, &d, 1, 0), 1);
	assert_int_equal(held.unspent, 40);
	d.amount = 1;
	rehearsal_weigh(r, &d, 1, 0);
	assert_true(d.exceeded);
	rehearsal_free(&r);
}

/* Finds a counter and says that it was loaded with this use. */
static void
load(struct usage *u, const struct charge *c, uint64_t used)
{
	struct window w = {0};

	window_add(&w, 0, used);
	usage_load(u, usage_find(u, c), 1, &w, &(struct counter_state){0});
}

/* A hint never rests on what is not known, or known from before. */
static void
test_hints(void **state)
{
	struct usage *u = usage_new();
	struct charge_reserve held = {.key = "app=b", .name = "t/x-per-app", .amount = 40};
	struct charge c = budget(1, 0, &held, 1), sibling = charge_sibling(&c, 0);
	struct counter *k;

	(void)state;
	load(u, &c, 80);
	usage_keep(u, 0);
	usage_weigh(u, NULL, &c, 1, 0);
	assert_false(c.exceeded);       /* it is not there */
	assert_int_equal(held.unspent, 0);
	k = usage_find(u, &sibling);
	usage_weigh(u, NULL, &c, 1, 0);
	assert_false(c.exceeded);       /* not loaded */
	load(u, &sibling, 10);
	usage_weigh(u, NULL, &c, 1, 0);
	assert_true(c.exceeded);
	assert_int_equal(held.unspent, 30);
	usage_undo(u);                  /* the batch failed */
	usage_weigh(u, NULL, &c, 1, 0);
	assert_false(c.exceeded);
	load(u, &sibling, 10);
	usage_keep(u, 0);
	usage_detach(u);
	load(u, &c, 90);                /* the database has more by now, and of it what the sibling does not know */
	usage_keep(u, 0);
	usage_weigh(u, NULL, &c, 1, 0);
	assert_false(c.exceeded);
	load(u, &sibling, 20);
	usage_undo(u);                  /* nor is it known from a batch that failed */
	usage_weigh(u, NULL, &c, 1, 0);
	assert_false(c.exceeded);
	load(u, &sibling, 20);
	usage_keep(u, 0);
	usage_weigh(u, NULL, &c, 1, 0);
	assert_true(c.exceeded);
	assert_int_equal(held.unspent, 20);
	/* What is found for a charge is what it is weighed by. */
	k = usage_find(u, &c);
	usage_weigh(u, &k, &c, 1, 0);
	assert_true(c.exceeded);
	usage_keep(u, 0);
	usage_free(&u);
}

static void
test_sibling_found(void **state)
{
	struct usage *u = usage_new();
	struct charge_reserve held[2] = {{.key = "app=a", .name = "n", .amount = 4}, {.key = "app=b", .name = "n", .amount = 5}};
	struct charge c = budget(1, 0, held, 2), as;
	struct counter *k = usage_find_sibling(u, &c, 1, &as);

	(void)state;
	assert_non_null(k);
	assert_string_equal(as.key, "app=b");
	assert_string_equal(as.name, "n");
	assert_int_equal(as.count, 5);
	assert_true(as.tally && as.unit == c.unit && as.period == c.period && strcmp(as.scope, c.scope) == 0);
	assert_ptr_equal(k, usage_find(u, &as));
	assert_true(charge_is_tally_key(k->key) && !charge_is_tally_key("") && !charge_is_tally_key("client=app=b"));
	usage_keep(u, 0);
	usage_free(&u);
}

/* ---- random messages, and a plain list of what was admitted ---- */

#define APPS 5
#define EVENTS_MAX 20000

static struct event {
	int64_t time;
	int app;
	uint64_t amount;
} events[EVENTS_MAX];
static size_t n_events;
static uint64_t random_state = 88172645463325252u;

static uint64_t
chance(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

/* What an app (-1: all) has used in the last period, by whole seconds. */
static uint64_t
used_by(int app, int64_t now)
{
	uint64_t sum = 0;

	for (size_t i = n_events; i-- > 0 && events[i].time / 1000 >= now / 1000 - 60;)
		if (app < 0 || events[i].app == app)
			sum += events[i].amount;
	return sum;
}

struct world {
	uint64_t reserve[APPS]; /* 0: it holds none */
	bool critical[APPS];
	bool has_critical;
};

static uint64_t
held_from(const struct world *w, int app, int64_t now)
{
	uint64_t held = w->has_critical ? 10 : 0;

	if (w->critical[app])
		return 0;
	for (int i = 0; i < APPS; i++)
		if (i != app && w->reserve[i] > used_by(i, now))
			held += w->reserve[i] - used_by(i, now);
	return held;
}

static bool
fits(const struct world *w, int app, uint64_t amount, int64_t now)
{
	return used_by(-1, now) + amount + held_from(w, app, now) <= 100;
}

/* The charges of a message of an app; how many. */
static size_t
charges_of(const struct world *w, int app, uint64_t amount, struct charge *c, struct charge_reserve *reserves)
{
	static const char *const keys[APPS] = {"app=0", "app=1", "app=2", "app=3", "app=4"};
	size_t n = 0;

	for (int i = 0; i < APPS && !w->critical[app]; i++)
		if (i != app && w->reserve[i] > 0)
			reserves[n++] = (struct charge_reserve){.key = keys[i], .name = "x", .amount = w->reserve[i]};
	c[0] = budget(amount, w->has_critical && !w->critical[app] ? 10 : 0, reserves, n);
	c[1] = tally(keys[app], w->reserve[app], amount);
	return w->reserve[app] > 0 ? 2 : 1;
}

/* The moment that was said is the first at which it fits. */
static void
check_retry(const struct world *w, int app, const struct charge *c, int64_t now)
{
	if (c->retry_ms < 0) {
		for (int64_t t = now; t <= now + 62000; t += 1000)
			assert_false(fits(w, app, c->amount, t));
		return;
	}
	assert_true(c->retry_ms > 0);
	assert_true(fits(w, app, c->amount, now + c->retry_ms));
	assert_false(fits(w, app, c->amount, now + c->retry_ms - 1));
}

static struct world
random_world(void)
{
	struct world w = {{0}, {false}, false};
	uint64_t left = 90;

	for (int i = 0; i < APPS - 1; i++) {
		w.reserve[i] = chance(3) == 0 ? 0 : chance(left / 2);
		left -= w.reserve[i];
		w.critical[i] = chance(8) == 0;
		w.has_critical = w.has_critical || w.critical[i];
	}
	return w;
}

static void
one_message(struct rehearsal *r, const struct world *w, int64_t now, unsigned *taken, unsigned *refused)
{
	int app = (int)chance(APPS);
	uint64_t amount = 1 + chance(chance(4) == 0 ? 60 : 8), own = used_by(app, now);
	struct charge_reserve reserves[APPS];
	struct charge c[2];
	bool expected = fits(w, app, amount, now);
	int rc = rehearsal_admit(r, c, charges_of(w, app, amount, c, reserves), now);

	assert_int_equal(rc, expected);
	if (rc == 0) {
		++*refused;
		check_retry(w, app, c, now);
		/* What is reserved for it it gets, unless a critical app took it. */
		assert_true(w->has_critical || own + amount > w->reserve[app]);
		return;
	}
	++*taken;
	assert_true(n_events < EVENTS_MAX);
	events[n_events++] = (struct event){now, app, amount};
	assert_true(used_by(-1, now) <= 100);
}

static void
test_events(void **state)
{
	unsigned taken = 0, refused = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct rehearsal *r = rehearsal_new();
		struct world w = random_world();
		int64_t now = (int64_t)chance(100000) + 100000;

		n_events = 0;
		for (int i = 0; i < 100; i++) {
			now += (int64_t)(chance(10) == 0 ? chance(40000) : chance(3000));
			one_message(r, &w, now, &taken, &refused);
		}
		rehearsal_free(&r);
	}
	assert_true(taken > 5000 && refused > 5000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weighing),
		cmocka_unit_test(test_tally),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_sibling_found),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
