/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What became of the mail, written by one and read by others: on an SQLite file and, under
 * `postgres.py run`, on a server.
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

#include "base/record.h"
#include "sql/db.h"
#include "sql/deliveries.h"
#include "sql/read-private.h"
#include "sql/store.h"
#include "tests/lib/postgres.h"

static char folder[] = "/tmp/postern-deliveries-XXXXXX";
static char url[400];
static struct deliveries *d;
static struct db *db;           /* the store, for what the test itself puts there */
static struct deliveries_place at; /* where the log was read to */

static void
sql(const char *text)
{
	if (db_exec(db, text) != 0)
		fail_msg("%s: %s (%s)", text, db_error(db), db_words(db));
}

static int
set_up(void **state)
{
	char error[500] = "";
	const char *why;

	(void)state;
	if (postgres_is_there()) {
		char *fresh = postgres_fresh();

		snprintf(url, sizeof url, "%s", fresh);
		free(fresh);
	} else {
		static int n;

		snprintf(url, sizeof url, "sqlite:%s/%d.db", folder, ++n);
	}
	if (store_migrate(url, error, sizeof error) != 0)
		fail_msg("%s", error);
	d = deliveries_open(url, "relay", error, sizeof error);
	if (d == NULL)
		fail_msg("%s", error);
	db = db_open(url, DB_WRITE, 10000, &why, NULL, 0);
	assert_non_null(db);
	db_deadline(db, 60000);
	at = (struct deliveries_place){0};
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	deliveries_close(&d);
	db_close(&db);
	return 0;
}

static void
begin(void)
{
	assert_int_equal(deliveries_begin(d), 0);
}

static void
commit(void)
{
	struct deliveries_place to = {.inode = 7, .position = at.position + 100, .mark = "6d"};

	if (deliveries_commit(d, "log", &at, &to) != 0)
		fail_msg("%s", deliveries_error(d));
	at = to;
}

static struct deliveries_key
key(const char *queue_id, int64_t time)
{
	return (struct deliveries_key){.instance = "postfix", .queue_id = queue_id, .time = time};
}

static void
try(const char *queue_id, const char *recipient, int64_t time, const char *status, const char *reply)
{
	struct deliveries_try t = {
		.key = key(queue_id, time), .pid = "1", .host = "mx.example", .recipient = recipient, .original = "", .status = status,
		.dsn = "4.0.0", .next_hop = "mx.example[192.0.2.1]:25", .reply = reply, .next_hop_of = ",globex,contoso,", .delay_ms = 5,
	};

	if (deliveries_tried(d, &t) != 0)
		fail_msg("%s", deliveries_error(d));
}

static void
message(const char *id, const char *queue_id, int64_t time)
{
	char text[400];

	snprintf(text, sizeof text, "INSERT INTO messages (id, time, relay, queue_id, tenant, app, method, sender) VALUES ('%s', %lld, 'relay', '%s',"
		 " 'contoso', 'crm', 'connector', 'crm@contoso.com')", id, (long long)time, queue_id);
	sql(text);
}

static char told[2000];

static int
tell(void *context, const struct store_delivery *v)
{
	size_t n = strlen(told);

	(void)context;
	snprintf(told + n, sizeof told - n, "%s %s %s x%lld %s%s%s%s%s;", v->recipient, v->status, v->reply, (long long)v->attempts, v->tls,
		 v->closed > 0 ? " closed" : "", v->is_believed ? " believed" : "", v->queue_id[0] != 'Q' || v->queue_id[1] != '\0' ? " as " : "",
		 v->queue_id[0] != 'Q' || v->queue_id[1] != '\0' ? v->queue_id : "");
	return 0;
}

/* What is known of a message. */
static const char *
of(const char *queue_id, int64_t time, const char *tenant)
{
	const struct record r = {.relay = "relay", .queue_id = queue_id, .time = time, .tenant = tenant};
	char error[400] = "";
	const char *why = "";
	struct store_reader *reader = store_reader_open(url, error, sizeof error);
	int rc;

	if (reader == NULL)
		fail_msg("%s", error);
	told[0] = '\0';
	rc = store_reader_deliveries(reader, &r, tell, NULL, &why);
	if (rc != 0)
		fail_msg("%d, %s", rc, why);
	store_reader_close(&reader);
	return told;
}

