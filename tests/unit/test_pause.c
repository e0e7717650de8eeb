/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The upstream pause over time, whose mail it stops, and which message tries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/m365.h"
#include "gate/pauses.h"
#include "policy/pause.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define T INT64_C(1795525200000)

static void
test_rules(void **state)
{
	const struct pause_rule *r;

	(void)state;
	for (size_t i = 0; (r = pause_rules(i)) != NULL; i++) {
		const struct m365_row *row = NULL;
		size_t k = 0;

		while ((row = m365_row(k)) != NULL && strcmp(row->meaning.keyword, r->keyword) != 0)
			k++;
		assert_non_null(row); /* a reply of that name there is */
		assert_ptr_equal(pause_rule(r->keyword), r);
		/* What the table says of waiting, the pause does. */
		assert_int_equal(r->wait_ms, row->meaning.wait * 1000);
		assert_int_equal(r->wait_ms > 0, row->meaning.class == M365_QUOTA);
	}
	/* Every quota stops something. */
	for (size_t k = 0; m365_row(k) != NULL; k++)
		if (m365_row(k)->meaning.class == M365_QUOTA)
			assert_non_null(pause_rule(m365_row(k)->meaning.keyword));
	assert_null(pause_rule("recipient-unknown"));
	assert_null(pause_rule(""));
}

static void
test_scopes(void **state)
{
	const struct pause_rule tenant = {.of = PAUSE_OF_TENANT}, domain = {.of = PAUSE_OF_DOMAIN}, sender = {.of = PAUSE_OF_SENDER};
	char buf[40];

	(void)state;
	assert_string_equal(pause_scope(&tenant, "a@contoso.com", buf, sizeof buf), "");
	assert_string_equal(pause_scope(&tenant, "", buf, sizeof buf), "");
	assert_string_equal(pause_scope(&domain, "A@Contoso.COM", buf, sizeof buf), "@contoso.com");
	assert_string_equal(pause_scope(&sender, "A@Contoso.COM", buf, sizeof buf), "a@contoso.com");
	assert_string_equal(pause_scope(&domain, "\"x@y\"@contoso.com", buf, sizeof buf), "@contoso.com");
	assert_null(pause_scope(&domain, "", buf, sizeof buf));
	assert_null(pause_scope(&sender, "a", buf, sizeof buf));
	assert_null(pause_scope(&sender, "a@", buf, sizeof buf));
	assert_null(pause_scope(&sender, "a@long.example.contoso.com.and.more.contoso.com", buf, sizeof buf));
	assert_true(pause_covers("", "anybody@x"));
	assert_true(pause_covers("", ""));
	assert_true(pause_covers("@contoso.com", "b@contoso.com"));
	assert_true(pause_covers("@contoso.com", "B@CONTOSO.com"));
	assert_false(pause_covers("@contoso.com", "b@sub.contoso.com"));
	assert_false(pause_covers("@contoso.com", "b@notcontoso.com"));
	assert_false(pause_covers("@contoso.com", ""));
	assert_true(pause_covers("a@contoso.com", "a@contoso.com"));
	assert_false(pause_covers("a@contoso.com", "ba@contoso.com"));
}

