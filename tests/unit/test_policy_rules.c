/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules in the policy file: every option is read right, every mistake is found
 * in its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/message.h"
#include "tests/unit/folder.h"

#define BIT(c) (UINT32_C(1) << (c))
#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

/* Nine lines; the rules follow. */
static const char head[] =
	"listen: unix:/m\n"
	"tenants:\n"
	"  contoso: {accepted-domains: d.csv, next-hop: mx.example}\n"
	"  fabrikam: {accepted-domains: f.csv, next-hop: mx.example}\n"
	"apps:\n"
	"  - {name: crm, tenant: contoso, clients: 10.0.0.1, method: acs, senders: a@contoso.com}\n"
	"  - {name: printers, tenant: contoso, clients: 10.0.0.2, method: acs, senders: a@contoso.com}\n"
	"# rules\n"
	"rules:\n";

static struct policy *
load(const char *rules, struct problems **problems_r)
{
	static char yaml[20000];

	folder_write("d.csv", "contoso.com\n");
	folder_write("f.csv", "fabrikam.com\n");
	assert_true((size_t)snprintf(yaml, sizeof yaml, "%s%s", head, rules) < sizeof yaml);
	return folder_load(yaml, problems_r);
}

static struct policy *
load_good(const char *rules)
{
	struct problems *problems;
	struct policy *p = load(rules, &problems);

	if (p == NULL || problems_count(problems) > 0)
		problems_print(problems, stderr);
	assert_non_null(p);
	assert_int_equal(problems_count(problems), 0);
	problems_free(&problems);
	return p;
}

static void
check_names(const struct names *n, const char *first, const char *second)
{
	assert_int_equal(n->n, 2);
	assert_string_equal(n->list[0], first);
	assert_string_equal(n->list[1], second);
}

/* The i-th pattern: "!" before its kind's letter when negated, then its text. */
static void
check_pattern(const struct match_list *l, size_t i, const char *expected)
{
	static const char letters[] = {[MATCH_GLOB] = 'g', [MATCH_REGEX] = 'r', [MATCH_ADDRESS] = 'a'};
	char got[200];

	assert_true(i < l->n);
	snprintf(got, sizeof got, "%s%c %s", l->items[i].is_negated ? "!" : "", letters[l->items[i].kind], l->items[i].text);
	assert_string_equal(got, expected);
	assert_int_equal(l->items[i].kind == MATCH_REGEX, l->items[i].regex != NULL);
}

static void
test_who(void **state)
{
	struct policy *p = load_good(
		"  - name: all\n"
		"    apps: [crm, unknown]\n"
		"    except: [printers, unknown]\n"
		"    tenants: [fabrikam, contoso]\n"
		"    methods: [connector, acs]\n"
		"    clients: [10.0.0.0/8, local, \"fd00::1\"]\n"
		"    logins: [\"svc-*\", \"!/^svc-[0-9]+$/i\"]\n"
		"    sender: [\"*@contoso.com\", \"!<>\", /bounce/]\n"
		"    from: ceo@contoso.com\n"
		"    tls: \"!TLSv1.3\"\n"
		"    action: reject\n");
	const struct rule *r = &p->rules[0];

	(void)state;
	assert_int_equal(p->n_rules, 1);
	assert_string_equal(r->name, "all");
	assert_string_equal(r->file, folder_path("p.yaml"));
	assert_int_equal(r->line, 10);
	assert_int_equal(r->given, BIT(CONDITION_APPS) | BIT(CONDITION_EXCEPT) | BIT(CONDITION_TENANTS) |
			 BIT(CONDITION_METHODS) | BIT(CONDITION_CLIENTS) | BIT(CONDITION_LOGINS) |
			 BIT(CONDITION_SENDER) | BIT(CONDITION_FROM) | BIT(CONDITION_TLS));
	check_names(&r->apps, "crm", "unknown");
	check_names(&r->except, "printers", "unknown");
	check_names(&r->tenants, "fabrikam", "contoso");
	assert_int_equal(r->methods, 1u << METHOD_CONNECTOR | 1u << METHOD_ACS);
	assert_int_equal(r->n_clients, 2);
	assert_true(r->local);
	check_pattern(&r->logins, 0, "g svc-*");
	check_pattern(&r->logins, 1, "!r !/^svc-[0-9]+$/i");
	check_pattern(&r->sender, 0, "a *@contoso.com");
	check_pattern(&r->sender, 1, "!a !<>");
	assert_true(r->sender.items[1].address.is_null);
	check_pattern(&r->sender, 2, "r /bounce/");
	check_pattern(&r->from, 0, "a ceo@contoso.com");
	check_pattern(&r->tls, 0, "!g !TLSv1.3");
	assert_int_equal(r->action, RULE_REJECT);
	assert_false(r->is_on_trial);
	policy_unref(&p);
}

