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
		int rc = limit_parse(a, rows[i].in, "app:crm", 0, &l, &column, &error);

		if ((rc == 0) != (rows[i].name != NULL) || column != rows[i].column)
			fail_msg("\"%s\": column %zu %s", rows[i].in, column, error);
		if (rc == 0) {
			assert_string_equal(l.name, rows[i].name);
			assert_true(l.count == rows[i].count && l.period == rows[i].period);
		}
	}
	arena_free(&a);
}

static void
test_tenant_rate(void **state)
{
	static const uint64_t rates[][2] = {
		{ 1, 10000 }, { 10, 12006 }, { 25, 14259 }, { 1000, 72446 }, { 10000, 324979 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
		assert_int_equal(limit_tenant_rate(rates[i][0]), rates[i][1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_tenant_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
