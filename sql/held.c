/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Mail that the MTA holds for a limit: it is let go oldest first, the apps that
 * wait for one limit in turn, when all its limits have room, and charged then.
 * What has no room for an older message has none for a younger one. Whoever talks
 * to the MTA reads here which messages were granted; see postern-release(8).
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "sql/backend-private.h"

/* Messages looked at in one transaction. */
#define GRANTS_MAX 200
/* The MTA has put a message into its hold queue when it is that old. */
#define SETTLED_MS 2000

struct candidate {
	int64_t number;
	const char *id;
	int turn;                 /* its place in its queue */
	struct charge *charges;
	size_t n_charges;
};

struct grant {
	struct backend *b;
	struct arena *arena;
	struct candidate candidate[GRANTS_MAX];
	int n;
};

static int64_t
wall_ms(const struct backend *b)
{
	return b->options.clock->wall_ms(b->options.clock->context);
}

static enum db_result
add_charge(struct backend *b, const struct admit *a, size_t n, int64_t limit_id)
{
	const struct charge *c = &a->charges[n];
	struct db_query *q = b->query[HELD_CHARGE];
	int i = 0;

	db_bind_text(q, &i, a->record->id);
	db_bind_u64(q, &i, n);
	db_bind_int(q, &i, limit_id);
	db_bind_u64(q, &i, c->amount);
	db_bind_int(q, &i, (int64_t)c->over);
	return db_send(q);
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
held_add(struct backend *b, const struct admit *a, struct counter *const *counters)
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
	db_bind_int(q, &i, wall_ms(b));
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

/* The oldest of one queue. */
static enum db_result
collect_queue(struct grant *g, int64_t limit_id, const char *app)
{
	struct db_query *q = g->b->query[HELD_OLDEST];
	int most = g->b->n_queues < GRANTS_MAX ? GRANTS_MAX / (g->b->n_queues + 1) : 1, i = 0, turn = 0;
	enum db_result rc;

	db_bind_text(q, &i, g->b->options.relay);
	db_bind_int(q, &i, limit_id);
	db_bind_text(q, &i, app);
	db_bind_int(q, &i, wall_ms(g->b) - SETTLED_MS);
	db_bind_int(q, &i, most);
	while ((rc = db_step(q)) == DB_ROW && g->n < GRANTS_MAX)
		g->candidate[g->n++] = (struct candidate){
			.number = db_int(q, 0), .id = arena_string(g->arena, db_text(q, 1)), .turn = turn++,
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
	enum db_result rc;
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
		c->charges[c->n_charges++] = (struct charge){
			.scope = arena_string(g->arena, db_text(q, 0)), .unit = (enum unit)db_int(q, 1),
			.period = (uint32_t)db_int(q, 2), .key = arena_string(g->arena, db_text(q, 3)),
			.name = arena_string(g->arena, db_text(q, 4)), .count = (uint64_t)db_int(q, 5),
			.amount = (uint64_t)db_int(q, 6), .over = (enum over)db_int(q, 7), .enforced = true,
			.has_waited = true,
		};
	}
	db_reset(q);
	return rc == DB_ROW ? DB_DONE : rc;
}

/* Those with the same place in their queue by age, then those behind them. */
static int
compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->turn != y->turn)
		return x->turn < y->turn ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static bool
has_room(struct grant *g, const struct candidate *c, struct counter *const *counters)
{
	bool room = true, never = false;

	for (size_t i = 0; i < c->n_charges; i++) {
		never = never || (charge_stops(&c->charges[i]) && c->charges[i].retry_ms < 0);
		room = room && counters[i]->blocked != g->b->grants && !charge_stops(&c->charges[i]);
	}
	/* One that will never fit keeps nobody waiting. */
	for (size_t i = 0; !room && !never && i < c->n_charges; i++)
		if (charge_stops(&c->charges[i]))
			counters[i]->blocked = g->b->grants;
	return room;
}

static enum db_result
let_go(struct backend *b, const struct candidate *c, struct counter *const *counters)
{
	static const enum statement ends[] = {HELD_CHARGED, DROP_HELD_CHARGES};
	struct db_query *q = b->query[HELD_GRANT];
	enum db_result rc;
	int i = 0;

	db_bind_int(q, &i, wall_ms(b));
	db_bind_text(q, &i, c->id);
	rc = db_send(q);
	for (size_t n = 0; rc == DB_DONE && n < c->n_charges; n++) {
		rc = rows_charge(b, counters[n], &c->charges[n]);
		if (c->charges[n].over == OVER_HOLD)
			usage_wait(b->usage, counters[n], -1);
	}
	for (size_t k = 0; rc == DB_DONE && k < sizeof ends / sizeof ends[0]; k++) {
		i = 0;
		db_bind_text(b->query[ends[k]], &i, c->id);
		rc = db_send(b->query[ends[k]]);
	}
	return rc;
}

static enum db_result
consider(struct grant *g, struct candidate *c)
{
	struct counter **counters = usage_room(g->b->usage, c->n_charges);
	const char *error = counters == NULL ? "memory is short" : NULL;
	enum db_result rc = DB_DONE;

	if (error == NULL)
		rc = rows_weigh(g->b, counters, c->charges, c->n_charges, &error);
	if (rc != DB_DONE || error != NULL)
		return rc;
	return has_room(g, c, counters) ? let_go(g->b, c, counters) : DB_DONE;
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

enum db_result
held_grant(struct backend *b)
{
	struct grant g = {.b = b, .arena = arena_new(0)};
	enum db_result rc = DB_DONE;

	if (g.arena == NULL)
		return DB_DONE;
	b->grants++;
	rc = collect(&g);
	for (int i = 0; rc == DB_DONE && i < g.n; i++)
		rc = read_charges(&g, &g.candidate[i]);
	if (rc == DB_DONE)
		rc = load_all(&g);
	qsort(g.candidate, (size_t)g.n, sizeof g.candidate[0], compare);
	for (int i = 0; rc == DB_DONE && !arena_failed(g.arena) && i < g.n; i++)
		rc = consider(&g, &g.candidate[i]);
	arena_free(&g.arena);
	return rc;
}
