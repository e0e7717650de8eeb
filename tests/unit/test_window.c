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
	for (size_t i = 0; i < LENGTH(rows); i++) {
		assert_int_equal(window_slot(rows[i].now, rows[i].period), rows[i].slot);
		assert_int_equal(window_slot(window_start(rows[i].slot, rows[i].period), rows[i].period), rows[i].slot);
	}
	assert_int_equal(window_start(1700000000, 60), 1700000000000);
	assert_int_equal(window_start(2, 86400), 2 * 24 * 60000);
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

static void
test_forecast(void **state)
{
	/* A window of a minute; the present time is 100 s, 100.5 s or 200 s. */
	static const struct {
		struct { int64_t slot; uint64_t amount; } add[2];
		int64_t now;
		uint64_t count;
		int64_t spent;
	} rows[] = {
		{ { { 0, 0 } }, 100000, 10, -1 },                /* nothing is used */
		{ { { 95, 10 } }, 100000, 10, 0 },
		{ { { 95, 11 } }, 100000, 10, 0 },
		{ { { 40, 10 } }, 100000, 10, 0 },               /* still counts */
		{ { { 39, 10 } }, 100000, 10, -1 },
		{ { { 94, 10 } }, 100000, 11, -1 },              /* before the last twelfth: no pace */
		{ { { 95, 10 } }, 100000, 20, 5000 },            /* 10 in 5 s: 10 more in 5 s */
		{ { { 100, 11 } }, 100500, 22, 5500 },           /* 11 in 5.5 s */
		{ { { 95, 10 } }, 100000, 21, 5500 },
		{ { { 95, 3 } }, 100000, 4, 1667 },              /* rounded up */
		{ { { 40, 90 }, { 95, 10 } }, 100000, 101, 500 },
		{ { { 40, 90 }, { 95, 10 } }, 100000, 103, 46500 }, /* the 90 fall out at 101 s */
		{ { { 95, 5 } }, 100000, 60, 55000 },            /* one a second; its 5 fall out at 156 s */
		{ { { 95, 5 } }, 100000, 61, -1 },               /* and after 61 slots 61 are not quite reached */
		{ { { 100, 5 } }, 100000, 62, 57000 },           /* its 5 fall out at 161 s */
		{ { { 100, 5 } }, 100000, 65, 60000 },
		{ { { 100, 5 } }, 100000, 66, -1 },              /* 61 slots of that pace are 61 */
		{ { { 100, 5 } }, 99000, 10, 6000 },             /* the clock is behind */
		{ { { 95, 10 } }, 200000, 11, -1 },
		{ { { 95, UINT64_MAX } }, 100000, UINT64_MAX, 0 },
		{ { { 95, UINT64_MAX - 1 } }, 100000, UINT64_MAX, 1 },
		{ { { 95, 1 } }, 100000, UINT64_MAX, -1 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct window w = {0};
		int64_t spent;

		for (size_t k = 0; k < 2 && rows[i].add[k].amount > 0; k++)
			window_add(&w, rows[i].add[k].slot, rows[i].add[k].amount);
		spent = window_forecast(&w, rows[i].now, 60, rows[i].count);
		if (spent != rows[i].spent)
			fail_msg("row %zu: %lld", i, (long long)spent);
	}
}

/* The same, millisecond by millisecond: the use of each slot from the first on. */
#define SIMULATED 400

static int64_t
simulate(double *used, int64_t now, double count)
{
	int64_t began = (now / 1000 - 5) * 1000;
	double pace = 0, before = 0;

	for (int64_t s = now / 1000 - 5; s <= now / 1000; s++)
		pace += used[s];
	pace /= (double)(now - began);
	for (int64_t t = now; t < (SIMULATED - 1) * 1000; t++) {
		int64_t slot = t / 1000;

		if (t == now || t % 1000 == 0) {
			before = 0;
			for (int64_t s = slot - 60; s < slot; s++)
				before += used[s];
		}
		if (before + used[slot] >= count - 1e-6)
			return t - now;
		used[slot] += pace;
	}
	return -1;
}

static void
test_forecast_is_what_comes(void **state)
{
	unsigned x = 1, never = 0, later = 0;

	(void)state;
	for (int round = 0; round < 400; round++) {
		double used[SIMULATED] = {0};
		struct window w = {0};
		int64_t now, forecast, came;
		uint64_t count;

		for (int64_t s = 100; s <= 161; s++) {
			x = x * 1664525u + 1013904223u;
			if (x >> 30 == 0 || s > 150) {
				window_add(&w, s, x >> 20 & 31);
				used[s] = x >> 20 & 31;
			}
		}
		x = x * 1664525u + 1013904223u;
		now = 161000 + (x >> 16) % 1000;
		count = window_used(&w, 161) + 1 + (x >> 8) % 900;
		forecast = window_forecast(&w, now, 60, count);
		came = simulate(used, now, (double)count);
		if ((forecast < 0) != (came < 0) || forecast - came > 1 || came - forecast > 1)
			fail_msg("round %d: %lld, but it came at %lld", round, (long long)forecast, (long long)came);
		never += came < 0;
		later += came > 0;
	}
	assert_true(never > 50 && later > 50);
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
		cmocka_unit_test(test_forecast),
		cmocka_unit_test(test_forecast_is_what_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
