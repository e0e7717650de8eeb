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
	};

	return cmocka_run_group_tests(tests, make, folder_remove);
}
