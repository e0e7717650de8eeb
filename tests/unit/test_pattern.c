/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Patterns of senders: the columns of errors, and which addresses match.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/address.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])
#define A16 "aaaaaaaaaaaaaaaa"

static void
test_parse(void **state)
{
	static const struct {
		const char *in;
		const char *local;      /* NULL: an error */
		const char *domain;
		bool has_star;
		bool any_subdomain;
		size_t column;
	} rows[] = {
		{ "crm@contoso.com", "crm", "contoso.com", false, false, 0 },
		{ "CRM@Contoso.COM", "crm", "contoso.com", false, false, 0 },
		{ "*@contoso.com", "*", "contoso.com", true, false, 0 },
		{ "crm-*@contoso.com", "crm-*", "contoso.com", true, false, 0 },
		{ "a*b.*c@contoso.com", "a*b.*c", "contoso.com", true, false, 0 },
		{ "crm@*.contoso.com", "crm", "contoso.com", false, true, 0 },
		{ "*@*.contoso.com", "*", "contoso.com", true, true, 0 },
		{ "crm+x=y@contoso.com", "crm+x=y", "contoso.com", false, false, 0 },
		{ "crm@m\xc3\xb6nch.example", "crm", "xn--mnch-5qa.example", false, false, 0 },
		{ A16 A16 A16 A16 "@c.com", A16 A16 A16 A16, "c.com", false, false, 0 },
		{ "<>", "", "", false, false, 0 },

		{ "", NULL, "", false, false, 1 },
		{ "@contoso.com", NULL, "", false, false, 1 },
		{ "crm", NULL, "", false, false, 4 },
		{ "*", NULL, "", false, false, 2 },
		{ "<crm@contoso.com>", NULL, "", false, false, 1 },
		{ "<>@contoso.com", NULL, "", false, false, 1 },
		{ "\"crm\"@contoso.com", NULL, "", false, false, 1 },
		{ "c rm@contoso.com", NULL, "", false, false, 2 },
		{ "c\xc3\xb6@contoso.com", NULL, "", false, false, 2 },
		{ ".crm@contoso.com", NULL, "", false, false, 1 },
		{ "c..rm@contoso.com", NULL, "", false, false, 3 },
		{ "crm.@contoso.com", NULL, "", false, false, 4 },
		{ A16 A16 A16 A16 "a@c.com", NULL, "", false, false, 65 },
		{ "crm@", NULL, "", false, false, 5 },
		{ "crm@*", NULL, "", false, false, 5 },
		{ "crm@*.", NULL, "", false, false, 7 },
		{ "crm@*contoso.com", NULL, "", false, false, 5 },
		{ "crm@a.*.com", NULL, "", false, false, 7 },
		{ "crm@*.*.com", NULL, "", false, false, 7 },
		{ "crm@contoso..com", NULL, "", false, false, 13 },
		{ "crm@contoso.com.", NULL, "", false, false, 17 },
		{ "crm@con_toso.com", NULL, "", false, false, 8 },
		{ "crm@a@contoso.com", NULL, "", false, false, 6 },
		{ "crm@[10.1.2.3]", NULL, "", false, false, 5 },
		{ "crm@10.1.2.3", NULL, "", false, false, 12 },
		{ "crm@contoso.com ", NULL, "", false, false, 16 },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct address_pattern p;
		struct address_error e = { 0, "", "" };
		int rc = address_parse_pattern(a, rows[i].in, &p, &e);

		if ((rc == 0) != (rows[i].local != NULL) || e.column != rows[i].column)
			fail_msg("\"%s\": column %zu, %s", rows[i].in, e.column, e.what);
		assert_string_equal(p.text, rows[i].in);
		if (rc != 0) {
			assert_true(e.what[0] != '\0' && e.expected[0] != '\0');
			continue;
		}
		assert_string_equal(p.local, rows[i].local);
		assert_string_equal(p.domain, rows[i].domain);
		assert_true(p.has_star == rows[i].has_star && p.any_subdomain == rows[i].any_subdomain);
		assert_true(p.is_null == (strcmp(rows[i].in, "<>") == 0));
	}
	arena_free(&a);
}

