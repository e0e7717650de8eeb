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

#include <cmocka.h>

#include "tests/unit/folder.h"

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
	folder_write("d.csv", "contoso.com\n");
	p = folder_load_good(good, &problems);
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
		"rules: {}\n"
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
		{1, 9}, {2, 7}, {3, 1}, {4, 8}, {6, 9}, {13, 13}, {14, 15}, {15, 13}, {17, 17}, {18, 11},
	};
	struct problems *problems;

	(void)state;
	folder_write("d.csv", "contoso.com\n");
	assert_null(folder_load(bad, &problems));
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

	assert_null(folder_load(yaml, &problems));
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

/* The main file of the tests below: it holds nothing but one app and what it
 * includes. */
static const char including[] =
	"listen: unix:/m\n"
	"include: parts/*.yaml\n"
	"apps:\n"
	"  - {name: first, tenant: contoso, clients: 10.0.0.1, method: acs, senders: a@contoso.com}\n";
static const char part_tenant[] =
	"tenants:\n"
	"  contoso: {accepted-domains: d.csv, next-hop: mx.example}\n"
	"apps:\n"
	"  - {name: second, tenant: contoso, clients: 10.0.0.2, method: acs, senders: a@contoso.com}\n";
static const char part_signing[] =
	"signing:\n"
	"  contoso.com:\n"
	"    - {selector: one, key: keys/one.pem}\n";
static const char part_apps[] =
	"apps:\n"
	"  - {name: third, tenant: contoso, clients: 10.0.0.3, method: acs, senders: a@contoso.com}\n"
	"  - {name: fourth, tenant: fabrikam, clients: 10.0.0.4, method: acs, senders: a@fabrikam.com}\n"
	"tenants:\n"
	"  fabrikam: {accepted-domains: f.csv, next-hop: mx.example}\n";

/* Written in another order than the one they are read in. */
static void
write_parts(const char *second)
{
	folder_write("d.csv", "contoso.com\n");
	folder_write("f.csv", "fabrikam.com\n");
	folder_write("parts/30-apps.yaml", part_apps);
	folder_write("parts/10-tenant.yaml", part_tenant);
	folder_write("parts/20-signing.yaml", second);
	folder_write("parts/15-other.yml", "not: read\n");
}

