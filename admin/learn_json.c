/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the draft says, for programs. Octets that are not UTF-8 show as U+FFFD.
 */
#include "config.h"

#include "admin/learn.h"

#include <string.h>

#include "admin/when.h"
#include "base/json.h"

static void
set_time(struct jsonv *o, const char *name, int64_t time)
{
	char buf[WHEN_SIZE];

	jsonv_set_text(o, name, when_format(time, buf));
}

static void
set_count(struct jsonv *o, const char *name, uint64_t n)
{
	jsonv_set_integer(o, name, (int64_t)n);
}

static void
set_texts(struct jsonv *o, const char *name, const char *const *list, size_t n)
{
	struct jsonv *a = jsonv_set_array(o, name);

	for (size_t i = 0; i < n; i++)
		jsonv_add_text(a, list[i]);
}

static void
set_recipients(struct jsonv *o, uint64_t messages, uint64_t internal, uint64_t external)
{
	set_count(o, "messages", messages);
	set_count(o, "internal", internal);
	set_count(o, "external", external);
}

static const char *
line_state(bool is_known, bool is_stray)
{
	return is_known ? "kept" : is_stray ? "stray" : "new";
}

static void
add_client(struct jsonv *list, const struct learn_client *c)
{
	struct jsonv *o = jsonv_add_object(list);
	char buf[LEARN_NETWORK_SIZE];

	jsonv_set_text(o, "client", c->is_local ? "local" : learn_network_format(&c->net, buf));
	jsonv_set_text(o, "state", line_state(c->is_known, c->is_stray));
	set_count(o, "seen", c->is_local ? 1 : c->seen);
	set_count(o, "messages", c->messages);
}

static void
add_grant(struct jsonv *list, const struct learn_grant *g)
{
	struct jsonv *o = jsonv_add_object(list);

	jsonv_set_text(o, "sender", g->text);
	jsonv_set_text(o, "state", line_state(g->is_known, g->is_stray));
	set_count(o, "envelope", g->envelope);
	set_count(o, "header", g->header);
	if (g->members > 0)
		set_count(o, "addresses", g->members);
	set_time(o, "first", g->first);
	set_time(o, "last", g->last);
}

static void
add_limit(struct jsonv *list, const struct learn_limit *x)
{
	struct jsonv *o = jsonv_add_object(list);
	struct text t = {0};

	text_printf(&t, "%llu %s/%s%s%s", (unsigned long long)x->count, limit_unit_name(x->unit),
		    learn_period_name(x->period), x->key[0] == '\0' ? "" : " per ", x->key);
	jsonv_set_text(o, "limit", text_string(&t));
	set_count(o, "peak", x->peak);
	set_time(o, "at", x->at);
	if (x->bound != NULL)
		jsonv_set_text(o, "bound", x->bound);
	text_free(&t);
}

static void
add_part(struct jsonv *list, const struct learn_part *p)
{
	struct jsonv *o = jsonv_add_object(list);

	jsonv_set_text(o, "helo", p->helo);
	jsonv_set_text(o, "message_id_host", p->host);
	set_count(o, "messages", p->messages);
	set_texts(o, "senders", p->senders, p->n_senders);
}

static void
add_lists(struct jsonv *o, const struct learn_app *a)
{
	struct jsonv *list = jsonv_set_array(o, "clients");

	for (size_t i = 0; i < a->n_clients; i++)
		add_client(list, &a->clients[i]);
	set_texts(o, "logins", a->logins, a->n_logins);
	set_texts(o, "certificates", a->certificates, a->n_certificates);
	list = jsonv_set_array(o, "senders");
	for (size_t i = 0; i < a->n_grants; i++)
		add_grant(list, &a->grants[i]);
	list = jsonv_set_array(o, "limits");
	for (size_t i = 0; i < a->n_limits; i++)
		add_limit(list, &a->limits[i]);
	list = jsonv_set_array(o, "parts");
	for (size_t i = 0; i < a->n_parts && a->n_parts > 1; i++)
		add_part(list, &a->parts[i]);
}

static void
add_app(struct jsonv *apps, const struct learn_app *a)
{
	static const char *const proofs[] = {"none", "certificate", "login"};
	struct jsonv *o = jsonv_add_object(apps), *tenants;

	jsonv_set_text(o, "name", a->name);
	jsonv_set_text(o, "state", learn_state(a));
	tenants = jsonv_set_array(o, "tenants");
	for (size_t i = 0; i < a->n_tenants; i++)
		jsonv_add_text(tenants, a->tenants[i]->name);
	jsonv_set_text(o, "method", method_facts(a->method)->name);
	jsonv_set_text(o, "owner", a->known == NULL ? "" : a->known->owner);
	if (a->known == NULL)
		jsonv_set_text(o, "proof", proofs[a->proof]);
	jsonv_set_boolean(o, "mixed", a->is_mixed);
	jsonv_set_boolean(o, "pool", a->is_pool);
	jsonv_set_boolean(o, "shared", a->is_shared);
	jsonv_set_boolean(o, "anywhere", a->anywhere);
	set_recipients(o, a->messages, a->internal, a->external);
	set_count(o, "local", a->local);
	set_count(o, "without_proof", a->without_proof);
	set_count(o, "beyond", a->beyond);
	set_count(o, "days", a->days);
	if (a->messages > 0) {
		set_time(o, "first", a->first);
		set_time(o, "last", a->last);
	}
	add_lists(o, a);
}