static void
tries_are_counted(void **state)
{
	(void)state;
	begin();
	try("Q", "a@x", 2000, "deferred", "busy");
	try("Q", "b@x", 2000, "sent", "ok");
	try("Q", "a@x", 3000, "deferred", "still busy");
	commit();
	begin();
	try("Q", "a@x", 4000, "sent", "ok now");
	commit();
	assert_string_equal(of("Q", 1000, "contoso"), "a@x sent ok now x3  believed;b@x sent ok x1  believed;");
	assert_string_equal(of("Q", 1000, "contos"), "a@x sent ok now x3 ;b@x sent ok x1 ;");
	assert_string_equal(of("Q", 1000, ""), "a@x sent ok now x3 ;b@x sent ok x1 ;");
	assert_string_equal(of("other", 1000, "contoso"), "");
}

/* The MTA gives a queue id to another message; the log's stamps have no part of a second. */
static void
queue_ids_come_again(void **state)
{
	struct deliveries_key k = key("Q", 2500);

	(void)state;
	message("A", "Q", 2300);
	message("B", "Q", 9700);
	message("C", "Q", 20000);
	begin();
	try("Q", "a@x", 2000, "sent", "of A");
	assert_int_equal(deliveries_removed(d, &k), 0);
	k.time = 9000;
	assert_int_equal(deliveries_begun(d, &k, ""), 0);
	try("Q", "a@x", 9000, "deferred", "of B");
	/* It has gone without a line that says so. */
	k.time = 20000;
	assert_int_equal(deliveries_begun(d, &k, ""), 0);
	try("Q", "a@x", 20000, "sent", "of C");
	commit();
	assert_string_equal(of("Q", 2300, ""), "a@x sent of A x1  closed;");
	assert_string_equal(of("Q", 9700, ""), "a@x deferred of B x1  closed;");
	assert_string_equal(of("Q", 20000, ""), "a@x sent of C x1 ;");
}

static void
requeued_mail_keeps_its_message(void **state)
{
	struct deliveries_key k = key("Q", 3000), other = key("R", 3000), third = key("S", 4000);

	(void)state;
	begin();
	try("Q", "a@x", 2000, "deferred", "first");
	assert_int_equal(deliveries_removed(d, &k), 0);
	assert_int_equal(deliveries_begun(d, &other, "Q"), 0);
	assert_int_equal(deliveries_begun(d, &other, ""), 0); /* cleanup's line follows pickup's */
	try("R", "a@x", 3000, "deferred", "second");
	assert_int_equal(deliveries_begun(d, &third, "R"), 0);
	assert_int_equal(deliveries_removed(d, &other), 0);
	try("S", "a@x", 5000, "sent", "third");
	assert_int_equal(deliveries_removed(d, &third), 0);
	try("S", "b@x", 6000, "sent", "another message");
	commit();
	assert_string_equal(of("Q", 1000, ""), "a@x deferred first x1  closed;a@x deferred second x1  closed as R;a@x sent third x1  closed as S;");
	assert_string_equal(of("S", 1000, ""), "b@x sent another message x1  as S;");
}

static void
what_is_given_up(void **state)
{
	struct deliveries_key k = key("Q", 9000), other = key("R", 9000);

	(void)state;
	begin();
	try("Q", "a@x", 2000, "deferred", "busy");
	try("Q", "b@x", 2000, "sent", "ok");
	assert_int_equal(deliveries_expired(d, &k), 0);
	assert_int_equal(deliveries_removed(d, &k), 0);
	try("R", "a@x", 2000, "deferred", "busy");
	assert_int_equal(deliveries_deleted(d, &other), 0);
	commit();
	assert_string_equal(of("Q", 1000, ""), "a@x expired busy x1  closed;b@x sent ok x1  closed;");
	assert_string_equal(of("R", 1000, ""), "a@x deleted busy x1  closed as R;");
}

static void
tls_is_the_connections(void **state)
{
	struct deliveries_key k = key("", 1500);

	(void)state;
	begin();
	assert_int_equal(deliveries_tls(d, &k, "1", "other.example", "TLSv1.2"), 0);
	try("Q", "a@x", 2000, "deferred", "clear");
	assert_int_equal(deliveries_tls(d, &k, "1", "mx.example", "TLSv1.3"), 0);
	assert_int_equal(deliveries_tls(d, &k, "2", "mx.example", "TLSv1.1"), 0);
	try("Q", "b@x", 2000, "sent", "ok");
	commit();
	assert_string_equal(of("Q", 1000, ""), "a@x deferred clear x1 ;b@x sent ok x1 TLSv1.3;");
}