static void
test_includes(void **state)
{
	static const char *const names[] = {"first", "second", "third", "fourth"};
	struct problems *problems;
	struct policy *p;

	(void)state;
	write_parts(part_signing);
	p = folder_load_good(including, &problems);
	assert_int_equal(problems_count(problems), 0);
	assert_int_equal(p->n_apps, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(p->apps[i].name, names[i]);
	assert_string_equal(p->apps[3].file, folder_path("parts/30-apps.yaml"));
	assert_int_equal(p->apps[3].line, 3);
	assert_int_equal(p->n_tenants, 2);
	assert_string_equal(p->apps[3].tenants[0]->name, "fabrikam");
	assert_int_equal(p->n_signing, 1);
	assert_string_equal(p->signing[0].keys[0].policy_file, folder_path("parts/20-signing.yaml"));
	assert_string_equal(p->signing[0].keys[0].file, folder_path("keys/one.pem"));
	policy_unref(&p);
	problems_free(&problems);
}

/* What is wrong with the second included file is the one error. */
static void
check_second(const char *second, unsigned line, unsigned column, const char *words)
{
	struct problems *problems;

	write_parts(second);
	assert_null(folder_load(including, &problems));
	assert_int_equal(problems_count(problems), 1);
	folder_expect(problems, true, "parts/20-signing.yaml", line, column, words);
	problems_free(&problems);
}

static void
test_included_mistakes(void **state)
{
	(void)state;
	check_second("signing:\n  contoso.com:\n    - {selector: selector1, key: k}\n", 3, 18, "Exchange Online itself");
	check_second("signing:\n  \"co ntoso.com\":\n    - {selector: one, key: k}\n", 2, 6, "no domain");
	check_second("apps: []\nmode: monitor\n", 2, 1, "\"mode\" may not stand in an included file");
	check_second("  include: more.yaml\n", 1, 3, "\"include\" may not stand in an included file");
	check_second("rules:\n  - {name: r, colour: red, action: reject}\n", 2, 15, "unknown option \"colour\" in a rule");
	check_second("apps: [\n", 2, 1, "expected");
	check_second("apps:\n  - {name: SECOND, tenant: contoso, clients: 10.0.0.9, method: acs, senders: a@contoso.com}\n",
		     2, 12, "parts/10-tenant.yaml:4 already");
	check_second("tenants:\n  contoso: {accepted-domains: d.csv, next-hop: x}\n", 2, 3, "another file already");
}

static void
test_included_nothing(void **state)
{
	struct problems *problems;
	struct policy *p;

	(void)state;
	write_parts(part_signing);
	assert_null(folder_load("listen: unix:/m\ninclude: [parts/*.yaml, parts/none.yaml]\n", &problems));
	folder_expect(problems, true, "p.yaml", 2, 25, "no file");
	problems_free(&problems);
	assert_null(folder_load("listen: unix:/m\ninclude: [parts/*.yaml, none/*.yaml]\n", &problems));
	folder_expect(problems, true, "p.yaml", 2, 25, "cannot be listed");
	problems_free(&problems);
	p = folder_load_good("listen: unix:/m\ninclude: [parts/*.yaml, parts/*.conf]\n", &problems);
	assert_int_equal(problems_count(problems), 1);
	folder_expect(problems, false, "p.yaml", 2, 25, "no file matches");
	policy_unref(&p);
	problems_free(&problems);
}

/* d= of the key that signs for a From domain, "" for none. */
static const char *
signs(const struct policy *p, const char *domain)
{
	const struct signing *s = policy_signing(p, domain);

	return s == NULL ? "" : s->domain;
}

static void
test_signing_subdomains(void **state)
{
	static const char yaml[] =
		"listen: unix:/m\n"
		"tenants:\n"
		"  contoso: {accepted-domains: d.csv, next-hop: mx.example}\n"
		"signing:\n"
		"  contoso.com:\n"
		"    subdomains: yes\n"
		"    keys:\n"
		"      - {selector: one, key: one.pem}\n"
		"  news.contoso.com: [{selector: one, key: two.pem}]\n"
		"  fabrikam.com: {subdomains: no, keys: [{selector: one, key: one.pem}]}\n"
		"  example.com: [{selector: one, key: one.pem}]\n";
	struct problems *problems;
	struct policy *p;

	(void)state;
	folder_write("d.csv", "contoso.com\nfabrikam.com\nexample.com\n");
	p = folder_load_good(yaml, &problems);
	assert_string_equal(signs(p, "contoso.com"), "contoso.com");
	assert_string_equal(signs(p, "a.b.contoso.com"), "contoso.com");
	assert_string_equal(signs(p, "news.contoso.com"), "news.contoso.com");
	assert_string_equal(signs(p, "a.news.contoso.com"), "contoso.com");
	assert_string_equal(signs(p, "xcontoso.com"), "");
	assert_string_equal(signs(p, "com"), "");
	assert_string_equal(signs(p, "fabrikam.com"), "fabrikam.com");
	assert_string_equal(signs(p, "a.fabrikam.com"), "");
	assert_string_equal(signs(p, "example.com"), "example.com");
	assert_string_equal(signs(p, "a.example.com"), "");
	policy_unref(&p);
	problems_free(&problems);
}

/* A policy with these lines at the top level and this owner of its app. */
static const char *
with_top(const char *lines, const char *owner)
{
	static char yaml[2000];

	folder_write("d.csv", "contoso.com\n");
	snprintf(yaml, sizeof yaml, "%s"
		 "listen: unix:/m\n"
		 "tenants:\n"
		 "  contoso: {accepted-domains: d.csv, next-hop: mx.example}\n"
		 "apps:\n"
		 "  - {name: one, tenant: contoso, clients: 10.0.0.1, method: acs, senders: a@contoso.com%s}\n", lines, owner);
	return yaml;
}

/* What a load says of these lines: nothing, or one error or warning. */
struct top_row {
	const char *lines, *owner;
	bool is_error;
	unsigned line, column;
	const char *words;      /* NULL: nothing is wrong */
};

static void
check_top(const struct top_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct problems *problems;
		struct policy *p = folder_load(with_top(rows[i].lines, rows[i].owner), &problems);

		if (problems_count(problems) != (rows[i].words == NULL ? 0 : 1)) {
			problems_print(problems, stderr);
			fail_msg("row %zu: %zu problems", i, problems_count(problems));
		}
		if (rows[i].words != NULL)
			folder_expect(problems, rows[i].is_error, "p.yaml", rows[i].line, rows[i].column, rows[i].words);
		assert_int_equal(p == NULL, rows[i].is_error);
		policy_unref(&p);
		problems_free(&problems);
	}
}

