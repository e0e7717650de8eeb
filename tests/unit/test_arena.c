/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Arenas: what was handed out stays apart and whole, the limit holds, and a
 * failure sticks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

#define PIECES 2000

static size_t
piece_size(size_t i)
{
	return i % 97 == 0 ? 5000 + i : i * 31 % 257;
}

/* Pieces of many sizes keep what was written into each, across blocks. */
static void
test_pieces(void **state)
{
	static unsigned char *pieces[PIECES];
	struct arena *a = arena_new(0);
	size_t sum = 0;

	(void)state;
	for (size_t i = 0; i < PIECES; i++) {
		pieces[i] = arena_alloc(a, piece_size(i));
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < piece_size(i); k++)
			assert_int_equal(pieces[i][k], 0);
		memset(pieces[i], (int)(i % 255) + 1, piece_size(i));
		sum += piece_size(i);
	}
	for (size_t i = 0; i < PIECES; i++)
		for (size_t k = 0; k < piece_size(i); k++)
			assert_int_equal(pieces[i][k], i % 255 + 1);
	assert_true(arena_used(a) >= sum && arena_used(a) <= sum + PIECES * _Alignof(max_align_t));
	assert_false(arena_failed(a));
	arena_free(&a);
	assert_null(a);
	arena_free(&a);
}

static void
test_limit(void **state)
{
	struct arena *a = arena_new(10240);

	(void)state;
	assert_non_null(arena_alloc(a, 4096));
	assert_non_null(arena_alloc(a, 6144));
	assert_int_equal(arena_used(a), 10240);
	assert_false(arena_failed(a));
	assert_null(arena_alloc(a, 1));
	assert_true(arena_failed(a));
	assert_int_equal(arena_used(a), 10240);
	arena_free(&a);
	a = arena_new(1000);
	assert_null(arena_alloc(a, 1001));
	assert_true(arena_failed(a));
	arena_free(&a);
}

/* What still fits is handed out, but the failure is remembered. */
static void
test_sticky(void **state)
{
	struct arena *a = arena_new(100);
	unsigned char *p;

	(void)state;
	assert_string_equal(arena_printf(a, "%200s", "x"), "");
	assert_true(arena_failed(a));
	assert_string_equal(arena_string(a, "fits"), "fits");
	assert_true(arena_failed(a));
	arena_reset(a);
	assert_false(arena_failed(a));
	assert_int_equal(arena_used(a), 0);
	p = arena_alloc(a, 96);
	assert_non_null(p);
	memset(p, 0xff, 96);
	arena_reset(a);
	p = arena_alloc(a, 96);
	assert_non_null(p);
	for (size_t i = 0; i < 96; i++)
		assert_int_equal(p[i], 0);
	arena_free(&a);
}

static void
test_failures(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	assert_null(arena_alloc(a, SIZE_MAX));
	assert_true(arena_failed(a));
	arena_reset(a);
	assert_null(arena_array(a, SIZE_MAX / 2, 3));
	assert_true(arena_failed(a));
	arena_reset(a);
	assert_null(arena_array(a, 3, SIZE_MAX / 2));
	assert_true(arena_failed(a));
	arena_reset(a);
	assert_string_equal(arena_substring(a, "x", SIZE_MAX), "");
	assert_true(arena_failed(a));
	arena_reset(a);
	assert_non_null(arena_array(a, 10, 16));
	assert_int_equal(arena_used(a), 160);
	assert_false(arena_failed(a));
	arena_free(&a);
}

/* A block of its own, first or later, is given back by arena_reset(). */
static void
test_reset(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	for (int i = 0; i < 3; i++) {
		char *big = arena_alloc(a, 100000);
		const char *small = arena_string(a, "small");

		memset(big, 'x', 100000);
		assert_string_equal(small, "small");
		memset(arena_alloc(a, 100000), 'y', 100000);
		assert_string_equal(arena_string(a, "after"), "after");
		assert_string_equal(small, "small");
		arena_reset(a);
		if (i == 1)
			assert_string_equal(arena_string(a, "first"), "first");
	}
	arena_free(&a);
}

static void
test_strings(void **state)
{
	struct arena *a = arena_new(0);
	char s[] = "Contoso";
	const char *copy = arena_string(a, s), *part = arena_substring(a, s, 3);
	const char *lower = arena_lower(a, s, 7);

	(void)state;
	s[0] = 'x';
	assert_string_equal(copy, "Contoso");
	assert_string_equal(part, "Con");
	assert_string_equal(lower, "contoso");
	assert_string_equal(arena_substring(a, s, 0), "");
	assert_string_equal(arena_lower(a, "AZ@[`{\xc3\x84\xc4 Az", 9), "az@[`{\xc3\x84\xc4");
	assert_memory_equal(arena_substring(a, "a\0b", 3), "a\0b", 4);
	assert_string_equal(arena_printf(a, "%s/%d", "crm", 12), "crm/12");
	assert_int_equal(strlen(arena_printf(a, "%9000s", "x")), 9000);
	assert_false(arena_failed(a));
	arena_free(&a);
	a = arena_new(8);
	assert_string_equal(arena_string(a, "a string of more octets"), "");
	assert_string_equal(arena_lower(a, "A string of more octets", 23), "");
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
