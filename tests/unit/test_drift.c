/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Drift: what is told of rows that a person can judge, and what holds for all: random
 * histories run week by week and day by day.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/drift.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])
#define DAY INT64_C(86400000)
#define NOW (INT64_C(20000) * DAY)

static uint64_t random_state = 88172645463325252u;

static double
chance(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (double)(random_state >> 11) / 9007199254740992.0;
}

static uint64_t
up_to(uint64_t n)
{
	return (uint64_t)(chance() * (double)(n + 1));
}

/* So many come where this many are expected, each by itself. */
static uint64_t
poisson(double mean)
{
	double p = chance(), limit = exp(-mean);
	uint64_t n = 0;

	if (mean > 60)
		return (uint64_t)(mean + sqrt(mean) * 1.7 * (chance() + chance() + chance() + chance() - 2));
	for (; p > limit; n++)
		p *= chance();
	return n;
}

static struct drift_ranges
ranges(bool is_daily, size_t n)
{
	struct drift_ranges r = {.is_daily = is_daily, .n = n};

	for (size_t i = 0; i < n + 2; i++)
		r.bound[i] = NOW - (int64_t)i * (is_daily ? DAY : 7 * DAY);
	return r;
}

static struct drift_app
app(const uint64_t *n, size_t count)
{
	struct drift_app a = {.name = "crm", .n_methods = 1};

	a.method[0].name = "connector";
	for (size_t i = 0; i < count; i++)
		a.sent[i] = a.tried[i] = a.method[0].n[i] = n[i];
	return a;
}

/* What is told of these weeks, the latest first, as words. */
static const char *
told(const struct drift_ranges *r, const struct drift_app *a, struct arena *arena)
{
	struct drift d[DRIFT_OF_APP];
	size_t n = drift_app(r, a, d);
	const char *s = "";

	for (size_t i = 0; i < n; i++)
		s = arena_printf(arena, "%s%s%s", s, i > 0 ? "; " : "", drift_text(&d[i], arena));
	return s;
}