static void
test_what(void **state)
{
	struct policy *p = load_good(
		"  - name: all\n"
		"    recipients: [external, \"!internal\", \"!local\", \"*@example.net\", \"!/x/\"]\n"
		"    subject: [\"*invoice*\", \"!/paid/\"]\n"
		"    header:\n"
		"      X-Class: secret\n"
		"      list-id: [/a/, \"!/b/\"]\n"
		"    body: [/one/s, \"! /two/x\"]\n"
		"    attachment: \"*.exe\"\n"
		"    attachment-type: [application/zip, \"!application/pdf\"]\n"
		"    action: hold\n"
		"    message: Ask first\n"
		"    contact: it@contoso.com\n"
		"    mode: monitor\n");
	const struct rule *r = &p->rules[0];

	(void)state;
	assert_int_equal(r->given, BIT(CONDITION_RECIPIENTS) | BIT(CONDITION_SUBJECT) | BIT(CONDITION_HEADER) |
			 BIT(CONDITION_BODY) | BIT(CONDITION_ATTACHMENT) | BIT(CONDITION_ATTACHMENT_TYPE));
	assert_int_equal(r->places, 1u << PLACE_EXTERNAL);
	assert_int_equal(r->no_places, 1u << PLACE_INTERNAL | 1u << PLACE_LOCAL);
	assert_int_equal(r->recipients.n, 2);
	check_pattern(&r->recipients, 0, "a *@example.net");
	check_pattern(&r->recipients, 1, "!r !/x/");
	check_pattern(&r->subject, 0, "g *invoice*");
	check_pattern(&r->subject, 1, "!r !/paid/");
	assert_int_equal(r->n_headers, 2);
	assert_string_equal(r->headers[0].name, "X-Class");
	check_pattern(&r->headers[0].patterns, 0, "g secret");
	assert_string_equal(r->headers[1].name, "list-id");
	check_pattern(&r->headers[1].patterns, 0, "r /a/");
	check_pattern(&r->headers[1].patterns, 1, "!r !/b/");
	check_pattern(&r->body, 0, "r /one/s");
	check_pattern(&r->body, 1, "!r ! /two/x");
	check_pattern(&r->attachment, 0, "g *.exe");
	check_pattern(&r->attachment_type, 1, "!g !application/pdf");
	assert_int_equal(r->action, RULE_HOLD);
	assert_string_equal(r->message, "Ask first");
	assert_string_equal(r->contact, "it@contoso.com");
	assert_true(r->is_on_trial);
	policy_unref(&p);
}

static void
test_nothing_given(void **state)
{
	struct policy *p = load_good("  - {name: bare, action: defer}\n  - {name: spoken, action: defer, mode: enforce}\n");

	(void)state;
	assert_int_equal(p->n_rules, 2);
	assert_int_equal(p->rules[0].given, 0);
	assert_string_equal(p->rules[0].message, "");
	assert_string_equal(p->rules[0].contact, "");
	assert_false(p->rules[0].is_on_trial || p->rules[1].is_on_trial);
	policy_unref(&p);
}

static void
test_actions(void **state)
{
	static const char *const words[] = {
		[RULE_ACCEPT] = "accept", [RULE_REJECT] = "reject", [RULE_DEFER] = "defer", [RULE_HOLD] = "hold",
		[RULE_DISCARD] = "discard", [RULE_TAG] = "tag", [RULE_REQUIRE_TLS] = "require-tls",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		char yaml[200];
		struct policy *p;

		snprintf(yaml, sizeof yaml, "  - {name: r, action: %s%s}\n", words[i], i == RULE_TAG ? ", tag: \"X-A: b\"" : "");
		p = load_good(yaml);
		assert_int_equal(p->rules[0].action, i);
		assert_string_equal(rule_action_name((enum rule_action)i), words[i]);
		policy_unref(&p);
	}
}