/* All or nothing, and nothing from a place that somebody else has moved. */
static void
place_and_rows_are_one(void **state)
{
	struct deliveries_place to = {.inode = 7, .position = 100, .mark = "6d"}, found;

	(void)state;
	assert_int_equal(deliveries_place(d, "log", &found), 0);
	begin();
	try("Q", "a@x", 2000, "sent", "ok");
	deliveries_abandon(d);
	assert_string_equal(of("Q", 1000, ""), "");
	begin();
	try("Q", "a@x", 2000, "sent", "ok");
	commit();
	assert_int_equal(deliveries_place(d, "log", &found), 1);
	assert_int_equal(found.position, 100);
	assert_int_equal(found.inode, 7);
	assert_string_equal(found.mark, "6d");
	assert_int_equal(deliveries_place(d, "another log", &found), 0);
	begin();
	try("Q", "a@x", 2000, "sent", "twice");
	assert_int_equal(deliveries_commit(d, "log", &(struct deliveries_place){0}, &to), 1);
	assert_string_equal(of("Q", 1000, ""), "a@x sent ok x1 ;");
	begin();
	try("Q", "a@x", 3000, "sent", "after it");
	commit();
	assert_string_equal(of("Q", 1000, ""), "a@x sent after it x2 ;");
}

static void
old_rows_go(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 10; i++)
		try(i < 6 ? "OLD" : "NEW", (char[]){(char)('a' + i), '\0'}, i < 6 ? 1000 + i : 9000, "sent", "ok");
	commit();
	assert_int_equal(deliveries_prune(d, 5000, 4), 4);
	assert_int_equal(deliveries_prune(d, 5000, 4), 2);
	assert_int_equal(deliveries_prune(d, 5000, 4), 0);
	assert_string_equal(of("OLD", 1000, ""), "");
	assert_int_equal(strlen(of("NEW", 1000, "")) > 0, 1);
}

/* ---- reports by mail */

static void
report(const char *digest, const char *audit_id, const char *header_id, const char *recipient, const char *path, int64_t time, int expected)
{
	const struct deliveries_report r = {
		.digest = digest, .audit_id = audit_id, .header_id = header_id, .recipient = recipient, .original = "", .action = "failed",
		.status = "5.0.0", .reporter = "mx", .remote = "", .reply = "550 no", .via = "v[1]", .path = path, .next_hop_of = ",globex,contoso,",
		.file = "f", .time = time,
	};

	assert_int_equal(deliveries_reported(d, &r), expected);
}

static int
tell_report(void *context, const struct store_report *r)
{
	size_t n = strlen(told);

	(void)context;
	snprintf(told + n, sizeof told - n, "%s %s of %s%s%s%s;", r->recipient, r->path, r->message_id, r->has_audit_id ? " by id" : "",
		 r->is_sent ? " sent" : "", r->is_believed ? " believed" : "");
	return 0;
}

/* What was reported of a message, or, with none, from a time on. */
static const char *
reports_of(const char *id, int64_t since, int max)
{
	char error[400] = "";
	const char *why = "";
	struct store_reader *reader = store_reader_open(url, error, sizeof error);

	assert_non_null(reader);
	told[0] = '\0';
	if (store_reader_reports(reader, id, since, INT64_MAX, max, tell_report, NULL, &why) != 0)
		fail_msg("%s", why);
	store_reader_close(&reader);
	return told;
}

static void
end(void)
{
	assert_int_equal(deliveries_end(d), 0);
}

