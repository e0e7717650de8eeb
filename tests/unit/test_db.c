/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The contract of db.h, once for each driver: values, placeholders, rows,
 * transactions, what is sent, large queries. What only a server can do to us is
 * in test_db_server.c.
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

#include "sql/db-postgres.h"
#include "sql/db.h"
#include "tests/lib/postgres.h"

/* One open database, its driver and how to open it again. */
struct place {
	struct db *d;
	char *url;
	char file[64];
};

static struct db *
open_url(const char *url, enum db_use use)
{
	const char *error = NULL;
	char words[256];
	struct db *d = db_open(url, use, 30000, &error, words, sizeof words);

	if (d == NULL)
		fail_msg("%s (%s)", error, words);
	return d;
}

static int
open_sqlite(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	size_t size = sizeof p->file + 16;
	int fd;

	assert_non_null(p);
	snprintf(p->file, sizeof p->file, "/tmp/test_db.XXXXXX");
	fd = mkstemp(p->file);
	assert_true(fd >= 0);
	close(fd);
	p->url = malloc(size);
	assert_non_null(p->url);
	snprintf(p->url, size, "sqlite:%s", p->file);
	p->d = open_url(p->url, DB_WRITE);
	*state = p;
	return 0;
}

/* Making a database takes half a second; the tests have one together. */
static char *url_of_all;

static int
make_all(void **state)
{
	(void)state;
	url_of_all = postgres_fresh();
	return 0;
}

static int
drop_all(void **state)
{
	(void)state;
	free(url_of_all);
	return 0;
}

static int
open_postgres(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	assert_non_null(p);
	p->url = strdup(url_of_all);
	p->d = open_url(p->url, DB_WRITE);
	db_deadline(p->d, 60000);
	assert_int_equal(db_exec(p->d, "DROP TABLE IF EXISTS t"), 0);
	*state = p;
	return 0;
}

static int
close_place(void **state)
{
	struct place *p = *state;

	db_close(&p->d);
	if (p->file[0] != '\0')
		unlink(p->file);
	free(p->url);
	free(p);
	return 0;
}

static struct db *
database(void **state)
{
	return ((struct place *)*state)->d;
}

static bool
is_postgres(struct db *d)
{
	return db_dialect(d) == DB_POSTGRES;
}

/* Must succeed. */
static void
good(struct db *d, const char *sql)
{
	if (db_exec(d, sql) != 0)
		fail_msg("%s: %s (%s)", sql, db_error(d), db_words(d));
}

static struct db_query *
ready(struct db *d, const char *sql)
{
	struct db_query *q = db_prepare(d, sql);

	if (q == NULL)
		fail_msg("%s: %s", sql, db_error(d));
	return q;
}

static void
expect(struct db *d, enum db_result got, enum db_result wanted)
{
	if (got != wanted)
		fail_msg("result %d, not %d: %s (%s)", (int)got, (int)wanted, db_error(d), db_words(d));
}

static void
expect_error(struct db *d, const char *part)
{
	if (strstr(db_error(d), part) == NULL)
		fail_msg("\"%s\" (%s) does not say \"%s\"", db_error(d), db_words(d), part);
}

static void
make_table(struct db *d)
{
	good(d, "CREATE TABLE t (k BIGINT PRIMARY KEY, n BIGINT, s TEXT)");
}

static struct db_query *
inserter(struct db *d)
{
	return ready(d, "INSERT INTO t (k, n, s) VALUES (?, ?, ?)");
}

static void
bind_row(struct db_query *q, int64_t k, int64_t n, const char *s)
{
	int i = 0;

	db_bind_int(q, &i, k);
	db_bind_int(q, &i, n);
	db_bind_text(q, &i, s);
	assert_int_equal(i, 3);
}

static int64_t
rows_in(struct db *d)
{
	return db_number(d, "SELECT count(*) FROM t");
}

static void
test_numbers(void **state)
{
	static const int64_t numbers[] = { 0, 1, -1, INT32_MAX, (int64_t)INT32_MAX + 1, INT64_MAX, INT64_MIN };
	struct db *d = database(state);
	struct db_query *in, *out;
	int i = 0;

	make_table(d);
	in = inserter(d);
	for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
		bind_row(in, (int64_t)k, numbers[k], "");
		expect(d, db_run(in), DB_DONE);
	}
	out = ready(d, "SELECT n, n + 0, CAST(n AS TEXT) FROM t ORDER BY k");
	for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
		char digits[32];

		expect(d, db_step(out), DB_ROW);
		snprintf(digits, sizeof digits, "%lld", (long long)numbers[k]);
		assert_true(db_int(out, 0) == numbers[k] && db_int(out, 1) == numbers[k]);
		assert_string_equal(db_text(out, 0), digits);
		assert_string_equal(db_text(out, 2), digits);
	}
	expect(d, db_step(out), DB_DONE);
	db_finalize(&out);
	out = ready(d, "SELECT n FROM t WHERE k = ?");
	db_bind_u64(in, &i, 100);
	db_bind_u64(in, &i, UINT64_MAX);
	expect(d, db_run(in), DB_DONE);
	i = 0;
	db_bind_u64(out, &i, 100);
	expect(d, db_step(out), DB_ROW);
	assert_true(db_int(out, 0) == INT64_MAX);
	db_finalize(&out);
	db_finalize(&in);
}

