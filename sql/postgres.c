/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store in PostgreSQL, shared by several relays. A batch costs two round trips,
 * however many messages it holds: the first locks the counters (sorted, so that
 * no two relays wait for each other) and reads what they hold, the second writes
 * the rows and commits. Time is the server's, asked under the locks.
 *
 * A connection that is lost within COMMIT leaves in doubt whether it was done: the
 * row of this relay in `relays` has the number of the batch, and tells. Each
 * transaction locks that row first, so that the next one sees how the last one
 * ended, also where the server was still at it.
 *
 * A server that is away is waited for once; from then on sql/connector.h looks for it,
 * and nothing here waits until it is there.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config.h"

#include "base/json.h"
#include "sql/backend-private.h"
#include "sql/connector.h"
#include "sql/doubt.h"
#include "sql/hours.h"

/* Milliseconds that a batch may take, less where there is another database to go on with,
 * and how often it is tried. */
#define BATCH_MS 10000
#define BACKED_BATCH_MS 5000
#define TRIES 3
/* How long a connection is waited for that was there until now. */
#define TAKE_MS 15000
/* A server that lets us in and does not answer is left alone, longer each time. */
#define LATE_MS 2000
#define LATE_MAX_MS 60000
/* How often it looks what operators ask for. */
#define REQUESTS_MS 1000

enum own_statement {
	BEGIN, COMMIT, LIMITS_MAKE, LIMITS_LOCK, USE_ALL, WAITING_ALL, NOW, IDS, RELAY_MAKE, RELAY_BATCH, RELAY_NOTE, PRUNER, REQUESTS,
	REQUESTS_TAKEN, OWN
};

/* A counter that this transaction has locked. */
struct locked {
	int64_t id;
	struct counter *counter;
	struct charge charge;     /* one of its charges */
	struct window window;
	struct counter_state state;
};

struct postgres {
	struct backend b;         /* first: the rest of sql/ knows no more */
	struct db_query *own[OWN];
	char *url;
	char *relay;
	struct connector *connector;
	int64_t batch;            /* the number of the present transaction */
	bool is_noted;            /* `relays` has our row */
	bool is_short;            /* what failed is our memory */
	int64_t batch_ms, late_ms; /* how long one may take; the rest after the last that took too long */
	int64_t began_ms;         /* when it began, by the machine's own clock */
	int64_t asked_ms;         /* boot clock: when it last looked for requests */
	bool is_ending;           /* COMMIT is under way */
	bool is_open;             /* whether doubt_batch was committed is not known */
	int64_t doubt_batch;
	struct doubt *doubt;      /* the refusals of it */
	bool is_out;              /* the server is known to be away: it is not waited for */
	bool is_away;             /* the last failure was of that kind */
	const char *error;        /* why there is no connection */
	char words[512];          /* what the server said of it */
	_Atomic int64_t offset;   /* limits' clock less boot clock */
	struct locked *locked;
	size_t n_locked, locked_room;
	uint64_t choice;          /* counts those of choose_counters() */
};

/* The counters of a batch, as one parameter. */
#define COUNTERS "json_to_recordset(CAST(? AS JSON)) AS c" \
	"(n BIGINT, scope TEXT, unit BIGINT, period BIGINT, key TEXT, name TEXT, count BIGINT)"
#define SAME "l.scope = c.scope AND l.unit = c.unit AND l.period = c.period AND l.key = c.key"

