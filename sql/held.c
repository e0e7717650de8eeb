/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Mail that the MTA holds for a limit: it is let go oldest first, the apps that
 * wait for one limit in turn, when all its limits have room, and charged then.
 * What has no room for an older message has none for a younger one, unless the older
 * one only has to leave it to the other's app.
 *
 * The releaser (postern release) reads which messages were granted, has the MTA let
 * them go, and confirms each. While a grant is older than STORE_HELD_LEASE_MS and not
 * confirmed, nobody tells the MTA, and nothing more is granted; the releaser, when it
 * is there again, leaves such a grant alone and says that it was late, so that the
 * message waits again for its turn. So what a releaser does after a pause is no burst.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "sql/backend-private.h"
#include "sql/reserves.h"

/* Messages looked at in one transaction, and at most granted and not confirmed. */
#define GRANTS_MAX 200
/* The MTA has put a message into its hold queue when it is that old. */
#define SETTLED_MS 2000

/* When a queue last had one of its messages go. */
struct served {
	int64_t limit_id;
	char *app;
	int64_t stamp;
};
#define SERVED_MAX 4096

struct candidate {
	int64_t number;
	const char *id;
	int64_t limit_id;         /* its queue: what it waits for, and its app */
	const char *app, *tenant;
	int turn;                 /* its place in its queue */
	int64_t stamp;            /* when its queue was served, 0: long ago */
	struct charge *charges;
	size_t n_charges;
};

struct grant {
	struct backend *b;
	struct arena *arena;
	struct candidate candidate[GRANTS_MAX];
	int n;
};

static enum db_result
add_charge(struct backend *b, const struct admit *a, size_t n, int64_t limit_id)
{
	const struct charge *c = &a->charges[n];
	struct db_query *q = b->query[HELD_CHARGE];
	struct text reserves = {0};
	enum db_result rc;
	int i = 0;

	reserves_write(c, &reserves);

	db_bind_text(q, &i, a->record->id);
	db_bind_u64(q, &i, n);
	db_bind_int(q, &i, limit_id);
	db_bind_u64(q, &i, c->amount);
	db_bind_int(q, &i, (int64_t)c->over);
	db_bind_u64(q, &i, c->kept);
	db_bind_text(q, &i, text_string(&reserves));
	rc = reserves.failed ? DB_FAILED : db_send(q);
	text_free(&reserves);
	return rc;
}

/* The counter it waits for: 0 where no limit holds it. */
static int64_t
waits_for(const struct admit *a, struct counter *const *counters)
{
	for (size_t i = 0; i < a->n_charges; i++)
		if (!a->charged && a->charges[i].over == OVER_HOLD && charge_stops(&a->charges[i]))
			return counters[i]->limit_id;
	return 0;
}

enum db_result
held_add(struct backend *b, const struct admit *a, struct counter *const *counters, int64_t held_time)
{
	int64_t limit_id = waits_for(a, counters);
	struct db_query *q = b->query[HELD_NEW];
	enum db_result rc;
	int i = 0;

	db_bind_text(q, &i, a->record->id);
	db_bind_text(q, &i, b->options.relay);
	db_bind_text(q, &i, a->record->queue_id);
	db_bind_text(q, &i, a->record->app);
	db_bind_text(q, &i, a->record->tenant);
	db_bind_int(q, &i, limit_id);
	db_bind_text(q, &i, limit_id != 0 ? "waiting" : "kept");
	db_bind_int(q, &i, held_time);
	rc = db_send(q);
	for (size_t n = 0; rc == DB_DONE && limit_id != 0 && n < a->n_charges; n++) {
		rc = add_charge(b, a, n, counters[n]->limit_id);
		if (a->charges[n].over == OVER_HOLD)
			usage_wait(b->usage, counters[n], 1);
	}
	b->may_wait = b->may_wait || limit_id != 0;
	return rc;
}

bool
held_may_wait(const struct backend *b)
{
	return b->may_wait;
}

