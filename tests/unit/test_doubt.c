/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Refusals in doubt, against a database that is one number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "sql/doubt.h"

static uint64_t state;

static uint64_t
chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

/* Counts are written in transactions that succeed, fail, or are in doubt and did either; what was not
 * known to be written comes again. In the end each was counted once. */
static void
each_is_counted_once(void **unused)
{
	static const char *const ids[] = { "a", "b", "c" };
	uint64_t there[3] = {0}, counted[3] = {0}, waiting[3] = {0};
	struct doubt *d = doubt_new();

	(void)unused;
	assert_non_null(d);
	for (int step = 0; step < 20000; step++) {
		struct refusal facts[3];
		struct refusal_delta deltas[3];
		uint64_t written[3] = {0};
		size_t n = 0;
		int outcome = (int)chance(5);
		bool recurs = chance(6) != 0;            /* a report does not come again once it is there */

		for (int i = 0; i < 3; i++) {
			uint64_t more = chance(4);

			counted[i] += more;
			waiting[i] += more;
			if (waiting[i] == 0)
				continue;
			facts[n] = (struct refusal){ .id = ids[i], .reason = "r", .stage = "s" };
			deltas[n] = (struct refusal_delta){ &facts[n], waiting[i], 0 };
			written[i] = doubt_left(d, &deltas[n++]);
		}
		for (int i = 0; i < 3; i++)
			there[i] += outcome < 3 ? written[i] : 0;
		for (int i = 0; i < 3; i++)
			waiting[i] = outcome < 2 || (!recurs && outcome == 2) ? 0 : waiting[i];
		if (outcome < 2) {
			doubt_keep(d);
		} else if (outcome == 4) {
			doubt_undo(d);
		} else {
			if (recurs)
				doubt_open(d, deltas, n);
			doubt_settle(d, outcome == 2);
		}
	}
	for (int i = 0; i < 3; i++) {
		struct refusal facts = { .id = ids[i], .reason = "r", .stage = "s" };
		const struct refusal_delta last = { &facts, waiting[i], 0 };

		there[i] += doubt_left(d, &last);
		assert_int_equal(there[i], counted[i]);
	}
	doubt_keep(d);
	doubt_free(&d);
}

/* Another reason or stage is another count. */
static void
kinds_are_apart(void **unused)
{
	struct refusal a = { .id = "1", .reason = "r", .stage = "s" }, b = { .id = "1", .reason = "q", .stage = "s" },
		c = { .id = "1", .reason = "r", .stage = "t" };
	const struct refusal_delta da = { &a, 5, 0 }, db = { &b, 5, 0 }, dc = { &c, 5, 0 };
	struct doubt *d = doubt_new();

	(void)unused;
	assert_non_null(d);
	assert_int_equal(doubt_left(d, &da), 5);
	doubt_open(d, &da, 1);
	doubt_settle(d, true);
	assert_int_equal(doubt_left(d, &db), 5);
	assert_int_equal(doubt_left(d, &dc), 5);
	assert_int_equal(doubt_left(d, &da), 0);
	doubt_undo(d);
	assert_int_equal(doubt_left(d, &da), 0);
	doubt_keep(d);
	assert_int_equal(doubt_left(d, &da), 5);
	doubt_free(&d);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_counted_once),
		cmocka_unit_test(kinds_are_apart),
	};
	const char *seed = getenv("SEED");

	state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) * 2654435761u + 1;
	printf("SEED=%llu\n", (unsigned long long)state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
