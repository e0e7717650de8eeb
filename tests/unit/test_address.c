/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Paths and mailboxes: what is read, and the column where certainty ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/address.h"

struct row {
	const char *in;
	const char *text;       /* NULL: an error */
	size_t column;
};

static const struct row paths[] = {
	{ "<crm@contoso.com>", "crm@contoso.com", 0 },
	{ "crm@CONTOSO.com", "crm@contoso.com", 0 },
	{ "<\"a b\"@contoso.com>", "\"a b\"@contoso.com", 0 },
	{ "<\"crm\"@contoso.com>", NULL, 2 },
	{ "<a@b.com", NULL, 9 },
	{ "a@b.com>", NULL, 8 },
	{ "<@x.com:a@b.com>", NULL, 2 },
	{ "<a..b@c.com>", NULL, 4 },
	{ "<a.@c.com>", NULL, 4 },
	{ "<a b@c.com>", NULL, 3 },
	{ "<a>", NULL, 3 },
	{ "", NULL, 1 },
};

static const struct row mailboxes[] = {
	{ " CRM <crm@contoso.com>", "crm@contoso.com", 0 },
	{ "crm@contoso.com (CRM)", "crm@contoso.com", 0 },
	{ "\"A, B\"\r\n <crm@contoso.com>", "crm@contoso.com", 0 },
	{ "a@b.com, c@d.com", NULL, 8 },
	{ "Team: a@b.com;", NULL, 5 },
	{ "A <a@b.com> x", NULL, 13 },
	{ "a@b.com <c@d.com>", NULL, 9 },
	{ "A <>", NULL, 4 },
	{ "", NULL, 1 },
};

static void
check_row(const struct row *row, int rc, const struct address *r, const struct address_error *e)
{
	if ((rc == 0) != (row->text != NULL))
		fail_msg("\"%s\": %s", row->in, rc == 0 ? r->text : e->what);
	if (rc == 0)
		assert_string_equal(r->text, row->text);
	else if (e->column != row->column)
		fail_msg("\"%s\": column %zu, not %zu", row->in, e->column, row->column);
}

static void
test_paths(void **state)
{
	struct arena *a = arena_new(1u << 20);

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct address r;
		struct address_error e = { 0, "", "" };

		check_row(&paths[i], address_parse_path(a, paths[i].in, false, &r, &e), &r, &e);
	}
	arena_free(&a);
}

static void
test_mailboxes(void **state)
{
	struct arena *a = arena_new(1u << 20);

	(void)state;
	for (size_t i = 0; i < sizeof mailboxes / sizeof mailboxes[0]; i++) {
		struct mailbox r;
		struct address_error e = { 0, "", "" };

		check_row(&mailboxes[i], address_parse_mailbox(a, mailboxes[i].in, &r, &e), &r.address, &e);
	}
	arena_free(&a);
}

/* 60 kB of one thing are an error, and soon. */
static void
test_long(void **state)
{
	static const char *const units[] = { "(", "\"", ",", "<", "a." };
	static char s[60001];

	(void)state;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		struct arena *a = arena_new(1u << 20);
		struct mailbox m;
		struct address r;
		struct address_error e;

		for (size_t k = 0; k < sizeof s - 1; k++)
			s[k] = units[i][k % strlen(units[i])];
		assert_int_equal(address_parse_mailbox(a, s, &m, &e), -1);
		assert_int_equal(address_parse_path(a, s, false, &r, &e), -1);
		arena_free(&a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_mailboxes),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
