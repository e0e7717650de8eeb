/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a reload keeps of keys, and what is said of keys and of the age of
 * accepted-domain files.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "gate/sign.h"
#include "gate/snapshot.h"
#include "tests/unit/folder.h"

#define DAY INT64_C(86400)
#define NOW INT64_C(1800000000000)

static char pem[2][4096], ed_pem[1024];

static void
make_key(const char *kind, char *out, size_t size)
{
	char command[200];
	FILE *f;

	snprintf(command, sizeof command, "openssl genpkey -algorithm %s 2>/dev/null", kind);
	f = popen(command, "r");
	assert_non_null(f);
	out[fread(out, 1, size - 1, f)] = '\0';
	assert_int_equal(pclose(f), 0);
}

static int
start(void **state)
{
	umask(077);
	make_key("RSA -pkeyopt rsa_keygen_bits:2048", pem[0], sizeof pem[0]);
	make_key("RSA -pkeyopt rsa_keygen_bits:2048", pem[1], sizeof pem[1]);
	make_key("ED25519", ed_pem, sizeof ed_pem);
	return folder_make(state);
}

/* Dates a file so many seconds before NOW. */
static void
set_age(const char *name, int64_t age)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = NOW / 1000 - age}};

	assert_int_equal(utimensat(AT_FDCWD, folder_path(name), times, 0), 0);
}

/* A policy of two signing domains; contoso.com has this selector and file. */
static void
write_policy(const char *selector, const char *file)
{
	char yaml[1000];

	snprintf(yaml, sizeof yaml,
		 "listen: unix:/m\n"
		 "tenants:\n"
		 "  contoso: {accepted-domains: [d.csv], next-hop: mx.example}\n"
		 "signing:\n"
		 "  contoso.com: [{selector: %s, key: %s}]\n"
		 "  fabrikam.com: [{selector: two, key: two.pem}]\n", selector, file);
	folder_write("p.yaml", yaml);
	folder_write("d.csv", "contoso.com\nfabrikam.com\n");
	set_age("d.csv", 0);
}

/* Key files are made anew, as an atomic replacement would. */
static void
write_key(const char *name, const char *text)
{
	remove(folder_path(name));
	folder_write(name, text);
}

static struct snapshot *
load(const struct snapshot *before, int64_t now_ms, struct problems **problems_r)
{
	struct problems *problems;
	struct snapshot *s = snapshot_load(folder_path("p.yaml"), before, now_ms, &problems);

	if (s == NULL)
		problems_print(problems, stderr);
	assert_non_null(s);
	if (problems_r == NULL)
		problems_free(&problems);
	else
		*problems_r = problems;
	return s;
}

/* The key for contoso.com, which sorts first. */
static const struct key *
first(const struct snapshot *s)
{
	assert_string_equal(s->key[0]->domain, "contoso.com");
	return s->key[0];
}

static void
assert_half_of(const struct key *k, const char *public_half)
{
	char *p = key_public_base64(k);

	assert_non_null(p);
	assert_string_equal(p, public_half);
	free(p);
}

static void
assert_signs(const struct key *k)
{
	const char *warning;
	const struct signer *signer = signer_opendkim(&warning);
	struct sign *s = signer->begin(signer->context, &k, 1, "test", 0);
	struct arena *a = arena_new(0);
	struct signature r = {0};

	assert_null(warning); /* the key itself, not its text */
	signer->header(s, "From", " crm@contoso.com");
	signer->eoh(s);
	signer->body(s, "x\r\n", 3);
	assert_int_equal(signer->end(s, a, &r), 0);
	assert_non_null(r.value);
	signer->free(&s);
	arena_free(&a);
}

static void
test_kept(void **state)
{
	static const char *const broken[] = {"", "no key at all\n", "-----BEGIN PRIVATE KEY-----\n"};
	struct snapshot *before, *after;
	struct problems *problems;
	char *half, *other;

	(void)state;
	write_policy("one", "one.pem");
	write_key("one.pem", pem[0]);
	write_key("two.pem", ed_pem);
	before = load(NULL, NOW, NULL);
	half = key_public_base64(first(before));
	assert_false(first(before)->kept);
	for (size_t i = 0; i < 4; i++) {
		if (i < 3)
			write_key("one.pem", broken[i]);
		else
			remove(folder_path("one.pem"));
		after = load(before, NOW + (int64_t)i + 1, &problems);
		snapshot_unref(&before); /* what is kept does not hang on it */
		assert_true(first(after)->usable);
		assert_true(first(after)->kept);
		assert_int_equal(first(after)->kept_since_ms, NOW + 1);
		assert_half_of(first(after), half);
		assert_signs(first(after));
		assert_true(after->key[1]->usable);
		assert_false(after->key[1]->kept);
		assert_int_equal(problems_count(problems), 1);
		folder_expect(problems, true, "p.yaml", 5, 38, "one.pem ");
		problems_free(&problems);
		before = after;
	}
	write_key("one.pem", pem[1]);
	after = load(before, NOW + 10, &problems);
	assert_int_equal(problems_count(problems), 0);
	assert_true(first(after)->usable);
	assert_false(first(after)->kept);
	other = key_public_base64(first(after));
	assert_string_not_equal(half, other);
	free(half);
	free(other);
	problems_free(&problems);
	snapshot_unref(&before);
	assert_signs(first(after));
	snapshot_unref(&after);
}

