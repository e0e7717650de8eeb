/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Values of tenants, signing domains and apps into the policy's structures.
 */
#include "policy/file/build.h"

#include <string.h>

#include "policy/domain.h"

#define NAME_MAX_LENGTH 64u

bool
build_check_name(struct build *b, const struct node *n, const char *what, const char *name)
{
	static const char more[] = "._-";
	size_t len = strlen(name);
	bool ok = len > 0 && len <= NAME_MAX_LENGTH && (text_is_alpha(name[0]) || text_is_digit(name[0]));

	for (size_t i = 0; i < len && ok; i++)
		ok = text_is_alpha(name[i]) || text_is_digit(name[i]) || strchr(more, name[i]) != NULL;
	if (!ok)
		node_error(b->problems, n, "\"%s\" is no name for %s; expected 1 to %u letters, digits, \".\", \"_\" or \"-\", "
			   "a letter or digit first", name, what, NAME_MAX_LENGTH);
	if (ok && (strcmp(name, "unknown") == 0 || strcmp(name, "onmicrosoft") == 0)) {
		node_error(b->problems, n, "\"%s\" is a name that Postern itself uses; choose another for %s", name, what);
		ok = false;
	}
	for (int m = 0; m < METHOD_COUNT && ok; m++) {
		if (strcmp(name, method_facts((enum method)m)->name) == 0) {
			node_error(b->problems, n, "\"%s\" is the name of a method; choose another for %s", name, what);
			ok = false;
		}
	}
	return ok;
}

unsigned
build_column(const struct node *n, size_t column)
{
	return n->column + (n->is_quoted ? 1u : 0u) + (column > 0 ? (unsigned)column - 1 : 0);
}

/* Of a small limit there may be no share for each relay. */
static void
check_share(struct build *b, const struct node *n, const struct limit *l)
{
	const struct policy *p = b->policy;

	if (p->database_away == AWAY_LOCAL_SHARE && l->count < p->relays && l->over != OVER_OBSERVE)
		node_warning(b->problems, n, "a part of %llu for each of %llu relays is nothing: while the database is away no "
			     "mail passes this limit", (unsigned long long)l->count, (unsigned long long)p->relays);
}

void
build_limits(struct build *b, const struct value *v, const char *scope, const struct tenant_rate *rate,
	     struct limit **limits_r, size_t *n_r)
{
	struct limit *list = arena_array(b->arena, value_count(v) + 1, sizeof *list);
	size_t n = 0, column = 1;
	const char *error = "";

	*limits_r = list;
	for (const struct node *e = value_first(v); e != NULL && list != NULL; e = value_next(v, e)) {
		if (limit_parse(b->arena, e->text, scope, rate, &list[n], &column, &error) != 0) {
			problems_add(b->problems, true, e->file, e->line, build_column(e, column), "limit \"%s\": %s",
				     e->text, error);
			continue;
		}
		check_share(b, e, &list[n]);
		for (size_t i = 0; i < n; i++)
			if (strcmp(list[i].name, list[n].name) == 0)
				node_error(b->problems, e, "this limit is named %s, as one before it is; keep one of them",
					   list[n].name);
		n++;
	}
	*n_r = n;
}

static void
read_accepted(struct build *b, const struct value *files, struct tenant *t)
{
	struct domain_list list = {0};

	t->sources = arena_array(b->arena, value_count(files) + 1, sizeof *t->sources);
	for (const struct node *e = value_first(files); e != NULL && t->sources != NULL; e = value_next(files, e))
		accepted_read(b, e, &list, &t->sources[t->n_sources++]);
	t->domains = arena_array(b->arena, list.n + 1, sizeof *t->domains);
	if (t->domains == NULL)
		return;
	for (size_t i = 0; i < list.n; i++) {
		t->domains[i] = list.rows[i];
		t->domains[i].tenant = t;
	}
	t->n_domains = list.n;
}

/* A trial's rate is what it is, whatever else is said of it. */
static void
read_rate(struct build *b, const struct value *v, struct tenant *t)
{
	static const size_t idle[] = {TENANT_LICENSES, TENANT_CREATED};
	const struct node *created = v[TENANT_CREATED].node;

	t->rate = (struct tenant_rate){
		.licenses = v[TENANT_LICENSES].number, .is_trial = v[TENANT_TRIAL].number == 1,
		.created = (int64_t)v[TENANT_CREATED].number,
	};
	if (created != NULL) {
		t->created_file = arena_string(b->arena, created->file);
		t->created_line = created->line;
		t->created_column = created->column;
	}
	for (size_t i = 0; t->rate.is_trial && i < sizeof idle / sizeof idle[0]; i++)
		if (v[idle[i]].node != NULL)
			node_warning(b->problems, v[idle[i]].node->key, "\"%s\" is of no use with \"trial: yes\": a trial may "
				     "reach %u recipients outside a day, whatever its licences and its age",
				     schema_tenant.options[idle[i]].name, BUDGET_TRIAL);
}