static const char *const own_statements[OWN] = {
	[BEGIN] = "BEGIN",
	[COMMIT] = "COMMIT",
	[LIMITS_MAKE] = "INSERT INTO limits (scope, unit, period, key, name, count)"
		" SELECT c.scope, c.unit, c.period, c.key, c.name, c.count FROM " COUNTERS
		" WHERE NOT EXISTS (SELECT 1 FROM limits l WHERE " SAME ")"
		" ORDER BY c.scope, c.unit, c.period, c.key ON CONFLICT DO NOTHING",
	[LIMITS_LOCK] = "SELECT l.id, c.n, " STATE_COLUMNS " FROM limits l JOIN " COUNTERS " ON " SAME
		" ORDER BY l.scope, l.unit, l.period, l.key FOR UPDATE OF l",
	[USE_ALL] = "SELECT u.limit_id, u.slot, u.used FROM limit_use u JOIN limits l ON l.id = u.limit_id"
		" JOIN " COUNTERS " ON " SAME " ORDER BY u.limit_id, u.slot",
	[WAITING_ALL] = "SELECT h.limit_id, count(*) FROM held_charges h JOIN limits l ON l.id = h.limit_id"
		" JOIN " COUNTERS " ON " SAME " WHERE h.over = 1 AND h.granted = 0 GROUP BY h.limit_id",
	[NOW] = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
	[IDS] = "SELECT i.n FROM json_to_recordset(CAST(? AS JSON)) AS i(n BIGINT, id TEXT)"
		" JOIN messages m ON m.id = i.id",
	[RELAY_MAKE] = "INSERT INTO relays (relay, seen, batch) VALUES (?, 0, 0) ON CONFLICT DO NOTHING",
	[RELAY_BATCH] = "SELECT batch FROM relays WHERE relay = ? FOR UPDATE",
	[RELAY_NOTE] = "INSERT INTO relays VALUES (?, ?, ?, ?) ON CONFLICT (relay) DO UPDATE SET"
		" seen = excluded.seen, batch = excluded.batch, version = excluded.version",
	/* Of the relays that were there lately one deletes what is old. */
	[REQUESTS] = "SELECT id, time, who, what, limit_name, key, amount, until, message_id, scope, unit, period FROM requests"
		" ORDER BY number LIMIT 200",
	[REQUESTS_TAKEN] = "DELETE FROM requests WHERE id IN (SELECT id FROM acts)",
	[PRUNER] = "SELECT relay FROM relays WHERE seen > ? ORDER BY relay LIMIT 1",
};

static const char recorded[] = "a message of this id is already recorded";

static int64_t
boot_ms(const struct postgres *p)
{
	return p->b.options.clock->boot_ms(p->b.options.clock->context);
}

/* By the clock of the server when it was last asked. */
static int64_t
limit_now(const struct backend *b)
{
	const struct postgres *p = (const struct postgres *)b;

	return boot_ms(p) + atomic_load(&p->offset);
}

static void
close_db(struct postgres *p)
{
	for (int i = 0; i < OWN; i++)
		db_finalize(&p->own[i]);
	backend_close(&p->b);
}

static int
prepare(struct postgres *p)
{
	for (int i = 0; i < OWN; i++)
		if ((p->own[i] = db_prepare(p->b.db, own_statements[i])) == NULL)
			return -1;
	return backend_prepare(&p->b);
}

/* What a commit waits for: the admin's setting where it is durable. */
static int
set_durability(struct postgres *p)
{
	return db_exec(p->b.db, p->b.options.durability == STORE_DURABILITY_PROCESS
		       ? "SET synchronous_commit = off"
		       : "SELECT set_config('synchronous_commit', 'on', false)"
			 " WHERE current_setting('synchronous_commit') = 'off'");
}

static int64_t
machine_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A test took the server away. */
static bool
is_cut_off(const struct postgres *p)
{
	return p->b.options.server_away != NULL && *p->b.options.server_away;
}

static void
note_failure(struct postgres *p, const struct db_failure *f)
{
	p->error = f->error;
	p->is_away = f->is_away;
	snprintf(p->words, sizeof p->words, "%s", f->words);
}

/* The failure of the connection that is open. */
static void
note_db_failure(struct postgres *p)
{
	p->error = p->is_short ? "memory is short" : db_error(p->b.db);
	p->is_away = !p->is_short && db_is_away(p->b.db);
	snprintf(p->words, sizeof p->words, "%s", db_words(p->b.db));
}

