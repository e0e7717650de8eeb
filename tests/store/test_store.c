/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What every backend of the store must do, run on each.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sql/db.h"
#include "sql/operator.h"
#include "sql/store.h"
#include "tests/lib/postgres.h"

static int64_t wall = 1700000000000, boot = 1000000;
static const char *boot_name = "one";
static char url[600];
static char directory[100];

static int64_t get_wall(void *c) { (void)c; return wall; }
static int64_t get_boot(void *c) { (void)c; return boot; }
static const char *get_name(void *c) { (void)c; return boot_name; }

static const struct clock test_clock = { get_wall, get_boot, get_name, NULL, NULL };

static struct store *
open_store(void)
{
	struct store_options o = { .url = url, .relay = "r", .clock = &test_clock, .server_skew = &boot };
	char error[600] = "";
	struct store *s = store_open(&o, error, sizeof error);

	if (s == NULL)
		fail_msg("%s", error);
	return s;
}

static bool was_away; /* the server, when try_id() last failed */

static int
try_id(struct store *s, const char *id, uint64_t amount, bool *charged_r)
{
	struct record r = { .id = id, .time = wall, .relay = "", .queue_id = "", .stage = "eom",
		.verdict = "accept", .would = "accept", .mode = "enforce", .reason = "" };
	struct charge c = { .scope = "app:a", .unit = UNIT_MESSAGES, .period = 60, .key = "",
		.name = "a/m", .count = 10, .amount = amount, .over = OVER_DEFER, .enforced = true };
	struct admit a = { .record = &r, .charges = &c, .n_charges = 1 };
	const char *error = NULL;
	int rc = store_admit(s, &a, &error);

	*charged_r = a.charged;
	was_away = a.is_away;
	return rc;
}

static bool
charge_one(struct store *s, uint64_t amount)
{
	static _Atomic int n;
	char id[40];
	bool charged;

	snprintf(id, sizeof id, "id%d", n++);
	assert_int_equal(try_id(s, id, amount, &charged), 0);
	return charged;
}

static void
limit_holds_and_comes_back(void **state)
{
	struct store *s = open_store();

	(void)state;
	assert_true(charge_one(s, 10));
	assert_false(charge_one(s, 1));
	boot += 59000;
	assert_false(charge_one(s, 1));
	boot += 2001;
	assert_true(charge_one(s, 10));
	store_close(&s);
	boot += 100000;
}

static struct store_timing timed[2];

static int
keep_timed(void *context, const struct store_timing *t)
{
	(void)context;
	assert_string_equal(t->relay, "r");
	timed[strcmp(t->what, "sign") == 0] = *t;
	return 0;
}

static void
read_timed(void)
{
	char error[600] = "";
	const char *why = "";
	struct store_reader *r = store_reader_open(url, error, sizeof error);

	memset(timed, 0, sizeof timed);
	if (r == NULL || store_reader_timings(r, keep_timed, NULL, &why) != 0)
		fail_msg("%s%s", error, why);
	store_reader_close(&r);
}

/* Noted with what is written, each once, some seconds apart. */
static void
timings_add_up(void **state)
{
	struct store *s = open_store();
	uint64_t before[2];

	(void)state;
	read_timed();
	before[0] = timed[0].count;
	before[1] = timed[1].count;
	charge_one(s, 1);
	store_signed(s, 1500);
	store_signed(s, 70000000);
	charge_one(s, 1); /* the first two were written with this one */
	read_timed();
	assert_int_equal(timed[0].count, before[0] + 1);
	assert_int_equal(timed[1].count, before[1] + 2);
	assert_int_equal(timed[1].sum_us % 1000000, 1500);
	assert_int_equal(timed[1].within[0], 0);
	assert_int_equal(timed[1].within[1], 1);
	assert_int_equal(timed[1].within[STORE_TRAFFIC_BUCKETS - 1], 1);
	assert_int_equal(timed[0].most, 1);
	charge_one(s, 1);
	charge_one(s, 1);
	read_timed();
	assert_int_equal(timed[0].count, before[0] + 1);
	boot += 10001;
	charge_one(s, 1);
	read_timed();
	assert_int_equal(timed[0].count, before[0] + 4);
	assert_int_equal(timed[1].count, before[1] + 2);
	assert_true(timed[0].within[STORE_TRAFFIC_BUCKETS - 1] <= timed[0].count);
	store_close(&s);
	boot += 100000;
}

static void *
hammer(void *arg)
{
	size_t n = 0;

	for (int i = 0; i < 5; i++)
		n += charge_one(arg, 1);
	return (void *)n;
}

static void
threads_never_overshoot(void **state)
{
	struct store *s = open_store();
	pthread_t t[16];
	size_t sum = 0;

	(void)state;
	for (int i = 0; i < 16; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, s), 0);
	for (int i = 0; i < 16; i++) {
		void *n;

		pthread_join(t[i], &n);
		sum += (size_t)n;
	}
	assert_int_equal(sum, 10);
	store_close(&s);
	boot += 100000;
}

static void *
admit_same_and_other(void *arg)
{
	bool charged;
	size_t good = 0;

	for (int i = 0; i < 5; i++) {
		good += try_id(arg, "shared by all", 0, &charged) == 0 ? 1000 : 0;
		good += charge_one(arg, 0) ? 1 : 0;
	}
	return (void *)good;
}

