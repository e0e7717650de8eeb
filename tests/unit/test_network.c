/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Domain names, client addresses and prefixes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/domain.h"
#include "policy/network.h"

static void
test_domains(void **state)
{
	static const char *const rows[][2] = {
		{ "Contoso.COM", "contoso.com" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "b\xc3\xbc" "cher.example", "xn--bcher-kva.example" },
		{ "\xef\xbd\x83ontoso.com", NULL },     /* full-width c */
		{ "\xe2\x84\xaa" "elvin.com", NULL },   /* the Kelvin sign */
		{ "contoso.com.", NULL }, { "a..b", NULL }, { "-a.com", NULL }, { "10.1.2.3", NULL },
		{ "a_b.com", NULL }, { "", NULL },
	};
	struct arena *a = arena_new(1u << 20);
	char label[68];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *error = "", *r;
		size_t column;

		r = domain_normalise(a, rows[i][0], strlen(rows[i][0]), &error, &column);
		if ((r == NULL) != (rows[i][1] == NULL) || (r != NULL && strcmp(r, rows[i][1]) != 0))
			fail_msg("\"%s\": %s", rows[i][0], r != NULL ? r : error);
	}
	memset(label, 'a', 64);
	memcpy(label + 64, ".co", 4);
	for (size_t skip = 0; skip < 2; skip++) {
		const char *error;
		size_t column;

		assert_int_equal(domain_normalise(a, label + skip, 67 - skip, &error, &column) != NULL, skip);
	}
	arena_free(&a);
	assert_true(domain_is_public_suffix("co.uk"));
	assert_string_equal(domain_organisational("mail.contoso.co.uk"), "contoso.co.uk");
}

static void
test_networks(void **state)
{
	static const char *const bad[] = { "10.1.9.1/24", "10.0.0.0/33", "::/129", "10.0.0.0/", "x", "10.0.0.0/08" };
	struct network outer, inner;
	struct ip ip;
	const char *error;
	char buf[IP_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(network_parse(bad[i], &outer, &error), -1);
	assert_int_equal(ip_parse("::ffff:10.1.2.3", &ip), 0);
	ip_format(&ip, buf);
	assert_string_equal(buf, "10.1.2.3");
	assert_int_equal(network_parse("10.1.2.0/23", &outer, &error), 0);
	assert_int_equal(network_parse("10.1.3.0/24", &inner, &error), 0);
	assert_true(network_contains(&outer, &ip) && !network_contains(&inner, &ip));
	assert_true(network_covers(&outer, &inner) && !network_covers(&inner, &outer));
	assert_int_equal(ip_parse("IPv6:2001:0DB8:0:0:0:0:0:1", &ip), 0);
	ip_format(&ip, buf);
	assert_string_equal(buf, "2001:db8::1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_domains), cmocka_unit_test(test_networks) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