/* A bound number is as wide as a number can be, also beside a narrow one. */
static void
test_arithmetic(void **state)
{
	struct db *d = database(state);
	struct db_query *q = ready(d, "SELECT ? * 60 / (2 * 1000) - 61, ?1 < 5");
	int i = 0;

	db_bind_int(q, &i, 1793000000000);
	expect(d, db_step(q), DB_ROW);
	assert_true(db_int(q, 0) == 1793000000000 * 60 / 2000 - 61);
	assert_int_equal(db_int(q, 1), 0);
	db_finalize(&q);
}

static void
test_texts(void **state)
{
	static const char *const texts[] = {
		"", "plain", "it's \"quoted\" `so`", "back\\slash \\x41", "? ?1 $1 %s ;--/*", "line\r\n\ttab \x01\x7f",
		"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xa8", "\xef\xbf\xbd",
	};
	struct db *d = database(state);
	struct db_query *in, *out;

	make_table(d);
	in = inserter(d);
	out = ready(d, "SELECT s, length(s) FROM t WHERE s = ? AND k = ?");
	for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
		int i = 0;

		bind_row(in, (int64_t)k, 0, texts[k]);
		expect(d, db_run(in), DB_DONE);
		db_bind_text(out, &i, texts[k]);
		db_bind_u64(out, &i, k);
		expect(d, db_step(out), DB_ROW);
		assert_string_equal(db_text(out, 0), texts[k]);
		expect(d, db_step(out), DB_DONE);
		db_reset(out);
	}
	db_finalize(&out);
	db_finalize(&in);
}