/* NULL, or what is wrong; then there is no connection. */
static const char *
open_db(struct postgres *p)
{
	static const struct db_failure cut_off = {.error = "the server is cut off", .is_away = true};
	struct db_failure f;

	if (is_cut_off(p)) {
		close_db(p);
		note_failure(p, &cut_off);
		return p->error;
	}
	if (p->b.db != NULL)
		return NULL;
	p->b.db = connector_take(p->connector, p->is_out ? 0 : TAKE_MS, &f);
	p->is_out = p->b.db == NULL;
	if (p->is_out) {
		note_failure(p, &f);
		return p->error;
	}
	p->b.may_wait = true;
	p->b.free_next = 0;
	p->is_short = false;
	db_deadline(p->b.db, p->batch_ms);
	if (set_durability(p) == 0 && prepare(p) == 0)
		return NULL;
	note_db_failure(p);
	close_db(p);
	return p->error;
}

/* What a failure is for the writer. */
static int
outcome(const struct postgres *p)
{
	return p->is_away ? STORE_AWAY : -1;
}

static bool
make_room(struct postgres *p, size_t n)
{
	struct locked *more;

	if (n <= p->locked_room)
		return true;
	more = realloc(p->locked, 2 * n * sizeof *more);
	if (more == NULL)
		return false;
	p->locked = more;
	p->locked_room = 2 * n;
	return true;
}

/* A counter is to be locked, once, unless it is. */
static bool
choose(struct postgres *p, struct counter *k, const struct charge *c)
{
	bool is_new = k != NULL && k->limit_id == 0 && k->chosen != p->choice;

	if (k == NULL || !make_room(p, p->n_locked + 1))
		return false;
	if (is_new)
		p->locked[p->n_locked++] = (struct locked){.counter = k, .charge = *c};
	k->chosen = p->choice;
	return true;
}

/* Which counters are to be locked: those of the charges and of the reserves beside them. */
static bool
choose_counters(struct postgres *p, const struct charge *charges, size_t n)
{
	p->n_locked = 0;
	p->choice++;
	for (size_t i = 0; i < n; i++) {
		if (!choose(p, usage_find(p->b.usage, &charges[i]), &charges[i]))
			return false;
		for (size_t k = 0; k < charges[i].n_reserves; k++) {
			struct charge as;
			struct counter *sibling = usage_find_sibling(p->b.usage, &charges[i], k, &as);

			if (!choose(p, sibling, &as))
				return false;
		}
	}
	return true;
}

/* The counters as JSON; false when memory is short. */
static bool
write_counters(const struct postgres *p, struct text *t)
{
	struct jsonv *array = jsonv_new_array();
	bool good;

	for (size_t i = 0; array != NULL && i < p->n_locked; i++) {
		const struct charge *c = &p->locked[i].charge;
		struct jsonv *o = jsonv_add_object(array);

		jsonv_set_integer(o, "n", (int64_t)i);
		jsonv_set_text(o, "scope", c->scope);
		jsonv_set_integer(o, "unit", (int64_t)c->unit);
		jsonv_set_integer(o, "period", c->period);
		jsonv_set_text(o, "key", c->key);
		jsonv_set_text(o, "name", c->name);
		jsonv_set_integer(o, "count", c->count > INT64_MAX ? INT64_MAX : (int64_t)c->count);
	}
	good = array != NULL && jsonv_write(array, false, t) == 0;
	jsonv_free(&array);
	return good;
}

