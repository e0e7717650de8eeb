/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See dashboard.h: one app, department, tenant, method, sender, client or reason.
 */
#include "config.h"

#include "admin/dashboard.h"

#include <string.h>

#include "admin/when.h"
#include "policy/reason.h"

#define ROWS 15

struct one {
	struct view *v;
	unsigned kind;            /* of enum store_traffic_by */
	const char *name;
	int64_t since;            /* of what is read from rows */
	int64_t last;             /* 0 not known */
};

static const struct app *
find_app(const struct policy *p, const char *name)
{
	for (size_t i = 0; p != NULL && i < p->n_apps; i++)
		if (strcmp(p->apps[i].name, name) == 0)
			return &p->apps[i];
	return NULL;
}

static void
add_fact(struct view *v, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	text_printf(v->out, "<div><dt>%s</dt><dd>", name);
	view_text(v, value);
	text_add(v->out, "</dd></div>\n");
}

static void
add_fact_link(struct view *v, const char *name, const char *page, const char *value)
{
	if (value[0] == '\0')
		return;
	text_printf(v->out, "<div><dt>%s</dt><dd>", name);
	view_link(v, page, value, "");
	text_add(v->out, "</dd></div>\n");
}

static void
add_app_facts(struct view *v, const struct app *a)
{
	add_fact(v, "owner", a->owner);
	add_fact_link(v, "department", "department", a->department);
	add_fact_link(v, "method", "method", method_facts(a->method)->name);
	for (size_t i = 0; i < a->n_tenants; i++)
		add_fact_link(v, "tenant", "tenant", a->tenants[i]->name);
	if (a->has_mode)
		add_fact(v, "mode", a->mode == MODE_MONITOR ? "monitor: on trial" : "enforce");
	add_fact(v, "in the policy", arena_printf(v->arena, "%s:%u", a->file, a->line));
}

static void
add_tenant_facts(struct view *v, const struct tenant *t)
{
	char at[WHEN_SIZE];

	add_fact(v, "next hop", t->next_hop);
	for (size_t i = 0; i < t->n_sources; i++)
		add_fact(v, "accepted domains", arena_printf(v->arena, "%zu, list of %.16s", t->sources[i].n_domains,
							     when_format(t->sources[i].modified * 1000, at)));
}

static void
add_facts(const struct one *x)
{
	struct view *v = x->v;
	const struct app *a = x->kind == STORE_TRAFFIC_APP ? find_app(v->policy, x->name) : NULL;
	const struct reason *r = x->kind == STORE_TRAFFIC_REASON ? reason_find(x->name) : NULL;
	size_t before;

	text_add(v->out, "<dl class=\"facts\">\n");
	before = v->out->len;
	if (a != NULL)
		add_app_facts(v, a);
	else if (x->kind == STORE_TRAFFIC_APP && v->policy != NULL && x->name[0] != '\0')
		add_fact(v, "policy", "has no app of this name");
	for (size_t i = 0; x->kind == STORE_TRAFFIC_TENANT && v->policy != NULL && i < v->policy->n_tenants; i++)
		if (strcmp(v->policy->tenants[i].name, x->name) == 0)
			add_tenant_facts(v, &v->policy->tenants[i]);
	for (int i = 0; x->kind == STORE_TRAFFIC_METHOD && i < METHOD_COUNT; i++)
		if (strcmp(method_facts((enum method)i)->name, x->name) == 0) {
			add_fact(v, "is", method_facts((enum method)i)->title);
			add_fact(v, "reaches", method_facts((enum method)i)->accepted_only ? "the tenant's own domains only" : "everybody");
		}
	if (x->kind == STORE_TRAFFIC_METHOD)
		add_fact(v, "better", traffic_better_method(x->name, 0));
	add_fact(v, "means", r == NULL ? "" : r->when);
	add_fact(v, "what to do", r == NULL ? "" : r->advice);
	if (x->last > 0) {
		text_add(v->out, "<div><dt>last seen</dt><dd>");
		view_time(v, x->last);
		text_add(v->out, "</dd></div>\n");
	}
	if (v->out->len == before)
		text_add(v->out, "<div><dt>known by</dt><dd>its mail alone</dd></div>\n");
	text_add(v->out, "</dl>\n");
}

