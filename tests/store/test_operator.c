/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests of operators and the releaser's confirmations: each takes effect
 * once, and what is wrong with their file is nobody else's trouble.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "sql/operator.h"
#include "sql/store.h"

static char directory[] = "/tmp/postern-operator-XXXXXX";
static char path[200], url[240], operator_path[240];
static char said[8][300];
static _Atomic int n_said;

/* The system's clock, put forward. */
static _Atomic int64_t forward;
static int64_t get_wall(void *c) { (void)c; return clock_system()->wall_ms(NULL) + forward; }
static int64_t get_boot(void *c) { (void)c; return clock_system()->boot_ms(NULL) + forward; }
static const char *get_name(void *c) { (void)c; return "boot"; }
static void get_chance(void *c, uint8_t *buf, size_t len) { (void)c; clock_system()->random(NULL, buf, len); }
static const struct clock test_clock = { get_wall, get_boot, get_name, get_chance, NULL };

static void
keep_line(void *context, bool is_error, const char *line)
{
	int n = n_said;

	(void)context;
	if (is_error && n < 8) {
		snprintf(said[n], sizeof said[n], "%s", line);
		n_said = n + 1;
	}
}

static bool
was_said(const char *words)
{
	for (int i = 0; i < n_said; i++)
		if (strstr(said[i], words) != NULL)
			return true;
	return false;
}

static const char *relay = "r";

static struct store *
open_store(void)
{
	struct store_options o = { .url = url, .relay = relay, .clock = &test_clock, .log = keep_line };
	char error[300] = "";
	struct store *s = store_open(&o, error, sizeof error);

	if (s == NULL)
		fail_msg("%s", error);
	return s;
}

static void
nap(long ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static sqlite3 *
open_raw(const char *file)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	return db;
}

static void
run(const char *file, const char *sql)
{
	sqlite3 *db = open_raw(file);
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
	sqlite3_close(db);
}