/* An id that stands already fails its own message, not those written with it. */
static void
a_bad_message_fails_alone(void **state)
{
	struct store *s = open_store();
	pthread_t t[16];
	size_t sum = 0;

	(void)state;
	for (int i = 0; i < 16; i++)
		assert_int_equal(pthread_create(&t[i], NULL, admit_same_and_other, s), 0);
	for (int i = 0; i < 16; i++) {
		void *n;

		pthread_join(t[i], &n);
		sum += (size_t)n;
	}
	assert_int_equal(sum, 1000 + 16 * 5);
	assert_int_equal(store_health(s, NULL), 0);
	store_close(&s);
}

static void
readers_see_present_use(void **state)
{
	struct charge c = { .scope = "app:a", .unit = UNIT_MESSAGES, .period = 60, .key = "",
		.name = "a/m", .count = 10, .amount = 4, .over = OVER_DEFER, .enforced = true };
	struct store *s = open_store();
	struct store_reader *r;
	const char *error = NULL;
	char text[300] = "";

	(void)state;
	assert_true(charge_one(s, 7));
	boot += 30000;
	r = store_reader_open(url, text, sizeof text);
	if (r == NULL)
		fail_msg("%s", text);
	assert_int_equal(store_reader_peek(r, &test_clock, &c, 1, &error), 0);
	assert_int_equal(c.used, 7);
	assert_true(c.exceeded);
	assert_in_range(c.retry_ms, 30000, 31000);
	boot += 31001;
	assert_int_equal(store_reader_peek(r, &test_clock, &c, 1, &error), 0);
	assert_int_equal(c.used, 0);
	assert_true(charge_one(s, 10));
	assert_int_equal(store_reader_peek(r, &test_clock, &c, 1, &error), 0);
	assert_int_equal(c.used, 10);
	store_reader_close(&r);
	store_close(&s);
	boot += 100000;
	assert_null(store_reader_open("sqlite:/nonexistent/x", text, sizeof text));
	assert_non_null(strstr(text, "No such file"));
}

static int64_t
count_rows(const char *query)
{
	const char *error;
	struct db *db = db_open(url, DB_READ, 5000, &error, NULL, 0);
	int64_t n = db == NULL ? -1 : db_number(db, query);

	db_close(&db);
	return n;
}

static void
run_sql_at(const char *where, const char *sql)
{
	const char *error;
	struct db *db = db_open(where, DB_WRITE, 5000, &error, NULL, 0);

	if (db == NULL || db_exec(db, sql) != 0)
		fail_msg("%s: %s (%s)", sql, db == NULL ? error : db_error(db), db == NULL ? "" : db_words(db));
	db_close(&db);
}

#define ALL_ROWS "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM charges) + (SELECT count(*) FROM refusals)"

static void
refuse_one(struct store *s, const char *id)
{
	struct refusal r = { .id = id, .time = wall, .stage = "mail", .verdict = "reject", .reason = id, .enhanced = "",
		.text = "", .app = "", .tenant = "", .method = "", .client = "", .login = "", .tls = "", .certificate = "",
		.certificate_issuer = "", .sender = "", .header_from = "", .recipient = "", .queue_id = "", .policy = "", .department = "" };
	bool is_new;

	(void)store_refuse(s, &r, &is_new);
}

/* What is older than is kept goes, in steps; what is younger stays; counters of
 * which nothing is used go too, and count right when they come again. */
static void
old_rows_are_deleted(void **state)
{
	struct store *s = open_store();
	const struct timespec tick = { .tv_nsec = 20000000 };
	int64_t young;

	(void)state;
	for (int i = 0; i < 250; i++)
		assert_true(charge_one(s, 0));
	assert_true(charge_one(s, 10));
	refuse_one(s, "old");
	store_close(&s);
	wall += 2 * 86400000LL;
	boot += 2 * 86400000LL;
	s = open_store();
	assert_true(charge_one(s, 10));
	refuse_one(s, "young");
	store_close(&s);
	s = open_store();
	assert_true(count_rows(ALL_ROWS) > 500);
	store_notify(s, 80, 1000); /* so long are counters kept */
	store_keep(s, 86400000);
	for (int i = 0; i < 500 && count_rows(ALL_ROWS) > 3; i++) {
		boot += 10;
		nanosleep(&tick, NULL);
	}
	young = count_rows("SELECT count(*) FROM messages WHERE time > 0 AND id IN (SELECT message_id FROM charges)");
	assert_int_equal(young, 1);
	assert_int_equal(count_rows(ALL_ROWS), 3);
	assert_int_equal(count_rows("SELECT count(*) FROM refusals WHERE reason = 'young'"), 1);
	assert_false(charge_one(s, 1));
	boot += 62000;
	for (int i = 0; i < 500 && count_rows("SELECT count(*) FROM limits") > 0; i++) {
		boot += 1000;
		nanosleep(&tick, NULL);
	}
	assert_int_equal(count_rows("SELECT count(*) FROM limits"), 0);
	assert_true(charge_one(s, 10));
	assert_false(charge_one(s, 1));
	store_close(&s);
	s = open_store();
	assert_false(charge_one(s, 1));
	store_close(&s);
	boot += 100000;
}

static void
settle_held(struct admit *a, bool stopped)
{
	a->held = stopped;
	a->record->verdict = stopped ? "hold" : "accept";
}

