/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whether what the MTA connected to is the next hop of a policy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/follow.h"

static const struct {
	const char *next_hop, *logged;
	bool is;
} hops[] = {
	{"contoso-com.mail.protection.outlook.com", "contoso-com.mail.protection.outlook.com[52.101.73.4]:25", true},
	{"Contoso-com.mail.protection.outlook.com.", "contoso-com.mail.protection.outlook.COM[52.101.73.5]:25", true},
	{"[contoso-com.mail.protection.outlook.com]", "contoso-com.mail.protection.outlook.com[2a01:111::1]:25", true},
	{"[contoso-com.mail.protection.outlook.com]:25", "contoso-com.mail.protection.outlook.com[52.101.73.4]:25", true},
	{"contoso-com.mail.protection.outlook.com:25", "contoso-com.mail.protection.outlook.com[52.101.73.4]:25", true},
	{"[mx.example]:587", "mx.example[192.0.2.1]:25", false},
	{"[mx.example]:587", "mx.example[192.0.2.1]", true}, /* Sendmail tells no port */
	{"mx.example", "mx.example[private/lmtp]", true},
	{"mx.example", "evil-mx.example[192.0.2.1]:25", false},
	{"mx.example", "mx.example.evil.example[192.0.2.1]:25", false},
	{"mx.example", "mx.exampl[192.0.2.1]:25", false},
	{"mx.example", "x[mx.example]:25", false},
	{"mx.example", "mx.example", false},
	{"mx.example", "local", false},
	{"mx.example", "", false},
	{"", "[192.0.2.1]:25", false},
	{"", "", false},
	{"192.0.2.1", "192.0.2.1[192.0.2.1]:25", true},
	{"[192.0.2.1]:25", "mx.example[192.0.2.1]:25", true},
	{"[192.0.2.1]:26", "mx.example[192.0.2.1]:25", false},
	{"[192.0.2.1]", "[192.0.2.1][192.0.2.1]", true},
	{"192.0.2.1", "192.0.2.1[192.0.2.10]:25", false},
	{"[2001:db8::1]:25", "mx.example[2001:DB8::1]:25", true},
	{"2001:db8::1", "mx.example[2001:db8::1]:25", true},
	{"2001:db8::1", "mx.example[2001:db8::2]:25", false},
};

static void
test_hops(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hops / sizeof hops[0]; i++)
		if (follow_is_hop(hops[i].next_hop, hops[i].logged) != hops[i].is)
			fail_msg("\"%s\" and \"%s\"", hops[i].next_hop, hops[i].logged);
}

static void
test_tenants(void **state)
{
	struct tenant tenants[] = {{.name = "contoso", .next_hop = "mx.example"}, {.name = "none", .next_hop = ""},
				   {.name = "fabrikam", .next_hop = "[mx.example]:25"}, {.name = "globex", .next_hop = "mx.globex.example"}};
	const struct policy p = {.tenants = tenants, .n_tenants = 4};
	struct text t = {0};

	(void)state;
	assert_string_equal(follow_tenants(&p, "mx.example[192.0.2.1]:25", &t), ",contoso,fabrikam,");
	assert_string_equal(follow_tenants(&p, "mx.globex.example[192.0.2.1]:25", &t), ",globex,");
	assert_string_equal(follow_tenants(&p, "", &t), "");
	assert_string_equal(follow_tenants(&p, "local", &t), "");
	text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_hops), cmocka_unit_test(test_tenants)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