static void
reports_are_joined(void **state)
{
	struct deliveries_key k = key("R", 5000);

	(void)state;
	message("A", "Q", 1000);
	message("B", "W", 1000);
	sql("UPDATE messages SET message_id = '<a>'");
	begin();
	try("Q", "a@X", 2000, "sent", "ok");
	try("Q", "b@x", 2000, "deferred", "busy");
	assert_int_equal(deliveries_begun(d, &k, "Q"), 0);
	try("R", "b@x", 5000, "sent", "ok");
	try("Q", "c@x", 2000, "bounced", "no");
	commit();
	begin();
	report("1", "A", "", "A@x", "exchange", 6000, 1);
	report("1", "A", "", "A@x", "exchange", 6000, 0); /* known */
	report("1", "A", "", "b@x", "next-hop", 6001, 1);
	report("2", "A", "", "a@x", "elsewhere", 6002, 1);
	report("3", "A", "", "a@x", "unknown", 6003, 1);
	report("4", "A", "", "c@x", "exchange", 6004, 1); /* which was not sent */
	report("5", "A", "", "nobody@x", "exchange", 6005, 1);
	report("6", "", "<a>", "a@x", "unknown", 6006, 1);
	report("7", "", "<a>", "a@x", "exchange", 6007, 1);
	report("8", "Z", "", "a@x", "exchange", 6008, 1);
	end();
	assert_string_equal(reports_of("A", 0, 0),
		"A@x exchange of A by id sent believed;b@x next-hop of A by id sent believed;a@x elsewhere of A by id sent;"
		"a@x unknown of A by id sent believed;c@x exchange of A by id;nobody@x exchange of A by id;a@x unknown of A sent;"
		"a@x exchange of A sent believed;");
	assert_string_equal(reports_of("B", 0, 0), "a@x unknown of B;a@x exchange of B;");
	assert_string_equal(reports_of(NULL, 6004, 9), "c@x exchange of A by id;nobody@x exchange of A by id;");
	assert_string_equal(reports_of(NULL, 6000, 1), "A@x exchange of A by id sent believed;");
	/* A next hop of another tenant's, or one that came long before. */
	sql("UPDATE messages SET tenant = 'other'");
	assert_string_equal(reports_of(NULL, 6001, 1), "b@x next-hop of A by id;");
	/* What is old goes; not all at once. */
	assert_int_equal(deliveries_prune(d, 6004, 2), 2);
	assert_int_equal(deliveries_prune(d, 6004, 9), 2);
	assert_string_equal(reports_of(NULL, 0, 9), "c@x exchange of A by id;nobody@x exchange of A by id;");
}

static int
tell_name(void *context, const char *name)
{
	(void)context;
	strcat(strcat(told, name), ";");
	return 0;
}

static void
files_are_known(void **state)
{
	(void)state;
	begin();
	assert_int_equal(deliveries_file(d, "/r", "1", 1000), 1);
	assert_int_equal(deliveries_file(d, "/r", "1", 1000), 0);
	assert_int_equal(deliveries_file(d, "/r", "2", 9000), 1);
	assert_int_equal(deliveries_file(d, "/s", "3", 9000), 1);
	end();
	begin();
	assert_int_equal(deliveries_file(d, "/r", "4", 1000), 1);
	deliveries_abandon(d);
	told[0] = '\0';
	assert_int_equal(deliveries_files(d, "/r", tell_name, NULL), 0);
	assert_string_equal(told, "1;2;");
	assert_int_equal(deliveries_prune(d, 5000, 9), 0);
	told[0] = '\0';
	assert_int_equal(deliveries_files(d, "/r", tell_name, NULL), 0);
	assert_string_equal(told, "2;");
}

static int
tell_followed(void *context, const struct store_followed *f)
{
	size_t n = strlen(told);

	(void)context;
	snprintf(told + n, sizeof told - n, "%s %s %s %s %lld %lld;", f->kind, f->tenants, f->status, f->class, (long long)f->count,
		 (long long)f->behind_ms);
	return 0;
}

static void
sums_only_grow(void **state)
{
	struct deliveries_count c = {.kind = "try", .tenants = ",contoso,", .status = "deferred", .class = "quota", .count = 3};
	struct store_reader *reader;
	char error[400] = "";
	const char *why = "";

	(void)state;
	begin();
	assert_int_equal(deliveries_count(d, &c), 0);
	c.count = 4;
	assert_int_equal(deliveries_count(d, &c), 0);
	c.class = "tenant";
	assert_int_equal(deliveries_count(d, &c), 0);
	end();
	assert_int_equal(deliveries_seen(d, 1000, 7), 0);
	assert_int_equal(deliveries_seen(d, 2000, 5), 0);
	reader = store_reader_open(url, error, sizeof error);
	assert_non_null(reader);
	told[0] = '\0';
	if (store_reader_followed(reader, tell_followed, NULL, &why) != 0)
		fail_msg("%s", why);
	store_reader_close(&reader);
	assert_string_equal(told, "state    2000 5;try ,contoso, deferred quota 7 0;try ,contoso, deferred tenant 4 0;");
}

