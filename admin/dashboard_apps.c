/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See dashboard.h: every app, those of the policy that sent nothing among them.
 */
#include "config.h"

#include "admin/dashboard.h"

#include <stdlib.h>
#include <string.h>

#include "admin/limits.h"

#define APPS 2000
#define SILENT_MS (30 * INT64_C(86400000))

struct row {
	const char *name, *owner, *department, *method;
	const struct traffic_row *traffic; /* NULL: nothing in this time */
	const struct limits_row *fullest;
	int64_t last;             /* 0: never */
	bool is_in_policy;
};

struct apps {
	struct view *v;
	struct row *rows;
	size_t n, left_out;
};

static struct row *
find_row(struct apps *x, const char *name)
{
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->rows[i].name, name) == 0)
			return &x->rows[i];
	if (x->n == APPS) {
		x->left_out++;
		return NULL;
	}
	x->rows[x->n] = (struct row){.name = arena_string(x->v->arena, name), .owner = "", .department = "", .method = ""};
	return &x->rows[x->n++];
}

static void
add_policy(struct apps *x)
{
	for (size_t i = 0; x->v->policy != NULL && i < x->v->policy->n_apps; i++) {
		const struct app *a = &x->v->policy->apps[i];
		struct row *r = find_row(x, a->name);

		if (r == NULL)
			continue;
		r->owner = a->owner;
		r->department = a->department;
		r->method = method_facts(a->method)->name;
		r->is_in_policy = true;
	}
}

/* Sums by another name, from the roll-ups. */
static int
add_by(struct view *v, const char *by)
{
	const struct traffic_want w = {.by = by, .rows_only = true};
	const struct html_links links = {by, v->more};
	struct traffic *t = traffic_read_part(v->reader, &w, v->since, v->until, v->now, &v->error);

	if (t == NULL)
		return -1;
	if (t->n_rows > 1 || (t->n_rows == 1 && t->rows[0].name[0] != '\0'))
		html_rows(v->out, t, APPS, &links);
	traffic_free(&t);
	return 0;
}

/* Of all time: when, and for those that are not in the policy the rest, as it was last. */
static int
keep_seen(void *context, const struct store_traffic *s)
{
	struct apps *x = context;
	struct row *r = find_row(x, s->app);

	if (r == NULL || s->last <= r->last)
		return 0;
	r->last = s->last;
	if (r->is_in_policy)
		return 0;
	r->department = arena_string(x->v->arena, s->department);
	r->method = arena_string(x->v->arena, s->method);
	return 0;
}

static double
fullness(const struct limits_row *r)
{
	uint64_t count = r->count + r->boost;

	return (double)r->used / (double)(count == 0 ? 1 : count);
}

static void
add_limits(struct apps *x, const struct limits *l)
{
	for (size_t i = 0; l != NULL && i < l->n_rows; i++) {
		const char *scope = l->rows[i].limit->scope;
		struct row *r = strncmp(scope, "app:", 4) == 0 ? find_row(x, scope + 4) : NULL;

		if (r != NULL && (r->fullest == NULL || fullness(&l->rows[i]) > fullness(r->fullest)))
			r->fullest = &l->rows[i];
	}
}

static int
compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	uint64_t n = x->traffic == NULL ? 0 : x->traffic->now.messages, m = y->traffic == NULL ? 0 : y->traffic->now.messages;

	return n != m ? (n < m ? 1 : -1) : strcmp(x->name, y->name);
}

static void
add_problems(struct view *v, const struct row *r)
{
	const struct store_traffic *s = r->traffic == NULL ? NULL : &r->traffic->now;
	size_t before = v->out->len;

	if (r->last == 0)
		text_add(v->out, "<span class=\"tag dim\">never seen</span> ");
	else if (r->last < v->now - SILENT_MS)
		text_add(v->out, "<span class=\"tag warn\">silent for 30 days</span> ");
	if (v->policy != NULL && !r->is_in_policy && r->name[0] != '\0')
		text_add(v->out, "<span class=\"tag dim\">not in the policy</span> ");
	if (s != NULL && s->rejected > 0 && s->rejected * 10 >= s->messages)
		text_add(v->out, "<span class=\"tag bad\">refused</span> ");
	if (s != NULL && s->is_unsigned > 0)
		text_add(v->out, "<span class=\"tag warn\">unsigned</span> ");
	if (r->fullest != NULL && view_limit_state(r->fullest)[0] != '\0')
		text_printf(v->out, "<span class=\"tag %s\">limit %s</span> ", r->fullest->is_reached ? "bad" : "warn", view_limit_state(r->fullest));
	if (s != NULL && s->on_trial > 0)
		text_add(v->out, "<span class=\"tag dim\">trial differs</span> ");
	if (v->out->len == before)
		text_add(v->out, "<span class=\"good\">none</span>");
}

