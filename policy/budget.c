/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See budget.h.
 */
#include "policy/budget.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "policy/message.h"

/* The apps with a reserve that are named in a text. */
#define NAMED_MAX 3u

bool
budget_is_known(const struct tenant_rate *r)
{
	return r->is_trial || r->licenses > 0;
}

static uint64_t
formula(uint64_t licenses)
{
	return (uint64_t)floor(500.0 * pow((double)licenses, 0.7) + 9500.0 + 0.5);
}

/* A day before its creation is one of its first. */
static uint64_t
percent_on(int64_t created, int64_t day)
{
	if (created == 0 || day >= created + BUDGET_YOUNG_DAYS)
		return 100;
	return day >= created + BUDGET_NEW_DAYS ? BUDGET_YOUNG_PERCENT : BUDGET_NEW_PERCENT;
}

uint64_t
budget_rate(const struct tenant_rate *r, int64_t day)
{
	if (r->is_trial)
		return BUDGET_TRIAL;
	return r->licenses == 0 ? 0 : formula(r->licenses) * percent_on(r->created, day) / 100;
}

uint64_t
budget_rate_most(const struct tenant_rate *r)
{
	if (r->is_trial)
		return BUDGET_TRIAL_MOST;
	return r->licenses == 0 ? 0 : formula(r->licenses);
}

bool
budget_is_limit(const struct limit *l)
{
	return strncmp(l->scope, "tenant:", 7) == 0 && l->unit == UNIT_EXTERNAL_RECIPIENTS &&
	       l->key == LIMIT_PER_SCOPE && l->over != OVER_OBSERVE;
}

uint64_t
budget_share(const struct share *s, uint64_t count)
{
	uint64_t share = s->amount;

	if (s->is_percent)
		share = count / 100 * s->amount + count % 100 * s->amount / 100;
	return share > count ? count : share;
}

uint64_t
budget_kept(const struct tenant *t, uint64_t count)
{
	return t->has_critical ? count / 10 : 0;
}

bool
budget_charges(const struct app *a)
{
	return method_facts(a->method)->counts_to_tenant_rate;
}

void
budget_hold_back(const struct message *m, const struct limit *l, struct charge *c)
{
	const struct tenant *t = m->tenant;

	if (m->app != NULL && m->app->is_critical)
		return;
	c->kept = budget_kept(t, c->count);
	c->reserves = t->n_reserves == 0 ? NULL : arena_array(m->arena, t->n_reserves, sizeof *c->reserves);
	for (size_t i = 0; c->reserves != NULL && i < t->n_reserves; i++)
		if (t->reserves[i].app != m->app)
			c->reserves[c->n_reserves++] = (struct charge_reserve){
				.key = t->reserves[i].key, .name = l->tally,
				.amount = budget_share(&t->reserves[i].app->reserved, c->count),
			};
}

bool
budget_tally(const struct message *m, const struct limit *l, const struct charge *c, struct charge *tally_r)
{
	const struct tenant *t = m->tenant;

	for (size_t i = 0; i < t->n_reserves; i++) {
		if (t->reserves[i].app != m->app)
			continue;
		*tally_r = (struct charge){
			.scope = c->scope, .unit = c->unit, .period = c->period, .key = t->reserves[i].key, .name = l->tally,
			.count = budget_share(&m->app->reserved, c->count), .amount = c->amount, .over = OVER_OBSERVE,
			.enforced = c->enforced, .tally = true,
		};
		return true;
	}
	return false;
}

/* One holder of a part, as far as the rest goes. */
static void
add_part(struct text *t, uint64_t part, uint64_t *rest, const char *of, const char *what, const char *who)
{
	if (part > *rest)
		part = *rest;
	*rest -= part;
	if (part > 0 && t->len == 0)
		text_printf(t, "%llu%s %s reserved for %s%s", (unsigned long long)part, of, part == 1 ? "is" : "are", what, who);
	else if (part > 0)
		text_printf(t, ", %llu for %s%s", (unsigned long long)part, what, who);
}

const char *
budget_text(struct arena *a, const struct charge *c, const char *of, uint64_t rest, bool whole)
{
	uint64_t others = 0;
	struct text t = {0};
	const char *s;

	for (size_t i = 0; i < c->n_reserves; i++) {
		const struct charge_reserve *r = &c->reserves[i];
		uint64_t part = whole ? r->amount : r->unspent;

		if (i < NAMED_MAX)
			add_part(&t, part, &rest, of, "app ", strchr(r->key, '=') + 1);
		else
			others = part > UINT64_MAX - others ? UINT64_MAX : others + part;
	}
	add_part(&t, others, &rest, of, "other apps", "");
	add_part(&t, c->kept, &rest, of, "critical apps", "");
	s = arena_string(a, text_string(&t));
	text_free(&t);
	return s;
}
