/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See deliveries.h. The file has a write-ahead log, as the store has, so that its
 * readers wait for nobody.
 */
#include "sql/deliveries.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sql/db.h"
#include "sql/read-private.h"

#define SQLITE "sqlite:"
/* What a server has to let us in, and for a transaction. */
#define OPEN_MS 10000
#define STEP_MS 60000

enum { TRIED, CLOSE, SET_OPEN, REQUEUED, FORGET, TLS, PLACE, PLACE_NEW, PLACE_MOVE, PRUNE, PRUNE_TLS,
       FILES, FILE_NEW, REPORTED, COUNT, SEEN, PRUNE_REPORTED, PRUNE_FILES, PRUNE_REQUEUES,
       SAID, GOOD, ANY_SAID, PRUNE_SAID, QUERIES };

struct deliveries {
	struct db *db;
	struct db_query *query[QUERIES];
	const char *relay;
	const char *begin;
	bool has_said;            /* there is a reply that a success may follow */
};

#define OPEN_ROWS " WHERE queue_id = ? AND relay = ? AND instance = ? AND closed = 0"

static const char *const texts[QUERIES] = {
	[TRIED] = "INSERT INTO deliveries (relay, instance, queue_id, origin_id, recipient, original, first_time, time, status, dsn,"
		" next_hop, next_hop_of, tls, delay_ms, reply, attempts, closed)"
		" VALUES (?1, ?2, ?3, coalesce((SELECT r.old_id FROM requeues r WHERE r.relay = ?1 AND r.instance = ?2 AND r.queue_id = ?3), ?3),"
		" ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, coalesce((SELECT a.tls FROM agent_tls a WHERE a.relay = ?1 AND a.instance = ?2 AND"
		" a.pid = ?11 AND a.host = ?12), ''), ?13, ?14, 1, 0)"
		" ON CONFLICT (queue_id, relay, instance, recipient, original) WHERE closed = 0 DO UPDATE SET time = excluded.time,"
		" status = excluded.status, dsn = excluded.dsn, next_hop = excluded.next_hop, next_hop_of = excluded.next_hop_of,"
		" tls = excluded.tls, delay_ms = excluded.delay_ms, reply = excluded.reply, attempts = deliveries.attempts + 1",
	[CLOSE] = "UPDATE deliveries SET closed = ?" OPEN_ROWS,
	[SET_OPEN] = "UPDATE deliveries SET status = ?, time = ?" OPEN_ROWS " AND status = 'deferred'",
	[REQUEUED] = "INSERT INTO requeues VALUES (?1, ?2, ?3, coalesce((SELECT r.old_id FROM requeues r WHERE r.relay = ?1 AND"
		" r.instance = ?2 AND r.queue_id = ?4), ?4), ?5) ON CONFLICT (relay, instance, queue_id) DO UPDATE SET"
		" old_id = excluded.old_id, time = excluded.time",
	[FORGET] = "DELETE FROM requeues WHERE relay = ? AND instance = ? AND queue_id = ?",
	[TLS] = "INSERT INTO agent_tls VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (relay, instance, pid) DO UPDATE SET host = excluded.host,"
		" tls = excluded.tls, time = excluded.time",
	[PLACE] = "SELECT inode, position, mark FROM followed WHERE relay = ? AND source = ?",
	[PLACE_NEW] = "INSERT INTO followed VALUES (?, ?, 0, 0, '') ON CONFLICT (relay, source) DO NOTHING",
	[PLACE_MOVE] = "UPDATE followed SET inode = ?, position = ?, mark = ? WHERE relay = ? AND source = ? AND inode = ? AND"
		" position = ? AND mark = ?",
	[PRUNE] = "DELETE FROM deliveries WHERE number IN (SELECT number FROM deliveries WHERE relay = ? AND time < ? ORDER BY time LIMIT ?)",
	[PRUNE_TLS] = "DELETE FROM agent_tls WHERE relay = ? AND time < ?",
	[SAID] = "INSERT INTO upstream (tenant, sender, relay, keyword, external_only, wait_ms, reply, since, said, times, good)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 1, 0) ON CONFLICT (tenant, sender, relay, keyword) DO UPDATE SET"
		" external_only = excluded.external_only, wait_ms = excluded.wait_ms, reply = excluded.reply,"
		" since = CASE WHEN upstream.good - upstream.said >= ?9 OR excluded.said - upstream.said > ?10 THEN excluded.said"
		" ELSE upstream.since END,"
		" times = CASE WHEN upstream.good - upstream.said >= ?9 OR excluded.said - upstream.said > ?10 THEN 1"
		" ELSE upstream.times + 1 END,"
		" said = CASE WHEN excluded.said > upstream.said THEN excluded.said ELSE upstream.said END",
	[GOOD] = "UPDATE upstream SET good = ?1 WHERE tenant = ?2 AND sender IN ('', ?3, ?4) AND relay IN ('', ?5) AND good < ?1"
		" AND (external_only = 0 OR ?6 = 1)",
	[ANY_SAID] = "SELECT count(*) FROM upstream",
	[PRUNE_SAID] = "DELETE FROM upstream WHERE relay IN ('', ?) AND said < ?",
	[FILES] = "SELECT name FROM report_files WHERE relay = ? AND folder = ?",
	[FILE_NEW] = "INSERT INTO report_files VALUES (?, ?, ?, ?) ON CONFLICT (relay, folder, name) DO NOTHING",
	[REPORTED] = "INSERT INTO reported (relay, time, digest, audit_id, header_id, recipient, original, action, status, reporter, remote,"
		" reply, via, path, next_hop_of, file) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (digest, recipient, relay) DO NOTHING",
	[COUNT] = "INSERT INTO delivery_counts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (relay, kind, tenants, status, class) DO UPDATE SET"
		" count = delivery_counts.count + excluded.count",
	[SEEN] = "INSERT INTO follower_state VALUES (?, ?, ?) ON CONFLICT (relay) DO UPDATE SET time = excluded.time,"
		" behind_ms = excluded.behind_ms",
	[PRUNE_REPORTED] = "DELETE FROM reported WHERE number IN (SELECT number FROM reported WHERE relay = ? AND time < ? ORDER BY time LIMIT ?)",
	/* Those of which no line told the end. The message is gone from the audit by then. */
	[PRUNE_REQUEUES] = "DELETE FROM requeues WHERE relay = ? AND time < ?",
	[PRUNE_FILES] = "DELETE FROM report_files WHERE relay = ? AND time < ?",
};

