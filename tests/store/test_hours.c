/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The roll-ups equal what the rows add up to: after random traffic of several threads, after
 * kill -9, and where a migration made them of the rows that were there.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sql/db.h"
#include "sql/store.h"
#include "tests/lib/postgres.h"
#include "tests/store/hours.h"

#define HOUR INT64_C(3600000)
#define BEGAN (INT64_C(1700000000000) / HOUR * HOUR)
#define THREADS 8

static _Atomic int64_t wall = BEGAN + HOUR / 2;
static _Atomic int64_t boot = 1000000;
static _Atomic unsigned serial;
static char url[600], directory[100];

static int64_t get_wall(void *c) { (void)c; return wall; }
static int64_t get_boot(void *c) { (void)c; return boot; }
static const char *get_name(void *c) { (void)c; return "one"; }
static const struct clock test_clock = { get_wall, get_boot, get_name, NULL, NULL };

static struct store *
open_store(void)
{
	struct store_options o = { .url = url, .relay = "r1", .clock = &test_clock };
	char error[600] = "";
	struct store *s = store_open(&o, error, sizeof error);

	if (s == NULL)
		fail_msg("%s", error);
	return s;
}

static int64_t
number(const char *query)
{
	const char *error = "";
	struct db *db = db_open(url, DB_READ, 5000, &error, NULL, 0);
	int64_t n = db == NULL ? -1 : db_number(db, query);

	if (n < 0)
		fail_msg("%s: %s (%s)", query, db == NULL ? error : db_error(db), db == NULL ? "" : db_words(db));
	db_close(&db);
	return n;
}

static void
run_sql(const char *sql)
{
	const char *error = "";
	struct db *db = db_open(url, DB_WRITE, 5000, &error, NULL, 0);

	if (db == NULL || db_exec(db, sql) != 0)
		fail_msg("%s: %s (%s)", sql, db == NULL ? error : db_error(db), db == NULL ? "" : db_words(db));
	db_close(&db);
}

static const char *
one_of(unsigned *seed, const char *const *words, unsigned n)
{
	return words[(unsigned)rand_r(seed) % n];
}

static const char *const apps[] = {"crm", "erp", "", "printers"}, *const tenants[] = {"contoso", "fabrikam"},
	*const departments[] = {"Sales", ""}, *const methods[] = {"connector", "direct-send"}, *const modes[] = {"enforce", "monitor"},
	*const verdicts[] = {"accept", "accept", "accept", "hold", "defer", "reject", "discard"},
	*const reasons[] = {"", "limit:crm/messages-per-hour", "rule:x", "from-not-allowed"},
	*const signings[] = {"signed", "not-signed", "no-key", ""};
#define ONE_OF(words) one_of(seed, words, sizeof words / sizeof words[0])

static void
make_id(char id[40], unsigned *seed)
{
	snprintf(id, 40, "%06d%08u%04x", (int)getpid() % 1000000, serial++, (unsigned)rand_r(seed) & 0xffff);
}

static void
fill(struct record *r, unsigned *seed, const char *id)
{
	*r = (struct record){
		.id = id, .time = wall + rand_r(seed) % (3 * HOUR), .relay = "r1", .queue_id = "q", .stage = "eom",
		.verdict = ONE_OF(verdicts), .reason = ONE_OF(reasons), .enhanced = "", .text = "", .would = ONE_OF(verdicts),
		.would_reason = ONE_OF(reasons), .would_text = "", .mode = ONE_OF(modes), .app = ONE_OF(apps),
		.tenant = ONE_OF(tenants), .method = ONE_OF(methods), .department = ONE_OF(departments), .client = "10.0.0.1",
		.client_name = "", .helo = "", .login = "", .tls = "", .certificate = "", .certificate_issuer = "", .sender = "s",
		.sender_domain = "", .header_from = "", .header_from_domain = "", .header_sender = "", .subject = "",
		.message_id = "", .form = "", .size = rand_r(seed) % 100000, .recipients = rand_r(seed) % 5,
		.external = rand_r(seed) % 3, .signing = ONE_OF(signings), .policy = "", .trace = "",
		.decide_us = 1 << rand_r(seed) % 22,
	};
}