/* One message of an app under the tenant's limit, which holds; whether it went. */
static bool
send_held(struct store *s, const char *id, const char *app, uint64_t amount)
{
	struct record r = { .id = id, .time = wall, .relay = "r", .queue_id = id, .stage = "eom", .app = app,
		.verdict = "accept", .would = "accept", .mode = "enforce", .reason = "" };
	struct charge c[] = {
		{ .scope = "tenant:t", .unit = UNIT_MESSAGES, .period = 60, .key = "", .name = "t/m", .count = 10,
		  .amount = amount, .over = OVER_HOLD, .enforced = true },
		{ .scope = "app:h", .unit = UNIT_MESSAGES, .period = 3600, .key = "", .name = "h/m", .count = 16,
		  .amount = amount, .over = OVER_DEFER, .enforced = true },
	};
	struct admit a = { .record = &r, .charges = c, .n_charges = 2, .settle = settle_held };
	const char *error = NULL;

	if (store_admit(s, &a, &error) != 0)
		fail_msg("%s: %s", id, error);
	assert_int_equal(a.charged, !a.held);
	return a.charged;
}

/* Time passes, in which the store tends what waits. */
static void
pass(int64_t ms)
{
	const struct timespec tick = { .tv_nsec = 20000000 };

	boot += ms;
	wall += ms;
	for (int i = 0; i < 50; i++) {
		boot += 10;
		nanosleep(&tick, NULL);
	}
}

/* What the releaser says of a message. */
static void
confirm(const char *id, const char *what)
{
	struct operator_request r = { .what = what, .message_id = id };
	char error[300] = "";
	struct operator *o = operator_open(url, error, sizeof error);
	const char *why;

	if (o == NULL)
		fail_msg("%s", error);
	assert_int_equal(operator_add(o, clock_system(), &r, 1, &why), 0);
	operator_close(&o);
	pass(0);
}

static int
count_held(void *context, const struct store_held *h)
{
	assert_string_equal(h->relay, "r");
	assert_string_equal(h->limit, "t/m");
	assert_string_equal(h->queue_id, h->id);
	assert_false(h->is_superseded);
	(*(int *)context)++;
	return 0;
}

static int
count_left(void *context, const struct store_left *left)
{
	assert_string_equal(left->limit, "t/m");
	assert_string_equal(left->state, "released");
	*(int *)context += (int)left->count;
	return 0;
}

/* How many a reader finds in a state, of all relays and of this one. */
static void
readers_find(const char *state, int n, int left)
{
	char error[300] = "";
	struct store_reader *r = store_reader_open(url, error, sizeof error);
	int found[3] = {0};
	const char *why = "";

	if (r == NULL)
		fail_msg("%s", error);
	if (store_reader_held(r, NULL, state, count_held, &found[0], &why) != 0 ||
	    store_reader_held(r, "r", state, count_held, &found[1], &why) != 0 ||
	    store_reader_held(r, "another", state, count_held, &found[2], &why) != 0)
		fail_msg("%s", why);
	assert_int_equal(found[0], n);
	assert_int_equal(found[1], n);
	assert_int_equal(found[2], 0);
	found[0] = 0;
	if (store_reader_left(r, wall - 60000, count_left, &found[0], &why) != 0)
		fail_msg("%s", why);
	assert_int_equal(found[0], left);
	store_reader_close(&r);
}

#define GRANTED(id) count_rows("SELECT count(*) FROM held WHERE state = 'granted' AND message_id = '" id "'")

/* Newcomers wait behind those that wait; the apps take turns, the oldest of each
 * first; what does not fit is not overtaken; all limits are charged. */
static void
held_mail_goes_in_turn(void **state)
{
	struct store *s = open_store();

	(void)state;
	assert_true(send_held(s, "first", "a", 8));
	assert_false(send_held(s, "a1", "a", 3));
	assert_false(send_held(s, "a2", "a", 2));       /* would fit, but a1 waits */
	assert_false(send_held(s, "b1", "b", 4));
	store_close(&s);                                /* what waits is not forgotten */
	s = open_store();
	assert_false(send_held(s, "b2", "b", 1));
	pass(5000);
	assert_int_equal(count_rows("SELECT count(*) FROM held WHERE state = 'waiting'"), 4);
	pass(60000);
	assert_int_equal(GRANTED("a1"), 1);             /* 3 */
	assert_int_equal(GRANTED("b1"), 1);             /* and 4; the second turn has no room for both */
	assert_int_equal(GRANTED("a2"), 0);             /* 8 + 3 + 4 of 16 an hour: 1 is left */
	assert_int_equal(GRANTED("b2"), 0);             /* behind a2 at the hourly limit */
	assert_int_equal(count_rows("SELECT sum(charged) FROM charges WHERE message_id IN ('a1', 'b1', 'a2')"), 4);
	assert_int_equal(count_rows("SELECT sum(used) FROM limit_use JOIN limits ON id = limit_id WHERE scope = 'app:h'"), 15);
	assert_false(send_held(s, "b3", "b", 1));
	pass(3600000);
	assert_int_equal(GRANTED("a2"), 0);             /* nobody tells the MTA */
	confirm("a1", "released");
	confirm("b1", "late");                          /* and again in its turn: before b2, beside a2 */
	assert_int_equal(count_rows("SELECT count(*) FROM held WHERE state = 'released'"), 1);
	assert_int_equal(count_rows("SELECT count(*) FROM held WHERE state = 'granted'"), 4);
	assert_int_equal(count_rows("SELECT used FROM limit_use JOIN limits ON id = limit_id WHERE scope = 'app:h'"
				    " ORDER BY slot DESC LIMIT 1"), 8);
	assert_int_equal(count_rows("SELECT count(*) FROM held_charges WHERE granted = 0"), 0);
	assert_int_equal(count_rows("SELECT count(*) FROM held_charges"), 8);
	readers_find("granted", 4, 1);
	readers_find("waiting", 0, 1);
	assert_true(send_held(s, "last", "a", 1));
	confirm("a2", "released");
	confirm("b1", "released");
	confirm("b2", "released");
	confirm("b3", "released");
	store_close(&s);
	boot += 7200000;
}