static int
keep_last(void *context, const struct store_traffic *s)
{
	struct one *x = context;

	x->last = s->last;
	return 0;
}

static bool
is_of_rows(const struct one *x)
{
	return x->kind == STORE_TRAFFIC_SENDER || x->kind == STORE_TRAFFIC_CLIENT;
}

/* Sums, times and reasons: of senders and clients from rows, of all else from roll-ups. */
static int
add_traffic(struct one *x)
{
	struct view *v = x->v;
	const char *by = x->kind == STORE_TRAFFIC_APP ? "method" : "app";
	const struct traffic_want w = {.by = by, .only = x->kind, .name = x->name, .without_before = is_of_rows(x)};
	const struct html_links links = {by, v->more};
	struct traffic *t = traffic_read_part(v->reader, &w, is_of_rows(x) ? x->since : v->since, v->until, v->now, &v->error);

	if (t == NULL)
		return -1;
	if (t->total.messages == 0) {
		text_add(v->out, "<p>No mail in this time.</p>\n");
	} else {
		html_totals(v->out, t);
		html_times(v->out, t);
		html_reasons(v->out, t, ROWS, &links);
		if (t->n_rows > 1 || x->kind != STORE_TRAFFIC_APP)
			html_rows(v->out, t, ROWS, &links);
	}
	traffic_free(&t);
	return 0;
}

/* Who it is, in rows. */
static int
add_who(struct one *x, const char *by)
{
	struct view *v = x->v;
	const struct traffic_want w = {.by = by, .only = x->kind, .name = x->name, .rows_only = true};
	const struct html_links links = {by, v->more};
	struct traffic *t;

	if (x->kind == traffic_by(by))
		return 0;
	t = traffic_read_part(v->reader, &w, x->since, v->until, v->now, &v->error);
	if (t == NULL)
		return -1;
	if (t->n_rows > 0)
		html_rows(v->out, t, ROWS, &links);
	traffic_free(&t);
	return 0;
}

static int
add_limits(struct one *x)
{
	const char *scope = x->kind == STORE_TRAFFIC_TENANT ? "tenant:" : x->kind == STORE_TRAFFIC_METHOD ? "method:" : "";

	if (x->kind == STORE_TRAFFIC_APP)
		return find_app(x->v->policy, x->name) == NULL ? 0 : view_limits(x->v, x->name, "", false);
	return scope[0] == '\0' ? 0 : view_limits(x->v, "", arena_printf(x->v->arena, "%s%s", scope, x->name), false);
}

static int
add_page(struct one *x)
{
	struct view *v = x->v;

	add_facts(x);
	if (is_of_rows(x) && view_bound(v, x->kind, x->name, &x->since) != 0)
		return -1;
	if (add_traffic(x) != 0 || add_limits(x) != 0)
		return -1;
	if (!is_of_rows(x) && view_bound(v, x->kind, x->name, &x->since) != 0)
		return -1;
	if (add_who(x, "sender") != 0 || add_who(x, "client") != 0)
		return -1;
	return view_latest(v, (struct store_latest){.only = x->kind, .name = x->name, .since = v->since, .until = v->until, .before_id = ""},
			   "Latest messages");
}

unsigned
dashboard_one(struct view *v)
{
	struct one x = {.v = v, .kind = view_kind(v->path), .name = view_argument(v, "name")};
	const struct store_traffic_query ever = {.ever = true, .only = x.kind, .name = x.name};
	const char *none = x.kind == STORE_TRAFFIC_SENDER ? "<>" : x.kind == STORE_TRAFFIC_REASON ? "(no reason)" : x.kind == STORE_TRAFFIC_CLIENT
			   ? "(this machine)" : arena_printf(v->arena, "(no %s)", v->path);

	if (!is_of_rows(&x) && store_reader_traffic(v->reader, &ever, keep_last, &x, &v->error) != 0)
		return 0;
	view_begin(v, arena_printf(v->arena, "%c%s: %s", v->path[0] - ('a' - 'A'), v->path + 1, x.name[0] == '\0' ? none : x.name), true);
	if (add_page(&x) != 0)
		return 0;
	view_end(v);
	return 200;
}
