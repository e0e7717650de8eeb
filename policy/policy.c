/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See policy.h.
 */
#include "policy/policy.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* The reference count stands before the policy that readers see. */
struct counted {
	struct policy policy;
	atomic_uint references;
};

struct policy *
policy_new(void)
{
	struct counted *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->policy = (struct policy){
		.arena = arena_new(0), .listen = "", .database = "", .local_database = "", .relay = "", .digest = "",
		.audit_keep = UINT64_C(90) * 86400,
		.notify = {
			.command = "", .mail = NOTIFY_NO, .admin = "", .from = "", .sendmail = "/usr/sbin/sendmail",
			.quiet = 3600, .at = 80,
		},
		.summary = {.weekday = 1, .minute = 7 * 60},
	};
	atomic_init(&c->references, 1);
	if (c->policy.arena == NULL) {
		free(c);
		return NULL;
	}
	return &c->policy;
}

struct policy *
policy_ref(struct policy *p)
{
	atomic_fetch_add(&((struct counted *)p)->references, 1);
	return p;
}

static void
free_patterns(struct match_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		regex_free(&l->items[i].regex);
}

/* The compiled patterns are not the arena's. */
static void
free_rules(struct policy *p)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		struct rule *r = &p->rules[i];
		struct match_list *const lists[] = {
			&r->logins, &r->sender, &r->from, &r->subject, &r->body, &r->attachment,
			&r->attachment_type, &r->tls, &r->recipients,
		};

		for (size_t j = 0; j < sizeof lists / sizeof lists[0]; j++)
			free_patterns(lists[j]);
		for (size_t j = 0; j < r->n_headers; j++)
			free_patterns(&r->headers[j].patterns);
	}
}

bool
policy_is_tag(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].action == RULE_TAG && text_same(p->rules[i].tag_name, name))
			return true;
	return false;
}

void
policy_unref(struct policy **p)
{
	struct counted *c = (struct counted *)*p;

	*p = NULL;
	if (c == NULL || atomic_fetch_sub(&c->references, 1) != 1)
		return;
	free_rules(&c->policy);
	arena_free(&c->policy.arena);
	free(c);
}

static int
compare_domains(const void *a, const void *b)
{
	const struct accepted_domain *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int
compare_signing(const void *a, const void *b)
{
	const struct signing *x = a, *y = b;

	return strcmp(x->domain, y->domain);
}

static void
make_index(struct policy *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_tenants; i++)
		n += p->tenants[i].n_domains;
	p->index = arena_array(p->arena, n + 1, sizeof *p->index);
	if (p->index == NULL)
		return;
	for (size_t i = 0; i < p->n_tenants; i++) {
		for (size_t j = 0; j < p->tenants[i].n_domains; j++) {
			p->tenants[i].domains[j].tenant = &p->tenants[i];
			p->index[p->n_index++] = &p->tenants[i].domains[j];
		}
	}
	qsort(p->index, p->n_index, sizeof *p->index, compare_domains);
	if (p->n_signing > 0)
		qsort(p->signing, p->n_signing, sizeof *p->signing, compare_signing);
	p->n_keys = 0;
	for (size_t i = 0; i < p->n_signing; i++) {
		p->signing[i].first_key = p->n_keys;
		p->n_keys += p->signing[i].n_keys;
	}
}