/* The file as version 1 left it. */
static void
an_older_file_is_brought_up(void **state)
{
	char path[500], error[400] = "";
	const char *why;

	(void)state;
	if (postgres_is_there())
		return;
	begin();
	try("Q", "a@x", 2000, "sent", "ok");
	commit();
	deliveries_close(&d);
	db_close(&db);
	snprintf(path, sizeof path, "%s-deliveries", url);
	db = db_open(path, DB_WRITE, 0, &why, NULL, 0);
	sql("DROP TABLE reported; DROP TABLE report_files; DROP TABLE delivery_counts; DROP TABLE follower_state; DROP TABLE upstream; PRAGMA user_version = 1");
	d = deliveries_open(url, "relay", error, sizeof error);
	if (d == NULL)
		fail_msg("%s", error);
	assert_string_equal(of("Q", 1000, ""), "a@x sent ok x1 ;");
	begin();
	report("1", "A", "", "a@x", "exchange", 6000, 1);
	end();
}

/* ---- what stops mail upstream */

static void
said(const char *sender, const char *keyword, bool every_relay, bool external_only, int64_t time)
{
	const struct deliveries_said s = {
		.tenant = "contoso", .sender = sender, .keyword = keyword, .reply = "550 no", .every_relay = every_relay,
		.external_only = external_only, .time = time, .wait_ms = 10, .settle_ms = 60000, .old_ms = 1000000,
	};

	begin();
	if (deliveries_said(d, &s) != 0)
		fail_msg("%s", deliveries_error(d));
	commit();
}

static void
good(const char *tenant, const char *sender, bool is_external, int64_t time)
{
	begin();
	if (deliveries_good(d, tenant, sender, is_external, time) != 0)
		fail_msg("%s", deliveries_error(d));
	commit();
}

static int
tell_upstream(void *context, const struct store_upstream *u)
{
	size_t n = strlen(told);

	(void)context;
	assert_string_equal(u->tenant, "contoso");
	assert_string_equal(u->reply, "550 no");
	assert_int_equal(u->wait_ms, 10);
	snprintf(told + n, sizeof told - n, "%s %s by %s%s %lld-%lld x%lld good %lld lifted %lld;", u->keyword, u->sender, u->relay,
		 u->external_only ? " external" : "", (long long)u->since, (long long)u->said, (long long)u->times, (long long)u->good,
		 (long long)u->lifted);
	return 0;
}

static const char *
upstream(void)
{
	char error[400] = "";
	const char *why = "";
	struct store_reader *r = store_reader_open(url, error, sizeof error);

	told[0] = '\0';
	if (r == NULL || store_reader_upstream(r, tell_upstream, NULL, &why) != 0)
		fail_msg("%s%s", error, why);
	store_reader_close(&r);
	return told;
}

static void
replies_that_stop_are_kept(void **state)
{
	(void)state;
	assert_string_equal(upstream(), "");
	good("contoso", "a@contoso.com", true, 900); /* there is nothing that it ends */
	assert_string_equal(upstream(), "");
	said("", "tenant-quota", true, true, 1000);
	said("", "tenant-quota", true, true, 3000);
	said("", "tenant-quota", true, true, 2000); /* another relay's line, later */
	assert_string_equal(upstream(), "tenant-quota  by  external 1000-3000 x3 good 0 lifted 0;");
	good("contoso", "a@contoso.com", false, 4000);
	good("globex", "a@contoso.com", true, 4000);
	assert_string_equal(upstream(), "tenant-quota  by  external 1000-3000 x3 good 0 lifted 0;");
	good("contoso", "a@contoso.com", true, 5000);
	good("contoso", "a@contoso.com", true, 4500);
	assert_string_equal(upstream(), "tenant-quota  by  external 1000-3000 x3 good 5000 lifted 0;");
	/* That success was under way already; after the next it begins anew. */
	said("", "tenant-quota", true, true, 6000);
	assert_string_equal(upstream(), "tenant-quota  by  external 1000-6000 x4 good 5000 lifted 0;");
	good("contoso", "", true, 66000);
	said("", "tenant-quota", true, true, 70000);
	assert_string_equal(upstream(), "tenant-quota  by  external 70000-70000 x1 good 66000 lifted 0;");
	said("", "tenant-quota", true, true, 1070001);
	assert_string_equal(upstream(), "tenant-quota  by  external 1070001-1070001 x1 good 66000 lifted 0;");
}