static int
compare_locked(const void *a, const void *b)
{
	const struct locked *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static struct locked *
find_locked(struct postgres *p, int64_t id)
{
	const struct locked key = {.id = id};

	return p->n_locked == 0 ? NULL : bsearch(&key, p->locked, p->n_locked, sizeof key, compare_locked);
}

/* Locks the counters and notes which they are; then they are sorted by id. */
static enum db_result
lock_counters(struct postgres *p)
{
	struct db_query *q = p->own[LIMITS_LOCK];
	enum db_result rc;

	while ((rc = db_step(q)) == DB_ROW)
		if (db_int(q, 1) >= 0 && (size_t)db_int(q, 1) < p->n_locked) {
			struct locked *k = &p->locked[db_int(q, 1)];

			k->id = db_int(q, 0);
			rows_read_state(q, 2, &k->state);
		}
	db_reset(q);
	qsort(p->locked, p->n_locked, sizeof p->locked[0], compare_locked);
	return rc;
}

static enum db_result
read_use(struct postgres *p)
{
	struct db_query *q = p->own[USE_ALL];
	enum db_result rc;
	struct locked *k;

	while ((rc = db_step(q)) == DB_ROW)
		if ((k = find_locked(p, db_int(q, 0))) != NULL)
			window_add(&k->window, db_int(q, 1), (uint64_t)db_int(q, 2));
	db_reset(q);
	return rc;
}

static enum db_result
read_waiting(struct postgres *p)
{
	struct db_query *q = p->own[WAITING_ALL];
	enum db_result rc;
	struct locked *k;

	while ((rc = db_step(q)) == DB_ROW)
		if ((k = find_locked(p, db_int(q, 0))) != NULL)
			k->state.waiting = (uint64_t)db_int(q, 1);
	db_reset(q);
	return rc;
}

static enum db_result
read_counters(struct postgres *p)
{
	enum db_result rc = read_use(p);

	if (rc == DB_DONE)
		rc = read_waiting(p);
	for (size_t i = 0; rc == DB_DONE && i < p->n_locked; i++)
		if (p->locked[i].id != 0)
			usage_set(p->b.usage, p->locked[i].counter, p->locked[i].id, &p->locked[i].window,
				  &p->locked[i].state);
	return rc;
}

static enum db_result
read_now(struct postgres *p)
{
	enum db_result rc = db_step(p->own[NOW]);

	if (rc == DB_ROW) {
		p->b.now = db_int(p->own[NOW], 0);
		if (p->b.options.server_skew != NULL)
			p->b.now += *p->b.options.server_skew;
		atomic_store(&p->offset, p->b.now - boot_ms(p));
	}
	db_reset(p->own[NOW]);
	return rc == DB_ROW ? DB_DONE : DB_FAILED;
}

/* Locks and reads what these charges need; see backend-private.h. */
static enum db_result
load_all(struct backend *b, const struct charge *charges, size_t n)
{
	static const enum own_statement asked[] = {LIMITS_LOCK, USE_ALL, WAITING_ALL};
	struct postgres *p = (struct postgres *)b;
	struct text json = {0};
	enum db_result rc = DB_DONE;
	int i = 0;

	if (!choose_counters(p, charges, n) || (p->n_locked > 0 && !write_counters(p, &json))) {
		text_free(&json);
		p->is_short = true;
		return DB_FAILED;
	}
	if (p->n_locked == 0)
		return read_now(p);
	db_bind_text(p->own[LIMITS_MAKE], &i, text_string(&json));
	rc = db_send(p->own[LIMITS_MAKE]);
	for (size_t k = 0; rc == DB_DONE && k < sizeof asked / sizeof asked[0]; k++) {
		i = 0;
		db_bind_text(p->own[asked[k]], &i, text_string(&json));
		rc = db_ask(p->own[asked[k]]);
	}
	if (rc == DB_DONE)
		rc = db_ask(p->own[NOW]);
	if (rc == DB_DONE)
		rc = lock_counters(p);
	if (rc == DB_DONE)
		rc = read_counters(p);
	if (rc == DB_DONE)
		rc = read_now(p);
	text_free(&json);
	return rc;
}

/* All charges of a batch side by side, those that only refused too; the caller frees them. NULL: no memory. */
static struct charge *
collect_charges(const struct batch *batch, size_t *n_r)
{
	struct charge *all;
	size_t n = batch->n_reached;

	for (size_t i = 0; i < batch->n_admits; i++)
		n += batch->admits[i]->n_charges;
	all = calloc(n + 1, sizeof *all);
	*n_r = 0;
	for (size_t i = 0; all != NULL && i < batch->n_admits; i++)
		for (size_t k = 0; k < batch->admits[i]->n_charges; k++)
			all[(*n_r)++] = batch->admits[i]->charges[k];
	for (size_t i = 0; all != NULL && i < batch->n_reached; i++)
		all[(*n_r)++] = batch->reached[i].charge;
	return all;
}

/* Asks which of the messages are recorded already; *json is the parameter. */
static enum db_result
ask_recorded(struct postgres *p, const struct batch *batch, struct text *json)
{
	struct jsonv *array = jsonv_new_array();
	enum db_result rc = DB_FAILED;
	int i = 0;

	for (size_t k = 0; array != NULL && k < batch->n_admits; k++) {
		struct jsonv *o = jsonv_add_object(array);

		jsonv_set_integer(o, "n", (int64_t)k);
		jsonv_set_text(o, "id", batch->admits[k]->record->id);
	}
	if (array != NULL && jsonv_write(array, false, json) == 0) {
		db_bind_text(p->own[IDS], &i, text_string(json));
		rc = db_ask(p->own[IDS]);
	}
	jsonv_free(&array);
	return rc;
}

static const char *
repeated(const struct batch *batch, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(batch->admits[i]->record->id, batch->admits[n]->record->id) == 0)
			return recorded;
	return NULL;
}

