/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See limits.h: the limits of the policy, each with its counters.
 */
#include "config.h"

#include "admin/limits.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define DAY_MS INT64_C(86400000)

/* A counter read, in a list. */
struct read_counter {
	struct read_counter *next;
	struct store_counter c;
};

struct collector {
	const struct limits_query *q;
	struct limits *l;
	struct read_counter *first, **last;
	size_t room;
	const char *error;
};

static uint64_t
plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static int
keep_counter(void *context, const struct store_counter *c)
{
	struct collector *x = context;
	struct read_counter *k = arena_alloc(x->l->arena, sizeof *k);

	if (k == NULL)
		return -2;
	k->c = *c;
	k->c.scope = arena_string(x->l->arena, c->scope);
	k->c.key = arena_string(x->l->arena, c->key);
	k->c.name = arena_string(x->l->arena, c->name);
	*x->last = k;
	x->last = &k->next;
	return arena_failed(x->l->arena) ? -2 : 0;
}

static bool
is_of(const struct limit *l, const struct store_counter *c)
{
	const char *name = limit_key_name(l->key);
	size_t n = strlen(name);

	if (c->unit != l->unit || c->period != l->period || strcmp(c->scope, l->scope) != 0)
		return false;
	return l->key == LIMIT_PER_SCOPE ? c->key[0] == '\0' : strncmp(c->key, name, n) == 0 && c->key[n] == '=';
}

static bool
is_asked(const struct collector *x, const struct limit *l, const struct store_counter *c)
{
	return is_of(l, c) && (x->q->key == NULL || strcmp(x->q->key, c->key) == 0);
}

static struct limits_row *
new_row(struct collector *x)
{
	struct limits *l = x->l;

	if (l->n_rows == x->room) {
		struct limits_row *more = arena_array(l->arena, x->room = x->room == 0 ? 64 : 2 * x->room, sizeof *more);

		if (more == NULL)
			return NULL;
		if (l->n_rows > 0)
			memcpy(more, l->rows, l->n_rows * sizeof *more);
		l->rows = more;
	}
	memset(&l->rows[l->n_rows], 0, sizeof l->rows[0]);
	return &l->rows[l->n_rows++];
}

/* ---- who spends */

static int
keep_spender(void *context, const char *who, uint64_t amount)
{
	struct collector *x = context;
	struct limits_row *row = &x->l->rows[x->l->n_rows - 1];

	if (row->n_spenders < LIMITS_SPENDERS)
		row->spender[row->n_spenders++] = (struct limits_spender){arena_string(x->l->arena, who), amount};
	else
		row->others = plus(row->others, amount);
	return 0;
}

static const char *
owner_of(const struct limit *l)
{
	return strchr(l->scope, ':') + 1;
}

static bool
is_of_app(const struct limit *l)
{
	return strncmp(l->scope, "app:", 4) == 0;
}

/* As many as are shown, and the sum of the others. */
static int
ask_spenders(struct collector *x, struct limits_row *row, enum store_by by)
{
	static const char *const names[] = {"app", "sender", "client"};
	const struct store_spent what = {
		.name = row->limit->name, .key = row->key, .since = x->l->now - (int64_t)row->limit->period * 1000,
		.app = is_of_app(row->limit) ? owner_of(row->limit) : "", .by = by, .max = 10000,
	};

	row->by = names[by];
	row->n_spenders = 0;
	row->others = 0;
	return store_reader_spenders(x->q->reader, &what, keep_spender, x, &x->error);
}

/* The apps where several share it; of an app's its senders, or clients where that says more. */
static int
read_spenders(struct collector *x, struct limits_row *row)
{
	bool per_sender = row->limit->key == LIMIT_PER_SENDER;
	int rc;

	if (!is_of_app(row->limit))
		return ask_spenders(x, row, STORE_BY_APP);
	rc = ask_spenders(x, row, per_sender ? STORE_BY_CLIENT : STORE_BY_SENDER);
	if (rc == 0 && !per_sender && row->n_spenders == 1 && row->limit->key != LIMIT_PER_CLIENT)
		rc = ask_spenders(x, row, STORE_BY_CLIENT);
	return rc;
}