static void
test_tags(void **state)
{
	static const struct { const char *yaml, *name, *value; } rows[] = {
		{"\"X-Class: payroll\"", "X-Class", "payroll"},
		{"\"x-class:payroll\"", "x-class", "payroll"},
		{"\"X-Class:   a: b, c\"", "X-Class", "a: b, c"},
		{"\"X-MS-Exchange-Organisation: x\"", "X-MS-Exchange-Organisation", "x"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char yaml[200];
		struct policy *p;

		snprintf(yaml, sizeof yaml, "  - {name: r, action: tag, tag: %s}\n", rows[i].yaml);
		p = load_good(yaml);
		assert_string_equal(p->rules[0].tag_name, rows[i].name);
		assert_string_equal(p->rules[0].tag_value, rows[i].value);
		policy_unref(&p);
	}
}

static void
test_comparisons(void **state)
{
	static const struct { const char *option, *text; char op; uint64_t value; } rows[] = {
		{"size", "> 20M", '>', 20u << 20},
		{"size", ">=1k", 'g', 1024},
		{"size", "<=  3 G", 'l', UINT64_C(3) << 30},
		{"size", "< 0", '<', 0},
		{"size", "=4294967295", '=', UINT32_MAX},
		{"recipient-count", "> 50", '>', 50},
		{"recipient-count", "=1", '=', 1},
		{"recipient-count", "<=007", 'l', 7},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char yaml[200];
		struct policy *p;
		const struct comparison *c;

		snprintf(yaml, sizeof yaml, "  - {name: r, action: reject, %s: \"%s\"}\n", rows[i].option, rows[i].text);
		p = load_good(yaml);
		c = rows[i].option[0] == 's' ? &p->rules[0].size : &p->rules[0].recipient_count;
		assert_int_equal(c->op, rows[i].op);
		assert_int_equal(c->value, rows[i].value);
		assert_int_equal(p->rules[0].given, BIT(rows[i].option[0] == 's' ? CONDITION_SIZE : CONDITION_RECIPIENT_COUNT));
		policy_unref(&p);
	}
}

static void
test_times(void **state)
{
	static const struct { const char *text; unsigned from, to; } hours[] = {
		{"08:00-18:00", 480, 1080}, {"8:05-9:59", 485, 599}, {"22:00-06:00", 1320, 360},
		{"00:00-24:00", 0, 1440}, {"18:00-24:00", 1080, 1440}, {"18:00-00:00", 1080, 0}, {"24:00-06:00", 0, 360},
	};
	static const struct { const char *text; unsigned days; } days[] = {
		{"sun", 1}, {"MON", 2}, {"Wednesday", 8}, {"mon-fri", 62}, {"fri-mon", 99}, {"sat-sat", 64},
		{"[sat, sun]", 65}, {"[mon-tue, tuesday-wed]", 14}, {"sun-saturday", 127},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(hours); i++) {
		char yaml[200];
		struct policy *p;

		snprintf(yaml, sizeof yaml, "  - {name: r, action: reject, hours: [\"01:00-02:00\", \"%s\"]}\n", hours[i].text);
		p = load_good(yaml);
		assert_int_equal(p->rules[0].n_hours, 2);
		assert_int_equal(p->rules[0].hours[1].from, hours[i].from);
		assert_int_equal(p->rules[0].hours[1].to, hours[i].to);
		policy_unref(&p);
	}
	for (size_t i = 0; i < COUNT_OF(days); i++) {
		char yaml[200];
		struct policy *p;

		snprintf(yaml, sizeof yaml, "  - {name: r, action: reject, weekdays: %s}\n", days[i].text);
		p = load_good(yaml);
		assert_int_equal(p->rules[0].weekdays, days[i].days);
		policy_unref(&p);
	}
}

/* The digest tells conditions apart, and nothing else of a rule. */
static void
test_digest(void **state)
{
	static const char *const same[] = {
		"{name: r, action: reject, subject: [a, b], size: \"> 1\"}", "{name: other, action: reject, size: '> 1', subject: [a, b]}",
		"{name: r, message: no, contact: x, mode: monitor, action: hold, subject: ['a', \"b\"], size: \"> 1\"}",
	};
	static const char *const different[] = {
		"{name: r, action: reject, subject: [a, b]}", "{name: r, action: reject, subject: [b, a], size: \"> 1\"}",
		"{name: r, action: reject, subject: ab, size: \"> 1\"}", "{name: r, action: reject, body: [/a/, /b/], size: \"> 1\"}",
		"{name: r, action: reject, header: {a: b}}", "{name: r, action: reject, header: {b: a}}",
		"{name: r, action: reject, header: {a: [b]}}", "{name: r, action: reject}",
	};
	char first[20], yaml[200], digests[COUNT_OF(different)][20];
	struct policy *p;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(same); i++) {
		snprintf(yaml, sizeof yaml, "  - %s\n", same[i]);
		p = load_good(yaml);
		if (i == 0)
			snprintf(first, sizeof first, "%s", p->rules[0].conditions);
		assert_int_equal(strlen(first), 16);
		assert_string_equal(p->rules[0].conditions, first);
		policy_unref(&p);
	}
	for (size_t i = 0; i < COUNT_OF(different); i++) {
		snprintf(yaml, sizeof yaml, "  - %s\n", different[i]);
		p = load_good(yaml);
		snprintf(digests[i], sizeof digests[i], "%s", p->rules[0].conditions);
		assert_string_not_equal(digests[i], first);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(digests[i], digests[j]);
		policy_unref(&p);
	}
}

