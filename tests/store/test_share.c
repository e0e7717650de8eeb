/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Relays that go on while the PostgreSQL database that they share is away: what they
 * grant, what becomes of it when it is back, and the bound over all of them. For a
 * server that `postgres.py run` has started.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/id.h"
#include "sql/db.h"
#include "sql/store.h"
#include "tests/lib/postgres.h"
#include "tests/store/hours.h"

#define RELAYS 3
#define MINUTE 60

static _Atomic int64_t passed;
static int64_t skew;
static char url[600], directory[] = "/tmp/postern-share-XXXXXX";
static char local_url[RELAYS][200];
static _Atomic bool away[RELAYS];
static char said[40][400];
static _Atomic int n_said;

static int64_t get_wall(void *c) { (void)c; return 1700000000000 + passed; }
static int64_t get_boot(void *c) { (void)c; return 1000000 + passed; }
static const char *get_name(void *c) { (void)c; return "boot"; }
static void get_chance(void *c, uint8_t *buf, size_t len) { (void)c; clock_system()->random(NULL, buf, len); }
static const struct clock test_clock = { get_wall, get_boot, get_name, get_chance, NULL };

static void
keep_line(void *context, bool is_error, const char *line)
{
	int n = n_said % 40;

	(void)context, (void)is_error;
	snprintf(said[n], sizeof said[n], "%s", line);
	n_said++;
}

static bool
was_said(const char *words)
{
	for (int i = 0; i < 40; i++)
		if (strstr(said[i], words) != NULL)
			return true;
	return false;
}

static struct store *opened[8];

static struct store *
open_relay(int i)
{
	static const char *const names[RELAYS] = { "relay-0", "relay-1", "relay-2" };
	struct store_options o = { .url = url, .relay = names[i], .clock = &test_clock, .log = keep_line,
		.server_skew = &skew, .server_away = &away[i], .local_url = local_url[i], .relays = RELAYS };
	char error[1000] = "";
	struct store *s = store_open(&o, error, sizeof error);

	if (s == NULL)
		fail_msg("%s", error);
	for (size_t k = 0; k < sizeof opened / sizeof opened[0]; k++)
		if (opened[k] == NULL) {
			opened[k] = s;
			break;
		}
	return s;
}

static void
close_relay(struct store **s)
{
	for (size_t k = 0; k < sizeof opened / sizeof opened[0]; k++)
		if (opened[k] == *s)
			opened[k] = NULL;
	store_close(s);
}

/* What a failed test left. */
static int
tear_down(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof opened / sizeof opened[0]; k++)
		store_close(&opened[k]);
	for (int i = 0; i < RELAYS; i++)
		away[i] = false;
	return 0;
}

