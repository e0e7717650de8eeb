/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What happens to limits is told once, and what operators do to one counter is done
 * to that one, once, for as long as it should last: the contract of the backends.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sql/db.h"
#include "sql/operator.h"
#include "sql/store.h"
#include "tests/lib/postgres.h"

#define HOUR 3600000

static _Atomic int64_t passed;
static int64_t skew;
static char url[600];
static char directory[] = "/tmp/postern-limits-XXXXXX";

static int64_t began; /* the wall's time then: views go by it */
static int64_t get_wall(void *c) { (void)c; return began + passed; }
static int64_t get_boot(void *c) { (void)c; return 1000000 + passed; }
static const char *get_name(void *c) { (void)c; return "boot"; }
static void get_chance(void *c, uint8_t *buf, size_t len) { (void)c; clock_system()->random(NULL, buf, len); }
static const struct clock test_clock = { get_wall, get_boot, get_name, get_chance, NULL };

static struct store *
open_relay(const char *relay)
{
	struct store_options o = { .url = url, .relay = relay, .clock = &test_clock, .server_skew = &skew };
	char error[600] = "";
	struct store *s = store_open(&o, error, sizeof error);

	if (s == NULL)
		fail_msg("%s", error);
	return s;
}

static struct store *
open_store(void)
{
	return open_relay("r");
}

/* Time passes, in which the store tends what nobody waits for. */
static void
pass(int64_t ms)
{
	const struct timespec tick = { .tv_nsec = 20000000 };

	for (int i = 0; i < 60; i++) {
		int64_t step = i == 0 && ms > 600 ? ms - 590 : 10;

		passed += step;
		skew += step;
		nanosleep(&tick, NULL);
	}
}

static int64_t
number(const char *sql)
{
	const char *error;
	struct db *db = db_open(url, DB_READ, 5000, &error, NULL, 0);
	int64_t n = db == NULL ? -1 : db_number(db, sql);

	db_close(&db);
	return n;
}

static const char *
text(const char *sql)
{
	static char value[300];
	const char *error;
	struct db *db = db_open(url, DB_READ, 5000, &error, NULL, 0);
	struct db_query *q = db == NULL ? NULL : db_prepare(db, sql);

	value[0] = '\0';
	if (q != NULL && db_step(q) == DB_ROW)
		snprintf(value, sizeof value, "%s", db_text(q, 0));
	db_finalize(&q);
	db_close(&db);
	return value;
}

/* A limit of ten messages a minute; each test has an app of its own. */
struct limited {
	const char *app, *key;
	enum over over;
	bool is_monitored;
	uint32_t period;
};

static struct charge
charge_of(const struct limited *l, uint64_t amount)
{
	static char scope[4][40], name[4][60];
	static int next;
	int i = next++ % 4;

	snprintf(scope[i], sizeof scope[0], "app:%s", l->app);
	snprintf(name[i], sizeof name[0], "%s/messages-per-minute", l->app);
	return (struct charge){
		.scope = scope[i], .unit = UNIT_MESSAGES, .period = l->period == 0 ? 60 : l->period,
		.key = l->key == NULL ? "" : l->key, .name = name[i], .count = 10, .amount = amount, .over = l->over,
		.enforced = !l->is_monitored,
	};
}

static void
settle(struct admit *a, bool stopped)
{
	a->held = stopped && a->charges[0].over == OVER_HOLD;
	a->record->verdict = a->held ? "hold" : stopped ? "defer" : "accept";
}

static bool
admit(struct store *s, const struct limited *l, uint64_t amount)
{
	static _Atomic int n;
	char id[40];
	struct record r = { .id = id, .time = get_wall(NULL), .relay = "r", .queue_id = "", .stage = "eom", .app = l->app,
		.tenant = "t", .verdict = "accept", .would = "accept", .mode = "enforce", .reason = "",
		.sender = "s@x", .client = "10.0.0.1" };
	struct charge c = charge_of(l, amount);
	struct admit a = { .record = &r, .charges = &c, .n_charges = 1, .settle = settle };
	const char *error = NULL;

	snprintf(id, sizeof id, "%s-%d", l->app, n++);
	if (store_admit(s, &a, &error) != 0)
		fail_msg("%s: %s", id, error);
	return a.charged;
}