/* ---- rows */

static const struct tenant *
tenant_of(const struct policy *p, const struct limit *l)
{
	for (size_t i = 0; i < p->n_tenants; i++)
		if (strncmp(l->scope, "tenant:", 7) == 0 && strcmp(p->tenants[i].name, owner_of(l)) == 0)
			return &p->tenants[i];
	return NULL;
}

/* What an app has used of its reserve. */
static uint64_t
tally_used(const struct collector *x, const struct limit *l, const char *key)
{
	for (const struct read_counter *k = x->first; k != NULL; k = k->next)
		if (k->c.unit == l->unit && k->c.period == l->period && strcmp(k->c.scope, l->scope) == 0 &&
		    strcmp(k->c.key, key) == 0)
			return window_used(&k->c.window, window_slot(k->c.now_ms, l->period));
	return 0;
}

static void
add_reserves(struct collector *x, struct limits_row *row)
{
	const struct tenant *t = budget_is_limit(row->limit) ? tenant_of(x->q->policy, row->limit) : NULL;

	if (t == NULL)
		return;
	row->kept = budget_kept(t, row->count);
	row->held_back = row->kept;
	row->reserves = arena_array(x->l->arena, t->n_reserves + 1, sizeof *row->reserves);
	for (size_t i = 0; row->reserves != NULL && i < t->n_reserves; i++) {
		struct limits_reserve *r = &row->reserves[row->n_reserves++];

		*r = (struct limits_reserve){
			.app = t->reserves[i].app->name, .used = tally_used(x, row->limit, t->reserves[i].key),
			.amount = budget_share(&t->reserves[i].app->reserved, row->count),
		};
		row->held_back = plus(row->held_back, r->used < r->amount ? r->amount - r->used : 0);
	}
	if (row->held_back > row->left)
		row->held_back = row->left;
}

/* Whether use is at the share from which a limit is near. */
static bool
is_near(const struct policy *p, uint64_t used, uint64_t count)
{
	return used > 0 && (double)used * 100 >= (double)count * (double)p->notify.at;
}

/* k: NULL for a limit that is not used. */
static int
add_row(struct collector *x, const struct limit *l, struct read_counter *k)
{
	static const struct window unused;
	const struct window *w = k == NULL ? &unused : &k->c.window;
	int64_t now = k == NULL ? 0 : k->c.now_ms;
	struct limits_row *row = new_row(x);
	uint64_t count;

	if (row == NULL)
		return -2;
	row->limit = l;
	row->key = k == NULL ? "" : k->c.key;
	row->count = limit_count(l, x->l->now / DAY_MS);
	row->boost = k == NULL ? 0 : k->c.boost;
	row->boost_until = k == NULL ? 0 : k->c.boost_until;
	count = plus(row->count, row->boost);
	row->used = window_used(w, window_slot(now, l->period));
	row->left = row->used < count ? count - row->used : 0;
	row->waiting = k == NULL ? 0 : k->c.waiting;
	row->is_near = is_near(x->q->policy, row->used, count);
	row->is_reached = k != NULL && k->c.is_reached;
	row->next_ms = row->used == 0 ? -1 : window_wait(w, now, l->period, row->used, 1);
	row->free_ms = row->used == 0 ? 0 : window_wait(w, now, l->period, row->used, row->used);
	row->spent_ms = window_forecast(w, now, l->period, count);
	add_reserves(x, row);
	row->by = "";
	if (x->q->near_only && !row->is_near && !row->is_reached) {
		x->l->n_rows--;
		return 0;
	}
	if (row->used == 0 || x->q->without_spenders || (!x->q->with_spenders && row->used < count / 2 && !row->is_reached && row->waiting == 0))
		return 0;
	return read_spenders(x, row);
}

static double
fullness(const struct read_counter *k)
{
	uint64_t count = plus(k->c.count, k->c.boost);

	return (double)window_used(&k->c.window, window_slot(k->c.now_ms, k->c.period)) / (double)(count == 0 ? 1 : count);
}

