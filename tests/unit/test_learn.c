/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern learn from records to apps: what is joined and what is kept apart, what
 * is granted, measured and bounded, and text that cannot break out of YAML.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/learn.h"
#include "admin/learn_peaks.h"
#include "admin/learn_prefix.h"
#include "admin/learn_yaml.h"
#include "policy/file/yaml.h"
#include "tests/unit/folder.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])
#define MINUTE 60000
#define HOUR (60 * MINUTE)
#define BEGIN INT64_C(1790000000000)

static const char policy_text[] =
	"listen: unix:/tmp/x.sock\n"
	"mode: monitor\n"
	"unknown-clients: monitor\n"
	"tenants:\n"
	"  contoso:\n"
	"    accepted-domains: contoso.txt\n"
	"    next-hop: mx.example\n"
	"    licenses: 1\n"
	"  globex:\n"
	"    accepted-domains: globex.txt\n"
	"    next-hop: mx.example\n"
	"    connector-auth: certificate\n";

/* What a test says of a message; the rest is filled in. */
struct mail {
	const char *client, *login, *certificate, *sender, *from, *subject, *id, *helo, *form, *verdict;
	unsigned internal, external;
	int64_t at;
};

static struct policy *policy;
static struct learn *learn;
static int64_t next_time;

static const char *
domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at == NULL ? "" : at + 1;
}

static void
feed(struct mail m)
{
	struct record_recipient rcpt[8];
	struct record r = {
		.id = "00000000000000000000000001", .relay = "relay", .queue_id = "", .stage = "eom",
		.verdict = m.verdict == NULL ? "accept" : m.verdict,
		.reason = "", .enhanced = "", .text = "", .would = "", .would_reason = "", .would_text = "", .mode = "monitor",
		.app = "", .tenant = "", .method = "", .department = "", .client_name = "", .tls = "",
		.certificate_issuer = "", .header_sender = "", .signing = "", .policy = "", .trace = "",
		.client = m.client == NULL ? "10.0.0.1" : m.client, .login = m.login == NULL ? "" : m.login,
		.certificate = m.certificate == NULL ? "" : m.certificate, .sender = m.sender,
		.sender_domain = domain_of(m.sender), .header_from = m.from == NULL ? m.sender : m.from,
		.subject = m.subject == NULL ? "" : m.subject, .message_id = m.id == NULL ? "" : m.id,
		.helo = m.helo == NULL ? "" : m.helo, .form = m.form == NULL ? "" : m.form, .rcpt = rcpt,
	};

	r.header_from_domain = domain_of(r.header_from);
	for (unsigned i = 0; i < m.internal + m.external; i++)
		rcpt[r.n_rcpt++] = (struct record_recipient){
			.address = "x@y", .domain = i < m.internal ? "contoso.com" : "example.net", .place = "external",
			.accepted = true, .reason = "",
		};
	next_time = m.at != 0 ? m.at : next_time + HOUR;
	r.time = next_time;
	assert_int_equal(learn_message(learn, &r, NULL, 0), 0);
}

static void
feed_times(unsigned n, struct mail m)
{
	for (unsigned i = 0; i < n; i++)
		feed(m);
}

static int
start(void **state)
{
	struct problems *problems = NULL;

	(void)state;
	folder_write("contoso.txt", "contoso.com\n");
	folder_write("globex.txt", "globex.com\n");
	policy = folder_load_good(policy_text, &problems);
	problems_free(&problems);
	learn = learn_new(policy, "policy");
	learn->range = (struct store_range){.since = BEGIN, .until = INT64_MAX};
	learn->head_room = 100;
	next_time = BEGIN;
	return learn == NULL;
}

static int
stop(void **state)
{
	(void)state;
	learn_free(&learn);
	policy_unref(&policy);
	return 0;
}

static void
finish(void)
{
	assert_int_equal(learn_group(learn), 0);
	assert_int_equal(learn_senders(learn), 0);
	assert_int_equal(learn_networks(learn), 0);
	assert_int_equal(learn_names(learn), 0);
	assert_int_equal(learn_peaks(learn), 0);
}

/* The app of the source with this client and login. */
static const struct learn_app *
app_of(const char *client, const char *login)
{
	for (uint32_t i = 1; i <= learn->n_sources; i++) {
		const struct learn_source *s = learn_source(learn, i);

		if (strcmp(s->client, client) == 0 && strcmp(s->login, login) == 0)
			return learn_app_of(learn, s);
	}
	return NULL;
}