static enum db_result
read_recorded(struct postgres *p, const struct batch *batch)
{
	struct db_query *q = p->own[IDS];
	enum db_result rc;

	for (size_t k = 0; k < batch->n_admits; k++)
		batch->admit_errors[k] = repeated(batch, k);
	while ((rc = db_step(q)) == DB_ROW)
		if (db_int(q, 0) >= 0 && (size_t)db_int(q, 0) < batch->n_admits)
			batch->admit_errors[db_int(q, 0)] = recorded;
	db_reset(q);
	return rc;
}

static enum db_result
ask_batch(struct postgres *p)
{
	int i = 0;

	db_bind_text(p->own[RELAY_BATCH], &i, p->relay);
	return db_ask(p->own[RELAY_BATCH]);
}

/* Whether what was in doubt was committed: no other transaction of ours came after it. */
static enum db_result
settle_doubt(struct postgres *p)
{
	struct db_query *q = p->own[RELAY_BATCH];
	enum db_result rc = ask_batch(p);

	if (rc == DB_DONE)
		rc = db_step(q);
	if (rc == DB_ROW)
		doubt_settle(p->doubt, db_int(q, 0) == p->doubt_batch);
	p->is_open = p->is_open && rc != DB_ROW;
	db_reset(q);
	return rc == DB_ROW ? DB_DONE : DB_FAILED;
}

static uint64_t
uncounted(struct backend *b, const struct refusal_delta *d)
{
	return doubt_left(((struct postgres *)b)->doubt, d);
}

static enum db_result
begin(struct postgres *p)
{
	enum db_result rc;
	int i = 0;

	db_deadline(p->b.db, p->batch_ms);
	p->began_ms = machine_ms();
	usage_detach(p->b.usage);
	p->is_short = p->is_ending = false;
	rc = db_send(p->own[BEGIN]);
	db_bind_text(p->own[RELAY_MAKE], &i, p->relay);
	if (rc == DB_DONE && !p->is_noted)
		rc = db_send(p->own[RELAY_MAKE]);
	if (rc == DB_DONE && p->is_open && p->doubt_batch != p->batch)
		rc = settle_doubt(p);
	return rc == DB_DONE ? ask_batch(p) : rc;
}

