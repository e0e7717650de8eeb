/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See dashboard.h: the first page.
 */
#include "config.h"

#include "admin/dashboard.h"

#include <string.h>

#include "admin/limits.h"
#include "admin/needs.h"
#include "policy/pause.h"

/* Of what needs somebody, so much is open. */
#define NEEDS 6
#define PAUSES 16
#define APPS 8
#define REASONS 6

static int
keep_last(void *context, const struct store_traffic *s)
{
	int64_t *last = context;

	*last = s->last;
	return 0;
}

static void
add_need(struct view *v, const struct need *need)
{
	static const char *const classes[] = {"now", "soon", "know"}, *const words[] = {"now", "soon", "to know"};
	static const char *const colors[] = {"bad", "warn", "dim"};

	text_printf(v->out, "<li class=\"%s\"><span class=\"tag %s\">%s</span> <b>", classes[need->when], colors[need->when], words[need->when]);
	if (need->name[0] == '\0') {
		text_printf(v->out, "<a href=\"%s?since=%s\">", need->page, v->range);
		view_text(v, need->title);
		text_add(v->out, "</a>");
	} else {
		html_link(v->out, need->page, need->name, v->more, need->title);
	}
	text_add(v->out, "</b><p>");
	view_text(v, need->action);
	text_add(v->out, "</p></li>\n");
}

static void
add_needs(struct view *v, const struct needs_facts *facts)
{
	struct needs needs = {.arena = v->arena};

	needs_find(facts, &needs);
	text_add(v->out, "<h2>What needs you today</h2>\n<ul class=\"needs\">\n");
	for (size_t i = 0; i < needs.n && i < NEEDS; i++)
		add_need(v, &needs.list[i]);
	if (needs.n == 0)
		text_add(v->out, "<li class=\"fine\"><b class=\"good\">Nothing does.</b><p>No limit is near, no app is refused more than usual, nothing waits.</p></li>\n");
	text_add(v->out, "</ul>\n");
	if (needs.n > NEEDS) {
		text_printf(v->out, "<details><summary>And %zu more</summary>\n<ul class=\"needs\">\n", needs.n - NEEDS + needs.more);
		for (size_t i = NEEDS; i < needs.n; i++)
			add_need(v, &needs.list[i]);
		text_printf(v->out, "</ul>%s</details>\n", needs.more > 0 ? "<p>The rest is on the pages of apps and limits.</p>" : "");
	}
}

static void
add_questions(struct view *v)
{
	static const struct {
		const char *url, *question, *command;
	} asked[] = {
		{"apps?since=yesterday", "Who sent most yesterday?", "postern report --since yesterday --until today"},
		{"refusals", "Why was this refused?", "postern trace ID"},
		{"methods", "Which devices use Direct Send?", "postern report --by client --only method=direct-send"},
		{"limits", "What is close to its limit?", "postern limits --near"},
		{"unsigned", "Which mail left unsigned?", "postern report --unsigned --by sender"},
		{"replies", "What did Microsoft answer?", "postern report replies"},
	};

	text_add(v->out, "<h2>Questions</h2>\n<ul class=\"asked\">\n");
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
		text_printf(v->out, "<li><a href=\"%s\">%s<small><code>%s</code></small></a></li>\n", asked[i].url, asked[i].question, asked[i].command);
	text_add(v->out, "</ul>\n");
}

/* What is paused upstream; where the policy switched that off nothing waits. */
struct pauses {
	struct view *v;
	struct needs_pause list[PAUSES];
	size_t n;
};

static bool
is_pausing(const struct policy *p, const char *tenant)
{
	for (size_t i = 0; p != NULL && i < p->n_tenants; i++)
		if (strcmp(p->tenants[i].name, tenant) == 0)
			return p->tenants[i].upstream_pause;
	return false;
}

static int
keep_pause(void *context, const struct store_upstream *u)
{
	const struct pause_facts f = {.since = u->since, .said = u->said, .good = u->good, .lifted = u->lifted, .wait_ms = u->wait_ms};
	struct pauses *x = context;
	int64_t until;
	enum pause_state state = pause_state(&f, x->v->now, &until);

	if (state == PAUSE_CLOSED || x->n == PAUSES || !is_pausing(x->v->policy, u->tenant))
		return 0;
	x->list[x->n++] = (struct needs_pause){
		.tenant = arena_string(x->v->arena, u->tenant), .sender = arena_string(x->v->arena, u->sender),
		.keyword = arena_string(x->v->arena, u->keyword), .external_only = u->external_only, .tries = state != PAUSE_HOLDS, .until = until,
	};
	return 0;
}

static int
read_pauses(struct view *v, struct needs_facts *f)
{
	struct pauses *x = arena_alloc(v->arena, sizeof *x);
	int rc;

	if (x == NULL)
		return v->error = "memory is short", -1;
	x->v = v;
	rc = v->is_followed ? store_reader_upstream(v->reader, keep_pause, x, &v->error) : 0;
	f->pauses = x->list;
	f->n_pauses = x->n;
	return rc == 0 || rc == STORE_NO_DELIVERIES ? 0 : -1;
}

/* The facts that a page can do without when they cannot be read are none: then there is no page. */
static int
read_facts(struct view *v, struct needs_facts *f, struct traffic **t, struct limits **l, struct replies **r)
{
	const struct limits_query limits = {.policy = v->policy, .reader = v->reader, .app = "", .limit = "", .keys = 3, .without_spenders = true};
	const struct store_traffic_query all = {.ever = true};

	f->now = v->now;
	f->policy = v->policy;
	if ((*t = traffic_read(v->reader, "app", v->since, v->until, v->now, &v->error)) == NULL ||
	    store_reader_traffic(v->reader, &all, keep_last, &f->last, &v->error) != 0 ||
	    (v->policy != NULL && (*l = limits_read(&limits, &v->error)) == NULL) ||
	    (v->is_followed && (*r = replies_read(v->reader, v->since, v->until, "", DASHBOARD_ROWS / 4, &v->error)) == NULL))
		return -1;
	if (read_pauses(v, f) != 0)
		return -1;
	f->traffic = *t;
	f->limits = *l;
	f->replies = *r;
	return 0;
}

static void
add_page(struct view *v, const struct needs_facts *f)
{
	const struct html_links links = {"app", v->more};

	view_begin(v, "Overview", true);
	add_needs(v, f);
	text_add(v->out, "<h2>Traffic</h2>\n");
	if (f->traffic->total.messages == 0)
		text_add(v->out, "<p>No mail in this time.</p>\n");
	else
		html_totals(v->out, f->traffic);
	if (f->traffic->total.messages > 0)
		html_times(v->out, f->traffic);
	add_questions(v);
	if (f->traffic->total.messages > 0) {
		html_rows(v->out, f->traffic, APPS, &links);
		html_reasons(v->out, f->traffic, REASONS, &links);
	}
	view_end(v);
}

unsigned
dashboard_home(struct view *v)
{
	struct needs_facts facts = {0};
	struct traffic *t = NULL;
	struct limits *l = NULL;
	struct replies *r = NULL;
	int rc = read_facts(v, &facts, &t, &l, &r);

	if (rc == 0)
		add_page(v, &facts);
	traffic_free(&t);
	limits_free(&l);
	replies_free(&r);
	return rc == 0 ? 200 : 0;
}