static struct served *
find_served(struct backend *b, int64_t limit_id, const char *app)
{
	for (size_t i = 0; i < b->n_served; i++)
		if (b->served[i].limit_id == limit_id && strcmp(b->served[i].app, app) == 0)
			return &b->served[i];
	return NULL;
}

static void
forget_served(struct backend *b)
{
	for (size_t i = 0; i < b->n_served; i++)
		free(b->served[i].app);
	free(b->served);
	b->served = NULL;
	b->n_served = 0;
}

void
held_free(struct backend *b)
{
	forget_served(b);
	free(b->queue_app);
	b->queue_app = NULL;
}

/* What is forgotten, because memory is short or the queues are many, is a turn. */
static void
note_served(struct backend *b, const struct candidate *c)
{
	struct served *s = find_served(b, c->limit_id, c->app);

	if (s == NULL && b->n_served == SERVED_MAX)
		forget_served(b);
	if (s == NULL && b->n_served % 64 == 0) {
		s = realloc(b->served, (b->n_served + 64) * sizeof *s);
		if (s == NULL)
			return;
		b->served = s;
		s = NULL;
	}
	if (s == NULL) {
		s = &b->served[b->n_served];
		*s = (struct served){.limit_id = c->limit_id, .app = strdup(c->app)};
		if (s->app == NULL)
			return;
		b->n_served++;
	}
	s->stamp = ++b->stamps;
}

/* The oldest of one queue. */
static enum db_result
collect_queue(struct grant *g, int64_t limit_id, const char *app)
{
	struct db_query *q = g->b->query[HELD_OLDEST];
	int most = g->b->n_queues < GRANTS_MAX ? GRANTS_MAX / (g->b->n_queues + 1) : 1, i = 0, turn = 0;
	const struct served *served = find_served(g->b, limit_id, app);
	enum db_result rc;

	db_bind_text(q, &i, g->b->options.relay);
	db_bind_int(q, &i, limit_id);
	db_bind_text(q, &i, app);
	db_bind_int(q, &i, backend_wall_ms(g->b) - SETTLED_MS);
	db_bind_int(q, &i, most);
	while ((rc = db_step(q)) == DB_ROW && g->n < GRANTS_MAX)
		g->candidate[g->n++] = (struct candidate){
			.number = db_int(q, 0), .id = arena_string(g->arena, db_text(q, 1)), .turn = turn++,
			.limit_id = limit_id, .app = app, .tenant = arena_string(g->arena, db_text(q, 2)),
			.stamp = served == NULL ? 0 : served->stamp,
		};
	db_reset(q);
	return rc == DB_ROW ? DB_DONE : rc;
}

/* The queue after this one; DB_ROW, or DB_DONE when it was the last. */
static enum db_result
next_queue(struct grant *g, int64_t *limit_id, const char **app)
{
	struct db_query *q = g->b->query[HELD_QUEUE];
	enum db_result rc;
	int i = 0;

	db_bind_text(q, &i, g->b->options.relay);
	db_bind_int(q, &i, *limit_id);
	db_bind_text(q, &i, *app);
	rc = db_step(q);
	if (rc == DB_ROW) {
		*limit_id = db_int(q, 0);
		*app = arena_string(g->arena, db_text(q, 1));
	}
	db_reset(q);
	return rc == DB_ROW && *app == NULL ? DB_DONE : rc;
}

/* Notes where to go on when there was no room for all queues. */
static void
remember_queue(struct backend *b, int64_t limit_id, const char *app)
{
	free(b->queue_app);
	b->queue_app = limit_id == 0 ? NULL : strdup(app);
	b->queue_limit = b->queue_app == NULL ? 0 : limit_id;
}