/* Whether this batch was committed all the same when its connection was lost. */
static enum db_result
read_batch(struct postgres *p, bool *is_done_r)
{
	struct db_query *q = p->own[RELAY_BATCH];
	enum db_result rc = db_step(q);

	*is_done_r = rc == DB_ROW && db_int(q, 0) == p->batch;
	db_reset(q);
	return rc == DB_ROW ? DB_DONE : DB_FAILED;
}

static enum db_result
end(struct postgres *p)
{
	struct db_query *q = p->own[RELAY_NOTE];
	enum db_result rc;
	int i = 0;

	db_bind_text(q, &i, p->relay);
	db_bind_int(q, &i, p->b.now);
	db_bind_int(q, &i, p->batch);
	db_bind_text(q, &i, PACKAGE_VERSION);
	rc = db_send(q);
	p->is_ending = rc == DB_DONE;
	if (rc == DB_DONE)
		rc = db_run(p->own[COMMIT]);
	p->is_noted = p->is_noted || rc == DB_DONE;
	return rc;
}

static enum db_result
write_batch(struct postgres *p, const struct batch *batch)
{
	size_t n;
	struct charge *charges = collect_charges(batch, &n);
	enum db_result rc = begin(p);
	struct text ids = {0};
	bool is_done = false;

	if (charges == NULL) {
		p->is_short = true;
		rc = DB_FAILED;
	}
	if (rc == DB_DONE)
		rc = ask_recorded(p, batch, &ids);
	if (rc == DB_DONE)
		rc = load_all(&p->b, charges, n);
	if (rc == DB_DONE)
		rc = read_batch(p, &is_done);
	if (rc == DB_DONE && !is_done) {
		p->is_open = false; /* the try before, if there was one, came to nothing */
		doubt_undo(p->doubt);
		rc = read_recorded(p, batch);
	}
	if (rc == DB_DONE && !is_done)
		rc = rows_write(&p->b, batch);
	text_free(&ids);
	free(charges);
	return rc == DB_DONE ? end(p) : rc;
}

/* Gives up a transaction; whether to try again. */
static bool
failed(struct postgres *p, const char **error_r)
{
	bool again = !p->is_short && db_is_retryable(p->b.db);

	note_db_failure(p);
	*error_r = p->error;
	usage_undo(p->b.usage);
	if (p->is_ending && db_is_lost(p->b.db)) {
		p->is_open = true;
		p->doubt_batch = p->batch;
	}
	if (!p->is_open)
		doubt_undo(p->doubt);
	if (db_is_lost(p->b.db) || db_rollback(p->b.db) != DB_DONE)
		close_db(p);
	if (p->is_away && machine_ms() - p->began_ms >= p->batch_ms) {
		p->late_ms = p->late_ms == 0 ? LATE_MS : p->late_ms * 2 < LATE_MAX_MS ? p->late_ms * 2 : LATE_MAX_MS;
		connector_rest(p->connector, p->late_ms);
		p->is_out = true;
	}
	return again;
}

/* What was written counts. */
static void
done(struct postgres *p)
{
	usage_keep(p->b.usage, p->b.now);
	doubt_keep(p->doubt);
	p->is_open = false;
	p->late_ms = 0;
}

/* See backend-private.h. `work` loads what it needs, which sets the limits' time. */
static int
transaction(struct backend *b, enum db_result (*work)(struct backend *b, void *context), void *context,
	    const char **error_r)
{
	struct postgres *p = (struct postgres *)b;

	p->batch++;
	if ((*error_r = open_db(p)) != NULL)
		return outcome(p);
	if (begin(p) == DB_DONE && work(b, context) == DB_DONE && end(p) == DB_DONE) {
		done(p);
		return 0;
	}
	(void)failed(p, error_r);
	return outcome(p);
}