static void
test_states(void **state)
{
	static const struct {
		int64_t since, said, good, lifted, wait, tried; /* minutes behind T; -1: never */
		unsigned unanswered;
		int64_t now;
		enum pause_state is;
	} cases[] = {
		{-1, -1, -1, -1, 0, -1, 0, 0, PAUSE_CLOSED},
		{0, 0, -1, -1, 1440, -1, 0, 0, PAUSE_HOLDS},
		{0, 0, -1, -1, 1440, -1, 0, 1439, PAUSE_HOLDS},
		{0, 0, -1, -1, 1440, -1, 0, 1440, PAUSE_TRIES},
		{0, 0, -1, -1, 1440, 1440, 0, 1449, PAUSE_WAITS},
		{0, 0, -1, -1, 1440, 1440, 0, 1450, PAUSE_TRIES},
		{0, 0, -1, -1, 1440, 1460, 2, 1469, PAUSE_WAITS},
		{0, 0, -1, -1, 1440, 1460, 2, 1470, PAUSE_CLOSED},
		{0, 0, -1, -1, 1440, -1, 0, 2879, PAUSE_TRIES},
		{0, 0, -1, -1, 1440, -1, 0, 2880, PAUSE_CLOSED}, /* nobody tried for a day */
		/* Said again after the try: it holds anew. */
		{0, 1441, -1, -1, 1440, 1440, 0, 1442, PAUSE_HOLDS},
		/* A success at once was under way already; one a minute later counts. */
		{0, 10, 10, -1, 1440, -1, 0, 12, PAUSE_HOLDS},
		{0, 10, 11, -1, 1440, -1, 0, 12, PAUSE_CLOSED},
		{0, 10, 5, -1, 1440, -1, 0, 12, PAUSE_HOLDS},
		{0, 10, -1, 11, 1440, -1, 0, 12, PAUSE_CLOSED},
		{0, 10, -1, 9, 1440, -1, 0, 12, PAUSE_HOLDS},
		/* Where the reply does not say: ten minutes, then as long again as it lasted, four hours at most. */
		{0, 0, -1, -1, 0, -1, 0, 9, PAUSE_HOLDS},
		{0, 0, -1, -1, 0, -1, 0, 10, PAUSE_TRIES},
		{0, 10, -1, -1, 0, 10, 0, 19, PAUSE_HOLDS},
		{0, 20, -1, -1, 0, 20, 0, 39, PAUSE_HOLDS},
		{0, 20, -1, -1, 0, 19, 0, 40, PAUSE_TRIES},
		{0, 6000, -1, -1, 0, -1, 0, 6239, PAUSE_HOLDS},
		{0, 6000, -1, -1, 0, -1, 0, 6240, PAUSE_TRIES},
		/* A lift begins anew. */
		{0, 300, -1, 299, 0, -1, 0, 310, PAUSE_TRIES},
		/* The clock was set back behind the try. */
		{0, 0, -1, -1, 0, 100, 0, 50, PAUSE_TRIES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
#define AT(m) ((m) < 0 ? 0 : T + (m) * MINUTE)
		const struct pause_facts f = {
			.since = AT(cases[i].since), .said = AT(cases[i].said), .good = AT(cases[i].good), .lifted = AT(cases[i].lifted),
			.wait_ms = cases[i].wait * MINUTE, .tried = AT(cases[i].tried), .unanswered = cases[i].unanswered,
		};
		enum pause_state is = pause_state(&f, AT(cases[i].now), NULL);

		if (is != cases[i].is)
			fail_msg("case %zu: %d", i, (int)is);
	}
}

static struct store_upstream
said(const char *sender, const char *keyword, bool external_only, int64_t time)
{
	return (struct store_upstream){
		.tenant = "contoso", .sender = sender, .relay = "", .keyword = keyword, .reply = "550 5.7.233 no", .external_only = external_only,
		.wait_ms = HOUR, .since = time, .said = time, .times = 1,
	};
}

static void
load(struct pauses *p, const struct store_upstream *u, size_t n, int64_t now)
{
	pauses_begin(p, "relay");
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pauses_add(p, &u[i]), 0);
	pauses_end(p, now, NULL);
}

static bool
holds(struct pauses *p, const char *sender, bool is_external, const struct id *id, int64_t now)
{
	const struct pauses_mail m = {.tenant = "contoso", .sender = sender, .is_external = is_external, .id = id};
	struct pauses_answer a;

	return pauses_hold(p, &m, now, &a);
}