static void
add_finding(const struct learn *l, struct jsonv *list, const struct learn_finding *f)
{
	const struct learn_source *s = learn_source(l, f->source);
	const struct learn_app *a = learn_app_of(l, s);
	struct jsonv *o = jsonv_add_object(list);

	jsonv_set_text(o, "reason", f->reason);
	jsonv_set_text(o, "client", s->client);
	jsonv_set_text(o, "login", s->login);
	jsonv_set_text(o, "certificate", s->certificate);
	jsonv_set_text(o, "app", a == NULL ? "" : a->name);
	jsonv_set_text(o, "about", f->address);
	set_count(o, "messages", f->messages);
	set_time(o, "first", f->first);
	set_time(o, "last", f->last);
	jsonv_set_text(o, "example", f->id);
}

static void
add_refused(struct jsonv *list, const struct learn_refused *r)
{
	struct jsonv *o = jsonv_add_object(list);

	jsonv_set_text(o, "reason", r->reason);
	jsonv_set_text(o, "client", r->client);
	jsonv_set_text(o, "login", r->login);
	jsonv_set_text(o, "app", r->app);
	jsonv_set_text(o, "sender", r->sender);
	set_count(o, "count", r->count);
	jsonv_set_text(o, "example", r->id);
}

static void
add_inventory(const struct learn *l, struct jsonv *root)
{
	struct jsonv *o = jsonv_set_object(root, "direct_send"), *list = jsonv_set_array(o, "clients");

	for (uint32_t i = 1; i <= l->n_sources; i++) {
		const struct learn_source *s = learn_source(l, i);
		const struct learn_app *a = learn_app_of(l, s);
		struct jsonv *c;

		if (s->login[0] != '\0' || s->certificate[0] != '\0' || s->all == 0)
			continue;
		c = jsonv_add_object(list);
		jsonv_set_text(c, "client", s->client);
		jsonv_set_text(c, "name", s->name);
		jsonv_set_text(c, "app", a == NULL ? "" : a->name);
		set_recipients(c, s->all, s->all_internal, s->all_external);
		set_count(c, "not_granted", s->findings);
		jsonv_set_text(c, "owner", a == NULL || a->known == NULL ? "" : a->known->owner);
	}
	list = jsonv_set_array(o, "would_break");
	for (size_t i = 0; i < l->n_apps; i++) {
		const struct learn_app *a = &l->apps[i];
		struct jsonv *c;

		if (a->method != METHOD_DIRECT_SEND || a->messages == 0 || a->is_stray)
			continue;
		c = jsonv_add_object(list);
		jsonv_set_text(c, "app", a->name);
		set_recipients(c, a->messages, a->internal, a->external);
		set_count(c, "without_proof", a->without_proof);
	}
}

static void
add_counts(const struct learn *l, struct jsonv *root)
{
	struct learn_sums s = learn_sum(l);
	struct jsonv *o = jsonv_set_object(root, "counts");

	set_count(o, "known", s.known);
	set_count(o, "proposed", s.proposed);
	set_count(o, "stray", s.stray);
	set_count(o, "not_granted", s.findings);
	set_count(o, "refused_then", l->refused_then);
	set_count(o, "discarded", l->discarded);
	set_count(o, "beyond_senders", s.beyond);
	set_count(o, "beyond_clients", l->beyond_sources);
}

int
learn_json(const struct learn *l, const char *database, struct text *t)
{
	struct jsonv *root = jsonv_new_object(), *list;
	int rc;

	jsonv_set_text(root, "database", database);
	jsonv_set_text(root, "policy", l->policy_file);
	set_time(root, "since", l->range.since);
	set_time(root, "until", l->range.until);
	set_count(root, "messages", l->messages);
	set_count(root, "head_room", l->head_room);
	add_counts(l, root);
	list = jsonv_set_array(root, "apps");
	for (size_t i = 0; i < l->n_apps; i++)
		add_app(list, &l->apps[i]);
	list = jsonv_set_array(root, "not_granted");
	for (size_t i = 0; i < l->n_findings; i++)
		add_finding(l, list, &l->findings[i]);
	list = jsonv_set_array(root, "refused");
	for (size_t i = 0; i < l->n_refused; i++)
		add_refused(list, &l->refused[i]);
	add_inventory(l, root);
	rc = jsonv_write(root, true, t);
	jsonv_free(&root);
	return rc;
}
