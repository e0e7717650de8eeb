/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See report.h. Held mail goes first, for others queue behind it; then messages,
 * refusals, the rules of policies, acts.
 */
#include "sql/report.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/crash.h"
#include "sql/hours.h"
#include "sql/reserves.h"

/* What one step takes at most: messages; recipients and charges of theirs, unless one message has
 * more; rows of another kind. */
#define MESSAGES_MAX 20
#define PARTS_MAX 2000
#define ROWS_MAX 100

/* A message to be reported. */
struct reported {
	struct record *record;
	struct charge *weighed;   /* the charges as they were weighed, by shares */
	struct charge *whole;     /* the same of the whole limits */
	size_t n_charges;
	bool charged, held;
	int64_t held_time;
	int64_t time;             /* of its charges, by the file's clock of the limits */
};

struct step {
	struct report *report;
	struct arena *arena;
	char ids[MESSAGES_MAX][ID_LENGTH + 1];
	size_t n_ids;             /* what was chosen */
	struct reported message[MESSAGES_MAX];
	size_t n;                 /* of these, what is reported now */
	size_t parts;
	int64_t now;              /* the file's clock of the limits */
	const char *source;
	int64_t number;
	int rows;
};

static enum db_result
run_with(struct db *db, const char *sql, const char *text)
{
	struct db_query *q = db_prepare(db, sql);
	enum db_result rc = DB_FAILED;
	int i = 0;

	if (q != NULL) {
		db_bind_text(q, &i, text);
		rc = db_run(q);
	}
	db_finalize(&q);
	return rc;
}