void
build_tenant(struct build *b, const struct node *n, struct tenant *t)
{
	struct value v[TENANT_COUNT];

	*t = (struct tenant){.name = arena_string(b->arena, n->key->text), .next_hop = "", .mode = b->policy->mode,
			     .created_file = ""};
	build_check_name(b, n->key, "a tenant", t->name);
	if (!schema_read(&schema_tenant, n, false, v, b->problems))
		return;
	t->connector_auth = (enum connector_auth)v[TENANT_CONNECTOR_AUTH].number;
	if (v[TENANT_NEXT_HOP].node != NULL)
		t->next_hop = arena_string(b->arena, v[TENANT_NEXT_HOP].text);
	else
		node_warning(b->problems, n->key, "tenant \"%s\" has no next-hop; replies of Exchange Online cannot be told "
			     "from those of others", t->name);
	t->upstream_pause = v[TENANT_UPSTREAM_PAUSE].number == 1;
	read_rate(b, v, t);
	if (v[TENANT_MODE].node != NULL)
		t->mode = (enum mode)v[TENANT_MODE].number;
	build_limits(b, &v[TENANT_LIMITS], arena_printf(b->arena, "tenant:%s", t->name), &t->rate,
		     &t->limits, &t->n_limits);
	build_check_tenant_limits(b, &v[TENANT_LIMITS], t);
	t->sources_max_age = v[TENANT_ACCEPTED_DOMAINS_MAX_AGE].number;
	read_accepted(b, &v[TENANT_ACCEPTED_DOMAINS], t);
}

static void
build_key(struct build *b, const struct node *n, struct signing *s)
{
	struct value v[KEY_COUNT];
	struct signing_key *k = &s->keys[s->n_keys];
	const struct node *at;

	if (!schema_read(&schema_key, n, false, v, b->problems) || v[KEY_SELECTOR].node == NULL || v[KEY_FILE].node == NULL)
		return;
	at = v[KEY_SELECTOR].node;
	if (text_same(at->text, "selector1") || text_same(at->text, "selector2"))
		node_error(b->problems, at, "\"%s\" is a selector of Exchange Online itself; choose another, such as postern1",
			   at->text);
	else if (domain_normalise(b->scratch, at->text, strlen(at->text), &(const char *){0}, &(size_t){0}) == NULL)
		node_error(b->problems, at, "\"%s\" is no selector; expected letters, digits and \"-\"", at->text);
	for (size_t i = 0; i < s->n_keys; i++)
		if (text_same(s->keys[i].selector, at->text))
			node_error(b->problems, at, "selector \"%s\" stands twice for %s", at->text, s->domain);
	*k = (struct signing_key){
		.selector = arena_lower(b->arena, at->text, strlen(at->text)),
		.file = build_path(b, v[KEY_FILE].text),
		.line = v[KEY_FILE].node->line, .column = v[KEY_FILE].node->column,
		.policy_file = arena_string(b->arena, n->file),
	};
	s->n_keys++;
}

void
build_signing(struct build *b, const struct node *n, struct signing *s)
{
	struct value v[SIGNING_COUNT] = {{0}};
	const char *error, *name = n->key->text;
	size_t column = 1;

	*s = (struct signing){0};
	s->domain = domain_normalise(b->arena, name, strlen(name), &error, &column);
	if (s->domain == NULL) {
		problems_add(b->problems, true, n->file, n->key->line, build_column(n->key, column),
			     "\"%s\" is no domain: %s", name, error);
		return;
	}
	if (domain_is_public_suffix(s->domain))
		node_error(b->problems, n->key, "%s is a public suffix; expected a domain of your own", s->domain);
	if (n->kind == NODE_LIST)
		v[SIGNING_KEYS].node = n;
	else if (!schema_read(&schema_signing, n, false, v, b->problems))
		return;
	s->subdomains = v[SIGNING_SUBDOMAINS].number == 1;
	if (v[SIGNING_KEYS].node == NULL)
		return;
	if (value_count(&v[SIGNING_KEYS]) == 0 || value_count(&v[SIGNING_KEYS]) > 8)
		node_error(b->problems, n, "expected 1 to 8 keys for %s", s->domain);
	s->keys = arena_array(b->arena, value_count(&v[SIGNING_KEYS]) + 1, sizeof *s->keys);
	for (const struct node *e = value_first(&v[SIGNING_KEYS]); e != NULL && s->keys != NULL;
	     e = value_next(&v[SIGNING_KEYS], e))
		build_key(b, e, s);
}