/* Only what the policy still names alike is kept, and only what was usable. */
static void
test_not_kept(void **state)
{
	static const struct { const char *selector, *file; } others[] = {{"three", "one.pem"}, {"one", "three.pem"}};
	struct snapshot *before, *after;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		write_policy("one", "one.pem");
		write_key("one.pem", pem[0]);
		write_key("two.pem", ed_pem);
		before = load(NULL, NOW, NULL);
		remove(folder_path("one.pem"));
		write_policy(others[i].selector, others[i].file);
		after = load(before, NOW, NULL);
		assert_false(first(after)->usable);
		assert_false(first(after)->kept);
		assert_true(after->key[1]->usable);
		snapshot_unref(&before);
		snapshot_unref(&after);
	}
	write_policy("one", "one.pem");
	before = load(NULL, NOW, NULL);
	assert_false(first(before)->usable);
	after = load(before, NOW, NULL);
	assert_false(first(after)->usable);
	assert_false(first(after)->kept);
	snapshot_unref(&before);
	snapshot_unref(&after);
}

static void
test_broken_policy(void **state)
{
	struct problems *problems;

	(void)state;
	write_policy("one", "one.pem");
	remove(folder_path("d.csv"));
	assert_null(snapshot_load(folder_path("p.yaml"), NULL, NOW, &problems));
	folder_expect(problems, true, "p.yaml", 3, 32, "d.csv cannot be read: No such file");
	problems_free(&problems);
}