/* The oldest of each queue, as many of each as fit. */
static enum db_result
collect(struct grant *g)
{
	int64_t limit_id = g->b->queue_limit;
	const char *app = g->b->queue_app == NULL ? "" : g->b->queue_app;
	enum db_result rc = DB_DONE;
	int n = 0;

	while (g->n < GRANTS_MAX && (rc = next_queue(g, &limit_id, &app)) == DB_ROW) {
		n++;
		rc = collect_queue(g, limit_id, app);
		if (rc != DB_DONE)
			return rc;
	}
	g->b->may_wait = n > 0 || g->b->queue_limit != 0;
	if (g->n < GRANTS_MAX) {
		g->b->n_queues = n;
		remember_queue(g->b, 0, "");
		return rc;
	}
	g->b->n_queues = n > g->b->n_queues ? n : g->b->n_queues;
	remember_queue(g->b, limit_id, app);
	return DB_DONE;
}

/* What a candidate would be charged. */
static enum db_result
read_charges(struct grant *g, struct candidate *c)
{
	struct db_query *q = g->b->query[HELD_CHARGES];
	size_t room = 0;
	enum db_result rc;
	int i = 0;

	db_bind_text(q, &i, c->id);
	while ((rc = db_step(q)) == DB_ROW) {
		if (c->n_charges == room) {
			struct charge *more = arena_array(g->arena, room = room == 0 ? 8 : 2 * room, sizeof *more);

			if (more == NULL)
				break;
			if (c->n_charges > 0)
				memcpy(more, c->charges, c->n_charges * sizeof *more);
			c->charges = more;
		}
		c->charges[c->n_charges] = (struct charge){
			.scope = arena_string(g->arena, db_text(q, 0)), .unit = (enum unit)db_int(q, 1),
			.period = (uint32_t)db_int(q, 2), .key = arena_string(g->arena, db_text(q, 3)),
			.name = arena_string(g->arena, db_text(q, 4)), .count = (uint64_t)db_int(q, 5),
			.amount = (uint64_t)db_int(q, 6), .over = (enum over)db_int(q, 7), .enforced = true,
			.has_waited = true, .kept = (uint64_t)db_int(q, 8), .tally = charge_is_tally_key(db_text(q, 3)),
		};
		reserves_read(g->arena, db_text(q, 9), &c->charges[c->n_charges++]);
	}
	db_reset(q);
	return rc == DB_ROW ? DB_DONE : rc;
}

/* Those with the same place in their queue, first the one whose queue was not served for
 * longest, then by age; then those behind them. */
static int
compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->turn != y->turn)
		return x->turn < y->turn ? -1 : 1;
	if (x->stamp != y->stamp)
		return x->stamp < y->stamp ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* What has no room for this message has none for the younger ones, but where only what
 * is held back stands in its way, for those from whom less is. */
static void
block(struct grant *g, const struct charge *c, struct counter *k)
{
	uint64_t from = c->used + c->amount > charge_count(c) ? 0 : charge_held(c);

	if (k->blocked != g->b->grants || from < k->blocked_from)
		k->blocked_from = from;
	k->blocked = g->b->grants;
}

static bool
is_blocked(struct grant *g, const struct charge *c, const struct counter *k)
{
	return k->blocked == g->b->grants && charge_held(c) >= k->blocked_from;
}

static bool
has_room(struct grant *g, const struct candidate *c, struct counter *const *counters)
{
	bool room = true, never = false;

	for (size_t i = 0; i < c->n_charges; i++) {
		never = never || (charge_stops(&c->charges[i]) && c->charges[i].retry_ms < 0);
		room = room && !is_blocked(g, &c->charges[i], counters[i]) && !charge_stops(&c->charges[i]);
	}
	/* One that will never fit keeps nobody waiting. */
	for (size_t i = 0; !room && !never && i < c->n_charges; i++)
		if (charge_stops(&c->charges[i]))
			block(g, &c->charges[i], counters[i]);
	return room;
}

static enum db_result
grant(struct backend *b, const char *id, const char *who)
{
	struct db_query *q = b->query[HELD_GRANT];
	int i = 0;

	db_bind_int(q, &i, backend_wall_ms(b));
	db_bind_text(q, &i, who);
	db_bind_text(q, &i, id);
	return db_send(q);
}

