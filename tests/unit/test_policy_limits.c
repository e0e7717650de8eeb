/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Warnings of limits that Exchange Online never lets a policy reach. The rate
 * of 10 licenses is 12006 a day by Microsoft's table, that of 1 is 10000.
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

static const char frame[] =
	"listen: unix:/m\n"
	"tenants:\n"
	"  ten: {accepted-domains: d.csv, next-hop: mx.example, licenses: 10, limits: [%s]}\n"
	"  one: {accepted-domains: e.csv, next-hop: mx.example, licenses: 1}\n"
	"  none: {accepted-domains: f.csv, next-hop: mx.example, limits: [%s]}\n"
	"apps:\n"
	"  - {name: app, clients: 10.0.0.1, tenants: [%s], method: %s, senders: [%s], limits: [%s]}\n";

/* What a load must say: one warning in that line with these words, or nothing
 * where they are NULL. */
static void
expect(const char *yaml, unsigned line, const char *limit, const char *words)
{
	struct problems *problems;
	struct policy *p = folder_load_good(yaml, &problems);

	if (problems_count(problems) != (words != NULL ? 1 : 0)) {
		problems_print(problems, stderr);
		fail_msg("%s: %zu warnings", limit, problems_count(problems));
	}
	if (words != NULL) {
		folder_expect(problems, false, "p.yaml", line, problems_at(problems, 0)->column, words);
		assert_non_null(strstr(problems_at(problems, 0)->text, limit));
	}
	policy_unref(&p);
	problems_free(&problems);
}

static void
test_tenant(void **state)
{
	static const struct { const char *limit; bool above; } rows[] = {
		{"12006 external-recipients/day", false},
		{"tenant-rate external-recipients/day", false},
		{"12007 external-recipients/day", true},
		{"12007 external-recipients/day per sender then observe", true},
		{"12006 external-recipients/hour", false},
		{"12007 external-recipients/hour", true},
		{"24012 external-recipients/36 hours", false},
		{"24012 external-recipients/2 days", false},
		{"24013 external-recipients/2 days", true},
		{"12007 recipients/day", false},
		{"12007 messages/day", false},
	};
	char yaml[2000];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *l = rows[i].limit;
		bool by_rate = strstr(l, "tenant-rate") != NULL;

		snprintf(yaml, sizeof yaml, frame, l, "", "ten", "acs", "a@contoso.com", "");
		expect(yaml, 3, l, rows[i].above ? "12006 external recipients a day from tenant \"ten\"" : NULL);
		if (by_rate)
			continue;
		snprintf(yaml, sizeof yaml, frame, "", l, "ten", "acs", "a@contoso.com", "");
		expect(yaml, 5, l, NULL);
	}
}

