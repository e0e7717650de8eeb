/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What apps hold of their tenants' budgets: read from an app, and whether all of it
 * is there.
 */
#include <string.h>

#include "policy/file/build.h"

static bool
has_budget(const struct tenant *t)
{
	for (size_t i = 0; i < t->n_limits; i++)
		if (budget_is_limit(&t->limits[i]))
			return true;
	return false;
}

/* An option that speaks of a budget needs one, and mail that is charged to it. */
static void
check_budget(struct build *b, const struct node *n, const struct app *a)
{
	const struct tenant *without = NULL;
	size_t budgets = 0;

	if (!budget_charges(a)) {
		node_error(b->problems, n, "\"%s\" goes with connector and smtp-auth apps: mail by %s is not charged to the "
			   "tenant's budget", n->key->text, method_facts(a->method)->title);
		return;
	}
	for (size_t i = 0; i < a->n_tenants; i++) {
		budgets += has_budget(a->tenants[i]) ? 1 : 0;
		without = has_budget(a->tenants[i]) ? without : a->tenants[i];
	}
	if (budgets == 0 && a->n_tenants > 0)
		node_error(b->problems, n, "\"%s\" needs a budget: give tenant \"%s\" a limit of external-recipients with no key "
			   "that does not observe, such as tenant-rate external-recipients/day", n->key->text, without->name);
	else if (without != NULL)
		node_warning(b->problems, n, "tenant \"%s\" has no limit of external-recipients, so \"%s\" says nothing there",
			     without->name, n->key->text);
}

void
build_reserved(struct build *b, const struct value *v, struct app *a)
{
	const struct node *n = v[APP_RESERVED].node;

	a->is_critical = v[APP_CRITICAL].number == 1;
	if (a->is_critical && v[APP_METHOD].node != NULL)
		check_budget(b, v[APP_CRITICAL].node, a);
	if (n == NULL || n->is_broken)
		return;
	a->reserved = (struct share){v[APP_RESERVED].number, strchr(n->text, '%') != NULL};
	a->reserved_line = n->line;
	a->reserved_column = n->column;
	if (v[APP_METHOD].node != NULL)
		check_budget(b, n, a);
	if (a->n_tenants > 1 && !a->reserved.is_percent)
		node_warning(b->problems, n, "%s are reserved in each of the app's %zu tenants; a share such as 10%% is one of each",
			     n->text, a->n_tenants);
}

/* What the apps hold of one limit. */
struct held {
	uint64_t sum, kept;
	const struct app *last;         /* the last of those who hold some */
	const struct app *other;        /* one who holds nothing and is not critical */
};

static bool
is_of(const struct app *a, const struct tenant *t)
{
	for (size_t i = 0; i < a->n_tenants; i++)
		if (a->tenants[i] == t)
			return budget_charges(a);
	return false;
}

static struct held
held_of(const struct policy *p, const struct tenant *t, uint64_t count)
{
	struct held h = {0};

	for (size_t i = 0; i < p->n_apps; i++) {
		const struct app *a = &p->apps[i];

		if (!is_of(a, t))
			continue;
		if (a->is_critical)
			h.kept = count / 10;
		if (a->reserved.amount > 0)
			h.last = a;
		else if (!a->is_critical)
			h.other = a;
		h.sum += a->reserved.is_percent ? budget_share(&a->reserved, count) : a->reserved.amount;
	}
	return h;
}

static void
check_limit(struct build *b, const struct tenant *t, const struct limit *l)
{
	struct held h = held_of(b->policy, t, l->count);
	const char *tenth = h.kept == 0 ? "" : ", beside the last tenth, which is for critical apps";

	if (h.last == NULL || h.sum + h.kept < l->count)
		return;
	if (h.sum + h.kept > l->count)
		problems_add(b->problems, true, h.last->file, h.last->reserved_line, h.last->reserved_column, "%llu of %s are "
			     "reserved with this%s, but it is %llu", (unsigned long long)h.sum, l->name, tenth,
			     (unsigned long long)l->count);
	else if (h.other != NULL)
		problems_add(b->problems, false, h.last->file, h.last->reserved_line, h.last->reserved_column, "all of %s (%llu) "
			     "is reserved with this%s, so nothing is left for app \"%s\"", l->name,
			     (unsigned long long)l->count, tenth, h.other->name);
}

void
build_check_reserves(struct build *b)
{
	const struct policy *p = b->policy;

	for (size_t i = 0; i < p->n_tenants; i++)
		for (size_t j = 0; j < p->tenants[i].n_limits; j++)
			if (budget_is_limit(&p->tenants[i].limits[j]))
				check_limit(b, &p->tenants[i], &p->tenants[i].limits[j]);
}
