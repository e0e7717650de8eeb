/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The PostgreSQL driver of db.h: the only file that includes libpq-fe.h.
 *
 * The connection is always non-blocking and in pipeline mode. What is sent joins
 * a list of what the server still has to answer; a sync ends the batch, and
 * settle() reads all answers up to it. Within a batch the server skips all behind
 * the first failure. Nothing here waits but wait_for(), which knows the deadline.
 *
 * A statement is prepared in the batch that first runs it and stays so, whoever
 * prepares the same text again.
 */
#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/text.h"
#include "sql/db-private.h"
#include "sql/db-postgres.h"

#define FETCH_ROWS "512"
#define N_FETCH_ROWS 512
#define NO_DEADLINE INT64_MAX

/* Types by their fixed numbers (pg_type.dat). */
enum { TYPE_ANY = 0, TYPE_BOOL = 16, TYPE_INT8 = 20, TYPE_TEXT = 25 };

enum state { STATE_UNKNOWN, STATE_SENT, STATE_PREPARED };

struct statement {
	struct statement *next;
	char *sql;                /* as db_prepare() got it */
	char *text;               /* as the server gets it */
	int n_params;
	bool is_commit;
	char name[16];
	enum state state;
};

struct query {
	struct db_query query;
	struct statement *statement;
	bool is_large;
	const char **values;
	char (*digits)[24];
	char **repaired;          /* text that was not UTF-8 */
	Oid *types;
	PGresult *rows;           /* those at hand, NULL for none */
	enum { RESTING, ASKED, ANSWERED, STEPPING } phase;
	int row;
	char cursor[16];          /* "" for none open */
	bool is_in_own;           /* the cursor lives in a transaction of ours */
};

enum kind { PREPARE, EXECUTE, SYNC };

/* One thing the server has to answer. */
struct pending {
	enum kind kind;
	struct statement *statement; /* NULL: text that is not kept */
	struct query *query;         /* gets the rows, NULL for none */
};

/* The first failure of a batch, which is the cause of all others. */
struct failure {
	bool is_new;              /* not told yet */
	const struct query *query; /* whose it is, NULL: of something that was sent */
	char state[POSTGRES_STATE_SIZE];
	char words[512];
};

struct postgres {
	struct db db;
	PGconn *conn;             /* NULL: lost */
	int64_t deadline;
	struct failure failure;
	struct statement *statements;
	unsigned n_names;
	struct pending *pending;
	size_t n_pending;
	size_t room;
	PGTransactionStatusType transaction; /* after the last batch */
	int64_t changes;
	unsigned n_own_cursors;
};

static struct postgres *
own(struct db *d)
{
	return (struct postgres *)d;
}

static struct query *
own_query(struct db_query *q)
{
	return (struct query *)q;
}

static const struct postgres *
own_const(const struct db *d)
{
	return (const struct postgres *)d;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t
deadline_in(int64_t ms)
{
	int64_t now = now_ms();

	return ms < 0 || ms > NO_DEADLINE - now ? NO_DEADLINE : now + ms;
}

static void
note_failure(struct postgres *d, const struct query *q, const char *state, const char *words)
{
	struct failure *f = &d->failure;

	if (f->is_new)
		return;
	f->is_new = true;
	f->query = q;
	snprintf(f->state, sizeof f->state, "%s", state);
	postgres_line(words, f->words, sizeof f->words);
}

/* Ends the connection without a word to a server that may not listen. */
static void
drop(struct postgres *d)
{
	if (d->conn == NULL)
		return;
	if (PQsocket(d->conn) >= 0)
		shutdown(PQsocket(d->conn), SHUT_RDWR);
	PQfinish(d->conn);
	d->conn = NULL;
	d->n_pending = 0;
	d->transaction = PQTRANS_IDLE;
}

static void
lose(struct postgres *d, const char *state, const char *words)
{
	note_failure(d, NULL, state, words);
	drop(d);
}

/* Whether a failure is to be told, and then it is. */
static bool
tell(struct postgres *d)
{
	bool is_new = d->failure.is_new;

	d->failure.is_new = false;
	return is_new || d->conn == NULL;
}

/* Waits for the socket until then: 1, 0 past that time, -1. */
static int
wait_for(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int64_t left = deadline - now_ms();
		int n = poll(&p, 1, deadline == NO_DEADLINE ? -1 : left < 0 ? 0 : left > 60000 ? 60000 : (int)left);

		if (n != 0 && !(n < 0 && errno == EINTR))
			return n;
		if (n == 0 && left <= 60000)
			return 0;
	}
}