/* Notes whether what it is to be charged was charged. */
static enum db_result
mark_charges(struct backend *b, const char *id, bool is_granted)
{
	struct db_query *q = b->query[HELD_GRANTED];
	enum db_result rc;
	int i = 0;

	db_bind_int(q, &i, is_granted);
	db_bind_text(q, &i, id);
	rc = db_send(q);
	if (rc != DB_DONE || !is_granted)
		return rc;
	q = b->query[HELD_CHARGED];
	i = 0;
	db_bind_text(q, &i, id);
	return db_send(q);
}

/* `who`: the operator who has it go, "" where its turn has come. */
static enum db_result
let_go(struct backend *b, const struct candidate *c, struct counter *const *counters, const char *who)
{
	const struct cause cause = {c->id, c->app, c->tenant};
	enum db_result rc = grant(b, c->id, who);

	for (size_t n = 0; rc == DB_DONE && n < c->n_charges; n++) {
		rc = rows_charge(b, counters[n], &c->charges[n]);
		if (c->charges[n].over == OVER_HOLD)
			usage_wait(b->usage, counters[n], -1);
	}
	if (rc == DB_DONE)
		rc = mark_charges(b, c->id, true);
	return rc == DB_DONE ? events_granted(b, c->charges, c->n_charges, counters, &cause) : rc;
}

/* Its counters, and what its charges come to now; NULL when memory is short or the database failed. */
static struct counter **
weigh(struct grant *g, struct candidate *c, enum db_result *rc_r)
{
	struct counter **counters = usage_room(g->b->usage, c->n_charges);
	const char *error = counters == NULL ? "memory is short" : NULL;

	*rc_r = error == NULL ? rows_weigh(g->b, counters, c->charges, c->n_charges, &error) : DB_DONE;
	return *rc_r == DB_DONE && error == NULL ? counters : NULL;
}

static enum db_result
consider(struct grant *g, struct candidate *c)
{
	enum db_result rc = DB_DONE;
	struct counter **counters = weigh(g, c, &rc);

	if (counters == NULL || !has_room(g, c, counters))
		return rc;
	if (g->b->options.stays != NULL && g->b->options.stays(g->b->options.stays_context, c->tenant))
		return rc;
	note_served(g->b, c);
	return let_go(g->b, c, counters, "");
}

/* All charges of all candidates at once, where the backend can load them so. */
static enum db_result
load_all(struct grant *g)
{
	struct charge *all;
	size_t n = 0;

	for (int k = 0; k < g->n; k++)
		n += g->candidate[k].n_charges;
	all = arena_array(g->arena, n + 1, sizeof *all);
	if (g->b->load_all == NULL || all == NULL)
		return DB_DONE;
	n = 0;
	for (int k = 0; k < g->n; k++)
		for (size_t i = 0; i < g->candidate[k].n_charges; i++)
			all[n++] = g->candidate[k].charges[i];
	return g->b->load_all(g->b, all, n);
}

/* How many more can be granted now. */
static enum db_result
read_room(struct backend *b, int *room_r, bool *is_out_r)
{
	struct db_query *q = b->query[HELD_OUT];
	int64_t n = 0, oldest = 0;
	enum db_result rc;
	int i = 0;

	db_bind_text(q, &i, b->options.relay);
	if ((rc = db_step(q)) == DB_ROW) {
		n = db_int(q, 0);
		oldest = db_int(q, 1);
	}
	db_reset(q);
	*is_out_r = n > 0;
	*room_r = n == 0 ? GRANTS_MAX : (int)(GRANTS_MAX - n);
	if (n > 0 && oldest < backend_wall_ms(b) - STORE_HELD_LEASE_MS)
		*room_r = 0;
	return rc == DB_ROW ? DB_DONE : DB_FAILED;
}

