/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Admits a second and how long one takes, by so many sessions at once, each of
 * which waits for its admit as an SMTP session does. For comparison the same rows
 * written by sessions that have a connection each: in SQLite one transaction a
 * message, in PostgreSQL one round trip a message, none of which weighs as exactly
 * as the store does. One line of JSON. See tests/bench/store.py.
 *
 * usage: store store|peer URL SESSIONS SECONDS
 */
#include <libpq-fe.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "sql/store.h"

#define SESSIONS_MAX 256
#define SAMPLES_MAX 200000
#define CHARGES 4

struct session {
	pthread_t thread;
	int number;
	size_t n;
	uint32_t *us;             /* of each admit */
	uint64_t failed;
};

static struct session sessions[SESSIONS_MAX];
static const char *url;
static struct store *store;
static atomic_bool stop;
static atomic_llong serial;

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
make_id(char id[40])
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	snprintf(id, 40, "%010llX%016llX", (unsigned long long)t.tv_sec * 1000 + (unsigned long long)t.tv_nsec / 1000000,
		 (unsigned long long)atomic_fetch_add(&serial, 1) << 24 | (unsigned long long)(t.tv_nsec & 0xffffff));
}

static const char *const limit_scopes[CHARGES] = {"app:crm", "app:crm", "tenant:contoso", "app:crm"};
static const enum unit limit_units[CHARGES] = {
	UNIT_MESSAGES, UNIT_EXTERNAL_RECIPIENTS, UNIT_EXTERNAL_RECIPIENTS, UNIT_MESSAGES,
};
static const uint32_t limit_periods[CHARGES] = {60, 3600, 86400, 86400};

static bool
admit_by_store(const struct session *s, void *unused)
{
	struct record_recipient to[] = {
		{.address = "bob@example.net", .domain = "example.net", .place = "external", .accepted = true, .reason = ""},
		{.address = "eva@contoso.com", .domain = "contoso.com", .place = "internal", .accepted = true, .reason = ""},
	};
	struct record_signature sig = {"contoso.com", "postern1", "rsa-sha256", "signed"};
	char id[40], key[40];
	struct record r = {
		.id = id, .relay = "relay", .queue_id = "4bXyZ12345z", .stage = "eom", .verdict = "accept", .reason = "",
		.code = 250, .enhanced = "2.0.0", .text = "", .would = "accept", .would_reason = "", .would_text = "",
		.mode = "enforce", .app = "crm", .tenant = "contoso", .method = "connector", .department = "Sales",
		.client = "10.1.2.3", .client_name = "crm.contoso.com", .helo = "crm.contoso.com", .login = "", .tls = "TLSv1.3",
		.certificate = "", .certificate_issuer = "", .sender = "crm@contoso.com", .sender_domain = "contoso.com",
		.header_from = "crm@contoso.com", .header_from_domain = "contoso.com", .header_sender = "",
		.subject = "Your order has been shipped", .message_id = "<1@crm.contoso.com>", .form = "", .size = 2048,
		.recipients = 2, .internal = 1, .external = 1, .signing = "signed", .policy = "0123456789abcdef",
		.trace = "mail app-identified yes crm", .decide_us = 300, .rcpt = to, .n_rcpt = 2, .signature = &sig,
		.n_signature = 1,
	};
	struct charge c[CHARGES];
	struct admit a = {.record = &r, .charges = c, .n_charges = CHARGES};
	const char *error;

	(void)unused;
	make_id(id);
	r.time = now_us() / 1000 + 1700000000000;
	snprintf(key, sizeof key, "sender=crm%d@contoso.com", s->number);
	for (int i = 0; i < CHARGES; i++)
		c[i] = (struct charge){
			.scope = limit_scopes[i], .unit = limit_units[i], .period = limit_periods[i],
			.key = i == CHARGES - 1 ? key : "", .name = "crm/limit", .count = 1000000000, .amount = 1,
			.over = OVER_DEFER, .enforced = true,
		};
	return store_admit(store, &a, &error) == 0 && a.charged;
}

#define COLUMNS "INSERT INTO messages (id,time,relay,queue_id,stage,verdict,reason,code,enhanced,text,would,would_reason," \
	"would_text,mode,app,tenant,method,department,client,client_name,helo,login,tls,certificate,certificate_issuer," \
	"picked_up,sender,sender_domain,header_from,header_from_domain,header_sender,subject,message_id,form,size,recipients," \
	"internal,external,local,signing,stripped,policy,trace,decide_us)"
#define VALUES ",'relay','4bXyZ12345z','eom','accept','',250,'2.0.0','','accept','','','enforce','crm','contoso','connector'," \
	"'Sales','10.1.2.3','crm.contoso.com','crm.contoso.com','','TLSv1.3','','',0,'crm@contoso.com','contoso.com'," \
	"'crm@contoso.com','contoso.com','','Your order has been shipped','<1@crm.contoso.com>','',2048,2,1,1,0,'signed',0," \
	"'0123456789abcdef','mail app-identified yes crm',300"

