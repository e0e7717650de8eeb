/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Refusals counted by kind: what is one kind, for how long, how many are kept
 * apart, and that no count is lost or told twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/refusals.h"

#define NOON 1700000000000
#define HOUR 3600000
#define PER_CLIENT 100
#define IN_ALL 20000

static const struct refusal plain = {
	.id = "id-0", .time = NOON, .stage = "rcpt", .verdict = "reject", .reason = "direct-send-external",
	.code = 550, .enhanced = "5.7.1", .text = "text", .app = "crm", .tenant = "contoso",
	.method = "direct-send", .client = "10.1.2.3", .login = "", .tls = "", .certificate = "", .certificate_issuer = "", .sender = "crm@contoso.com",
	.header_from = "", .recipient = "bob@example.net", .queue_id = "4Q", .policy = "0123456789abcdef", .department = "",
};

static struct refusal_delta deltas[64];

/* Counts w under a new id; whether it began a kind. */
static bool
count(struct refusals *r, struct refusal w, const char *id, char *id_r)
{
	bool is_new;
	struct id got;

	w.id = id;
	got = refusals_count(r, &w, &is_new);
	if (id_r != NULL)
		snprintf(id_r, ID_LENGTH + 1, "%s", got.s);
	assert_true(strcmp(got.s, id) == 0 || !is_new);
	return is_new;
}

static bool
count_sender(struct refusals *r, const char *client, size_t n, int64_t time, char *id_r)
{
	struct refusal w = plain;
	char sender[40], id[40];

	snprintf(sender, sizeof sender, "s%zu@contoso.com", n);
	snprintf(id, sizeof id, "%zu", n);
	w.client = client;
	w.sender = sender;
	w.time = time;
	return count(r, w, id, id_r);
}

/* The sum of all counts that wait, taken and written. */
static uint64_t
write_all(struct refusals *r, int64_t now)
{
	uint64_t sum = 0;
	size_t n;

	while ((n = refusals_take(r, deltas, 64)) > 0) {
		for (size_t i = 0; i < n; i++)
			sum += deltas[i].count;
		refusals_done(r, true, now);
	}
	return sum;
}

/* Each of six facts makes another kind, the others do not. */
static void
test_kinds(void **state)
{
	static const struct {
		size_t offset;
		bool is_kind;
	} facts[] = {
		{ offsetof(struct refusal, client), true },     { offsetof(struct refusal, app), true },
		{ offsetof(struct refusal, stage), true },      { offsetof(struct refusal, reason), true },
		{ offsetof(struct refusal, sender), true },     { offsetof(struct refusal, header_from), true },
		{ offsetof(struct refusal, verdict), false },   { offsetof(struct refusal, text), false },
		{ offsetof(struct refusal, login), false },     { offsetof(struct refusal, recipient), false },
		{ offsetof(struct refusal, queue_id), false },
	};
	struct refusals *r = refusals_new();
	size_t kinds = 1;
	char id[ID_LENGTH + 1];

	(void)state;
	assert_true(count(r, plain, "first", id));
	assert_string_equal(id, "first");
	for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
		struct refusal w = plain;

		*(const char **)((char *)&w + facts[i].offset) = "other";
		if (count(r, w, "other", id) != facts[i].is_kind)
			fail_msg("fact %zu", i);
		assert_string_equal(id, facts[i].is_kind ? "other" : "first");
		assert_false(count(r, w, "again", id));
		assert_string_equal(id, facts[i].is_kind ? "other" : "first");
		kinds += facts[i].is_kind;
	}
	assert_int_equal(refusals_take(r, deltas, 64), kinds);
	refusals_free(&r);
	assert_null(r);
	refusals_free(&r);
}