#define BEFORE(one, other) count_rows("SELECT count(*) FROM held x, held y WHERE x.message_id = '" one \
	"' AND y.message_id = '" other "' AND x.granted_time < y.granted_time")

/* Also where room comes back for one message at a time. */
static void
apps_take_turns_one_by_one(void **state)
{
	struct store *s = open_store();
	static const char *const firsts[] = {"f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9"};
	static const char *const held[][2] = {
		{"ta1", "a"}, {"ta2", "a"}, {"ta3", "a"}, {"ta4", "a"}, {"tb1", "b"}, {"tb2", "b"},
	};
	const struct timespec tick = { .tv_nsec = 300000000 };

	(void)state;
	for (int i = 0; i < 10; i++, boot += 1100, wall += 1100)
		assert_true(send_held(s, firsts[i], "a", 1));
	for (int i = 0; i < 6; i++)
		assert_false(send_held(s, held[i][0], held[i][1], 1));
	boot += 47000, wall += 47000;
	for (int i = 0; i < 60 && count_rows("SELECT count(*) FROM held WHERE state = 'waiting'") > 0; i++) {
		boot += 500, wall += 500;
		nanosleep(&tick, NULL);
	}
	assert_int_equal(count_rows("SELECT count(*) FROM held WHERE state = 'granted' AND message_id LIKE 't%'"), 6);
	assert_int_equal(BEFORE("ta1", "ta2") + BEFORE("ta2", "ta3") + BEFORE("ta3", "ta4") + BEFORE("tb1", "tb2"), 4);
	assert_int_equal(BEFORE("tb1", "ta2") + BEFORE("tb2", "ta3"), 2);
	for (int i = 0; i < 6; i++)
		confirm(held[i][0], "released");
	store_close(&s);
	boot += 7200000;
}

static char last_line[300];

static void
keep_line(void *context, bool is_error, const char *line)
{
	(void)context;
	if (is_error) /* and not that it writes again */
		snprintf(last_line, sizeof last_line, "%s", line);
}

static void
open_and_say(const char *expected)
{
	struct store_options o = { .url = url, .relay = "r", .clock = &test_clock, .log = keep_line };
	char error[300] = "";
	struct store *s = store_open(&o, error, sizeof error);

	assert_non_null(s);
	if (expected == NULL)
		assert_string_equal(last_line, "");
	else
		assert_non_null(strstr(last_line, expected));
	last_line[0] = '\0';
	store_close(&s);
}

static void
strange_clocks_are_said(void **state)
{
	struct store *s;

	(void)state;
	wall += 3600000;
	boot_name = "three";
	boot = 5;
	s = open_store();
	charge_one(s, 1);
	store_close(&s);
	wall += 300000;
	open_and_say(NULL);                     /* the same boot: wall time is not looked at */
	boot_name = "four";
	boot = 5;
	open_and_say(NULL);
	boot_name = "five";
	wall -= 10 * 86400000LL;
	open_and_say("behind");
	boot_name = "six";
	wall += 20 * 86400000LL;
	open_and_say("more than a day");
	boot += 100000;
}

static void
use_survives_restart_and_clock(void **state)
{
	struct store *s = open_store();
	bool charged;

	(void)state;
	assert_true(charge_one(s, 10));
	assert_int_equal(try_id(s, "same", 0, &charged), 0);
	assert_int_equal(try_id(s, "same", 0, &charged), -1);
	assert_false(charged);
	store_close(&s);
	wall += 86400000;
	s = open_store();
	assert_false(charge_one(s, 1));
	store_close(&s);
	boot_name = "two";
	wall -= 10 * 86400000LL;
	boot = 5;
	s = open_store();
	assert_false(charge_one(s, 1));
	boot += 62000;
	assert_true(charge_one(s, 1));
	store_close(&s);
	boot += 100000;
}

static void
moved_file_is_noticed(void **state)
{
	struct store_options o = { .url = url, .relay = "r", .clock = &test_clock, .log = keep_line };
	char error[300] = "";
	struct store *s = store_open(&o, error, sizeof error);

	(void)state;
	assert_non_null(s);
	assert_true(charge_one(s, 10));
	last_line[0] = '\0';
	assert_int_equal(unlink(url + strlen("sqlite:")), 0);
	boot += 5000;
	assert_false(charge_one(s, 1)); /* what was used is joined to what the new file holds */
	assert_non_null(strstr(last_line, "moved or replaced"));
	boot += 62000;
	assert_true(charge_one(s, 10));
	store_close(&s);
	boot += 100000;
}

