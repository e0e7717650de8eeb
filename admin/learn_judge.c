/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is evidence for an app, and what is not: what no policy lets pass, and what
 * should not be granted because somebody tried it.
 */
#include "config.h"

#include "admin/learn.h"

#include <string.h>

#include "admin/learn_yaml.h"

/* The first of the problems of form. */
static const char *
form_of(const struct learn *l, const struct record *r)
{
	return arena_substring(l->scratch, r->form, strcspn(r->form, " "));
}

/* A rule of today that refuses the message, as the audit saw it match. */
static const char *
rule_of(const struct learn *l, const struct record *r)
{
	for (size_t i = 0; i < r->n_rule; i++) {
		const struct record_rule *x = &r->rule[i];

		if (strcmp(x->answer, "yes") != 0 || strcmp(x->mode, "enforce") != 0 ||
		    (strcmp(x->action, "reject") != 0 && strcmp(x->action, "defer") != 0))
			continue;
		for (size_t j = 0; j < l->policy->n_rules; j++)
			if (!l->policy->rules[j].is_on_trial && strcmp(l->policy->rules[j].name, x->name) == 0)
				return arena_printf(l->scratch, "rule:%s", x->name);
	}
	return NULL;
}

static bool
has_tenant(const struct app *a, const struct tenant *t)
{
	for (size_t i = 0; i < a->n_tenants; i++)
		if (a->tenants[i] == t)
			return true;
	return false;
}

/* A login that is itself an address of one tenant, sending as another's. */
static bool
is_foreign_login(const struct learn *l, const char *login, const struct tenant *t)
{
	const char *at = strrchr(login, '@');
	const struct accepted_domain *d;

	if (at == NULL || t == NULL)
		return false;
	d = policy_domain(l->policy, arena_lower(l->scratch, at + 1, strlen(at + 1)));
	return d != NULL && d->tenant != t;
}

/* What stands against From or Sender. */
static const char *
header_problem(const struct learn_sender *x, const struct record *r, const struct tenant *t)
{
	bool is_from = text_same(x->text, r->header_from);

	if (x->problem != NULL && !is_from)
		return "header-sender";
	if (x->problem != NULL)
		return strcmp(x->problem, "sender-not-allowed") == 0 ? "from-not-allowed" : "from-not-accepted";
	if (x->tenant != t)
		return is_from ? "from-not-aligned" : "header-sender";
	return NULL;
}

static const char *
sender_problem(const struct learn *l, const struct learn_source *s, const struct learn_sender *x,
	       const struct tenant *t)
{
	if (x->problem != NULL)
		return x->problem;
	if (t != NULL && s->known != NULL && !has_tenant(s->known, t))
		return "sender-not-accepted";
	if (is_foreign_login(l, s->login, t))
		return "login-of-another-tenant";
	return NULL;
}

static bool
null_sender_is_stuck(const struct record *r, const struct learn_source *s, const struct tenant *t,
		     const struct learn_places *p)
{
	if (r->sender[0] != '\0')
		return false;
	return (t != NULL && t->connector_auth != CONNECTOR_BY_CERTIFICATE && p->external > 0) ||
	       (s->known != NULL && s->known->n_tenants != 1);
}

/* A recipient that the method of the policy's app does not reach. */
static const char *
method_problem(const struct learn_source *s, const struct learn_places *p)
{
	const struct method_facts *f = s->known == NULL ? NULL : method_facts(s->known->method);

	return f != NULL && f->accepted_only && p->external > 0 ? f->external_reason : NULL;
}

const char *
learn_judge(const struct learn *l, const struct record *r, const struct learn_source *s, const uint32_t *senders,
	    size_t n, const struct learn_places *p, const char **about_r)
{
	const struct tenant *t = learn_tenant(l, senders, n);
	const char *reason;

	arena_reset(l->scratch);
	*about_r = r->sender[0] == '\0' ? "<>" : r->sender;
	if (s->client[0] == '\0' && s->login[0] == '\0' && s->certificate[0] == '\0')
		return "no-client-address";
	if (strchr(s->login, '*') != NULL || !learn_yaml_can(s->login))
		return "login-unusual"; /* as a pattern it would match others, or cannot be written */
	if (s->certificate[0] != '\0' && (strspn(s->certificate, "*. ") == strlen(s->certificate) ||
					 !learn_yaml_can(s->certificate)))
		return "certificate-unusual";
	if (r->form[0] != '\0')
		return form_of(l, r);
	if (strcmp(r->would_reason, "sender-malformed") == 0)
		return "sender-malformed"; /* the MTA understood another */
	if ((reason = rule_of(l, r)) != NULL)
		return reason;
	if ((reason = sender_problem(l, s, learn_sender(l, senders[0]), t)) != NULL)
		return reason;
	if (r->header_from[0] == '\0')
		return "from-missing";
	for (size_t i = 1; i < n; i++) {
		*about_r = learn_sender(l, senders[i])->text;
		if ((reason = header_problem(learn_sender(l, senders[i]), r, t)) != NULL)
			return reason;
	}
	*about_r = r->sender[0] == '\0' ? "<>" : r->sender;
	if (null_sender_is_stuck(r, s, t, p))
		return "null-sender";
	if (p->internal + p->external + p->local == 0)
		return "recipient-malformed";
	*about_r = p->outside == NULL ? "" : p->outside;
	return method_problem(s, p);
}