/* "a@x b@x (c@x)": what is granted, strays in parentheses, in order. */
static const char *
senders_of(const struct learn_app *a)
{
	static char buf[2000];
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < a->n_grants; i++)
		n += (size_t)snprintf(buf + n, sizeof buf - n, "%s%s%s%s", n > 0 ? " " : "", a->grants[i].is_stray ? "(" : "",
				      a->grants[i].text, a->grants[i].is_stray ? ")" : "");
	return buf;
}

static const char *
clients_of(const struct learn_app *a)
{
	static char buf[2000];
	char address[IP_TEXT_SIZE];
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < a->n_clients; i++) {
		const struct learn_client *c = &a->clients[i];

		ip_format(&c->net.base, address);
		n += (size_t)snprintf(buf + n, sizeof buf - n, "%s%s%s/%u%s", n > 0 ? " " : "", c->is_stray ? "(" : "", address,
				      c->net.bits, c->is_stray ? ")" : "");
	}
	return buf;
}

static void
test_login_is_one_app_on_several_clients(void **state)
{
	(void)state;
	feed_times(3, (struct mail){.client = "10.0.0.1", .login = "crm", .sender = "crm@contoso.com", .internal = 1});
	feed_times(3, (struct mail){.client = "10.9.0.1", .login = "CRM", .sender = "crm@contoso.com", .internal = 1});
	/* The same login used by something else is another app, which it is told by its client. */
	feed_times(3, (struct mail){.client = "10.7.0.1", .login = "crm", .sender = "erp@contoso.com", .internal = 1});
	/* Another login with the sender of the first is never the same app. */
	feed_times(3, (struct mail){.client = "10.0.0.1", .login = "web", .sender = "crm@contoso.com", .internal = 1});
	finish();
	assert_ptr_equal(app_of("10.0.0.1", "crm"), app_of("10.9.0.1", "CRM"));
	assert_ptr_not_equal(app_of("10.0.0.1", "crm"), app_of("10.7.0.1", "crm"));
	assert_ptr_not_equal(app_of("10.0.0.1", "crm"), app_of("10.0.0.1", "web"));
	assert_int_equal(learn->n_apps, 3);
	assert_string_equal(clients_of(app_of("10.0.0.1", "crm")), "10.0.0.1/32 10.9.0.1/32");
}

static void
test_one_sender_of_two_apps(void **state)
{
	(void)state;
	/* Alike by subjects, on two networks. */
	feed_times(5, (struct mail){.client = "10.1.0.1", .sender = "noreply@contoso.com", .subject = "Invoice 47", .internal = 1});
	feed_times(5, (struct mail){.client = "10.2.0.1", .sender = "noreply@contoso.com", .subject = "Invoice 9", .internal = 1});
	/* Next door, but subjects differ. */
	feed_times(5, (struct mail){.client = "10.1.0.2", .sender = "noreply@contoso.com", .subject = "Your password", .internal = 1});
	/* Subjects say nothing, Message-IDs do. */
	for (int i = 0; i < 40; i++) {
		char subject[2][40], id[2][60];

		for (int k = 0; k < 2; k++) {
			snprintf(subject[k], sizeof subject[k], "%c%c%c x%d", 'a' + i % 26, 'a' + i / 26, 'k' + k, i);
			snprintf(id[k], sizeof id[k], "<%d@%s.contoso.com>", i, k == 0 ? "hr" : "it");
			feed((struct mail){.client = k == 0 ? "10.3.0.1" : "10.3.0.2", .sender = "info@contoso.com", .internal = 1,
					   .subject = subject[k], .id = id[k]});
		}
	}
	finish();
	assert_ptr_equal(app_of("10.1.0.1", ""), app_of("10.2.0.1", ""));
	assert_ptr_not_equal(app_of("10.1.0.1", ""), app_of("10.1.0.2", ""));
	assert_ptr_not_equal(app_of("10.3.0.1", ""), app_of("10.3.0.2", ""));
}