static void
successes_end_what_they_concern(void **state)
{
	(void)state;
	said("@contoso.com", "relay-access-denied", false, true, 1000);
	said("a@contoso.com", "daily-recipients", true, false, 1000);
	good("contoso", "b@contoso.com", false, 2000);
	good("contoso", "a@fabrikam.com", true, 3000);
	good("contoso", "", true, 3000);
	assert_string_equal(upstream(), "relay-access-denied @contoso.com by relay external 1000-1000 x1 good 0 lifted 0;"
					"daily-recipients a@contoso.com by  1000-1000 x1 good 0 lifted 0;");
	good("contoso", "a@contoso.com", false, 4000);
	good("contoso", "b@contoso.com", true, 5000);
	assert_string_equal(upstream(), "relay-access-denied @contoso.com by relay external 1000-1000 x1 good 5000 lifted 0;"
					"daily-recipients a@contoso.com by  1000-1000 x1 good 4000 lifted 0;");
	/* What an admin lifted, after it was said. */
	sql("INSERT INTO acts (id, time, what, limit_name, key, applied_time) VALUES ('1', 1, 'resume', 'contoso', '@contoso.com', 999),"
	    " ('2', 1, 'resume', 'contoso', 'a@contoso.com', 1500), ('3', 1, 'resume', 'contoso', '', 1600), ('4', 1, 'reset', 'contoso', '@contoso.com', 1700)");
	assert_string_equal(upstream(), "relay-access-denied @contoso.com by relay external 1000-1000 x1 good 5000 lifted 0;"
					"daily-recipients a@contoso.com by  1000-1000 x1 good 4000 lifted 1500;");
	/* Old ones go. */
	assert_int_equal(deliveries_prune(d, 1001, 10), 0);
	assert_string_equal(upstream(), "");
}

static int
keep_id(void *context, const struct store_found *f)
{
	size_t n = strlen(told);

	(void)context;
	snprintf(told + n, sizeof told - n, "%s%s ", f->id, f->is_refusal ? "!" : "");
	return 0;
}

static const char *
find(const char *queue_id, const char *address, int64_t since, int max)
{
	const struct store_find what = {.queue_id = queue_id, .address = address, .since = since, .until = 1000000, .max = max};
	char error[400] = "";
	const char *why = "";
	struct store_reader *reader = store_reader_open(url, error, sizeof error);

	assert_non_null(reader);
	told[0] = '\0';
	if (store_reader_find(reader, &what, keep_id, NULL, &why) != 0)
		fail_msg("%s", why);
	store_reader_close(&reader);
	return told;
}

static void
messages_are_found(void **state)
{
	(void)state;
	message("000000001A", "Q", 1000);
	message("000000002B", "Q", 2000);
	message("000000003C", "R", 3000);
	sql("UPDATE messages SET header_from = sender WHERE id <> '000000002B'; UPDATE messages SET header_from = 'from@x' WHERE id = '000000002B';"
	    "INSERT INTO recipients (message_id, number, address) VALUES ('000000001A', 0, 'to@x'), ('000000002B', 0, 'to@x'),"
	    " ('000000002B', 1, 'to@x'), ('000000003C', 0, 'crm@contoso.com');"
	    "INSERT INTO refusals (id, reason, stage, first_time, last_time, count, sender, recipient, queue_id) VALUES"
	    " ('F', 'r', 'rcpt', 500, 2500, 3, 'evil@x', 'to@x', ''), ('G', 'r', 'eom', 1000, 1000, 1, 'evil@x', 'no@x', 'Q'),"
	    " ('000000001A', 'r', 'eom', 1000, 1000, 1, 'crm@contoso.com', 'to@x', 'Q')");
	assert_string_equal(find("Q", NULL, 0, 9), "000000002B G! 000000001A ");
	assert_string_equal(find("Q", NULL, 1500, 9), "000000002B ");
	assert_string_equal(find("Q", NULL, 0, 1), "000000002B ");
	assert_string_equal(find("", NULL, 0, 9), "");
	assert_string_equal(find(NULL, "to@x", 0, 9), "F! 000000002B 000000001A ");
	assert_string_equal(find(NULL, "from@x", 0, 9), "000000002B ");
	assert_string_equal(find(NULL, "crm@contoso.com", 0, 9), "000000003C 000000002B 000000001A ");
	assert_string_equal(find(NULL, "evil@x", 0, 9), "F! G! ");
	assert_string_equal(find(NULL, "nobody@x", 0, 9), "");
}