static void
second_writer_is_refused(void **state)
{
	struct store_options o = { .url = url, .relay = "r", .clock = &test_clock };
	struct store *s = open_store();
	char error[300] = "";

	(void)state;
	assert_null(store_open(&o, error, sizeof error));
	assert_non_null(strstr(error, "another"));
	store_close(&s);
	o.url = "sqlite:/nonexistent/x/y";
	assert_null(store_open(&o, error, sizeof error));
}

/* A message to many recipients is held against a limit of each of them; two
 * charges of one counter add up. */
#define MANY 500

static void
many_limits_for_one_message(void **state)
{
	static struct charge c[MANY + 1];
	static char keys[MANY + 1][32];
	struct store *s = open_store();
	struct record r = { .id = "many", .time = wall, .relay = "", .queue_id = "", .stage = "eom",
		.verdict = "accept", .would = "accept", .mode = "enforce", .reason = "" };
	struct admit a = { .record = &r, .charges = c, .n_charges = MANY + 1 };
	const char *error = NULL;

	(void)state;
	for (size_t i = 0; i <= MANY; i++) {
		snprintf(keys[i], sizeof keys[i], "recipient=%zu", i % MANY);
		c[i] = (struct charge){ .scope = "app:many", .unit = UNIT_MESSAGES, .period = 60,
			.key = keys[i], .name = "many/m", .count = 2, .amount = 1, .over = OVER_DEFER,
			.enforced = true };
	}
	assert_int_equal(store_admit(s, &a, &error), 0);
	assert_true(a.charged);
	store_peek(s, c, MANY + 1);
	assert_int_equal(c[0].used, 2);
	assert_true(c[0].exceeded);
	assert_int_equal(c[1].used, 1);
	assert_false(c[1].exceeded);
	store_close(&s);
	boot += 100000;
}

/* ---- a budget of 20 a minute, of which app b holds 8 and critical apps 2 ---- */

struct spender {
	struct charge_reserve reserve;
	struct charge charges[2];
	size_t n;
};

static void
make_spender(struct spender *p, const char *app, uint64_t amount, enum over over)
{
	bool is_holder = strcmp(app, "b") == 0;
	struct charge c = { .scope = "tenant:r", .unit = UNIT_EXTERNAL_RECIPIENTS, .period = 60, .key = "", .name = "r/x",
		.count = 20, .amount = amount, .over = over, .enforced = true, .kept = 2 };

	p->reserve = (struct charge_reserve){ .key = "app=b", .name = "r/x-per-app", .amount = 8 };
	p->charges[0] = c;
	p->n = 1;
	if (is_holder) {
		c = (struct charge){ .scope = c.scope, .unit = c.unit, .period = c.period, .key = "app=b",
			.name = "r/x-per-app", .count = 8, .amount = amount, .over = OVER_OBSERVE, .enforced = true, .tally = true };
		p->charges[p->n++] = c;
	} else {
		p->charges[0].reserves = &p->reserve;
		p->charges[0].n_reserves = 1;
	}
}

/* Whether a message of an app went; weighed, what it was held against stands in *p. */
static bool
spend(struct store *s, const char *id, const char *app, uint64_t amount, enum over over, struct spender *p)
{
	struct record r = { .id = id, .time = wall, .relay = "r", .queue_id = id, .stage = "eom", .app = app, .tenant = "r",
		.verdict = "accept", .would = "accept", .mode = "enforce", .reason = "" };
	struct admit a = { .record = &r, .settle = over == OVER_HOLD ? settle_held : NULL };
	const char *error = NULL;

	make_spender(p, app, amount, over);
	a.charges = p->charges;
	a.n_charges = p->n;
	if (store_admit(s, &a, &error) != 0)
		fail_msg("%s: %s", id, error);
	return a.charged;
}

static void
reserves_are_held_back(void **state)
{
	struct store *s = open_store();
	struct spender p;

	(void)state;
	assert_true(spend(s, "r1", "d", 10, OVER_DEFER, &p));
	assert_int_equal(p.reserve.unspent, 8);
	assert_false(spend(s, "r2", "d", 1, OVER_DEFER, &p));
	assert_int_equal(p.charges[0].used, 10);
	assert_in_range(p.charges[0].retry_ms, 50000, 61000);
	make_spender(&p, "d", 1, OVER_DEFER);
	store_peek(s, p.charges, 1);                    /* the hint knows it too */
	assert_true(p.charges[0].exceeded);
	assert_true(spend(s, "r3", "b", 7, OVER_DEFER, &p));
	assert_int_equal(p.charges[1].used, 0);
	assert_false(spend(s, "r4", "b", 2, OVER_DEFER, &p)); /* the last tenth is not its own */
	assert_true(spend(s, "r5", "b", 1, OVER_DEFER, &p));
	assert_int_equal(p.charges[1].used, 7);
	assert_false(spend(s, "r6", "d", 1, OVER_DEFER, &p));
	assert_int_equal(p.reserve.unspent, 0);
	assert_int_equal(p.charges[0].used, 18);
	assert_false(spend(s, "r7", "d", 11, OVER_DEFER, &p));
	assert_int_equal(p.charges[0].retry_ms, -1);
	store_close(&s);
	boot += 100000;
}

