/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One app: from its values to struct app, and what can be said of it alone.
 */
#include <string.h>

#include "policy/domain.h"
#include "policy/file/build.h"

static void
add_tenant(struct build *b, const struct node *n, struct app *a)
{
	const struct policy *p = b->policy;
	const char *near, **names;

	for (size_t i = 0; i < p->n_tenants; i++) {
		if (strcmp(p->tenants[i].name, n->text) != 0)
			continue;
		for (size_t j = 0; j < a->n_tenants; j++)
			if (a->tenants[j] == &p->tenants[i])
				node_error(b->problems, n, "tenant \"%s\" stands twice", n->text);
		a->tenants[a->n_tenants++] = &p->tenants[i];
		return;
	}
	names = arena_array(b->scratch, p->n_tenants + 1, sizeof *names);
	if (names == NULL)
		return;
	for (size_t i = 0; i < p->n_tenants; i++)
		names[i] = p->tenants[i].name;
	near = text_nearest(n->text, names, p->n_tenants);
	node_error(b->problems, n, "there is no tenant \"%s\"%s%s%s", n->text, near == NULL ? "" : "; did you mean \"",
		   near == NULL ? "" : near, near == NULL ? "" : "\"?");
}

static void
read_tenants(struct build *b, const struct node *n, const struct value *v, struct app *a)
{
	const struct value *one = &v[APP_TENANT], *list = &v[APP_TENANTS];

	a->tenants = arena_array(b->arena, value_count(list) + 2, sizeof *a->tenants);
	if (a->tenants == NULL)
		return;
	if (one->node != NULL && list->node != NULL)
		node_error(b->problems, list->node->key, "\"tenant\" and \"tenants\" are both given; expected one of them");
	if (one->node == NULL && value_count(list) == 0)
		node_error(b->problems, n, "app \"%s\" needs \"tenant\" or \"tenants\"", a->name);
	if (one->node != NULL)
		add_tenant(b, one->node, a);
	for (const struct node *e = value_first(list); e != NULL; e = value_next(list, e))
		add_tenant(b, e, a);
}

void
build_client(struct build *b, const struct node *e, struct network *clients, size_t *n, bool *local)
{
	const char *error;

	if (strcmp(e->text, "local") == 0)
		*local = true;
	else if (network_parse(e->text, &clients[*n], &error) == 0)
		++*n;
	else
		node_error(b->problems, e, "\"%s\" is no client: %s; expected an address such as 10.1.2.3, a prefix "
			   "such as 10.1.9.0/24, or local", e->text, error);
}

static void
read_clients(struct build *b, const struct value *v, struct app *a)
{
	a->clients = arena_array(b->arena, value_count(v) + 1, sizeof *a->clients);
	for (const struct node *e = value_first(v); e != NULL && a->clients != NULL; e = value_next(v, e))
		build_client(b, e, a->clients, &a->n_clients, &a->local);
}

static const char **
read_texts(struct build *b, const struct value *v, size_t *n_r)
{
	const char **list = arena_array(b->arena, value_count(v) + 1, sizeof *list);

	for (const struct node *e = value_first(v); e != NULL && list != NULL; e = value_next(v, e))
		list[(*n_r)++] = arena_string(b->arena, e->text);
	return list;
}

/* Whether a pattern's domain is accepted by one of the app's tenants. */
static bool
is_accepted(const struct app *a, const struct address_pattern *p)
{
	for (size_t i = 0; i < a->n_tenants; i++) {
		const struct tenant *t = a->tenants[i];

		for (size_t j = 0; j < t->n_domains; j++) {
			const struct accepted_domain *d = &t->domains[j];

			if (strcmp(d->name, p->domain) == 0 || (d->subdomains && domain_is_below(p->domain, d->name)) ||
			    (p->any_subdomain && domain_is_below(d->name, p->domain)))
				return true;
		}
	}
	return false;
}

static void
check_sender(struct build *b, const struct node *e, const struct address_pattern *p, const struct app *a)
{
	static const char onmicrosoft[] = "onmicrosoft.com";

	if (p->is_null) {
		if (a->n_tenants > 1)
			node_error(b->problems, e, "\"<>\" goes with one tenant only: the null sender has no domain that could "
				   "select one");
		return;
	}
	if (a->n_tenants > 0 && !is_accepted(a, p))
		node_warning(b->problems, e, "\"%s\": %s is no accepted domain of %s, so it would be refused", e->text,
			     p->domain, a->n_tenants == 1 ? a->tenants[0]->name : "the app's tenants");
	else if (domain_is_below(p->domain, onmicrosoft) || strcmp(p->domain, onmicrosoft) == 0)
		node_warning(b->problems, e, "\"%s\": Exchange Online allows onmicrosoft.com senders 100 external recipients "
			     "a day", e->text);
}