static int64_t
events(const char *app, const char *kind)
{
	char sql[200];

	snprintf(sql, sizeof sql, "SELECT count(*) FROM events WHERE app = '%s' AND kind LIKE '%s'", app, kind);
	return number(sql);
}

/* Near, reached by the first refusal alone, free again when what was refused fits; each once, over
 * restarts; and anew when the quiet time is over. */
static void
events_come_once(void **state)
{
	const struct limited l = { .app = "once", .over = OVER_DEFER };
	struct store *s = open_store();

	(void)state;
	assert_true(admit(s, &l, 7));
	assert_int_equal(events("once", "%"), 0);
	assert_true(admit(s, &l, 1));
	assert_int_equal(events("once", "near"), 1);
	assert_int_equal(number("SELECT used FROM events WHERE app = 'once' AND kind = 'near'"), 8);
	assert_true(admit(s, &l, 2));
	assert_int_equal(events("once", "reached"), 0);
	store_close(&s);
	s = open_store();
	assert_false(admit(s, &l, 3));
	assert_false(admit(s, &l, 1));
	store_close(&s);
	s = open_store();
	assert_false(admit(s, &l, 1));
	assert_int_equal(events("once", "reached"), 1);
	assert_string_equal(text("SELECT message_id FROM events WHERE kind = 'reached' AND app = 'once'"),
			    text("SELECT id FROM messages WHERE app = 'once' AND verdict = 'defer' ORDER BY time, id LIMIT 1"));
	pass(30000);
	assert_int_equal(events("once", "freed"), 0);
	store_close(&s);
	pass(32000);
	assert_int_equal(events("once", "freed"), 0);
	s = open_store();
	pass(1000);
	assert_int_equal(events("once", "freed"), 1);
	assert_string_equal(text("SELECT tenant FROM events WHERE kind = 'freed' AND app = 'once'"), "t");
	/* Within the hour it is not told again. */
	assert_true(admit(s, &l, 9));
	assert_false(admit(s, &l, 3));
	pass(62000);
	assert_int_equal(events("once", "%"), 3);
	pass(HOUR);
	assert_int_equal(events("once", "%"), 3);
	assert_true(admit(s, &l, 9));
	assert_false(admit(s, &l, 3));
	assert_int_equal(events("once", "%"), 5);
	store_close(&s);
}

/* What is refused before its end is told as well, with the id of the refusal; what could never
 * fit did not reach the limit. */
static void
early_refusals_are_told(void **state)
{
	const struct limited l = { .app = "early", .over = OVER_DEFER };
	struct store *s = open_store();
	struct charge c = charge_of(&l, 1);

	(void)state;
	assert_true(admit(s, &l, 10));
	store_peek(s, &c, 1);
	assert_true(charge_stops(&c));
	assert_false(c.is_told);
	for (int i = 0; i < 3; i++)
		store_reached(s, &c, 1, i == 0 ? "REFUSAL" : "later", "early", "t");
	pass(1000);
	assert_int_equal(events("early", "reached"), 1);
	assert_string_equal(text("SELECT message_id FROM events WHERE kind = 'reached' AND app = 'early'"), "REFUSAL");
	store_peek(s, &c, 1);
	assert_true(c.is_told);
	store_reached(s, &c, 1, "later", "early", "t");
	pass(61000);
	assert_int_equal(events("early", "freed"), 1);
	store_close(&s);
	pass(2 * HOUR);
	s = open_store();
	c = charge_of(&l, 11);
	store_peek(s, &c, 1);
	assert_true(charge_stops(&c));
	store_reached(s, &c, 1, "too large", "early", "t");
	assert_false(admit(s, &l, 11));
	pass(1000);
	assert_int_equal(events("early", "reached"), 1);
	store_close(&s);
}