/* Also of what another process spent, and before anything of it is in memory. */
static void
reserves_survive_a_restart(void **state)
{
	struct store *s = open_store();
	struct spender p;

	(void)state;
	assert_true(spend(s, "s1", "b", 5, OVER_DEFER, &p));
	store_close(&s);
	s = open_store();
	make_spender(&p, "d", 20, OVER_DEFER);
	store_peek(s, p.charges, 1);
	assert_int_equal(p.reserve.unspent, 0);         /* a hint is never too strict */
	assert_true(spend(s, "s2", "d", 10, OVER_DEFER, &p));
	assert_int_equal(p.charges[0].used, 5);
	assert_int_equal(p.reserve.unspent, 3);
	assert_false(spend(s, "s3", "d", 1, OVER_DEFER, &p));
	assert_true(spend(s, "s4", "b", 3, OVER_DEFER, &p));
	assert_int_equal(p.charges[1].used, 5);
	store_close(&s);
	boot += 100000;
}

static void
readers_see_reserves(void **state)
{
	struct store *s = open_store();
	struct store_reader *r;
	struct spender p;
	const char *error = NULL;
	char text[300] = "";

	(void)state;
	assert_true(spend(s, "v1", "b", 5, OVER_DEFER, &p));
	r = store_reader_open(url, text, sizeof text);
	if (r == NULL)
		fail_msg("%s", text);
	make_spender(&p, "d", 11, OVER_DEFER);
	assert_int_equal(store_reader_peek(r, &test_clock, p.charges, p.n, &error), 0);
	assert_int_equal(p.charges[0].used, 5);
	assert_int_equal(p.reserve.unspent, 3);
	assert_true(p.charges[0].exceeded);
	make_spender(&p, "b", 13, OVER_DEFER);
	assert_int_equal(store_reader_peek(r, &test_clock, p.charges, p.n, &error), 0);
	assert_int_equal(p.charges[1].used, 5);
	assert_false(p.charges[0].exceeded || p.charges[1].exceeded);
	store_reader_close(&r);
	store_close(&s);
	boot += 100000;
}

/* What waits leaves others what is theirs, and keeps nobody from his own. */
static void
held_mail_leaves_reserves(void **state)
{
	static const char *const granted_before[] = { "a2", "b1", "b2", "b3" };
	struct store *s = open_store();
	struct spender p;

	(void)state;
	for (size_t i = 0; i < sizeof granted_before / sizeof granted_before[0]; i++)
		confirm(granted_before[i], "released");
	assert_true(spend(s, "h1", "d", 10, OVER_HOLD, &p));
	assert_false(spend(s, "h2", "d", 1, OVER_HOLD, &p));
	assert_false(spend(s, "h3", "b", 3, OVER_HOLD, &p)); /* behind it, for the moment */
	assert_false(spend(s, "h4", "d", 1, OVER_HOLD, &p));
	store_close(&s);
	s = open_store();
	pass(5000);
	assert_int_equal(GRANTED("h2") + GRANTED("h4"), 0);
	assert_int_equal(GRANTED("h3"), 1);
	assert_int_equal(count_rows("SELECT used FROM limit_use JOIN limits ON id = limit_id WHERE key = 'app=b'"
				    " ORDER BY slot DESC LIMIT 1"), 3);
	confirm("h3", "released");
	pass(62000);
	assert_int_equal(GRANTED("h2") + GRANTED("h4"), 2);
	confirm("h2", "released");
	confirm("h4", "released");
	assert_int_equal(count_rows("SELECT count(*) FROM held_charges"), 0);
	store_close(&s);
	boot += 100000;
}

static void
clean_up(void)
{
	static const char *const names[] = { "", ".lock", "-wal", "-shm" };
	char path[sizeof url + 8];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s%s", url + strlen("sqlite:"), names[i]);
		unlink(path);
	}
	rmdir(directory);
}

/* A server that was away is looked for every second. */
static int
try_until_it_works(struct store *s, const char *id, uint64_t amount, bool *charged_r)
{
	const struct timespec tick = { .tv_nsec = 100000000 };
	int rc = -1;

	for (int i = 0; i < 100 && (rc = try_id(s, id, amount, charged_r)) != 0; i++)
		nanosleep(&tick, NULL);
	return rc;
}

/* Nothing is committed while the server is away; what was queued is when it is back. */
static void
server_that_goes_and_comes(void **state)
{
	struct store *s = open_store();
	bool charged;

	(void)state;
	assert_int_equal(try_id(s, "before", 4, &charged), 0);
	postgres_control("kill");
	assert_int_equal(try_id(s, "away", 4, &charged), -1);
	assert_false(charged);
	assert_true(was_away);
	assert_int_equal(try_id(s, "away", 4, &charged), -1);
	assert_true(was_away);
	assert_int_equal(store_health(s, NULL), -1);
	postgres_control("start");
	assert_int_equal(try_until_it_works(s, "after", 4, &charged), 0);
	assert_true(charged);
	assert_int_equal(try_id(s, "too much", 4, &charged), 0);
	assert_false(charged);
	assert_int_equal(try_id(s, "too much", 4, &charged), -1);
	assert_false(was_away);                         /* it is recorded already: a fault of its own */
	store_close(&s);
	assert_int_equal(count_rows("SELECT count(*) FROM messages WHERE id IN ('before', 'away', 'after', 'too much')"), 3);
}