static int64_t
count(const char *sql)
{
	sqlite3 *db = open_raw(path);
	sqlite3_stmt *st;
	int64_t n = -1;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	if (sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

/* Waits until the query says n. */
static void
comes_to(const char *sql, int64_t n)
{
	for (int i = 0; i < 100 && count(sql) != n; i++)
		nap(50);
	if (count(sql) != n)
		fail_msg("%s: %lld, not %lld", sql, (long long)count(sql), (long long)n);
}

static void
settle_stopped(struct admit *a, bool stopped)
{
	a->held = stopped;
}

static void
settle_rule(struct admit *a, bool stopped)
{
	(void)stopped;
	a->held = true;
}

/* A message of an app that may send two a minute, the others held; by_rule: held in any case. */
static void
send_message(struct store *s, const char *id, bool by_rule)
{
	struct record r = { .id = id, .time = get_wall(NULL), .relay = "r", .queue_id = id, .stage = "eom", .app = "a",
		.verdict = "accept", .would = "accept", .mode = "enforce", .reason = "" };
	struct charge c = { .scope = "app:a", .unit = UNIT_MESSAGES, .period = 60, .key = "", .name = "a/messages-per-minute",
		.count = 2, .amount = 1, .over = OVER_HOLD, .enforced = !by_rule };
	struct admit a = { .record = &r, .charges = &c, .n_charges = 1,
		.settle = by_rule ? settle_rule : settle_stopped };
	const char *error = NULL;

	assert_int_equal(store_admit(s, &a, &error), 0);
}

static enum operator_answer
ask(const char *what, const char *message_id, char *text_r, size_t size)
{
	struct operator_request r = { .who = "alice", .what = what, .message_id = message_id };

	return operator_request(url, &test_clock, &r, text_r, size);
}

static void
confirm(const char *what, const char *message_id)
{
	char text[300];

	assert_int_equal(ask(what, message_id, text, sizeof text), OPERATOR_DONE);
}

#define STATE(id, state) count("SELECT count(*) FROM held WHERE message_id = '" id "' AND state = '" state "'")
#define USED count("SELECT sum(used) FROM limit_use")

static void
without_a_store_it_says_so(void **state)
{
	char text[300];

	(void)state;
	assert_int_equal(ask("release", "m1", text, sizeof text), OPERATOR_FAILED);
	assert_non_null(strstr(text, "posternd makes it"));
	assert_int_equal(access(operator_path, F_OK), -1);
}

static void
the_file_is_like_the_store(void **state)
{
	struct store *s = open_store();
	struct stat a, b;
	char text[300];

	(void)state;
	assert_int_equal(chmod(path, 0640), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(path, 12345, 12346), 0);
	assert_int_equal(ask("release", "nobody", text, sizeof text), OPERATOR_REFUSED);
	assert_string_equal(text, "no message of this id was held");
	assert_int_equal(stat(path, &a), 0);
	assert_int_equal(stat(operator_path, &b), 0);
	assert_int_equal(a.st_uid, b.st_uid);
	assert_int_equal(a.st_gid, b.st_gid);
	assert_int_equal(b.st_mode & 07777, 0640);
	if (geteuid() == 0)
		assert_int_equal(chown(path, 0, 0) | chown(operator_path, 0, 0), 0);
	store_close(&s);
}

static void
an_operator_lets_mail_go(void **state)
{
	struct store *s = open_store();
	char text[300];

	(void)state;
	send_message(s, "m1", false);
	send_message(s, "m2", false);
	send_message(s, "m3", false);
	send_message(s, "m4", false);
	send_message(s, "rule", true);
	assert_int_equal(STATE("m3", "waiting"), 1);
	assert_int_equal(STATE("rule", "kept"), 1);
	assert_int_equal(USED, 3);                      /* what a rule keeps was charged */
	assert_int_equal(ask("release", "m4", text, sizeof text), OPERATOR_DONE);
	assert_string_equal(text, "it was charged and goes now");
	assert_int_equal(STATE("m4", "granted"), 1);
	assert_int_equal(USED, 4);
	assert_int_equal(count("SELECT charged FROM charges WHERE message_id = 'm4'"), 1);
	assert_int_equal(ask("release", "rule", text, sizeof text), OPERATOR_DONE);
	assert_string_equal(text, "it goes now; it was charged when it came");
	assert_int_equal(USED, 4);
	assert_int_equal(count("SELECT count(*) FROM held WHERE who = 'alice' AND state = 'granted'"), 2);
	assert_int_equal(STATE("m3", "waiting"), 1);    /* and is not overtaken by newcomers */
	assert_int_equal(ask("release", "rule", text, sizeof text), OPERATOR_DONE);
	assert_string_equal(text, "its turn had come already");
	assert_int_equal(count("SELECT count(*) FROM acts WHERE who = 'alice' AND what = 'release' AND applied_time > 0"), 4);
	forward += 30000;                               /* an operator's grant is never late */
	confirm("released", "rule");
	confirm("missing", "m4");
	assert_int_equal(STATE("m4", "missing"), 1);
	confirm("gone", "m4");
	assert_int_equal(STATE("rule", "released") + STATE("m4", "gone"), 2);
	assert_int_equal(count("SELECT count(*) FROM held_charges"), 1);
	assert_int_equal(ask("release", "m4", text, sizeof text), OPERATOR_REFUSED);
	assert_string_equal(text, "the MTA does not hold it any more");
	assert_int_equal(ask("release", "rule", text, sizeof text), OPERATOR_REFUSED);
	assert_int_equal(ask("late", "rule", text, sizeof text), OPERATOR_REFUSED);
	store_close(&s);
}

/* m3 waits. Its grant comes to nothing twice, then it is released. */
static void
a_late_grant_waits_again(void **state)
{
	struct store *s = open_store();

	(void)state;
	forward += 62000;
	comes_to("SELECT count(*) FROM held WHERE message_id = 'm3' AND state = 'granted'", 1);
	send_message(s, "m5", false);
	assert_int_equal(count("SELECT count(*) FROM held WHERE message_id = 'm5'"), 0); /* nobody waits */
	forward += 62000;
	for (int i = 6; i < 9; i++)
		send_message(s, (const char *[]){ "m6", "m7", "m8" }[i - 6], false);
	forward += 62000;
	nap(800);
	assert_int_equal(STATE("m8", "waiting"), 1);    /* m3 was granted and nobody told the MTA */
	confirm("late", "m3");
	comes_to("SELECT count(*) FROM held WHERE state = 'granted'", 2);
	assert_int_equal(STATE("m3", "granted") + STATE("m8", "granted"), 2);
	assert_int_equal(count("SELECT count(*) FROM held_charges WHERE granted = 0"), 0);
	confirm("released", "m8");
	confirm("late", "m3");
	assert_int_equal(STATE("m3", "waiting"), 1);
	forward += 1000;
	send_message(s, "m9", false);                   /* does not overtake */
	store_close(&s);
	assert_int_equal(STATE("m9", "waiting"), 1);
	forward += 62000;
	s = open_store();
	comes_to("SELECT count(*) FROM held WHERE state = 'granted'", 2);
	confirm("released", "m3");
	confirm("released", "m9");
	store_close(&s);
}

static void
a_request_waits_for_the_daemon(void **state)
{
	struct store *s = open_store();
	struct operator_request r = { .who = "bob", .what = "release", .message_id = "m10" };
	struct operator *o;
	const char *error;
	char text[300];

	(void)state;
	forward += 62000;
	send_message(s, "x1", false);
	send_message(s, "x2", false);
	send_message(s, "m10", false);
	store_close(&s);
	assert_int_equal(operator_request(url, &test_clock, &r, text, sizeof text), OPERATOR_LATER);
	assert_string_equal(text, "posternd does not run; it takes this up when it starts");
	assert_int_equal(STATE("m10", "waiting"), 1);
	o = operator_open(url, text, sizeof text);
	assert_int_equal(operator_is_pending(o, "m10", "release", &error), 1);
	assert_int_equal(operator_is_pending(o, "m10", "released", &error), 0);
	s = open_store();
	assert_int_equal(operator_wait(o, r.id, 3000, text, sizeof text), OPERATOR_DONE);
	assert_int_equal(operator_is_pending(o, "m10", "release", &error), 0);
	operator_close(&o);
	assert_int_equal(STATE("m10", "granted"), 1);
	confirm("released", "m10");
	store_close(&s);
}

/* The daemon may die between its commit and whatever comes then; the request is still there. */
static void
each_takes_effect_once(void **state)
{
	char sql[1200];
	int64_t used, acts;
	struct store *s = open_store();

	(void)state;
	forward += 62000;
	send_message(s, "y1", false);
	send_message(s, "y2", false);
	send_message(s, "m11", false);
	snprintf(sql, sizeof sql, "INSERT INTO requests (id, time, who, what, limit_name, key, amount, until, message_id)"
		 " VALUES ('01K9ZQ4M7XPGVN3R8YB6T2HCDE', %lld, 'eve', 'release', '', '', 0, 0, 'm11')",
		 (long long)get_wall(NULL));
	run(operator_path, sql);
	comes_to("SELECT count(*) FROM held WHERE message_id = 'm11' AND state = 'granted'", 1);
	used = USED;
	acts = count("SELECT count(*) FROM acts");
	run(path, "UPDATE held SET state = 'waiting' WHERE message_id = 'm11'"); /* a second time would show */
	for (int i = 0; i < 2; i++) {
		store_close(&s);
		s = open_store();
		nap(600);
		assert_int_equal(STATE("m11", "waiting"), 1);
		assert_int_equal(USED, used);
		assert_int_equal(count("SELECT count(*) FROM acts"), acts);
	}
	run(path, "UPDATE held SET state = 'released' WHERE message_id = 'm11'");
	run(operator_path, "DELETE FROM requests");
	store_close(&s);
}

static void
what_is_not_understood_is_refused(void **state)
{
	struct store *s = open_store();
	struct operator_request r = { .who = "x", .what = "fly" };
	char text[300], sql[600];

	(void)state;
	assert_int_equal(operator_request(url, &test_clock, &r, text, sizeof text), OPERATOR_REFUSED);
	assert_non_null(strstr(text, "does not know"));
	snprintf(sql, sizeof sql, "INSERT INTO requests (id, time, who, what, limit_name, key, amount, until, message_id)"
		 " VALUES ('01K9ZQ4M7XPGVN3R8YB6T2HCDF', %lld, 'eve', 'release', '', '', 0, 0, 'm11')",
		 (long long)get_wall(NULL) - 31 * 86400000LL);
	run(operator_path, sql);
	comes_to("SELECT count(*) FROM acts WHERE result = 'refused: it was asked too long ago'", 1);
	store_close(&s);
}

static void
many_at_once(void **state)
{
	static struct operator_request r[3000];
	struct store *s = open_store();
	struct operator *o;
	char text[300];
	const char *error;

	(void)state;
	for (int i = 0; i < 3000; i++)
		r[i] = (struct operator_request){ .what = "release", .message_id = "nobody", .amount = i };
	o = operator_open(url, text, sizeof text);
	assert_non_null(o);
	assert_int_equal(operator_add(o, &test_clock, r, 3000, &error), 0);
	comes_to("SELECT count(*) FROM acts WHERE message_id = 'nobody' AND what = 'release' AND amount > 0", 2999);
	for (int i = 0; i < 20; i++)
		assert_int_equal(operator_add(o, &test_clock, r, 1, &error), 0); /* removes what is done */
	operator_close(&o);
	store_close(&s);
}

/* Nobody's write waits for a writer that stands in the operators' file. */
static void
a_writer_in_the_file_delays_nobody(void **state)
{
	struct store *s = open_store();
	sqlite3 *db = open_raw(operator_path);
	struct timespec a, b;
	char text[300];

	(void)state;
	forward += 62000;
	assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE; INSERT INTO requests (id) VALUES ('x')", NULL, NULL, NULL), SQLITE_OK);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 20; i++) {
		char id[20];

		snprintf(id, sizeof id, "busy%d", i);
		send_message(s, id, false);
		nap(50);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 2500);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(ask("release", "busy5", text, sizeof text), OPERATOR_DONE);
	run(path, "UPDATE held SET state = 'released' WHERE message_id LIKE 'busy%';"
	    "DELETE FROM held_charges WHERE message_id LIKE 'busy%'");
	store_close(&s);
}

/* As another process: dies within its transaction. */
static int
die_writing(const char *file)
{
	char journal[300];
	sqlite3 *db;

	snprintf(journal, sizeof journal, "%s-journal", file);
	if (sqlite3_open(file, &db) == SQLITE_OK &&
	    sqlite3_exec(db, "PRAGMA cache_size = 1; BEGIN IMMEDIATE; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
			 " SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO requests (id, what) SELECT 'dead' || i,"
			 " 'release' FROM n", NULL, NULL, NULL) == SQLITE_OK && access(journal, F_OK) == 0)
		raise(SIGKILL);
	return 1;
}

/* It leaves a journal that somebody must undo. */
static void
a_writer_that_died(void **state)
{
	struct store *s = open_store();
	char journal[300];
	int status;
	pid_t pid;

	(void)state;
	snprintf(journal, sizeof journal, "%s-journal", operator_path);
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "test_operator", "--die", operator_path, (char *)NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	for (int i = 0; i < 60 && access(journal, F_OK) == 0; i++)
		nap(50);
	assert_int_equal(access(journal, F_OK), -1);
	assert_int_equal(count("SELECT count(*) FROM acts WHERE id LIKE 'dead%'"), 0);
	assert_int_equal(n_said, 0);
	store_close(&s);
}

static void
a_damaged_file_is_said_and_passed_by(void **state)
{
	struct store *s = open_store();
	char text[300];
	FILE *f;

	(void)state;
	forward += 62000;
	send_message(s, "z1", false);
	send_message(s, "z2", false);
	send_message(s, "z3", false);
	f = fopen(operator_path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", f);
	fclose(f);
	for (int i = 0; i < 60 && !was_said("what operators ask for cannot be read"); i++)
		nap(50);
	assert_true(was_said("what operators ask for cannot be read"));
	assert_int_equal(ask("release", "z3", text, sizeof text), OPERATOR_FAILED);
	assert_non_null(strstr(text, "no SQLite database"));
	forward += 62000;
	comes_to("SELECT count(*) FROM held WHERE message_id = 'z3' AND state = 'granted'", 1);
	assert_int_equal(n_said, 1);
	assert_int_equal(unlink(operator_path), 0);     /* another one under its name */
	assert_int_equal(ask("released", "z3", text, sizeof text), OPERATOR_DONE);
	store_close(&s);
}

static int
keep_id(void *context, const struct store_held *h)
{
	snprintf(context, 100, "%s %s %s%s", h->relay, h->id, h->limit, h->is_superseded ? " superseded" : "");
	return 0;
}

/* What was held under another name of this relay is its own; a queue id that the MTA gave twice is the younger
 * message's. */
static void
the_relay_gets_another_name(void **state)
{
	struct store *s = open_store();
	struct store_reader *r;
	char error[300], found[100] = "";
	const char *why;

	(void)state;
	forward += 62000;
	send_message(s, "n1", false);
	send_message(s, "n2", false);
	send_message(s, "n3", false);
	store_close(&s);
	relay = "a-new-name";
	s = open_store();
	forward += 62000;
	comes_to("SELECT count(*) FROM held WHERE message_id = 'n3' AND state = 'granted' AND relay = 'a-new-name'", 1);
	r = store_reader_open(url, error, sizeof error);
	assert_non_null(r);
	assert_int_equal(store_reader_held(r, NULL, "granted", keep_id, found, &why), 0);
	assert_string_equal(found, "a-new-name n3 a/messages-per-minute");
	assert_int_equal(store_reader_held(r, "r", "granted", keep_id, strcpy(found, ""), &why), 0);
	assert_string_equal(found, "");
	run(path, "INSERT INTO held (message_id, relay, queue_id, app, limit_id, state) VALUES ('n4', 'a-new-name', 'n3', '', 0, 'kept')");
	assert_int_equal(store_reader_held(r, "a-new-name", "granted", keep_id, found, &why), 0);
	assert_string_equal(found, "a-new-name n3 a/messages-per-minute superseded");
	run(path, "DELETE FROM held WHERE message_id = 'n4'");
	store_reader_close(&r);
	confirm("gone", "n3");
	store_close(&s);
}

static void
old_acts_are_deleted(void **state)
{
	struct store *s = open_store();
	int64_t others = count("SELECT count(*) FROM acts WHERE what = 'release'");

	(void)state;
	assert_true(others > 0 && count("SELECT count(*) FROM acts WHERE what = 'released'") > 0);
	store_keep(s, 86400000);
	forward += 3700000;
	comes_to("SELECT count(*) FROM acts WHERE what = 'released'", 0);
	assert_int_equal(count("SELECT count(*) FROM acts WHERE what = 'release'"), others);
	forward += 62 * 86400000LL;
	for (int i = 0; i < 200 && count("SELECT count(*) FROM acts") > 0; i++) {
		forward += 1000;
		nap(50);
	}
	assert_int_equal(count("SELECT count(*) FROM acts"), 0);
	store_close(&s);
}

static void
clean_up(void)
{
	char command[400];

	snprintf(command, sizeof command, "rm -rf %s", directory);
	if (system(command) != 0)
		puts("cannot clean up");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_store_it_says_so),
		cmocka_unit_test(the_file_is_like_the_store),
		cmocka_unit_test(an_operator_lets_mail_go),
		cmocka_unit_test(a_late_grant_waits_again),
		cmocka_unit_test(a_request_waits_for_the_daemon),
		cmocka_unit_test(each_takes_effect_once),
		cmocka_unit_test(what_is_not_understood_is_refused),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(a_writer_in_the_file_delays_nobody),
		cmocka_unit_test(a_writer_that_died),
		cmocka_unit_test(a_damaged_file_is_said_and_passed_by),
		cmocka_unit_test(the_relay_gets_another_name),
		cmocka_unit_test(old_acts_are_deleted),
	};
	int rc;

	if (argc == 3 && strcmp(argv[1], "--die") == 0)
		return die_writing(argv[2]);
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/postern.db", directory);
	snprintf(url, sizeof url, "sqlite:%s", path);
	snprintf(operator_path, sizeof operator_path, "%s-operator", path);
	rc = cmocka_run_group_tests_name("operator", tests, NULL, NULL);
	clean_up();
	return rc;
}
