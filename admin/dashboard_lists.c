/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See dashboard.h: refusals, limits, methods, unsigned mail.
 */
#include "config.h"

#include "admin/dashboard.h"

#include <stdlib.h>
#include <string.h>

#include "admin/limits.h"
#include "admin/when.h"
#include "policy/reason.h"

#define ROWS 100
#define KEYS 5

typedef unsigned long long ull;

/* ---- refusals */

static void
add_reason_card(struct view *v, const struct traffic *t, const struct traffic_reason *r)
{
	const struct reason *known = reason_find(r->reason);
	char change[TRAFFIC_WORD], share[TRAFFIC_WORD];
	const char *word = traffic_change(t, r->messages, r->before, change);

	text_add(v->out, "<article class=\"card\"><h3>");
	view_link(v, "reason", r->reason, "(no reason)");
	text_printf(v->out, " <span class=\"tag %s\">%s</span></h3>\n<p>", strcmp(r->verdict, "reject") == 0 ? "bad" : "warn", r->verdict);
	html_number(v->out, r->messages);
	text_printf(v->out, " messages%s%s%s", word[0] == '\0' ? "" : ", ", strcmp(word, "=") == 0 ? "as before" : word, known == NULL ? "" : "; ");
	view_text(v, known == NULL ? "" : known->when);
	text_add(v->out, ".</p>\n<dl class=\"facts\"><div><dt>most of it</dt><dd>");
	view_link(v, "app", r->app, "(no app)");
	text_printf(v->out, " (%s)</dd></div><div><dt>what to do</dt><dd>", strcmp(traffic_share(r->of_app, r->messages, share), "<1%") == 0 ? "less than 1%" : share);
	view_text(v, traffic_advice(r)[0] == '\0' ? "Ask the mail admin." : traffic_advice(r));
	text_add(v->out, "</dd></div></dl></article>\n");
}

unsigned
dashboard_refusals(struct view *v)
{
	const struct traffic_want w = {.by = "reason"};
	struct traffic *t = traffic_read_part(v->reader, &w, v->since, v->until, v->now, &v->error);
	int rc = t == NULL ? -1 : 0;

	if (t == NULL)
		return 0;
	view_begin(v, "Refused, deferred, held", true);
	for (size_t i = 0; i < t->n_reasons && i < ROWS; i++)
		add_reason_card(v, t, &t->reasons[i]);
	if (t->n_reasons == 0)
		text_add(v->out, "<p>Nothing was refused, deferred or held in this time.</p>\n");
	traffic_free(&t);
	rc = view_latest(v, (struct store_latest){.stopped_only = true, .since = v->since, .until = v->until, .before_id = ""}, "The latest of them");
	view_end(v);
	return rc == 0 ? 200 : 0;
}

/* ---- limits */

const char *
view_limit_state(const struct limits_row *r)
{
	return r->is_reached || (r->left == 0 && r->used > 0) ? "reached" : r->is_near ? "near" : "";
}

void
view_gauge(struct view *v, const struct limits_row *r)
{
	const char *state = view_limit_state(r);
	char used[32], of[32];
	uint64_t count = r->count + r->boost;
	double share = count == 0 ? 0 : 1000.0 * (double)r->used / (double)count;

	text_printf(v->out, "<svg class=\"gauge\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%.0f percent used\">"
		    "<rect class=\"rest\" width=\"1000\" height=\"10\"/><rect class=\"%s\" width=\"%.1f\" height=\"10\"/></svg>",
		    share / 10, strcmp(state, "reached") == 0 ? "bad" : state[0] != '\0' ? "warn" : "fine", share > 1000 ? 1000 : share);
	text_printf(v->out, "%s of %s", limits_amount(r->limit->unit, r->used, used), limits_amount(r->limit->unit, count, of));
}

static void
add_limit_owner(struct view *v, const char *scope)
{
	const char *name = strchr(scope, ':') + 1, *page = arena_substring(v->arena, scope, (size_t)(name - 1 - scope));

	html_link(v->out, html_page_of(page), name, v->more, name);
	text_printf(v->out, "<small>%s</small>", page);
}