enum db_result
held_grant(struct backend *b)
{
	struct grant g = {.b = b, .arena = arena_new(0)};
	enum db_result rc = DB_DONE;
	bool is_out = false;
	int room = 0;

	if (g.arena != NULL)
		rc = read_room(b, &room, &is_out);
	if (rc != DB_DONE || room <= 0) {
		arena_free(&g.arena);
		return rc;
	}
	b->grants++;
	rc = collect(&g);
	b->may_wait = b->may_wait || is_out; /* it may come to wait again, by another relay's hand */
	for (int i = 0; rc == DB_DONE && i < g.n; i++)
		rc = read_charges(&g, &g.candidate[i]);
	if (rc == DB_DONE)
		rc = load_all(&g);
	qsort(g.candidate, (size_t)g.n, sizeof g.candidate[0], compare);
	for (int i = 0; rc == DB_DONE && !arena_failed(g.arena) && i < g.n && i < room; i++)
		rc = consider(&g, &g.candidate[i]);
	arena_free(&g.arena);
	return rc;
}

/* The state of a message, "" where it is not held, and whose it is, in the arena (may be NULL). */
static enum db_result
read_state(struct backend *b, const char *id, char *state_r, size_t size, struct arena *arena, struct candidate *c)
{
	struct db_query *q = b->query[HELD_STATE];
	enum db_result rc;
	int i = 0;

	state_r[0] = '\0';
	db_bind_text(q, &i, id);
	if ((rc = db_step(q)) == DB_ROW)
		snprintf(state_r, size, "%s", db_text(q, 0));
	if (rc == DB_ROW && arena != NULL) {
		c->app = arena_string(arena, db_text(q, 1));
		c->tenant = arena_string(arena, db_text(q, 2));
	}
	db_reset(q);
	return rc == DB_FAILED ? DB_FAILED : DB_DONE;
}

/* One that waits goes at once, and is charged beyond the counts if need be. */
static enum db_result
release_waiting(struct backend *b, const struct operator_request *r)
{
	struct grant g = {.b = b, .arena = arena_new(0)};
	struct candidate c = {.id = r->message_id, .app = "", .tenant = ""};
	enum db_result rc = g.arena == NULL ? DB_FAILED : read_charges(&g, &c);
	struct counter **counters = NULL;
	char state[20];

	if (rc == DB_DONE)
		rc = read_state(b, r->message_id, state, sizeof state, g.arena, &c);
	if (rc == DB_DONE && !arena_failed(g.arena))
		counters = weigh(&g, &c, &rc);
	if (rc == DB_DONE)
		rc = counters == NULL ? DB_FAILED : let_go(b, &c, counters, r->who);
	arena_free(&g.arena);
	return rc;
}

enum db_result
held_act_release(struct backend *b, const struct operator_request *r, struct text *result)
{
	enum db_result rc;
	char state[20];

	rc = read_state(b, r->message_id, state, sizeof state, NULL, NULL);
	if (rc != DB_DONE)
		return rc;
	if (strcmp(state, "waiting") == 0) {
		text_add(result, "it was charged and goes now");
		return release_waiting(b, r);
	}
	if (strcmp(state, "kept") == 0) {
		text_add(result, "it goes now; it was charged when it came");
		return grant(b, r->message_id, r->who);
	}
	if (strcmp(state, "granted") == 0 || strcmp(state, "missing") == 0)
		text_add(result, "its turn had come already");
	else
		acts_refuse(result, state[0] == '\0' ? "no message of this id was held" : strcmp(state, "gone") == 0
			    ? "the MTA does not hold it any more" : "it was released before");
	return DB_DONE;
}

static enum db_result
set_state(struct backend *b, const char *id, const char *state, int64_t time)
{
	struct db_query *q = b->query[HELD_SET];
	int i = 0;

	db_bind_text(q, &i, state);
	db_bind_int(q, &i, time);
	db_bind_text(q, &i, id);
	return db_send(q);
}