static int
postgres_commit(void *backend, const struct batch *batch, const char **error_r)
{
	struct postgres *p = backend;
	bool again = true;

	p->batch++;
	for (int i = 0; again && i < TRIES; i++) {
		if ((*error_r = open_db(p)) != NULL)
			break;
		if (write_batch(p, batch) == DB_DONE) {
			done(p);
			return 0;
		}
		again = failed(p, error_r);
	}
	if (p->is_open && p->doubt_batch == p->batch)
		doubt_open(p->doubt, batch->refusals, batch->n_refusals);
	return outcome(p);
}

/* Whether it is this relay that deletes what is old. */
static bool
prunes(struct postgres *p)
{
	struct db_query *q = p->own[PRUNER];
	bool mine;
	int i = 0;

	db_bind_int(q, &i, p->b.now - 600000);
	mine = db_step(q) == DB_ROW && strcmp(db_text(q, 0), p->relay) == 0;
	db_reset(q);
	return mine;
}

struct pruning {
	int64_t before_ms;
	int max, n;
};

static enum db_result
prune(struct backend *b, void *context)
{
	struct postgres *p = (struct postgres *)b;
	struct pruning *x = context;

	if (load_all(b, NULL, 0) != DB_DONE)
		return DB_FAILED;
	return prunes(p) ? prune_rows(b, x->before_ms, x->max, &x->n) : DB_DONE;
}

static int
postgres_prune(void *backend, int64_t before_ms, int max)
{
	struct postgres *p = backend;
	struct pruning x = {.before_ms = before_ms, .max = max};
	const char *error;

	return p->b.db == NULL ? -1 : transaction(&p->b, prune, &x, &error) == 0 ? x.n : -1;
}

/* What operators asked for. Of the relays that see a request one takes it up. */
static enum db_result
apply_requests(struct postgres *p)
{
	struct operator_request rows[200];
	struct arena *arena = arena_new(0);
	struct db_query *q = p->own[REQUESTS];
	enum db_result rc = arena == NULL ? DB_FAILED : DB_DONE;
	size_t n = 0;

	while (rc == DB_DONE && n < sizeof rows / sizeof rows[0] && (rc = db_step(q)) == DB_ROW) {
		rows[n++] = requests_row(q, arena);
		rc = DB_DONE;
	}
	db_reset(q);
	if (rc == DB_DONE && n > 0 && !arena_failed(arena))
		rc = acts_apply(&p->b, rows, n);
	if (rc == DB_DONE && n > 0)
		rc = db_send(p->own[REQUESTS_TAKEN]);
	arena_free(&arena);
	return rc;
}

static bool
is_time(struct postgres *p)
{
	bool is = backend_may_tend(&p->b, boot_ms(p) + atomic_load(&p->offset)) || boot_ms(p) - p->asked_ms >= REQUESTS_MS;

	if (is)
		p->asked_ms = boot_ms(p);
	return is;
}

static enum db_result
tend(struct backend *b, void *context)
{
	(void)context;
	if (load_all(b, NULL, 0) != DB_DONE || apply_requests((struct postgres *)b) != DB_DONE)
		return DB_FAILED;
	return backend_tend(b);
}

static int
postgres_tend(void *backend, const char **error_r)
{
	struct postgres *p = backend;

	if ((*error_r = open_db(p)) != NULL)
		return outcome(p);
	return is_time(p) ? transaction(&p->b, tend, NULL, error_r) : 0;
}

static void
postgres_close(void *backend)
{
	struct postgres *p = backend;

	if (p->b.usage != NULL)
		close_db(p);
	connector_free(&p->connector);
	usage_free(&p->b.usage);
	doubt_free(&p->doubt);
	events_free(&p->b);
	hours_free(&p->b.hours);
	held_free(&p->b);
	free(p->locked);
	free(p->url);
	free(p->relay);
	free(p);
}

