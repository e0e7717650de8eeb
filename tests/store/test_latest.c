/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a page of the dashboard asks: which way each statement reaches its rows, and that an answer which takes
 * too long is given up. What they answer is held against the rows by tests/unit/report.py and dashboard.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "sql/read-private.h"
#include "sql/store.h"

static char directory[] = "/tmp/postern-latest-XXXXXX";
static char url[300], path[200];
static struct db *db;

static void
sql(const char *s)
{
	if (db_exec(db, s) != 0)
		fail_msg("%s: %s", db_error(db), s);
}

static int
set_up(void **state)
{
	const char *error = "";
	char text[600], words[200];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/audit.db", directory);
	snprintf(url, sizeof url, "sqlite:%s", path);
	assert_int_equal(store_migrate(url, text, sizeof text), 0);
	db = db_open(url, DB_WRITE, 0, &error, words, sizeof words);
	assert_non_null(db);
	snprintf(text, sizeof text, "ATTACH '%s/audit.db-deliveries' AS follower", directory);
	sql(text);
	sql("CREATE TABLE follower.deliveries (number INTEGER PRIMARY KEY, relay, instance, queue_id, origin_id, recipient, original, first_time, time,"
	    " status, dsn, next_hop, next_hop_of, tls, delay_ms, reply, attempts, closed); CREATE INDEX follower.deliveries_time ON deliveries (time)");
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = {"audit.db", "audit.db-wal", "audit.db-shm", "audit.db-lock", "audit.db-deliveries", "audit.db-requests"};

	(void)state;
	db_close(&db);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", directory, names[i]);
		(void)unlink(path);
	}
	return rmdir(directory);
}

/* The plan goes by all of these, separated by blanks, and reads no table as a whole. */
static void
check_plan(const char *text, const char *indexes)
{
	static char plan[8000];
	struct text explain = {0};
	struct db_query *q;
	size_t n = 0;
	char word[64];

	text_printf(&explain, "EXPLAIN QUERY PLAN %s", text);
	q = db_prepare(db, text_string(&explain));
	if (q == NULL)
		fail_msg("%s: %s", db_error(db), text);
	plan[0] = '\0';
	while (db_step(q) == DB_ROW)
		n += (size_t)snprintf(plan + n, sizeof plan - n, "%s\n", db_text(q, 3));
	db_finalize(&q);
	text_free(&explain);
	for (int used; sscanf(indexes, "%63s%n", word, &used) == 1; indexes += used)
		if (strstr(plan, word) == NULL)
			fail_msg("no %s in\n%s%s", word, plan, text);
	for (const char *s = plan; (s = strstr(s, "SCAN ")) != NULL; s++) {
		static const char *const tables[] = {"messages", "refusals", "recipients", "deliveries", "hours", "held", "f", "n", "e USING", "d USING"};

		for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
			size_t len = strlen(tables[i]);

			if (strncmp(s + 5, tables[i], len) == 0 && strchr(" \n", s[5 + len]) != NULL)
				fail_msg("a table is read as a whole:\n%s%s", plan, text);
		}
	}
}

static const unsigned kinds[] = {
	0, STORE_TRAFFIC_APP, STORE_TRAFFIC_TENANT, STORE_TRAFFIC_DEPARTMENT, STORE_TRAFFIC_METHOD, STORE_TRAFFIC_VERDICT, STORE_TRAFFIC_REASON,
	STORE_TRAFFIC_SENDER, STORE_TRAFFIC_CLIENT,
};

static const char *
index_of(unsigned only)
{
	return only == STORE_TRAFFIC_APP ? "messages_app_time" : only == STORE_TRAFFIC_SENDER ? "messages_sender" : "messages_time";
}

/* Roll-ups are read by their hours alone; rows within the time that the page is bounded to. */
static void
sums_go_by_time(void **state)
{
	static const unsigned by[] = {
		0, STORE_TRAFFIC_HOUR, STORE_TRAFFIC_APP, STORE_TRAFFIC_REASON | STORE_TRAFFIC_VERDICT | STORE_TRAFFIC_APP, STORE_TRAFFIC_SENDER, STORE_TRAFFIC_CLIENT,
	};

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		for (size_t k = 0; k < sizeof by / sizeof by[0]; k++) {
			const struct store_traffic_query q = {.by = by[k], .only = kinds[i], .name = "x", .unsigned_only = i % 2 == 1, .brief = k == 1, .max = 10};
			bool of_rows = ((by[k] | kinds[i]) & (STORE_TRAFFIC_SENDER | STORE_TRAFFIC_CLIENT)) != 0;
			struct text t = {0};

			traffic_statement(&q, &t);
			check_plan(text_string(&t), of_rows ? index_of(kinds[i]) : "PRIMARY (hour>");
			if (of_rows && kinds[i] != STORE_TRAFFIC_SENDER)
				check_plan(text_string(&t), "refusals_last_time");
			text_free(&t);
		}
}

static void
lists_go_by_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		for (int k = 0; k < 3; k++) {
			const struct store_latest what = {.only = kinds[i], .name = "x", .unsigned_only = k == 1, .stopped_only = k == 2};
			const struct store_traffic_query q = {.only = kinds[i], .name = "x"};
			struct text t = {0};

			latest_statement(&what, &t);
			check_plan(text_string(&t), index_of(kinds[i]));
			check_plan(text_string(&t), kinds[i] == STORE_TRAFFIC_SENDER ? "refusals_sender" : "refusals_last_time");
			text_clear(&t);
			newest_statement(&q, 20000, &t);
			check_plan(text_string(&t), index_of(kinds[i]));
			text_free(&t);
		}
	check_plan(latest_replies, "deliveries_time messages_queue_id sqlite_autoindex_messages_1");
}

static int
count(void *context, const struct store_traffic *s)
{
	*(uint64_t *)context += s->messages;
	return 0;
}

static void
what_takes_too_long_is_given_up(void **state)
{
	const struct store_traffic_query q = {.since = 1, .until = 10000000, .by = STORE_TRAFFIC_CLIENT};
	const char *why = "";
	char error[300];
	struct store_reader *r = store_reader_open(url, error, sizeof error);
	uint64_t n = 0;

	(void)state;
	assert_non_null(r);
	sql("INSERT INTO messages (id, time, verdict, reason, app, client) WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 20000)"
	    " SELECT 'M' || n, n, 'accept', '', 'crm', '10.0.0.' || (n % 9) FROM i");
	store_reader_patience(r, 60000);
	assert_int_equal(store_reader_traffic(r, &q, count, &n, &why), 0);
	assert_int_equal(n, 20000);
	store_reader_patience(r, 0);
	assert_int_equal(store_reader_traffic(r, &q, count, &n, &why), -1);
	assert_non_null(strstr(why, "takes too long"));
	/* A reader that has time again goes on. */
	store_reader_patience(r, 60000);
	n = 0;
	assert_int_equal(store_reader_traffic(r, &q, count, &n, &why), 0);
	assert_int_equal(n, 20000);
	store_reader_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_go_by_time),
		cmocka_unit_test(lists_go_by_time),
		cmocka_unit_test(what_takes_too_long_is_given_up),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