/* What is handed out is the first one's facts, copied, and the last time. */
static void
test_facts(void **state)
{
	static const size_t strings[] = {
		offsetof(struct refusal, id), offsetof(struct refusal, stage), offsetof(struct refusal, verdict),
		offsetof(struct refusal, reason), offsetof(struct refusal, enhanced), offsetof(struct refusal, text),
		offsetof(struct refusal, app), offsetof(struct refusal, tenant), offsetof(struct refusal, method),
		offsetof(struct refusal, client), offsetof(struct refusal, login), offsetof(struct refusal, sender),
		offsetof(struct refusal, header_from), offsetof(struct refusal, recipient),
		offsetof(struct refusal, queue_id),
	};
	static char texts[sizeof strings / sizeof strings[0]][8];
	struct refusals *r = refusals_new();
	struct refusal w = plain;
	bool is_new;

	(void)state;
	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
		snprintf(texts[i], sizeof texts[i], "text%zu", i);
		*(const char **)((char *)&w + strings[i]) = texts[i];
	}
	refusals_count(r, &w, &is_new);
	w.time = NOON + 2000;
	w.recipient = "second@example.net";
	refusals_count(r, &w, &is_new);
	w.time = NOON + 1000;
	refusals_count(r, &w, &is_new);
	assert_false(is_new);
	memset(texts, 'x', sizeof texts);
	assert_int_equal(refusals_take(r, deltas, 64), 1);
	assert_int_equal(deltas[0].count, 3);
	assert_int_equal(deltas[0].last_time, NOON + 2000);
	assert_int_equal(deltas[0].refusal->time, NOON);
	assert_int_equal(deltas[0].refusal->code, 550);
	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
		char expected[16];

		snprintf(expected, sizeof expected, "text%zu", i);
		assert_string_equal(*(const char *const *)((const char *)deltas[0].refusal + strings[i]), expected);
	}
	refusals_done(r, true, NOON);
	refusals_free(&r);
}

static void
test_hour(void **state)
{
	struct refusals *r = refusals_new();
	struct refusal w = plain;
	char id[ID_LENGTH + 1];

	(void)state;
	assert_true(count(r, w, "first", NULL));
	w.time = NOON + HOUR - 1;
	assert_false(count(r, w, "second", NULL));
	w.time = NOON - 5000; /* the clock was put back */
	assert_false(count(r, w, "third", NULL));
	w.time = NOON + HOUR;
	assert_true(count(r, w, "fourth", id));
	assert_string_equal(id, "fourth");
	w.time = NOON + 2 * HOUR - 1;
	assert_false(count(r, w, "fifth", id));
	assert_string_equal(id, "fourth");
	assert_int_equal(refusals_take(r, deltas, 64), 2);
	assert_int_equal(deltas[0].count + deltas[1].count, 5);
	assert_int_equal(deltas[0].count * deltas[1].count, 6);
	refusals_done(r, true, NOON);
	refusals_free(&r);
}

/* What is counted between taking and the end of writing is kept apart. */
static void
test_taken(void **state)
{
	struct refusals *r = refusals_new();

	(void)state;
	assert_int_equal(refusals_take(r, deltas, 64), 0);
	refusals_done(r, true, NOON);
	count(r, plain, "first", NULL);
	count(r, plain, "first", NULL);
	assert_int_equal(refusals_take(r, deltas, 64), 1);
	assert_int_equal(deltas[0].count, 2);
	count(r, plain, "first", NULL);
	assert_int_equal(deltas[0].count, 2);
	refusals_done(r, true, NOON);
	assert_int_equal(refusals_take(r, deltas, 64), 1);
	assert_int_equal(deltas[0].count, 1);
	assert_string_equal(deltas[0].refusal->id, "first");
	refusals_done(r, true, NOON);
	assert_int_equal(refusals_take(r, deltas, 64), 0);
	refusals_free(&r);
}

/* What could not be written counts again, also long after its hour. */
static void
test_not_written(void **state)
{
	struct refusals *r = refusals_new();

	(void)state;
	count(r, plain, "first", NULL);
	for (uint64_t tries = 1; tries <= 3; tries++) {
		assert_int_equal(refusals_take(r, deltas, 64), 1);
		assert_int_equal(deltas[0].count, tries);
		count(r, plain, "first", NULL);
		refusals_done(r, false, NOON + 9 * HOUR);
	}
	assert_int_equal(write_all(r, NOON + 9 * HOUR), 4);
	assert_int_equal(write_all(r, NOON + 9 * HOUR), 0);
	/* Written and past its hour it is forgotten, whatever the time says. */
	assert_true(count(r, plain, "second", NULL));
	/* What was written before a failure does not count again. */
	assert_int_equal(write_all(r, NOON), 1);
	count_sender(r, "10.0.0.1", 1, NOON, NULL);
	assert_int_equal(refusals_take(r, deltas, 64), 1);
	refusals_done(r, false, NOON);
	assert_int_equal(write_all(r, NOON), 1);
	refusals_free(&r);
}

static void
test_take_some(void **state)
{
	struct refusals *r = refusals_new();
	size_t sizes[4];

	(void)state;
	for (size_t i = 0; i < 10; i++)
		count_sender(r, i % 2 == 0 ? "10.0.0.1" : "10.0.0.2", i, NOON, NULL);
	for (size_t i = 0; i < 4; i++) {
		sizes[i] = refusals_take(r, deltas, 4);
		refusals_done(r, true, NOON);
	}
	assert_int_equal(sizes[0], 4);
	assert_int_equal(sizes[1], 4);
	assert_int_equal(sizes[2], 2);
	assert_int_equal(sizes[3], 0);
	/* Within the hour the kinds are still known. */
	assert_false(count_sender(r, "10.0.0.1", 0, NOON + 1, NULL));
	refusals_free(&r);
}