/* The bounds that Exchange Online itself sets (microsoft's figures of 2026). */
static void
make_built_in(struct policy *p)
{
	static const struct {
		const char *scope, *text;
	} rows[] = {
		{"method:smtp-auth", "30 messages/minute per sender"},
		{"method:smtp-auth", "10000 recipients/day per sender"},
		{"method:direct-send", "3600 messages/hour per recipient"},
	};
	size_t n = sizeof rows / sizeof rows[0], column;
	const char *error;
	struct limit *l;

	p->built_in = arena_array(p->arena, n + p->n_tenants, sizeof *p->built_in);
	if (p->built_in == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		if (limit_parse(p->arena, rows[i].text, rows[i].scope, NULL, &p->built_in[i], &column, &error) == 0)
			p->n_built_in++;
	for (size_t i = 0; i < p->n_tenants; i++) {
		l = &p->built_in[p->n_built_in++];
		limit_parse(p->arena, "100 external-recipients/day",
			    arena_printf(p->arena, "onmicrosoft:%s", p->tenants[i].name), NULL, l, &column, &error);
		l->name = arena_printf(p->arena, "%s/onmicrosoft-external-recipients-per-day", p->tenants[i].name);
		l->only_onmicrosoft = true;
	}
}

static bool
is_of_tenant(const struct app *a, const struct tenant *t)
{
	for (size_t i = 0; i < a->n_tenants; i++)
		if (a->tenants[i] == t)
			return true;
	return false;
}

/* Whose part of the tenant's budget is whose. */
static void
make_reserves(struct policy *p, struct tenant *t)
{
	t->reserves = arena_array(p->arena, p->n_apps + 1, sizeof *t->reserves);
	for (size_t i = 0; t->reserves != NULL && i < p->n_apps; i++) {
		const struct app *a = &p->apps[i];

		if (!is_of_tenant(a, t) || !budget_charges(a))
			continue;
		t->has_critical = t->has_critical || a->is_critical;
		if (a->reserved.amount > 0)
			t->reserves[t->n_reserves++] = (struct reserve){a, arena_printf(p->arena, "app=%s", a->name)};
	}
	for (size_t i = 0; i < t->n_limits; i++)
		if (budget_is_limit(&t->limits[i]))
			t->limits[i].tally = arena_printf(p->arena, "%s-per-app", t->limits[i].name);
}

static void
make_unknown(struct policy *p)
{
	struct app *a;

	if (p->unknown_clients == UNKNOWN_REJECT)
		return;
	a = arena_alloc(p->arena, sizeof *a);
	if (a == NULL)
		return;
	*a = (struct app){
		.name = "unknown", .file = "", .method = METHOD_DIRECT_SEND, .on_failure = p->on_failure,
		.mode = p->unknown_clients == UNKNOWN_MONITOR ? MODE_MONITOR : p->mode,
		.max_recipients = method_facts(METHOD_DIRECT_SEND)->max_recipients,
		.owner = "", .department = "", .is_unknown = true, .n_tenants = p->n_tenants,
	};
	a->tenants = arena_array(p->arena, p->n_tenants + 1, sizeof *a->tenants);
	for (size_t i = 0; a->tenants != NULL && i < p->n_tenants; i++)
		a->tenants[i] = &p->tenants[i];
	p->unknown = a;
}

int
policy_finish(struct policy *p)
{
	make_index(p);
	make_built_in(p);
	for (size_t i = 0; i < p->n_tenants; i++)
		make_reserves(p, &p->tenants[i]);
	make_unknown(p);
	return arena_failed(p->arena) ? -1 : 0;
}

static struct accepted_domain *
find_exact(const struct policy *p, const char *domain)
{
	struct accepted_domain key = {.name = domain};
	struct accepted_domain *k = &key, **found;

	if (p->n_index == 0)
		return NULL;
	found = bsearch(&k, p->index, p->n_index, sizeof *p->index, compare_domains);
	return found == NULL ? NULL : *found;
}

const struct accepted_domain *
policy_domain(const struct policy *p, const char *domain)
{
	const struct accepted_domain *d = find_exact(p, domain);

	while (d == NULL && (domain = strchr(domain, '.')) != NULL) {
		domain++;
		d = find_exact(p, domain);
		if (d != NULL && !d->subdomains)
			return NULL; /* the nearest record decides */
	}
	return d;
}

const struct signing *
policy_signing(const struct policy *p, const char *domain)
{
	const struct signing *s;
	struct signing key = {.domain = domain};
	bool exact = true;

	while (p->n_signing > 0) {
		s = bsearch(&key, p->signing, p->n_signing, sizeof *p->signing, compare_signing);
		if (s != NULL && (exact || s->subdomains))
			return s;
		exact = false;
		key.domain = strchr(key.domain, '.');
		if (key.domain == NULL)
			return NULL;
		key.domain++;
	}
	return NULL;
}