static void
test_database(void **state)
{
	static const struct top_row rows[] = {
		{"database: sqlite:/a\n", "", false, 0, 0, NULL},
		{"database: postgresql://db.contoso.com/postern\n", "", false, 0, 0, NULL},
		{"database: postgres://postern@db:5433/postern?sslmode=verify-full\n", "", false, 0, 0, NULL},
		{"database: postgresql:///postern\n", "", false, 0, 0, NULL},
		{"database: postgresql://\n", "", true, 1, 11, "expected postgresql:// and a host or a database"},
		{"database: \"postgresql://a b/c\"\n", "", true, 1, 11, "without blanks"},
		{"database: postgresql:/db/postern\n", "", true, 1, 11, "expected sqlite:/path or postgresql://..."},
		{"database: mysql://db/postern\n", "", true, 1, 11, "expected sqlite:/path or postgresql://..."},
		{"database: postgresql://postern:secret@db/postern\n", "", false, 1, 11, "the password of the database"},
		{"database: postgresql://db/postern?user=a&password=secret\n", "", false, 1, 11, "passfile=/path"},
		{"database: postgresql://db:5432/a:b@c\n", "", false, 0, 0, NULL},
		{"database: postgres://db\ndatabase-away: accept\n", "", false, 0, 0, NULL},
		{"database-away: accept\n", "", false, 1, 1, "is of no use with an SQLite file"},
		{"database-away: never\n", "", true, 1, 16, "expected one of tempfail, accept, local-share"},
		{"relays: 2\n", "", false, 1, 1, "\"relays\" is of no use without \"database-away: local-share\""},
		{"database: postgres://db\ndatabase-away: tempfail\nlocal-database: sqlite:/l\n", "", false, 3, 1, "\"local-database\" is of no use"},
		{"database: postgres://db\ndatabase-away: local-share\nrelays: 4\nlocal-database: sqlite:l.db\n", "",
		 false, 0, 0, NULL},
		{"database: postgres://db\ndatabase-away: local-share\nlocal-database: sqlite:l.db\n", "", true, 2, 16,
		 "local-share needs \"relays\""},
		{"database: postgres://db\ndatabase-away: local-share\nrelays: 4\n", "", true, 2, 16,
		 "local-share needs \"local-database\""},
		{"database-away: local-share\nrelays: 4\nlocal-database: sqlite:l.db\n", "", true, 1, 16,
		 "a database that relays share"},
		{"database: postgres://db\ndatabase-away: local-share\nrelays: 4\nlocal-database: postgres://e\n", "", true,
		 4, 17, "expected sqlite:/path"},
		{"database: postgres://db\nrelays: 0\n", "", true, 2, 9, "expected 1 to 1000"},
		{"database: postgres://db\ndatabase-away: local-share\nrelays: 4\nlocal-database: sqlite:l.db\n",
		 ", limits: [3 messages/minute]", false, 9, 99, "a part of 3 for each of 4 relays is nothing"},
		{"database: postgres://db\ndatabase-away: local-share\nrelays: 4\nlocal-database: sqlite:l.db\n",
		 ", limits: [4 messages/minute, 3 messages/hour then observe]", false, 0, 0, NULL},
		{"relay: mail-1.contoso_x\n", "", false, 0, 0, NULL},
		{"relay: \"mail 1\"\n", "", true, 1, 8, "is no name of a relay"},
	};
	struct problems *problems;
	struct policy *p;

	(void)state;
	check_top(rows, sizeof rows / sizeof rows[0]);
	p = folder_load_good(with_top("database: postgres://db\ndatabase-away: local-share\nrelays: 4\n"
				      "local-database: sqlite:l.db\n", ""), &problems);
	assert_string_equal(p->database, "postgres://db");
	assert_int_equal(p->database_away, AWAY_LOCAL_SHARE);
	assert_int_equal(p->relays, 4);
	assert_string_equal(p->local_database + strlen("sqlite:"), folder_path("l.db"));
	policy_unref(&p);
	problems_free(&problems);
	p = folder_load_good(with_top("", ""), &problems);
	assert_int_equal(p->database_away, AWAY_ON_FAILURE);
	assert_string_equal(p->local_database, "");
	policy_unref(&p);
	problems_free(&problems);
}