/* A client has so many kinds; what is beyond shares one, by stage and reason. */
static void
test_client_bound(void **state)
{
	struct refusals *r = refusals_new();
	struct refusal w = plain;
	char id[ID_LENGTH + 1];

	(void)state;
	for (size_t i = 0; i < PER_CLIENT; i++)
		assert_true(count_sender(r, "10.0.0.1", i, NOON, NULL));
	assert_true(count_sender(r, "10.0.0.1", 1000, NOON, id));
	assert_string_equal(id, "1000");
	for (size_t i = 1001; i < 1100; i++) {
		assert_false(count_sender(r, "10.0.0.1", i, NOON, id));
		assert_string_equal(id, "1000");
	}
	w.client = "10.0.0.1";
	w.reason = "unknown-client";
	assert_true(count(r, w, "another reason", NULL));
	w.sender = "x@contoso.com";
	assert_false(count(r, w, "x", id));
	assert_string_equal(id, "another reason");
	/* Kinds that it has keep their counts; another client has its own. */
	assert_false(count_sender(r, "10.0.0.1", 0, NOON, id));
	assert_string_equal(id, "0");
	assert_true(count_sender(r, "10.0.0.2", 0, NOON, NULL));
	/* An hour later there is room again. */
	assert_true(count_sender(r, "10.0.0.1", 1001, NOON + HOUR, id));
	assert_string_equal(id, "1001");
	assert_int_equal(write_all(r, NOON), PER_CLIENT + 100 + 2 + 1 + 1 + 1);
	refusals_free(&r);
}

static void
test_client_bound_facts(void **state)
{
	struct refusals *r = refusals_new();
	size_t stars = 0, n;

	(void)state;
	for (size_t i = 0; i < PER_CLIENT + 5; i++)
		count_sender(r, "10.0.0.1", i, NOON, NULL);
	while ((n = refusals_take(r, deltas, 64)) > 0) {
		for (size_t i = 0; i < n; i++) {
			if (strcmp(deltas[i].refusal->sender, "*") != 0)
				continue;
			stars++;
			assert_int_equal(deltas[i].count, 5);
			assert_string_equal(deltas[i].refusal->header_from, "*");
			assert_string_equal(deltas[i].refusal->client, "10.0.0.1");
		}
		refusals_done(r, true, NOON);
	}
	assert_int_equal(stars, 1);
	refusals_free(&r);
}

/* Many clients with many kinds each do not take each other's room. */
static void
test_clients_apart(void **state)
{
	struct refusals *r = refusals_new();
	char client[40];

	(void)state;
	for (size_t i = 0; i < 190 * PER_CLIENT; i++) {
		snprintf(client, sizeof client, "10.1.0.%zu", i % 190);
		assert_true(count_sender(r, client, i, NOON, NULL));
	}
	assert_int_equal(write_all(r, NOON), 190 * PER_CLIENT);
	refusals_free(&r);
}

/* All clients together have so many; what is beyond shares one for all clients. */
static void
test_bound_in_all(void **state)
{
	struct refusals *r = refusals_new();
	char client[40], id[ID_LENGTH + 1];

	(void)state;
	for (size_t i = 0; i < IN_ALL; i++) {
		snprintf(client, sizeof client, "client-%zu", i);
		assert_true(count_sender(r, client, i, NOON, NULL));
	}
	assert_true(count_sender(r, "new-1", 1, NOON, id));
	assert_false(count_sender(r, "new-2", 2, NOON, id));
	assert_string_equal(id, "1");
	assert_false(count_sender(r, "client-7", 7, NOON, id));
	assert_string_equal(id, "7");
	assert_false(count_sender(r, "client-7", 8, NOON, id));
	assert_string_equal(id, "1");
	/* Written and past their hour they make room. */
	assert_int_equal(write_all(r, NOON + HOUR), IN_ALL + 4);
	assert_true(count_sender(r, "new-3", 3, NOON + HOUR, NULL));
	assert_true(count_sender(r, "new-4", 3, NOON + HOUR, NULL));
	refusals_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_hour),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_not_written),
		cmocka_unit_test(test_take_some),
		cmocka_unit_test(test_client_bound),
		cmocka_unit_test(test_client_bound_facts),
		cmocka_unit_test(test_clients_apart),
		cmocka_unit_test(test_bound_in_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