static void
read_senders(struct build *b, const struct value *v, struct app *a)
{
	struct address_error error;

	a->senders = arena_array(b->arena, value_count(v) + 1, sizeof *a->senders);
	for (const struct node *e = value_first(v); e != NULL && a->senders != NULL; e = value_next(v, e)) {
		struct address_pattern *p = &a->senders[a->n_senders];

		if (address_parse_pattern(b->arena, e->text, p, &error) != 0) {
			problems_add(b->problems, true, e->file, e->line,
				     e->column + (e->is_quoted ? 1u : 0u) + (unsigned)error.column - 1,
				     "\"%s\" is no sender: %s; expected %s", e->text, error.what, error.expected);
			continue;
		}
		check_sender(b, e, p, a);
		a->n_senders++;
	}
	if (v->node != NULL && value_count(v) == 0)
		node_error(b->problems, v->node, "\"senders\" of app \"%s\" is empty; expected at least one address", a->name);
}

static void
read_bounds(struct build *b, const struct value *v, struct app *a)
{
	const struct method_facts *f = method_facts(a->method);
	const struct value *recipients = &v[APP_MAX_RECIPIENTS], *size = &v[APP_MAX_SIZE];

	a->max_recipients = recipients->node != NULL ? recipients->number : f->max_recipients;
	a->max_size = size->node != NULL ? size->number : f->max_size;
	if (v[APP_METHOD].node == NULL)
		return;
	if (f->max_recipients > 0 && a->max_recipients > f->max_recipients)
		node_error(b->problems, recipients->node, "%s takes at most %llu recipients a message", f->title,
			   (unsigned long long)f->max_recipients);
	if (f->max_size > 0 && a->max_size > f->max_size)
		node_error(b->problems, size->node, "%s takes messages of at most %lluM", f->title,
			   (unsigned long long)(f->max_size >> 20));
}

static void
read_settings(struct build *b, const struct value *v, struct app *a)
{
	const struct policy *p = b->policy;

	a->method = (enum method)v[APP_METHOD].number;
	a->mode = a->n_tenants == 1 ? a->tenants[0]->mode : p->mode;
	a->has_mode = v[APP_MODE].node != NULL;
	if (a->has_mode)
		a->mode = (enum mode)v[APP_MODE].number;
	a->on_failure = v[APP_ON_FAILURE].node != NULL ? (enum on_failure)v[APP_ON_FAILURE].number : p->on_failure;
	a->sign = (enum sign_wish)v[APP_SIGN].number;
	a->owner = arena_string(b->arena, v[APP_OWNER].node != NULL ? v[APP_OWNER].text : "");
	a->department = arena_string(b->arena, v[APP_DEPARTMENT].node != NULL ? v[APP_DEPARTMENT].text : "");
}

static void
read_app_summary(struct build *b, const struct value *v, struct app *a)
{
	a->has_summary = v->node != NULL && !v->node->is_broken;
	a->summary = a->has_summary ? (enum summary_every)v->number : b->policy->summary.owners;
	if (a->has_summary && a->summary != SUMMARY_OFF && b->policy->notify.from[0] == '\0')
		node_error(b->problems, v->node, "a summary needs \"from\" in the block \"notify\", an address in an accepted domain");
}

static void
check_name_is_new(struct build *b, const struct node *n, const char *name)
{
	const struct policy *p = b->policy;

	for (size_t i = 0; i < p->n_apps; i++)
		if (text_same(p->apps[i].name, name))
			node_error(b->problems, n, "an app \"%s\" stands at %s:%u already", name, p->apps[i].file, p->apps[i].line);
	for (size_t i = 0; i < p->n_tenants; i++)
		if (text_same(p->tenants[i].name, name))
			node_error(b->problems, n, "\"%s\" is the name of a tenant; limits are named after both, so choose another",
				   name);
}

bool
build_app(struct build *b, const struct node *n, struct app *a)
{
	struct value v[APP_COUNT];
	const struct tenant_rate *rate;

	*a = (struct app){.name = "", .file = arena_string(b->arena, n->file), .line = n->line, .column = n->column};
	if (!schema_read(&schema_app, n, false, v, b->problems))
		return false;
	if (v[APP_NAME].node != NULL) {
		a->name = arena_string(b->arena, v[APP_NAME].text);
		if (build_check_name(b, v[APP_NAME].node, "an app", a->name))
			check_name_is_new(b, v[APP_NAME].node, a->name);
	}
	read_tenants(b, n, v, a);
	read_settings(b, v, a);
	read_app_summary(b, &v[APP_SUMMARY], a);
	read_clients(b, &v[APP_CLIENTS], a);
	a->logins = read_texts(b, &v[APP_LOGINS], &a->n_logins);
	a->certificates = read_texts(b, &v[APP_CERTIFICATES], &a->n_certificates);
	if (value_count(&v[APP_CLIENTS]) + a->n_logins + a->n_certificates == 0)
		node_error(b->problems, n, "app \"%s\" matches no session; expected \"clients\", \"logins\" or \"certificates\"",
			   a->name);
	read_senders(b, &v[APP_SENDERS], a);
	read_bounds(b, v, a);
	rate = a->n_tenants == 1 ? &a->tenants[0]->rate : NULL;
	build_limits(b, &v[APP_LIMITS], arena_printf(b->arena, "app:%s", a->name), rate, &a->limits, &a->n_limits);
	build_check_app_limits(b, &v[APP_LIMITS], a);
	build_reserved(b, v, a);
	return a->name[0] != '\0';
}