static void
nobody_ever_wrote_any(void **state)
{
	const struct record r = {.relay = "relay", .queue_id = "Q", .tenant = ""};
	char error[600] = "", path[500];
	const char *why = "";
	struct store_reader *reader;

	(void)state;
	if (postgres_is_there())
		return;
	snprintf(path, sizeof path, "%s-deliveries", url + strlen("sqlite:"));
	deliveries_close(&d);
	assert_int_equal(unlink(path), 0);
	reader = store_reader_open(url, error, sizeof error);
	assert_int_equal(store_reader_deliveries(reader, &r, tell, NULL, &why), STORE_NO_DELIVERIES);
	/* A newer Postern's, and none at all. */
	d = deliveries_open(url, "relay", error, sizeof error);
	assert_non_null(d);
	deliveries_close(&d);
	db_close(&db);
	snprintf(error, sizeof error, "%s-deliveries", url);
	db = db_open(error, DB_WRITE, 0, &why, NULL, 0);
	sql("PRAGMA user_version = 999");
	assert_int_equal(store_reader_deliveries(reader, &r, tell, NULL, &why), -1);
	assert_non_null(strstr(why, "newer"));
	assert_null(deliveries_open(url, "relay", error, sizeof error));
	assert_non_null(strstr(error, "newer"));
	store_reader_close(&reader);
}

static int
tell_answer(void *context, const struct store_answer *a)
{
	size_t n = strlen(told);

	(void)context;
	snprintf(told + n, sizeof told - n, "%s %s %s %s%s x%d;", a->app, a->tenant, a->status, a->reply, a->is_believed ? " believed" : "",
		 (int)a->recipients);
	return 0;
}

static int
tell_seen(void *context, const struct store_seen *s)
{
	size_t n = strlen(told);

	(void)context;
	snprintf(told + n, sizeof told - n, "%s %s %d x%d %d %s;", s->app, s->name, (int)s->range, (int)s->messages, (int)s->first, s->first_id);
	return 0;
}

/* What a summary asks: answers by app, and who sent in which range. */
static void
a_summary_adds_up(void **state)
{
	const struct store_seen_query q = {.by = STORE_BY_SENDER, .oldest = 1000, .since = 9000, .until = 10000, .range_ms = 3000};
	const struct store_seen_query of_clients = {.by = STORE_BY_CLIENT, .oldest = 1000, .since = 9000, .until = 10000, .range_ms = 3000};
	struct store_reader *reader;
	char error[400] = "";
	const char *why = "";

	(void)state;
	message("A", "Q", 2300);
	message("B", "Q", 9700);
	message("D", "R", 8999);
	message("C", "S", 6000);
	message("E", "T", 5999);
	message("F", "U", 10000);
	message("G", "V", 9800);
	sql("UPDATE messages SET verdict = CASE WHEN id = 'G' THEN 'reject' ELSE 'accept' END, client = '10.1.2.3'");
	sql("UPDATE messages SET sender = 'new@contoso.com', app = 'erp' WHERE id = 'B'");
	begin();
	try("Q", "a@x", 3000, "sent", "ok 1");
	try("Q", "b@x", 3000, "sent", "ok 2");
	try("Q", "c@x", 3000, "bounced", "550 5.1.1 no");
	try("R", "c@x", 9500, "deferred", "451 later");
	try("Z", "b@x", 3000, "sent", "ok");
	try("U", "b@x", 11000, "sent", "ok");
	commit();
	reader = store_reader_open(url, error, sizeof error);
	assert_non_null(reader);
	told[0] = '\0';
	assert_int_equal(store_reader_answers(reader, 1000, 10000, tell_answer, NULL, &why), 0);
	assert_string_equal(told, "crm contoso sent  believed x2;  sent  x1;crm contoso bounced 550 5.1.1 no believed x1;"
			    "crm contoso deferred 451 later believed x1;");
	told[0] = '\0';
	assert_int_equal(store_reader_seen(reader, &q, tell_seen, NULL, &why), 0);
	assert_string_equal(told, "crm crm@contoso.com 1 x2 6000 C;crm crm@contoso.com 2 x1 5999 E;crm crm@contoso.com 3 x1 2300 A;"
			    "erp new@contoso.com 0 x1 9700 B;");
	told[0] = '\0';
	assert_int_equal(store_reader_seen(reader, &of_clients, tell_seen, NULL, &why), 0);
	assert_string_equal(told, "crm 10.1.2.3 1 x2 6000 C;crm 10.1.2.3 2 x1 5999 E;crm 10.1.2.3 3 x1 2300 A;erp 10.1.2.3 0 x1 9700 B;");
	store_reader_close(&reader);
}