/* Trials and young tenants: what contradicts itself, and dates that are none. */
static void
test_rate(void **state)
{
	static const struct {
		const char *options;
		bool is_error;
		unsigned column;
		const char *words;      /* NULL: nothing is wrong */
	} rows[] = {
		{"trial: yes, limits: [tenant-rate external-recipients/day]", false, 0, NULL},
		{"trial: yes, limits: [5000 external-recipients/day]", false, 0, NULL},
		{"trial: yes, limits: [5001 external-recipients/day]", false, 77, "takes 5000 external recipients a day from tenant "
		 "\"ten\" (trial) at most"},
		{"trial: no, limits: [tenant-rate external-recipients/day]", true, 76, "or \"trial: yes\""},
		{"trial: no, licenses: 1", false, 0, NULL},
		{"trial: yes, licenses: 1", false, 68, "\"licenses\" is of no use with \"trial: yes\""},
		{"trial: yes, created: 2026-10-30", false, 68, "\"created\" is of no use with \"trial: yes\""},
		{"licenses: 1, created: 2026-10-30, limits: [10000 external-recipients/day]", false, 0, NULL},
		{"licenses: 1, created: 2026-10-30, limits: [10001 external-recipients/day]", false, 99, "takes 10000"},
		{"created: 2024-02-29", false, 0, NULL},
		{"created: 2026-02-29", true, 65, "expected a day from 2000 on, such as 2026-10-30"},
		{"created: 1999-12-31", true, 65, "expected a day"},
		{"created: 2026-10-31T00:00:00Z", true, 65, "expected a day"},
		{"created: 30.10.2026", true, 65, "expected a day"},
		{"created: 2026-1-1", true, 65, "expected a day"},
		{"created: 2026-00-10", true, 65, "expected a day"},
		{"created: 2026-13-01", true, 65, "expected a day"},
		{"created: 2026-04-31", true, 65, "expected a day"},
		{"created: 2026-04-00", true, 65, "expected a day"},
		{"created: 202604-012", true, 65, "expected a day"},
		{"created: 2026-04--1", true, 65, "expected a day"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct problems *problems;
		struct policy *p;
		char yaml[1000];

		snprintf(yaml, sizeof yaml, "listen: unix:/m\ntenants:\n"
			 "  ten: {accepted-domains: d.csv, next-hop: mx.example, %s}\n", rows[i].options);
		p = folder_load(yaml, &problems);
		if (problems_count(problems) != (rows[i].words != NULL ? 1 : 0)) {
			problems_print(problems, stderr);
			fail_msg("%s: %zu problems", rows[i].options, problems_count(problems));
		}
		if (rows[i].words != NULL)
			folder_expect(problems, rows[i].is_error, "p.yaml", 3, rows[i].column, rows[i].words);
		assert_int_equal(p == NULL, rows[i].is_error);
		policy_unref(&p);
		problems_free(&problems);
	}
}

/* The days that dates are. */
static void
test_dates(void **state)
{
	static const struct { const char *text; int64_t day; } rows[] = {
		{"2000-01-01", 10957}, {"2000-02-29", 11016}, {"2000-03-01", 11017}, {"2000-12-31", 11322},
		{"2024-02-29", 19782}, {"2026-10-30", 20756}, {"2100-02-28", 47540}, {"2100-03-01", 47541},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct problems *problems;
		struct policy *p;
		char yaml[500];

		snprintf(yaml, sizeof yaml, "listen: unix:/m\ntenants:\n"
			 "  ten: {accepted-domains: d.csv, next-hop: mx.example, created: %s, licenses: 3}\n", rows[i].text);
		p = folder_load_good(yaml, &problems);
		assert_int_equal(p->tenants[0].rate.created, rows[i].day);
		assert_int_equal(p->tenants[0].rate.licenses, 3);
		assert_false(p->tenants[0].rate.is_trial);
		policy_unref(&p);
		problems_free(&problems);
	}
}

#define FROM_TEN "12006 external recipients a day from tenant \"ten\""
#define FROM_BOTH "22006 external recipients a day from the app's tenants"
#define MAILBOX_DAY "10000 recipients a day from a mailbox"
#define MAILBOX_MINUTE "30 messages a minute from a mailbox"
#define TO_MAILBOX "3600 messages an hour for a mailbox"

static const struct app_row {
	const char *tenants, *method, *senders, *limit, *words;
} app_rows[] = {
	{"ten", "connector", "a@contoso.com", "12006 external-recipients/day", NULL},
	{"ten", "connector", "a@contoso.com", "12007 external-recipients/day", FROM_TEN},
	{"ten", "connector", "a@contoso.com", "12007 external-recipients/minute per client", FROM_TEN},
	{"ten", "connector", "a@contoso.com", "12007 recipients/day", NULL},
	{"ten", "connector", "a@contoso.com", "5000 messages/hour per recipient", NULL},
	{"ten", "connector", "a@contoso.com", "31 messages/minute", NULL},
	{"ten", "acs", "a@contoso.com", "12007 external-recipients/day", NULL},
	{"ten", "hve", "a@contoso.com", "12007 external-recipients/day", NULL},
	{"ten", "direct-send", "a@contoso.com", "12007 external-recipients/day", NULL},
	{"none", "connector", "a@tailspin.com", "12007 external-recipients/day", NULL},
	{"ten, one", "connector", "a@contoso.com", "22006 external-recipients/day", NULL},
	{"ten, one", "connector", "a@contoso.com", "22007 external-recipients/day", FROM_BOTH},
	{"ten, none", "connector", "a@contoso.com", "22007 external-recipients/day", NULL},
	{"ten", "smtp-auth", "a@contoso.com", "30 messages/minute", NULL},
	{"ten", "smtp-auth", "a@contoso.com", "31 messages/minute", MAILBOX_MINUTE},
	{"ten", "smtp-auth", "\"*@contoso.com\"", "31 messages/minute", NULL},
	{"ten", "smtp-auth", "a@contoso.com, b@contoso.com", "31 messages/minute", NULL},
	{"ten", "smtp-auth", "\"*@contoso.com\"", "31 messages/minute per sender", MAILBOX_MINUTE},
	{"ten", "smtp-auth", "a@contoso.com", "10000 recipients/day", NULL},
	{"ten", "smtp-auth", "a@contoso.com", "10001 recipients/day", MAILBOX_DAY},
	{"ten", "smtp-auth", "a@contoso.com", "10001 recipients/hour", MAILBOX_DAY},
	{"ten", "smtp-auth", "a@contoso.com", "12007 external-recipients/day", MAILBOX_DAY},
	{"ten", "smtp-auth", "\"*@contoso.com\"", "12007 external-recipients/day", FROM_TEN},
	{"ten", "direct-send", "a@contoso.com", "3600 messages/hour per recipient", NULL},
	{"ten", "direct-send", "a@contoso.com", "3601 messages/hour per recipient", TO_MAILBOX},
	{"ten", "direct-send", "a@contoso.com", "3601 recipients/hour per recipient", TO_MAILBOX},
	{"ten", "direct-send", "a@contoso.com", "3601 messages/minute per recipient", TO_MAILBOX},
	{"ten", "direct-send", "a@contoso.com", "86400 messages/day per recipient", NULL},
	{"ten", "direct-send", "a@contoso.com", "86401 messages/day per recipient", TO_MAILBOX},
	{"ten", "direct-send", "a@contoso.com", "3601 messages/hour", NULL},
	{"ten", "direct-send", "a@contoso.com", "3601 messages/hour per recipient-domain", NULL},
	{"ten", "direct-send", "a@contoso.com", "4G bytes/hour per recipient", NULL},
};

static void
test_app(void **state)
{
	char yaml[2000];

	(void)state;
	for (size_t i = 0; i < sizeof app_rows / sizeof app_rows[0]; i++) {
		const struct app_row *r = &app_rows[i];

		snprintf(yaml, sizeof yaml, frame, "", "", r->tenants, r->method, r->senders, r->limit);
		expect(yaml, 7, r->limit, r->words);
	}
}

/* The warning stands at the limit it speaks of, also behind other limits. */
static void
test_place(void **state)
{
	struct problems *problems;
	struct policy *p;
	char yaml[2000];

	(void)state;
	snprintf(yaml, sizeof yaml, frame, "", "", "ten", "connector", "a@contoso.com",
		 "5 messages/minute,\n     20000 external-recipients/day,\n     9 external-recipients/hour");
	p = folder_load_good(yaml, &problems);
	assert_int_equal(problems_count(problems), 1);
	folder_expect(problems, false, "p.yaml", 8, 6, "\"20000 external-recipients/day\"");
	policy_unref(&p);
	problems_free(&problems);
}

/* What apps hold of a budget. Apps stand from line 6 on; what their options say is of one
 * of them, at the word that is given. */
static const char reserved_frame[] =
	"listen: unix:/m\n"
	"tenants:\n"
	"  ten: {accepted-domains: d.csv, next-hop: mx.example, licenses: 1, limits: [%s]}\n"
	"  one: {accepted-domains: e.csv, next-hop: mx.example, limits: [100 external-recipients/hour]}\n"
	"apps:\n"
	"  - {name: a, clients: 10.0.0.1, tenants: [ten], method: connector, senders: a@contoso.com, %s}\n"
	"  - {name: b, clients: 10.0.0.2, tenants: [ten], method: smtp-auth, senders: a@contoso.com, %s}\n"
	"  - {name: c, clients: 10.0.0.3, tenants: [ten, one], method: connector, senders: a@contoso.com, %s}\n"
	"  - {name: d, clients: 10.0.0.4, tenants: [ten], method: direct-send, senders: a@contoso.com, %s}\n"
	"  - {name: e, clients: 10.0.0.5, tenants: [ten], method: connector, senders: a@contoso.com, %s}\n";

#define NO "critical: no"

static const struct reserved_row {
	const char *limits, *options[5];
	bool is_error;
	unsigned line;
	const char *at, *words;     /* NULL: nothing is wrong */
} reserved_rows[] = {
	{"1000 external-recipients/day", {NO, NO, NO, NO, NO}, false, 0, NULL, NULL},
	{"1000 external-recipients/day", {"reserved: 500", "reserved: 10%", NO, NO, NO}, false, 0, NULL, NULL},
	{"1000 external-recipients/day", {"reserved: 500", "reserved: 41%", NO, NO, "critical: yes"}, true, 7, "41%",
	 "910 of ten/external-recipients-per-day are reserved with this, beside the last tenth, which is for critical apps, "
	 "but it is 1000"},
	{"1000 external-recipients/day", {"reserved: 500", "reserved: 501", NO, NO, NO}, true, 7, "501", "1001 of "
	 "ten/external-recipients-per-day are reserved with this, but it is 1000"},
	{"1000 external-recipients/day", {"reserved: 5000", NO, NO, NO, NO}, true, 6, "5000", "5000 of"},
	{"1000 external-recipients/day", {"reserved: 500", "reserved: 50%", NO, NO, NO}, false, 7, "50%", "all of "
	 "ten/external-recipients-per-day (1000) is reserved with this, so nothing is left for app \"e\""},
	{"1000 external-recipients/day", {"reserved: 500", "reserved: 40%", "critical: yes", NO, NO}, false, 7, "40%",
	 "nothing is left for app \"e\""},
	{"1000 external-recipients/day, 100 external-recipients/hour", {"reserved: 101", NO, NO, NO, NO}, true, 6, "101",
	 "101 of ten/external-recipients-per-hour"},
	{"1000 external-recipients/day, 100 external-recipients/hour then observe", {"reserved: 101", NO, NO, NO, NO},
	 false, 0, NULL, NULL},
	{"tenant-rate external-recipients/day", {"reserved: 9000", NO, NO, NO, "critical: no"}, false, 0, NULL, NULL},
	{"tenant-rate external-recipients/day", {"reserved: 10001", NO, NO, NO, NO}, true, 6, "10001", "but it is 10000"},
	/* Shares that are none. */
	{"1000 external-recipients/day", {"reserved: 0", NO, NO, NO, NO}, true, 6, "0}", "expected 1 to 1000000000"},
	{"1000 external-recipients/day", {"reserved: 0%", NO, NO, NO, NO}, true, 6, "0%", "expected 1% to 100%"},
	{"1000 external-recipients/day", {"reserved: 101%", NO, NO, NO, NO}, true, 6, "101%", "expected 1% to 100%"},
	{"1000 external-recipients/day", {"reserved: all", NO, NO, NO, NO}, true, 6, "all", "a number such as 500 or a share "
	 "such as 10%"},
	{"1000 external-recipients/day", {"reserved: 5%%", NO, NO, NO, NO}, true, 6, "5%%", "a share such as 10%"},
	{"1000 external-recipients/day", {"critical: maybe", NO, NO, NO, NO}, true, 6, "maybe", "expected yes or no"},
	/* No budget: none at all, with a key, one that observes, of another unit. */
	{"", {"reserved: 5", NO, NO, NO, NO}, true, 6, "5}", "\"reserved\" needs a budget: give tenant \"ten\" a limit"},
	{"", {"critical: yes", NO, NO, NO, NO}, true, 6, "yes", "\"critical\" needs a budget"},
	{"9 external-recipients/day per sender", {"reserved: 5", NO, NO, NO, NO}, true, 6, "5}", "needs a budget"},
	{"9 external-recipients/day then observe", {"reserved: 5", NO, NO, NO, NO}, true, 6, "5}", "needs a budget"},
	{"9 recipients/day", {"reserved: 5", NO, NO, NO, NO}, true, 6, "5}", "needs a budget"},
	/* A method that is not charged. */
	{"1000 external-recipients/day", {NO, NO, NO, "reserved: 5", NO}, true, 9, "5}", "mail by Direct Send is not charged"},
	{"1000 external-recipients/day", {NO, NO, NO, "critical: yes", NO}, true, 9, "yes", "\"critical\" goes with connector "
	 "and smtp-auth apps"},
	/* Several tenants: a share in each. */
	{"1000 external-recipients/day", {NO, NO, "reserved: 5%", NO, NO}, false, 0, NULL, NULL},
	{"1000 external-recipients/day", {NO, NO, "reserved: 5", NO, NO}, false, 8, "5}", "5 are reserved in each of the app's 2 "
	 "tenants"},
	{"", {NO, NO, "reserved: 5%", NO, NO}, false, 8, "5%", "tenant \"ten\" has no limit of external-recipients, so "
	 "\"reserved\" says nothing there"},
	{"", {NO, NO, "critical: yes", NO, NO}, false, 8, "yes", "\"critical\" says nothing there"},
	{"1000 external-recipients/day", {"reserved: 96%", NO, "reserved: 5%", NO, NO}, true, 8, "5%", "1010 of ten/"},
};

/* Where a word stands among the options of the app in a line. */
static unsigned
column_of(const char *yaml, unsigned line, const char *at)
{
	const char *start = yaml;

	while (--line > 0)
		start = strchr(start, '\n') + 1;
	return (unsigned)(strstr(strstr(start, "a@contoso.com, "), at) - start) + 1;
}

static void
test_reserved(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof reserved_rows / sizeof reserved_rows[0]; i++) {
		const struct reserved_row *r = &reserved_rows[i];
		struct problems *problems;
		struct policy *p;
		char yaml[2000];

		snprintf(yaml, sizeof yaml, reserved_frame, r->limits, r->options[0], r->options[1], r->options[2], r->options[3],
			 r->options[4]);
		p = folder_load(yaml, &problems);
		if (problems_count(problems) != (r->words != NULL ? 1 : 0)) {
			problems_print(problems, stderr);
			fail_msg("row %zu: %zu problems", i, problems_count(problems));
		}
		if (r->words != NULL)
			folder_expect(problems, r->is_error, "p.yaml", r->line, column_of(yaml, r->line, r->at), r->words);
		assert_int_equal(p == NULL, r->is_error);
		policy_unref(&p);
		problems_free(&problems);
	}
}