/* Sends and receives until the next answer is there; false when the connection is gone. */
static bool
await(struct postgres *d)
{
	for (;;) {
		int unsent = PQflush(d->conn); /* that it cannot send shows when it receives */
		int n;

		if (!PQisBusy(d->conn))
			return true;
		n = wait_for(PQsocket(d->conn), unsent > 0 ? POLLIN | POLLOUT : POLLIN, d->deadline);
		if (n <= 0) {
			lose(d, n == 0 ? POSTGRES_LATE : POSTGRES_LOST, "");
			return false;
		}
		/* Its failure is a lost connection, but the server's last words may have come. */
		if (PQconsumeInput(d->conn) == 0 && PQisBusy(d->conn)) {
			lose(d, POSTGRES_LOST, PQerrorMessage(d->conn));
			return false;
		}
	}
}

/* Answers. */

static void
read_failure(struct postgres *d, const struct query *q, const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *words = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	note_failure(d, q, state == NULL ? POSTGRES_LOST : state, words == NULL ? PQresultErrorMessage(r) : words);
}

static void
read_done(struct postgres *d, const struct pending *p, PGresult *r)
{
	if (p->kind == PREPARE) {
		p->statement->state = STATE_PREPARED;
		PQclear(r);
		return;
	}
	if (p->query != NULL)
		p->query->phase = ANSWERED;
	if (strchr("IUD", PQcmdStatus(r)[0]) != NULL) /* INSERT, UPDATE, DELETE */
		d->changes = strtoll(PQcmdTuples(r), NULL, 10);
	if (p->statement != NULL && p->statement->is_commit && strcmp(PQcmdStatus(r), "ROLLBACK") == 0)
		note_failure(d, NULL, POSTGRES_BROKEN, "");
	if (p->query == NULL || PQresultStatus(r) != PGRES_TUPLES_OK) {
		PQclear(r);
		return;
	}
	PQclear(p->query->rows);
	p->query->rows = r;
}

/* One answer, or the end of those to p; whether p is answered. */
static bool
read_answer(struct postgres *d, const struct pending *p, PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);

	if (r == NULL)
		return p->kind != SYNC;
	switch ((int)status) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		read_done(d, p, r);
		return false;
	case PGRES_PIPELINE_ABORTED:
		break;
	case PGRES_PIPELINE_SYNC:
		break;
	default:
		read_failure(d, p->query, r);
	}
	PQclear(r);
	return status == PGRES_PIPELINE_SYNC;
}

/* Those that were not prepared after all are prepared anew when they next run. */
static void
forget_unprepared(struct postgres *d)
{
	for (struct statement *s = d->statements; s != NULL; s = s->next)
		if (s->state == STATE_SENT)
			s->state = STATE_UNKNOWN;
}

/* Reads the answers to all that is pending, which ends in a sync. */
static void
read_answers(struct postgres *d)
{
	for (size_t i = 0; i < d->n_pending;) {
		bool is_answered;

		if (!await(d))
			return;
		is_answered = read_answer(d, &d->pending[i], PQgetResult(d->conn));
		if (PQstatus(d->conn) == CONNECTION_BAD) {
			lose(d, POSTGRES_LOST, PQerrorMessage(d->conn));
			return;
		}
		i += is_answered;
	}
	d->n_pending = 0;
	d->transaction = PQtransactionStatus(d->conn);
	forget_unprepared(d);
}

/* Sending. Each is false when it failed, with the connection lost. */

static bool
push(struct postgres *d, enum kind kind, struct statement *s, struct query *q, int is_sent)
{
	struct pending *list = d->pending;

	if (is_sent == 0) {
		lose(d, POSTGRES_LOST, PQerrorMessage(d->conn));
		return false;
	}
	if (d->n_pending == d->room) {
		list = realloc(list, (d->room * 2 + 64) * sizeof *list);
		if (list == NULL) {
			lose(d, POSTGRES_MEMORY, "");
			return false;
		}
		d->pending = list;
		d->room = d->room * 2 + 64;
	}
	list[d->n_pending++] = (struct pending){ .kind = kind, .statement = s, .query = q };
	return true;
}