#define TO_OWNER "notify: {mail: owner, from: p@contoso.com}\n"

static void
test_notify(void **state)
{
	static const struct top_row rows[] = {
		{"notify: {}\n", "", false, 0, 0, NULL},
		{"notify: {command: /bin/sh, quiet: 5 minutes, at: 95 %}\n", "", false, 0, 0, NULL},
		{"notify: {command: /nowhere/at-all}\n", "", false, 1, 19, "no program that could be run"},
		{"notify: {command: bin/sh}\n", "", true, 1, 19, "no path from the root"},
		{"notify: {command: /bin/sh -c true}\n", "", false, 1, 19, "no program"},
		{"notify: {sendmail: sendmail}\n", "", true, 1, 20, "no path from the root"},
		{"notify: {mail: everybody}\n", "", true, 1, 16, "expected one of no, owner, admin, both"},
		{"notify: {at: 80}\n", "", true, 1, 14, "expected a share such as 80%"},
		{"notify: {at: 100%}\n", "", true, 1, 14, "expected 1% to 99%"},
		{"notify: {quiet: 59 seconds}\n", "", true, 1, 17, "expected 1 minute to 31 days"},
		{"notify: {admin: postmaster}\n", "", true, 1, 17, "expected one such as postmaster@contoso.com"},
		{"notify: {admin: \"joe x\"}\n", "", true, 1, 21, "is no address: "},
		{"notify: {mail: admin, from: p@contoso.com}\n", "", true, 1, 16, "needs \"admin\""},
		{"notify: {mail: both, from: p@contoso.com}\n", ", owner: o@x.example", true, 1, 16, "needs \"admin\""},
		{"notify: {mail: owner}\n", ", owner: o@x.example", true, 1, 16, "needs \"from\""},
		{"notify: {mail: admin, admin: a@x.example, from: p@x.example}\n", "", false, 1, 49, "x.example is no accepted"},
		{"notify: {mail: admin, admin: a@x.example, from: p@contoso.com}\n", "", false, 0, 0, NULL},
		{TO_OWNER, ", owner: o@x.example", false, 0, 0, NULL},
		{TO_OWNER, "", false, 6, 5, "app \"one\": it has no owner"},
		{TO_OWNER, ", owner: Joe", false, 6, 5, "\"Joe\" is no address"},
		{"notify: {mail: both, admin: a@x.example, from: p@contoso.com}\n", "", false, 0, 0, NULL},
		{"notify: {mail: both, admin: a@x.example, from: p@contoso.com}\n", ", owner: Joe", false, 6, 5, "no address"},
		{"notify: {mail: admin, admin: a@x.example, from: p@contoso.com}\n", ", owner: Joe", false, 0, 0, NULL},
		{"notify: {colour: red}\n", "", true, 1, 10, "unknown option \"colour\" in the notify block"},
	};
	struct problems *problems;
	struct policy *p;

	(void)state;
	check_top(rows, sizeof rows / sizeof rows[0]);
	p = folder_load_good(with_top("notify: {command: /bin/sh, mail: both, admin: A@X.example, from: p@contoso.com, "
				      "sendmail: /bin/cat, quiet: 2 hours, at: 90%}\n", ""), &problems);
	assert_string_equal(p->notify.command, "/bin/sh");
	assert_int_equal(p->notify.mail, NOTIFY_BOTH);
	assert_string_equal(p->notify.admin, "A@x.example");
	assert_string_equal(p->notify.from, "p@contoso.com");
	assert_string_equal(p->notify.sendmail, "/bin/cat");
	assert_int_equal(p->notify.quiet, 7200);
	assert_int_equal(p->notify.at, 90);
	policy_unref(&p);
	problems_free(&problems);
	p = folder_load_good(with_top("", ""), &problems);
	assert_string_equal(p->notify.command, "");
	assert_int_equal(p->notify.mail, NOTIFY_NO);
	assert_string_equal(p->notify.sendmail, "/usr/sbin/sendmail");
	assert_int_equal(p->notify.quiet, 3600);
	assert_int_equal(p->notify.at, 80);
	policy_unref(&p);
	problems_free(&problems);
}