static void
add_row(struct view *v, const struct traffic *t, const struct row *r, uint64_t most)
{
	static const struct store_traffic none;
	const struct store_traffic *s = r->traffic == NULL ? &none : &r->traffic->now;
	char change[TRAFFIC_WORD];

	text_add(v->out, "<tr><th scope=\"row\">");
	view_link(v, "app", r->name, "(no app)");
	text_add(v->out, "<small>");
	view_text(v, r->owner);
	text_add(v->out, "</small>");
	html_row_bar(v->out, s, most);
	text_add(v->out, "</th>");
	html_cell(v->out, "", s->messages);
	text_printf(v->out, "<td>%s</td><td class=\"left\">", r->traffic == NULL ? "" : traffic_change(t, s->messages, r->traffic->before, change));
	add_problems(v, r);
	text_add(v->out, "</td><td class=\"left\">");
	if (r->fullest != NULL)
		view_gauge(v, r->fullest);
	text_add(v->out, "</td>");
	html_cell(v->out, "rejected-n", s->rejected);
	html_cell(v->out, "deferred-n", s->deferred);
	html_cell(v->out, "", s->held);
	html_cell(v->out, "", s->is_unsigned);
	text_add(v->out, "<td class=\"left\">");
	if (r->department[0] != '\0')
		view_link(v, "department", r->department, "");
	text_add(v->out, "</td><td class=\"left\">");
	if (r->method[0] != '\0')
		view_link(v, "method", r->method, "");
	text_add(v->out, "</td><td>");
	if (r->last > 0)
		view_time(v, r->last);
	text_add(v->out, "</td></tr>\n");
}

static int
read_apps(struct apps *x, struct traffic **t, struct limits **l)
{
	struct view *v = x->v;
	const struct store_traffic_query seen = {.ever = true, .by = STORE_TRAFFIC_APP | STORE_TRAFFIC_DEPARTMENT | STORE_TRAFFIC_METHOD};
	const struct traffic_want want = {.by = "app"};
	const struct limits_query limits = {.policy = v->policy, .reader = v->reader, .app = "", .limit = "", .keys = 1, .without_spenders = true};

	x->rows = arena_array(v->arena, APPS, sizeof *x->rows);
	if (x->rows == NULL)
		return v->error = "memory is short", -1;
	add_policy(x);
	if (store_reader_traffic(v->reader, &seen, keep_seen, x, &v->error) != 0 ||
	    (*t = traffic_read_part(v->reader, &want, v->since, v->until, v->now, &v->error)) == NULL ||
	    (v->policy != NULL && (*l = limits_read(&limits, &v->error)) == NULL))
		return -1;
	for (size_t i = 0; i < (*t)->n_rows; i++) {
		struct row *r = find_row(x, (*t)->rows[i].name);

		if (r != NULL)
			r->traffic = &(*t)->rows[i];
	}
	add_limits(x, *l);
	qsort(x->rows, x->n, sizeof *x->rows, compare);
	return 0;
}

unsigned
dashboard_apps(struct view *v)
{
	struct apps x = {.v = v};
	struct traffic *t = NULL;
	struct limits *l = NULL;
	int rc = read_apps(&x, &t, &l);

	if (rc == 0) {
		view_begin(v, "Apps", true);
		html_totals(v->out, t);
		view_table(v, "Most messages first; the limit shown is the fullest of the app's own",
			   "app and owner|messages|change|<problems|<limit|rejected|deferred|held|unsigned|<department|<method|last seen");
		for (size_t i = 0; i < x.n; i++)
			add_row(v, t, &x.rows[i], x.rows[0].traffic == NULL ? 1 : x.rows[0].traffic->now.messages);
		view_table_end(v);
		if (x.left_out > 0)
			text_printf(v->out, "<p>There are more than %d apps; the rest is left out.</p>\n", APPS);
		rc = add_by(v, "department") != 0 || add_by(v, "tenant") != 0 ? -1 : 0;
		view_end(v);
	}
	traffic_free(&t);
	limits_free(&l);
	return rc == 0 ? 200 : 0;
}