static bool
push_text(struct postgres *d, const char *sql, struct query *rows_to)
{
	return push(d, EXECUTE, NULL, rows_to, PQsendQueryParams(d->conn, sql, 0, NULL, NULL, NULL, NULL, 0));
}

static bool
push_prepare(struct postgres *d, const struct query *q, struct query *rows_to)
{
	struct statement *s = q->statement;

	if (s->state != STATE_UNKNOWN)
		return true;
	s->state = STATE_SENT;
	return push(d, PREPARE, s, rows_to, PQsendPrepare(d->conn, s->name, s->text, s->n_params, q->types));
}

static bool
push_query(struct postgres *d, struct query *q, struct query *rows_to)
{
	struct statement *s = q->statement;

	return push_prepare(d, q, rows_to) &&
	       push(d, EXECUTE, s, rows_to,
		    PQsendQueryPrepared(d->conn, s->name, s->n_params, q->values, NULL, NULL, 0));
}

/* Ends the batch and reads all answers; whether nothing failed. A failure is yet to be told. */
static bool
settle(struct postgres *d)
{
	if (d->conn != NULL && d->n_pending > 0 && push(d, SYNC, NULL, NULL, PQpipelineSync(d->conn)))
		read_answers(d);
	return d->conn != NULL && !d->failure.is_new;
}

/* One statement in a batch of its own. The failure that was told last, or is yet to be, stays. */
static void
run_aside(struct postgres *d, const char *sql)
{
	struct failure before;

	settle(d);
	before = d->failure;
	d->failure.is_new = false;
	if (d->conn != NULL && push_text(d, sql, NULL))
		settle(d);
	if (d->conn != NULL || before.is_new)
		d->failure = before;
}

/* Connecting. */

/* The servers that are left to be tried: lists "a,b,c" from the URL, a service file or the
 * environment. One that is silent is taken out, and libpq tries the others. */
struct attempt {
	const char *url;
	const char *application;
	char *host;
	char *hostaddr;
	char *port;
};

static void
ignore_notice(void *context, const char *message)
{
	(void)context, (void)message;
}

static PGconn *
start(const struct attempt *a)
{
	const char *const keys[] = { "fallback_application_name", "dbname", "client_encoding", "host", "hostaddr", "port", NULL };
	const char *const values[] = { a->application, a->url, "UTF8", a->host, a->hostaddr, a->port, NULL };
	PGconn *conn = PQconnectStartParams(keys, values, 1);

	PQsetErrorVerbosity(conn, PQERRORS_VERBOSE); /* which has the SQLSTATE; nothing else tells it here */
	PQsetNoticeProcessor(conn, ignore_notice, NULL);
	return conn;
}

/* The value of an option in force, the caller's to free; NULL for none. */
static char *
option(PGconn *conn, const char *name)
{
	PQconninfoOption *all = PQconninfo(conn);
	char *value = NULL;

	for (const PQconninfoOption *o = all; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, name) == 0 && o->val != NULL && o->val[0] != '\0')
			value = strdup(o->val);
	PQconninfoFree(all);
	return value;
}

static int
count_items(const char *list)
{
	int n = 1;

	for (; list != NULL && *list != '\0'; list++)
		n += *list == ',';
	return n;
}

/* The start of the nth item, its length in *len_r. */
static const char *
item(const char *list, int n, size_t *len_r)
{
	if (list == NULL)
		list = "";
	for (; n > 0; n--)
		list += strcspn(list, ",") + (list[strcspn(list, ",")] == ',');
	*len_r = strcspn(list, ",");
	return list;
}

static void
remove_item(char *list, int n)
{
	size_t len;
	char *s;

	if (list == NULL || count_items(list) == 1)
		return;
	s = list + (item(list, n, &len) - list);
	if (s[len] == ',')
		memmove(s, s + len + 1, strlen(s + len + 1) + 1);
	else
		s[-1] = '\0';
}

