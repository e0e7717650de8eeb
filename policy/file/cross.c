/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks that need the whole policy: domains of two tenants, signing for a
 * foreign domain, an app that an earlier one hides, whom notifications reach.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/domain.h"
#include "policy/file/build.h"

static int
compare_rows(const void *a, const void *b)
{
	const struct accepted_domain *const *x = a, *const *y = b;
	int r = strcmp((*x)->name, (*y)->name);

	/* Same name: in the order of the tenants, then of reading. */
	return r != 0 ? r : (*x > *y) - (*x < *y);
}

static void
check_pair(struct build *b, const struct accepted_domain *first, const struct accepted_domain *second)
{
	if (strcmp(first->name, second->name) != 0)
		return;
	if (first->tenant == second->tenant)
		problems_add(b->problems, true, second->file, second->line, 1, "%s stands twice, first at %s:%u; keep one of "
			     "them", second->name, first->file, first->line);
	else
		problems_add(b->problems, true, second->file, second->line, 1, "%s is a domain of tenant \"%s\" here and of "
			     "\"%s\" at %s:%u; a domain belongs to one tenant", second->name, second->tenant->name,
			     first->tenant->name, first->file, first->line);
}

static void
check_domains(struct build *b)
{
	const struct policy *p = b->policy;
	const struct accepted_domain **all;
	size_t n = 0;

	for (size_t i = 0; i < p->n_tenants; i++)
		n += p->tenants[i].n_domains;
	all = arena_array(b->scratch, n + 1, sizeof *all);
	if (all == NULL || n == 0)
		return;
	n = 0;
	for (size_t i = 0; i < p->n_tenants; i++)
		for (size_t j = 0; j < p->tenants[i].n_domains; j++)
			all[n++] = &p->tenants[i].domains[j];
	qsort(all, n, sizeof *all, compare_rows);
	for (size_t i = 1; i < n; i++)
		check_pair(b, all[i - 1], all[i]);
}

/* policy_domain() finds nothing yet, for the policy is not finished. */
static bool
is_accepted(const struct policy *p, const char *domain, bool subdomains)
{
	for (size_t i = 0; i < p->n_tenants; i++) {
		for (size_t j = 0; j < p->tenants[i].n_domains; j++) {
			const struct accepted_domain *d = &p->tenants[i].domains[j];

			if (strcmp(d->name, domain) == 0 || (d->subdomains && domain_is_below(domain, d->name)) ||
			    (subdomains && domain_is_below(d->name, domain)))
				return true;
		}
	}
	return false;
}

static void
check_signing(struct build *b)
{
	const struct policy *p = b->policy;

	for (size_t i = 0; i < p->n_signing; i++) {
		const struct signing *s = &p->signing[i];

		if (s->n_keys > 0 && !is_accepted(p, s->domain, s->subdomains))
			problems_add(b->problems, false, s->keys[0].policy_file, s->keys[0].line, s->keys[0].column,
				     "%s is no accepted domain of any tenant, so this key will never sign", s->domain);
	}
}

static bool
clients_are_covered(const struct app *e, const struct app *l)
{
	if (e->n_clients == 0 && !e->local)
		return true;
	if ((l->n_clients == 0 && !l->local) || (l->local && !e->local))
		return false;
	for (size_t i = 0; i < l->n_clients; i++) {
		size_t j;

		for (j = 0; j < e->n_clients && !network_covers(&e->clients[j], &l->clients[i]); j++)
			;
		if (j == e->n_clients)
			return false;
	}
	return true;
}

/* Whether each of the later globs matches only what an earlier one matches: a
 * star of the later one is covered by a star of the earlier one only. */
static bool
globs_are_covered(const char *const *e, size_t n_e, const char *const *l, size_t n_l)
{
	for (size_t i = 0; i < n_l; i++) {
		size_t j;

		for (j = 0; j < n_e && !text_glob(e[j], l[i]); j++)
			;
		if (j == n_e)
			return false;
	}
	return n_l > 0;
}

static bool
logins_are_covered(const struct app *e, const struct app *l)
{
	static const char *const none[] = {""};

	if (e->n_logins == 0)
		return l->n_logins == 0;
	if (l->n_logins == 0)
		return globs_are_covered(e->logins, e->n_logins, none, 1);
	return globs_are_covered(e->logins, e->n_logins, l->logins, l->n_logins);
}