/* A connection that is cut while nobody looks costs nobody a message. */
static void
lost_connection_is_made_anew(void **state)
{
	struct store *s = open_store();
	bool charged;

	(void)state;
	boot += 100000;
	assert_int_equal(try_id(s, "cut 1", 1, &charged), 0);
	postgres_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'posternd'"
		     " AND pid <> pg_backend_pid()");
	assert_int_equal(try_id(s, "cut 2", 1, &charged), 0);
	assert_true(charged);
	store_close(&s);
}

/* A server that is there and says nothing: the wait ends. */
static void
silent_server_is_not_waited_for(void **state)
{
	struct store *s = open_store();
	struct timespec began, ended;
	bool charged;

	(void)state;
	boot += 100000;
	postgres_control("pause");
	clock_gettime(CLOCK_MONOTONIC, &began);
	assert_int_equal(try_id(s, "silence", 1, &charged), -1);
	assert_true(was_away);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	postgres_control("resume");
	assert_in_range(ended.tv_sec - began.tv_sec, 1, 40);
	boot += 100000;
	assert_int_equal(try_until_it_works(s, "sound", 1, &charged), 0);
	store_close(&s);
}

/* Seconds of the machine's clock. */
static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
settle_pausing(struct admit *a, bool stopped)
{
	(void)stopped;
	if (a->context != NULL)
		postgres_control("pause");
	a->context = NULL;
}

/* What a server was told before it fell silent it does when it is awake again, later than we
 * waited for. Whoever tries the same message again charges it once. */
static void
what_is_done_late_is_done_once(void **state)
{
	struct store *s;
	struct record r = { .id = "late", .time = wall, .relay = "", .queue_id = "", .stage = "eom",
		.verdict = "accept", .would = "accept", .mode = "enforce", .reason = "" };
	struct charge c = { .scope = "app:late", .unit = UNIT_MESSAGES, .period = 60, .key = "",
		.name = "late/m", .count = 10, .amount = 2, .over = OVER_DEFER, .enforced = true };
	struct admit a = { .record = &r, .charges = &c, .n_charges = 1, .settle = settle_pausing, .context = &a };
	const char *error = NULL;
	char before[sizeof url];

	(void)state;
	snprintf(before, sizeof before, "%s", url);
	/* Where the admin lets transactions stand still for longer than we wait. */
	snprintf(url + strlen(url), sizeof url - strlen(url), "?options=-cidle_in_transaction_session_timeout%%3D60000");
	s = open_store();
	snprintf(url, sizeof url, "%s", before);
	boot += 100000;
	for (int i = 0; i < 3; i++)
		refuse_one(s, "doubted");
	assert_int_equal(store_admit(s, &a, &error), -1);
	assert_true(a.is_away);
	refuse_one(s, "doubted");
	postgres_control("resume");
	while (store_admit(s, &a, &error) != 0 && a.is_away)
		nanosleep(&(const struct timespec){ .tv_nsec = 20000000 }, NULL);
	store_close(&s);
	assert_int_equal(count_rows("SELECT count FROM refusals WHERE reason = 'doubted'"), 4);
	assert_int_equal(count_rows("SELECT count(*) FROM messages WHERE id = 'late'"), 1);
	assert_int_equal(count_rows("SELECT sum(used) FROM limit_use JOIN limits ON id = limit_id WHERE scope = 'app:late'"), 2);
}

/* A relay may start before its database. */
static void
it_starts_while_the_server_is_away(void **state)
{
	struct store_options o = { .url = url, .relay = "r", .clock = &test_clock, .log = keep_line };
	char error[600] = "";
	double began = now_s();
	struct store *s;
	bool charged;

	(void)state;
	boot += 100000;
	postgres_control("kill");
	last_line[0] = '\0';
	s = store_open(&o, error, sizeof error);
	if (s == NULL)
		fail_msg("%s", error);
	assert_non_null(strstr(last_line, "cannot be reached"));
	assert_null(strstr(last_line, "s3cret"));
	last_line[0] = '\0';
	boot += 1000;
	for (int i = 0; i < 100 && last_line[0] == '\0'; i++)
		nanosleep(&(const struct timespec){ .tv_nsec = 20000000 }, NULL);
	assert_non_null(strstr(last_line, "the store cannot write: the database server cannot be reached")); /* without mail */
	assert_int_equal(try_id(s, "start 1", 1, &charged), -1);
	assert_true(was_away);
	assert_true(now_s() - began < 5);
	postgres_control("start");
	assert_int_equal(try_until_it_works(s, "start 2", 1, &charged), 0);
	store_close(&s);
	postgres_control("pause");
	began = now_s();
	s = store_open(&o, error, sizeof error);
	assert_true(now_s() - began < 16);
	postgres_control("resume");
	assert_non_null(s);
	assert_int_equal(try_until_it_works(s, "start 3", 1, &charged), 0);
	store_close(&s);
}

static void
does_not_start(const char *wrong_url, const char *because)
{
	struct store_options o = { .url = wrong_url, .relay = "r", .clock = &test_clock };
	char error[1000] = "";
	struct store *s = store_open(&o, error, sizeof error);

	assert_null(s);
	if (strstr(error, because) == NULL || strstr(error, "s3cret") != NULL)
		fail_msg("%s", error);
}