static bool
is_file(const char *url)
{
	return strncmp(url, SQLITE, strlen(SQLITE)) == 0;
}

char *
deliveries_url(const char *url)
{
	size_t size = strlen(url) + sizeof "-deliveries";
	char *r = malloc(size);

	if (r != NULL)
		snprintf(r, size, "%s%s", url, is_file(url) ? "-deliveries" : "");
	return r;
}

const char *
deliveries_file_check(int64_t version)
{
	return version <= DELIVERIES_VERSION ? NULL : "it was written by a newer Postern; install that version";
}

/* NULL, or what is wrong with the tables of the file. */
static const char *
prepare_file(struct db *db)
{
	int64_t version = db_number(db, "PRAGMA user_version");
	const char *error = deliveries_file_check(version);
	char end[60];

	if (version < 0 || db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=67108864; PRAGMA synchronous=NORMAL") != 0)
		return db_error(db);
	if (error != NULL || version == DELIVERIES_VERSION)
		return error;
	snprintf(end, sizeof end, "PRAGMA user_version=%d; COMMIT", DELIVERIES_VERSION);
	if (db_exec(db, "BEGIN IMMEDIATE") != 0)
		return db_error(db);
	for (int64_t i = db_number(db, "PRAGMA user_version"); i < DELIVERIES_VERSION; i++) /* another may have been faster */
		if (i < 0 || db_exec(db, schema_deliveries[i]) != 0)
			return db_error(db);
	return db_exec(db, end) == 0 ? NULL : db_error(db);
}

static const char *
prepare(struct deliveries *d)
{
	const char *error = db_dialect(d->db) == DB_SQLITE ? prepare_file(d->db) : schema_check(d->db);

	for (int i = 0; error == NULL && i < QUERIES; i++)
		if ((d->query[i] = db_prepare(d->db, texts[i])) == NULL)
			error = db_error(d->db);
	return error;
}

/* The mode is ours, less what the umask takes: who shares its group reads, and that takes writing
 * beside it. */
static void
make_file(const char *url)
{
	int fd = is_file(url) ? open(url + strlen(SQLITE), O_RDWR | O_CREAT | O_CLOEXEC, 0660) : -1;

	if (fd >= 0)
		close(fd);
}

struct deliveries *
deliveries_open(const char *url, const char *relay, char *error_r, size_t error_size)
{
	struct deliveries *d = calloc(1, sizeof *d);
	char *own = deliveries_url(url), words[300] = "", shown[300];
	const char *error = "memory is short";

	if (d != NULL && own != NULL) {
		d->relay = relay;
		d->begin = is_file(own) ? "BEGIN IMMEDIATE" : "BEGIN";
		make_file(own);
		d->db = db_open(own, DB_WRITE, OPEN_MS, &error, words, sizeof words);
		if (d->db != NULL)
			db_deadline(d->db, OPEN_MS);
		if (d->db != NULL && (error = prepare(d)) == NULL) {
			free(own);
			return d;
		}
	}
	db_shown_url(own == NULL ? "" : is_file(own) ? own + strlen(SQLITE) : own, shown, sizeof shown);
	snprintf(error_r, error_size, "%s: %s%s%s", shown, error, words[0] == '\0' ? "" : ": ", words);
	free(own);
	deliveries_close(&d);
	return NULL;
}

void
deliveries_close(struct deliveries **d)
{
	if (*d == NULL)
		return;
	for (int i = 0; i < QUERIES; i++)
		db_finalize(&(*d)->query[i]);
	db_close(&(*d)->db);
	free(*d);
	*d = NULL;
}

int
deliveries_place(struct deliveries *d, const char *source, struct deliveries_place *place_r)
{
	struct db_query *q = d->query[PLACE];
	enum db_result rc;
	int i = 0;

	*place_r = (struct deliveries_place){0};
	db_deadline(d->db, STEP_MS);
	db_bind_text(q, &i, d->relay);
	db_bind_text(q, &i, source);
	rc = db_step(q);
	if (rc == DB_ROW) {
		place_r->inode = db_int(q, 0);
		place_r->position = db_int(q, 1);
		snprintf(place_r->mark, sizeof place_r->mark, "%s", db_text(q, 2));
	}
	db_reset(q);
	return rc == DB_ROW ? 1 : rc == DB_DONE ? 0 : -1;
}

/* Whether successes are worth noting. */
static int
look_for_said(struct deliveries *d)
{
	struct db_query *q = d->query[ANY_SAID];
	enum db_result rc = db_step(q);

	d->has_said = rc == DB_ROW && db_int(q, 0) > 0;
	db_reset(q);
	return rc == DB_ROW ? 0 : -1;
}

int
deliveries_begin(struct deliveries *d)
{
	db_deadline(d->db, STEP_MS);
	return db_exec(d->db, d->begin) == 0 ? look_for_said(d) : -1;
}

static int
sent(struct db_query *q)
{
	return db_send(q) == DB_DONE ? 0 : -1;
}

int
deliveries_tried(struct deliveries *d, const struct deliveries_try *t)
{
	struct db_query *q = d->query[TRIED];
	int i = 0;

	db_bind_text(q, &i, d->relay);
	db_bind_text(q, &i, t->key.instance);
	db_bind_text(q, &i, t->key.queue_id);
	db_bind_text(q, &i, t->recipient);
	db_bind_text(q, &i, t->original);
	db_bind_int(q, &i, t->key.time);
	db_bind_text(q, &i, t->status);
	db_bind_text(q, &i, t->dsn);
	db_bind_text(q, &i, t->next_hop);
	db_bind_text(q, &i, t->next_hop_of);
	db_bind_text(q, &i, t->pid);
	db_bind_text(q, &i, t->host);
	db_bind_int(q, &i, t->delay_ms);
	db_bind_text(q, &i, t->reply);
	return sent(q);
}

/* The open rows of a message, behind the parameters that the statement begins with. */
static int
send_open(struct deliveries *d, struct db_query *q, int i, const struct deliveries_key *k)
{
	db_bind_text(q, &i, k->queue_id);
	db_bind_text(q, &i, d->relay);
	db_bind_text(q, &i, k->instance);
	return sent(q);
}

static int
close_rows(struct deliveries *d, const struct deliveries_key *k)
{
	int i = 0;

	db_bind_int(d->query[CLOSE], &i, k->time > 0 ? k->time : 1);
	return send_open(d, d->query[CLOSE], i, k);
}

int
deliveries_begun(struct deliveries *d, const struct deliveries_key *k, const char *old_id)
{
	struct db_query *q = d->query[REQUEUED];
	int i = 0;

	if (close_rows(d, k) != 0)
		return -1;
	if (old_id[0] == '\0')
		return 0;
	db_bind_text(q, &i, d->relay);
	db_bind_text(q, &i, k->instance);
	db_bind_text(q, &i, k->queue_id);
	db_bind_text(q, &i, old_id);
	db_bind_int(q, &i, k->time);
	return sent(q);
}

int
deliveries_removed(struct deliveries *d, const struct deliveries_key *k)
{
	struct db_query *q = d->query[FORGET];
	int i = 0;

	if (close_rows(d, k) != 0)
		return -1;
	db_bind_text(q, &i, d->relay);
	db_bind_text(q, &i, k->instance);
	db_bind_text(q, &i, k->queue_id);
	return sent(q);
}

static int
set_open(struct deliveries *d, const struct deliveries_key *k, const char *status)
{
	int i = 0;

	db_bind_text(d->query[SET_OPEN], &i, status);
	db_bind_int(d->query[SET_OPEN], &i, k->time);
	return send_open(d, d->query[SET_OPEN], i, k);
}

int
deliveries_deleted(struct deliveries *d, const struct deliveries_key *k)
{
	return set_open(d, k, "deleted") == 0 ? deliveries_removed(d, k) : -1;
}

int
deliveries_expired(struct deliveries *d, const struct deliveries_key *k)
{
	return set_open(d, k, "expired");
}

int
deliveries_tls(struct deliveries *d, const struct deliveries_key *k, const char *pid, const char *host, const char *tls)
{
	struct db_query *q = d->query[TLS];
	int i = 0;

	db_bind_text(q, &i, d->relay);
	db_bind_text(q, &i, k->instance);
	db_bind_text(q, &i, pid);
	db_bind_text(q, &i, host);
	db_bind_text(q, &i, tls);
	db_bind_int(q, &i, k->time);
	return sent(q);
}

int
deliveries_said(struct deliveries *d, const struct deliveries_said *s)
{
	struct db_query *q = d->query[SAID];
	int i = 0;

	d->has_said = true;
	db_bind_text(q, &i, s->tenant);
	db_bind_text(q, &i, s->sender);
	db_bind_text(q, &i, s->every_relay ? "" : d->relay);
	db_bind_text(q, &i, s->keyword);
	db_bind_int(q, &i, s->external_only);
	db_bind_int(q, &i, s->wait_ms);
	db_bind_text(q, &i, s->reply);
	db_bind_int(q, &i, s->time);
	db_bind_int(q, &i, s->settle_ms);
	db_bind_int(q, &i, s->old_ms);
	return sent(q);
}

int
deliveries_good(struct deliveries *d, const char *tenant, const char *sender, bool is_external, int64_t time)
{
	struct db_query *q = d->query[GOOD];
	const char *at = strrchr(sender, '@');
	int i = 0;

	if (!d->has_said)
		return 0;
	db_bind_int(q, &i, time);
	db_bind_text(q, &i, tenant);
	db_bind_text(q, &i, sender);
	db_bind_text(q, &i, at == NULL ? "" : at);
	db_bind_text(q, &i, d->relay);
	db_bind_int(q, &i, is_external);
	return sent(q);
}

/* 0, 1 where it is not at `from`, -1. */
static int
move_place(struct deliveries *d, const char *source, const struct deliveries_place *from, const struct deliveries_place *to)
{
	struct db_query *q = d->query[PLACE_NEW];
	int i = 0;

	db_bind_text(q, &i, d->relay);
	db_bind_text(q, &i, source);
	if (db_run(q) != DB_DONE)
		return -1;
	q = d->query[PLACE_MOVE];
	i = 0;
	db_bind_int(q, &i, to->inode);
	db_bind_int(q, &i, to->position);
	db_bind_text(q, &i, to->mark);
	db_bind_text(q, &i, d->relay);
	db_bind_text(q, &i, source);
	db_bind_int(q, &i, from->inode);
	db_bind_int(q, &i, from->position);
	db_bind_text(q, &i, from->mark);
	if (db_run(q) != DB_DONE)
		return -1;
	return db_changes(d->db) == 1 ? 0 : 1;
}

int
deliveries_commit(struct deliveries *d, const char *source, const struct deliveries_place *from,
		  const struct deliveries_place *to)
{
	int rc = move_place(d, source, from, to);

	if (rc == 0)
		return db_exec(d->db, "COMMIT");
	if (rc == 1)
		deliveries_abandon(d);
	return rc;
}

void
deliveries_abandon(struct deliveries *d)
{
	(void)db_rollback(d->db);
}

/* ---- reports that were mailed */

int
deliveries_files(struct deliveries *d, const char *folder, int (*each)(void *context, const char *name), void *context)
{
	struct db_query *q = d->query[FILES];
	enum db_result rc = DB_DONE;
	int i = 0, result = 0;

	db_deadline(d->db, STEP_MS);
	db_bind_text(q, &i, d->relay);
	db_bind_text(q, &i, folder);
	while (result == 0 && (rc = db_step(q)) == DB_ROW)
		result = each(context, db_text(q, 0));
	db_reset(q);
	return rc == DB_FAILED ? -1 : result;
}

int
deliveries_file(struct deliveries *d, const char *folder, const char *name, int64_t time)
{
	struct db_query *q = d->query[FILE_NEW];
	int i = 0;

	db_bind_text(q, &i, d->relay);
	db_bind_text(q, &i, folder);
	db_bind_text(q, &i, name);
	db_bind_int(q, &i, time);
	return db_run(q) == DB_DONE ? (int)db_changes(d->db) : -1;
}

int
deliveries_reported(struct deliveries *d, const struct deliveries_report *r)
{
	const char *const values[] = {r->digest, r->audit_id, r->header_id, r->recipient, r->original, r->action, r->status, r->reporter,
				     r->remote, r->reply, r->via, r->path, r->next_hop_of, r->file};
	struct db_query *q = d->query[REPORTED];
	int i = 0;

	db_bind_text(q, &i, d->relay);
	db_bind_int(q, &i, r->time);
	for (size_t k = 0; k < sizeof values / sizeof values[0]; k++)
		db_bind_text(q, &i, values[k]);
	return db_run(q) == DB_DONE ? (int)db_changes(d->db) : -1;
}

int
deliveries_count(struct deliveries *d, const struct deliveries_count *c)
{
	struct db_query *q = d->query[COUNT];
	int i = 0;

	db_bind_text(q, &i, d->relay);
	db_bind_text(q, &i, c->kind);
	db_bind_text(q, &i, c->tenants);
	db_bind_text(q, &i, c->status);
	db_bind_text(q, &i, c->class);
	db_bind_int(q, &i, c->count);
	return sent(q);
}

int
deliveries_end(struct deliveries *d)
{
	return db_exec(d->db, "COMMIT");
}

int
deliveries_seen(struct deliveries *d, int64_t now_ms, int64_t behind_ms)
{
	struct db_query *q = d->query[SEEN];
	int i = 0;

	db_deadline(d->db, STEP_MS);
	db_bind_text(q, &i, d->relay);
	db_bind_int(q, &i, now_ms);
	db_bind_int(q, &i, behind_ms);
	return db_run(q) == DB_DONE ? 0 : -1;
}

/* ---- pruning */

/* One statement over what is older, up to `max` rows where it takes that: how many, or -1. */
static int
prune_one(struct deliveries *d, int which, int64_t before_ms, int max)
{
	struct db_query *q = d->query[which];
	int i = 0;

	db_bind_text(q, &i, d->relay);
	db_bind_int(q, &i, before_ms);
	if (max > 0)
		db_bind_int(q, &i, max);
	return db_run(q) == DB_DONE ? (int)db_changes(d->db) : -1;
}

int
deliveries_prune(struct deliveries *d, int64_t before_ms, int max)
{
	int n, m;

	db_deadline(d->db, STEP_MS);
	n = prune_one(d, PRUNE, before_ms, max);
	m = n < 0 ? -1 : prune_one(d, PRUNE_REPORTED, before_ms, max);
	if (m < 0 || prune_one(d, PRUNE_TLS, before_ms, 0) < 0 || prune_one(d, PRUNE_FILES, before_ms, 0) < 0 ||
	    prune_one(d, PRUNE_REQUEUES, before_ms, 0) < 0 || prune_one(d, PRUNE_SAID, before_ms, 0) < 0)
		return -1;
	return n > m ? n : m;
}

const char *
deliveries_error(const struct deliveries *d)
{
	return db_error(d->db);
}

bool
deliveries_is_lost(const struct deliveries *d)
{
	return db_is_lost(d->db);
}
