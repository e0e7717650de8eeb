/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The admin's limits beside Exchange Online's own: a limit above those is
 * never reached, and whoever relies on it learns of the end from Exchange
 * Online. Microsoft's figures of 2026; all count in rolling windows.
 */
#include "policy/file/build.h"

#define MINUTE 60u
#define HOUR 3600u
#define DAY 86400u

static bool
counts_recipients(const struct limit *l)
{
	return l->unit == UNIT_RECIPIENTS || l->unit == UNIT_EXTERNAL_RECIPIENTS;
}

static bool
has_one_sender(const struct app *a)
{
	return a->n_senders == 1 && !a->senders[0].has_star && !a->senders[0].any_subdomain;
}

/* What a mailbox may send. true when it was warned of. */
static bool
check_mailbox(struct build *b, const struct node *e, const struct limit *l, const struct app *a)
{
	if (!method_facts(a->method)->spends_mailbox_rate || (l->key != LIMIT_PER_SENDER && !has_one_sender(a)))
		return false;
	if (l->unit == UNIT_MESSAGES && limit_is_above(l, 30, MINUTE)) {
		node_warning(b->problems, e, "Exchange Online takes 30 messages a minute from a mailbox, so \"%s\" is never "
			     "reached", e->text);
		return true;
	}
	if (counts_recipients(l) && limit_is_above(l, 10000, DAY)) {
		node_warning(b->problems, e, "Exchange Online takes 10000 recipients a day from a mailbox, so \"%s\" is "
			     "never reached", e->text);
		return true;
	}
	return false;
}

/* What a mailbox may receive. Each message is one recipient to a recipient. */
static void
check_receiver(struct build *b, const struct node *e, const struct limit *l, const struct app *a)
{
	if (a->method != METHOD_DIRECT_SEND || l->key != LIMIT_PER_RECIPIENT ||
	    (l->unit != UNIT_MESSAGES && l->unit != UNIT_RECIPIENTS) || !limit_is_above(l, 3600, HOUR))
		return;
	node_warning(b->problems, e, "Exchange Online takes 3600 messages an hour for a mailbox, so \"%s\" is never reached",
		     e->text);
}

/* What a tenant may send outside; rate 0: not known. */
static void
check_rate(struct build *b, const struct node *e, const struct limit *l, uint64_t rate, const char *whose)
{
	if (rate == 0 || l->unit != UNIT_EXTERNAL_RECIPIENTS || !limit_is_above(l, rate, DAY))
		return;
	node_warning(b->problems, e, "Exchange Online takes %llu external recipients a day from %s, so \"%s\" is never reached",
		     (unsigned long long)rate, whose, e->text);
}

static const char *
name_of(struct build *b, const struct tenant *t)
{
	if (t->rate.is_trial)
		return arena_printf(b->scratch, "tenant \"%s\" (trial) at most", t->name);
	return arena_printf(b->scratch, "tenant \"%s\" (licenses: %llu)", t->name, (unsigned long long)t->rate.licenses);
}

/* What the app's tenants may send outside together, 0 where that is not known
 * or the app's mail does not count to it. */
static uint64_t
rate_of(const struct app *a)
{
	uint64_t rate = 0;

	if (!method_facts(a->method)->counts_to_tenant_rate)
		return 0;
	for (size_t i = 0; i < a->n_tenants; i++) {
		if (!budget_is_known(&a->tenants[i]->rate))
			return 0;
		rate += budget_rate_most(&a->tenants[i]->rate);
	}
	return rate;
}

void
build_check_tenant_limits(struct build *b, const struct value *v, const struct tenant *t)
{
	uint64_t rate = budget_rate_most(&t->rate);
	const struct node *e = value_first(v);

	if (value_count(v) != t->n_limits)
		return; /* one could not be read (said): which is which is not certain */
	for (size_t i = 0; i < t->n_limits; i++, e = value_next(v, e))
		check_rate(b, e, &t->limits[i], rate, name_of(b, t));
}

void
build_check_app_limits(struct build *b, const struct value *v, const struct app *a)
{
	const char *whose = a->n_tenants == 1 ? name_of(b, a->tenants[0]) : "the app's tenants";
	const struct node *e = value_first(v);
	uint64_t rate = rate_of(a);

	if (value_count(v) != a->n_limits)
		return;
	for (size_t i = 0; i < a->n_limits; i++, e = value_next(v, e)) {
		if (!check_mailbox(b, e, &a->limits[i], a))
			check_rate(b, e, &a->limits[i], rate, whose);
		check_receiver(b, e, &a->limits[i], a);
	}
}