static void
test_one_tries(void **state)
{
	struct pauses *p = pauses_new();
	struct store_upstream u = said("", "tenant-quota", true, T);
	struct id a = {"A"}, b = {"B"}, c = {"C"};

	(void)state;
	load(p, &u, 1, T);
	assert_true(holds(p, "x@contoso.com", true, &a, T + MINUTE));
	assert_false(holds(p, "x@contoso.com", false, &a, T + MINUTE));
	/* The first that asks; also for its other recipients, and none beside it. */
	assert_false(holds(p, "x@contoso.com", true, &a, T + HOUR));
	assert_false(holds(p, "x@contoso.com", true, &a, T + HOUR));
	assert_true(holds(p, "x@contoso.com", true, &b, T + HOUR));
	assert_true(holds(p, "x@contoso.com", true, NULL, T + HOUR));
	/* Not sent: another may. */
	pauses_done(p, &a, T + HOUR, false);
	assert_false(holds(p, "x@contoso.com", true, NULL, T + HOUR)); /* only looks */
	assert_false(holds(p, "x@contoso.com", true, &b, T + HOUR));
	pauses_done(p, &c, T + HOUR, true); /* not one that tries */
	pauses_done(p, &b, T + HOUR, true);
	assert_true(holds(p, "x@contoso.com", true, &c, T + HOUR + 9 * MINUTE));
	/* Read anew, it is still known; without an answer, twice more, then nothing holds. */
	load(p, &u, 1, T + HOUR + 9 * MINUTE);
	assert_true(holds(p, "x@contoso.com", true, &c, T + HOUR + 9 * MINUTE));
	for (int n = 1; n < 3; n++) {
		int64_t now = T + HOUR + n * 10 * MINUTE;

		assert_false(holds(p, "x@contoso.com", true, &c, now));
		pauses_done(p, &c, now, true);
		assert_true(holds(p, "x@contoso.com", true, &a, now + 9 * MINUTE));
	}
	assert_false(holds(p, "x@contoso.com", true, &a, T + HOUR + 30 * MINUTE));
	assert_false(holds(p, "x@contoso.com", true, &b, T + HOUR + 30 * MINUTE));
	/* Said again, it all begins anew. */
	u.said += HOUR + 40 * MINUTE;
	load(p, &u, 1, u.said);
	assert_true(holds(p, "x@contoso.com", true, &b, u.said));
	assert_false(holds(p, "x@contoso.com", true, &b, u.said + HOUR));
	pauses_done(p, &b, u.said + HOUR, true);
	assert_true(holds(p, "x@contoso.com", true, &c, u.said + HOUR));
	u.good = u.said + HOUR;
	load(p, &u, 1, u.good);
	assert_false(holds(p, "x@contoso.com", true, &c, u.good));
	pauses_free(&p);
}

/* What one pause lets try, another may hold: then it does not try. */
static void
test_several(void **state)
{
	struct pauses *p = pauses_new();
	struct store_upstream u[] = {said("", "tenant-quota", true, T), said("@contoso.com", "relay-access-denied", true, T + HOUR),
				     said("", "tenant-blocked", true, T)};
	struct id a = {"A"}, b = {"B"};

	(void)state;
	u[2].relay = "another";
	u[2].wait_ms = 10 * HOUR;
	load(p, u, 3, T);
	assert_true(holds(p, "x@contoso.com", true, &a, T + HOUR + MINUTE));
	assert_false(holds(p, "x@fabrikam.com", true, &b, T + HOUR + MINUTE));
	assert_true(holds(p, "x@contoso.com", true, &a, T + 2 * HOUR)); /* b is out for the first */
	pauses_done(p, &b, T + HOUR + MINUTE, false);
	assert_false(holds(p, "x@contoso.com", true, &a, T + 2 * HOUR));
	assert_true(holds(p, "x@fabrikam.com", true, &b, T + 2 * HOUR));
	/* Another tenant's mail is never concerned. */
	const struct pauses_mail other = {.tenant = "globex", .sender = "x@globex.example", .is_external = true, .id = &b};
	struct pauses_answer answer;
	assert_false(pauses_hold(p, &other, T + MINUTE, &answer));
	assert_false(answer.is_try);
	/* A read that was given up leaves what was known. */
	pauses_begin(p, "relay");
	assert_int_equal(pauses_add(p, &u[0]), 0);
	pauses_begin(p, "relay");
	assert_true(holds(p, "x@fabrikam.com", true, &b, T + 2 * HOUR));
	pauses_free(&p);
}

static void
test_held_mail(void **state)
{
	struct pauses *p = pauses_new();
	struct store_upstream u = said("@contoso.com", "relay-access-denied", true, T);
	struct id a = {"A"};

	(void)state;
	load(p, &u, 1, T);
	assert_true(pauses_keep(p, "contoso", T + MINUTE));
	assert_false(pauses_keep(p, "globex", T + MINUTE));
	/* The time of a try: one goes, the next stays, and so does new mail. */
	assert_false(pauses_keep(p, "contoso", T + HOUR));
	assert_true(pauses_keep(p, "contoso", T + HOUR));
	assert_true(holds(p, "x@contoso.com", true, &a, T + HOUR));
	assert_false(holds(p, "x@contoso.com", true, &a, T + HOUR + 10 * MINUTE));
	assert_true(pauses_keep(p, "contoso", T + HOUR + 10 * MINUTE)); /* that one tries */
	u.good = T + 2 * HOUR;
	load(p, &u, 1, u.good);
	assert_false(pauses_keep(p, "contoso", u.good));
	pauses_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_one_tries),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_held_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