/* What was refused is long gone when it is told; nothing of it is asked for then. */
static void
early_refusals_are_copied(void **state)
{
	const struct limited l = { .app = "gone", .over = OVER_DEFER };
	struct charge_reserve *reserve = calloc(1, sizeof *reserve);
	struct store *s = open_store();
	struct charge c = charge_of(&l, 1);
	char key[] = "app=billing", name[] = "gone/x-per-app";

	(void)state;
	assert_non_null(reserve);
	assert_true(admit(s, &l, 9));
	*reserve = (struct charge_reserve){ .key = key, .name = name, .amount = 1, .unspent = 1 };
	c.reserves = reserve;
	c.n_reserves = 1;
	c.exceeded = true;
	store_reached(s, &c, 1, "REFUSAL", "gone", "t");
	memset(key, 'x', sizeof key - 1);
	free(reserve);
	pass(1000);
	assert_int_equal(events("gone", "reached"), 1);
	assert_int_equal(number("SELECT need FROM limits WHERE scope = 'app:gone' AND key = ''"), 2);
	store_close(&s);
	pass(2 * HOUR);
}

/* Observed and monitored limits say so; a limit that holds is reached by what it holds. */
static void
events_say_how(void **state)
{
	const struct limited watched = { .app = "watched", .over = OVER_OBSERVE };
	const struct limited tried = { .app = "tried", .over = OVER_REJECT, .is_monitored = true };
	const struct limited holds = { .app = "holds", .over = OVER_HOLD };
	struct store *s = open_store();

	(void)state;
	assert_true(admit(s, &watched, 9));
	assert_true(admit(s, &watched, 3));
	assert_int_equal(number("SELECT used FROM events WHERE app = 'watched' AND kind = 'reached' AND over = 0"), 12);
	assert_true(admit(s, &tried, 11));
	assert_int_equal(number("SELECT used FROM events WHERE app = 'tried' AND kind = 'reached' AND mode = 'monitor'"
				" AND over = 3"), 11);
	assert_int_equal(events("tried", "near"), 0);
	assert_true(admit(s, &holds, 10));
	assert_false(admit(s, &holds, 4));
	assert_int_equal(number("SELECT used FROM events WHERE app = 'holds' AND kind = 'reached' AND over = 1"), 10);
	/* It went when there was room, and nobody waits any more: now the limit is free. */
	pass(62000);
	assert_int_equal(number("SELECT count(*) FROM held WHERE app = 'holds' AND state = 'granted'"), 1);
	pass(3000);
	assert_int_equal(events("holds", "freed"), 1);
	assert_int_equal(events("watched", "freed"), 1);
	assert_string_equal(text("SELECT mode FROM events WHERE app = 'tried' AND kind = 'freed'"), "monitor");
	store_close(&s);
}

/* A limit with a counter for each of many keys: some are told, then once that there are more. */
static void
keys_do_not_flood(void **state)
{
	struct limited l = { .app = "flood", .over = OVER_DEFER };
	struct store *s = open_store();
	char key[40];

	(void)state;
	pass(60000 - (1000000 + passed) % 60000);
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof key, "sender=s%d@x", i);
		l.key = key;
		assert_true(admit(s, &l, 9));
		assert_false(admit(s, &l, 9));
	}
	assert_int_equal(events("flood", "near") + events("flood", "reached"), 10);
	assert_int_equal(events("flood", "more"), 1);
	assert_string_equal(text("SELECT key FROM events WHERE app = 'flood' AND kind = 'more'"), "");
	pass(70000);
	/* Only what was told to be reached is told to be free. */
	assert_int_equal(events("flood", "freed"), events("flood", "reached"));
	assert_int_equal(events("flood", "more"), 1);
	store_close(&s);
}