/* Each part of a statement goes by an index, whatever the size of the audit. */
static void
statements_use_their_indexes(void **state)
{
	static const struct {
		const char *text, *indexes[6];
	} table[] = {
		{trace_by_queue_id, {"messages_queue_id", "refusals_queue_id"}},
		{trace_by_address, {"messages_sender", "messages_header_from", "recipients_address", "refusals_sender", "refusals_recipient"}},
		{trace_deliveries, {"deliveries_queue_id", "deliveries_origin_id"}},
		{summary_answers, {"deliveries_time", "messages_queue_id"}},
		{summary_senders, {"messages_time"}},
		{summary_clients, {"messages_time"}},
		{trace_reports, {"reported_audit_id", "reported_header_id", "deliveries_queue_id", "deliveries_origin_id"}},
		{reports_in_range, {"reported_time", "deliveries_queue_id", "deliveries_origin_id"}},
	};

	(void)state;
	if (postgres_is_there())
		return;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char text[8000], plan[4000] = "", path[500];
		struct db_query *q;
		size_t n = 0;

		if (table[i].text == trace_deliveries) {
			snprintf(path, sizeof path, "ATTACH '%s-deliveries' AS follower", url + strlen("sqlite:"));
			sql(path);
		}
		snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", table[i].text);
		q = db_prepare(db, text);
		if (q == NULL)
			fail_msg("%s", db_error(db));
		while (db_step(q) == DB_ROW)
			n += (size_t)snprintf(plan + n, sizeof plan - n, "%s\n", db_text(q, 3));
		db_finalize(&q);
		for (size_t k = 0; k < 6 && table[i].indexes[k] != NULL; k++)
			if (strstr(plan, table[i].indexes[k]) == NULL)
				fail_msg("no %s in\n%s", table[i].indexes[k], plan);
		for (const char *s = plan; (s = strstr(s, "SCAN ")) != NULL; s++)
			if (strncmp(s, "SCAN a\n", 7) != 0 && strncmp(s, "SCAN r\n", 7) != 0 && strncmp(s, "SCAN (", 6) != 0)
				fail_msg("a table is read as a whole:\n%s", plan);
	}
}

static void
the_view_is_there(void **state)
{
	struct db_query *q;

	(void)state;
	if (!postgres_is_there())
		return; /* see tests/e2e/test_follow.py */
	message("A", "Q", 2300);
	message("B", "Q", 9700);
	begin();
	try("Q", "a@x", 3000, "sent", "ok");
	try("Z", "b@x", 3000, "sent", "ok");
	commit();
	q = db_prepare(db, "SELECT recipient, message_id, app, believed, at FROM mail_deliveries ORDER BY recipient");
	assert_int_equal(db_step(q), DB_ROW);
	assert_string_equal(db_text(q, 1), "A");
	assert_string_equal(db_text(q, 2), "crm");
	assert_int_equal(db_int(q, 3), 1);
	assert_string_equal(db_text(q, 4), "1970-01-01T00:00:03Z");
	assert_int_equal(db_step(q), DB_ROW);
	assert_string_equal(db_text(q, 1), "");
	assert_int_equal(db_int(q, 3), 0);
	db_finalize(&q);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tries_are_counted), TEST(queue_ids_come_again), TEST(requeued_mail_keeps_its_message), TEST(what_is_given_up),
		TEST(reports_are_joined), TEST(files_are_known), TEST(sums_only_grow), TEST(an_older_file_is_brought_up),
		TEST(replies_that_stop_are_kept), TEST(successes_end_what_they_concern),
		TEST(tls_is_the_connections), TEST(place_and_rows_are_one), TEST(old_rows_go), TEST(messages_are_found),
		TEST(nobody_ever_wrote_any), TEST(a_summary_adds_up), TEST(statements_use_their_indexes), TEST(the_view_is_there),
	};
	char command[100];
	int rc;

	if (mkdtemp(folder) == NULL)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) == 0 ? rc : 1;
}