static void
admit_one(struct store *s, unsigned *seed, const char *id)
{
	struct record r;
	struct admit a = { .record = &r };
	const char *error;

	fill(&r, seed, id);
	(void)store_admit(s, &a, &error); /* a repeated id fails, and must not count */
}

/* As the session does: the first of a kind at the end of a message is kept with its facts. */
static void
refuse_one(struct store *s, unsigned *seed, const char *id)
{
	bool is_end = rand_r(seed) % 2 == 0, is_new;
	char sender[20];
	struct record r;
	struct refusal f;
	struct id counted;

	fill(&r, seed, id);
	r.verdict = r.would = rand_r(seed) % 3 == 0 ? "defer" : "reject";
	snprintf(sender, sizeof sender, "s%d", rand_r(seed) % 40);
	f = (struct refusal){
		.id = id, .time = r.time, .stage = is_end ? "eom" : "rcpt", .verdict = r.verdict, .reason = r.reason, .enhanced = "",
		.text = "", .app = r.app, .tenant = r.tenant, .method = r.method, .client = "10.0.0.1", .login = "", .tls = "",
		.certificate = "", .certificate_issuer = "", .sender = sender, .header_from = "", .recipient = "", .queue_id = "",
		.policy = "", .department = r.department,
	};
	counted = store_refuse(s, &f, &is_new);
	r.id = counted.s;
	r.would_reason = r.reason;
	if (is_new && is_end)
		store_record(s, &r);
}

struct traffic {
	struct store *store;
	unsigned seed;
	int n;
};

static void *
send_some(void *arg)
{
	struct traffic *t = arg;
	char id[40], admitted[40] = "";

	for (int i = 0; i < t->n; i++) {
		make_id(id, &t->seed);
		if (rand_r(&t->seed) % 4 == 0) {
			refuse_one(t->store, &t->seed, id);
			continue;
		}
		if (admitted[0] == '\0' || rand_r(&t->seed) % 20 != 0)
			strcpy(admitted, id);
		admit_one(t->store, &t->seed, admitted);
	}
	return NULL;
}