static void
shares_and_quiet_are_set(void **state)
{
	const struct limited l = { .app = "set", .over = OVER_DEFER };
	struct store *s = open_store();

	(void)state;
	store_notify(s, 50, 1000);
	assert_true(admit(s, &l, 5));
	assert_int_equal(events("set", "near"), 1);
	pass(62000);
	assert_true(admit(s, &l, 5));
	assert_int_equal(events("set", "near"), 2);
	assert_true(admit(s, &l, 1));
	assert_int_equal(events("set", "near"), 2); /* it was near already */
	store_close(&s);
	store_notify(s = open_store(), 100, 1000);
	pass(62000);
	assert_true(admit(s, &l, 9));
	assert_int_equal(events("set", "near"), 2);
	assert_true(admit(s, &l, 1));
	assert_int_equal(events("set", "near"), 3);
	store_close(&s);
}

/* ---- what operators do */

static void
ask_for(struct operator_request *r)
{
	char error[600];
	struct operator *o = operator_open(url, error, sizeof error);
	const char *why = "";

	if (o == NULL)
		fail_msg("%s", error);
	if (operator_add(o, &test_clock, r, 1, &why) != 0)
		fail_msg("%s", why);
	operator_close(&o);
}

/* Asks, and waits until it is done. */
static const char *
act(const struct limited *l, const char *what, int64_t amount, int64_t until)
{
	struct charge c = charge_of(l, 0);
	struct operator_request r = {
		.who = "ann", .what = what, .limit_name = c.name, .key = c.key, .scope = c.scope,
		.unit = (int64_t)c.unit, .period = c.period, .amount = amount, .until = until,
	};
	char sql[200];

	ask_for(&r);
	snprintf(sql, sizeof sql, "SELECT result FROM acts WHERE id = '%s'", r.id);
	for (int i = 0; i < 10 && text(sql)[0] == '\0'; i++)
		pass(1000);
	return text(sql);
}

static uint64_t
peek_count(struct store *s, const struct limited *l)
{
	struct charge c = charge_of(l, 1);

	store_peek(s, &c, 1);
	return charge_count(&c);
}

static void
reset_empties_one_counter(void **state)
{
	const struct limited a = { .app = "reset", .key = "sender=a@x", .over = OVER_DEFER };
	const struct limited b = { .app = "reset", .key = "sender=b@x", .over = OVER_DEFER };
	struct store *s = open_store();

	(void)state;
	assert_true(admit(s, &a, 10));
	assert_true(admit(s, &b, 10));
	assert_false(admit(s, &a, 1));
	assert_string_equal(act(&a, "reset", 0, 0), "done: 10 had been used");
	assert_int_equal(events("reset", "freed"), 1);
	assert_false(admit(s, &b, 1));
	assert_true(admit(s, &a, 10));
	assert_false(admit(s, &a, 1));
	store_close(&s);
	s = open_store();
	assert_false(admit(s, &a, 1)); /* it is done once */
	assert_string_equal(text("SELECT who FROM acts WHERE what = 'reset'"), "ann");
	assert_string_equal(act(&(struct limited){ .app = "never" }, "reset", 0, 0), "done: 0 had been used");
	store_close(&s);
	pass(70000);
}

/* With a tenant's budget what its apps spent of their reserves is reset, too: otherwise others
 * could spend the reserves. */