static void
test_shared_address_swallows_nobody(void **state)
{
	static const char *const names[] = {"hr", "it", "legal", "sales", "crm", "web", "shop", "edi", "bi"};
	char sender[40];

	(void)state;
	for (unsigned i = 0; i < 5 * COUNT_OF(names); i++) {
		snprintf(sender, sizeof sender, "%s@contoso.com", names[i % COUNT_OF(names)]);
		feed((struct mail){.client = "10.9.0.1", .sender = sender, .subject = "Report 1", .internal = 1});
	}
	feed_times(10, (struct mail){.client = "10.9.0.2", .sender = "crm@contoso.com", .subject = "Report 1", .internal = 1});
	finish();
	assert_ptr_not_equal(app_of("10.9.0.1", ""), app_of("10.9.0.2", ""));
	assert_true(app_of("10.9.0.1", "")->is_shared);
	assert_false(app_of("10.9.0.2", "")->is_shared);
	assert_string_equal(app_of("10.9.0.1", "")->name, "shared-10.9.0.1");
	assert_string_equal(app_of("10.9.0.1", "")->limits[app_of("10.9.0.1", "")->n_limits - 1].key, "sender");
}

/* n devices in one network, device i with sender PREFIX-(100 + i). */
static void
feed_devices(const char *net, const char *prefix, unsigned n)
{
	char client[40], sender[60];

	for (unsigned i = 0; i < n; i++) {
		snprintf(client, sizeof client, "%s.%u", net, 16 + i);
		snprintf(sender, sizeof sender, "%s-%u@contoso.com", prefix, 100 + i);
		feed_times(3, (struct mail){.client = client, .sender = sender, .subject = "Scan", .internal = 1});
	}
}

static void
test_pattern_where_evidence_is_strong(void **state)
{
	(void)state;
	feed_devices("10.1.1", "scanner", 5);
	feed_devices("10.1.2", "copier", 4);    /* too few */
	feed_devices("10.1.3", "fax", 5);       /* another app has one of its row */
	feed_times(3, (struct mail){.client = "10.5.0.1", .sender = "fax-999@contoso.com", .subject = "Other", .internal = 1});
	feed_devices("10.1.4", "a", 5);         /* one letter says nothing */
	finish();
	assert_string_equal(senders_of(app_of("10.1.1.16", "")), "scanner-*@contoso.com");
	assert_int_equal(app_of("10.1.1.16", "")->grants[0].members, 5);
	assert_string_equal(app_of("10.1.1.16", "")->grants[0].least, "scanner-100@contoso.com");
	assert_string_equal(senders_of(app_of("10.1.2.16", "")), "copier-100@contoso.com copier-101@contoso.com "
			    "copier-102@contoso.com copier-103@contoso.com");
	assert_null(strchr(senders_of(app_of("10.1.3.16", "")), '*'));
	assert_null(strchr(senders_of(app_of("10.1.4.16", "")), '*'));
	assert_string_equal(clients_of(app_of("10.1.1.16", "")), "10.1.1.16/29");
}

static void
test_numbered_senders_elsewhere_are_other_apps(void **state)
{
	(void)state;
	feed_times(4, (struct mail){.client = "10.1.1.1", .sender = "app1@contoso.com", .subject = "Report", .internal = 1});
	feed_times(4, (struct mail){.client = "10.2.2.2", .sender = "app2@contoso.com", .subject = "Report", .internal = 1});
	finish();
	assert_int_equal(learn->n_apps, 2);
}

static void
test_strays(void **state)
{
	(void)state;
	feed_times(30, (struct mail){.client = "10.1.1.1", .sender = "crm@contoso.com", .subject = "x", .internal = 1});
	feed((struct mail){.client = "10.1.1.1", .sender = "ceo@contoso.com", .subject = "x", .external = 5});
	feed((struct mail){.client = "10.1.1.2", .sender = "boss@contoso.com", .internal = 1});
	feed_times(30, (struct mail){.client = "10.2.1.1", .login = "erp", .sender = "erp@contoso.com", .internal = 1});
	feed((struct mail){.client = "192.0.2.1", .login = "erp", .sender = "erp@contoso.com", .internal = 1});
	/* Once, but with proof. */
	feed((struct mail){.client = "10.3.1.1", .login = "yearly", .sender = "yearly@contoso.com", .internal = 1});
	finish();
	assert_string_equal(senders_of(app_of("10.1.1.1", "")), "crm@contoso.com (ceo@contoso.com)");
	assert_int_equal(app_of("10.1.1.1", "")->meters[LEARN_EXTERNAL_DAY].peak, 0);
	assert_true(app_of("10.1.1.2", "")->is_stray);
	assert_string_equal(clients_of(app_of("10.2.1.1", "erp")), "10.2.1.1/32 (192.0.2.1/32)");
	assert_false(app_of("10.3.1.1", "yearly")->is_stray);
	assert_string_equal(senders_of(app_of("10.3.1.1", "yearly")), "yearly@contoso.com");
}