static bool
is_item(const char *list, int n, const char *s)
{
	size_t len;
	const char *p = item(list, n, &len);

	return strlen(s) == len && strncmp(p, s, len) == 0;
}

/* Which of n servers libpq is at. */
static int
silent_item(const struct attempt *a, PGconn *conn, int n)
{
	bool has_ports = count_items(a->port) > 1;

	for (int i = 0; i < n; i++)
		if ((is_item(a->host, i, PQhost(conn)) || is_item(a->hostaddr, i, PQhost(conn))) &&
		    (!has_ports || is_item(a->port, i, PQport(conn))))
			return i;
	return 0;
}

/* When a server of n that are left has had its time. */
static int64_t
share_of(PGconn *conn, int64_t deadline, int n)
{
	char *timeout = option(conn, "connect_timeout");
	int64_t now = now_ms(), share = (deadline - now) / n;
	long long seconds = timeout == NULL ? 0 : strtoll(timeout, NULL, 10);

	free(timeout);
	if (seconds > 0 && seconds < share / 1000)
		share = seconds * 1000;
	return deadline == NO_DEADLINE && seconds <= 0 ? deadline : now + share;
}

/* 1 connected, 0 silent, -1 refused. */
static int
poll_connection(PGconn *conn, int64_t deadline)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	int n;

	while (PQstatus(conn) != CONNECTION_BAD) {
		n = wait_for(PQsocket(conn), status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
		if (n == 0)
			return 0;
		status = PQconnectPoll(conn);
		if (status == PGRES_POLLING_OK)
			return 1;
		if (n < 0 || status == PGRES_POLLING_FAILED)
			break;
	}
	return -1;
}

static void
note_refusal(struct postgres *d)
{
	char state[POSTGRES_STATE_SIZE] = POSTGRES_UNREACHED;

	if (PQconnectionNeedsPassword(d->conn))
		snprintf(state, sizeof state, "%s", POSTGRES_LOGIN);
	postgres_state_in(PQerrorMessage(d->conn), state);
	lose(d, state, PQerrorMessage(d->conn));
}

static void
note_silence(struct postgres *d)
{
	char words[256];

	snprintf(words, sizeof words, "no answer from \"%s\", port %s", PQhost(d->conn), PQport(d->conn));
	lose(d, POSTGRES_LATE, words);
}

/* Whether the connection stands. */
static bool
try_servers(struct postgres *d, struct attempt *a)
{
	for (bool is_first = true;; is_first = false) {
		int n, result;

		d->conn = start(a);
		if (d->conn == NULL) {
			lose(d, POSTGRES_MEMORY, "");
			return false;
		}
		if (is_first) {
			a->host = option(d->conn, "host");
			a->hostaddr = option(d->conn, "hostaddr");
			a->port = option(d->conn, "port");
		}
		n = count_items(a->hostaddr != NULL ? a->hostaddr : a->host);
		result = poll_connection(d->conn, share_of(d->conn, d->deadline, n));
		if (result > 0)
			return true;
		if (result < 0)
			note_refusal(d);
		else if (n == 1)
			note_silence(d);
		if (d->conn == NULL)
			return false;
		n = silent_item(a, d->conn, n);
		remove_item(a->host, n);
		remove_item(a->hostaddr, n);
		remove_item(a->port, n);
		drop(d);
	}
}

/* A server that vanished is noticed within a minute, also where no deadline is set. */
static void
keep_alive(PGconn *conn)
{
	static const struct {
		const char *option;
		int name;
		int seconds;
	} settings[] = {
		{"keepalives_idle", TCP_KEEPIDLE, 30}, {"keepalives_interval", TCP_KEEPINTVL, 10},
		{"keepalives_count", TCP_KEEPCNT, 3},
	};

	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		char *value = option(conn, settings[i].option);

		if (value == NULL) /* fails on a Unix socket, which needs none */
			setsockopt(PQsocket(conn), IPPROTO_TCP, settings[i].name, &settings[i].seconds, sizeof(int));
		free(value);
	}
}

static bool
is_on(PGconn *conn, const char *parameter)
{
	const char *value = PQparameterStatus(conn, parameter);

	return value != NULL && strcmp(value, "on") == 0;
}