static void
test_rows(void **state)
{
	static const struct {
		uint64_t n[9];
		const char *told;
	} rows[] = {
		{{4120, 400, 310, 520, 450, 380, 410, 390, 430}, "crm sent more: 4120 messages, in the 8 weeks before 310 to 520"},
		{{90, 400, 310, 520, 450, 380, 410, 390, 430}, "crm sent less: 90 messages, in the 8 weeks before 310 to 520"},
		{{600, 400, 310, 520, 450, 380, 410, 390, 430}, ""},
		{{0, 400, 310, 520, 450, 380, 410, 390, 430}, "crm fell silent: it sent nothing, in the 8 weeks before 310 to 520"},
		/* one wild week hides nothing, and says nothing */
		{{4120, 400, 9000, 520, 450, 380, 410, 390, 430}, "crm sent more: 4120 messages, in the 8 weeks before 380 to 520, all but 1 of them"},
		{{400, 400, 9000, 520, 450, 380, 410, 390, 430}, ""},
		/* what was so twice, or a month ago, is how it is */
		{{4120, 400, 9000, 520, 4500, 380, 410, 390, 430}, ""},
		{{4120, 400, 410, 520, 4200, 380, 410, 390, 430}, ""},
		{{4120, 400, 410, 520, 400, 4300, 410, 390, 430}, ""},
		/* what swings a lot may */
		{{1300, 100, 300, 500, 200, 700, 400, 900, 600}, ""},
		{{1600, 100, 300, 500, 200, 700, 400, 900, 600}, "crm sent more: 1600 messages, in the 8 weeks before 100 to 900"},
		/* a printer with three a week */
		{{0, 3, 2, 4, 3, 3, 1, 5, 3}, ""},
		{{14, 3, 2, 4, 3, 3, 1, 5, 3}, ""},
		{{24, 3, 2, 4, 3, 3, 1, 5, 3}, "crm sent more: 24 messages, in the 8 weeks before 1 to 5"},
		/* the job that mails once a week, always */
		{{0, 1, 1, 1, 1, 1, 1, 1, 1}, "crm fell silent: it sent nothing, in the 8 weeks before 1"},
		{{0, 1, 1, 0, 1, 1, 1, 1, 1}, ""},
		/* silent: told in the first week only */
		{{0, 0, 310, 520, 450, 380, 410, 390, 430}, ""},
		{{0, 0, 0, 0, 0, 0, 0, 0, 0}, ""},
		{{30, 0, 0, 0, 0, 0, 0, 0, 0}, "crm sends again: 30 messages, none in the 8 weeks before"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct arena *arena = arena_new(0);
		struct drift_ranges r = ranges(false, 8);
		struct drift_app a = app(rows[i].n, 9);

		assert_string_equal(told(&r, &a, arena), rows[i].told);
		arena_free(&arena);
	}
}

static void
test_too_little_is_known(void **state)
{
	const uint64_t n[] = {4120, 400, 310, 520, 450, 380, 410, 390, 430};
	struct arena *arena = arena_new(0);
	struct drift_ranges r = ranges(false, 8);
	struct drift_app a = app(n, 9);

	(void)state;
	a.first = r.bound[5]; /* four whole weeks */
	assert_string_equal(told(&r, &a, arena), "crm sent more: 4120 messages, in the 4 weeks before 310 to 520");
	a.first++;
	assert_string_equal(told(&r, &a, arena), "");
	a.first = 0;
	r.known_since = r.bound[5] + 1; /* pruned is not silent */
	assert_string_equal(told(&r, &a, arena), "");
	r.known_since = r.bound[5];
	assert_string_equal(told(&r, &a, arena), "crm sent more: 4120 messages, in the 4 weeks before 310 to 520");
	arena_free(&arena);
}

static void
test_new(void **state)
{
	const uint64_t n[] = {14, 0, 0, 0, 0, 0, 0, 0, 0};
	struct arena *arena = arena_new(0);
	struct drift_ranges r = ranges(false, 8);
	struct drift_app a = app(n, 9);

	(void)state;
	a.first = r.bound[1] + 3600000;
	assert_string_equal(told(&r, &a, arena), "crm is new: 14 messages, the first at 2024-09-27T01:00:00Z");
	r.began = r.bound[1] - 7 * DAY;
	assert_string_not_equal(told(&r, &a, arena), "");
	r.began++; /* the first week after the installation: everything would be new */
	assert_string_equal(told(&r, &a, arena), "");
	/* an app that was there, but only since then, is not "back" */
	a.first = r.bound[2];
	assert_string_equal(told(&r, &a, arena), "");
	arena_free(&arena);
}

static void
test_method(void **state)
{
	const uint64_t n[] = {215, 210, 0, 200, 220, 210, 200, 210, 220};
	struct arena *arena = arena_new(0);
	struct drift_ranges r = ranges(false, 8);
	struct drift_app a = app(n, 9);

	(void)state;
	a.n_methods = 2;
	a.method[1] = (struct drift_method){.name = "direct-send", .n = {210}};
	a.method[0].n[0] = 5;
	assert_string_equal(told(&r, &a, arena), "crm sends by direct-send now (210 of 215 messages), before by connector");
	a.method[1].n[1] = 1; /* that was told then */
	assert_string_equal(told(&r, &a, arena), "");
	a.method[1].n[1] = a.method[0].n[1] = 0; /* nothing that week: the one before counts */
	a.method[1].n[2] = 0;
	assert_string_equal(told(&r, &a, arena), "crm sends by direct-send now (210 of 215 messages), before by connector");
	arena_free(&arena);
}

static void
test_weekdays(void **state)
{
	struct arena *arena = arena_new(0);
	struct drift_ranges r = ranges(true, 56);
	uint64_t n[57];
	struct drift_app a;

	(void)state;
	for (size_t i = 0; i < 57; i++)
		n[i] = i % 7 == 0 ? 900 : i % 7 == 1 || i % 7 == 2 ? 0 : 100; /* today is the busy day */
	a = app(n, 57);
	assert_string_equal(told(&r, &a, arena), "");
	a.sent[0] = a.tried[0] = 100;
	assert_string_equal(told(&r, &a, arena), "crm sent less: 100 messages, on the 8 same weekdays before 900");
	a.sent[0] = a.tried[0] = 0;
	assert_string_equal(told(&r, &a, arena), "crm fell silent: it sent nothing, on the 8 same weekdays before 900");
	a.first = r.bound[15]; /* fourteen whole days: any day counts */
	a.sent[0] = a.tried[0] = 2000;
	assert_string_equal(told(&r, &a, arena), "crm sent more: 2000 messages, in the 14 days before 100, all but 6 of them");
	arena_free(&arena);
}

/* ---- what holds for all */

/* n[0] is the last range of a history, which is told about as each of its ranges comes. */
static int
count_told(bool is_daily, const uint64_t *history, size_t length, int kind)
{
	struct drift_ranges r = ranges(is_daily, is_daily ? 56 : 8);
	int n = 0;

	for (size_t end = length - 1; end < length; end--) {
		size_t before = length - 1 - end; /* ranges that there are */
		struct drift d[DRIFT_OF_APP];
		struct drift_app a = app(history + end, r.n < before ? r.n + 1 : before + 1);
		size_t told;

		a.first = r.bound[(before < r.n + 1 ? before : r.n) + 1];
		r.began = 0;
		told = drift_app(&r, &a, d);
		assert_true(told <= DRIFT_OF_APP);
		for (size_t i = 0; i < told; i++)
			n += kind < 0 ? d[i].kind != DRIFT_NEW_APP : (int)d[i].kind == kind;
	}
	return n;
}

#define WEEKS 200

static void
test_no_wolf(void **state)
{
	static const double means[] = {0.3, 1, 3, 10, 40, 400, 5000};
	uint64_t h[WEEKS];

	(void)state;
	for (size_t m = 0; m < LENGTH(means); m++) {
		int n = 0;

		for (int run = 0; run < 20; run++) {
			for (size_t i = 0; i < WEEKS; i++)
				h[i] = poisson(means[m]);
			n += count_told(false, h, WEEKS, -1);
		}
		if (n > 2) /* of 4000 weeks */
			fail_msg("of %g a week: told %d times of nothing", means[m], n);
	}
}

/* Thousands of printers, each with a few a day: whoever sends nothing today is not told of. */
static void
test_no_wolf_of_many(void **state)
{
	uint64_t h[100];
	int n = 0;

	(void)state;
	for (int run = 0; run < 4000; run++) {
		for (size_t i = 0; i < LENGTH(h); i++)
			h[i] = i == 0 ? 0 : poisson(3 + run % 5); /* and today all of them */
		n += count_told(true, h, 60, DRIFT_SILENT_APP);
	}
	if (n > 60) /* of 236,000 days, 4000 of them silent on purpose */
		fail_msg("told %d times of nothing", n);
}

/* Office hours: much on some weekdays, nothing at weekends, holidays now and then. */
static void
test_no_wolf_by_day(void **state)
{
	uint64_t h[400];
	int n = 0;

	(void)state;
	for (int run = 0; run < 10; run++) {
		for (size_t i = 0; i < LENGTH(h); i++)
			h[i] = i % 7 < 2 ? 0 : poisson(i % 7 == 3 ? 900 : 150);
		n += count_told(true, h, LENGTH(h), -1);
	}
	if (n > 4) /* of 4000 days */
		fail_msg("told %d times of nothing", n);
}

static void
test_small_numbers_are_no_volume(void **state)
{
	uint64_t h[60];

	(void)state;
	for (int run = 0; run < 300; run++) {
		for (size_t i = 0; i < LENGTH(h); i++)
			h[i] = up_to(20);
		assert_int_equal(count_told(run % 2, h, LENGTH(h), DRIFT_MORE), 0);
		assert_int_equal(count_told(run % 2, h, LENGTH(h), DRIFT_LESS), 0);
	}
}

/* Silence is told exactly once, whatever the days of the week, and never before. */
static void
test_silence_once(void **state)
{
	uint64_t h[200];

	(void)state;
	for (int run = 0; run < 60; run++) {
		bool is_daily = run % 2 == 1;
		size_t gone = is_daily ? 1 + up_to(40) : 1 + up_to(5);

		for (size_t i = 0; i < LENGTH(h); i++)
			h[i] = i < gone || (is_daily && (i - gone) % 7 < 2) ? 0 : 50 + up_to(30);
		assert_int_equal(count_told(is_daily, h, LENGTH(h), DRIFT_SILENT_APP), 1);
		h[0] = 50; /* and it came back */
		assert_true(count_told(is_daily, h, LENGTH(h), DRIFT_SILENT_APP) <= 1);
	}
}

/* A change that stays is told at most twice, a jump and back once. */
static void
test_a_step_is_told_twice_at_most(void **state)
{
	uint64_t h[60];

	(void)state;
	for (int run = 0; run < 100; run++) {
		size_t at = 1 + up_to(30);
		int n;

		for (size_t i = 0; i < LENGTH(h); i++)
			h[i] = (i < at ? 4000 : 400) + up_to(40);
		n = count_told(false, h, LENGTH(h), DRIFT_MORE);
		assert_in_range(n, 1, 2);
		for (size_t i = 0; i < LENGTH(h); i++)
			h[i] = (i == at ? 4000 : 400) + up_to(40);
		assert_int_equal(count_told(false, h, LENGTH(h), DRIFT_MORE), 1);
		assert_int_equal(count_told(false, h, LENGTH(h), DRIFT_LESS), 0);
	}
}

/* Up to three of eight weeks may be anything; the others decide. The order is of no account but for the weeks of a month ago. */
static void
test_outliers_do_not_decide(void **state)
{
	static const size_t free_places[] = {1, 2, 3, 6, 7, 8};
	struct arena *arena = arena_new(0);

	(void)state;
	for (int run = 0; run < 2000; run++) {
		struct drift_ranges r = ranges(false, 8);
		uint64_t n[9];
		struct drift d[DRIFT_OF_APP];
		struct drift_app a;

		for (size_t i = 0; i < 9; i++)
			n[i] = 1000;
		n[free_places[up_to(5)]] = up_to(100000000);
		n[free_places[up_to(5)]] = up_to(1000);
		n[free_places[up_to(5)]] = 0;
		a = app(n, 9);
		assert_int_equal(drift_app(&r, &a, d), 0);
		a.sent[0] = a.tried[0] = 1000000000;
		assert_int_equal(drift_app(&r, &a, d), 1);
		assert_int_equal(d[0].kind, DRIFT_MORE);
		assert_true(d[0].low <= 1000 && d[0].high >= 1000 && d[0].values == 8);
	}
	arena_free(&arena);
}

static void
test_nothing_is_new_in_the_first_week(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (int run = 0; run < 2000; run++) {
		bool is_daily = run % 2;
		struct drift_ranges r = ranges(is_daily, is_daily ? 56 : 8);
		struct drift_app a = {.name = "crm"};
		struct drift_name name = {.name = "a@contoso.com", .n = {5}, .first_id = "M1"};
		struct drift d[DRIFT_OF_APP + DRIFT_OF_NAMES];
		struct drift_names names;

		r.began = r.known_since = r.bound[1] - 7 * DAY + 1 + (int64_t)up_to(14 * (uint64_t)DAY);
		a.first = r.began + (int64_t)up_to((uint64_t)DAY);
		if (a.first >= r.bound[0])
			continue;
		a.sent[0] = a.tried[0] = up_to(100000);
		assert_int_equal(drift_app(&r, &a, d), 0);
		for (int client = 0; client < 2; client++) {
			drift_names_begin(&names, &r, &a, client);
			drift_names_add(&names, &name, arena);
			assert_int_equal(drift_names_end(&names, d), 0);
		}
	}
	arena_free(&arena);
}

static void
test_names(void **state)
{
	struct arena *arena = arena_new(0);
	struct drift_ranges r = ranges(false, 8);
	const uint64_t sent[] = {100, 100, 100, 100, 100, 100, 100, 100, 100};
	struct drift_app a = app(sent, 9);
	struct drift d[DRIFT_OF_NAMES];
	struct drift_names names;

	(void)state;
	drift_names_begin(&names, &r, &a, false);
	for (uint64_t i = 0; i < 10; i++) {
		char who[20];
		struct drift_name n = {.name = who, .n = {1 + (i * 7) % 10}, .first = NOW - DAY, .first_id = "M1"};

		snprintf(who, sizeof who, "s%d@contoso.com", (int)i);
		drift_names_add(&names, &n, arena);
		n.n[8] = 1; /* known */
		drift_names_add(&names, &n, arena);
	}
	assert_int_equal(drift_names_end(&names, d), 4);
	assert_string_equal(drift_text(&d[0], arena), "crm sends as s7@contoso.com, not seen in the 8 weeks before: 10 messages, the first at 2024-10-03T00:00:00Z");
	assert_string_equal(d[0].id, "M1");
	assert_int_equal(d[1].now, 9);
	assert_int_equal(d[2].now, 8);
	assert_string_equal(drift_text(&d[3], arena), "crm has 7 more new senders");
	/* as many new ones in the week before: that is how it is */
	for (int i = 0; i < 5; i++) {
		const struct drift_name n = {.name = "x", .n = {0, 3}, .first_id = ""};

		drift_names_add(&names, &n, arena);
	}
	assert_int_equal(drift_names_end(&names, d), 0);
	/* clients fall silent, senders do not; where the app did, it is told of that */
	for (int client = 0; client < 2; client++) {
		const struct drift_name n = {.name = "10.1.2.3", .n = {0, 40, 50, 40, 60, 50, 40, 50, 40}, .first_id = ""};

		drift_names_begin(&names, &r, &a, client);
		drift_names_add(&names, &n, arena);
		assert_int_equal(drift_names_end(&names, d), client);
	}
	assert_string_equal(drift_text(&d[0], arena), "10.1.2.3 of crm fell silent: nothing, in the 8 weeks before 40 to 60");
	a.tried[0] = 0;
	assert_int_equal(drift_names_end(&names, d), 0);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_too_little_is_known), cmocka_unit_test(test_new),
		cmocka_unit_test(test_method), cmocka_unit_test(test_weekdays), cmocka_unit_test(test_no_wolf),
		cmocka_unit_test(test_no_wolf_by_day), cmocka_unit_test(test_no_wolf_of_many), cmocka_unit_test(test_small_numbers_are_no_volume),
		cmocka_unit_test(test_silence_once), cmocka_unit_test(test_a_step_is_told_twice_at_most),
		cmocka_unit_test(test_outliers_do_not_decide), cmocka_unit_test(test_nothing_is_new_in_the_first_week),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