static int
compare(const void *a, const void *b)
{
	const struct read_counter *const *x = a, *const *y = b;
	double d = fullness(*y) - fullness(*x);

	return d > 0 ? 1 : d < 0 ? -1 : strcmp((*x)->c.key, (*y)->c.key);
}

/* The counters of a limit, the fullest first. */
static int
add_limit(void *context, const struct limit *l)
{
	struct collector *x = context;
	struct read_counter **found;
	size_t n = 0;
	int rc = 0;

	for (struct read_counter *k = x->first; k != NULL; k = k->next)
		n += is_asked(x, l, &k->c);
	found = arena_array(x->l->arena, n + 1, sizeof *found);
	if (found == NULL)
		return -2;
	n = 0;
	for (struct read_counter *k = x->first; k != NULL; k = k->next)
		if (is_asked(x, l, &k->c))
			found[n++] = k;
	qsort(found, n, sizeof *found, compare);
	if (n == 0)
		return add_row(x, l, NULL);
	for (size_t i = 0; rc == 0 && i < n && (x->q->keys == 0 || i < (size_t)x->q->keys); i++)
		rc = add_row(x, l, found[i]);
	if (rc == 0 && !x->q->near_only)
		x->l->rows[x->l->n_rows - 1].more = n - (x->q->keys == 0 || n < (size_t)x->q->keys ? n : (size_t)x->q->keys);
	return rc;
}

static const struct app *
find_app(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_apps; i++)
		if (strcmp(p->apps[i].name, name) == 0)
			return &p->apps[i];
	return NULL;
}

/* Whether a limit is one that the app's mail is held against. */
static bool
concerns(const struct app *a, const struct limit *l)
{
	const char *owner = owner_of(l);

	if (is_of_app(l))
		return strcmp(owner, a->name) == 0;
	if (strncmp(l->scope, "method:", 7) == 0 && !l->only_onmicrosoft)
		return strcmp(owner, method_facts(a->method)->name) == 0;
	for (size_t i = 0; i < a->n_tenants; i++)
		if (strcmp(a->tenants[i]->name, owner) == 0)
			return true;
	return false;
}

static int
add_if_asked(void *context, const struct limit *l)
{
	struct collector *x = context;
	const struct app *a = x->q->app[0] == '\0' ? NULL : find_app(x->q->policy, x->q->app);

	if (x->q->limit[0] != '\0' && strcmp(l->name, x->q->limit) != 0)
		return 0;
	return x->q->app[0] == '\0' || (a != NULL && concerns(a, l)) ? add_limit(x, l) : 0;
}

int
limits_each(const struct policy *p, int (*each)(void *context, const struct limit *l), void *context)
{
	int rc = 0;

	for (size_t i = 0; i < p->n_tenants; i++)
		for (size_t j = 0; rc == 0 && j < p->tenants[i].n_limits; j++)
			rc = each(context, &p->tenants[i].limits[j]);
	for (size_t i = 0; i < p->n_apps; i++)
		for (size_t j = 0; rc == 0 && j < p->apps[i].n_limits; j++)
			rc = each(context, &p->apps[i].limits[j]);
	for (size_t j = 0; rc == 0 && j < p->n_built_in; j++)
		rc = each(context, &p->built_in[j]);
	return rc;
}

struct limits *
limits_read(const struct limits_query *q, const char **error_r)
{
	const struct clock *clock = clock_system();
	struct limits *l = calloc(1, sizeof *l);
	struct collector x = {.q = q, .l = l, .error = "memory is short"};
	int rc = -2;

	x.last = &x.first;
	if (l != NULL && (l->arena = arena_new(0)) != NULL) {
		l->now = clock->wall_ms(clock->context);
		rc = store_reader_counters(q->reader, clock, keep_counter, &x, &x.error);
		if (rc == 0)
			rc = limits_each(q->policy, add_if_asked, &x);
	}
	if (rc == 0 && !arena_failed(l->arena))
		return l;
	*error_r = rc == -1 ? x.error : "memory is short";
	limits_free(&l);
	return NULL;
}

void
limits_free(struct limits **l)
{
	if (*l == NULL)
		return;
	arena_free(&(*l)->arena);
	free(*l);
	*l = NULL;
}
