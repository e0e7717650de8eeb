/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What only a database server can do to us: it refuses, is silent, slow, killed,
 * a standby, busy with others; and what libpq's users expect of a URL.
 *
 * Run by `tests/lib/postgres.py run`. Without a server there is nothing to test.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sql/db.h"
#include "tests/lib/postgres.h"

#define PASSWORD "s3cret"          /* begins that of role postern */
#define SOON 500
#define SLACK 2000                 /* what a busy machine may add */

static char words[512];
static const char *error;

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct db *
open_good(const char *url, enum db_use use)
{
	struct db *d = db_open(url, use, 30000, &error, words, sizeof words);

	if (d == NULL)
		fail_msg("%s: %s (%s)", url, error, words);
	db_deadline(d, 30000);
	return d;
}

static void
good(struct db *d, const char *sql)
{
	if (db_exec(d, sql) != 0)
		fail_msg("%s: %s (%s)", sql, db_error(d), db_words(d));
}

/* Must fail, within the time, with these parts in text and words, and without the password. */
static void
refused(const char *url, enum db_use use, int64_t ms, const char *text, const char *said)
{
	int64_t began = now_ms();
	struct db *d = db_open(url, use, ms, &error, words, sizeof words);

	assert_null(d);
	assert_true(now_ms() - began < ms + SLACK);
	if (strstr(error, text) == NULL || strstr(words, said) == NULL)
		fail_msg("%s: \"%s\" (%s) does not say \"%s\" (%s)", url, error, words, text, said);
	assert_null(strstr(words, PASSWORD));
	assert_null(strstr(words, "LOCATION"));
}

static void
failed(struct db *d, enum db_result r, const char *text, bool is_lost, bool is_retryable)
{
	if (r != DB_FAILED || strstr(db_error(d), text) == NULL || db_is_lost(d) != is_lost ||
	    db_is_retryable(d) != is_retryable)
		fail_msg("result %d, \"%s\" (%s), lost %d, retryable %d; not \"%s\"", (int)r, db_error(d), db_words(d),
			 db_is_lost(d), db_is_retryable(d), text);
}

static pid_t
backend(struct db *d)
{
	pid_t pid = (pid_t)db_number(d, "SELECT pg_backend_pid()");

	assert_true(pid > 1);
	return pid;
}

/* One database for all tests, and an empty one for each. */
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
make(void **state)
{
	*state = url_of_all;
	return 0;
}

static int
drop(void **state)
{
	struct db *d = open_good(*state, DB_WRITE);

	good(d, "DROP TABLE IF EXISTS t");
	db_close(&d);
	return 0;
}