/* What the server said of itself when it let us in. */
static void
check_server(struct postgres *d, enum db_use use)
{
	const char *encoding = PQparameterStatus(d->conn, "server_encoding");

	if (encoding != NULL && strcmp(encoding, "UTF8") != 0)
		lose(d, POSTGRES_ENCODING, encoding);
	else if (use == DB_WRITE && is_on(d->conn, "in_hot_standby"))
		lose(d, POSTGRES_READ_ONLY, "in_hot_standby is on");
	else if (use == DB_WRITE && is_on(d->conn, "default_transaction_read_only"))
		lose(d, POSTGRES_SET_READ_ONLY, "default_transaction_read_only is on");
}

/* What a server shall do by itself when we vanish: end what it does for us, and give up the locks
 * of a transaction that stands still. Not where the server's admin has set it, nor where the
 * server does not know it. The isolation is ours alone: who locks a counter and then reads it
 * must see what was there when the lock came. */
static const char watch_sql[] =
	"SELECT set_config(s.name, w.value, false) FROM (VALUES ('client_connection_check_interval', '2000'),"
	" ('idle_in_transaction_session_timeout', '10000')) AS w (name, value)"
	" JOIN pg_settings AS s ON s.name = w.name WHERE s.setting = '0'"
	" UNION ALL SELECT set_config('default_transaction_isolation', 'read committed', false)";
static const char read_only_sql[] = "SET default_transaction_read_only = on";

static bool
set_up(struct postgres *d, enum db_use use)
{
	PQsetErrorVerbosity(d->conn, PQERRORS_DEFAULT);
	keep_alive(d->conn);
	check_server(d, use);
	if (d->conn == NULL)
		return false;
	if (PQsetnonblocking(d->conn, 1) != 0 || PQenterPipelineMode(d->conn) == 0) {
		lose(d, POSTGRES_LOST, PQerrorMessage(d->conn));
		return false;
	}
	return push_text(d, use == DB_READ ? read_only_sql : watch_sql, NULL) && settle(d);
}

/* A wrong URL never reaches libpq's words when it holds a secret: they could quote it. */
static bool
check_url(struct postgres *d, const char *url)
{
	char shown[1024], *words = NULL;
	PQconninfoOption *options = db_url_is_clear(url) ? PQconninfoParse(url, &words) : NULL;

	db_shown_url(url, shown, sizeof shown);
	if (options == NULL)
		lose(d, POSTGRES_URL, words != NULL && strcmp(shown, url) == 0 ? words : "");
	PQconninfoFree(options);
	PQfreemem(words);
	return options != NULL;
}

static void
free_statement(struct statement *s)
{
	free(s->sql);
	free(s->text);
	free(s);
}

static void
close_connection(struct db *db)
{
	struct postgres *d = own(db);

	if (d->conn != NULL)
		PQfinish(d->conn); /* does not wait: the connection is non-blocking */
	for (struct statement *s = d->statements, *next; s != NULL; s = next) {
		next = s->next;
		free_statement(s);
	}
	free(d->pending);
	free(d);
}

static struct db *
open_connection(const char *url, enum db_use use, int64_t ms, struct db_failure *failure_r)
{
	struct attempt a = { .url = url, .application = use == DB_WRITE ? "posternd" : "postern" };
	struct postgres *d = calloc(1, sizeof *d);
	bool is_open;

	failure_r->error = postgres_failure(POSTGRES_MEMORY)->text;
	if (d == NULL)
		return NULL;
	d->db.ops = &db_postgres_ops;
	d->deadline = deadline_in(ms);
	is_open = check_url(d, url) && try_servers(d, &a) && set_up(d, use);
	free(a.host);
	free(a.hostaddr);
	free(a.port);
	d->deadline = NO_DEADLINE;
	if (is_open)
		return &d->db;
	failure_r->error = postgres_failure(d->failure.state)->text;
	failure_r->is_away = postgres_failure(d->failure.state)->is_away;
	snprintf(failure_r->words, sizeof failure_r->words, "%s", d->failure.words);
	close_connection(&d->db);
	return NULL;
}

static void
set_deadline(struct db *db, int64_t ms)
{
	own(db)->deadline = deadline_in(ms);
}

/* Queries. */