enum db_result
report_keep(struct backend *local, const struct admit *a, const struct charge *whole)
{
	struct db_query *q = db_prepare(local->db, "REPLACE INTO share_charges VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
	enum db_result rc = q == NULL ? DB_FAILED : DB_DONE;
	struct text reserves = {0};

	for (size_t n = 0; rc == DB_DONE && n < a->n_charges; n++) {
		const struct charge *c = &whole[n];
		int i = 0;

		text_clear(&reserves);
		reserves_write(c, &reserves);
		db_bind_text(q, &i, a->record->id);
		db_bind_u64(q, &i, n);
		db_bind_text(q, &i, c->scope);
		db_bind_int(q, &i, (int64_t)c->unit);
		db_bind_int(q, &i, c->period);
		db_bind_text(q, &i, c->key);
		db_bind_text(q, &i, c->name);
		db_bind_u64(q, &i, c->count);
		db_bind_u64(q, &i, c->amount);
		db_bind_int(q, &i, (int64_t)c->over);
		db_bind_int(q, &i, c->enforced);
		db_bind_u64(q, &i, c->kept);
		db_bind_text(q, &i, text_string(&reserves));
		db_bind_int(q, &i, local->now);
		rc = reserves.failed ? DB_FAILED : db_run(q);
	}
	text_free(&reserves);
	db_finalize(&q);
	return rc;
}

enum db_result
report_claim(struct backend *local, bool *is_ours_r)
{
	const struct clock *clock = local->options.clock;
	int64_t n = db_number(local->db, "SELECT count(*) FROM share");
	uint8_t chance[ID_RANDOM_OCTETS];

	*is_ours_r = n > 0;
	if (n == 0 && db_number(local->db, "SELECT EXISTS (SELECT 1 FROM messages)") == 0) {
		clock->random(clock->context, chance, sizeof chance);
		n = run_with(local->db, "INSERT INTO share VALUES (1, ?, 1)", id_make(backend_wall_ms(local), chance).s) == DB_DONE
		    ? 1 : -1;
		*is_ours_r = n > 0;
	}
	return n < 0 ? DB_FAILED : DB_DONE;
}

/* ---- reading the file */

/* Up to `max` ids that a query finds, behind those that are there and without them. */
static int
choose(struct step *s, const char *sql)
{
	struct db_query *q = db_prepare(s->report->local->db, sql);
	enum db_result rc = DB_FAILED;
	int i = 0;

	if (q != NULL)
		db_bind_int(q, &i, MESSAGES_MAX);
	while (q != NULL && (rc = db_step(q)) == DB_ROW && s->n_ids < MESSAGES_MAX)
		snprintf(s->ids[s->n_ids++], sizeof s->ids[0], "%s", db_text(q, 0));
	db_finalize(&q);
	return rc == DB_FAILED ? -1 : 0;
}

/* Its charges: what the whole limits are, and how the shares weighed them. */
static int
read_charges(struct step *s, struct reported *m, size_t n)
{
	struct db_query *q = db_prepare(s->report->local->db, "SELECT s.scope, s.unit, s.period, s.key, s.name, s.count,"
		" s.amount, s.over, s.enforced, s.kept, s.reserves, s.time, c.used_before, c.count, c.over, c.exceeded, c.charged"
		" FROM share_charges s JOIN charges c ON c.message_id = s.message_id AND c.number = s.number"
		" WHERE s.message_id = ? ORDER BY s.number");
	enum db_result rc = DB_FAILED;
	int i = 0;

	m->whole = arena_array(s->arena, n + 1, sizeof *m->whole);
	m->weighed = arena_array(s->arena, n + 1, sizeof *m->weighed);
	if (q != NULL)
		db_bind_text(q, &i, m->record->id);
	while (q != NULL && !arena_failed(s->arena) && (rc = db_step(q)) == DB_ROW && m->n_charges < n) {
		struct charge *c = &m->whole[m->n_charges], *w = &m->weighed[m->n_charges++];

		*c = (struct charge){
			.scope = arena_string(s->arena, db_text(q, 0)), .unit = (enum unit)db_int(q, 1),
			.period = (uint32_t)db_int(q, 2), .key = arena_string(s->arena, db_text(q, 3)),
			.name = arena_string(s->arena, db_text(q, 4)), .count = (uint64_t)db_int(q, 5),
			.amount = (uint64_t)db_int(q, 6), .over = (enum over)db_int(q, 7), .enforced = db_int(q, 8) != 0,
			.kept = (uint64_t)db_int(q, 9), .tally = charge_is_tally_key(db_text(q, 3)),
			.exceeded = db_int(q, 15) != 0,
		};
		reserves_read(s->arena, db_text(q, 10), c);
		m->time = db_int(q, 11);
		m->charged = db_int(q, 16) != 0;
		*w = *c;
		w->used = (uint64_t)db_int(q, 12);
		w->count = (uint64_t)db_int(q, 13);
		w->over = (enum over)db_int(q, 14);
	}
	db_finalize(&q);
	return rc == DB_DONE && m->n_charges == n ? 0 : -1;
}

static int
read_held(struct step *s, struct reported *m)
{
	struct db_query *q = db_prepare(s->report->local->db, "SELECT held_time FROM held WHERE message_id = ?");
	enum db_result rc = DB_FAILED;
	int i = 0;

	if (q != NULL) {
		db_bind_text(q, &i, m->record->id);
		rc = db_step(q);
		m->held = rc == DB_ROW;
		m->held_time = m->held ? db_int(q, 0) : 0;
	}
	db_finalize(&q);
	return rc == DB_FAILED ? -1 : 0;
}

/* One message of the file, with all its parts. 1: it is for the next step. */
static int
read_message(void *context, const struct record *record, const struct charge *charges, size_t n_charges)
{
	struct step *s = context;
	struct reported *m = &s->message[s->n];
	size_t parts = record->n_rcpt + n_charges;

	(void)charges;
	if (s->n > 0 && s->parts + parts > PARTS_MAX)
		return 1;
	*m = (struct reported){.record = record_copy(s->arena, record)};
	if (m->record == NULL || read_charges(s, m, n_charges) != 0 || read_held(s, m) != 0)
		return -1;
	s->parts += parts;
	s->n++;
	return 0;
}

/* The messages of this step. */
static int
read_messages(struct step *s, const char **error_r)
{
	char error[300];
	void *reader = reader_open(s->report->local_url, error, sizeof error);
	int rc = reader == NULL ? -1 : 0;

	*error_r = "the local database cannot be read";
	for (size_t i = 0; rc == 0 && i < s->n_ids; i++) {
		const struct store_range one = {.id = s->ids[i]};

		rc = reader_messages(reader, &one, read_message, s, error_r);
	}
	if (reader != NULL)
		reader_close(reader);
	if (arena_failed(s->arena))
		*error_r = "memory is short";
	return rc < 0 ? -1 : 0;
}

/* ---- writing to the shared database */

/* What it says of a message that it has already: the verdict, and whether its charges count. */
static enum db_result
read_recorded(struct backend *b, const char *id, char *verdict_r, size_t size, bool *charged_r)
{
	struct db_query *q = db_prepare(b->db, "SELECT verdict, (SELECT count(*) FROM charges WHERE message_id = ?1"
					" AND charged = 1) FROM messages WHERE id = ?1");
	enum db_result rc = DB_FAILED;
	int i = 0;

	verdict_r[0] = '\0';
	if (q != NULL) {
		db_bind_text(q, &i, id);
		rc = db_step(q);
	}
	if (rc == DB_ROW) {
		snprintf(verdict_r, size, "%s", db_text(q, 0));
		*charged_r = db_int(q, 1) > 0;
	}
	db_finalize(&q);
	return rc == DB_FAILED ? DB_FAILED : DB_DONE;
}

/* It is there already. Either this step was done before, or the connection was lost while
 * the database committed it, and what the MTA was told was decided here: that is kept then. */
static enum db_result
add_again(struct backend *b, const struct admit *a, bool *is_new_r, bool *charged_r)
{
	enum db_result rc;
	char verdict[20];

	*is_new_r = false;
	rc = read_recorded(b, a->record->id, verdict, sizeof verdict, charged_r);
	if (rc != DB_DONE || strcmp(verdict, a->record->verdict) == 0)
		return rc;
	*is_new_r = true;
	rc = rows_uncount(b, a->record->id);
	if (rc == DB_DONE)
		rc = prune_message(b, a->record->id);
	return rc == DB_DONE ? rows_add(b, a) : rc;
}

/* Its charges count for the time at which it was granted. */
static enum db_result
charge(struct backend *b, const struct step *s, const struct reported *m, struct counter *const *counters)
{
	int64_t age = s->now > m->time ? s->now - m->time : 0;
	enum db_result rc = DB_DONE;

	for (size_t i = 0; rc == DB_DONE && i < m->n_charges; i++)
		rc = rows_charge_late(b, counters[i], &m->whole[i], b->now - age);
	return rc;
}

static enum db_result
add_counted(struct backend *b, const struct step *s, const struct reported *m, bool counts)
{
	struct counter **counters = usage_room(b->usage, m->n_charges);
	struct charge *scratch = arena_array(s->arena, m->n_charges + 1, sizeof *scratch);
	struct admit a = {.record = m->record, .charges = m->whole, .n_charges = m->n_charges, .charged = m->charged};
	const char *error = NULL;
	enum db_result rc;

	if (counters == NULL || scratch == NULL)
		return DB_FAILED;
	memcpy(scratch, m->whole, m->n_charges * sizeof *scratch);
	rc = rows_weigh(b, counters, scratch, m->n_charges, &error);
	if (error != NULL)
		return DB_FAILED;
	if (rc == DB_DONE && m->charged && counts)
		rc = charge(b, s, m, counters);
	return rc == DB_DONE && m->held ? held_add(b, &a, counters, m->held_time) : rc;
}

static enum db_result
add_message(struct backend *b, const struct step *s, const struct reported *m)
{
	const struct admit a = {.record = m->record, .charges = m->weighed, .n_charges = m->n_charges, .charged = m->charged};
	bool is_new = true, was_charged = false;
	enum db_result rc = rows_add(b, &a);

	if (rc == DB_CONSTRAINT)
		rc = add_again(b, &a, &is_new, &was_charged);
	return rc == DB_DONE && is_new ? add_counted(b, s, m, !was_charged) : rc;
}

/* All charges of the step side by side. */
static struct charge *
collect_charges(const struct step *s, size_t *n_r)
{
	struct charge *all = arena_array(s->arena, s->parts + 1, sizeof *all);

	*n_r = 0;
	for (size_t i = 0; all != NULL && i < s->n; i++)
		for (size_t k = 0; k < s->message[i].n_charges; k++)
			all[(*n_r)++] = s->message[i].whole[k];
	return all;
}

static enum db_result
write_messages(struct backend *b, void *context)
{
	struct step *s = context;
	size_t n;
	struct charge *all = collect_charges(s, &n);
	enum db_result rc = all == NULL ? DB_FAILED : b->load_all(b, all, n);

	hours_begin(b->hours);
	for (size_t i = 0; rc == DB_DONE && i < s->n; i++)
		rc = add_message(b, s, &s->message[i]);
	return rc == DB_DONE ? hours_write(b->hours, b->query[HOURS_ADD]) : rc;
}

/* ---- deleting from the file */

static enum db_result
delete_messages(struct backend *b, void *context)
{
	struct step *s = context;
	enum db_result rc = DB_DONE;

	for (size_t i = 0; rc == DB_DONE && i < s->n; i++) {
		rc = prune_message(b, s->message[i].record->id);
		if (rc == DB_DONE)
			rc = run_with(b->db, "DELETE FROM share_charges WHERE message_id = ?", s->message[i].record->id);
	}
	return rc;
}

/* ---- the kinds of rows. Each: how many rows were reported, or -1 or STORE_AWAY. */

/* Done there and then here; both begin anew if the second is not done. */
static int
both(struct step *s, enum db_result (*there)(struct backend *b, void *context),
     enum db_result (*here)(struct backend *b, void *context), const char **error_r)
{
	struct report *r = s->report;
	int rc = r->main->transaction(r->main, there, s, error_r);

	CRASH_POINT("reported-there");
	return rc != 0 ? rc : r->local->transaction(r->local, here, s, error_r);
}

static int
report_messages(struct step *s, const char **error_r)
{
	int rc = -1;

	*error_r = "the local database cannot be read";
	if (choose(s, "SELECT message_id FROM held ORDER BY number LIMIT ?") != 0)
		return -1;
	if (s->n_ids == 0 && choose(s, "SELECT id FROM messages ORDER BY rowid LIMIT ?") != 0)
		return -1;
	if (s->n_ids == 0)
		return 0;
	s->now = s->report->local->limit_now(s->report->local);
	rc = read_messages(s, error_r);
	if (rc == 0 && s->n > 0)
		rc = both(s, write_messages, delete_messages, error_r);
	if (rc != 0)
		return rc;
	s->report->messages += s->n;
	s->report->main->may_wait = true;
	return (int)s->n;
}

/* The name of the file in reports, and the number of this one. */
static enum db_result
read_source(struct backend *b, struct step *s)
{
	struct db_query *q = db_prepare(b->db, "SELECT source, number FROM share");
	enum db_result rc = q == NULL ? DB_FAILED : db_step(q);

	if (rc == DB_ROW) {
		s->source = arena_string(s->arena, db_text(q, 0));
		s->number = db_int(q, 1);
	}
	db_finalize(&q);
	return rc == DB_ROW ? DB_DONE : DB_FAILED;
}

/* Chooses refusals, unless there are some that were chosen before. What is counted from now on is
 * counted for the next report. */
static enum db_result
choose_refusals(struct backend *b, void *context)
{
	struct step *s = context;
	enum db_result rc = read_source(b, s);

	s->rows = (int)db_number(b->db, "SELECT count(*) FROM share_refusals");
	if (rc != DB_DONE || s->rows != 0)
		return s->rows < 0 ? DB_FAILED : rc;
	if (db_exec(b->db, "INSERT INTO share_refusals SELECT * FROM refusals ORDER BY last_time, id, reason, stage LIMIT 100;"
			   "DELETE FROM refusals WHERE (id, reason, stage) IN (SELECT id, reason, stage FROM share_refusals)") != 0)
		return DB_FAILED;
	s->rows = (int)db_number(b->db, "SELECT count(*) FROM share_refusals");
	return s->rows < 0 ? DB_FAILED : DB_DONE;
}

/* Whether this report is to be added, and then that it was. Its row is locked first, so that a
 * transaction of ours that the server still has in hand is waited for. */
static enum db_result
begin_report(struct backend *b, const struct step *s, bool *is_new_r)
{
	struct db_query *q = db_prepare(b->db, "SELECT number FROM reports WHERE source = ? FOR UPDATE");
	enum db_result rc = run_with(b->db, "INSERT INTO reports (source, number) VALUES (?, 0) ON CONFLICT DO NOTHING", s->source);
	int i = 0;

	if (q == NULL || rc != DB_DONE) {
		db_finalize(&q);
		return DB_FAILED;
	}
	db_bind_text(q, &i, s->source);
	rc = db_step(q);
	*is_new_r = rc == DB_ROW && db_int(q, 0) < s->number;
	db_finalize(&q);
	return rc == DB_ROW ? DB_DONE : DB_FAILED;
}

static enum db_result
end_report(struct backend *b, const struct step *s)
{
	struct db_query *q = db_prepare(b->db, "UPDATE reports SET relay = ?, number = ?, time = ? WHERE source = ?");
	enum db_result rc = DB_FAILED;
	int i = 0;

	if (q != NULL) {
		db_bind_text(q, &i, b->options.relay);
		db_bind_int(q, &i, s->number);
		db_bind_int(q, &i, backend_wall_ms(b));
		db_bind_text(q, &i, s->source);
		rc = db_run(q);
	}
	db_finalize(&q);
	return rc;
}

/* A row of share_refusals. */
static struct refusal_delta
read_refusal(struct db_query *q, struct refusal *r)
{
	const char **const texts[] = {
		&r->enhanced, &r->text, &r->app, &r->tenant, &r->method, &r->client, &r->login, &r->tls, &r->certificate,
		&r->certificate_issuer, &r->sender, &r->header_from, &r->recipient, &r->queue_id, &r->policy,
	};

	*r = (struct refusal){
		.id = db_text(q, 0), .reason = db_text(q, 1), .stage = db_text(q, 2), .time = db_int(q, 3),
		.verdict = db_text(q, 6), .code = (int)db_int(q, 7), .department = db_text(q, 24),
	};
	for (int i = 0; i < (int)(sizeof texts / sizeof texts[0]); i++)
		*texts[i] = db_text(q, 8 + i);
	return (struct refusal_delta){.refusal = r, .count = (uint64_t)db_int(q, 5), .last_time = db_int(q, 4)};
}

static enum db_result
write_refusals(struct backend *b, void *context)
{
	struct step *s = context;
	struct db_query *q = db_prepare(s->report->local->db, "SELECT * FROM share_refusals");
	enum db_result rc = q == NULL ? DB_FAILED : b->load_all(b, NULL, 0), row = DB_DONE;
	bool is_new = false;

	if (rc == DB_DONE)
		rc = begin_report(b, s, &is_new);
	while (rc == DB_DONE && is_new && (row = db_step(q)) == DB_ROW) {
		struct refusal r;
		struct refusal_delta d = read_refusal(q, &r);

		hours_begin(b->hours);
		rc = rows_refusal(b, &d);
		if (rc == DB_DONE)
			rc = hours_write(b->hours, b->query[HOURS_ADD]);
		if (rc == DB_DONE)
			rc = db_flush(b->db); /* the strings are the row's */
	}
	db_finalize(&q);
	if (rc != DB_DONE || row == DB_FAILED)
		return DB_FAILED;
	return is_new ? end_report(b, s) : DB_DONE;
}

static enum db_result
delete_refusals(struct backend *b, void *context)
{
	(void)context;
	return db_exec(b->db, "DELETE FROM share_refusals; UPDATE share SET number = number + 1") == 0 ? DB_DONE : DB_FAILED;
}

static int
report_refusals(struct step *s, const char **error_r)
{
	struct backend *local = s->report->local;
	int64_t n = db_number(local->db, "SELECT (SELECT count(*) FROM share_refusals) + EXISTS (SELECT 1 FROM refusals)");
	int rc;

	*error_r = "the local database cannot be read";
	if (n <= 0)
		return (int)n;
	rc = local->transaction(local, choose_refusals, s, error_r);
	if (rc == 0)
		rc = both(s, write_refusals, delete_refusals, error_r);
	return rc == 0 ? s->rows : rc;
}

/* Rows that are the same wherever they stand: a table, its columns, of which all are text but
 * those that begin with "+", and which rows of the file a step takes. */
struct plain {
	const char *table, *columns[16], *which;
};

static const struct plain plains[] = {
	{"policy_rules", {"policy", "+number", "rule", "conditions"},
	 "policy = (SELECT min(policy) FROM policy_rules)"},
	{"acts", {"id", "+time", "who", "what", "limit_name", "key", "+amount", "+until", "message_id", "scope", "+unit",
		  "+period", "+applied_time", "result"},
	 "id IN (SELECT id FROM acts ORDER BY id LIMIT 100)"},
};

struct plain_step {
	struct step *step;
	const struct plain *plain;
	struct text columns, marks;
	int n;
};

static int
columns_of(struct plain_step *p)
{
	int n = 0;

	for (; p->plain->columns[n] != NULL; n++) {
		const char *name = p->plain->columns[n];

		text_printf(&p->columns, "%s%s", n == 0 ? "" : ", ", name + (name[0] == '+'));
		text_add(&p->marks, n == 0 ? "?" : ", ?");
	}
	return n;
}

static enum db_result
copy_row(const struct plain *p, struct db_query *from, struct db_query *to)
{
	int i = 0;

	for (int n = 0; p->columns[n] != NULL; n++)
		if (p->columns[n][0] == '+')
			db_bind_int(to, &i, db_int(from, n));
		else
			db_bind_text(to, &i, db_text(from, n));
	return db_run(to);
}

static enum db_result
write_plain(struct backend *b, void *context)
{
	struct plain_step *p = context;
	struct text read = {0}, write = {0};
	struct db_query *from, *to;
	enum db_result rc = b->load_all(b, NULL, 0), row = DB_FAILED;

	text_printf(&read, "SELECT %s FROM %s WHERE %s", text_string(&p->columns), p->plain->table, p->plain->which);
	text_printf(&write, "INSERT INTO %s (%s) VALUES (%s) ON CONFLICT DO NOTHING", p->plain->table,
		    text_string(&p->columns), text_string(&p->marks));
	from = db_prepare(p->step->report->local->db, text_string(&read));
	to = db_prepare(b->db, text_string(&write));
	while (rc == DB_DONE && from != NULL && to != NULL && (row = db_step(from)) == DB_ROW) {
		rc = copy_row(p->plain, from, to);
		p->n++;
	}
	db_finalize(&from);
	db_finalize(&to);
	text_free(&read);
	text_free(&write);
	return rc == DB_DONE && row == DB_DONE ? DB_DONE : DB_FAILED;
}

static enum db_result
delete_plain(struct backend *b, void *context)
{
	struct plain_step *p = context;
	struct text sql = {0};
	int rc;

	text_printf(&sql, "DELETE FROM %s WHERE %s", p->plain->table, p->plain->which);
	rc = sql.failed ? -1 : db_exec(b->db, text_string(&sql));
	text_free(&sql);
	return rc == 0 ? DB_DONE : DB_FAILED;
}

static int
report_plain(struct step *s, const struct plain *plain, const char **error_r)
{
	struct report *r = s->report;
	struct plain_step p = {.step = s, .plain = plain};
	char sql[80];
	int rc = 0;

	snprintf(sql, sizeof sql, "SELECT EXISTS (SELECT 1 FROM %s)", plain->table);
	*error_r = "the local database cannot be read";
	if (db_number(r->local->db, sql) != 1)
		return (int)db_number(r->local->db, sql);
	*error_r = "memory is short";
	if (columns_of(&p) == 0 || p.columns.failed || p.marks.failed)
		rc = -1;
	if (rc == 0)
		rc = r->main->transaction(r->main, write_plain, &p, error_r);
	CRASH_POINT("reported-there");
	if (rc == 0)
		rc = r->local->transaction(r->local, delete_plain, &p, error_r);
	text_free(&p.columns);
	text_free(&p.marks);
	return rc == 0 ? p.n : rc;
}

static enum db_result
nothing(struct backend *b, void *context)
{
	(void)b, (void)context;
	return DB_DONE;
}

int
report_step(struct report *r, const char **error_r)
{
	struct step *s;
	struct arena *arena = arena_new(0);
	int rc = -1;

	*error_r = "memory is short";
	s = arena == NULL ? NULL : arena_alloc(arena, sizeof *s);
	if (s != NULL) {
		*s = (struct step){.report = r, .arena = arena};
		rc = r->local->db != NULL ? 0 : r->local->transaction(r->local, nothing, NULL, error_r);
	}
	if (rc == 0)
		rc = report_messages(s, error_r);
	if (rc == 0)
		rc = report_refusals(s, error_r);
	for (size_t i = 0; rc == 0 && i < sizeof plains / sizeof plains[0]; i++)
		rc = report_plain(s, &plains[i], error_r);
	arena_free(&arena);
	return rc > 0 ? 1 : rc;
}