static void
test_senders_that_all_come_once_are_no_strays(void **state)
{
	char sender[40];

	(void)state;
	for (int i = 0; i < 30; i++) {
		snprintf(sender, sizeof sender, "%c%c@contoso.com", 'a' + i % 26, 'm' + i / 26);
		feed((struct mail){.client = "10.1.1.1", .sender = sender, .internal = 1});
	}
	finish();
	assert_int_equal(app_of("10.1.1.1", "")->n_grants, 30);
	assert_false(app_of("10.1.1.1", "")->grants[0].is_stray);
}

static void
test_prefix_takes_nothing_of_others(void **state)
{
	static const char *const pool[] = {"10.1.9.17", "10.1.9.18", "10.1.9.23"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(pool); i++)
		feed_times(3, (struct mail){.client = pool[i], .sender = "scanner@contoso.com", .subject = "Scan", .internal = 1});
	/* What is only suspicious stands in the way too. */
	feed((struct mail){.client = "10.1.9.20", .sender = "x@evil.example", .internal = 1});
	finish();
	assert_string_equal(clients_of(app_of("10.1.9.17", "")), "10.1.9.17/32 10.1.9.18/32 10.1.9.23/32");
}

static void
test_evidence_and_findings(void **state)
{
	static const struct {
		struct mail mail;
		const char *reason;
	} rows[] = {
		{{.sender = "a@contoso.com", .internal = 1}, NULL},
		{{.sender = "a@contoso.com", .from = "b@contoso.com", .internal = 1}, NULL},
		{{.sender = "a@evil.example", .internal = 1}, "sender-not-accepted"},
		{{.sender = "a@sub.contoso.com", .internal = 1}, "sender-not-accepted"},
		{{.sender = "a*@contoso.com", .internal = 1}, "sender-not-allowed"},
		{{.sender = "a%b@contoso.com", .internal = 1}, "sender-not-allowed"},
		{{.sender = "\"a b\"@contoso.com", .internal = 1}, "sender-not-allowed"},
		{{.sender = "srs0=x=y@contoso.com", .internal = 1}, "sender-not-allowed"},
		{{.sender = "a b@contoso.com", .internal = 1}, "sender-malformed"},
		{{.sender = "a@contoso.com", .from = "b@globex.com", .internal = 1}, "from-not-aligned"},
		{{.sender = "a@contoso.com", .from = "b@evil.example", .internal = 1}, "from-not-accepted"},
		{{.sender = "a@contoso.com", .from = "", .internal = 1}, "from-missing"},
		{{.sender = "a@contoso.com", .form = "header-repeated", .internal = 1}, "header-repeated"},
		{{.sender = "", .from = "a@contoso.com", .internal = 1}, NULL},
		/* Contoso's connector goes by address: a null sender does not get out. */
		{{.sender = "", .from = "a@contoso.com", .external = 1}, "null-sender"},
		{{.sender = "", .from = "a@globex.com", .external = 1}, NULL},
		{{.sender = "a@contoso.com"}, "recipient-malformed"},
		{{.client = "", .sender = "a@contoso.com", .internal = 1}, "no-client-address"},
		{{.login = "*", .sender = "a@contoso.com", .internal = 1}, "login-unusual"},
		{{.login = "\xff", .sender = "a@contoso.com", .internal = 1}, "login-unusual"},
		{{.login = "x@globex.com", .sender = "a@contoso.com", .internal = 1}, "login-of-another-tenant"},
		{{.login = "x@globex.com", .sender = "a@globex.com", .internal = 1}, NULL},
		{{.certificate = "*", .sender = "a@contoso.com", .internal = 1}, "certificate-unusual"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t before = learn->n_findings;

		feed(rows[i].mail);
		if (rows[i].reason == NULL) {
			assert_int_equal(learn->n_findings, before);
			continue;
		}
		if (learn->n_findings != before + 1)
			fail_msg("row %zu is no new finding", i);
		assert_string_equal(learn->findings[before].reason, rows[i].reason);
	}
}

static void
refuse(const char *client, const char *reason, const char *sender, uint64_t count)
{
	struct refusal f = {
		.id = "00000000000000000000000002", .client = client, .login = "", .reason = reason, .sender = sender, .app = "",
	};

	assert_int_equal(learn_refusal(learn, &f, count, BEGIN), 0);
}

static void
test_what_was_refused_is_no_evidence(void **state)
{
	struct text t = {0};

	(void)state;
	feed_times(5, (struct mail){.sender = "a@contoso.com", .internal = 1, .verdict = "reject"});
	feed_times(5, (struct mail){.sender = "a@contoso.com", .internal = 1, .verdict = "defer"});
	feed_times(5, (struct mail){.sender = "a@contoso.com", .internal = 1, .verdict = "discard"});
	refuse("10.0.0.1", "unknown-client", "a@contoso.com", 3);
	refuse("10.0.0.1", "unknown-client", "a@contoso.com", 40);
	refuse("10.0.0.2", "unknown-client", "b\n@contoso.com", 100);
	finish();
	assert_int_equal(learn->n_apps, 0);
	assert_int_equal(learn->refused_then, 10);
	assert_int_equal(learn->discarded, 5);
	learn_sort_findings(learn);
	assert_int_equal(learn->n_refused, 2);
	assert_int_equal(learn->refused[0].count, 100);
	assert_int_equal(learn->refused[1].count, 43);
	learn_write_findings(learn, &t);
	assert_non_null(strstr(text_string(&t), "100  10.0.0.2: unknown-client, sender b\\x0a@contoso.com, e.g. "));
	text_free(&t);
	/* What a limit holds back passes later: it is evidence. */
	feed_times(2, (struct mail){.client = "10.0.0.9", .sender = "a@contoso.com", .internal = 1, .verdict = "hold"});
	assert_int_equal(learn_source(learn, 1)->messages, 2);
}

static void
test_null_sender_and_two_tenants(void **state)
{
	(void)state;
	feed_times(3, (struct mail){.client = "10.1.1.1", .sender = "a@contoso.com", .internal = 1});
	feed_times(3, (struct mail){.client = "10.1.1.1", .sender = "a@globex.com", .internal = 1});
	feed_times(3, (struct mail){.client = "10.1.1.1", .sender = "", .from = "a@globex.com", .internal = 1});
	finish();
	assert_int_equal(app_of("10.1.1.1", "")->n_tenants, 2);
	assert_string_equal(senders_of(app_of("10.1.1.1", "")), "a@globex.com a@contoso.com (<>)");
}

static void
test_room_for_senders(void **state)
{
	char sender[60];

	(void)state;
	for (unsigned i = 0; i < LEARN_SENDERS_OF_SOURCE + 50; i++) {
		snprintf(sender, sizeof sender, "bounce+%u=x@contoso.com", i);
		feed((struct mail){.client = "10.1.1.1", .sender = sender, .internal = 1});
		/* What varies in these is no number, so that there is no shape to keep. */
		snprintf(sender, sizeof sender, "%c%c%c@contoso.com", 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
		feed((struct mail){.client = "10.1.1.2", .sender = sender, .internal = 1});
	}
	finish();
	assert_string_equal(senders_of(app_of("10.1.1.1", "")), "bounce+*@contoso.com");
	assert_int_equal(app_of("10.1.1.1", "")->messages, LEARN_SENDERS_OF_SOURCE + 50);
	assert_int_equal(app_of("10.1.1.2", "")->beyond, 50);
	assert_int_equal(app_of("10.1.1.2", "")->n_grants, LEARN_SENDERS_OF_SOURCE);
}

static const struct learn_limit *
limit_of(const struct learn_app *a, enum unit unit, uint32_t period)
{
	for (size_t i = 0; i < a->n_limits; i++)
		if (a->limits[i].unit == unit && a->limits[i].period == period && a->limits[i].key[0] == '\0')
			return &a->limits[i];
	return NULL;
}

static void
test_limits_and_bounds(void **state)
{
	const struct learn_app *a;

	(void)state;
	for (int i = 0; i < 1200; i++) /* 8400 external recipients within a day; one licence allows 10000 */
		feed((struct mail){.client = "10.1.1.1", .login = "crm", .sender = "crm@contoso.com", .external = 7,
				   .at = BEGIN + i * MINUTE});
	for (int i = 0; i < 2500; i++) /* 2500 messages within an hour: less than a mailbox takes */
		feed((struct mail){.client = "10.1.1.2", .sender = "scan@contoso.com", .internal = 1,
				   .at = BEGIN + 1300 * MINUTE + i * 1000});
	finish();
	a = app_of("10.1.1.1", "crm");
	assert_int_equal(a->method, METHOD_CONNECTOR);
	assert_int_equal(limit_of(a, UNIT_EXTERNAL_RECIPIENTS, 86400)->peak, 8400);
	assert_int_equal(limit_of(a, UNIT_EXTERNAL_RECIPIENTS, 86400)->count, 10000);
	assert_non_null(limit_of(a, UNIT_EXTERNAL_RECIPIENTS, 86400)->bound);
	assert_int_equal(limit_of(a, UNIT_MESSAGES, 60)->count, 5);
	assert_int_equal(limit_of(a, UNIT_MESSAGES, 86400)->count, 2500);
	a = app_of("10.1.1.2", "");
	assert_int_equal(a->method, METHOD_DIRECT_SEND);
	assert_int_equal(limit_of(a, UNIT_MESSAGES, 3600)->peak, 2500);
	assert_int_equal(limit_of(a, UNIT_MESSAGES, 3600)->count, 3600);
	assert_int_equal(limit_of(a, UNIT_MESSAGES, 3600)->at, BEGIN + 1300 * MINUTE + 2499 * 1000);
	assert_null(limit_of(a, UNIT_EXTERNAL_RECIPIENTS, 86400));
}

static void
test_names(void **state)
{
	(void)state;
	feed_times(3, (struct mail){.client = "10.1.1.1", .login = "direct-send", .sender = "a@contoso.com", .internal = 1});
	feed_times(3, (struct mail){.client = "10.1.1.2", .login = "contoso", .sender = "b@contoso.com", .internal = 1});
	feed_times(3, (struct mail){.client = "10.1.1.3", .sender = "crm@contoso.com", .subject = "a b", .internal = 1});
	feed_times(3, (struct mail){.client = "10.2.1.3", .sender = "crm@globex.com", .subject = "c d", .internal = 1});
	feed_times(3, (struct mail){.client = "10.1.1.4", .sender = "noreply@contoso.com", .helo = "otrs.contoso.com", .internal = 1});
	feed_times(3, (struct mail){.client = "10.1.1.5", .certificate = "shop.contoso.com", .sender = "x@contoso.com", .internal = 1});
	feed_times(3, (struct mail){.client = "10.1.1.6", .login = "\n-: {", .sender = "", .from = "z@contoso.com", .internal = 1});
	finish();
	assert_string_equal(app_of("10.1.1.1", "direct-send")->name, "direct-send-app");
	assert_string_equal(app_of("10.1.1.2", "contoso")->name, "contoso-app");
	assert_string_equal(app_of("10.1.1.3", "")->name, "crm-10.1.1.3");
	assert_string_equal(app_of("10.2.1.3", "")->name, "crm-10.2.1.3");
	assert_string_equal(app_of("10.1.1.4", "")->name, "noreply-otrs");
	assert_string_equal(app_of("10.1.1.5", "")->name, "shop");
	assert_string_equal(app_of("10.1.1.6", "\n-: {")->name, "z");
}

/* The most in any period that ends at an event, counted plainly. */
static uint64_t
exact(const int64_t *times, const uint64_t *amounts, size_t n, int64_t period)
{
	uint64_t most = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t sum = 0;

		for (size_t j = 0; j <= i; j++)
			sum += times[j] > times[i] - period ? amounts[j] : 0;
		most = sum > most ? sum : most;
	}
	return most;
}

static void
test_meter_against_a_plain_list(void **state)
{
	static const uint32_t periods[] = {60, 3600, 86400};
	int64_t times[300];
	uint64_t amounts[300];

	(void)state;
	srand(11);
	for (int round = 0; round < 60; round++) {
		uint32_t period = periods[round % 3];
		struct learn_meter m = {0};
		int64_t now = BEGIN;

		for (size_t i = 0; i < COUNT_OF(times); i++) {
			now += rand() % (int)(rand() % 8 == 0 ? period * 2000 : period * 40);
			times[i] = now;
			amounts[i] = (uint64_t)(rand() % 4);
			learn_meter_add(&m, now, period, amounts[i]);
		}
		assert_true(m.peak >= exact(times, amounts, COUNT_OF(times), (int64_t)period * 1000));
		assert_true(m.peak <= exact(times, amounts, COUNT_OF(times), (int64_t)period * 1000 + period * 1000 / 60));
	}
}

static void
test_round(void **state)
{
	static const struct {
		uint64_t peak;
		unsigned head_room;
		uint64_t count;
	} rows[] = {
		{1, 100, 2}, {4, 100, 8}, {5, 100, 10}, {6, 100, 12}, {7, 100, 15}, {25, 100, 50}, {29, 100, 60}, {41, 100, 100},
		{50, 100, 100}, {51, 100, 120}, {3, 0, 3}, {11, 0, 12}, {1000, 0, 1000}, {1001, 0, 1200}, {7, 50, 12}, {10, 15, 12},
		{123456, 100, 250000}, {UINT64_MAX, 100, UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(learn_round(rows[i].peak, rows[i].head_room), rows[i].count);
	for (uint64_t peak = 1; peak < 5000; peak++)
		assert_true(learn_round(peak, 0) >= peak && learn_round(peak, 0) <= peak + peak / 3 + 1);
}

static bool
is_taken_by(void *context, const struct network *net)
{
	struct ip ip;

	return context != NULL && ip_parse(context, &ip) == 0 && network_contains(net, &ip);
}

static void
test_prefixes(void **state)
{
	static const struct {
		const char *addresses, *taken, *expected;
	} rows[] = {
		{"10.1.9.17 10.1.9.18 10.1.9.23", NULL, "10.1.9.16/29"},
		{"10.1.9.17 10.1.9.18", NULL, "10.1.9.17/32 10.1.9.18/32"},
		{"10.1.9.1 10.1.9.2 10.1.9.200", NULL, "10.1.9.1/32 10.1.9.2/32 10.1.9.200/32"},
		{"10.1.9.0 10.1.9.1 10.1.9.2 10.1.9.200", NULL, "10.1.9.0/30 10.1.9.200/32"},
		{"10.1.9.16 10.1.9.17 10.1.9.18 10.1.9.19 10.1.9.20", "10.1.9.23", "10.1.9.16/30 10.1.9.20/32"},
		/* Neighbours across a /24 are not united. */
		{"10.1.8.254 10.1.8.255 10.1.9.0 10.1.9.1", NULL, "10.1.8.254/32 10.1.8.255/32 10.1.9.0/32 10.1.9.1/32"},
		{"2001:db8::1 2001:db8::2", NULL, "2001:db8::1/128 2001:db8::2/128"},
		{"2001:db8::1 2001:db8::2 2001:db8::ffff:1 2001:db8:0:1::1", NULL, "2001:db8::/64 2001:db8:0:1::1/128"},
		{"10.0.0.1 10.0.0.2 10.0.0.3 2001:db8::1", NULL, "10.0.0.0/30 2001:db8::1/128"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ip ips[16];
		struct learn_prefix out[16];
		char list[300], made[600] = "", address[IP_TEXT_SIZE], *save = NULL;
		size_t n = 0;

		snprintf(list, sizeof list, "%s", rows[i].addresses);
		for (char *s = strtok_r(list, " ", &save); s != NULL; s = strtok_r(NULL, " ", &save))
			assert_int_equal(ip_parse(s, &ips[n++]), 0);
		qsort(ips, n, sizeof ips[0], learn_ip_compare);
		n = learn_prefixes(ips, n, is_taken_by, (void *)(uintptr_t)rows[i].taken, out);
		for (size_t j = 0; j < n; j++) {
			ip_format(&out[j].net.base, address);
			snprintf(made + strlen(made), sizeof made - strlen(made), "%s%s/%u", j > 0 ? " " : "", address, out[j].net.bits);
		}
		assert_string_equal(made, rows[i].expected);
	}
}

static void
test_shapes(void **state)
{
	static const struct {
		const char *local, *shape;
		bool is_telling;
	} rows[] = {
		{"scanner-17", "scanner-*", true}, {"Scanner17b", "scanner*b", true}, {"crm", "crm", false},
		{"bounce+bob=example.net", "bounce+*", true}, {"a+b", "a+*", false}, {"x1y2z3", "x*y*z*", false},
		{"scan-3f2a9b0c1d", "scan-*", true}, {"deadbeef", "deadbeef", false}, {"12345", "*", false}, {"+x", "+x", false},
	};
	struct learn_sketch a = {0}, b = {0}, c = {0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct text t = {0};

		learn_shape_local(rows[i].local, &t);
		assert_string_equal(text_string(&t), rows[i].shape);
		assert_int_equal(learn_shape_is_telling(text_string(&t)), rows[i].is_telling);
		text_free(&t);
	}
	assert_int_equal(learn_shape_subject("Invoice 47 of today"), learn_shape_subject("INVOICE 9 is due"));
	assert_int_not_equal(learn_shape_subject("Invoice 47"), learn_shape_subject("Offer 47"));
	assert_int_equal(learn_shape_subject("#"), 0);
	assert_int_not_equal(learn_shape_subject("#0123456789abcdef"), learn_shape_subject("#1123456789abcdef"));
	for (uint32_t i = 0; i < 40; i++) {
		learn_sketch_add(&a, i < 30 ? 7 : 8);
		learn_sketch_add(&b, i < 20 ? 7 : 9);
		learn_sketch_add(&c, 100 + i); /* no two alike */
	}
	assert_int_equal(learn_sketch_compare(&a, &b), LEARN_ALIKE);
	assert_int_equal(learn_sketch_compare(&a, &c), LEARN_UNKNOWN);
	b = (struct learn_sketch){.number = {11}, .count = {5}, .total = 5};
	assert_int_equal(learn_sketch_compare(&a, &b), LEARN_DIFFERENT);
	b.total = b.count[0] = 2;
	assert_int_equal(learn_sketch_compare(&a, &b), LEARN_UNKNOWN);
}

/* The value as the policy file's reader would get it back, in a list and as a map's
 * value; its line must not end early. */
static void
read_back(const char *s)
{
	struct problems *problems = problems_new();
	struct arena *arena = arena_new(0);
	struct text t = {0};
	const struct node *root, *n;

	text_add(&t, "list:\n  - ");
	learn_yaml_value(&t, s);
	text_add(&t, "   # ");
	learn_yaml_said(&t, s, 60);
	text_add(&t, "\nflow: [");
	learn_yaml_value(&t, s);
	text_add(&t, ", ");
	learn_yaml_value(&t, s);
	text_add(&t, "]\n");
	for (const char *p = text_string(&t); *p != '\0'; p++)
		assert_true(*p == '\n' || (*p >= 0x20 && *p < 0x7f));
	root = yaml_read(arena, "x", text_string(&t), t.len, problems);
	assert_int_equal(problems_errors(problems), 0);
	assert_int_equal(root->count, 2);
	n = root->first;
	assert_int_equal(n->count, 1);
	assert_string_equal(n->first->text, s);
	assert_int_equal(n->next->count, 2);
	assert_string_equal(n->next->first->next->text, s);
	problems_free(&problems);
	arena_free(&arena);
	text_free(&t);
}

static void
test_text_stays_text(void **state)
{
	static const char *const rows[] = {
		"o'neill@x", "a\nb: c", "a\r\n- x", "\"", "\\", "'", "# x", "x # y", "a: b", "a:", "- a", "*", "&a", "!b", "%c", "@d",
		"`e", "{a}", "[a]", "a, b", "|", ">", "?", "? x", "yes", "NO", "null", "~", "0x1f", "1", "10.1", "10.1.2.3", "1:30",
		"2001:db8::1", "::1", "a::", "a b", " a", "a ", "\t", "\x01\x1f\x7f", "B\xc3\xbcro", "\xe2\x80\xa8line", "\xf0\x9f\x96\xa8",
		"unix:/a/b", "30 messages/minute", "crm@contoso.com", "---", "...", "--- x", "a\xc2\x85z", "\xef\xbb\xbfx", "<<",
		"=", "a#b", "a #b", "CN=x,O=\"y\"",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		read_back(rows[i]);
	srand(5);
	for (int i = 0; i < 4000; i++) {
		static const char some[] = "ab1 :#-'\"\\\n\r\t,[]{}&*!|>%@`?~=./_\x01\x7f";
		char s[12] = "";
		int n = 1 + rand() % 10;

		for (int j = 0; j < n; j++)
			s[j] = some[(size_t)rand() % (sizeof some - 1)];
		read_back(s);
	}
	assert_false(learn_yaml_can("\xff"));
	assert_false(learn_yaml_can("a\xc3"));
}

int
main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, start, stop)
	const struct CMUnitTest tests[] = {
		WITH(test_login_is_one_app_on_several_clients), WITH(test_one_sender_of_two_apps),
		WITH(test_shared_address_swallows_nobody), WITH(test_pattern_where_evidence_is_strong),
		WITH(test_numbered_senders_elsewhere_are_other_apps), WITH(test_strays),
		WITH(test_senders_that_all_come_once_are_no_strays), WITH(test_prefix_takes_nothing_of_others),
		WITH(test_evidence_and_findings),
		WITH(test_what_was_refused_is_no_evidence), WITH(test_null_sender_and_two_tenants), WITH(test_room_for_senders),
		WITH(test_limits_and_bounds), WITH(test_names), cmocka_unit_test(test_meter_against_a_plain_list),
		cmocka_unit_test(test_round), cmocka_unit_test(test_prefixes), cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_text_stays_text),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