/* In a transaction that failed it does what ROLLBACK does, and says so only by its tag. */
static bool
is_commit(const char *sql)
{
	return postgres_begins_with(sql, "COMMIT") || postgres_begins_with(sql, "END");
}

static struct statement *
find_statement(struct postgres *d, const char *sql)
{
	struct statement *s = d->statements;

	while (s != NULL && strcmp(s->sql, sql) != 0)
		s = s->next;
	if (s != NULL || (s = calloc(1, sizeof *s)) == NULL)
		return s;
	s->sql = strdup(sql);
	s->text = postgres_statement(sql, &s->n_params);
	if (s->sql == NULL || s->text == NULL) {
		free_statement(s);
		return NULL;
	}
	s->is_commit = is_commit(sql);
	snprintf(s->name, sizeof s->name, "p%u", ++d->n_names);
	s->next = d->statements;
	d->statements = s;
	return s;
}

static void
free_query(struct query *q)
{
	for (int i = 0; q->repaired != NULL && i < q->statement->n_params; i++)
		free(q->repaired[i]);
	free(q->repaired);
	free(q->digits);
	free(q->values);
	free(q->types);
	free(q);
}

static struct db_query *
prepare(struct db *db, const char *sql, bool is_large)
{
	struct query *q = calloc(1, sizeof *q);
	struct statement *s = find_statement(own(db), sql);
	size_t n = s == NULL ? 0 : (size_t)s->n_params + 1; /* one too many, for those without */

	if (q != NULL && s != NULL) {
		q->query.db = db;
		q->is_large = is_large;
		q->statement = s;
		q->values = calloc(n, sizeof *q->values);
		q->digits = calloc(n, sizeof *q->digits);
		q->repaired = calloc(n, sizeof *q->repaired);
		q->types = calloc(n, sizeof *q->types);
		if (q->values != NULL && q->digits != NULL && q->repaired != NULL && q->types != NULL)
			return &q->query;
		free_query(q);
		q = NULL;
	}
	free(q);
	lose(own(db), POSTGRES_MEMORY, "");
	return NULL;
}

static void
bind_value(struct db_query *q, int i, const char *value, Oid type)
{
	struct query *o = own_query(q);

	if (i >= o->statement->n_params)
		return;
	o->values[i] = value;
	if (type != TYPE_ANY)
		o->types[i] = type;
}

static void
bind_text(struct db_query *q, int i, const char *s)
{
	struct query *o = own_query(q);

	if (s == NULL || i >= o->statement->n_params || text_is_utf8(s, strlen(s))) {
		bind_value(q, i, s, s == NULL ? TYPE_ANY : TYPE_TEXT);
		return;
	}
	free(o->repaired[i]);
	o->repaired[i] = postgres_text(s);
	if (o->repaired[i] == NULL)
		lose(own(q->db), POSTGRES_MEMORY, "");
	bind_value(q, i, o->repaired[i], TYPE_TEXT);
}

static void
bind_int(struct db_query *q, int i, int64_t n)
{
	struct query *o = own_query(q);

	if (i >= o->statement->n_params)
		return;
	snprintf(o->digits[i], sizeof o->digits[i], "%" PRId64, n);
	bind_value(q, i, o->digits[i], TYPE_INT8);
}

/* What a failure is to the caller of q, who is told it now. */
static enum db_result
failed(struct postgres *d, const struct query *q)
{
	bool is_constraint = d->failure.query == q && strncmp(d->failure.state, "23", 2) == 0;

	tell(d);
	return is_constraint ? DB_CONSTRAINT : DB_FAILED;
}

static bool
push_declare(struct postgres *d, struct query *q)
{
	struct text sql = {0};
	bool is_pushed = false;

	text_printf(&sql, "DECLARE %s NO SCROLL CURSOR FOR %s", q->cursor, q->statement->text);
	if (sql.failed)
		lose(d, POSTGRES_MEMORY, "");
	else
		is_pushed = push(d, EXECUTE, NULL, NULL,
				 PQsendQueryParams(d->conn, text_string(&sql), q->statement->n_params, q->types,
						   q->values, NULL, NULL, 0));
	text_free(&sql);
	return is_pushed;
}

static bool
push_fetch(struct postgres *d, struct query *q)
{
	char sql[64];

	snprintf(sql, sizeof sql, "FETCH " FETCH_ROWS " FROM %s", q->cursor);
	return push_text(d, sql, q);
}