/* A port of loopback that takes connections and says nothing; *fd_r is to be closed. */
static int
silent_port(int *fd_r)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;

	*fd_r = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*fd_r, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(*fd_r, 16), 0);
	assert_int_equal(getsockname(*fd_r, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

/* A port of loopback that nobody listens on. */
static int
closed_port(void)
{
	int fd, port = silent_port(&fd);

	close(fd);
	return port;
}

static char *url_with(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *
url_with(const char *format, ...)
{
	size_t size = 512;
	char *s = malloc(size);
	va_list args;

	assert_non_null(s);
	va_start(args, format);
	assert_true(vsnprintf(s, size, format, args) < (int)size);
	va_end(args);
	return s;
}

static int
server_port(void)
{
	char *url = postgres_url("x", "");
	int port = atoi(strrchr(url, ':') + 1);

	free(url);
	return port;
}

static void
test_wrong_password(void **state)
{
	char *url = url_with("postgresql://postern:s3cretWrong@127.0.0.1:%d/postgres", server_port());

	(void)state;
	refused(url, DB_WRITE, 10000, "refuses the login; look at user, password", "password authentication failed");
	assert_non_null(strstr(words, "28P01"));
	free(url);
	url = url_with("postgresql://postern@127.0.0.1:%d/postgres?passfile=/nowhere", server_port());
	refused(url, DB_WRITE, 10000, "refuses the login", "no password supplied");
	free(url);
	url = url_with("postgresql://stranger:s3cret@127.0.0.1:%d/postgres", server_port());
	refused(url, DB_READ, 10000, "refuses the login", "stranger");
	free(url);
}

static void
test_wrong_urls(void **state)
{
	static const char *const urls[] = {
		"postgresql://u:s3cret@x@h/d", "postgresql://u:s3cret/x@h/d", "postgresql://u:s3cret@h:port/d",
		"postgresql://u:s3cret%zz@h/d", "postgresql://u:s3cret@h/d?nonsense=1", "postgresql://u:s3cret@h/d?sslmode",
		"postgresql://h:1/d?password=s3cret&x", "postgresql://[::1/d", "postgresql://u:s3cret@[::1]x/d",
	};

	(void)state;
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
		refused(urls[i], DB_READ, 2000, "the URL of the database cannot be read", "");
	/* libpq's words help where there is nothing to hide. */
	refused("postgresql://h/d?nonsense=1", DB_READ, 2000, "cannot be read", "nonsense");
}

static void
test_not_there(void **state)
{
	char *url = postgres_url("no_such_database", "");

	(void)state;
	refused(url, DB_WRITE, 10000, "no database of this name", "no_such_database");
	free(url);
	url = url_with("postgresql://u:s3cret@127.0.0.1:%d/d", closed_port());
	refused(url, DB_WRITE, 10000, "cannot be reached", "refused");
	free(url);
	refused("postgresql://u:s3cret@/d?host=/nowhere", DB_WRITE, 10000, "cannot be reached", "/nowhere");
}

static void
test_silent_when_connecting(void **state)
{
	int fd, port = silent_port(&fd);
	char *url = url_with("postgresql://u:s3cret@127.0.0.1:%d/d", port);
	int64_t began;

	(void)state;
	refused(url, DB_WRITE, SOON, "does not answer in time", "no answer from \"127.0.0.1\"");
	free(url);
	/* The URL can shorten it. */
	url = url_with("postgresql://u:s3cret@127.0.0.1:%d/d?connect_timeout=1", port);
	began = now_ms();
	refused(url, DB_WRITE, 20000, "does not answer in time", "");
	assert_true(now_ms() - began < 1000 + SLACK && now_ms() - began >= 990);
	free(url);
	/* It cannot make it longer. */
	url = url_with("postgresql://u:s3cret@127.0.0.1:%d/d?connect_timeout=60", port);
	refused(url, DB_WRITE, SOON, "does not answer in time", "");
	free(url);
	close(fd);
}

/* A silent host takes no more than its share from the others, wherever it stands. */
static void
test_silent_hosts_among_others(void **state)
{
	int fd, port = silent_port(&fd), shut = closed_port(), there = server_port();
	const int orders[][4] = {
		{ port, there, shut, port }, { there, port, port, port }, { shut, port, there, port }, { port, shut, port, there },
	};

	(void)state;
	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		const int *o = orders[i];
		char *url = url_with("postgresql://postern:s3cret%%3Aw%%40rd%%2F%%3F@127.0.0.1:%d,127.0.0.1:%d,localhost:%d,127.0.0.1:%d"
				     "/postgres", o[0], o[1], o[2], o[3]);
		int64_t began = now_ms();
		struct db *d = db_open(url, DB_WRITE, 6000, &error, words, sizeof words);

		if (d == NULL)
			fail_msg("order %zu: %s (%s)", i, error, words);
		assert_true(now_ms() - began < 6000 + SLACK);
		assert_int_equal(db_number(d, "SELECT 1"), 1);
		db_close(&d);
		free(url);
	}
	close(fd);
}

/* The same where libpq has its hosts from the environment. */
static void
test_silent_host_from_environment(void **state)
{
	int fd, port = silent_port(&fd);
	char *ports = url_with("%d,%d", port, server_port());
	struct db *d;

	(void)state;
	setenv("PGHOST", "127.0.0.1,127.0.0.1", 1);
	setenv("PGPORT", ports, 1);
	setenv("PGUSER", "postern", 1);
	setenv("PGPASSWORD", "s3cret:w@rd/?", 1);
	d = db_open("postgresql:///postgres", DB_READ, 6000, &error, words, sizeof words);
	unsetenv("PGHOST");
	unsetenv("PGPORT");
	unsetenv("PGUSER");
	unsetenv("PGPASSWORD");
	if (d == NULL)
		fail_msg("%s (%s)", error, words);
	db_close(&d);
	free(ports);
	close(fd);
}

static void
test_password_file_and_service(void **state)
{
	char name[] = "/tmp/test_db_server.XXXXXX", service[] = "/tmp/test_db_service.XXXXXX";
	FILE *f = fdopen(mkstemp(name), "w");
	char *url = url_with("postgresql://postern@127.0.0.1:%d/postgres?passfile=%s", server_port(), name);
	struct db *d;

	(void)state;
	fprintf(f, "127.0.0.1:*:*:postern:s3cret\\:w@rd/?\n");
	fclose(f);
	d = open_good(url, DB_READ);
	db_close(&d);
	setenv("PGPASSFILE", name, 1);
	f = fdopen(mkstemp(service), "w");
	fprintf(f, "[postern]\nhost=127.0.0.1\nport=%d\nuser=postern\ndbname=postgres\napplication_name=mine\n", server_port());
	fclose(f);
	setenv("PGSERVICEFILE", service, 1);
	d = open_good("postgresql://?service=postern", DB_READ);
	assert_int_equal(db_number(d, "SELECT CAST(current_setting('application_name') = 'mine' AS INTEGER)"), 1);
	db_close(&d);
	unsetenv("PGSERVICEFILE");
	unsetenv("PGPASSFILE");
	unlink(name);
	unlink(service);
	free(url);
}

static void
test_tls(void **state)
{
	char *parameters = url_with("sslmode=verify-full&sslrootcert=%s/root.crt", postgres_folder());
	char *url = postgres_url("postgres", parameters);
	struct db *d = open_good(url, DB_READ);

	(void)state;
	assert_int_equal(db_number(d, "SELECT CAST(ssl AS INTEGER) FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), 1);
	db_close(&d);
	free(url);
	/* Another authority than the one that signed. */
	url = postgres_url("postgres", "sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt");
	refused(url, DB_READ, 10000, "cannot be reached; look at host, port and TLS files", "certificate");
	free(url);
	free(parameters);
}

static void
test_names_and_rights(void **state)
{
	struct db *w = open_good(*state, DB_WRITE), *r = open_good(*state, DB_READ);

	assert_int_equal(db_number(w, "SELECT CAST(current_setting('application_name') = 'posternd' AS INTEGER)"), 1);
	assert_int_equal(db_number(r, "SELECT CAST(current_setting('application_name') = 'postern' AS INTEGER)"), 1);
	good(w, "CREATE TABLE t (k BIGINT)");
	failed(r, db_exec(r, "INSERT INTO t VALUES (1)") == 0 ? DB_DONE : DB_FAILED, "only reads", true, true);
	good(r, "SET search_path = pg_catalog");
	failed(r, db_exec(r, "CREATE TABLE x (k BIGINT)") == 0 ? DB_DONE : DB_FAILED, "only reads", true, true);
	assert_int_equal(db_number(w, "SELECT count(*) FROM pg_authid"), -1);
	failed(w, DB_FAILED, "lacks a right; grant it (see sql/postgres/roles.sql)", false, false);
	assert_non_null(strstr(db_words(w), "pg_authid"));
	db_close(&w);
	db_close(&r);
}

static void
test_other_encoding(void **state)
{
	char *url = postgres_url("latin1", "");

	(void)state;
	postgres_sql("CREATE DATABASE latin1 ENCODING 'LATIN1' TEMPLATE template0 OWNER postern");
	refused(url, DB_WRITE, 10000, "not in UTF-8", "LATIN1");
	refused(url, DB_READ, 10000, "not in UTF-8", "LATIN1");
	postgres_sql("DROP DATABASE latin1");
	free(url);
}

/* What the environment says of the client's encoding does not matter. */
static void
test_client_encoding(void **state)
{
	struct db_query *q;
	struct db *d;
	int i = 0;

	setenv("PGCLIENTENCODING", "LATIN1", 1);
	d = open_good(*state, DB_WRITE);
	unsetenv("PGCLIENTENCODING");
	q = db_prepare(d, "SELECT length(?)");
	db_bind_text(q, &i, "\xe2\x82\xac");
	assert_int_equal(db_step(q), DB_ROW);
	assert_int_equal(db_int(q, 0), 1);
	db_finalize(&q);
	db_close(&d);
}

static void
test_server_that_only_reads(void **state)
{
	struct db *d;

	postgres_sql("ALTER ROLE postern SET default_transaction_read_only = on");
	refused(*state, DB_WRITE, 10000, "only reads; name the primary", "default_transaction_read_only");
	postgres_sql("ALTER ROLE postern RESET default_transaction_read_only");
	d = open_good(*state, DB_WRITE);
	good(d, "SET default_transaction_read_only = on"); /* as a primary that became a standby */
	failed(d, db_exec(d, "CREATE TABLE x (k BIGINT)") == 0 ? DB_DONE : DB_FAILED, "only reads", true, true);
	db_close(&d);
}

/* The server stops answering in the middle of each kind of call. */
static void
test_silent_server(void **state)
{
	char *plain = url_with("%s?sslmode=disable", (char *)*state);

	for (int how = 0; how < 12; how++) {
		struct db *d = open_good(how < 6 ? *state : plain, DB_WRITE);
		struct db_query *q = db_prepare(d, "SELECT 1"), *begin = db_prepare(d, "BEGIN");
		struct db_query *large = db_prepare_large(d, "SELECT * FROM generate_series(1, 5000)");
		pid_t pid = backend(d);
		int64_t began;
		bool has_failed;

		if (how % 6 == 4)
			assert_int_equal(db_step(large), DB_ROW);
		kill(pid, SIGSTOP);
		began = now_ms();
		db_deadline(d, SOON);
		if (how % 6 == 0)
			has_failed = db_run(q) == DB_FAILED;
		else if (how % 6 == 1)
			has_failed = db_exec(d, "SELECT 1") != 0;
		else if (how % 6 == 2)
			has_failed = db_send(begin) == DB_DONE && db_flush(d) == DB_FAILED;
		else if (how % 6 == 3)
			has_failed = db_send(begin) == DB_DONE && db_rollback(d) == DB_FAILED;
		else if (how % 6 == 4)
			has_failed = (db_reset(large), db_run(q)) == DB_FAILED; /* the time is spent in closing */
		else
			has_failed = db_step(large) == DB_FAILED;
		assert_true(has_failed);
		assert_true(now_ms() - began >= SOON - 10 && now_ms() - began < SOON + SLACK);
		failed(d, DB_FAILED, "does not answer in time", true, true);
		/* From then on each call fails at once. */
		assert_int_equal(db_run(q), DB_FAILED);
		assert_int_equal(db_exec(d, "SELECT 1"), -1);
		assert_int_equal(db_send(begin), DB_FAILED);
		assert_int_equal(db_flush(d), DB_FAILED);
		assert_int_equal(db_rollback(d), DB_FAILED);
		assert_int_equal(db_number(d, "SELECT 1"), -1);
		assert_int_equal(db_step(large), DB_FAILED);
		failed(d, DB_FAILED, "does not answer in time", true, true);
		db_finalize(&q);
		db_finalize(&begin);
		db_finalize(&large);
		db_close(&d);
		assert_true(now_ms() - began < SOON + SLACK);
		kill(pid, SIGCONT);
	}
	free(plain);
}

/* It neither answers nor takes what we send, of which there is more than any buffer holds. */
static void
test_silent_server_and_much_to_send(void **state)
{
	struct db *d = open_good(*state, DB_WRITE);
	struct db_query *q = db_prepare(d, "SELECT length(?)");
	size_t len = 16 << 20;
	char *s = malloc(len + 1);
	pid_t pid = backend(d);
	int64_t began;
	int i = 0;

	assert_non_null(s);
	memset(s, 'x', len);
	s[len] = '\0';
	kill(pid, SIGSTOP);
	began = now_ms();
	db_deadline(d, SOON);
	db_bind_text(q, &i, s);
	assert_int_equal(db_send(q), DB_DONE);
	assert_true(now_ms() - began < SOON / 2 + SLACK);
	assert_int_equal(db_flush(d), DB_FAILED);
	failed(d, DB_FAILED, "does not answer in time", true, true);
	db_finalize(&q);
	db_close(&d);
	assert_true(now_ms() - began < SOON + SLACK);
	kill(pid, SIGCONT);
	free(s);
}

/* The deadline is one for all calls, and a new one counts from its call. */
static void
test_deadline_is_for_all_calls(void **state)
{
	struct db *d = open_good(*state, DB_WRITE);
	int64_t began = now_ms();
	int n = 0;

	db_deadline(d, 1000);
	while (db_exec(d, "SELECT pg_sleep(0.1)") == 0)
		n++;
	assert_true(n >= 1 && n <= 9);
	assert_true(now_ms() - began < 1000 + SLACK);
	failed(d, DB_FAILED, "does not answer in time", true, true);
	db_close(&d);
	d = open_good(*state, DB_WRITE);
	for (n = 0; n < 4; n++) {
		db_deadline(d, 1600);
		good(d, "SELECT pg_sleep(0.5)");
	}
	db_deadline(d, 100);
	db_deadline(d, -1);
	good(d, "SELECT pg_sleep(0.2)");
	db_close(&d);
}

/* The whole server, from the time that a connection is asked for. */
static void
test_paused_server(void **state)
{
	postgres_control("pause");
	refused(*state, DB_WRITE, SOON, "does not answer in time", "");
	postgres_control("resume");
	db_close(&(struct db *){ open_good(*state, DB_WRITE) });
}

static void
test_ended_connection(void **state)
{
	struct db *own = open_good(*state, DB_WRITE);
	char sql[64];

	failed(own, db_exec(own, "SELECT pg_terminate_backend(pg_backend_pid())") == 0 ? DB_DONE : DB_FAILED, "ended the connection",
	       true, true);
	assert_non_null(strstr(db_words(own), "administrator"));
	db_close(&own);
	for (int is_idle = 0; is_idle < 2; is_idle++) {
		struct db *d = open_good(*state, DB_WRITE);
		struct db_query *q = db_prepare(d, "SELECT pg_sleep(1)");

		snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", backend(d));
		if (is_idle == 0) {
			good(d, "BEGIN");
			db_send(q);
		}
		postgres_sql(sql);
		usleep(200000);
		assert_int_equal(db_run(q), DB_FAILED);
		assert_true(db_is_lost(d) && db_is_retryable(d));
		assert_true(strstr(db_error(d), "ended the connection") || strstr(db_error(d), "was lost"));
		assert_int_equal(db_rollback(d), DB_FAILED);
		db_finalize(&q);
		db_close(&d);
	}
}

/* Killed between statements of a transaction: nothing of it stays, and it works again. */
static void
test_killed_server(void **state)
{
	struct db *d = open_good(*state, DB_WRITE);
	struct db_query *q = db_prepare(d, "INSERT INTO t VALUES (?)"), *commit = db_prepare(d, "COMMIT");
	int i = 0;

	good(d, "CREATE TABLE t (k BIGINT PRIMARY KEY)");
	db_bind_int(q, &i, 1);
	assert_int_equal(db_run(q), DB_DONE);
	good(d, "BEGIN");
	i = 0;
	db_bind_int(q, &i, 2);
	assert_int_equal(db_run(q), DB_DONE);
	postgres_control("kill");
	failed(d, db_run(commit), "connection to the database server was lost", true, true);
	refused(*state, DB_WRITE, 5000, "cannot be reached", "");
	db_finalize(&q);
	db_finalize(&commit);
	db_close(&d);
	postgres_control("start");
	d = open_good(*state, DB_WRITE);
	assert_int_equal(db_number(d, "SELECT sum(k) FROM t"), 1);
	db_close(&d);
}

static int
standby_port(void)
{
	char *name = url_with("%s/standby/port", postgres_folder());
	FILE *f = fopen(name, "r");
	int port = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &port), 1);
	fclose(f);
	free(name);
	return port;
}

/* A writer finds the primary among several wherever it stands, also after another became it. */
static void
test_standby(void **state)
{
	int first = server_port(), second;
	char *alone, *either, *reader;
	struct db *d = open_good(*state, DB_WRITE), *r;

	good(d, "CREATE TABLE t (k BIGINT); INSERT INTO t VALUES (1)");
	postgres_control("standby");
	second = standby_port();
	alone = url_with("postgresql://postern:s3cret%%3Aw%%40rd%%2F%%3F@127.0.0.1:%d%s", second, strrchr(*state, '/'));
	reader = url_with("%s?target_session_attrs=prefer-standby", alone);
	either = url_with("postgresql://postern:s3cret%%3Aw%%40rd%%2F%%3F@127.0.0.1:%d,127.0.0.1:%d%s?target_session_attrs=read-write",
			  second, first, strrchr(*state, '/'));
	refused(alone, DB_WRITE, 10000, "only reads; name the primary, or all servers with target_session_attrs=read-write",
		"in_hot_standby");
	db_close(&d);
	d = open_good(either, DB_WRITE);
	good(d, "INSERT INTO t VALUES (2)");
	db_close(&d);
	r = open_good(reader, DB_READ);
	for (int i = 0; i < 100 && db_number(r, "SELECT count(*) FROM t") != 2; i++)
		usleep(50000);
	assert_int_equal(db_number(r, "SELECT count(*) FROM t"), 2);
	db_close(&r);
	d = open_good(either, DB_WRITE);
	postgres_control("kill");
	failed(d, db_exec(d, "INSERT INTO t VALUES (3)") == 0 ? DB_DONE : DB_FAILED, "connection to the database server was lost", true, true);
	refused(either, DB_WRITE, 5000, "cannot be reached", "read-only");
	db_close(&d);
	postgres_control("promote");
	d = open_good(either, DB_WRITE);
	good(d, "INSERT INTO t VALUES (4)");
	assert_int_equal(db_number(d, "SELECT sum(k) FROM t"), 7);
	db_close(&d);
	postgres_control("start");
	free(alone);
	free(either);
	free(reader);
}

/* Runs SQL on a second connection at the same time. */
struct rival {
	pthread_t thread;
	struct db *d;
	const char *sql;
	int result;
};

static void *
rival_main(void *arg)
{
	struct rival *r = arg;

	r->result = db_exec(r->d, r->sql);
	return NULL;
}

static void
test_transactions_in_the_way(void **state)
{
	struct db *d = open_good(*state, DB_WRITE);
	struct rival r = { .d = open_good(*state, DB_WRITE), .sql = "UPDATE t SET n = 1 WHERE k = 1" };
	int own;

	good(d, "CREATE TABLE t (k BIGINT PRIMARY KEY, n BIGINT); INSERT INTO t VALUES (1, 0), (2, 0)");
	/* Each has what the other wants. */
	good(d, "BEGIN; UPDATE t SET n = 1 WHERE k = 1");
	good(r.d, "BEGIN; UPDATE t SET n = 1 WHERE k = 2");
	assert_int_equal(pthread_create(&r.thread, NULL, rival_main, &r), 0);
	usleep(200000);
	own = db_exec(d, "UPDATE t SET n = 1 WHERE k = 2");
	pthread_join(r.thread, NULL);
	assert_true((own == 0) != (r.result == 0));
	failed(own == 0 ? r.d : d, DB_FAILED, "another transaction was in the way", false, true);
	db_rollback(d);
	db_rollback(r.d);
	/* What was read has changed since. */
	good(d, "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT * FROM t");
	good(r.d, "UPDATE t SET n = 7");
	failed(d, db_exec(d, "UPDATE t SET n = n + 1") == 0 ? DB_DONE : DB_FAILED, "another transaction was in the way", false, true);
	assert_int_equal(db_rollback(d), DB_DONE);
	/* A lock that does not come. */
	good(r.d, "BEGIN; UPDATE t SET n = 8");
	good(d, "SET lock_timeout = 200");
	failed(d, db_exec(d, "UPDATE t SET n = 9") == 0 ? DB_DONE : DB_FAILED, "a lock of another transaction", false, true);
	db_close(&d);
	db_close(&r.d);
}

/* What we gave up at the deadline does not stand in the way of others for long: the server ends it. */
static void
test_given_up_statement_ends(void **state)
{
	struct db *d = open_good(*state, DB_WRITE), *other = open_good(*state, DB_WRITE);

	good(d, "CREATE TABLE t (k BIGINT); INSERT INTO t VALUES (1)");
	good(d, "BEGIN; UPDATE t SET k = 2");
	db_deadline(d, 300);
	failed(d, db_exec(d, "SELECT pg_sleep(60)") == 0 ? DB_DONE : DB_FAILED, "does not answer in time", true, true);
	db_deadline(other, 8000);
	good(other, "UPDATE t SET k = 3");
	db_close(&d);
	db_close(&other);
}

/* The server ends a transaction that we leave open without a word, as a relay that stands still does. */
static void
test_idle_transaction_ends(void **state)
{
	struct db *d = open_good(*state, DB_WRITE);

	assert_int_equal(db_number(d, "SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'"), 10000);
	good(d, "SET idle_in_transaction_session_timeout = 200");
	good(d, "BEGIN");
	usleep(600000);
	failed(d, db_exec(d, "SELECT 1") == 0 ? DB_DONE : DB_FAILED, "a transaction stood still", true, true);
	db_close(&d);
	/* The admin's own setting stays. */
	postgres_sql("ALTER ROLE postern SET idle_in_transaction_session_timeout = 70000");
	d = open_good(*state, DB_WRITE);
	assert_int_equal(db_number(d, "SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'"), 70000);
	db_close(&d);
	postgres_sql("ALTER ROLE postern RESET idle_in_transaction_session_timeout");
}

/* Whatever the server's default: a counter that was locked is read as it was when the lock came. */
static void
test_isolation(void **state)
{
	struct db *d;

	postgres_sql("ALTER ROLE postern SET default_transaction_isolation = 'repeatable read'");
	d = open_good(*state, DB_WRITE);
	assert_int_equal(db_number(d, "SELECT CAST(current_setting('transaction_isolation') = 'read committed' AS INTEGER)"), 1);
	db_close(&d);
	postgres_sql("ALTER ROLE postern RESET default_transaction_isolation");
}

/* Nothing is waited for until somebody wants to know. */
static void
test_one_round_trip(void **state)
{
	struct db *d = open_good(*state, DB_WRITE);
	struct db_query *begin = db_prepare(d, "BEGIN"), *in = db_prepare(d, "INSERT INTO t VALUES (?)");
	struct db_query *commit = db_prepare(d, "COMMIT"), *a = db_prepare(d, "SELECT 1");
	struct db_query *b = db_prepare(d, "SELECT count(*) FROM t");
	pid_t pid;

	good(d, "CREATE TABLE t (k BIGINT)");
	pid = backend(d);
	kill(pid, SIGSTOP);
	for (int k = 0; k < 100; k++) {
		int i = 0;

		assert_int_equal(db_send(k == 0 ? begin : in), DB_DONE);
		db_bind_int(in, &i, k);
	}
	kill(pid, SIGCONT);
	assert_int_equal(db_run(commit), DB_DONE);
	assert_int_equal(db_number(d, "SELECT count(*) FROM t"), 99);
	/* What was asked together is there with the first step, whatever is sent since. */
	assert_int_equal(db_ask(a), DB_DONE);
	assert_int_equal(db_ask(b), DB_DONE);
	assert_int_equal(db_step(a), DB_ROW);
	kill(pid, SIGSTOP);
	assert_int_equal(db_send(in), DB_DONE);
	db_deadline(d, SOON);
	assert_int_equal(db_step(b), DB_ROW);
	assert_int_equal(db_int(b, 0), 99);
	assert_int_equal(db_step(b), DB_DONE);
	kill(pid, SIGCONT);
	db_finalize(&a);
	db_finalize(&b);
	db_finalize(&begin);
	db_finalize(&in);
	db_finalize(&commit);
	db_close(&d);
}

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

/* What was freed shall be free. */
const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=4";
}
#endif

/* Memory stays small however many rows a large query has. */
static void
test_large_is_not_held(void **state)
{
	struct db *d = open_good(*state, DB_READ);
	struct db_query *q = db_prepare_large(d, "SELECT repeat('x', 1000) FROM generate_series(1, 200000)");
	long before = 0, after = 0, n = 0, ignored;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_int_equal(fscanf(f, "%ld %ld", &ignored, &before), 2);
	fclose(f);
	while (db_step(q) == DB_ROW)
		n++;
	f = fopen("/proc/self/statm", "r");
	assert_int_equal(fscanf(f, "%ld %ld", &ignored, &after), 2);
	fclose(f);
	assert_int_equal(n, 200000);
	if ((after - before) * sysconf(_SC_PAGESIZE) > (long)40 << 20) /* of 200 MB */
		fail_msg("%ld pages more than before", after - before);
	db_finalize(&q);
	db_close(&d);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_wrong_password), TEST(test_wrong_urls), TEST(test_not_there), TEST(test_silent_when_connecting),
		TEST(test_silent_hosts_among_others), TEST(test_silent_host_from_environment),
		TEST(test_password_file_and_service), TEST(test_tls), TEST(test_names_and_rights), TEST(test_other_encoding),
		TEST(test_client_encoding), TEST(test_server_that_only_reads), TEST(test_silent_server),
		TEST(test_silent_server_and_much_to_send), TEST(test_deadline_is_for_all_calls), TEST(test_ended_connection),
		TEST(test_transactions_in_the_way), TEST(test_given_up_statement_ends), TEST(test_idle_transaction_ends),
		TEST(test_isolation), TEST(test_one_round_trip), TEST(test_large_is_not_held), TEST(test_paused_server), TEST(test_killed_server),
		TEST(test_standby),
	};

	if (!postgres_is_there())
		return 77;
	return cmocka_run_group_tests(tests, make_all, drop_all) != 0;
}