#define BOTH "notify: {from: p@contoso.com, admin: a@x.example}\n"

static void
test_summary(void **state)
{
	static const struct top_row rows[] = {
		{"summary: {}\n", "", false, 0, 0, NULL},
		{BOTH "summary: {owners: weekly, admin: daily, weekday: fri, time: 18:30, empty: yes}\n", ", owner: o@x.example", false, 0, 0, NULL},
		{BOTH "summary: {owners: monthly}\n", "", true, 2, 19, "expected one of off, weekly, daily"},
		{BOTH "summary: {weekday: friday}\n", "", true, 2, 20, "did you mean \"fri\""},
		{BOTH "summary: {time: 24:00}\n", "", true, 2, 17, "expected a time of day from 00:00 to 23:59"},
		{BOTH "summary: {time: 7:00}\n", "", true, 2, 17, "\"7:00\" is no value of \"time\""},
		{BOTH "summary: {time: 07:60}\n", "", true, 2, 17, "expected a time of day"},
		{BOTH "summary: {empty: perhaps}\n", "", true, 2, 18, "expected yes or no"},
		{BOTH "summary: {colour: red}\n", "", true, 2, 11, "unknown option \"colour\" in the summary block"},
		{"summary: {owners: weekly}\n", ", owner: o@x.example", true, 1, 19, "needs \"from\" in the block \"notify\""},
		{"notify: {from: p@contoso.com}\nsummary: {admin: weekly}\n", "", true, 2, 18, "needs \"admin\" in the block \"notify\""},
		{"", ", owner: o@x.example, summary: daily", true, 5, 119, "needs \"from\" in the block \"notify\""},
		{"notify: {from: p@x.example}\n", ", owner: o@x.example, summary: daily", false, 1, 16, "x.example is no accepted"},
		{"notify: {from: p@x.example}\n", ", owner: o@x.example, summary: off", false, 0, 0, NULL},
		{BOTH "summary: {owners: weekly}\n", "", false, 7, 5, "nobody gets a summary of app \"one\": it has no owner"},
		{BOTH "summary: {owners: weekly, admin: weekly}\n", "", false, 0, 0, NULL},
		{BOTH "summary: {admin: weekly}\n", ", summary: weekly", false, 7, 5, "nobody gets a summary of app \"one\""},
		{BOTH "summary: {owners: weekly, admin: weekly}\n", ", owner: Joe", false, 7, 5, "gets no summary: \"Joe\" is no address"},
	};
	struct problems *problems;
	struct policy *p;

	(void)state;
	check_top(rows, sizeof rows / sizeof rows[0]);
	p = folder_load_good(with_top(BOTH "summary: {owners: weekly, admin: daily, weekday: sun, time: 18:30, empty: yes}\n",
				      ", owner: o@x.example"), &problems);
	assert_int_equal(p->summary.owners, SUMMARY_WEEKLY);
	assert_int_equal(p->summary.admin, SUMMARY_DAILY);
	assert_int_equal(p->summary.weekday, 0);
	assert_int_equal(p->summary.minute, 18 * 60 + 30);
	assert_true(p->summary.empty);
	assert_int_equal(p->apps[0].summary, SUMMARY_WEEKLY);
	policy_unref(&p);
	problems_free(&problems);
	p = folder_load_good(with_top("", ""), &problems);
	assert_int_equal(p->summary.owners, SUMMARY_OFF);
	assert_int_equal(p->summary.admin, SUMMARY_OFF);
	assert_int_equal(p->summary.weekday, 1);
	assert_int_equal(p->summary.minute, 7 * 60);
	assert_false(p->summary.empty);
	assert_int_equal(p->apps[0].summary, SUMMARY_OFF);
	policy_unref(&p);
	problems_free(&problems);
}