static void
send_traffic(struct store *s, unsigned seed, int n)
{
	struct traffic t[THREADS];
	pthread_t thread[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		t[i] = (struct traffic){s, seed * 1000 + i, n};
		assert_int_equal(pthread_create(&thread[i], NULL, send_some, &t[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void
hours_are_the_rows(int64_t least)
{
	int64_t n = number("SELECT count(*) FROM hours");

	assert_in_range(n, least, INT32_MAX);
	assert_int_equal(number(HOURS_DIFFER), 0);
	assert_int_equal(number("SELECT sum(messages) FROM mail_hours"), number("SELECT sum(messages) FROM mail_totals"));
	assert_int_equal(number("SELECT sum(messages) FROM mail_hours WHERE verdict IN ('defer', 'reject')"),
			 number("SELECT sum(count) FROM stopped"));
}

static void
random_traffic(void **state)
{
	struct store *s;

	(void)state;
	for (unsigned i = 1; i <= 4; i++) {
		s = open_store();
		send_traffic(s, i, 150);
		store_close(&s);
		wall += HOUR;
		hours_are_the_rows(100);
	}
}

static void
kills(void **state)
{
	unsigned seed = 4711;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		const struct timespec pause = {.tv_nsec = 50000000 + rand_r(&seed) % 200000000};
		pid_t child = fork();
		struct store *s;

		assert_true(child >= 0);
		if (child == 0) {
			s = open_store();
			send_traffic(s, 100 + i, 1000000);
			_exit(1);
		}
		nanosleep(&pause, NULL);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		s = open_store();
		send_traffic(s, 200 + i, 3);
		store_close(&s);
		hours_are_the_rows(100);
	}
}

/* As version 2 left it. */
static void
migration(void **state)
{
	static const char *const views[] = {"mail_hours", "mail_totals", "stopped", "refused"};
	static const char *const indexes[] = {"messages_sender", "messages_header_from", "recipients_address", "refusals_sender",
					      "refusals_recipient", "refusals_queue_id"};
	bool is_sqlite = strncmp(url, "sqlite:", 7) == 0;
	struct store *s;
	char sql[300];

	(void)state;
	for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
		snprintf(sql, sizeof sql, "DROP INDEX %s", indexes[i]);
		run_sql(sql);
	}
	if (!is_sqlite)
		run_sql("DROP VIEW mail_deliveries; DROP VIEW mail_reports; DROP TABLE deliveries; DROP TABLE requeues; DROP TABLE agent_tls;"
			" DROP TABLE followed; DROP TABLE reported; DROP TABLE report_files; DROP TABLE delivery_counts; DROP TABLE follower_state; DROP TABLE upstream");
	run_sql("DROP TABLE timings");
	for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
		snprintf(sql, sizeof sql, "DROP VIEW %s", views[i]);
		run_sql(sql);
	}
	if (is_sqlite)
		run_sql("ALTER TABLE share_refusals DROP COLUMN relay; ALTER TABLE share_refusals DROP COLUMN department");
	run_sql("DROP TABLE hours; ALTER TABLE refusals DROP COLUMN relay; ALTER TABLE refusals DROP COLUMN department");
	run_sql(is_sqlite ? "PRAGMA user_version = 2" : "UPDATE schema_version SET version = 2");
	s = open_store();
	hours_are_the_rows(100);
	send_traffic(s, 9, 20);
	store_close(&s);
	hours_are_the_rows(100);
}

/* What one batch holds has more groups than are added up at once. */
static void
many_groups(void **state)
{
	struct store *s = open_store();
	int64_t before = number("SELECT count(*) FROM mail_totals");

	(void)state;
	for (int i = 0; i < 900; i++) {
		char app[20], client[20], id[40];
		unsigned seed = 1;
		bool is_new;
		struct refusal f = {
			.id = id, .time = wall, .stage = "rcpt", .verdict = "reject", .reason = "x", .enhanced = "", .text = "",
			.app = app, .tenant = "", .method = "", .client = client, .login = "", .tls = "", .certificate = "",
			.certificate_issuer = "", .sender = "", .header_from = "", .recipient = "", .queue_id = "", .policy = "",
			.department = "",
		};

		make_id(id, &seed);
		snprintf(app, sizeof app, "many%d", i % 700);
		snprintf(client, sizeof client, "10.0.1.%d", i);
		(void)store_refuse(s, &f, &is_new);
	}
	store_close(&s);
	assert_int_equal(number("SELECT count(*) FROM mail_totals"), before + 700);
	hours_are_the_rows(100);
}

struct total {
	uint64_t messages, accepted, counted, bytes, is_unsigned, on_trial;
	int n;
	int64_t last_hour;
	uint64_t last;
	bool by_hour;
};

static int
add_sum(void *context, const struct store_traffic *t)
{
	struct total *x = context;

	if (x->by_hour)
		assert_true(t->hour > x->last_hour && t->hour % HOUR == 0);
	else
		assert_true(x->n == 0 || t->messages <= x->last);
	assert_int_equal(t->messages, t->accepted + t->held + t->deferred + t->rejected + t->discarded);
	x->messages += t->messages;
	x->accepted += t->accepted;
	x->counted += t->counted;
	x->bytes += t->bytes;
	x->is_unsigned += t->is_unsigned;
	x->on_trial += t->on_trial;
	x->last = t->messages;
	x->last_hour = t->hour;
	x->n++;
	return 0;
}

static struct total
ask(struct store_reader *r, struct store_traffic_query q)
{
	struct total x = {.by_hour = (q.by & STORE_TRAFFIC_HOUR) != 0};
	const char *error = "";

	if (store_reader_traffic(r, &q, add_sum, &x, &error) != 0)
		fail_msg("%s", error);
	return x;
}

/* Whatever it is told apart by, and whether of roll-ups or of rows, it comes to the same. */
static void
readers_agree(void **state)
{
	static const unsigned by[] = {
		0, STORE_TRAFFIC_HOUR, STORE_TRAFFIC_APP, STORE_TRAFFIC_SENDER, STORE_TRAFFIC_CLIENT, STORE_TRAFFIC_RELAY,
		STORE_TRAFFIC_REASON | STORE_TRAFFIC_VERDICT | STORE_TRAFFIC_SIGNING,
	};
	struct store_traffic_query q = {.since = BEGAN + 2 * HOUR, .until = BEGAN + 5 * HOUR};
	char text[300] = "";
	struct store_reader *r = store_reader_open(url, text, sizeof text);
	struct total one, all;

	(void)state;
	assert_non_null(r);
	one = ask(r, q);
	assert_int_equal(one.n, 1);
	assert_int_equal(one.messages, number("SELECT sum(messages) FROM mail_hours WHERE hour >= 1699999200000 + 2 * 3600000"
					      " AND hour < 1699999200000 + 5 * 3600000"));
	assert_int_equal(one.is_unsigned, number("SELECT count(*) FROM mail WHERE verdict IN ('accept', 'hold') AND signing <> 'signed'"
						 " AND time >= 1699999200000 + 2 * 3600000 AND time < 1699999200000 + 5 * 3600000"));
	assert_true(one.on_trial > 0 && one.counted > 0);
	for (size_t i = 1; i < sizeof by / sizeof by[0]; i++) {
		q.by = by[i];
		all = ask(r, q);
		assert_int_equal(all.messages, one.messages);
		assert_int_equal(all.accepted, one.accepted);
		assert_int_equal(all.counted, one.counted);
		assert_int_equal(all.bytes, one.bytes);
		assert_int_equal(all.is_unsigned, one.is_unsigned);
		assert_int_equal(all.on_trial, one.on_trial);
	}
	q.by = STORE_TRAFFIC_SENDER;
	q.max = 3;
	assert_int_equal(ask(r, q).n, 3);
	q = (struct store_traffic_query){.ever = true, .by = STORE_TRAFFIC_APP};
	assert_int_equal(ask(r, q).messages, number("SELECT sum(messages) FROM mail_hours"));
	q = (struct store_traffic_query){.since = 1, .until = HOUR};
	assert_int_equal(ask(r, q).n, 0);
	store_reader_close(&r);
}

/* The audit goes, the roll-ups stay; after 400 days they go too, but not what they came to. */
static void
they_outlive_the_rows(void **state)
{
	const struct timespec tick = { .tv_nsec = 20000000 };
	int64_t all = number("SELECT sum(messages) FROM mail_totals");
	struct store *s;

	(void)state;
	run_sql("DELETE FROM messages WHERE id NOT IN (SELECT id FROM messages ORDER BY id LIMIT 300);"
		"DELETE FROM refusals WHERE id NOT IN (SELECT id FROM refusals ORDER BY id LIMIT 300)"); /* to be soon done */
	s = open_store();
	wall += 24 * 300 * HOUR;
	store_keep(s, 24 * HOUR);
	for (int i = 0; i < 2000 && number("SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM refusals)") > 0; i++) {
		boot += 10;
		nanosleep(&tick, NULL);
	}
	assert_int_equal(number("SELECT count(*) FROM messages"), 0);
	assert_int_equal(number("SELECT sum(messages) FROM mail_hours"), all);
	wall += 24 * 101 * HOUR;
	for (int i = 0; i < 500 && number("SELECT count(*) FROM mail_hours") > 0; i++) {
		boot += 1000;
		nanosleep(&tick, NULL);
	}
	assert_int_equal(number("SELECT count(*) FROM mail_hours"), 0);
	assert_int_equal(number("SELECT sum(messages) FROM mail_totals"), all);
	store_close(&s);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(random_traffic), cmocka_unit_test(many_groups), cmocka_unit_test(kills), cmocka_unit_test(readers_agree), cmocka_unit_test(migration),
	cmocka_unit_test(they_outlive_the_rows),
};

static void
clean_up(void)
{
	static const char *const names[] = { "", ".lock", "-wal", "-shm" };
	char path[700];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s%s", url + strlen("sqlite:"), names[i]);
		unlink(path);
	}
	rmdir(directory);
}

int
main(void)
{
	int rc;

	if (postgres_is_there()) {
		char *fresh = postgres_fresh();

		snprintf(url, sizeof url, "%s", fresh);
		free(fresh);
		return cmocka_run_group_tests_name("postgresql", tests, NULL, NULL);
	}
	snprintf(directory, sizeof directory, "/tmp/postern-hours-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(url, sizeof url, "sqlite:%s/audit.db", directory);
	rc = cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
	clean_up();
	return rc;
}