static void
test_age(void **state)
{
	static const struct {
		const char *max;
		int64_t age;
		const char *said; /* NULL: nothing */
	} rows[] = {
		{"", 0, NULL},
		{"", 30 * DAY, NULL},
		{"", 30 * DAY + 1, "was last changed 30 days ago, and accepted-domains-max-age is 30 days"},
		{"", 400 * DAY, "was last changed 400 days ago"},
		{"accepted-domains-max-age: 1 day, ", DAY, NULL},
		{"accepted-domains-max-age: 1 day, ", DAY + 1, "was last changed 1 day ago"},
		{"accepted-domains-max-age: 36 hours, ", 36 * 3600, NULL},
		{"accepted-domains-max-age: 36 hours, ", 36 * 3600 + 1, "is 36 hours"},
		{"accepted-domains-max-age: 52 weeks, ", 363 * DAY, NULL},
		{"", -DAY + 1, NULL},
		{"", -DAY, "is dated 1 day ahead"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char yaml[300];
		struct problems *problems;
		struct snapshot *s;

		snprintf(yaml, sizeof yaml, "listen: unix:/m\ntenants:\n  contoso: {%saccepted-domains: "
			 "[new.csv, old.csv], next-hop: mx.example}\n", rows[i].max);
		folder_write("p.yaml", yaml);
		folder_write("new.csv", "fabrikam.com\n");
		folder_write("old.csv", "contoso.com\nb.contoso.com\n");
		set_age("new.csv", 0);
		set_age("old.csv", rows[i].age);
		s = load(NULL, NOW, &problems);
		assert_int_equal(s->policy->tenants[0].n_sources, 2);
		assert_int_equal(s->policy->tenants[0].sources[1].n_domains, 2);
		assert_int_equal(snapshot_age_days(&s->policy->tenants[0].sources[1], NOW), rows[i].age / DAY);
		if (problems_count(problems) != (rows[i].said != NULL))
			fail_msg("row %zu: %zu problems", i, problems_count(problems));
		if (rows[i].said != NULL)
			folder_expect(problems, false, "p.yaml", 3, (unsigned)(41 + strlen(rows[i].max)), rows[i].said);
		problems_free(&problems);
		snapshot_unref(&s);
	}
}

/* What is said of the policy, of keys and of lists stands in one order. */
static void
test_order(void **state)
{
	static const unsigned lines[] = {3, 5, 6};
	struct problems *problems;
	struct snapshot *s;

	(void)state;
	write_policy("one", "one.pem");
	write_key("one.pem", "no key at all\n");
	write_key("two.pem", ed_pem);
	folder_write("d.csv", "contoso.com\n");
	set_age("d.csv", 100 * DAY);
	s = load(NULL, NOW, &problems);
	assert_int_equal(problems_count(problems), 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(problems_at(problems, i)->line, lines[i]);
	assert_int_equal(problems_errors(problems), 1);
	problems_free(&problems);
	snapshot_unref(&s);
}

/* What is said of a tenant's age, at a day; NULL: nothing. */
static void
test_young(void **state)
{
	static const struct {
		const char *options;
		int64_t day;            /* since its creation */
		const char *words[2];
	} rows[] = {
		{"licenses: 1, limits: [tenant-rate external-recipients/day]", 0, {NULL}},
		{"licenses: 1, limits: [1000 external-recipients/day]", 0, {NULL}},
		{"licenses: 1, limits: [1001 external-recipients/day]", 0, {"takes 1000 external recipients a day from tenant "
		 "\"contoso\" until 2026-11-30, so contoso/external-recipients-per-day (1001) is not reached before"}},
		{"licenses: 1, limits: [1001 external-recipients/day]", 30, {"until 2026-11-30"}},
		{"licenses: 1, limits: [1001 external-recipients/day]", 31, {NULL}},
		{"licenses: 1, limits: [2501 external-recipients/day, 9000 external-recipients/hour]", 31, {"takes 2500 external "
		 "recipients a day from tenant \"contoso\" until 2026-12-30, so contoso/external-recipients-per-day (2501)",
		 "contoso/external-recipients-per-hour (9000)"}},
		{"licenses: 1, limits: [9000 external-recipients/hour]", 60, {"2500"}},
		{"licenses: 1, limits: [9000 external-recipients/hour]", 61, {NULL}},
		{"licenses: 1, limits: [2000 external-recipients/2 days, 9999 recipients/day]", 0, {NULL}},
		{"licenses: 1, limits: [2001 external-recipients/2 days]", 0, {"(2001)"}},
		{"limits: [5000 external-recipients/day]", 0, {NULL}},
		/* Reserves of one app and the tenth of a critical one. */
		{"licenses: 1, limits: [tenant-rate external-recipients/day]}\napps:\n"
		 "  - {name: a, tenant: contoso, clients: 10.0.0.1, method: connector, senders: a@contoso.com, reserved: 899}\n"
		 "  - {name: b, tenant: contoso, clients: 10.0.0.2, method: connector, senders: a@contoso.com, critical: yes", 0,
		 {NULL}},
		{"licenses: 1, limits: [tenant-rate external-recipients/day]}\napps:\n"
		 "  - {name: a, tenant: contoso, clients: 10.0.0.1, method: connector, senders: a@contoso.com, reserved: 900}\n"
		 "  - {name: b, tenant: contoso, clients: 10.0.0.2, method: connector, senders: a@contoso.com, critical: yes", 0,
		 {"contoso/external-recipients-per-day is 1000 until 2026-11-30, and all of it is reserved or for critical apps"}},
		{"licenses: 1, limits: [tenant-rate external-recipients/day]}\napps:\n"
		 "  - {name: a, tenant: contoso, clients: 10.0.0.1, method: connector, senders: a@contoso.com, reserved: 900}\n"
		 "  - {name: b, tenant: contoso, clients: 10.0.0.2, method: connector, senders: a@contoso.com, critical: yes", 31,
		 {NULL}},
		{"licenses: 1, limits: [tenant-rate external-recipients/day]}\napps:\n"
		 "  - {name: a, tenant: contoso, clients: 10.0.0.1, method: connector, senders: a@contoso.com, reserved: 5000", 31,
		 {"is 2500 until 2026-12-30, and all of it is reserved"}},
		{"licenses: 1", -1, {"2026-10-30 is ahead, so tenant \"contoso\" is taken for a new one"}},
		{"", -1, {"2026-10-30 is ahead"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t day = 20756 + rows[i].day;
		struct problems *problems;
		struct snapshot *s;
		char yaml[1000];
		size_t n = rows[i].words[0] == NULL ? 0 : rows[i].words[1] == NULL ? 1 : 2;

		snprintf(yaml, sizeof yaml, "listen: unix:/m\ntenants:\n  contoso: {accepted-domains: [d.csv], next-hop: mx.example, "
			 "created: 2026-10-30, %s}\n", rows[i].options);
		folder_write("p.yaml", yaml);
		folder_write("d.csv", "contoso.com\n");
		set_age("d.csv", NOW / 1000 - (day - 1) * 86400);
		s = load(NULL, day * 86400000 + 86399999, &problems);
		if (problems_count(problems) != n) {
			problems_print(problems, stderr);
			fail_msg("row %zu: %zu warnings", i, problems_count(problems));
		}
		for (size_t j = 0; j < n; j++) {
			assert_false(problems_at(problems, j)->is_error);
			assert_int_equal(problems_at(problems, j)->line, 3);
			assert_int_equal(problems_at(problems, j)->column, 71);
			if (strstr(problems_at(problems, j)->text, rows[i].words[j]) == NULL)
				fail_msg("row %zu: %s", i, problems_at(problems, j)->text);
		}
		snapshot_unref(&s);
		problems_free(&problems);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_not_kept),
		cmocka_unit_test(test_broken_policy),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_young),
	};

	return cmocka_run_group_tests(tests, start, folder_remove);
}