static void
nap(long ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void
pass(int64_t ms)
{
	passed += ms;
	skew += ms;
}

static int64_t
number_at(const char *where, const char *sql)
{
	const char *error;
	struct db *db = db_open(where, DB_READ, 5000, &error, NULL, 0);
	int64_t n = db == NULL ? -1 : db_number(db, sql);

	db_close(&db);
	return n;
}

static int64_t
number(const char *sql)
{
	return number_at(url, sql);
}

/* Time passes, some milliseconds of it, until the query says n. */
static void
comes_to(const char *where, const char *sql, int64_t n)
{
	for (int i = 0; i < 400 && number_at(where, sql) != n; i++) {
		pass(1);
		nap(20);
	}
	if (number_at(where, sql) != n)
		fail_msg("%s: %lld, not %lld", sql, (long long)number_at(where, sql), (long long)n);
}

#define LOCAL_ROWS \
	"SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM recipients) + (SELECT count(*) FROM signatures)" \
	" + (SELECT count(*) FROM charges) + (SELECT count(*) FROM rule_matches) + (SELECT count(*) FROM policy_rules)" \
	" + (SELECT count(*) FROM refusals) + (SELECT count(*) FROM held) + (SELECT count(*) FROM held_charges)" \
	" + (SELECT count(*) FROM acts) + (SELECT count(*) FROM events) + (SELECT count(*) FROM share_charges)" \
	" + (SELECT count(*) FROM share_refusals)"

/* The relay's database is there again, and all it granted by itself is reported. */
static void
come_back(int i)
{
	away[i] = false;
	pass(300);
	comes_to(local_url[i], LOCAL_ROWS, 0);
}

/* A message of an app under a limit of 10 a minute. */
struct sent {
	const char *app;
	uint64_t amount, count;   /* 0: 1, 10 */
	enum over over;
	struct charge charge;     /* as it was weighed */
	bool was_away, was_share, held;
	char id[ID_LENGTH + 1];
};

static void
settle(struct admit *a, bool stopped)
{
	a->held = stopped && a->charges[0].over == OVER_HOLD;
	a->record->verdict = a->held ? "hold" : stopped ? "defer" : "accept";
}

/* Whether it was granted; -1: the store failed. */
static int
send_message(struct store *s, struct sent *m)
{
	uint8_t chance[ID_RANDOM_OCTETS];
	struct charge c = { .scope = m->app, .unit = UNIT_MESSAGES, .period = MINUTE, .key = "", .name = m->app,
		.count = m->count == 0 ? 10 : m->count, .amount = m->amount == 0 ? 1 : m->amount, .over = m->over, .enforced = true };
	struct record r = { .id = m->id, .time = get_wall(NULL), .relay = "relay", .queue_id = m->id, .stage = "eom", .app = m->app,
		.verdict = "accept", .would = "accept", .mode = "enforce", .reason = "" };
	struct admit a = { .record = &r, .charges = &c, .n_charges = 1, .settle = settle };
	const char *error = NULL;
	int rc;

	get_chance(NULL, chance, sizeof chance);
	memcpy(m->id, id_make(get_wall(NULL), chance).s, sizeof m->id);
	rc = store_admit(s, &a, &error);
	m->charge = c;
	m->was_away = a.is_away;
	m->was_share = a.is_share;
	m->held = a.held;
	return rc != 0 ? -1 : a.charged;
}

static int
send_some(struct store *s, const char *app, enum over over, int n)
{
	int granted = 0;

	for (int i = 0; i < n; i++) {
		struct sent m = { .app = app, .over = over };
		int rc = send_message(s, &m);

		assert_true(rc >= 0);
		granted += rc;
	}
	return granted;
}

static int64_t
used_in_all(const char *app)
{
	char sql[200];

	snprintf(sql, sizeof sql, "SELECT coalesce(sum(used), 0) FROM limit_use JOIN limits ON id = limit_id WHERE scope = '%s'", app);
	return number(sql);
}

static int64_t
rows_of(const char *app)
{
	char sql[200];

	snprintf(sql, sizeof sql, "SELECT count(*) FROM messages WHERE app = '%s'", app);
	return number(sql);
}

static void
a_share_is_granted_and_reported(void **state)
{
	struct sent m = { .app = "share", .over = OVER_REJECT };
	struct store *s = open_relay(0);

	(void)state;
	assert_int_equal(send_some(s, "share", OVER_REJECT, 2), 2);
	away[0] = true;
	assert_int_equal(send_some(s, "share", OVER_REJECT, 3), 3);     /* 10 / 3 */
	assert_int_equal(send_message(s, &m), 0);
	assert_true(m.was_share);
	assert_int_equal(m.charge.count, 3);
	assert_int_equal(m.charge.whole, 10);
	assert_int_equal(m.charge.over, OVER_DEFER);                    /* nobody knows that ten were sent */
	assert_in_range(m.charge.retry_ms, 1, 61000);
	assert_true(was_said("the database is away (the server is cut off); this relay grants its share of each limit, one of 3"));
	assert_int_equal(rows_of("share"), 2);
	come_back(0);
	assert_true(was_said("the database is there again"));
	for (int i = 0; i < 50 && !was_said("is reported"); i++) {
		pass(1);
		nap(20);
	}
	assert_true(was_said("what was granted while the database was away is reported: 4 messages"));
	assert_int_equal(rows_of("share"), 6);
	assert_int_equal(used_in_all("share"), 5);
	assert_int_equal(number("SELECT count FROM limits WHERE scope = 'share'"), 10);
	assert_int_equal(number("SELECT count(*) FROM charges JOIN messages ON id = charges.message_id WHERE app = 'share' AND charges.count = 3"), 4);
	m.over = OVER_REJECT;
	assert_int_equal(send_some(s, "share", OVER_REJECT, 5), 5);
	assert_int_equal(send_message(s, &m), 0);
	assert_int_equal(m.charge.over, OVER_REJECT);
	assert_false(m.was_share);
	close_relay(&s);
	pass(200000);
}

/* However often the database goes and comes, a relay grants its share once a period. */
static void
going_and_coming_frees_nothing(void **state)
{
	struct store *s = open_relay(0);
	int granted = 0;

	(void)state;
	for (int i = 0; i < 5; i++) {
		away[0] = true;
		granted += send_some(s, "flap", OVER_DEFER, 2);
		if (i == 2) {                                           /* nor does a restart */
			close_relay(&s);
			s = open_relay(0);
		}
		come_back(0);
	}
	assert_int_equal(granted, 3);
	pass(62000);
	away[0] = true;
	assert_int_equal(send_some(s, "flap", OVER_DEFER, 4), 3);
	come_back(0);
	close_relay(&s);
	pass(200000);
}

/* What was granted counts for the time at which it was, not for that of the report. */
static void
use_counts_for_its_time(void **state)
{
	struct store *s = open_relay(0);

	(void)state;
	away[0] = true;
	assert_int_equal(send_some(s, "time", OVER_DEFER, 3), 3);
	pass(30000);
	come_back(0);
	assert_int_equal(send_some(s, "time", OVER_DEFER, 8), 7);
	pass(31500);
	assert_int_equal(send_some(s, "time", OVER_DEFER, 4), 3);
	away[0] = true;
	assert_int_equal(send_some(s, "old", OVER_DEFER, 3), 3);
	pass(90000);
	come_back(0);
	assert_int_equal(rows_of("old"), 3);
	assert_int_equal(send_some(s, "old", OVER_DEFER, 11), 10);      /* that is over */
	close_relay(&s);
	pass(200000);
}

/* Less than one message for each relay: nothing is granted, and what would be rejected is deferred. */
static void
a_share_may_be_nothing(void **state)
{
	struct sent m = { .app = "small", .count = 2, .over = OVER_REJECT }, large = { .app = "large", .amount = 4, .over = OVER_DEFER };
	struct sent too_large = { .app = "large", .amount = 11, .over = OVER_DEFER };
	struct charge peeked;
	struct store *s = open_relay(0);

	(void)state;
	away[0] = true;
	assert_int_equal(send_message(s, &m), 0);
	assert_int_equal(m.charge.count, 0);
	assert_int_equal(m.charge.over, OVER_DEFER);
	assert_true(m.charge.retry_ms > 0);
	m.over = OVER_OBSERVE;
	assert_int_equal(send_message(s, &m), 1);
	assert_true(m.charge.exceeded);
	assert_int_equal(send_message(s, &large), 0);
	assert_true(large.charge.retry_ms > 0);
	assert_int_equal(send_message(s, &too_large), 0);
	assert_int_equal(too_large.charge.retry_ms, -1);                /* it never fits */
	peeked = (struct charge){ .scope = "large", .unit = UNIT_MESSAGES, .period = MINUTE, .key = "", .name = "large",
		.count = 10, .amount = 4, .over = OVER_REJECT, .enforced = true };
	store_peek(s, &peeked, 1);
	assert_int_equal(peeked.count, 3);
	assert_true(peeked.exceeded && peeked.retry_ms > 0 && peeked.over == OVER_DEFER && peeked.is_told);
	come_back(0);
	close_relay(&s);
	pass(200000);
}

/* What is kept and reserved is shared too. */
static void
reserves_are_shared(void **state)
{
	struct charge_reserve reserve = { .key = "app=billing", .name = "b", .amount = 12 };
	struct charge c = { .scope = "tenant:b", .unit = UNIT_MESSAGES, .period = MINUTE, .key = "", .name = "b", .count = 30,
		.amount = 1, .over = OVER_DEFER, .enforced = true, .kept = 3, .reserves = &reserve, .n_reserves = 1 };
	struct record r = { .id = "reserve", .time = get_wall(NULL), .relay = "r", .queue_id = "", .stage = "eom", .app = "b",
		.verdict = "accept", .would = "accept", .mode = "enforce", .reason = "" };
	struct admit a = { .record = &r, .charges = &c, .n_charges = 1 };
	struct store *s = open_relay(0);
	const char *error = NULL;

	(void)state;
	away[0] = true;
	c.amount = 6;                                                   /* 10 of 30, less 1, less 4 */
	assert_int_equal(store_admit(s, &a, &error), 0);
	assert_false(a.charged);
	assert_int_equal(c.count, 10);
	assert_int_equal(c.kept, 1);
	assert_int_equal(reserve.amount, 4);
	c = (struct charge){ .scope = "tenant:b", .unit = UNIT_MESSAGES, .period = MINUTE, .key = "", .name = "b", .count = 30,
		.amount = 5, .over = OVER_DEFER, .enforced = true, .kept = 3, .reserves = &reserve, .n_reserves = 1 };
	reserve.amount = 12;
	r.id = "reserve 2";
	assert_int_equal(store_admit(s, &a, &error), 0);
	assert_true(a.charged);
	come_back(0);
	assert_int_equal(used_in_all("tenant:b"), 5);
	close_relay(&s);
	pass(200000);
}

/* Held mail waits in the file, is reported in its order, and goes when the database grants it. */
static void
held_mail_waits(void **state)
{
	struct store *s = open_relay(0);
	struct sent m = { .app = "held", .over = OVER_HOLD };

	(void)state;
	away[0] = true;
	assert_int_equal(send_some(s, "held", OVER_HOLD, 6), 3);
	assert_int_equal(number_at(local_url[0], "SELECT count(*) FROM held WHERE state = 'waiting'"), 3);
	pass(120000);
	for (int i = 0; i < 20; i++) {
		pass(300);
		nap(20);
	}
	assert_int_equal(number_at(local_url[0], "SELECT count(*) FROM held WHERE state = 'waiting'"), 3);
	assert_int_equal(send_message(s, &m), 0);                       /* behind those that wait */
	assert_true(m.held);
	close_relay(&s);
	s = open_relay(0);
	assert_int_equal(number_at(local_url[0], "SELECT count(*) FROM held WHERE state = 'waiting'"), 4);
	come_back(0);
	assert_int_equal(number("SELECT count(*) FROM held WHERE app = 'held' AND relay = 'relay-0' AND queue_id <> ''"), 4);
	for (int i = 0; i < 100 && number("SELECT count(*) FROM held WHERE app = 'held' AND state = 'granted'") < 4; i++) {
		pass(300);
		nap(20);
	}
	assert_int_equal(number("SELECT count(*) FROM held WHERE app = 'held' AND state = 'granted'"), 4);
	assert_int_equal(number("SELECT count(*) FROM held_charges WHERE granted = 1 AND limit_id = (SELECT id FROM limits"
				" WHERE scope = 'held')"), 4);
	close_relay(&s);
	pass(7200000);
}

static void
refuse(struct store *s, const char *id, int times)
{
	struct refusal r = { .id = id, .time = get_wall(NULL), .stage = "mail", .verdict = "reject", .reason = id, .enhanced = "5.7.1",
		.text = "t", .app = "a", .tenant = "", .method = "", .client = "c", .login = "l", .tls = "", .certificate = "",
		.certificate_issuer = "i", .sender = "s", .header_from = "f", .recipient = "r", .queue_id = "q", .policy = "p",
		.department = "" };
	bool is_new;

	for (int i = 0; i < times; i++)
		(void)store_refuse(s, &r, &is_new);
}

static void
append(char *to, size_t size, const char *what)
{
	snprintf(to + strlen(to), size - strlen(to), "%s|", what);
}

static int
write_all(void *context, const struct record *r, const struct charge *charges, size_t n)
{
	char *to = context;

	append(to, 2000, r->id);
	append(to, 2000, r->subject);
	append(to, 2000, r->verdict);
	append(to, 2000, r->trace);
	append(to, 2000, r->relay);
	for (size_t i = 0; i < r->n_rcpt; i++) {
		append(to, 2000, r->rcpt[i].address);
		append(to, 2000, r->rcpt[i].reason);
	}
	for (size_t i = 0; i < r->n_signature; i++)
		append(to, 2000, r->signature[i].selector);
	for (size_t i = 0; i < r->n_rule; i++)
		append(to, 2000, r->rule[i].name);
	for (size_t i = 0; i < n; i++) {
		char numbers[100];

		snprintf(numbers, sizeof numbers, "%s %llu %llu %llu %d %d", charges[i].name, (unsigned long long)charges[i].amount,
			 (unsigned long long)charges[i].used, (unsigned long long)charges[i].count, charges[i].over, charges[i].exceeded);
		append(to, 2000, numbers);
	}
	return 0;
}

static void
dump(const char *where, const char *id, char text_r[2000])
{
	char error[600];
	struct store_reader *r = store_reader_open(where, error, sizeof error);
	const struct store_range one = { .id = id };
	const char *why;

	text_r[0] = '\0';
	if (r == NULL)
		fail_msg("%s", error);
	assert_int_equal(store_reader_messages(r, &one, write_all, text_r, &why), 0);
	store_reader_close(&r);
}

static struct record_recipient rcpt[] = {
	{ "bob@example.net", "example.net", "external", true, "" }, { "al@x.y", "x.y", "internal", false, "why" },
};
static struct record_signature signature[] = { { "contoso.com", "s1", "rsa-sha256", "signed" } };
static struct record_rule rule[] = { { "no-payroll", "tag", "enforce", "yes", false } };

static void
admit_whole(struct store *s, const char *id)
{
	struct record r = { .id = id, .time = get_wall(NULL), .relay = "relay-0", .queue_id = "q", .stage = "eom", .app = "parts",
		.verdict = "accept", .would = "accept", .mode = "enforce", .reason = "", .subject = "It\xff", .trace = "step",
		.rcpt = rcpt, .n_rcpt = 2, .signature = signature, .n_signature = 1, .rule = rule, .n_rule = 1 };
	struct charge c[] = {
		{ .scope = "app:parts", .unit = UNIT_MESSAGES, .period = 60, .key = "", .name = "parts/m", .count = 30,
		  .amount = 1, .over = OVER_DEFER, .enforced = true },
		{ .scope = "app:parts", .unit = UNIT_RECIPIENTS, .period = 3600, .key = "client=10.1.1.1", .name = "parts/r",
		  .count = 300, .amount = 2, .over = OVER_HOLD, .enforced = true },
	};
	struct admit a = { .record = &r, .charges = c, .n_charges = 2 };
	const char *error = NULL;

	assert_int_equal(store_admit(s, &a, &error), 0);
	assert_true(a.charged);
}

/* All there is of a message, refusals, rules. */
static void
all_parts_are_reported(void **state)
{
	const struct policy_rule rules[] = { { "one", "11" }, { "two", "22" } };
	const struct policy_note note = { .policy = "digest", .rules = rules, .n_rules = 2 };
	char here[2000], there[2000];
	struct store *s = open_relay(0);

	(void)state;
	refuse(s, "REFUSED", 2);
	pass(300);
	comes_to(url, "SELECT count FROM refusals WHERE id = 'REFUSED'", 2);
	away[0] = true;
	admit_whole(s, "PARTS");
	refuse(s, "REFUSED", 3);
	refuse(s, "REFUSED TOO", 1);
	store_note_policy(s, &note);
	for (int i = 0; i < 100; i++)
		store_unrecorded(s);
	comes_to(local_url[0], "SELECT (SELECT count(*) FROM refusals) + (SELECT count(*) FROM policy_rules)"
		 " + (SELECT sum(amount) FROM acts)", 104);
	dump(local_url[0], "PARTS", here);
	assert_non_null(strstr(here, "parts/m 1 0 10 2 0|parts/r 2 0 100 1 0|"));
	come_back(0);
	dump(url, "PARTS", there);
	/* A server takes no octets that are not UTF-8. */
	assert_non_null(strstr(there, "PARTS|It\xef\xbf\xbd|accept|step|relay-0|bob@example.net||al@x.y|why|s1|no-payroll|"
			       "parts/m 1 0 10 2 0|parts/r 2 0 100 1 0|"));
	assert_int_equal(number("SELECT count FROM refusals WHERE id = 'REFUSED'"), 5);
	assert_int_equal(number("SELECT count(*) FROM refusals WHERE id = 'REFUSED TOO' AND client = 'c' AND policy = 'p' AND code = 0"
				" AND text = 't' AND enhanced = '5.7.1' AND queue_id = 'q' AND certificate_issuer = 'i'"), 1);
	assert_int_equal(number("SELECT count(*) FROM policy_rules WHERE policy = 'digest'"), 2);
	assert_int_equal(number("SELECT CAST(sum(amount) AS BIGINT) FROM acts WHERE what = 'unrecorded'"), 100);
	assert_int_equal(number("SELECT used FROM limit_use JOIN limits ON id = limit_id WHERE name = 'parts/r'"), 2);
	close_relay(&s);
	pass(7200000);
}

static void
copy_file(const char *from, const char *to)
{
	char command[1200];

	snprintf(command, sizeof command, "cp %s %s", from, to);
	assert_int_equal(system(command), 0);
}

/* A process that dies before it has deleted what it has reported reports it again: it counts once. */
static void
reporting_twice_counts_once(void **state)
{
	struct store *s = open_relay(0);
	const char *file = local_url[0] + strlen("sqlite:");
	char saved[300];

	(void)state;
	away[0] = true;
	assert_int_equal(send_some(s, "twice", OVER_HOLD, 5), 3);
	refuse(s, "TWICE", 7);
	comes_to(local_url[0], "SELECT count FROM refusals WHERE id = 'TWICE'", 7);
	close_relay(&s);
	snprintf(saved, sizeof saved, "%s/saved", directory);
	copy_file(file, saved);
	for (int i = 0; i < 3; i++) {
		away[0] = true;
		s = open_relay(0);
		come_back(0);
		assert_int_equal(rows_of("twice"), 5);
		assert_int_equal(used_in_all("twice"), 3);
		assert_int_equal(number("SELECT count(*) FROM held WHERE app = 'twice'"), 2);
		assert_int_equal(number("SELECT count FROM refusals WHERE id = 'TWICE'"), 7);
		close_relay(&s);
		copy_file(saved, file);
	}
	unlink(saved);
	s = open_relay(0);
	come_back(0);
	/* What comes after counts on. */
	away[0] = true;
	refuse(s, "AFTER", 4);
	comes_to(local_url[0], "SELECT count FROM refusals WHERE id = 'AFTER'", 4);
	come_back(0);
	assert_int_equal(number("SELECT count FROM refusals WHERE id = 'AFTER'"), 4);
	close_relay(&s);
	pass(7200000);
}

/* The relay's own file is broken while the database is away: mail waits, and for no fault of its own. */
static void
without_the_file_mail_waits(void **state)
{
	struct store *s = open_relay(0);
	struct sent m = { .app = "broken", .over = OVER_DEFER };
	char moved[300];

	(void)state;
	away[0] = true;
	assert_int_equal(send_message(s, &m), 1);
	snprintf(moved, sizeof moved, "%s/x", directory);
	assert_int_equal(rename(local_url[0] + strlen("sqlite:"), moved), 0);
	assert_int_equal(mkdir(local_url[0] + strlen("sqlite:"), 0700), 0);
	assert_int_equal(send_message(s, &m), -1);
	assert_true(m.was_away);
	assert_true(was_said("the local database cannot be written: the file cannot be opened"));
	assert_int_equal(rmdir(local_url[0] + strlen("sqlite:")), 0);
	assert_int_equal(rename(moved, local_url[0] + strlen("sqlite:")), 0);
	assert_int_equal(send_message(s, &m), 1);
	assert_true(was_said("the local database can be written again"));
	come_back(0);
	assert_int_equal(rows_of("broken"), 2);
	close_relay(&s);
	pass(200000);
}

/* The file is no other audit, and no other relay's. */
static void
the_file_is_for_nothing_else(void **state)
{
	struct store_options o = { .url = local_url[1], .relay = "r", .clock = &test_clock }, shared = o;
	struct sent m = { .app = "other", .over = OVER_DEFER };
	char error[1000] = "", path[300];
	struct store *s = store_open(&o, error, sizeof error), *t;

	(void)state;
	assert_non_null(s);
	shared.url = url;
	shared.local_url = local_url[1];
	shared.relays = 2;
	assert_null(store_open(&shared, error, sizeof error));
	assert_non_null(strstr(error, "another posternd has this store open"));
	assert_int_equal(send_message(s, &m), 1);
	close_relay(&s);
	assert_null(store_open(&shared, error, sizeof error));
	assert_non_null(strstr(error, "it is an audit of its own"));
	shared.url = local_url[2];
	shared.local_url = local_url[0];
	assert_null(store_open(&shared, error, sizeof error));
	assert_non_null(strstr(error, "shares need a database that relays share"));
	snprintf(path, sizeof path, "sqlite:%s/none/x.db", directory);
	shared.url = url;
	shared.local_url = path;
	assert_null(store_open(&shared, error, sizeof error));
	assert_non_null(strstr(error, "the directory must exist and be writable"));
	t = open_relay(0);
	close_relay(&t);
	unlink(local_url[1] + strlen("sqlite:"));
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *
send_one(void *arg)
{
	struct sent m = { .app = "silent", .over = OVER_DEFER };

	return send_message(arg, &m) == 1 ? arg : NULL;
}

/* A server that falls silent is waited for once; meanwhile memory answers. */
static void
a_silent_server_costs_one_wait(void **state)
{
	struct store *s = open_relay(0);
	struct charge c = { .scope = "silent", .unit = UNIT_MESSAGES, .period = MINUTE, .key = "", .name = "silent",
		.count = 10, .amount = 1, .over = OVER_DEFER, .enforced = true };
	double began, longest = 0;
	pthread_t thread;
	void *granted;

	(void)state;
	assert_int_equal(send_some(s, "silent", OVER_DEFER, 1), 1);
	postgres_control("pause");
	began = now_s();
	assert_int_equal(pthread_create(&thread, NULL, send_one, s), 0);
	for (int i = 0; i < 50; i++) {
		double before = now_s();

		store_peek(s, &c, 1);
		longest = now_s() - before > longest ? now_s() - before : longest;
		nap(20);
	}
	assert_true(longest < 0.1);
	pthread_join(thread, &granted);
	assert_ptr_equal(granted, s);
	assert_true(now_s() - began < 8);
	began = now_s();
	assert_int_equal(send_some(s, "silent", OVER_DEFER, 2), 2);
	assert_true(now_s() - began < 1);
	postgres_control("resume");
	for (int i = 0; i < 200 && number_at(local_url[0], LOCAL_ROWS) > 0; i++) {
		pass(300);
		nap(100);
	}
	assert_int_equal(rows_of("silent"), 4);
	assert_int_equal(used_in_all("silent"), 4);
	close_relay(&s);
	pass(200000);
}

static void
settle_pausing(struct admit *a, bool stopped)
{
	if (a->context != NULL)
		postgres_control("pause");
	a->context = NULL;
	settle(a, stopped);
}

/* What the server commits after all, when the relay has long decided by itself, has one row, which
 * says what the MTA was told. */
static void
in_doubt_it_is_what_was_told(void **state)
{
	static const struct {
		const char *id;
		uint64_t count;
		bool granted;
	} table[] = { { "DOUBT 1", 30, true }, { "DOUBT 2", 2, false } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct store *s = open_relay(0);
		struct charge c = { .scope = table[i].id, .unit = UNIT_MESSAGES, .period = 3600, .key = "", .name = table[i].id,
			.count = table[i].count, .amount = 1, .over = OVER_DEFER, .enforced = true };
		struct record r = { .id = table[i].id, .time = get_wall(NULL), .relay = "r", .queue_id = "", .stage = "eom",
			.app = table[i].id, .verdict = "accept", .would = "accept", .mode = "enforce", .reason = "" };
		struct admit a = { .record = &r, .charges = &c, .n_charges = 1, .settle = settle_pausing, .context = &a };
		const char *error = NULL;

		assert_int_equal(store_admit(s, &a, &error), 0);
		assert_true(a.is_share);
		assert_int_equal(a.charged, table[i].granted);
		postgres_control("resume");
		for (int k = 0; k < 200 && number_at(local_url[0], LOCAL_ROWS) > 0; k++) {
			pass(300);
			nap(100);
		}
		assert_int_equal(number_at(local_url[0], LOCAL_ROWS), 0);
		assert_int_equal(rows_of(table[i].id), 1);
		assert_int_equal(number(i == 0 ? "SELECT count(*) FROM messages WHERE id = 'DOUBT 1' AND verdict = 'accept'"
					: "SELECT count(*) FROM messages WHERE id = 'DOUBT 2' AND verdict = 'defer'"), 1);
		assert_int_equal(used_in_all(table[i].id), 1);
		close_relay(&s);
	}
	pass(7200000);
}

/* ---- the bound, against a plain list of what was granted: relays that lose the database and find
 * it again at random, restarts, limits that hold and that defer. */

#define EVENTS_MAX 20000
#define LIMIT 10
#define BOUND (LIMIT + RELAYS * (LIMIT / RELAYS))

static struct event {
	int64_t time;
	uint64_t amount;
	bool is_share;
	int relay;
} events[EVENTS_MAX];
static size_t n_events;
static uint64_t seed;

static uint64_t
chance(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* Units granted in the period up to now: in all, by the database, by one relay's share. */
/* The server's time goes on while the test runs, that of the relays only by pass(). By this clock, which has
 * both, with each event at its beginning, neither frees anything too early. */
static int64_t
moment(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return get_boot(NULL) + (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
check_bound(void)
{
	uint64_t all = 0, there = 0, here[RELAYS] = {0};
	int64_t now = moment();

	for (size_t i = n_events; i > 0 && events[i - 1].time > now - MINUTE * 1000; i--) {
		all += events[i - 1].amount;
		if (events[i - 1].is_share)
			here[events[i - 1].relay] += events[i - 1].amount;
		else
			there += events[i - 1].amount;
	}
	if (there > LIMIT || all > BOUND)
		fail_msg("%llu granted, %llu by the database, at event %zu", (unsigned long long)all, (unsigned long long)there, n_events);
	for (int i = 0; i < RELAYS; i++)
		assert_true(here[i] <= LIMIT / RELAYS);
}

static void
no_more_than_twice_the_limit(void **state)
{
	const char *given = getenv("SEED");
	struct store *s[RELAYS];
	int64_t sent = 0, n_share = 0, most = 0, began;

	(void)state;
	seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 2654435761u + 1;
	printf("SEED=%llu\n", (unsigned long long)seed);
	for (int i = 0; i < RELAYS; i++)
		s[i] = open_relay(i);
	for (int step = 0; step < 2500; step++) {
		struct sent m = { .app = "bound", .amount = 1 + chance(2), .over = OVER_DEFER };
		int i = (int)chance(RELAYS), rc;

		pass((int64_t)chance(2500));
		if (chance(12) == 0)
			away[i] = !away[i];
		if (chance(60) == 0)
			away[0] = away[1] = away[2] = chance(2) == 0;
		if (chance(150) == 0) {
			close_relay(&s[i]);
			s[i] = open_relay(i);
		}
		began = moment();
		rc = send_message(s[i], &m);
		assert_true(rc >= 0);
		sent++;
		if (rc == 1) {
			events[n_events++] = (struct event){ began, m.amount, m.was_share, i };
			n_share += m.was_share;
		}
		check_bound();
		if (rc == 1) {
			int64_t all = 0;

			for (size_t k = n_events; k > 0 && events[k - 1].time > began - MINUTE * 1000; k--)
				all += (int64_t)events[k - 1].amount;
			most = all > most ? all : most;
		}
	}
	for (int i = 0; i < RELAYS; i++)
		come_back(i);
	for (int i = 0; i < RELAYS; i++)
		close_relay(&s[i]);
	printf("%lld messages, %zu granted, %lld of them by shares, at most %lld units in a period of %d allowed\n",
	       (long long)sent, n_events, (long long)n_share, (long long)most, BOUND);
	assert_int_equal(rows_of("bound"), sent);
	assert_true(most > LIMIT);
	assert_int_equal(number("SELECT count(*) FROM charges JOIN messages ON id = charges.message_id WHERE app = 'bound' AND charged = 1"),
			 (int64_t)n_events);
}

/* Whatever was granted here and reported there, once or twice: it is in the roll-ups once. */
static void
roll_ups_are_the_rows(void **state)
{
	(void)state;
	assert_in_range(number("SELECT sum(messages) FROM mail_hours"), 100, 1000000);
	assert_in_range(number("SELECT sum(counted) FROM mail_hours"), 1, 1000000);
	assert_int_equal(number(HOURS_DIFFER), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_teardown(a_share_is_granted_and_reported, tear_down),
	cmocka_unit_test_teardown(going_and_coming_frees_nothing, tear_down),
	cmocka_unit_test_teardown(use_counts_for_its_time, tear_down),
	cmocka_unit_test_teardown(a_share_may_be_nothing, tear_down),
	cmocka_unit_test_teardown(reserves_are_shared, tear_down),
	cmocka_unit_test_teardown(held_mail_waits, tear_down),
	cmocka_unit_test_teardown(all_parts_are_reported, tear_down),
	cmocka_unit_test_teardown(reporting_twice_counts_once, tear_down),
	cmocka_unit_test_teardown(without_the_file_mail_waits, tear_down),
	cmocka_unit_test_teardown(the_file_is_for_nothing_else, tear_down),
	cmocka_unit_test_teardown(a_silent_server_costs_one_wait, tear_down),
	cmocka_unit_test_teardown(in_doubt_it_is_what_was_told, tear_down),
	cmocka_unit_test_teardown(no_more_than_twice_the_limit, tear_down),
	cmocka_unit_test(roll_ups_are_the_rows),
};

int
main(void)
{
	char command[200], *fresh;
	int rc;

	if (!postgres_is_there()) {
		puts("SKIP: tests/store/postgres.sh runs this with a server");
		return 77;
	}
	if (mkdtemp(directory) == NULL)
		return 1;
	for (int i = 0; i < RELAYS; i++)
		snprintf(local_url[i], sizeof local_url[i], "sqlite:%s/local-%d.db", directory, i);
	fresh = postgres_fresh();
	snprintf(url, sizeof url, "%s", fresh);
	free(fresh);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof command, "rm -r %s", directory);
	return system(command) == 0 ? rc : 1;
}