static void
add_limit(struct view *v, const struct limits *l, const struct limits_row *r)
{
	const char *state = view_limit_state(r);
	char span[WHEN_SIZE], at[WHEN_SIZE], amount[32];

	text_add(v->out, "<tr><th scope=\"row\">");
	view_text(v, r->limit->name);
	text_add(v->out, "<small>");
	view_text(v, r->key);
	text_add(v->out, "</small></th><td class=\"left\">");
	add_limit_owner(v, r->limit->scope);
	text_add(v->out, "</td><td class=\"left\">");
	view_gauge(v, r);
	text_printf(v->out, " %s</td><td class=\"left\">", limit_unit_name(r->limit->unit));
	if (state[0] != '\0')
		text_printf(v->out, "<span class=\"tag %s\">%s</span>", strcmp(state, "reached") == 0 ? "bad" : "warn", state);
	text_printf(v->out, "</td><td>%s</td>", limits_amount(r->limit->unit, r->left, amount));
	html_cell(v->out, "", r->waiting);
	text_printf(v->out, "<td>%s</td><td class=\"left any\">", r->used == 0 ? "" : when_span(r->next_ms, span));
	if (r->spent_ms > 0)
		text_printf(v->out, "at this pace spent in %s. ", when_span(r->spent_ms, span));
	if (r->boost > 0)
		text_printf(v->out, "%s more until %.16s. ", limits_amount(r->limit->unit, r->boost, amount), when_format(r->boost_until, at));
	if (r->more > 0)
		text_printf(v->out, "%zu more %ss are counted. ", r->more, limit_key_name(r->limit->key));
	text_printf(v->out, "over it: %s</td></tr>\n", limit_over_name(r->limit->over));
	(void)l;
}

int
view_limits(struct view *v, const char *app, const char *scope, bool near_only)
{
	const struct limits_query q = {.policy = v->policy, .reader = v->reader, .app = app, .limit = "", .keys = KEYS, .without_spenders = true};
	struct limits *l = v->policy == NULL ? NULL : limits_read(&q, &v->error);
	size_t n = 0;

	if (v->policy == NULL)
		return 0;
	if (l == NULL)
		return -1;
	text_printf(v->out, "<h2>%s</h2>\n", near_only ? "Close to full" : "Limits");
	for (size_t i = 0; i < l->n_rows; i++) {
		if ((near_only && view_limit_state(&l->rows[i])[0] == '\0') || (scope[0] != '\0' && strcmp(scope, l->rows[i].limit->scope) != 0))
			continue;
		if (n++ == 0)
			view_table(v, near_only ? "Limits that are near or reached" : "Use within the period of each limit",
				   "limit|<whose|<used|<state|left|waiting|frees in|<remarks");
		add_limit(v, l, &l->rows[i]);
	}
	if (n > 0)
		view_table_end(v);
	else
		text_printf(v->out, "<p>%s</p>\n", near_only ? "None is." : "None.");
	limits_free(&l);
	return 0;
}

unsigned
dashboard_limits(struct view *v)
{
	view_begin(v, "Limits", false);
	if (v->policy == NULL)
		text_add(v->out, "<p>Limits stand in the policy file, which was not given; start the dashboard with <code>-c</code>.</p>\n");
	else if (view_limits(v, "", "", true) != 0 || view_limits(v, "", "", false) != 0)
		return 0;
	text_add(v->out, "<p class=\"dim\">Who spends a limit is told by <code>postern limits --app APP</code>.</p>\n");
	view_end(v);
	return 200;
}

/* ---- methods */

/* What of a client or app was refused for going outside. */
struct outside {
	const char *name;
	uint64_t n;
};

struct methods {
	struct view *v;
	struct outside *list;
	size_t n;
};

static int
keep_outside(void *context, const struct store_traffic *s)
{
	struct methods *x = context;

	if ((strcmp(s->reason, "direct-send-external") == 0 || strcmp(s->reason, "method-external") == 0) && x->n < TRAFFIC_ROWS)
		x->list[x->n++] = (struct outside){arena_string(x->v->arena, s->client), s->messages};
	return 0;
}

static uint64_t
outside_of(const struct methods *x, const char *name)
{
	uint64_t n = 0;

	for (size_t i = 0; i < x->n; i++)
		n += strcmp(x->list[i].name, name) == 0 ? x->list[i].n : 0;
	return n;
}

static void
add_device(const struct methods *x, const struct traffic_row *r)
{
	struct view *v = x->v;
	uint64_t outside = outside_of(x, r->name);

	text_add(v->out, "<tr><th scope=\"row\">");
	view_link(v, "client", r->name, "(this machine)");
	text_add(v->out, "</th>");
	html_cell(v->out, "", r->now.messages);
	html_cell(v->out, "", r->now.recipients);
	html_cell(v->out, "rejected-n", r->now.rejected);
	html_cell(v->out, "rejected-n", outside);
	text_add(v->out, "<td>");
	view_time(v, r->now.last);
	text_add(v->out, "</td><td class=\"left any\">");
	view_text(v, traffic_better_method("direct-send", outside));
	text_add(v->out, "</td></tr>\n");
}