/* What becomes of it in the policy. */
static void
test_reserves(void **state)
{
	struct problems *problems;
	struct policy *p;
	char yaml[2000];

	(void)state;
	snprintf(yaml, sizeof yaml, reserved_frame, "1000 external-recipients/day, 50 external-recipients/day per sender",
		 "reserved: 500", "reserved: 10 %", "reserved: 7%, critical: yes", NO, NO);
	p = folder_load_good(yaml, &problems);
	assert_int_equal(p->tenants[0].n_reserves, 3);
	assert_int_equal(p->tenants[1].n_reserves, 1);
	assert_true(p->tenants[0].has_critical && p->tenants[1].has_critical);
	assert_string_equal(p->tenants[0].reserves[1].key, "app=b");
	assert_ptr_equal(p->tenants[1].reserves[0].app, &p->apps[2]);
	assert_true(p->apps[2].is_critical && !p->apps[0].is_critical);
	assert_string_equal(p->tenants[0].limits[0].tally, "ten/external-recipients-per-day-per-app");
	assert_null(p->tenants[0].limits[1].tally);
	assert_int_equal(budget_share(&p->apps[0].reserved, 1000), 500);
	assert_int_equal(budget_share(&p->apps[0].reserved, 300), 300);
	assert_int_equal(budget_share(&p->apps[1].reserved, 1009), 100);
	assert_int_equal(budget_share(&p->apps[2].reserved, UINT64_MAX / 4), UINT64_MAX / 4 / 100 * 7 + UINT64_MAX / 4 % 100 * 7 / 100);
	assert_int_equal(budget_kept(&p->tenants[0], 1009), 100);
	policy_unref(&p);
	problems_free(&problems);
}

static int
make(void **state)
{
	if (folder_make(state) != 0)
		return -1;
	folder_write("d.csv", "contoso.com\n");
	folder_write("e.csv", "fabrikam.com\n");
	folder_write("f.csv", "tailspin.com\n");
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tenant),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_app),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_reserves),
	};

	return cmocka_run_group_tests(tests, make, folder_remove);
}