/* SQLite, one transaction a message. */

static const char *const peer_sql[] = {
	"BEGIN IMMEDIATE",
	"SELECT coalesce(sum(used), 0) FROM limit_use WHERE limit_id = ?1",
	COLUMNS " VALUES (?1,?2" VALUES ")",
	"INSERT INTO recipients VALUES (?1,0,'bob@example.net','example.net','external',1,''),"
	"(?1,1,'eva@contoso.com','contoso.com','internal',1,'')",
	"INSERT INTO signatures VALUES (?1,0,'contoso.com','postern1','rsa-sha256','signed')",
	"INSERT INTO charges VALUES (?1,?2,'crm/limit','',1,?3,1000000000,2,0,1)",
	"INSERT INTO limit_use VALUES (?1,?2,1) ON CONFLICT (limit_id, slot) DO UPDATE SET used = used + 1",
	"COMMIT",
};
enum { P_BEGIN, P_WEIGH, P_MESSAGE, P_RECIPIENTS, P_SIGNATURE, P_CHARGE, P_USE, P_COMMIT, P_COUNT };

struct sqlite_peer {
	sqlite3 *db;
	sqlite3_stmt *st[P_COUNT];
};

static void *
open_sqlite(void)
{
	struct sqlite_peer *p = calloc(1, sizeof *p);

	if (p == NULL || sqlite3_open(url + strlen("sqlite:"), &p->db) != SQLITE_OK)
		exit(1);
	sqlite3_busy_timeout(p->db, 60000);
	if (sqlite3_exec(p->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", NULL, NULL, NULL) != SQLITE_OK)
		exit(1);
	for (int i = 0; i < P_COUNT; i++)
		if (sqlite3_prepare_v2(p->db, peer_sql[i], -1, &p->st[i], NULL) != SQLITE_OK) {
			fprintf(stderr, "%s: %s\n", peer_sql[i], sqlite3_errmsg(p->db));
			exit(1);
		}
	return p;
}

static void
close_sqlite(void *context)
{
	struct sqlite_peer *p = context;

	for (int i = 0; i < P_COUNT; i++)
		sqlite3_finalize(p->st[i]);
	sqlite3_close(p->db);
	free(p);
}

static int64_t
run(struct sqlite_peer *p, int i, const char *id, int64_t a, int64_t b)
{
	sqlite3_stmt *st = p->st[i];
	int n = 0, rc;
	int64_t value = 0;

	if (id != NULL)
		sqlite3_bind_text(st, ++n, id, -1, SQLITE_STATIC);
	if (sqlite3_bind_parameter_count(st) > n)
		sqlite3_bind_int64(st, ++n, a);
	if (sqlite3_bind_parameter_count(st) > n)
		sqlite3_bind_int64(st, ++n, b);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		value = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? value : -1;
}

static bool
admit_by_sqlite(const struct session *s, void *context)
{
	struct sqlite_peer *p = context;
	int64_t ms = now_us() / 1000 + 1700000000000, used;
	bool good;
	char id[40];

	make_id(id);
	good = run(p, P_BEGIN, NULL, 0, 0) >= 0 && run(p, P_MESSAGE, id, ms, 0) >= 0 &&
	       run(p, P_RECIPIENTS, id, 0, 0) >= 0 && run(p, P_SIGNATURE, id, 0, 0) >= 0;
	for (int i = 0; good && i < CHARGES; i++) {
		int64_t limit = i == CHARGES - 1 ? 100 + s->number : i + 1;

		used = run(p, P_WEIGH, NULL, limit, 0);
		good = used >= 0 && run(p, P_CHARGE, id, i, used) >= 0 &&
		       run(p, P_USE, NULL, limit, ms * 60 / (limit_periods[i] * 1000)) >= 0;
	}
	return good && run(p, P_COMMIT, NULL, 0, 0) >= 0;
}

/* PostgreSQL, one round trip a message. */

static const char postgres_sql[] =
	"WITH m AS (" COLUMNS " VALUES ($1,$2" VALUES ")),"
	" r AS (INSERT INTO recipients VALUES ($1,0,'bob@example.net','example.net','external',1,''),"
	"($1,1,'eva@contoso.com','contoso.com','internal',1,'')),"
	" s AS (INSERT INTO signatures VALUES ($1,0,'contoso.com','postern1','rsa-sha256','signed')),"
	" u AS (INSERT INTO limit_use SELECT l, $2 * 60 / (p * 1000), 1"
	" FROM (VALUES (CAST(1 AS BIGINT), 60), (2, 3600), (3, 86400), ($3, 86400)) AS v (l, p)"
	" ON CONFLICT (limit_id, slot) DO UPDATE SET used = limit_use.used + 1 RETURNING limit_id)"
	" INSERT INTO charges SELECT $1, row_number() OVER (), 'crm/limit', '', 1, (SELECT coalesce(sum(used), 0) FROM limit_use"
	" WHERE limit_use.limit_id = u.limit_id), 1000000000, 2, 0, 1 FROM u";

static void *
open_postgres(void)
{
	PGconn *c = PQconnectdb(url);
	PGresult *r;

	if (PQstatus(c) != CONNECTION_OK) {
		fprintf(stderr, "%s", PQerrorMessage(c));
		exit(1);
	}
	r = PQprepare(c, "p", postgres_sql, 0, NULL);
	if (PQresultStatus(r) != PGRES_COMMAND_OK) {
		fprintf(stderr, "%s", PQerrorMessage(c));
		exit(1);
	}
	PQclear(r);
	return c;
}

static void
close_postgres(void *context)
{
	PQfinish(context);
}

static bool
admit_by_postgres(const struct session *s, void *context)
{
	char id[40], ms[24], limit[24];
	const char *const values[] = {id, ms, limit};
	PGresult *r;
	bool good;

	make_id(id);
	snprintf(ms, sizeof ms, "%lld", (long long)(now_us() / 1000 + 1700000000000));
	snprintf(limit, sizeof limit, "%d", 100 + s->number);
	r = PQexecPrepared(context, "p", 3, values, NULL, NULL, 0);
	good = PQresultStatus(r) == PGRES_COMMAND_OK;
	PQclear(r);
	return good;
}

static bool (*admit)(const struct session *s, void *context) = admit_by_store;
static void *(*open_peer)(void);
static void (*close_peer)(void *peer);

static void *
serve(void *arg)
{
	struct session *s = arg;
	void *peer = open_peer == NULL ? NULL : open_peer();

	while (!atomic_load(&stop)) {
		int64_t began = now_us();

		if (!admit(s, peer)) {
			s->failed++;
			continue;
		}
		if (s->n < SAMPLES_MAX)
			s->us[s->n] = (uint32_t)(now_us() - began);
		s->n++;
	}
	if (peer != NULL)
		close_peer(peer);
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
tell(int n, double seconds)
{
	size_t admits = 0, samples = 0;
	uint64_t failed = 0;
	uint32_t *all;

	for (int i = 0; i < n; i++) {
		admits += sessions[i].n;
		samples += sessions[i].n < SAMPLES_MAX ? sessions[i].n : SAMPLES_MAX;
		failed += sessions[i].failed;
	}
	all = calloc(samples + 1, sizeof *all);
	if (all == NULL)
		exit(1);
	samples = 0;
	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < sessions[i].n && k < SAMPLES_MAX; k++)
			all[samples++] = sessions[i].us[k];
	qsort(all, samples, sizeof *all, compare);
	printf("{\"admits\": %zu, \"failed\": %llu, \"per_second\": %.0f, \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u}\n",
	       admits, (unsigned long long)failed, (double)admits / seconds, all[samples / 2], all[samples * 99 / 100],
	       all[samples > 0 ? samples - 1 : 0]);
	free(all);
}

static void
open_store(void)
{
	struct store_options o = {.url = url, .durability = STORE_DURABILITY_POWER, .relay = "relay", .clock = clock_system()};
	char error[400];

	store = store_open(&o, error, sizeof error);
	if (store != NULL)
		return;
	fprintf(stderr, "%s\n", error);
	exit(1);
}

int
main(int argc, char **argv)
{
	int n = argc == 5 ? atoi(argv[3]) : 0, seconds = argc == 5 ? atoi(argv[4]) : 0;
	int64_t began;

	if (n < 1 || n > SESSIONS_MAX || seconds < 1) {
		fputs("usage: store store|peer URL SESSIONS SECONDS\n", stderr);
		return 2;
	}
	url = argv[2];
	/* The peer gets its tables from the store. */
	open_store();
	if (strcmp(argv[1], "peer") == 0) {
		bool is_sqlite = strncmp(url, "sqlite:", 7) == 0;

		store_close(&store);
		admit = is_sqlite ? admit_by_sqlite : admit_by_postgres;
		open_peer = is_sqlite ? open_sqlite : open_postgres;
		close_peer = is_sqlite ? close_sqlite : close_postgres;
	}
	for (int i = 0; i < n; i++)
		if ((sessions[i].us = calloc(SAMPLES_MAX, sizeof *sessions[i].us)) == NULL)
			return 1;
	began = now_us();
	for (int i = 0; i < n; i++) {
		sessions[i].number = i;
		if (pthread_create(&sessions[i].thread, NULL, serve, &sessions[i]) != 0)
			return 1;
	}
	nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);
	atomic_store(&stop, true);
	for (int i = 0; i < n; i++)
		pthread_join(sessions[i].thread, NULL);
	tell(n, (double)(now_us() - began) / 1e6);
	if (store != NULL)
		store_close(&store);
	return 0;
}