static bool
is_hidden(const struct app *e, const struct app *l)
{
	return clients_are_covered(e, l) && logins_are_covered(e, l) &&
	       (e->n_certificates == 0 ||
		globs_are_covered(e->certificates, e->n_certificates, l->certificates, l->n_certificates));
}

/* An app that names nothing matches nothing (an error was said). */
static bool
names_something(const struct app *a)
{
	return a->n_clients > 0 || a->local || a->n_logins > 0 || a->n_certificates > 0;
}

static void
check_hidden(struct build *b)
{
	const struct policy *p = b->policy;

	for (size_t i = 1; i < p->n_apps; i++) {
		const struct app *l = &p->apps[i];

		for (size_t j = 0; j < i && names_something(l); j++) {
			const struct app *e = &p->apps[j];

			if (!names_something(e) || !is_hidden(e, l))
				continue;
			problems_add(b->problems, false, l->file, l->line, l->column, "app \"%s\" is never reached: whatever it "
				     "matches, app \"%s\" (%s:%u) matches before it", l->name, e->name, e->file, e->line);
			break;
		}
	}
}

static bool
is_address(struct build *b, const char *s)
{
	struct address_error error;
	struct address a;

	return address_parse_path(b->scratch, s, false, &a, &error) == 0 && !a.is_null && !a.is_postmaster;
}

/* Mail to the owner: each app needs one, unless the admin hears of it too. */
static void
check_owners(struct build *b)
{
	const struct policy *p = b->policy;

	for (size_t i = 0; i < p->n_apps; i++) {
		const struct app *a = &p->apps[i];

		if (a->owner[0] == '\0' && p->notify.mail == NOTIFY_OWNER)
			problems_add(b->problems, false, a->file, a->line, a->column, "nobody is told of the limits of app "
				     "\"%s\": it has no owner, and mail goes to owners only", a->name);
		else if (a->owner[0] != '\0' && !is_address(b, a->owner))
			problems_add(b->problems, false, a->file, a->line, a->column, "the owner of app \"%s\" is told "
				     "nothing: \"%s\" is no address", a->name, a->owner);
	}
}

/* n: the block, in which the sender stands. */
static void
check_from(struct build *b, const struct node *n)
{
	const char *from = b->policy->notify.from, *domain = strrchr(from, '@');

	if (domain == NULL || is_accepted(b->policy, domain + 1, false))
		return;
	for (n = n->first; n != NULL; n = n->next)
		if (strcmp(n->key->text, "from") == 0)
			node_warning(b->problems, n, "mail from %s would be refused: %s is no accepted domain of any tenant",
				     from, domain + 1);
}

/* A summary to the owner: likewise. */
static void
check_summaries(struct build *b)
{
	const struct policy *p = b->policy;

	for (size_t i = 0; i < p->n_apps; i++) {
		const struct app *a = &p->apps[i];

		if (a->summary == SUMMARY_OFF)
			continue;
		if (a->owner[0] == '\0' && (a->has_summary || p->summary.admin == SUMMARY_OFF))
			problems_add(b->problems, false, a->file, a->line, a->column, "nobody gets a summary of app \"%s\": it has no owner",
				     a->name);
		else if (a->owner[0] != '\0' && !is_address(b, a->owner))
			problems_add(b->problems, false, a->file, a->line, a->column, "the owner of app \"%s\" gets no summary: \"%s\" "
				     "is no address", a->name, a->owner);
	}
}

static bool
has_summaries(const struct policy *p)
{
	for (size_t i = 0; i < p->n_apps; i++)
		if (p->apps[i].summary != SUMMARY_OFF)
			return true;
	return p->summary.admin != SUMMARY_OFF;
}

static void
check_notify(struct build *b, const struct value *v)
{
	enum notify_mail mail = b->policy->notify.mail;

	if (v->node == NULL || v->node->is_broken)
		return;
	if (mail != NOTIFY_NO || has_summaries(b->policy))
		check_from(b, v->node);
	if (mail != NOTIFY_NO && mail != NOTIFY_ADMIN)
		check_owners(b);
}

void
build_cross_check(struct build *b, const struct value *notify)
{
	check_domains(b);
	check_signing(b);
	check_hidden(b);
	build_check_reserves(b);
	check_notify(b, notify);
	check_summaries(b);
}