/* What is not right at the start will not be right by itself. */
static void
what_is_wrong_stays_an_error_at_the_start(void **state)
{
	char *none = postgres_url("nonesuch", ""), *login = postgres_url("postgres", "password=wrong");
	char *no_rights = postgres_url("postgres", ""), *newer = postgres_fresh();

	(void)state;
	does_not_start(none, "there is no database of this name");
	does_not_start(login, "refuses the login");
	does_not_start("postgresql://h/d?nonesuch=1", "the URL of the database cannot be read");
	postgres_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
	does_not_start(no_rights, "lacks a right");
	run_sql_at(newer, "CREATE TABLE schema_version (one BIGINT PRIMARY KEY, version BIGINT); INSERT INTO schema_version VALUES (1, 99)");
	does_not_start(newer, "it was written by a newer Postern");
	free(none);
	free(login);
	free(no_rights);
	free(newer);
}

static void *
admit_many(void *arg)
{
	size_t n = 0;

	for (int i = 0; i < 10; i++)
		n += charge_one(arg, 1);
	return (void *)n;
}

/* Two relays at once, new tables and one limit between them. */
static void
relays_share_a_limit(void **state)
{
	struct store *a = open_store(), *b = open_store();
	pthread_t t[8];
	size_t sum = 0;

	(void)state;
	boot += 200000;
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&t[i], NULL, admit_many, i % 2 == 0 ? a : b), 0);
	for (int i = 0; i < 8; i++) {
		void *n;

		pthread_join(t[i], &n);
		sum += (size_t)n;
	}
	assert_int_equal(sum, 10);
	store_close(&a);
	store_close(&b);
}

static void *
open_and_close(void *unused)
{
	struct store *s = open_store();

	(void)unused;
	store_close(&s);
	return NULL;
}

static void
relays_may_start_at_once(void **state)
{
	char *fresh = postgres_fresh(), before[sizeof url];
	pthread_t t[6];

	(void)state;
	snprintf(before, sizeof before, "%s", url);
	snprintf(url, sizeof url, "%s", fresh);
	for (int i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&t[i], NULL, open_and_close, NULL), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(count_rows("SELECT version FROM schema_version"), 7);
	snprintf(url, sizeof url, "%s", before);
	free(fresh);
}

static const struct CMUnitTest all[] = {
	cmocka_unit_test(limit_holds_and_comes_back),
	cmocka_unit_test(threads_never_overshoot),
	cmocka_unit_test(many_limits_for_one_message),
	cmocka_unit_test(reserves_are_held_back),
};
static const struct CMUnitTest kept[] = {
	cmocka_unit_test(timings_add_up),
	cmocka_unit_test(a_bad_message_fails_alone),
	cmocka_unit_test(old_rows_are_deleted),
	cmocka_unit_test(held_mail_goes_in_turn),
	cmocka_unit_test(reserves_survive_a_restart),
	cmocka_unit_test(held_mail_leaves_reserves),
};
static const struct CMUnitTest sqlite[] = {
	cmocka_unit_test(readers_see_present_use),
	cmocka_unit_test(readers_see_reserves),
	cmocka_unit_test(strange_clocks_are_said),
	cmocka_unit_test(use_survives_restart_and_clock),
	cmocka_unit_test(moved_file_is_noticed),
	cmocka_unit_test(second_writer_is_refused),
};
/* Where the time that the store is given to tend is known. */
static const struct CMUnitTest turns[] = {
	cmocka_unit_test(apps_take_turns_one_by_one),
};
static const struct CMUnitTest postgres[] = {
	cmocka_unit_test(relays_share_a_limit),
	cmocka_unit_test(relays_may_start_at_once),
	cmocka_unit_test(lost_connection_is_made_anew),
	cmocka_unit_test(server_that_goes_and_comes),
	cmocka_unit_test(silent_server_is_not_waited_for),
	cmocka_unit_test(what_is_done_late_is_done_once),
	cmocka_unit_test(it_starts_while_the_server_is_away),
	cmocka_unit_test(what_is_wrong_stays_an_error_at_the_start),
};

static int
run_postgres(void)
{
	char *fresh = postgres_fresh();
	int rc;

	snprintf(url, sizeof url, "%s", fresh);
	free(fresh);
	rc = cmocka_run_group_tests_name("postgresql", all, NULL, NULL);
	rc += cmocka_run_group_tests_name("postgresql kept", kept, NULL, NULL);
	rc += cmocka_run_group_tests_name("postgresql only", postgres, NULL, NULL);
	return rc;
}

int
main(void)
{
	int rc;

	if (postgres_is_there())
		return run_postgres();
	snprintf(url, sizeof url, "memory:");
	rc = cmocka_run_group_tests_name("memory", all, NULL, NULL);
	snprintf(directory, sizeof directory, "/tmp/postern-store-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(url, sizeof url, "sqlite:%s/audit.db", directory);
	rc += cmocka_run_group_tests_name("sqlite", all, NULL, NULL);
	rc += cmocka_run_group_tests_name("sqlite only", sqlite, NULL, NULL);
	rc += cmocka_run_group_tests_name("sqlite kept", kept, NULL, NULL);
	rc += cmocka_run_group_tests_name("sqlite turns", turns, NULL, NULL);
	clean_up();
	return rc;
}