static void
reset_empties_reserves(void **state)
{
	struct record r = { .id = "reserve", .time = get_wall(NULL), .relay = "r", .queue_id = "", .stage = "eom",
		.app = "billing", .verdict = "accept", .would = "accept", .mode = "enforce", .reason = "" };
	struct charge_reserve reserve = { .key = "app=billing", .name = "budget/x-per-app", .amount = 4 };
	struct charge c[] = {
		{ .scope = "tenant:budget", .unit = UNIT_MESSAGES, .period = 60, .key = "", .name = "budget/messages-per-minute",
		  .count = 10, .amount = 4, .over = OVER_DEFER, .enforced = true },
		{ .scope = "tenant:budget", .unit = UNIT_MESSAGES, .period = 60, .key = "app=billing", .name = "budget/x-per-app",
		  .count = 4, .amount = 4, .over = OVER_OBSERVE, .enforced = true, .tally = true },
	};
	struct admit a = { .record = &r, .charges = c, .n_charges = 2 };
	struct operator_request reset = { .who = "ann", .what = "reset", .limit_name = c[0].name, .key = "",
		.scope = c[0].scope, .period = 60 };
	struct store *s = open_store();
	const char *error = "";

	(void)state;
	assert_int_equal(store_admit(s, &a, &error), 0);
	ask_for(&reset);
	pass(2000);
	assert_string_equal(text("SELECT result FROM acts WHERE limit_name LIKE 'budget/%'"), "done: 4 had been used");
	c[0].reserves = &reserve;
	c[0].n_reserves = 1;
	c[0].amount = 5;
	r.id = "others";
	a.n_charges = 1;
	assert_int_equal(store_admit(s, &a, &error), 0);
	assert_true(a.charged);
	c[0].amount = 3;
	r.id = "others again";
	assert_int_equal(store_admit(s, &a, &error), 0);
	assert_false(a.charged);
	assert_int_equal(reserve.unspent, 4);
	assert_int_equal(events("billing", "reached"), 1);
	/* It is free when what was refused fits beside the reserve. */
	assert_int_equal(number("SELECT need FROM limits WHERE scope = 'tenant:budget' AND key = ''"), 7);
	store_close(&s);
	pass(70000);
}

/* A boost counts in every weighing, survives a restart, ends by itself, and is of one key. */
static void
boost_adds_for_a_time(void **state)
{
	const struct limited a = { .app = "boost", .key = "client=10.0.0.1", .over = OVER_DEFER };
	const struct limited b = { .app = "boost", .key = "client=10.0.0.2", .over = OVER_DEFER };
	struct store *s = open_store();

	(void)state;
	assert_true(admit(s, &a, 10));
	assert_true(admit(s, &b, 10));
	assert_non_null(strstr(act(&a, "boost", 5, get_wall(NULL) + 200000), "done: 5 more until 20"));
	assert_int_equal(peek_count(s, &a), 15);
	assert_false(admit(s, &a, 6));
	assert_false(admit(s, &b, 1));
	store_close(&s);
	s = open_store();
	assert_int_equal(peek_count(s, &a), 15); /* before anything is charged */
	assert_true(admit(s, &a, 5));
	assert_false(admit(s, &a, 1));
	assert_int_equal(number("SELECT max(count) FROM charges WHERE key = 'client=10.0.0.1'"), 15);
	assert_int_equal(number("SELECT count FROM limits WHERE key = 'client=10.0.0.1'"), 10);
	pass(70000);
	assert_true(admit(s, &a, 15));
	pass(140000);
	assert_int_equal(peek_count(s, &a), 10);
	assert_false(admit(s, &a, 11));
	assert_true(admit(s, &a, 10));
	store_close(&s);
	pass(70000);
}