/* The number of this process' first batch is of no other one's. */
static int64_t
first_batch(const struct clock *c)
{
	return c->wall_ms(c->context) << 20;
}

static bool
init(struct postgres *p, const struct store_options *o)
{
	p->error = "memory is short";
	p->b.options = *o;
	p->b.usage = usage_new();
	p->b.hours = hours_new();
	p->b.load_all = load_all;
	p->b.transaction = transaction;
	p->b.limit_now = limit_now;
	p->b.is_shared = true;
	if (p->b.usage != NULL)
		backend_notify(p, NEAR_PERCENT, QUIET_MS);
	p->batch = first_batch(o->clock);
	p->batch_ms = o->local_url == NULL ? BATCH_MS : BACKED_BATCH_MS;
	p->url = strdup(o->url);
	p->relay = strdup(o->relay);
	p->b.options.relay = p->relay;
	p->doubt = doubt_new();
	p->b.uncounted = uncounted;
	if (p->b.usage != NULL && p->b.hours != NULL && p->url != NULL && p->relay != NULL && p->doubt != NULL)
		p->connector = connector_new(o->url);
	return p->connector != NULL;
}

/* What is wrong at the start, in full. */
static void
write_error(const struct postgres *p, char *text, size_t size)
{
	char shown[300];

	db_shown_url(p->b.options.url, shown, sizeof shown);
	snprintf(text, size, "%s: %s%s%s%s", shown, p->error, p->words[0] != '\0' ? " (" : "", p->words,
		 p->words[0] != '\0' ? ")" : "");
}

/* A server that is away is no reason not to start: it may well come after us. */
static void *
postgres_open(const struct store_options *o, char *error_r, size_t error_size)
{
	struct postgres *p = calloc(1, sizeof *p);
	const char *error;
	char line[1000];

	if (p == NULL) {
		snprintf(error_r, error_size, "memory is short");
		return NULL;
	}
	if (init(p, o) && open_db(p) == NULL) {
		(void)postgres_tend(p, &error); /* what fails comes again */
		return p;
	}
	if (p->connector != NULL && p->is_away) {
		write_error(p, line, sizeof line);
		backend_say(&p->b, true, line);
		return p;
	}
	write_error(p, error_r, error_size);
	postgres_close(p);
	return NULL;
}

static void
postgres_peek(void *backend, struct charge *charges, size_t n)
{
	struct postgres *p = backend;

	usage_weigh(p->b.usage, NULL, charges, n, limit_now(&p->b));
}

#define OPS \
	.open = postgres_open, .close = postgres_close, .commit = postgres_commit, .prune = postgres_prune, \
	.tend = postgres_tend, .notify = backend_notify, .peek = postgres_peek, .reader_open = reader_open, .reader_close = reader_close, \
	.reader_peek = reader_peek, .reader_messages = reader_messages, .reader_refusals = reader_refusals, \
	.reader_count = reader_count, .reader_limit = reader_limit, .reader_policy = reader_policy, \
	.reader_held = reader_held, .reader_left = reader_left, \
	.reader_held_one = reader_held_one, .reader_find = reader_find, .reader_deliveries = reader_deliveries, \
	.reader_upstream = reader_upstream, .reader_timings = reader_timings, \
	.reader_reports = reader_reports, .reader_followed = reader_followed, \
	.reader_counters = reader_counters, .reader_spenders = reader_spenders, .reader_boosts = reader_boosts, \
	.reader_traffic = reader_traffic, .reader_holding = reader_holding, .reader_seen = reader_seen, .reader_answers = reader_answers, \
	.reader_newest = reader_newest, .reader_latest = reader_latest, .reader_replies = reader_replies, \
	.reader_patience = reader_patience, \
	.reader_events = reader_events, .reader_last_event = reader_last_event

const struct store_ops store_postgres_ops = { .scheme = "postgresql://", OPS };
const struct store_ops store_postgres_short_ops = { .scheme = "postgres://", OPS };