/* A cursor lives in a transaction; where none is open, in one of ours, for all cursors together. */
static enum db_result
open_cursor(struct postgres *d, struct query *q)
{
	bool begins;

	if (!settle(d))
		return failed(d, NULL);
	begins = d->transaction == PQTRANS_IDLE;
	q->is_in_own = begins || d->n_own_cursors > 0;
	snprintf(q->cursor, sizeof q->cursor, "c%u", ++d->n_names);
	if ((!begins || push_text(d, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL)) && push_declare(d, q) &&
	    push_fetch(d, q) && settle(d)) {
		d->n_own_cursors += q->is_in_own;
		return DB_DONE;
	}
	q->cursor[0] = '\0';
	if (begins)
		run_aside(d, "ROLLBACK");
	return failed(d, q);
}

static void
close_cursor(struct postgres *d, struct query *q)
{
	char sql[64];

	if (q->is_in_own && d->n_own_cursors > 0 && --d->n_own_cursors == 0) {
		run_aside(d, "COMMIT");
	} else if (d->transaction == PQTRANS_INTRANS) {
		snprintf(sql, sizeof sql, "CLOSE %s", q->cursor);
		run_aside(d, sql);
	}
	q->cursor[0] = '\0';
}

/* What still comes for q is for nobody. */
static void
forget_rows(struct postgres *d, struct query *q)
{
	for (size_t i = 0; q->phase == ASKED && i < d->n_pending; i++)
		if (d->pending[i].query == q)
			d->pending[i].query = NULL;
	PQclear(q->rows);
	q->rows = NULL;
	q->row = 0;
	q->phase = RESTING;
}

static enum db_result
ask(struct db_query *query)
{
	struct query *q = own_query(query);
	struct postgres *d = own(query->db);

	if (d->conn == NULL || d->failure.is_new)
		return DB_FAILED;
	forget_rows(d, q);
	if (q->is_large) /* is begun by step() */
		return DB_DONE;
	q->phase = ASKED;
	return push_query(d, q, q) ? DB_DONE : DB_FAILED;
}

/* Has the first rows of q at hand. */
static enum db_result
begin(struct postgres *d, struct query *q)
{
	if (q->phase == ANSWERED && !d->failure.is_new)
		return DB_DONE;
	if (q->phase == RESTING && tell(d))
		return DB_FAILED;
	if (q->is_large)
		return open_cursor(d, q);
	if (q->phase == RESTING)
		ask(&q->query);
	if (settle(d) && q->phase == ANSWERED)
		return DB_DONE;
	forget_rows(d, q);
	return failed(d, q);
}

/* The next rows of a cursor, in place of those at hand. */
static enum db_result
fetch(struct postgres *d, struct query *q)
{
	if (tell(d))
		return DB_FAILED;
	q->row = 0;
	if (push_fetch(d, q) && settle(d))
		return DB_DONE;
	q->row = PQntuples(q->rows);
	return failed(d, q);
}

static enum db_result
step(struct db_query *query)
{
	struct query *q = own_query(query);
	struct postgres *d = own(query->db);
	enum db_result r = DB_DONE;

	if (q->phase != STEPPING)
		r = begin(d, q);
	else if (q->rows != NULL && q->row < PQntuples(q->rows))
		q->row++;
	if (r == DB_DONE && q->row == N_FETCH_ROWS && q->cursor[0] != '\0')
		r = fetch(d, q);
	if (r != DB_DONE)
		return r;
	q->phase = STEPPING;
	return q->rows != NULL && q->row < PQntuples(q->rows) ? DB_ROW : DB_DONE;
}

static void
reset(struct db_query *query)
{
	struct query *q = own_query(query);

	forget_rows(own(query->db), q);
	if (q->cursor[0] != '\0')
		close_cursor(own(query->db), q);
}

static void
finalize(struct db_query *q)
{
	reset(q);
	free_query(own_query(q));
}

static enum db_result
send_query(struct db_query *q)
{
	struct postgres *d = own(q->db);

	if (d->conn == NULL || d->failure.is_new)
		return DB_FAILED;
	return push_query(d, own_query(q), NULL) ? DB_DONE : DB_FAILED;
}