/* One mistake each: the option's line stands as the 12th, indented by four. */
struct mistake {
	const char *option;
	unsigned column;
	const char *words;
};

static void
check_mistake(const struct mistake *m, const char *action)
{
	struct problems *problems;
	char yaml[1500];
	const struct problem *p;

	snprintf(yaml, sizeof yaml, "  - name: r\n    %s\n    %s\n", action, m->option);
	if (load(yaml, &problems) != NULL)
		fail_msg("%s: loads", m->option);
	if (problems_count(problems) != 1)
		problems_print(problems, stderr);
	assert_int_equal(problems_count(problems), 1);
	p = problems_at(problems, 0);
	if (!p->is_error || p->line != 12 || p->column != m->column || strstr(p->text, m->words) == NULL)
		fail_msg("%s: %u:%u \"%s\", expected column %u and \"%s\"", m->option, p->line, p->column, p->text, m->column,
			 m->words);
	problems_free(&problems);
}

static void
test_mistakes_of_names(void **state)
{
	static const struct mistake rows[] = {
		{"apps: [crm, printer]", 17, "there is no app \"printer\"; did you mean \"printers\"?"},
		{"apps: xyzzy", 11, "there is no app \"xyzzy\""},
		{"apps: CRM", 11, "did you mean \"crm\"?"},
		{"except: [unknwn]", 14, "did you mean \"unknown\"?"},
		{"tenants: contosso", 14, "there is no tenant \"contosso\"; did you mean \"contoso\"?"},
		{"tenants: [unknown]", 15, "there is no tenant \"unknown\""},
		{"methods: [acs, smtpauth]", 20, "\"smtpauth\" is no method, or stands twice; did you mean \"smtp-auth\"?"},
		{"methods: [acs, hve, acs]", 25, "stands twice"},
		{"clients: [10.0.0.1, 10.0.0.256]", 25, "\"10.0.0.256\" is no client"},
		{"clients: locl", 14, "is no client"},
		{"app: crm", 5, "unknown option \"app\" in a rule; did you mean \"apps\"?"},
		{"reciepients: external", 5, "did you mean \"recipients\"?"},
		{"mode: montior", 11, "did you mean \"monitor\"?"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_mistake(&rows[i], "action: reject");
}

static void
test_mistakes_of_patterns(void **state)
{
	static const struct mistake rows[] = {
		/* the column is that of the octet in the file, whatever stands around the pattern */
		{"subject: /a(b/", 18, "missing closing parenthesis"},
		{"subject: '/a(b/'", 19, "missing closing parenthesis"},
		{"subject: [ok, \"/ab[c/i\"]", 25, "missing terminating ]"},
		{"subject: '!/a(b/'", 20, "missing closing parenthesis"},
		{"subject: '!  /a(b/'", 22, "missing closing parenthesis"},
		{"subject: /a)b/", 16, "pattern \"/a)b/\""},
		{"subject: /ab/q", 18, "flag"},
		{"subject: '/ab/ii'", 20, "flag"},
		{"subject: /ab", 17, "no closing slash"},
		{"subject: '!'", 16, "there is no pattern"},
		{"subject: ''", 15, "there is no pattern"},
		{"body: payroll", 11, "expected a pattern between slashes, such as /payroll/i"},
		{"body: [/a/, \"!b\"]", 19, "between slashes"},
		{"body: /\\Kx/", 12, "\\K is not supported"},
		{"sender: [a@contoso.com, nobody]", 35, "no domain; expected"},
		{"sender: a b@contoso.com", 14, "expected letters"},
		{"from: \"!a@-x.com\"", 15, "pattern"},
		{"recipients: [external, exernal]", 35, "no domain"},
		{"recipients: \"!outside\"", 26, "no domain"},
		{"header: {X-A: /(/}", 21, "missing closing parenthesis"},
		{"header: {X-A: [a, /(/]}", 25, "missing closing parenthesis"},
		{"header: {\"X A\": b}", 14, "\"X A\" is no name of a header field"},
		{"header: {\"X-\xc3\xa4\": b}", 14, "is no name of a header field"},
		{"attachment: /*.exe/", 18, "quantifier"},
		{"attachment-type: /(?<n/", 27, "pattern"},
		{"tls: /(/", 12, "missing closing parenthesis"},
		{"logins: [/(/]", 16, "missing closing parenthesis"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_mistake(&rows[i], "action: reject");
}

static void
test_mistakes_of_numbers(void **state)
{
	static const struct mistake rows[] = {
		{"size: 20M", 11, "\"20M\" is no comparison; expected <, <=, =, >= or > and a number, such as \"> 20M\""},
		{"size: \"> 20T\"", 11, "no comparison"},
		{"size: \"> M\"", 11, "no comparison"},
		{"size: \"=> 1\"", 11, "no comparison"},
		{"size: \"> 1 2\"", 11, "no comparison"},
		{"size: \"> -1\"", 11, "no comparison"},
		{"size: \"> 99999999999999999999999999\"", 11, "no comparison"},
		{"recipient-count: \"> 1K\"", 22, "such as \"> 50\""},
		{"recipient-count: 5", 22, "no comparison"},
		{"hours: [\"08:00-18:00\", \"08:00-08:00\"]", 28, "no span of hours"},
		{"hours: 8-18", 12, "no span of hours; expected one such as 08:00-18:00"},
		{"hours: \"08:00-24:01\"", 12, "no span of hours"},
		{"hours: \"08:60-09:00\"", 12, "no span of hours"},
		{"hours: \"25:00-09:00\"", 12, "no span of hours"},
		{"hours: \"08:00-18:00x\"", 12, "no span of hours"},
		{"hours: \"08:00-:30\"", 12, "no span of hours"},
		{"hours: \":30-08:00\"", 12, "no span of hours"},
		{"hours: \"24:00-00:00\"", 12, "no span of hours"},
		{"hours: \"08:00-\"", 12, "no span of hours"},
		{"weekdays: [mon, freitag]", 21, "\"freitag\" is no weekday; expected one such as mon"},
		{"weekdays: mon-", 15, "no weekday"},
		{"weekdays: mo", 15, "no weekday"},
		{"weekdays: mon-fri-sat", 15, "no weekday"},
		{"weekdays: 1", 15, "no weekday"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_mistake(&rows[i], "action: reject");
}

static void
test_mistakes_of_tags(void **state)
{
	static const struct mistake rows[] = {
		{"tag: \"Subject: x\"", 10, "no tag; expected a field whose name begins with X-"},
		{"tag: \"Class: payroll\"", 10, "no tag"},
		{"tag: X-Class", 10, "no tag"},
		{"tag: \"X-: a\"", 10, "no tag"},
		{"tag: \"X-Class : a\"", 10, "no tag"},
		{"tag: \"X-\xc3\x84: a\"", 10, "no tag"},
		{"tag: \"X-A\\x07: a\"", 10, "no tag"},
		{"tag: \"X-Class:\"", 10, "no value"},
		{"tag: \"X-MS-Exchange-Organization-SCL: -1\"", 10, "of Exchange or Postern itself"},
		{"tag: \"x-ms-exchange-crosstenant-id: -1\"", 10, "of Exchange or Postern itself"},
		{"tag: \"X-Postern-Id: 1\"", 10, "of Exchange or Postern itself"},
		{"tag: \"X-A: \xc3\xa4\"", 10, "printable ASCII"},
		{"tag: \"X-A: a\\nX-B: b\"", 10, "printable ASCII"},
	};
	static const struct mistake without = {"tag: \"X-Class: a\"", 10, "goes with action tag only"};
	char yaml[800];
	struct problems *problems;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_mistake(&rows[i], "action: tag");
	check_mistake(&without, "action: reject");
	assert_null(load("  - name: r\n    action: tag\n", &problems));
	folder_expect(problems, true, "p.yaml", 10, 5, "action tag needs \"tag\"");
	problems_free(&problems);
	snprintf(yaml, sizeof yaml, "  - {name: r, action: tag, tag: \"X-A: %0501d\"}\n", 0);
	assert_null(load(yaml, &problems));
	folder_expect(problems, true, "p.yaml", 10, 33, "at most 500");
	problems_free(&problems);
	snprintf(yaml, sizeof yaml, "  - {name: r, action: reject, message: %0301d}\n", 0);
	assert_null(load(yaml, &problems));
	folder_expect(problems, true, "p.yaml", 10, 40, "one line of at most 300");
	problems_free(&problems);
}

static void
test_mistakes_of_shape(void **state)
{
	static const struct mistake rows[] = {
		{"subject: []", 14, "this condition is empty"},
		{"header: {}", 13, "this condition is empty"},
		{"header: {X-A: []}", 19, "empty"},
		{"apps: []", 11, "this condition is empty"},
		{"recipients: []", 17, "this condition is empty"},
		{"hours:", 11, "this condition is empty"},
		{"size:", 10, "holds nothing"},
		{"subject: {a: b}", 14, "holds a mapping; expected a list of text"},
		{"subject: [a, [b]]", 18, "holds a list; expected text"},
		{"header: X-A", 13, "expected a mapping"},
		{"header: {X-A: {b: c}}", 19, "holds a mapping"},
		{"action: hold", 5, "stands twice"},
		{"message: \"a\\nb\"", 14, "one line"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_mistake(&rows[i], "action: reject");
}

static void
check_rules(const char *rules, unsigned line, unsigned column, const char *words)
{
	struct problems *problems;

	if (load(rules, &problems) != NULL)
		fail_msg("loads: %s", rules);
	folder_expect(problems, true, "p.yaml", line, column, words);
	assert_int_equal(problems_count(problems), 1);
	problems_free(&problems);
}

static void
test_mistakes_of_the_whole(void **state)
{
	(void)state;
	check_rules("  - action: reject\n", 10, 5, "a rule needs \"name\"");
	check_rules("  - name: r\n", 10, 5, "a rule needs \"action\"");
	check_rules("  - {name: r, action: block}\n", 10, 23, "expected one of accept, reject, defer, hold");
	check_rules("  - {name: r, action: rejct}\n", 10, 23, "did you mean \"reject\"?");
	check_rules("  - {name: a b, action: reject}\n", 10, 12, "is no name for a rule");
	check_rules("  - r\n", 10, 5, "expected a rule as a mapping");
	check_rules("  - {name: r, action: reject}\n  - {name: R, action: hold}\n", 11, 12, "stands at ");
	check_rules("  name: r\n", 10, 3, "expected a list");
}

/* In one run: all files, in order. */
static void
test_many_mistakes(void **state)
{
	static const char main_file[] =
		"listen: unix:/m\n"
		"include: [parts/1.yaml, parts/2.yaml]\n"
		"rules:\n"
		"  - {name: first, apps: crn, action: reject}\n"
		"  - name: second\n"
		"    subject: '/a(b/'\n"
		"    hours: 9-5\n"
		"    weekdays: someday\n"
		"    size: big\n"
		"    action: rejected\n"
		"    tag: \"X-Postern-A: b\"\n";
	static const char part_1[] =
		"tenants:\n"
		"  contoso: {accepted-domains: d.csv, next-hop: mx.example}\n"
		"apps:\n"
		"  - {name: crm, tenant: contoso, clients: 10.0.0.1, method: acs, senders: a@contoso.com}\n"
		"rules:\n"
		"  - {name: First, action: hold}\n"
		"  - {name: third, apps: [crm], action: hold}\n";
	static const char part_2[] =
		"rules:\n"
		"  - {name: third, action: reject}\n"
		"  - {name: fourth, subject: [], body: x, action: reject}\n";
	static const struct { const char *file; unsigned line, column; const char *words; } rows[] = {
		{"p.yaml", 4, 25, "there is no app \"crn\"; did you mean \"crm\"?"},
		{"p.yaml", 6, 19, "missing closing parenthesis"},
		{"p.yaml", 7, 12, "no span of hours"},
		{"p.yaml", 8, 15, "no weekday"},
		{"p.yaml", 9, 11, "no comparison"},
		{"p.yaml", 10, 13, "no value of \"action\""},
		{"p.yaml", 11, 10, "goes with action tag only"},
		{"p.yaml", 11, 10, "of Exchange or Postern itself"},
		{"parts/1.yaml", 6, 12, "p.yaml:4 already"},
		{"parts/2.yaml", 2, 12, "parts/1.yaml:7 already"},
		{"parts/2.yaml", 3, 29, "this condition is empty"},
		{"parts/2.yaml", 3, 39, "between slashes"},
	};
	struct problems *problems;

	(void)state;
	folder_write("d.csv", "contoso.com\n");
	folder_write("parts/1.yaml", part_1);
	folder_write("parts/2.yaml", part_2);
	assert_null(folder_load(main_file, &problems));
	if (problems_count(problems) != COUNT_OF(rows))
		problems_print(problems, stderr);
	assert_int_equal(problems_count(problems), COUNT_OF(rows));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct problem *p = problems_at(problems, i);

		assert_string_equal(p->file, folder_path(rows[i].file));
		if (p->line != rows[i].line || p->column != rows[i].column || strstr(p->text, rows[i].words) == NULL)
			fail_msg("%u:%u %s, expected %u:%u %s", p->line, p->column, p->text, rows[i].line, rows[i].column,
				 rows[i].words);
	}
	problems_free(&problems);
}

/* Main file first, then the included ones: the order in which rules are asked. */
static void
test_order(void **state)
{
	static const char *const names[] = {"one", "two", "three", "four"};
	struct problems *problems;
	struct policy *p;
	char main_file[1000];

	(void)state;
	folder_write("parts/1.yaml", "rules: [{name: three, action: hold}]\n");
	folder_write("parts/2.yaml", "rules: [{name: four, action: hold}]\n");
	snprintf(main_file, sizeof main_file, "include: [parts/1.yaml, parts/2.yaml]\n%s"
		 "  - {name: one, action: hold}\n  - {name: two, action: hold}\n", head);
	folder_write("d.csv", "contoso.com\n");
	folder_write("f.csv", "fabrikam.com\n");
	p = folder_load_good(main_file, &problems);
	assert_int_equal(p->n_rules, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(p->rules[i].name, names[i]);
	assert_string_equal(p->rules[3].file, folder_path("parts/2.yaml"));
	policy_unref(&p);
	problems_free(&problems);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_what),
		cmocka_unit_test(test_nothing_given),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_comparisons),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_mistakes_of_names),
		cmocka_unit_test(test_mistakes_of_patterns),
		cmocka_unit_test(test_mistakes_of_numbers),
		cmocka_unit_test(test_mistakes_of_tags),
		cmocka_unit_test(test_mistakes_of_shape),
		cmocka_unit_test(test_mistakes_of_the_whole),
		cmocka_unit_test(test_many_mistakes),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