static void
test_octets_that_are_not_utf8(void **state)
{
	static const struct {
		const char *octets, *postgres;
	} table[] = {
		{"a\x80z", "a\xef\xbf\xbdz"},
		{"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"caf\xe9", "caf\xef\xbf\xbd"},
		{"\xc3\xbc\xc3", "\xc3\xbc\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
	};
	struct db *d = database(state);
	struct db_query *in, *out;

	make_table(d);
	in = inserter(d);
	out = ready(d, "SELECT s FROM t WHERE k = ?");
	for (size_t k = 0; k < sizeof table / sizeof table[0]; k++) {
		int i = 0;

		bind_row(in, (int64_t)k, 0, table[k].octets);
		expect(d, db_run(in), DB_DONE);
		db_bind_u64(out, &i, k);
		expect(d, db_step(out), DB_ROW);
		assert_string_equal(db_text(out, 0), is_postgres(d) ? table[k].postgres : table[k].octets);
		db_reset(out);
	}
	/* A good text after a bad one is not mixed up with it. */
	bind_row(in, 100, 0, "good");
	expect(d, db_run(in), DB_DONE);
	assert_int_equal(db_number(d, "SELECT count(*) FROM t WHERE s = 'good'"), 1);
	db_finalize(&out);
	db_finalize(&in);
}

static void
test_long_text(void **state)
{
	struct db *d = database(state);
	size_t len = 16 << 20; /* more than any socket buffer takes */
	char *s = malloc(len + 1);
	struct db_query *in, *out;

	assert_non_null(s);
	memset(s, 'x', len);
	s[len] = '\0';
	make_table(d);
	in = inserter(d);
	bind_row(in, 1, 0, s);
	expect(d, db_run(in), DB_DONE);
	out = ready(d, "SELECT s FROM t");
	expect(d, db_step(out), DB_ROW);
	assert_string_equal(db_text(out, 0), s);
	db_finalize(&out);
	db_finalize(&in);
	free(s);
}

static void
test_null_and_booleans(void **state)
{
	struct db *d = database(state);
	struct db_query *q;
	int i = 0;

	make_table(d);
	q = inserter(d);
	db_bind_int(q, &i, 1);
	db_bind_null(q, &i);
	db_bind_text(q, &i, NULL);
	expect(d, db_run(q), DB_DONE);
	/* What was null can be a value, and the other way round. */
	bind_row(q, 2, 5000000000, "x");
	expect(d, db_run(q), DB_DONE);
	i = 1;
	db_bind_null(q, &i);
	i = 0;
	db_bind_int(q, &i, 3);
	expect(d, db_run(q), DB_DONE);
	db_finalize(&q);
	assert_int_equal(db_number(d, "SELECT count(*) FROM t WHERE n IS NULL"), 2);
	assert_int_equal(db_number(d, "SELECT count(*) FROM t WHERE s IS NULL"), 1);
	q = ready(d, "SELECT n, s, 1 = 1, 1 = 2, EXISTS (SELECT 1 FROM t) FROM t WHERE k = 1");
	expect(d, db_step(q), DB_ROW);
	assert_int_equal(db_int(q, 0), 0);
	assert_string_equal(db_text(q, 0), "");
	assert_string_equal(db_text(q, 1), "");
	assert_int_equal(db_int(q, 2), 1);
	assert_int_equal(db_int(q, 3), 0);
	assert_int_equal(db_int(q, 4), 1);
	db_finalize(&q);
}

static void
test_placeholders(void **state)
{
	struct db *d = database(state);
	struct db_query *q = ready(d, "SELECT ?2, '?', ?1 /* ? */, 'it''s ?' -- ?\n, ?, '?' AS \"a ? b\"");
	int i = 0;

	db_bind_text(q, &i, "one");
	db_bind_text(q, &i, "two");
	db_bind_text(q, &i, "three");
	expect(d, db_step(q), DB_ROW);
	assert_string_equal(db_text(q, 0), "two");
	assert_string_equal(db_text(q, 1), "?");
	assert_string_equal(db_text(q, 2), "one");
	assert_string_equal(db_text(q, 3), "it's ?");
	assert_string_equal(db_text(q, 4), "three");
	assert_string_equal(db_text(q, 5), "?");
	db_finalize(&q);
}

/* Two queries of one text do not disturb each other, nor one that is reset half-way. */
static void
test_rows(void **state)
{
	struct db *d = database(state);
	struct db_query *a, *b;
	int i = 0;

	make_table(d);
	good(d, "INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c')");
	a = ready(d, "SELECT k FROM t WHERE k >= ? ORDER BY k");
	b = ready(d, "SELECT k FROM t WHERE k >= ? ORDER BY k");
	db_bind_int(a, &i, 1);
	i = 0;
	db_bind_int(b, &i, 2);
	expect(d, db_step(a), DB_ROW);
	expect(d, db_step(b), DB_ROW);
	expect(d, db_step(a), DB_ROW);
	assert_int_equal(db_int(a, 0), 2);
	assert_int_equal(db_int(b, 0), 2);
	expect(d, db_step(b), DB_ROW);
	expect(d, db_step(b), DB_DONE);
	db_reset(a);
	expect(d, db_step(a), DB_ROW);
	assert_int_equal(db_int(a, 0), 1);
	db_reset(a);
	i = 0;
	db_bind_int(a, &i, 9);
	expect(d, db_step(a), DB_DONE);
	db_finalize(&a);
	db_finalize(&b);
}

static void
test_changes(void **state)
{
	struct db *d = database(state);
	struct db_query *q;

	make_table(d);
	q = ready(d, "INSERT INTO t VALUES (1, 1, ''), (2, 1, ''), (3, 2, '') ON CONFLICT DO NOTHING");
	expect(d, db_run(q), DB_DONE);
	assert_int_equal(db_changes(d), 3);
	expect(d, db_run(q), DB_DONE);
	assert_int_equal(db_changes(d), 0);
	db_finalize(&q);
	q = ready(d, "UPDATE t SET n = 9 WHERE n = ?");
	for (int i = 0; i == 0;)
		db_bind_int(q, &i, 1);
	expect(d, db_run(q), DB_DONE);
	assert_int_equal(rows_in(d), 3);
	assert_int_equal(db_changes(d), 2); /* a SELECT changes nothing */
	db_finalize(&q);
	q = ready(d, "INSERT INTO t VALUES (4, 1, '') RETURNING k");
	expect(d, db_step(q), DB_ROW);
	assert_int_equal(db_int(q, 0), 4);
	db_reset(q);
	db_finalize(&q);
	assert_int_equal(rows_in(d), 4);
}

static void
test_transactions(void **state)
{
	struct db *d = database(state);

	make_table(d);
	assert_false(db_in_transaction(d));
	good(d, "BEGIN");
	assert_true(db_in_transaction(d));
	good(d, "INSERT INTO t VALUES (1, 1, '')");
	expect(d, db_rollback(d), DB_DONE);
	assert_false(db_in_transaction(d));
	assert_int_equal(rows_in(d), 0);
	good(d, "BEGIN; INSERT INTO t VALUES (1, 1, ''); COMMIT");
	assert_false(db_in_transaction(d));
	expect(d, db_rollback(d), DB_DONE);
	assert_int_equal(rows_in(d), 1);
}

static void
test_constraint(void **state)
{
	struct db *d = database(state);
	struct db_query *q;

	make_table(d);
	q = inserter(d);
	bind_row(q, 1, 1, "");
	expect(d, db_run(q), DB_DONE);
	expect(d, db_run(q), DB_CONSTRAINT);
	expect_error(d, "a row of this key");
	assert_false(db_is_lost(d) || db_is_retryable(d));
	assert_int_equal(rows_in(d), 1);
	good(d, "BEGIN");
	bind_row(q, 2, 1, "");
	expect(d, db_run(q), DB_DONE);
	expect(d, db_run(q), DB_CONSTRAINT);
	bind_row(q, 3, 1, "");
	expect(d, db_run(q), is_postgres(d) ? DB_FAILED : DB_DONE);
	if (is_postgres(d))
		expect_error(d, "earlier statement of the transaction failed");
	if (is_postgres(d)) {
		struct db_query *commit = ready(d, "COMMIT");

		expect(d, db_run(commit), DB_FAILED);
		expect_error(d, "earlier statement of the transaction failed");
		good(d, "BEGIN");
		expect(d, db_run(q), DB_DONE);
		bind_row(q, 1, 1, "");
		expect(d, db_run(q), DB_CONSTRAINT);
		db_finalize(&commit);
	}
	/* A COMMIT that the server makes a ROLLBACK of is no success. */
	assert_int_equal(db_exec(d, "COMMIT"), is_postgres(d) ? -1 : 0);
	expect(d, db_rollback(d), DB_DONE);
	assert_int_equal(rows_in(d), is_postgres(d) ? 1 : 3);
	bind_row(q, 9, 1, "");
	expect(d, db_run(q), DB_DONE);
	db_finalize(&q);
}

static void
test_sent(void **state)
{
	struct db *d = database(state);
	struct db_query *begin = ready(d, "BEGIN"), *commit = ready(d, "COMMIT"), *in, *out;

	make_table(d);
	in = inserter(d);
	out = ready(d, "SELECT count(*), sum(n) FROM t");
	expect(d, db_send(begin), DB_DONE);
	for (int k = 0; k < 2000; k++) {
		bind_row(in, k, 2, "some text");
		expect(d, db_send(in), DB_DONE);
	}
	/* What is asked next sees what was sent. */
	expect(d, db_step(out), DB_ROW);
	assert_int_equal(db_int(out, 0), 2000);
	assert_int_equal(db_int(out, 1), 4000);
	db_reset(out);
	assert_true(db_in_transaction(d));
	bind_row(in, 2000, 2, "");
	expect(d, db_send(in), DB_DONE);
	expect(d, db_run(commit), DB_DONE);
	assert_false(db_in_transaction(d));
	assert_int_equal(rows_in(d), 2001);
	expect(d, db_flush(d), DB_DONE);
	/* What was sent is given up with the transaction. */
	expect(d, db_send(begin), DB_DONE);
	bind_row(in, 3000, 2, "");
	expect(d, db_send(in), DB_DONE);
	expect(d, db_rollback(d), DB_DONE);
	assert_int_equal(rows_in(d), 2001);
	db_finalize(&begin);
	db_finalize(&commit);
	db_finalize(&in);
	db_finalize(&out);
}

/* Both sides have more to say than any buffer holds. */
static void
test_sent_with_long_answers(void **state)
{
	struct db *d = database(state);
	struct db_query *q;
	size_t len = 100000;
	char *s = malloc(len + 1);

	assert_non_null(s);
	memset(s, 'y', len);
	s[len] = '\0';
	make_table(d);
	q = ready(d, "INSERT INTO t (k, n, s) VALUES (?, ?, ?) RETURNING s");
	good(d, "BEGIN");
	for (int k = 0; k < 300; k++) {
		bind_row(q, k, 0, s);
		expect(d, db_send(q), DB_DONE);
	}
	expect(d, db_flush(d), DB_DONE);
	good(d, "COMMIT");
	assert_int_equal(rows_in(d), 300);
	db_finalize(&q);
	free(s);
}

/* Sends rows 1, 1 and 2 within a transaction: the second fails. */
static void
send_collision(struct db *d, struct db_query *in)
{
	good(d, "BEGIN");
	bind_row(in, 1, 1, "");
	expect(d, db_send(in), DB_DONE);
	bind_row(in, 1, 1, "");
	db_send(in);
	bind_row(in, 2, 1, "");
	db_send(in);
}

static void
test_sent_and_failed(void **state)
{
	struct db *d = database(state);
	struct db_query *in, *other, *count;
	const char *before;

	make_table(d);
	in = inserter(d);
	other = ready(d, "INSERT INTO t VALUES (77, 1, '')");
	count = ready(d, "SELECT count(*) FROM t");
	for (int how = 0; how < 4; how++) {
		send_collision(d, in);
		if (how == 0)
			expect(d, db_flush(d), DB_FAILED);
		else if (how == 1)
			expect(d, db_run(other), DB_FAILED);
		else if (how == 2)
			expect(d, db_step(count), DB_FAILED);
		else
			assert_int_equal(db_exec(d, "INSERT INTO t VALUES (77, 1, '')"), -1);
		db_reset(count);
		expect_error(d, "a row of this key");
		assert_false(db_is_lost(d));
		/* It is told once. */
		expect(d, db_flush(d), DB_DONE);
		expect(d, db_rollback(d), DB_DONE);
		expect_error(d, "a row of this key");
		assert_int_equal(rows_in(d), 0);
	}
	/* A rollback ends what nobody was told of, and what was told before is still to be read. */
	assert_int_equal(db_exec(d, "this is not SQL"), -1);
	before = db_error(d);
	send_collision(d, in);
	expect(d, db_rollback(d), DB_DONE);
	if (is_postgres(d))
		assert_string_equal(db_error(d), before);
	expect(d, db_run(other), DB_DONE);
	assert_int_equal(rows_in(d), 1);
	db_finalize(&in);
	db_finalize(&other);
	db_finalize(&count);
}

/* Several queries in one round trip, stepped in another order; one is never stepped. */
static void
test_asked(void **state)
{
	struct db *d = database(state);
	struct db_query *a, *b, *c, *in;

	make_table(d);
	good(d, "INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c')");
	a = ready(d, "SELECT k FROM t ORDER BY k");
	b = ready(d, "SELECT n FROM t WHERE k > ? ORDER BY k");
	c = ready(d, "SELECT s FROM t");
	in = inserter(d);
	for (int round = 0; round < 2; round++) {
		int i = 0;

		db_bind_int(b, &i, round);
		good(d, "BEGIN");
		expect(d, db_ask(b), DB_DONE);
		expect(d, db_ask(c), DB_DONE);
		expect(d, db_ask(a), DB_DONE);
		for (int k = 1; k <= 3; k++) {
			expect(d, db_step(a), DB_ROW);
			assert_int_equal(db_int(a, 0), k);
		}
		expect(d, db_step(a), DB_DONE);
		bind_row(in, 9, 1, ""); /* between steps of what was asked */
		expect(d, db_send(in), DB_DONE);
		if (is_postgres(d)) { /* it was answered before */
			for (int k = 1 + round; k <= 3; k++) {
				expect(d, db_step(b), DB_ROW);
				assert_int_equal(db_int(b, 0), 10 * k);
			}
			expect(d, db_step(b), DB_DONE);
		}
		db_reset(a);
		db_reset(b);
		expect(d, db_rollback(d), DB_DONE);
		db_reset(c);
		assert_int_equal(rows_in(d), 3);
	}
	expect(d, db_ask(c), DB_DONE);
	db_finalize(&c); /* before it is answered */
	assert_int_equal(rows_in(d), 3);
	db_finalize(&a);
	db_finalize(&b);
	db_finalize(&in);
}

static void
test_asked_and_failed(void **state)
{
	struct db *d = database(state);
	struct db_query *a, *b, *in;

	make_table(d);
	good(d, "INSERT INTO t VALUES (1, 10, 'a')");
	a = ready(d, "SELECT k FROM t ORDER BY k");
	b = ready(d, "SELECT 7");
	in = inserter(d);
	good(d, "BEGIN");
	expect(d, db_ask(a), DB_DONE);
	bind_row(in, 1, 1, "");
	db_send(in);
	db_ask(b);
	expect(d, db_step(a), DB_FAILED);
	expect_error(d, "a row of this key");
	if (is_postgres(d)) /* it was skipped; SQLite asks it now */
		expect(d, db_step(b), DB_FAILED);
	db_reset(a);
	db_reset(b);
	expect(d, db_rollback(d), DB_DONE);
	expect(d, db_step(a), DB_ROW);
	expect(d, db_step(b), DB_ROW);
	assert_int_equal(db_int(b, 0), 7);
	db_finalize(&a);
	db_finalize(&b);
	db_finalize(&in);
}

/* A statement that was to be prepared behind a failure is prepared later. */
static void
test_prepared_after_failure(void **state)
{
	struct db *d = database(state);
	struct db_query *in, *later;

	make_table(d);
	in = inserter(d);
	later = ready(d, "UPDATE t SET n = 5");
	send_collision(d, in);
	db_send(later);
	expect(d, db_flush(d), DB_FAILED);
	expect(d, db_rollback(d), DB_DONE);
	good(d, "INSERT INTO t VALUES (1, 1, '')");
	expect(d, db_run(later), DB_DONE);
	assert_int_equal(db_number(d, "SELECT n FROM t"), 5);
	db_finalize(&in);
	db_finalize(&later);
}

static void
test_exec(void **state)
{
	struct db *d = database(state);

	good(d, "CREATE TABLE t (k BIGINT PRIMARY KEY, s TEXT DEFAULT 'a;b'); -- a comment; with a mark\n"
		"CREATE INDEX i ON t (s);\n");
	assert_int_equal(db_exec(d, "BEGIN; INSERT INTO t (k) VALUES (1); INSERT INTO t (k) VALUES (1); COMMIT"), -1);
	expect_error(d, "a row of this key");
	expect(d, db_rollback(d), DB_DONE);
	assert_int_equal(rows_in(d), 0);
	assert_int_equal(db_exec(d, "this is not SQL"), -1);
	good(d, "INSERT INTO t (k) VALUES (1)");
	assert_int_equal(rows_in(d), 1);
}

static void
test_missing_table(void **state)
{
	struct db *d = database(state);
	struct db_query *q = db_prepare(d, "SELECT x FROM nowhere");

	if (q != NULL) /* PostgreSQL sees it now */
		expect(d, db_step(q), DB_FAILED);
	expect_error(d, "not those of Postern");
	assert_true(db_is_lost(d));
	assert_int_equal(db_number(d, "SELECT x FROM nowhere"), -1);
	db_finalize(&q);
	q = db_prepare_large(d, "SELECT x FROM nowhere");
	if (q != NULL)
		expect(d, db_step(q), DB_FAILED);
	db_finalize(&q);
	assert_false(db_in_transaction(d));
	assert_int_equal(db_number(d, "SELECT 5"), 5);
}

#define MANY 3001

static void
fill(struct db *d)
{
	make_table(d);
	good(d, "INSERT INTO t WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 3001)"
		" SELECT i, i % 7, 'row ' || i FROM g");
	assert_int_equal(rows_in(d), MANY);
}

/* Two at a time, with others between their steps, one left half-way. */
static void
test_large(void **state)
{
	struct db *d = database(state);
	struct db_query *all, *part, *one;
	int64_t n = 0, sum = 0;
	int i = 0;

	fill(d);
	all = db_prepare_large(d, "SELECT k, s FROM t WHERE k > ? ORDER BY k");
	part = db_prepare_large(d, "SELECT k FROM t WHERE s <> ? ORDER BY k DESC");
	one = ready(d, "SELECT n FROM t WHERE k = ?");
	assert_true(all != NULL && part != NULL);
	db_bind_int(all, &i, 0);
	i = 0;
	db_bind_text(part, &i, "row 1");
	for (enum db_result r; (r = db_step(all)) != DB_DONE;) {
		char text[32];

		expect(d, r, DB_ROW);
		snprintf(text, sizeof text, "row %lld", (long long)++n);
		assert_string_equal(db_text(all, 1), text);
		i = 0;
		db_bind_int(one, &i, db_int(all, 0));
		expect(d, db_step(one), DB_ROW);
		sum += db_int(one, 0);
		db_reset(one);
		if (n > 1000 && n <= 2000) {
			expect(d, db_step(part), DB_ROW);
			assert_int_equal(db_int(part, 0), MANY - (n - 1001));
		}
		assert_string_equal(db_text(all, 1), text);
	}
	assert_int_equal(n, MANY);
	assert_int_equal(sum, db_number(d, "SELECT sum(n) FROM t"));
	db_reset(all);
	expect(d, db_step(part), DB_ROW);
	db_finalize(&part);
	assert_false(db_in_transaction(d));
	/* Again with another value. */
	i = 0;
	db_bind_int(all, &i, MANY - 2);
	expect(d, db_step(all), DB_ROW);
	expect(d, db_step(all), DB_ROW);
	expect(d, db_step(all), DB_DONE);
	db_reset(all);
	i = 0;
	db_bind_int(all, &i, MANY);
	expect(d, db_step(all), DB_DONE);
	db_finalize(&all);
	db_finalize(&one);
	good(d, "DELETE FROM t");
}

/* As many rows as one, two ... fetches bring, and one more or less. */
static void
test_large_borders(void **state)
{
	static const int counts[] = { 0, 1, 511, 512, 513, 1023, 1024, 1025 };
	struct db *d = database(state);
	struct db_query *q;

	fill(d);
	q = db_prepare_large(d, "SELECT k FROM t WHERE k <= ?");
	assert_non_null(q);
	for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
		int i = 0, n = 0;

		db_bind_int(q, &i, counts[k]);
		while (db_step(q) == DB_ROW)
			n++;
		assert_int_equal(n, counts[k]);
		db_reset(q);
	}
	db_finalize(&q);
	assert_false(db_in_transaction(d));
}

/* In the caller's transaction a large query sees what was written in it. */
static void
test_large_in_transaction(void **state)
{
	struct db *d = database(state);
	struct db_query *q, *begin = ready(d, "BEGIN"), *drop;
	int n = 0;

	fill(d);
	q = db_prepare_large(d, "SELECT k FROM t");
	drop = ready(d, "DELETE FROM t WHERE k = 1");
	assert_non_null(q);
	expect(d, db_send(begin), DB_DONE);
	expect(d, db_send(drop), DB_DONE);
	while (db_step(q) == DB_ROW)
		n++;
	db_reset(q);
	assert_int_equal(n, MANY - 1);
	assert_true(db_in_transaction(d));
	expect(d, db_rollback(d), DB_DONE);
	assert_int_equal(rows_in(d), MANY);
	db_finalize(&q);
	db_finalize(&begin);
	db_finalize(&drop);
}

/* The end of a large query does not hide what nobody was told of. */
static void
test_large_ends_after_failure(void **state)
{
	struct db *d = database(state);
	struct db_query *q, *in;

	make_table(d);
	q = db_prepare_large(d, "SELECT 1");
	in = inserter(d);
	assert_non_null(q);
	for (int is_read = 0; is_read < 2; is_read++) {
		if (is_read == 1)
			expect(d, db_step(q), DB_ROW); /* begins a transaction of its own in PostgreSQL */
		send_collision(d, in);
		db_reset(q);
		if (is_read == 1 || !is_postgres(d)) /* it is known already */
			expect(d, db_send(in), DB_FAILED);
		if (is_read == 1 && is_postgres(d))
			expect(d, db_ask(in), DB_FAILED);
		db_reset(in);
		expect(d, db_flush(d), DB_FAILED);
		expect_error(d, is_read == 1 && is_postgres(d) ? "only reads" : "a row of this key");
		expect(d, db_rollback(d), DB_DONE);
		assert_int_equal(rows_in(d), 0);
	}
	good(d, "BEGIN");
	expect(d, db_step(q), DB_ROW);
	bind_row(in, 1, 1, "");
	db_send(in);
	db_send(in);
	db_reset(q);
	expect(d, db_flush(d), DB_FAILED);
	expect_error(d, "a row of this key");
	expect(d, db_rollback(d), DB_DONE);
	db_finalize(&q);
	db_finalize(&in);
}

static void
test_readers_change_nothing(void **state)
{
	struct place *p = *state;
	struct db *r;

	make_table(p->d);
	r = open_url(p->url, DB_READ);
	assert_int_equal(rows_in(r), 0);
	assert_int_equal(db_exec(r, "INSERT INTO t VALUES (1, 1, '')"), -1);
	assert_true(strstr(db_error(r), is_postgres(r) ? "only reads" : "cannot be written") != NULL);
	assert_int_equal(rows_in(p->d), 0);
	db_close(&r);
}

static void
test_a_handle_is_none(void **state)
{
	struct db_query *q = NULL;
	struct db *d = NULL;

	(void)state;
	db_finalize(&q);
	db_close(&d);
}

static void
test_unknown_url(void **state)
{
	const char *error = NULL;

	(void)state;
	assert_null(db_open("mysql://host/db", DB_READ, 1000, &error, NULL, 0));
	assert_string_equal(error, "not a database that Postern knows");
	assert_null(db_open("/var/lib/postern.db", DB_READ, 1000, &error, NULL, 0));
}

static void
test_shown_url(void **state)
{
	static const struct {
		const char *url, *shown;
	} table[] = {
		{"sqlite:/var/lib/p@x:y.db", "sqlite:/var/lib/p@x:y.db"},
		{"postgresql://", "postgresql://"},
		{"postgresql://db/postern", "postgresql://db/postern"},
		{"postgres://u@db:5432/postern?sslmode=verify-full", "postgres://u@db:5432/postern?sslmode=verify-full"},
		{"postgresql://u:secret@db/postern", "postgresql://u@db/postern"},
		{"postgresql://u:@db/postern", "postgresql://u@db/postern"},
		{"postgresql://:secret@/postern", "postgresql://@/postern"},
		{"postgresql://u:se:c#ret@a:1,[::1]:2,c/postern", "postgresql://u@a:1,[::1]:2,c/postern"},
		{"postgresql://u:s%40c@db?host=/run&password=secret&port=1", "postgresql://u@db?host=/run&port=1"},
		{"postgresql://db/d?password=secret", "postgresql://db/d"},
		{"postgresql://db/d?sslpassword=secret&a=b", "postgresql://db/d?a=b"},
		{"postgresql://db/d?%70assword=secret", "postgresql://db/d"},
		{"postgresql://db/d?pass%77ord=secret", "postgresql://db/d"},
		/* Where the secret ends is uncertain. */
		{"postgresql://u:se@cret@db/d", "postgresql://..."},
		{"postgresql://u:se/cret@db/d", "postgresql://..."},
		{"postgresql://u:se?cret@db/d", "postgresql://..."},
		{"postgresql://u:12/cret@db/d", "postgresql://..."},
		{"postgresql://u:secret/d", "postgresql://..."},
		{"postgresql://u:1secret", "postgresql://..."},
		{"postgresql://u:secret@[db/d", "postgresql://..."},
		{"postgresql://[u:secret@db/d", "postgresql://[u@db/d"},
		{"postgresql://db/d?password=se&cret", "postgresql://..."},
		{"postgresql://db:1/d?password=se@cret", "postgresql://..."},
	};
	char shown[128];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		db_shown_url(table[i].url, shown, sizeof shown);
		assert_string_equal(shown, table[i].shown);
		for (size_t size = 1; size < 20; size++) {
			db_shown_url(table[i].url, shown, size);
			assert_true(strlen(shown) < size && strncmp(shown, table[i].shown, strlen(shown)) == 0);
		}
	}
}