/* Whether the load warns that the second app is hidden by the first; each is
 * given by what it matches. */
static bool
is_hidden(const char *first, const char *second)
{
	struct problems *problems;
	struct policy *p;
	char yaml[1000];
	bool hidden;

	snprintf(yaml, sizeof yaml,
		 "listen: unix:/m\n"
		 "tenants:\n"
		 "  contoso: {accepted-domains: d.csv, next-hop: mx.example}\n"
		 "apps:\n"
		 "  - {name: one, tenant: contoso, method: acs, senders: a@contoso.com, %s}\n"
		 "  - {name: two, tenant: contoso, method: acs, senders: a@contoso.com, %s}\n", first, second);
	p = folder_load_good(yaml, &problems);
	hidden = problems_count(problems) > 0;
	if (hidden)
		folder_expect(problems, false, "p.yaml", 6, 5, "app \"two\" is never reached: whatever it matches, app \"one\"");
	policy_unref(&p);
	problems_free(&problems);
	return hidden;
}

static void
test_hidden_app(void **state)
{
	static const struct { const char *first, *second; bool hidden; } rows[] = {
		{"clients: 10.0.0.0/8", "clients: 10.1.2.3", true},
		{"clients: 10.1.2.3", "clients: 10.0.0.0/8", false},
		{"clients: 10.1.0.0/16", "clients: [10.1.2.3, 10.2.0.1]", false},
		{"clients: [10.2.0.0/16, 10.1.0.0/16]", "clients: [10.1.2.3, 10.2.0.1]", true},
		{"clients: 0.0.0.0/0", "clients: fd00::1", false},
		{"clients: \"fd00::/8\"", "clients: fd00::1", true},
		{"clients: [local, 10.1.2.3]", "clients: local", true},
		{"clients: 10.1.2.3", "clients: [local, 10.1.2.3]", false},
		{"clients: 10.1.2.3", "clients: 10.1.2.3, logins: app", false},
		{"clients: 10.1.2.3, logins: app", "clients: 10.1.2.3", false},
		{"clients: 10.1.2.3, logins: \"*\"", "clients: 10.1.2.3", true},
		{"logins: \"app-*\"", "clients: 10.1.2.3, logins: app-1", true},
		{"logins: \"app-*\"", "logins: [app-1, other]", false},
		{"logins: app-1", "logins: \"app-*\"", false},
		{"clients: 10.1.2.3, certificates: \"CN=a\"", "clients: 10.1.2.3", false},
		{"clients: 10.1.2.3", "clients: 10.1.2.3, certificates: \"CN=a\"", true},
		{"certificates: \"CN=*\"", "certificates: \"CN=a\"", true},
		{"certificates: \"CN=*\"", "certificates: \"CN=a\", logins: app", false},
	};

	(void)state;
	folder_write("d.csv", "contoso.com\n");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (is_hidden(rows[i].first, rows[i].second) != rows[i].hidden)
			fail_msg("%s, then %s", rows[i].first, rows[i].second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_ten_mistakes),
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_included_mistakes),
		cmocka_unit_test(test_included_nothing),
		cmocka_unit_test(test_signing_subdomains),
		cmocka_unit_test(test_database),
		cmocka_unit_test(test_notify), cmocka_unit_test(test_summary),
		cmocka_unit_test(test_hidden_app),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
