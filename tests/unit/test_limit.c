/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Limits as they are written: names, columns of errors, the tenant's rate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/limit.h"

static const struct {
	const char *in;
	const char *name;       /* NULL: an error */
	uint64_t count;
	uint32_t period;
	size_t column;
} rows[] = {
	{ "30 messages/minute", "crm/messages-per-minute", 30, 60, 0 },
	{ "1 message/hour", "crm/messages-per-hour", 1, 3600, 0 },
	{ "500M bytes/day", "crm/bytes-per-day", 524288000, 86400, 0 },
	{ "5 recipients/15 minutes per sender then hold",
	  "crm/recipients-per-15-minutes-per-sender", 5, 900, 0 },
	{ "x messages/minute", NULL, 0, 0, 1 },
	{ "0 messages/hour", NULL, 0, 0, 1 },
	{ "5M messages/hour", NULL, 0, 0, 1 },
	{ "tenant-rate external-recipients/day", NULL, 0, 0, 1 },
	{ "10 tenant-rate/day", NULL, 0, 0, 4 },
	{ "30 mesages/minute", NULL, 0, 0, 4 },
	{ "30 messages", NULL, 0, 0, 12 },
	{ "30 messages/fortnight", NULL, 0, 0, 13 },
	{ "30 messages/hour per planet", NULL, 0, 0, 22 },
	{ "30 messages/hour then boom", NULL, 0, 0, 23 },
	{ "3 messages/hour per app per app", NULL, 0, 0, 25 },
};

static void
test_grammar(void **state)
{
	struct arena *a = arena_new(1u << 20);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct limit l;
		size_t column = 0;
		const char *error = "";
		int rc = limit_parse(a, rows[i].in, "app:crm", NULL, &l, &column, &error);

		if ((rc == 0) != (rows[i].name != NULL) || column != rows[i].column)
			fail_msg("\"%s\": column %zu %s", rows[i].in, column, error);
		if (rc == 0) {
			assert_string_equal(l.name, rows[i].name);
			assert_true(l.count == rows[i].count && l.period == rows[i].period);
		}
	}
	arena_free(&a);
}

/* 2026-10-30, and days since 1970 beside it. */
#define CREATED 20756

static void
test_tenant_rate(void **state)
{
	static const struct {
		struct tenant_rate rate;
		int64_t day;
		uint64_t expected, most;
	} rates[] = {
		{ { .licenses = 1 }, 0, 10000, 10000 },
		{ { .licenses = 2 }, 0, 10312, 10312 },
		{ { .licenses = 10 }, -1, 12006, 12006 },
		{ { .licenses = 25 }, CREATED, 14259, 14259 },
		{ { .licenses = 500 }, CREATED, 48248, 48248 },
		{ { .licenses = 1000 }, 0, 72446, 72446 },
		{ { .licenses = 10000 }, 0, 324979, 324979 },
		{ { .licenses = 100000 }, 0, 1590639, 1590639 },
		{ { .licenses = 0 }, 0, 0, 0 },
		{ { .created = CREATED }, CREATED, 0, 0 },
		/* Young ones; of 12006 a tenth is 1200.6, a quarter 3001.5. */
		{ { .licenses = 10, .created = CREATED }, -1, 1200, 12006 },
		{ { .licenses = 10, .created = CREATED }, CREATED - 1, 1200, 12006 },
		{ { .licenses = 10, .created = CREATED }, CREATED, 1200, 12006 },
		{ { .licenses = 10, .created = CREATED }, CREATED + 30, 1200, 12006 },
		{ { .licenses = 10, .created = CREATED }, CREATED + 31, 3001, 12006 },
		{ { .licenses = 10, .created = CREATED }, CREATED + 60, 3001, 12006 },
		{ { .licenses = 10, .created = CREATED }, CREATED + 61, 12006, 12006 },
		{ { .licenses = 10, .created = CREATED }, INT64_MAX, 12006, 12006 },
		/* Trials. */
		{ { .is_trial = true }, 0, 500, 5000 },
		{ { .is_trial = true, .licenses = 1000, .created = CREATED }, CREATED, 500, 5000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		uint64_t rate = budget_rate(&rates[i].rate, rates[i].day);

		if (rate != rates[i].expected || budget_rate_most(&rates[i].rate) != rates[i].most)
			fail_msg("row %zu: %llu", i, (unsigned long long)rate);
		assert_int_equal(budget_is_known(&rates[i].rate), rates[i].expected > 0);
	}
}

static void
test_count_of_the_day(void **state)
{
	static const struct tenant_rate rate = { .licenses = 1, .created = CREATED }, none = { 0 };
	struct arena *a = arena_new(1u << 20);
	const char *error = "";
	struct limit l;
	size_t column;

	(void)state;
	assert_int_equal(limit_parse(a, "tenant-rate external-recipients/day", "tenant:t", &rate, &l, &column, &error), 0);
	assert_int_equal(l.count, 10000);
	assert_int_equal(limit_count(&l, CREATED), 1000);
	assert_int_equal(limit_count(&l, CREATED + 61), 10000);
	assert_int_equal(limit_parse(a, "700 external-recipients/day", "tenant:t", &rate, &l, &column, &error), 0);
	assert_int_equal(limit_count(&l, CREATED), 700);
	assert_int_equal(limit_parse(a, "tenant-rate external-recipients/day", "tenant:t", &none, &l, &column, &error), -1);
	assert_non_null(strstr(error, "\"trial: yes\""));
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_tenant_rate),
		cmocka_unit_test(test_count_of_the_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
