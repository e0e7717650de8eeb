/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The policy file: what loads, and that each mistake is found in its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/file/file.h"

static char folder[] = "/tmp/postern-test-XXXXXX";

static const char *
write_file(const char *name, const char *s, size_t len)
{
	static char path[200];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(s, 1, len, f), len);
	fclose(f);
	return path;
}

static struct policy *
load(const char *yaml, struct problems **problems)
{
	return policy_load(write_file("p.yaml", yaml, strlen(yaml)), problems);
}

static void
write_domains(const char *s)
{
	write_file("d.csv", s, strlen(s));
}

static const char good[] =
	"listen: inet:8899@127.0.0.1\n"
	"tenants:\n"
	"  contoso:\n"
	"    accepted-domains: d.csv\n"
	"    next-hop: mx.example.com\n"
	"apps:\n"
	"  - name: crm\n"
	"    tenant: contoso\n"
	"    clients: [10.1.2.3, local]\n"
	"    method: hve\n"
	"    senders: [crm@contoso.com]\n"
	"    limits: [30 messages/minute]\n";

static void
test_loads(void **state)
{
	struct problems *problems;
	struct policy *p;

	(void)state;
	write_domains("contoso.com\n");
	p = load(good, &problems);
	problems_print(problems, stderr);
	assert_non_null(p);
	assert_int_equal(problems_count(problems), 0);
	assert_int_equal(p->n_apps, 1);
	assert_true(p->apps[0].local);
	assert_int_equal(p->apps[0].max_recipients, 50);
	assert_int_equal(p->audit_keep, 90 * 86400);
	assert_string_equal(p->apps[0].limits[0].name, "crm/messages-per-minute");
	assert_int_equal(p->n_index, 1);
	policy_unref(&p);
	problems_free(&problems);
}

static void
test_ten_mistakes(void **state)
{
	static const char bad[] =
		"listen: inet:0@127.0.0.1\n"
		"mode: enforced\n"
		"unknown-client: reject\n"
		"rules: []\n"
		"audit:\n"
		"  keep: 90 dayz\n"
		"tenants:\n"
		"  contoso:\n"
		"    accepted-domains: d.csv\n"
		"    next-hop: x\n"
		"apps:\n"
		"  - name: crm\n"
		"    tenant: contso\n"
		"    clients: [10.1.2.3/8]\n"
		"    method: conector\n"
		"    senders: [crm@contoso.com]\n"
		"    limits: [30 mesages/minute]\n"
		"  - name: crm\n"
		"    tenant: contoso\n"
		"    clients: [10.1.2.4]\n"
		"    method: acs\n"
		"    senders: [crm@contoso.com]\n";
	static const struct { unsigned line, column; } places[] = {
		{1, 9}, {2, 7}, {3, 1}, {4, 1}, {6, 9}, {13, 13}, {14, 15}, {15, 13}, {17, 17}, {18, 11},
	};
	struct problems *problems;

	(void)state;
	write_domains("contoso.com\n");
	assert_null(load(bad, &problems));
	problems_print(problems, stderr);
	assert_int_equal(problems_errors(problems), 10);
	assert_int_equal(problems_count(problems), 10);
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(problems_at(problems, i)->line, places[i].line);
		assert_int_equal(problems_at(problems, i)->column, places[i].column);
	}
	problems_free(&problems);
}

static void
check_one_error(const char *yaml, unsigned line, unsigned column, const char *words)
{
	struct problems *problems;

	assert_null(load(yaml, &problems));
	assert_true(problems_errors(problems) >= 1);
	assert_int_equal(problems_at(problems, 0)->line, line);
	assert_int_equal(problems_at(problems, 0)->column, column);
	assert_non_null(strstr(problems_at(problems, 0)->text, words));
	problems_free(&problems);
}

static void
test_yaml(void **state)
{
	(void)state;
	check_one_error("listen: unix:/a\nlisten: b\n", 2, 1, "stands twice, first at");
	check_one_error("listen: &x unix:/a\n", 1, 9, "anchors");
	check_one_error("a: 1\n--- \nb: 2\n", 2, 1, "second document");
	check_one_error("listen: \xff\n", 1, 9, "UTF-8");
	check_one_error("listen: x\n\tmode: y\n", 2, 1, "tab");
}

/* Loads with these accepted domains; how many there are, -1 on error. */
static int
count_domains(const char *s, size_t len, const char **flags)
{
	static char flag[3];
	struct problems *problems;
	struct policy *p;
	int n;

	write_file("d.csv", s, len);
	p = load(good, &problems);
	n = p == NULL ? -1 : (int)p->n_index;
	for (size_t i = 0; p != NULL && i < 1; i++)
		snprintf(flag, sizeof flag, "%d%d", p->index[i]->subdomains, p->index[i]->sending_disabled);
	*flags = flag;
	policy_unref(&p);
	problems_free(&problems);
	return n;
}

static void
test_accepted(void **state)
{
	static const struct { const char *s; int n; const char *flags; } rows[] = {
		{"# ours\ncontoso.com # first\r\nfabrikam.com\n", 2, "00"},
		{"*.contoso.com\n", 1, "10"},
		{"\xEF\xBB\xBF#TYPE x\r\n\"DomainName\";\"X\";\"MatchSubDomains\"\r\n\"contoso.com\";\"a;\"\"b\";\"TRUE\"\r\n", 1, "10"},
		{"DomainName,SendingFromDomainDisabled\ncontoso.com,true\n", 1, "01"},
		{"{\"DomainName\":\"contoso.com\",\"MatchSubDomains\":true}", 1, "10"},
		{"[{\"id\":\"contoso.com\"},{\"id\":\"fabrikam.com\"}]", 2, "00"},
		{"[{\"DomainName\":\"contoso.com\",\"DomainType\":1}]", -1, ""},
		{"DomainName,MatchSubDomains\ncontoso.com,maybe\n", -1, ""},
		{"DomainName,MatchSubDomains\ncontoso.com\n", -1, ""},
		{"contoso.com\ncontoso.com\n", -1, ""},
		{"", -1, ""},
	};
	static const char utf16[] = "\xFF\xFE" "c\0o\0.\0d\0e\0\r\0\n\0";
	const char *flags;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(count_domains(rows[i].s, strlen(rows[i].s), &flags), rows[i].n);
		if (rows[i].n > 0)
			assert_string_equal(flags, rows[i].flags);
	}
	assert_int_equal(count_domains(utf16, sizeof utf16 - 1, &flags), 1);
}

static int
make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
	static const char *const names[] = {"p.yaml", "d.csv"};
	char path[200];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_ten_mistakes),
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_accepted),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