static void
boosts_replace_and_end(void **state)
{
	const struct limited l = { .app = "again", .over = OVER_DEFER };
	struct store *s = open_store();

	(void)state;
	/* Before the limit ever counted. */
	(void)act(&l, "boost", 5, get_wall(NULL) + HOUR);
	assert_non_null(strstr(act(&l, "boost", 90, get_wall(NULL) + HOUR), "done: 90 more until "));
	assert_non_null(strstr(text("SELECT result FROM acts WHERE amount = 90"), ", instead of 5 until "));
	assert_string_equal(text("SELECT who FROM limit_boosts WHERE name LIKE 'again/%' AND boost = 90 AND unit = 'messages'"
				 " AND until - since > 3590000"), "ann");
	assert_int_equal(number("SELECT count + boost FROM limit_usage WHERE name LIKE 'again/%'"), 90); /* never charged so far */
	assert_true(admit(s, &l, 100));
	assert_int_equal(number("SELECT count + boost FROM limit_usage WHERE name LIKE 'again/%'"), 100);
	assert_int_equal(number("SELECT count(*) FROM limit_events WHERE app = 'again' AND kind = 'near' AND over = 'defer'"
				" AND unit = 'messages' AND mode = 'enforce' AND boost = 90"), 1);
	assert_int_equal(number("SELECT boost FROM events WHERE app = 'again'"), 90);
	assert_string_equal(act(&l, "unboost", 0, 0), "done: 90 fewer");
	assert_int_equal(number("SELECT count(*) FROM limit_boosts WHERE name LIKE 'again/%'"), 0);
	assert_int_equal(number("SELECT count(*) FROM limit_acts WHERE name LIKE 'again/%' AND who = 'ann'"
				" AND (what = 'unboost' OR until_at > at)"), 3);
	assert_string_equal(act(&l, "unboost", 0, 0), "refused: it has no boost");
	assert_false(admit(s, &l, 1));
	assert_string_equal(act(&l, "boost", 5, get_wall(NULL) - 1), "refused: its time is over");
	assert_string_equal(act(&l, "boost", 0, get_wall(NULL) + HOUR), "refused: it would add nothing");
	(void)act(&l, "boost", INT64_MAX, get_wall(NULL) + HOUR);
	assert_true(admit(s, &l, 1));
	assert_string_equal(act(&(struct limited){ .app = "again", .period = 30 }, "reset", 0, 0), "refused: no limit is named");
	store_close(&s);
}

/* The MTA was told of all that was granted: only then more is. */
static void
release_granted(void)
{
	char id[80];

	for (int i = 0; i < 20 && number("SELECT count(*) FROM held WHERE state = 'granted'") > 0; i++) {
		struct operator_request r = { .what = "released", .message_id = id };

		snprintf(id, sizeof id, "%s", text("SELECT message_id FROM held WHERE state = 'granted' LIMIT 1"));
		ask_for(&r);
		pass(1000);
	}
}

/* What waits for room that a boost or a reset makes goes. */
static void
held_mail_sees_it(void **state)
{
	const struct limited a = { .app = "heldboost", .over = OVER_HOLD, .period = 3600 };
	const struct limited b = { .app = "heldreset", .over = OVER_HOLD, .period = 3600 };
	struct store *s = open_store();

	(void)state;
	release_granted();
	assert_true(admit(s, &a, 10));
	assert_true(admit(s, &b, 10));
	assert_false(admit(s, &a, 4));
	assert_false(admit(s, &b, 4));
	pass(5000);
	assert_int_equal(number("SELECT count(*) FROM held WHERE app LIKE 'held%' AND state = 'granted'"), 0);
	(void)act(&a, "boost", 4, get_wall(NULL) + HOUR);
	pass(1000);
	assert_int_equal(number("SELECT count(*) FROM held WHERE app = 'heldboost' AND state = 'granted'"), 1);
	assert_int_equal(number("SELECT count(*) FROM held WHERE app = 'heldreset' AND state = 'granted'"), 0);
	(void)act(&b, "reset", 0, 0);
	pass(1000);
	assert_int_equal(number("SELECT count(*) FROM held WHERE app = 'heldreset' AND state = 'granted'"), 1);
	store_close(&s);
}

/* A counter that is boosted or was told of is not forgotten before its time. */
static void
pruning_spares_boosts(void **state)
{
	const struct limited l = { .app = "pruned", .over = OVER_DEFER };
	struct store *s = open_store();

	(void)state;
	store_notify(s, 80, 1000);
	store_keep(s, 86400000);
	(void)act(&l, "boost", 5, get_wall(NULL) + 2 * HOUR);
	pass(HOUR);
	for (int i = 0; i < 5; i++)
		pass(1000);
	assert_int_equal(number("SELECT boost FROM limits WHERE scope = 'app:pruned'"), 5);
	pass(HOUR);
	for (int i = 0; i < 20 && number("SELECT count(*) FROM limits WHERE scope = 'app:pruned'") > 0; i++)
		pass(2000);
	assert_int_equal(number("SELECT count(*) FROM limits WHERE scope = 'app:pruned'"), 0);
	store_close(&s);
}