/* Its turn passed and nobody told the MTA: it waits again, at its place. */
static enum db_result
wait_again(struct backend *b, const char *id)
{
	struct grant g = {.b = b, .arena = arena_new(0)};
	struct candidate c = {.id = id};
	enum db_result rc = g.arena == NULL ? DB_FAILED : read_charges(&g, &c);
	struct counter **counters = NULL;

	if (rc == DB_DONE && !arena_failed(g.arena))
		counters = weigh(&g, &c, &rc);
	if (rc == DB_DONE && counters == NULL)
		rc = DB_FAILED;
	for (size_t n = 0; rc == DB_DONE && n < c.n_charges; n++)
		if (c.charges[n].over == OVER_HOLD)
			usage_wait(b->usage, counters[n], 1);
	arena_free(&g.arena);
	b->may_wait = true;
	if (rc == DB_DONE)
		rc = mark_charges(b, id, false);
	return rc == DB_DONE ? set_state(b, id, "waiting", 0) : rc;
}

static enum db_result
leave(struct backend *b, const char *id, const char *state)
{
	struct db_query *q = b->query[DROP_HELD_CHARGES];
	enum db_result rc;
	int i = 0;

	db_bind_text(q, &i, id);
	rc = db_send(q);
	return rc == DB_DONE ? set_state(b, id, state, backend_wall_ms(b)) : rc;
}

enum db_result
held_act_confirm(struct backend *b, const struct operator_request *r, struct text *result)
{
	enum db_result rc;
	char state[20];
	bool is_missing;

	rc = read_state(b, r->message_id, state, sizeof state, NULL, NULL);
	if (rc != DB_DONE)
		return rc;
	is_missing = strcmp(state, "missing") == 0;
	if (!is_missing && strcmp(state, "granted") != 0) {
		acts_refuse(result, "it is not granted");
		return DB_DONE;
	}
	text_add(result, "it is noted");
	if (strcmp(r->what, "late") == 0)
		return is_missing ? DB_DONE : wait_again(b, r->message_id);
	if (strcmp(r->what, "missing") == 0)
		return set_state(b, r->message_id, "missing", 0);
	return leave(b, r->message_id, r->what);
}

/* What one relay of another name holds is ours. */
static int
adopt_from(struct backend *b, const char *relay)
{
	struct db_query *q = db_prepare(b->db, "UPDATE held SET relay = ? WHERE relay = ?"
					" AND state IN ('waiting', 'kept', 'granted', 'missing')");
	enum db_result rc = DB_FAILED;
	int i = 0;

	if (q != NULL) {
		db_bind_text(q, &i, b->options.relay);
		db_bind_text(q, &i, relay);
		rc = db_run(q);
	}
	db_finalize(&q);
	return rc == DB_DONE ? 0 : -1;
}

enum db_result
held_next_relay(struct db *db, char relay[HELD_RELAY_SIZE])
{
	struct db_query *q = db_prepare(db, "SELECT min(relay) FROM held WHERE relay > ?");
	char last[HELD_RELAY_SIZE];
	enum db_result rc = DB_FAILED;
	int i = 0;

	snprintf(last, sizeof last, "%s", relay);
	relay[0] = '\0';
	if (q != NULL) {
		db_bind_text(q, &i, last);
		rc = db_step(q);
	}
	if (rc == DB_ROW && strlen(db_text(q, 0)) < HELD_RELAY_SIZE)
		snprintf(relay, HELD_RELAY_SIZE, "%s", db_text(q, 0));
	db_finalize(&q);
	return rc == DB_FAILED ? DB_FAILED : DB_DONE;
}

int
held_adopt(struct backend *b)
{
	char relay[HELD_RELAY_SIZE] = "";
	int rc = 0;

	while (rc == 0) {
		if (held_next_relay(b->db, relay) != DB_DONE)
			return -1;
		if (relay[0] == '\0')
			return 0;
		if (strcmp(relay, b->options.relay) != 0)
			rc = adopt_from(b, relay);
	}
	return rc;
}