static enum db_result
flush(struct db *d)
{
	settle(own(d));
	return tell(own(d)) ? DB_FAILED : DB_DONE;
}

static enum db_result
rollback(struct db *db)
{
	struct postgres *d = own(db);
	struct failure before = d->failure;

	settle(d);
	if (d->conn != NULL) {
		d->failure.is_new = false;
		if (d->transaction != PQTRANS_IDLE && push_text(d, "ROLLBACK", NULL))
			settle(d);
		d->n_own_cursors = 0;
	}
	if (tell(d))
		return DB_FAILED;
	d->failure = before;
	d->failure.is_new = false;
	return DB_DONE;
}

/* One answer of several; whether it was the last. */
static bool
read_exec_answer(struct postgres *d, const char *sql)
{
	PGresult *r = PQgetResult(d->conn);
	ExecStatusType status = PQresultStatus(r);
	bool is_last = r == NULL;

	if (is_last)
		return true;
	if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
		lose(d, "0A000", "COPY");
	else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE)
		read_failure(d, NULL, r);
	else if (strcmp(PQcmdStatus(r), "ROLLBACK") == 0 && is_commit(sql))
		note_failure(d, NULL, POSTGRES_BROKEN, "");
	PQclear(r);
	return d->conn == NULL;
}

/* Several statements in one text cannot be pipelined. */
static int
exec(struct db *db, const char *sql)
{
	struct postgres *d = own(db);

	settle(d);
	if (tell(d))
		return -1;
	if (PQexitPipelineMode(d->conn) == 0 || PQsendQuery(d->conn, sql) == 0) {
		lose(d, POSTGRES_LOST, PQerrorMessage(d->conn));
		return tell(d) ? -1 : 0;
	}
	while (await(d) && !read_exec_answer(d, sql))
		;
	if (d->conn != NULL && (PQstatus(d->conn) == CONNECTION_BAD || PQenterPipelineMode(d->conn) == 0))
		lose(d, POSTGRES_LOST, PQerrorMessage(d->conn));
	if (d->conn != NULL)
		d->transaction = PQtransactionStatus(d->conn);
	return tell(d) ? -1 : 0;
}

/* Results. */

static const char *
text(struct db_query *query, int column)
{
	const struct query *q = own_query(query);

	if (q->rows == NULL || q->row >= PQntuples(q->rows) || column < 0 || column >= PQnfields(q->rows))
		return "";
	return PQgetvalue(q->rows, q->row, column);
}

static int64_t
number(struct db_query *q, int column)
{
	const char *s = text(q, column);

	if (s[0] != '\0' && PQftype(own_query(q)->rows, column) == TYPE_BOOL)
		return s[0] == 't';
	return strtoll(s, NULL, 10);
}

static int64_t
changes(const struct db *d)
{
	return own_const(d)->changes;
}

static bool
in_transaction(const struct db *d)
{
	return own_const(d)->transaction != PQTRANS_IDLE;
}

static const char *
error(const struct db *d)
{
	return postgres_failure(own_const(d)->failure.state)->text;
}

static const char *
words(const struct db *d)
{
	return own_const(d)->failure.words;
}

static bool
is_lost(const struct db *d)
{
	return own_const(d)->conn == NULL || postgres_failure(own_const(d)->failure.state)->is_lost;
}

static bool
is_away(const struct db *d)
{
	return postgres_failure(own_const(d)->failure.state)->is_away;
}

static bool
is_retryable(const struct db *d)
{
	return postgres_failure(own_const(d)->failure.state)->is_retryable;
}

const struct db_ops db_postgres_ops = {
	.dialect = DB_POSTGRES, .schemes = { "postgresql://", "postgres://" }, .open = open_connection,
	.close = close_connection, .deadline = set_deadline, .exec = exec, .prepare = prepare, .finalize = finalize,
	.bind_text = bind_text, .bind_int = bind_int, .step = step, .reset = reset, .send = send_query, .flush = flush,
	.ask = ask, .rollback = rollback, .text = text, .number = number, .changes = changes, .in_transaction = in_transaction,
	.error = error, .words = words, .is_lost = is_lost, .is_retryable = is_retryable, .is_away = is_away,
};