/* ---- readers */

struct seen {
	int n;
	char names[400];
	uint64_t used, boost, waiting;
	int64_t until;
};

static int
see_counter(void *context, const struct store_counter *c)
{
	struct seen *seen = context;

	if (strcmp(c->scope, "app:read") != 0)
		return 0;
	seen->n++;
	seen->used = window_used(&c->window, window_slot(c->now_ms, c->period));
	seen->boost = c->boost;
	seen->until = c->boost_until;
	seen->waiting = c->waiting;
	assert_int_equal(c->count, 10);
	return 0;
}

static int
see_spender(void *context, const char *who, uint64_t amount)
{
	struct seen *seen = context;

	snprintf(seen->names + strlen(seen->names), sizeof seen->names - strlen(seen->names), "%s=%llu ", who,
		 (unsigned long long)amount);
	return 0;
}

static int
see_boost(void *context, const struct store_boost *b)
{
	struct seen *seen = context;

	seen->n++;
	if (strcmp(b->scope, "app:read") == 0)
		snprintf(seen->names, sizeof seen->names, "%s %s", b->name, b->who);
	return 0;
}

static int
see_event(void *context, const struct store_event *e)
{
	struct seen *seen = context;

	snprintf(seen->names + strlen(seen->names), sizeof seen->names - strlen(seen->names), "%s:%llu/%llu ", e->kind,
		 (unsigned long long)e->used, (unsigned long long)(e->count + e->boost));
	seen->until = e->number;
	return strcmp(e->kind, "near") == 0 ? 0 : 7;
}

static void
readers_tell_all(void **state)
{
	const struct limited l = { .app = "read", .over = OVER_HOLD, .period = 3600 };
	struct store *s = open_store();
	struct store_spent what = { .name = "read/messages-per-minute", .key = "", .app = "", .by = STORE_BY_APP, .max = 5 };
	struct store_reader *r;
	struct seen seen = { 0 };
	char error[600];
	const char *why = "";
	int64_t until = get_wall(NULL) + HOUR, before = number("SELECT max(number) FROM events");

	(void)state;
	assert_true(admit(s, &l, 8));
	assert_true(admit(s, &l, 1));
	assert_false(admit(s, &l, 7));
	(void)act(&l, "boost", 2, until);
	r = store_reader_open(url, error, sizeof error);
	if (r == NULL)
		fail_msg("%s", error);
	assert_int_equal(store_reader_counters(r, &test_clock, see_counter, &seen, &why), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.used, 9);
	assert_int_equal(seen.boost, 2);
	assert_int_equal(seen.waiting, 1);
	assert_in_range(seen.until, until - 1000, until + 1000);
	assert_int_equal(store_reader_spenders(r, &what, see_spender, &seen, &why), 0);
	assert_string_equal(seen.names, "read=9 ");
	what.by = STORE_BY_SENDER;
	what.app = "read";
	seen.names[0] = '\0';
	assert_int_equal(store_reader_spenders(r, &what, see_spender, &seen, &why), 0);
	assert_string_equal(seen.names, "s@x=9 ");
	what.since = get_wall(NULL) + 1;
	seen.names[0] = '\0';
	assert_int_equal(store_reader_spenders(r, &what, see_spender, &seen, &why), 0);
	assert_string_equal(seen.names, "");
	seen.n = 0;
	assert_int_equal(store_reader_boosts(r, &test_clock, see_boost, &seen, &why), 0);
	assert_true(seen.n >= 1);
	assert_string_equal(seen.names, "read/messages-per-minute ann");
	seen.names[0] = '\0';
	assert_int_equal(store_reader_events(r, "", before, see_event, &seen, &why), 7);
	assert_string_equal(seen.names, "near:8/10 reached:9/10 ");
	assert_int_equal(store_reader_events(r, "", seen.until, see_event, &seen, &why), 0);
	assert_int_equal(store_reader_events(r, "other", 0, see_event, &seen, &why), 0);
	assert_int_equal(store_reader_last_event(r), number("SELECT max(number) FROM events"));
	store_reader_close(&r);
	store_close(&s);
}