/* The devices, from rows. */
static int
add_devices(struct methods *x)
{
	struct view *v = x->v;
	const struct traffic_want w = {.by = "client", .only = STORE_TRAFFIC_METHOD, .name = "direct-send", .rows_only = true};
	struct store_traffic_query refused = {.by = STORE_TRAFFIC_CLIENT | STORE_TRAFFIC_REASON, .only = STORE_TRAFFIC_METHOD, .name = "direct-send"};
	struct traffic *t;
	int64_t since = v->since;

	if (view_bound(v, STORE_TRAFFIC_METHOD, "direct-send", &since) != 0)
		return -1;
	refused.since = since;
	refused.until = v->until;
	t = traffic_read_part(v->reader, &w, since, v->until, v->now, &v->error);
	x->list = arena_array(v->arena, TRAFFIC_ROWS, sizeof *x->list);
	if (t == NULL || x->list == NULL || store_reader_traffic(v->reader, &refused, keep_outside, x, &v->error) != 0) {
		traffic_free(&t);
		return -1;
	}
	if (t->n_rows == 0)
		text_add(v->out, "<p>None does in this time.</p>\n");
	else
		view_table(v, "Clients that send by Direct Send", "client|messages|recipients|rejected|to outside, refused|last seen|<better");
	for (size_t i = 0; i < t->n_rows && i < ROWS; i++)
		add_device(x, &t->rows[i]);
	if (t->n_rows > 0)
		view_table_end(v);
	if (t->n_rows > ROWS)
		text_printf(v->out, "<p>And %zu clients more.</p>\n", t->n_rows - ROWS);
	traffic_free(&t);
	return 0;
}

unsigned
dashboard_methods(struct view *v)
{
	struct methods x = {.v = v};
	const struct html_links links = {"method", v->more}, apps = {"app", v->more};
	const struct traffic_want all = {.by = "method"}, direct = {.by = "app", .only = STORE_TRAFFIC_METHOD, .name = "direct-send", .rows_only = true};
	struct traffic *t = traffic_read_part(v->reader, &all, v->since, v->until, v->now, &v->error);
	struct traffic *d = t == NULL ? NULL : traffic_read_part(v->reader, &direct, v->since, v->until, v->now, &v->error);
	int rc = d == NULL ? -1 : 0;

	if (rc == 0) {
		view_begin(v, "Direct Send and the other methods", true);
		text_add(v->out, "<h2>Devices that use Direct Send</h2>\n");
		rc = add_devices(&x);
		if (d->n_rows > 0)
			html_rows(v->out, d, ROWS, &apps);
		html_rows(v->out, t, ROWS, &links);
		view_end(v);
	}
	traffic_free(&t);
	traffic_free(&d);
	return rc == 0 ? 200 : 0;
}

/* ---- unsigned */

static const struct {
	const char *signing, *why;
} whys[] = {
	{"no-key", "The policy has no signing key for the domain in From: its owner or the mail admin adds one under signing."},
	{"not-signed", "The app says sign: never, or nothing asks for a signature."},
	{"line-too-long", "A line is so long that it would be wrapped after signing: the app should encode the body."},
	{"unavailable", "The key could not be used: postern check says why."},
	{"", "No signature was asked for."},
};

static int
add_why(void *context, const struct store_traffic *s)
{
	struct view *v = context;
	const char *why = "";

	for (size_t i = 0; i < sizeof whys / sizeof whys[0]; i++)
		if (strcmp(whys[i].signing, s->signing) == 0)
			why = whys[i].why;
	text_add(v->out, "<tr><th scope=\"row\">");
	view_link(v, "app", s->app, "(no app)");
	text_add(v->out, "</th>");
	html_cell(v->out, "", s->is_unsigned);
	text_add(v->out, "<td class=\"left\">");
	view_text(v, s->signing);
	text_add(v->out, "</td><td class=\"left any\">");
	view_text(v, why);
	text_add(v->out, "</td></tr>\n");
	return 0;
}

unsigned
dashboard_unsigned(struct view *v)
{
	const struct store_traffic_query q = {
		.since = v->since / 3600000 * 3600000, .until = v->until, .by = STORE_TRAFFIC_APP | STORE_TRAFFIC_SIGNING, .unsigned_only = true,
		.max = ROWS,
	};
	size_t before;

	view_begin(v, "Mail that left unsigned", true);
	view_table(v, "By app and reason", "app|messages|<signing|<why, and what to do");
	before = v->out->len;
	if (store_reader_traffic(v->reader, &q, add_why, v, &v->error) != 0)
		return 0;
	if (v->out->len == before)
		text_add(v->out, "<tr><td colspan=\"4\">All mail that left was signed.</td></tr>\n");
	view_table_end(v);
	if (view_latest(v, (struct store_latest){.unsigned_only = true, .since = v->since, .until = v->until, .before_id = ""}, "The latest of it") != 0)
		return 0;
	view_end(v);
	return 200;
}
