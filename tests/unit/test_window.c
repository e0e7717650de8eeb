/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Rolling windows: what counts at the borders, and how long to wait.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/window.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

static void
test_slot(void **state)
{
	static const struct {
		int64_t now;
		uint32_t period;
		int64_t slot;
	} rows[] = {
		{ 0, 60, 0 },          { 999, 60, 0 },           { 1000, 60, 1 },
		{ 59999, 60, 59 },     { 59999, 3600, 0 },       { 60000, 3600, 1 },
		{ 1439999, 86400, 0 }, { 1440000, 86400, 1 },    { 1700000000000, 60, 1700000000 },
		{ -1, 60, 0 },         { INT64_MIN, 86400, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_int_equal(window_slot(rows[i].now, rows[i].period), rows[i].slot);
}

/* Adds in slots; then what is used, seen from another slot. */
static void
test_used(void **state)
{
	static const struct {
		struct { int64_t slot; uint64_t amount; } add[3]; /* amount 0: no more */
		int64_t slot;
		uint64_t used;
	} rows[] = {
		{ { { 0, 0 } }, 0, 0 },
		{ { { 0, 0 } }, 1000, 0 },
		{ { { 0, 5 } }, 0, 5 },
		{ { { 0, 5 } }, 60, 5 },
		{ { { 0, 5 } }, 61, 0 },
		{ { { 100, 5 } }, 100, 5 },
		{ { { 100, 5 } }, 160, 5 },
		{ { { 100, 5 } }, 161, 0 },
		{ { { 100, 5 } }, 1000000, 0 },
		{ { { 100, 5 }, { 100, 2 } }, 100, 7 },
		{ { { 100, 5 }, { 160, 2 } }, 160, 7 },
		{ { { 100, 5 }, { 160, 2 } }, 161, 2 },
		{ { { 100, 5 }, { 161, 2 } }, 161, 2 },
		{ { { 100, 5 }, { 130, 3 }, { 161, 2 } }, 161, 5 },
		{ { { 100, 5 }, { 500, 2 } }, 500, 2 },
		{ { { 60, 5 }, { 61, 2 }, { 121, 1 } }, 121, 3 },
		/* A slot before the newest counts as the newest. */
		{ { { 100, 5 }, { 90, 3 } }, 150, 8 },
		{ { { 100, 5 }, { 90, 3 } }, 160, 8 },
		{ { { 100, 5 }, { 90, 3 } }, 161, 0 },
		{ { { 100, 5 } }, 99, 5 },
		{ { { 100, 5 } }, 0, 5 },
		/* Sums stop at the end of the numbers. */
		{ { { 100, UINT64_MAX }, { 100, 1 } }, 100, UINT64_MAX },
		{ { { 100, UINT64_MAX }, { 101, UINT64_MAX } }, 101, UINT64_MAX },
		{ { { 100, UINT64_MAX - 1 }, { 101, 1 } }, 101, UINT64_MAX },
		{ { { 100, UINT64_MAX }, { 101, 7 } }, 161, 7 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct window w = {0};
		uint64_t used;

		for (size_t k = 0; k < 3 && rows[i].add[k].amount > 0; k++)
			window_add(&w, rows[i].add[k].slot, rows[i].add[k].amount);
		used = window_used(&w, rows[i].slot);
		if (used != rows[i].used)
			fail_msg("row %zu: %llu", i, (unsigned long long)used);
		/* Forgetting is not seen. */
		window_advance(&w, rows[i].slot);
		assert_true(window_used(&w, rows[i].slot) == used);
	}
}

/* One unit in every slot: at most WINDOW_SPAN of them count, wherever the ring turns. */
static void
test_ring(void **state)
{
	struct window w = {0};

	(void)state;
	for (int64_t s = 0; s < 4 * WINDOW_SPAN; s++) {
		window_add(&w, s, 1);
		assert_int_equal(window_used(&w, s), s < WINDOW_SPAN ? s + 1 : WINDOW_SPAN);
	}
	for (int64_t k = 0; k <= WINDOW_SPAN; k++)
		assert_int_equal(window_used(&w, w.newest + k), WINDOW_SPAN - k);
}

static void
test_advance(void **state)
{
	struct window w = {0}, before;

	(void)state;
	for (int64_t s = 100; s < 161; s++)
		window_add(&w, s, 1);
	before = w;
	window_advance(&w, 160);
	window_advance(&w, 0);
	assert_memory_equal(&w, &before, sizeof w);
	window_advance(&w, 190);
	assert_int_equal(window_used(&w, 190), 31);
	window_advance(&w, 220);
	assert_int_equal(window_used(&w, 220), 1);
	window_advance(&w, 221);
	assert_int_equal(window_used(&w, 0), 0);
	window_advance(&w, INT64_MAX / 1000);
	assert_int_equal(window_used(&w, INT64_MAX / 1000), 0);
}

static void
test_wait(void **state)
{
	/* 4 units at 0 s, 6 at 30 s, of a window of a minute. */
	static const struct {
		int64_t now;
		uint64_t count, amount;
		int64_t wait;
	} rows[] = {
		{ 30000, 10, 11, -1 },
		{ 30000, 0, 1, -1 },
		{ 30000, 11, 1, 0 },
		{ 30000, 10, 0, 0 },
		{ 30000, 10, 1, 31000 },
		{ 30999, 10, 1, 30001 },
		{ 60999, 10, 1, 1 },
		{ 61000, 10, 1, 0 },
		{ 30000, 10, 4, 31000 },
		{ 30000, 10, 5, 61000 },
		{ 30000, 10, 10, 61000 },
		{ 61000, 10, 5, 30000 },
		{ 91000, 10, 10, 0 },
		{ 30000, 5, 0, 61000 },  /* the count was lowered */
		{ 30000, 6, 0, 31000 },
		{ 20000, 10, 1, 41000 }, /* the clock is behind */
		{ 20000, 11, 1, 0 },
	};
	struct window w = {0};

	(void)state;
	window_add(&w, 0, 4);
	window_add(&w, 30, 6);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		int64_t wait = window_wait(&w, rows[i].now, 60, rows[i].count, rows[i].amount);

		if (wait != rows[i].wait)
			fail_msg("row %zu: %lld", i, (long long)wait);
	}
	assert_int_equal(window_wait(&w, 30 * 60000, 3600, 10, 10), 61 * 60000);
	window_add(&w, 30, UINT64_MAX);
	assert_int_equal(window_wait(&w, 30000, 60, UINT64_MAX, 1), 61000);
	window_add(&w, 1000, 10);
	assert_int_equal(window_wait(&w, 0, 60, 10, 1), 1061000); /* the clock is far behind */
}

/* After the wait it fits, a millisecond before it does not. */
static void
test_wait_is_least(void **state)
{
	struct window w = {0};

	(void)state;
	for (int64_t s = 0; s < 120; s++)
		window_add(&w, s, (uint64_t)(s * 7 % 5));
	for (uint64_t amount = 1; amount <= 100; amount++) {
		int64_t now = 119500, wait = window_wait(&w, now, 60, 100, amount);

		assert_true(wait >= 0);
		assert_true(window_used(&w, window_slot(now + wait, 60)) + amount <= 100);
		if (wait > 0)
			assert_true(window_used(&w, window_slot(now + wait - 1, 60)) + amount > 100);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slot),
		cmocka_unit_test(test_used),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_advance),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_wait_is_least),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