static void
test_postgres_statements(void **state)
{
	static const struct {
		const char *sql, *text;
		int n;
	} table[] = {
		{"", "", 0},
		{"SELECT 1", "SELECT 1", 0},
		{"SELECT ?, ?", "SELECT $1, $2", 2},
		{"SELECT ?2, ?, ?1", "SELECT $2, $3, $1", 3},
		{"SELECT ?12", "SELECT $12", 12},
		{"SELECT '?', '''?', ?", "SELECT '?', '''?', $1", 1},
		{"SELECT '\\', ?", "SELECT '\\', $1", 1},
		{"SELECT E'\\'?', ?", "SELECT E'\\'?', $1", 1},
		{"SELECT e'\\\\', ?", "SELECT e'\\\\', $1", 1},
		{"SELECT name'\\', ?", "SELECT name'\\', $1", 1},
		{"SELECT \"?\"\"?\", ?", "SELECT \"?\"\"?\", $1", 1},
		{"-- ?\n?", "-- ?\n$1", 1},
		{"? -- ?", "$1 -- ?", 1},
		{"/* ? /* ? */ ? */ ?", "/* ? /* ? */ ? */ $1", 1},
		{"$$?$$ ?", "$$?$$ $1", 1},
		{"$a$ ? $$ ? $a$ ?", "$a$ ? $$ ? $a$ $1", 1},
		{"a$b ? $1 ?", "a$b $1 $1 $2", 2},
		{"'no end ?", "'no end ?", 0},
		{"/* no end ?", "/* no end ?", 0},
		{"$$ no end ?", "$$ no end ?", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		int n;
		char *text = postgres_statement(table[i].sql, &n);

		assert_string_equal(text, table[i].text);
		assert_int_equal(n, table[i].n);
		free(text);
	}
}

static void
test_postgres_states(void **state)
{
	char code[POSTGRES_STATE_SIZE] = "";
	char line[16];

	(void)state;
	assert_true(postgres_state_in("connection failed: FATAL:  28P01: no\nLOCATION:  x", code));
	assert_string_equal(code, "28P01");
	assert_false(postgres_state_in("connection failed: FATAL:  password", code));
	assert_false(postgres_state_in("failed:  ABC: x", code));
	postgres_line("one\ttwo\nLOCATION:  auth.c\nthree\n", line, sizeof line);
	assert_string_equal(line, "one two; three");
	postgres_line("0123456789abc\xc3\xbcx", line, sizeof line);
	assert_string_equal(line, "0123456789abc\xc3\xbc");
	postgres_line("0123456789abcd\xc3\xbcx", line, sizeof line);
	assert_string_equal(line, "0123456789abcd");
	assert_false(postgres_failure("12345")->is_lost);
}

/* A server that is away, and one that is there and will not or cannot. */
static void
test_postgres_states_of_away(void **state)
{
	static const char *const away[] = {"08001", "08006", POSTGRES_LATE, "57P01", "57P03", "53300", "25006"};
	static const char *const there[] = {"08P01", "28P01", "3D000", "42501", "42P01", "57P04", "57014", "53100", "58030",
		"XX001", "25P03", "40001", POSTGRES_URL, POSTGRES_MEMORY, POSTGRES_ENCODING, POSTGRES_SET_READ_ONLY};

	(void)state;
	for (size_t i = 0; i < sizeof away / sizeof away[0]; i++)
		assert_true(postgres_failure(away[i])->is_away && postgres_failure(away[i])->is_lost);
	for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
		assert_false(postgres_failure(there[i])->is_away);
}

#define CONTRACT(open) \
	cmocka_unit_test_setup_teardown(test_numbers, open, close_place), \
	cmocka_unit_test_setup_teardown(test_arithmetic, open, close_place), \
	cmocka_unit_test_setup_teardown(test_texts, open, close_place), \
	cmocka_unit_test_setup_teardown(test_octets_that_are_not_utf8, open, close_place), \
	cmocka_unit_test_setup_teardown(test_long_text, open, close_place), \
	cmocka_unit_test_setup_teardown(test_null_and_booleans, open, close_place), \
	cmocka_unit_test_setup_teardown(test_placeholders, open, close_place), \
	cmocka_unit_test_setup_teardown(test_rows, open, close_place), \
	cmocka_unit_test_setup_teardown(test_changes, open, close_place), \
	cmocka_unit_test_setup_teardown(test_transactions, open, close_place), \
	cmocka_unit_test_setup_teardown(test_constraint, open, close_place), \
	cmocka_unit_test_setup_teardown(test_sent, open, close_place), \
	cmocka_unit_test_setup_teardown(test_sent_with_long_answers, open, close_place), \
	cmocka_unit_test_setup_teardown(test_sent_and_failed, open, close_place), \
	cmocka_unit_test_setup_teardown(test_asked, open, close_place), \
	cmocka_unit_test_setup_teardown(test_asked_and_failed, open, close_place), \
	cmocka_unit_test_setup_teardown(test_prepared_after_failure, open, close_place), \
	cmocka_unit_test_setup_teardown(test_exec, open, close_place), \
	cmocka_unit_test_setup_teardown(test_missing_table, open, close_place), \
	cmocka_unit_test_setup_teardown(test_large, open, close_place), \
	cmocka_unit_test_setup_teardown(test_large_borders, open, close_place), \
	cmocka_unit_test_setup_teardown(test_large_in_transaction, open, close_place), \
	cmocka_unit_test_setup_teardown(test_large_ends_after_failure, open, close_place), \
	cmocka_unit_test_setup_teardown(test_readers_change_nothing, open, close_place)

int
main(void)
{
	static const struct CMUnitTest pure[] = {
		cmocka_unit_test(test_a_handle_is_none), cmocka_unit_test(test_unknown_url), cmocka_unit_test(test_shown_url),
		cmocka_unit_test(test_postgres_statements), cmocka_unit_test(test_postgres_states),
		cmocka_unit_test(test_postgres_states_of_away),
	};
	static const struct CMUnitTest sqlite[] = { CONTRACT(open_sqlite) };
	static const struct CMUnitTest postgres[] = { CONTRACT(open_postgres) };
	int failed = cmocka_run_group_tests(pure, NULL, NULL) + cmocka_run_group_tests(sqlite, NULL, NULL);

	if (postgres_is_there())
		failed += cmocka_run_group_tests(postgres, make_all, drop_all);
	return failed != 0;
}
