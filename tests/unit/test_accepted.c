/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Accepted-domain files: each form PowerShell writes, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/folder.h"

static const char policy[] =
	"listen: unix:/m\n"
	"tenants:\n"
	"  contoso: {accepted-domains: d.csv, next-hop: mx.example}\n";

enum encoding { UTF8, UTF16_LITTLE, UTF16_BIG };

/* The octets of an ASCII text in an encoding, with its byte order mark where
 * it is UTF-16. Static memory. */
static const char *
encode(const char *s, enum encoding e, size_t *len_r)
{
	static char out[2000];
	size_t n = 0, len = strlen(s);

	if (e == UTF8) {
		*len_r = len;
		return s;
	}
	assert_true(2 * len + 2 <= sizeof out);
	memcpy(out, e == UTF16_BIG ? "\xFE\xFF" : "\xFF\xFE", 2);
	n = 2;
	for (size_t i = 0; i < len; i++) {
		out[n++] = e == UTF16_BIG ? '\0' : s[i];
		out[n++] = e == UTF16_BIG ? s[i] : '\0';
	}
	*len_r = n;
	return out;
}

/* The domains in the policy's order, each "NAME[:s][:d][:p] " where it has
 * subdomains, may not send, is to be removed; "error" when it does not load. */
static const char *
read_octets(const char *s, size_t len)
{
	static char out[1000];
	struct problems *problems;
	struct policy *p;
	size_t n = 0;

	folder_write_octets("d.csv", s, len);
	p = folder_load(policy, &problems);
	snprintf(out, sizeof out, "%s", p == NULL ? "error" : "");
	for (size_t i = 0; p != NULL && i < p->n_index; i++) {
		const struct accepted_domain *d = p->index[i];

		n += (size_t)snprintf(out + n, sizeof out - n, "%s%s%s%s%s", i > 0 ? " " : "", d->name, d->subdomains ? ":s" : "",
				      d->sending_disabled ? ":d" : "", d->pending_removal ? ":p" : "");
	}
	policy_unref(&p);
	problems_free(&problems);
	return out;
}

static const char *
read_text(const char *s, enum encoding e)
{
	size_t len;

	s = encode(s, e, &len);
	return read_octets(s, len);
}

static const struct {
	const char *s, *domains;
} good[] = {
	{"# ours\ncontoso.com # first\r\nfabrikam.com\n", "contoso.com fabrikam.com"},
	{"*.contoso.com\n", "contoso.com:s"},
	{"DomainName,SendingFromDomainDisabled\ncontoso.com,true\n", "contoso.com:d"},
	{"\"Name\",\"DomainName\",\"DomainType\",\"MatchSubDomains\"\r\n"
	 "\"x\",\"contoso.com\",\"Authoritative\",\"True\"\r\n\"y\",\"fabrikam.com\",\"InternalRelay\",\"False\"\r\n",
	 "contoso.com:s fabrikam.com"},
	{"#TYPE Selected.Microsoft.Exchange.Data.AcceptedDomain\r\n"
	 "\"DomainName\";\"X\";\"MatchSubDomains\"\r\n\"contoso.com\";\"a;\"\"b\";\"TRUE\"\r\n", "contoso.com:s"},
	{"DomainName;PendingRemoval;MatchSubDomains\ncontoso.com;TRUE;\nfabrikam.com;false;false\n",
	 "contoso.com:p fabrikam.com"},
	{"DomainName\tMatchSubDomains\ncontoso.com\tTrue\n", "contoso.com:s"},
	{"{\"DomainName\":\"contoso.com\",\"MatchSubDomains\":true}", "contoso.com:s"},
	{"{\"DomainName\":\"contoso.com\",\"MatchSubDomains\":\"True\",\"SendingFromDomainDisabled\":\"False\","
	 "\"PendingRemoval\":null}", "contoso.com:s"},
	{"[{\"id\":\"contoso.com\"},{\"id\":\"fabrikam.com\",\"isVerified\":true}]", "contoso.com fabrikam.com"},
	{"{\"value\":[{\"id\":\"contoso.com\"},{\"id\":\"fabrikam.com\",\"isVerified\":false}]}", "contoso.com"},
};

static void
test_forms_in_each_encoding(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		for (int e = UTF8; e <= UTF16_BIG; e++)
			assert_string_equal(read_text(good[i].s, (enum encoding)e), good[i].domains);
	assert_string_equal(read_octets("\xEF\xBB\xBF" "contoso.com\n", 15), "contoso.com");
}

/* What is not ASCII: "b\u00FCcher.example" and a character beyond 16 bits. */
static void
test_beyond_ascii(void **state)
{
	static const char little[] = "\xFF\xFE" "b\0\xFC\0c\0h\0e\0r\0.\0e\0x\0a\0m\0p\0l\0e\0";
	static const char pair[] = "\xFE\xFF\0a\0.\0b\0 \0#\xD8\x3D\xDE\x00";

	(void)state;
	assert_string_equal(read_octets(little, sizeof little - 1), "xn--bcher-kva.example");
	assert_string_equal(read_octets(pair, sizeof pair - 1), "a.b");
	assert_string_equal(read_octets(pair, sizeof pair - 3), "error");
	assert_string_equal(read_octets(little, sizeof little - 2), "error");
	assert_string_equal(read_octets("b\xFC" "cher.example\n", 14), "error");
}

/* Each mistake, and where it is said to stand. */
static void
test_mistakes(void **state)
{
	static const struct { const char *s; unsigned line, column; const char *words; } rows[] = {
		{"DomainName,MatchSubDomains\ncontoso.com,maybe\n", 2, 13, "expected True or False"},
		{"DomainName,MatchSubDomains\ncontoso.com\n", 2, 1, "1 fields stand here; expected 2"},
		{"\"Domain\";\"MatchSubDomains\"\n", 1, 1, "no column is named DomainName"},
		{"#TYPE x\nDomainName,DomainType\ncontoso.com,Authoritative\nfabrikam.com,Foreign\n", 4, 14, "no DomainType"},
		{"DomainName,X\ncontoso.com,\"a\nb\"\nfab rikam.com,c\n", 4, 4, "no domain"},
		{"DomainName,X\n\"contoso.com,a\n", 2, 1, "do not end"},
		{"contoso.com\n\nfabrikam.com tailspin.com\n", 3, 1, "one domain a line"},
		{"contoso.com\nCONTOSO.com\n", 2, 1, "stands twice"},
		{"[{\"DomainName\":\"contoso.com\",\n  \"DomainType\":1}]", 1, 17, "the number 1"},
		{"{\"DomainName\":\"contoso.com\",\"MatchSubDomains\":1}", 1, 16, "expected True or False"},
		{"[{\"id\":\"contoso.com\"},\n{\"DomainType\":\"Authoritative\"}]", 1, 9, "no DomainName"},
		{"{\"DomainName\":\n  oops}", 2, 0, "no well-formed JSON"},
		{"[\"contoso.com\"]", 1, 1, "element 1 of the list is no object"},
		{"\n\n", 1, 1, "holds no domain"},
	};
	struct problems *problems;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		folder_write("d.csv", rows[i].s);
		assert_null(folder_load(policy, &problems));
		folder_expect(problems, true, "d.csv", rows[i].line,
			      rows[i].column != 0 ? rows[i].column : problems_at(problems, 0)->column, rows[i].words);
		problems_free(&problems);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms_in_each_encoding),
		cmocka_unit_test(test_beyond_ascii),
		cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