static void
test_match(void **state)
{
	static const struct {
		const char *pattern;
		const char *address;
		bool matches;
	} rows[] = {
		/* An address stands for itself alone. */
		{ "crm@contoso.com", "crm@contoso.com", true },
		{ "CRM@contoso.com", "crm@CONTOSO.com", true },
		{ "crm@contoso.com", "Crm@contoso.com", true },
		{ "crm@contoso.com", "crm2@contoso.com", false },
		{ "crm@contoso.com", "cr@contoso.com", false },
		{ "crm@contoso.com", "crm@contoso.co", false },
		{ "crm@contoso.com", "crm@mail.contoso.com", false },
		{ "crm@contoso.com", "crm@xcontoso.com", false },
		{ "crm@contoso.com", "crm+x@contoso.com", false },
		{ "crm+x@contoso.com", "crm+x@contoso.com", true },
		{ "a%b@contoso.com", "a%b@contoso.com", true },

		/* The star. */
		{ "*@contoso.com", "crm@contoso.com", true },
		{ "*@contoso.com", "crm+x@contoso.com", true },
		{ "*@contoso.com", "a.b.c@contoso.com", true },
		{ "*@contoso.com", "crm@fabrikam.com", false },
		{ "*@contoso.com", "crm@mail.contoso.com", false },
		{ "crm-*@contoso.com", "crm-x@contoso.com", true },
		{ "crm-*@contoso.com", "crm-@contoso.com", true },
		{ "crm-*@contoso.com", "CRM-X@contoso.com", true },
		{ "crm-*@contoso.com", "crm@contoso.com", false },
		{ "crm-*@contoso.com", "xcrm-y@contoso.com", false },
		{ "*-crm@contoso.com", "x-crm@contoso.com", true },
		{ "*-crm@contoso.com", "x-crm-y@contoso.com", false },
		{ "a*b*c@contoso.com", "abbcbc@contoso.com", true },
		{ "a*b*c@contoso.com", "acb@contoso.com", false },

		/* The star stands for no routing, rewriting or quotes. */
		{ "*@contoso.com", "bob%evil.example@contoso.com", false },
		{ "*@contoso.com", "evil.example!bob@contoso.com", false },
		{ "*@contoso.com", "SRS0=hash=tt=evil.example=bob@contoso.com", false },
		{ "*@contoso.com", "srs0+hash=tt=evil.example=bob@contoso.com", false },
		{ "*@contoso.com", "SRS1-hash=evil.example==bob@contoso.com", false },
		{ "srs0*@contoso.com", "srs0=x@contoso.com", false },
		{ "*@contoso.com", "srs0@contoso.com", true },
		{ "*@contoso.com", "srs0x@contoso.com", true },
		{ "*@contoso.com", "srs2=x@contoso.com", true },
		{ "*@contoso.com", "xsrs0=x@contoso.com", true },
		{ "srs0=x@contoso.com", "SRS0=x@contoso.com", true },
		{ "*@contoso.com", "\"a b\"@contoso.com", false },
		{ "*@contoso.com", "\"a@evil.example\"@contoso.com", false },

		/* Below a domain. */
		{ "crm@*.contoso.com", "crm@mail.contoso.com", true },
		{ "crm@*.contoso.com", "crm@a.b.contoso.com", true },
		{ "crm@*.contoso.com", "crm@contoso.com", false },
		{ "crm@*.contoso.com", "crm@xcontoso.com", false },
		{ "crm@*.contoso.com", "crm@mail.contoso.com.evil.example", false },
		{ "*@*.contoso.com", "crm@mail.contoso.com", true },

		/* No domain, or none by name. */
		{ "<>", "<>", true },
		{ "<>", "crm@contoso.com", false },
		{ "*@contoso.com", "<>", false },
		{ "<>", "<postmaster>", false },
		{ "postmaster@contoso.com", "<postmaster>", false },
		{ "*@*.contoso.com", "<postmaster>", false },
		{ "*@contoso.com", "crm@[10.1.2.3]", false },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct address_pattern p;
		struct address found;
		struct address_error e = { 0, "", "" };

		if (address_parse_pattern(a, rows[i].pattern, &p, &e) != 0 ||
		    address_parse_path(a, rows[i].address, false, &found, &e) != 0)
			fail_msg("\"%s\", \"%s\": %s", rows[i].pattern, rows[i].address, e.what);
		if (address_matches(&p, &found) != rows[i].matches)
			fail_msg("\"%s\" %s \"%s\"", rows[i].pattern,
				 rows[i].matches ? "does not match" : "matches", rows[i].address);
	}
	arena_free(&a);
}

static void
test_same(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "crm@contoso.com", "<CRM@Contoso.com>", true },
		{ "crm@contoso.com", "crm@fabrikam.com", false },
		{ "crm@contoso.com", "crm+x@contoso.com", false },
		{ "<>", "<>", true },
		{ "<>", "<postmaster>", false },
		{ "\"a b\"@contoso.com", "\"A b\"@contoso.com", true },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct address x, y;
		struct address_error e;

		assert_int_equal(address_parse_path(a, rows[i].a, false, &x, &e), 0);
		assert_int_equal(address_parse_path(a, rows[i].b, false, &y, &e), 0);
		if (address_same(&x, &y) != rows[i].same || address_same(&y, &x) != rows[i].same)
			fail_msg("\"%s\" and \"%s\"", rows[i].a, rows[i].b);
	}
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