/* ---- two relays */

/* What one relay does holds on the other, also for what that thinks it knows. */
static void
relays_share_acts(void **state)
{
	const struct limited l = { .app = "shared", .over = OVER_DEFER, .period = 3600 };
	struct store *a = open_relay("a"), *b = open_relay("b");
	struct charge c;

	(void)state;
	assert_true(admit(a, &l, 5));
	assert_true(admit(b, &l, 5));
	assert_false(admit(a, &l, 1));
	assert_false(admit(b, &l, 1));
	assert_int_equal(events("shared", "reached"), 1);
	assert_string_equal(act(&l, "reset", 0, 0), "done: 10 had been used");
	pass(2000);
	assert_int_equal(number("SELECT count(*) FROM acts WHERE what = 'reset' AND limit_name LIKE 'shared/%'"), 1);
	c = charge_of(&l, 10);
	store_peek(a, &c, 1);
	assert_false(c.exceeded);
	c = charge_of(&l, 10);
	store_peek(b, &c, 1);
	assert_false(c.exceeded);
	assert_true(admit(b, &l, 10));
	assert_false(admit(a, &l, 1));
	(void)act(&l, "boost", 2, get_wall(NULL) + HOUR);
	pass(2000);
	assert_true(admit(a, &l, 1));
	assert_true(admit(b, &l, 1));
	assert_false(admit(b, &l, 1));
	assert_int_equal(events("shared", "freed"), 1);
	store_close(&a);
	store_close(&b);
}

static void
clean_up(void)
{
	static const char *const names[] = { "", ".lock", "-wal", "-shm", "-operator", "-operator-journal" };
	char path[700];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s%s", url + strlen("sqlite:"), names[i]);
		unlink(path);
	}
	rmdir(directory);
}

static const struct CMUnitTest all[] = {
	cmocka_unit_test(events_come_once),
	cmocka_unit_test(early_refusals_are_told),
	cmocka_unit_test(early_refusals_are_copied),
	cmocka_unit_test(events_say_how),
	cmocka_unit_test(keys_do_not_flood),
	cmocka_unit_test(shares_and_quiet_are_set),
	cmocka_unit_test(reset_empties_one_counter),
	cmocka_unit_test(reset_empties_reserves),
	cmocka_unit_test(boost_adds_for_a_time),
	cmocka_unit_test(boosts_replace_and_end),
	cmocka_unit_test(held_mail_sees_it),
	cmocka_unit_test(pruning_spares_boosts),
};
static const struct CMUnitTest sqlite[] = {
	cmocka_unit_test(readers_tell_all),
};
static const struct CMUnitTest postgres[] = {
	cmocka_unit_test(relays_share_acts),
};

int
main(void)
{
	int rc;

	began = clock_system()->wall_ms(NULL);
	if (postgres_is_there()) {
		char *fresh = postgres_fresh();

		snprintf(url, sizeof url, "%s", fresh);
		free(fresh);
		rc = cmocka_run_group_tests_name("postgresql", all, NULL, NULL);
		return rc + cmocka_run_group_tests_name("postgresql only", postgres, NULL, NULL);
	}
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(url, sizeof url, "sqlite:%s/audit.db", directory);
	rc = cmocka_run_group_tests_name("sqlite", all, NULL, NULL);
	rc += cmocka_run_group_tests_name("sqlite only", sqlite, NULL, NULL);
	clean_up();
	return rc;
}
