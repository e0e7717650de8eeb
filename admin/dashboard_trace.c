/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See dashboard.h: lists of messages, one message, and the search.
 */
#include "config.h"

#include "admin/dashboard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/story.h"
#include "admin/trace.h"
#include "admin/when.h"
#include "base/id.h"
#include "policy/reason.h"

/* A queue id may come again; and so many at one millisecond are skipped to find the place of a list of addresses. */
#define STORIES 5
#define FOUND 100

struct hit {
	char id[ID_LENGTH + 1];
	int64_t time;
	bool is_refusal;
};

struct hits {
	struct hit list[FOUND];
	size_t n;
};

/* A place in the order of messages: "1763978400000-01M7..." */
struct place {
	int64_t time;
	char id[ID_LENGTH + 1];
};

static int
keep_hit(void *context, const struct store_found *found)
{
	struct hits *h = context;
	struct hit *to = &h->list[h->n];

	if (h->n == FOUND)
		return 0;
	*to = (struct hit){.time = found->time, .is_refusal = found->is_refusal};
	snprintf(to->id, sizeof to->id, "%s", found->id);
	h->n++;
	return 0;
}

/* ---- a list */

static void
add_verdict(struct view *v, const struct record *r)
{
	bool is_bad = strcmp(r->verdict, "reject") == 0, is_well = strcmp(r->verdict, "accept") == 0;

	text_printf(v->out, "<span class=\"tag %s\">", is_bad ? "bad" : is_well ? "good" : "warn");
	view_text(v, r->verdict);
	text_add(v->out, "</span>");
	if (r->reason[0] != '\0') {
		text_add(v->out, " ");
		view_link(v, "reason", r->reason, "");
	}
}

static int
add_line(void *context, const struct trace_message *m)
{
	struct view *v = context;
	const struct record *r = m->record;
	struct text outcome = {0};

	trace_outcome(m, &outcome);
	text_add(v->out, "<tr><th scope=\"row\"><a href=\"message?id=");
	html_query(v->out, r->id);
	text_add(v->out, "\">");
	view_time(v, m->last_time);
	text_add(v->out, "</a><small>");
	if (m->count > 1)
		text_printf(v->out, "%llu times", (unsigned long long)m->count);
	text_add(v->out, "</small></th><td class=\"left\">");
	view_link(v, "app", r->app, "(no app)");
	text_add(v->out, "</td><td class=\"left any\">");
	view_link(v, "sender", r->sender, "<>");
	text_add(v->out, " to ");
	view_text(v, r->n_rcpt == 0 ? "nobody" : r->rcpt[0].address);
	if (r->n_rcpt > 1)
		text_printf(v->out, " and %zu more", r->n_rcpt - 1);
	text_add(v->out, "<small>");
	view_text(v, r->subject);
	text_add(v->out, "</small></td><td class=\"left\">");
	add_verdict(v, r);
	text_add(v->out, "</td><td class=\"left any\">");
	view_text(v, text_string(&outcome));
	text_add(v->out, "</td></tr>\n");
	text_free(&outcome);
	return 0;
}

/* As many of them as there are; 0, or -1. */
static int
add_lines(struct view *v, const struct hits *h, size_t from, size_t most)
{
	int rc = 0;

	if (from >= h->n)
		return 0;
	view_table(v, "Newest first", "at|<app|<from and to|<verdict|<what became of it");
	for (size_t i = from; rc == 0 && i < h->n && i < from + most; i++)
		rc = trace_read(v->reader, h->list[i].id, h->list[i].is_refusal, v->is_followed, add_line, v, &v->error);
	view_table_end(v);
	return rc == 0 ? 0 : -1;
}

static const char *
kind_of(const struct store_latest *what)
{
	static const struct {
		unsigned only;
		const char *name;
	} kinds[] = {
		{STORE_TRAFFIC_APP, "app"}, {STORE_TRAFFIC_DEPARTMENT, "department"}, {STORE_TRAFFIC_TENANT, "tenant"},
		{STORE_TRAFFIC_METHOD, "method"}, {STORE_TRAFFIC_SENDER, "sender"}, {STORE_TRAFFIC_CLIENT, "client"},
		{STORE_TRAFFIC_REASON, "reason"}, {STORE_TRAFFIC_VERDICT, "verdict"},
	};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i].only == what->only)
			return kinds[i].name;
	return what->unsigned_only ? "unsigned" : what->stopped_only ? "stopped" : "all";
}

static void
add_older(struct view *v, const struct store_latest *what, int64_t time, const char *id, const char *label)
{
	text_printf(v->out, "<p class=\"next\"><a rel=\"next\" href=\"latest?of=%s&amp;name=", kind_of(what));
	html_query(v->out, what->name == NULL ? "" : what->name);
	text_printf(v->out, "&amp;since=%s&amp;before=%lld-", v->range, (long long)time);
	html_query(v->out, id);
	text_printf(v->out, "\">%s</a></p>\n", label);
}

int
view_latest(struct view *v, struct store_latest what, const char *heading)
{
	const struct store_traffic_query q = {.since = what.since, .until = what.until + 1, .only = what.only, .name = what.name};
	struct hits *h = arena_alloc(v->arena, sizeof *h);
	int64_t newest = 0;
	bool is_bounded;

	what.max = DASHBOARD_LATEST + 1;
	if (h == NULL || store_reader_newest(v->reader, &q, DASHBOARD_ROWS, &newest, &v->error) != 0)
		return v->error = h == NULL ? "memory is short" : v->error, -1;
	is_bounded = newest > what.since;
	if (is_bounded)
		what.since = newest;
	if (store_reader_latest(v->reader, &what, keep_hit, h, &v->error) != 0)
		return -1;
	text_printf(v->out, "<h2>%s</h2>\n", heading);
	if (h->n == 0)
		text_add(v->out, is_bounded ? "<p>None among the newest rows.</p>\n" : "<p>None in this time.</p>\n");
	if (add_lines(v, h, 0, DASHBOARD_LATEST) != 0)
		return -1;
	if (h->n > DASHBOARD_LATEST)
		add_older(v, &what, h->list[DASHBOARD_LATEST - 1].time, h->list[DASHBOARD_LATEST - 1].id, "Older ones");
	else if (is_bounded)
		add_older(v, &what, what.since, "", "Look further back");
	return 0;
}

/* "" is no place: 1. 0, or -1. */
static int
parse_place(const char *s, struct place *p)
{
	const char *dash = strchr(s, '-');
	char time[24] = "";
	uint64_t n;

	if (s[0] == '\0')
		return 1;
	if (dash == NULL || (size_t)(dash - s) >= sizeof time || (dash[1] != '\0' && !id_is_valid(dash + 1)))
		return -1;
	memcpy(time, s, (size_t)(dash - s));
	if (text_to_u64(time, &n) != 0 || n > INT64_MAX / 2)
		return -1;
	p->time = (int64_t)n;
	snprintf(p->id, sizeof p->id, "%s", dash + 1);
	return 0;
}

/* What a list is of; false where there is no such kind. */
static bool
read_kind(const char *of, struct store_latest *what)
{
	what->only = view_kind(of);
	if (what->only != 0)
		return true;
	if (of[0] == '\0' || strcmp(of, "verdict") == 0)
		what->only = STORE_TRAFFIC_VERDICT;
	else if (strcmp(of, "unsigned") == 0)
		what->unsigned_only = true;
	else if (strcmp(of, "stopped") == 0)
		what->stopped_only = true;
	else
		return strcmp(of, "all") == 0;
	return true;
}

unsigned
dashboard_latest(struct view *v)
{
	struct store_latest what = {.name = view_argument(v, "name"), .since = v->since, .until = v->until, .before_id = ""};
	const char *title = "Messages";
	struct place p;
	int rc = parse_place(view_argument(v, "before"), &p);

	if (rc < 0 || !read_kind(view_argument(v, "of"), &what))
		return view_refuse(v, 400, "No such list", "This address is not one that the dashboard gave.");
	if (rc == 0) {
		what.until = p.time;
		what.before_id = p.id;
	}
	if (what.only != 0)
		title = arena_printf(v->arena, "Messages: %s %s", kind_of(&what), what.name);
	else if (strcmp(kind_of(&what), "all") != 0)
		title = arena_printf(v->arena, "Messages: %s", kind_of(&what));
	view_begin(v, title, false);
	if (what.only != 0 && what.only != STORE_TRAFFIC_VERDICT) {
		text_printf(v->out, "<p>Of ");
		view_link(v, kind_of(&what), what.name, "(none)");
		text_add(v->out, "</p>\n");
	}
	if (view_latest(v, what, rc == 0 ? "Older ones" : "The newest") != 0)
		return 0;
	view_end(v);
	return 200;
}

/* ---- one message */

static void
add_fact(void *context, const char *name, const char *value)
{
	struct view *v = context;
	const char *page = strcmp(name, "from") == 0 ? NULL : html_page_of(name);

	text_printf(v->out, "<div><dt>%s</dt><dd>", name);
	if (page != NULL && strcmp(value, "<>") != 0 && strcmp(value, "local") != 0)
		view_link(v, page, value, "");
	else
		view_text(v, value);
	text_add(v->out, "</dd></div>\n");
}

static void
add_delivery_fact(void *context, const char *name, const char *value, bool is_ours)
{
	(void)is_ours;
	add_fact(context, name[0] == '\0' ? "state" : name, value);
}

static void
add_delivery(struct view *v, const struct trace_message *m, const struct trace_delivery *t)
{
	bool is_well = strcmp(t->d.status, "sent") == 0, is_late = strcmp(t->d.status, "deferred") == 0;

	text_add(v->out, "<article class=\"card\"><h3>");
	view_text(v, t->d.recipient);
	text_printf(v->out, " <span class=\"tag %s\">", is_well ? "good" : is_late ? "warn" : "bad");
	view_text(v, t->d.status);
	text_add(v->out, "</span></h3>\n<dl class=\"facts\">");
	trace_each_fact(m, t, add_delivery_fact, v);
	text_add(v->out, "</dl></article>\n");
}

static void
add_report(struct view *v, const struct trace_report *t)
{
	text_add(v->out, "<article class=\"card\"><h3>");
	view_text(v, t->r.recipient);
	text_printf(v->out, " <span class=\"tag %s\">reported by mail</span></h3>\n<dl class=\"facts\">",
		    !t->r.is_believed ? "warn" : strcmp(t->r.action, "failed") == 0 ? "bad" : "good");
	trace_each_report_fact(t, add_delivery_fact, v);
	text_add(v->out, "</dl></article>\n");
}

static void
add_outcome(struct view *v, const struct trace_message *m)
{
	const struct record *r = m->record;
	const struct reason *known = r->reason[0] == '\0' ? NULL : reason_find(r->reason);
	struct text then = {0}, trial = {0};

	story_outcome(r, &then);
	story_trial(r, &trial);
	text_printf(v->out, "<ul class=\"needs\"><li class=\"%s\"><b>", strcmp(r->verdict, "accept") == 0 ? "fine" : strcmp(r->verdict, "reject") == 0 ? "now" : "soon");
	view_text(v, text_string(&then));
	text_add(v->out, "</b><p>");
	view_text(v, known == NULL ? "" : known->advice);
	text_add(v->out, "</p>");
	if (trial.len > 0) {
		text_add(v->out, "<p>");
		view_text(v, text_string(&trial));
		text_add(v->out, "</p>");
	}
	if (m->held[0] != '\0') {
		text_add(v->out, "<p>Held: ");
		view_text(v, m->held);
		text_add(v->out, "</p>");
	}
	if (m->count > 1)
		text_printf(v->out, "<p>Refused %llu times; the facts are those of the first.</p>", (unsigned long long)m->count);
	text_add(v->out, "</li></ul>\n");
	text_free(&then);
	text_free(&trial);
}

static void
add_steps(struct view *v, const char *trace)
{
	const char *line = trace;

	if (trace[0] == '\0')
		return;
	text_add(v->out, "<h2>Steps</h2>\n<ol class=\"steps\">\n");
	for (size_t len; *line != '\0'; line += len + (line[len] == '\n' ? 1 : 0)) {
		len = strcspn(line, "\n");
		text_add(v->out, "<li>");
		view_text(v, arena_substring(v->arena, line, len));
		text_add(v->out, "</li>\n");
	}
	text_add(v->out, "</ol>\n");
}

static int
add_message(void *context, const struct trace_message *m)
{
	struct view *v = context;
	const struct record *r = m->record;
	bool left = strcmp(r->verdict, "accept") == 0 || strcmp(r->verdict, "hold") == 0;

	add_outcome(v, m);
	text_add(v->out, "<dl class=\"facts\">\n");
	story_each_fact(r, add_fact, v);
	if (r->n_signature + m->n_charges > 0)
		story_each_charge(r, m->charges, m->n_charges, add_fact, v);
	text_add(v->out, "</dl>\n");
	if (left) {
		text_add(v->out, "<h2>Deliveries</h2>\n");
		for (size_t i = 0; i < m->n_deliveries; i++)
			add_delivery(v, m, &m->deliveries[i]);
		if (m->n_deliveries == 0)
			text_add(v->out, m->is_followed ? "<p>None so far.</p>\n" : "<p>Not known: <code>postern follow</code> has not run here.</p>\n");
		for (size_t i = 0; i < m->n_reports; i++)
			add_report(v, &m->reports[i]);
	}
	add_steps(v, r->trace);
	return 1;
}

/* 1 when it was there, 0, or -1. */
static int
tell(struct view *v, const char *id)
{
	int rc = trace_read(v->reader, id, false, v->is_followed, add_message, v, &v->error);

	if (rc == 0) /* it may be that of a refusal */
		rc = trace_read(v->reader, id, true, v->is_followed, add_message, v, &v->error);
	return rc;
}

unsigned
dashboard_message(struct view *v)
{
	const char *id = NULL;
	int rc;

	(void)trace_what(v->arena, view_argument(v, "id"), &id);
	if (id == NULL)
		return view_refuse(v, 404, "No such message", "An audit id has 26 letters and digits; replies, the log and the field X-Postern-Id have it.");
	view_begin(v, arena_printf(v->arena, "Message %s", id), false);
	rc = tell(v, id);
	if (rc == 0)
		return view_refuse(v, 404, "No such message", "The audit does not know this id; it may be older than what is kept.");
	view_end(v);
	return rc < 0 ? 0 : 200;
}

/* ---- search */

static bool
is_app(const struct view *v, const char *word)
{
	for (size_t i = 0; v->policy != NULL && i < v->policy->n_apps; i++)
		if (strcmp(v->policy->apps[i].name, word) == 0)
			return true;
	return false;
}

static int
keep_any(void *context, const struct store_traffic *s)
{
	bool *any = context;

	*any = s->messages > 0;
	return 0;
}

/* What the word may name beside messages. */
static int
add_names(struct view *v, const char *word, bool *found)
{
	const struct store_traffic_query q = {.ever = true, .only = STORE_TRAFFIC_APP, .name = word};
	struct ip ip;
	bool has_app = is_app(v, word);

	if (!has_app && store_reader_traffic(v->reader, &q, keep_any, &has_app, &v->error) != 0)
		return -1;
	if (has_app) {
		text_add(v->out, "<p>App ");
		view_link(v, "app", word, "");
		text_add(v->out, "</p>\n");
	}
	*found = has_app;
	if (ip_parse(word, &ip) == 0) {
		text_add(v->out, "<p>Client ");
		view_link(v, "client", word, "");
		text_add(v->out, "</p>\n");
		*found = true;
	}
	return 0;
}

/* The messages from and to an address. */
static int
add_address(struct view *v, struct store_find what)
{
	struct hits *h = arena_alloc(v->arena, sizeof *h);
	struct place p = {.time = INT64_MAX / 2};
	size_t from = 0;

	what.max = FOUND;
	if (parse_place(view_argument(v, "before"), &p) == 0)
		what.until = p.time + 1;
	if (h == NULL || store_reader_find(v->reader, &what, keep_hit, h, &v->error) != 0)
		return v->error = h == NULL ? "memory is short" : v->error, -1;
	while (p.id[0] != '\0' && from < h->n && h->list[from].time == p.time && strcmp(h->list[from].id, p.id) >= 0)
		from++;
	text_add(v->out, "<p>As a sender: ");
	view_link(v, "sender", what.address, "");
	text_add(v->out, "</p>\n");
	if (from >= h->n)
		text_add(v->out, "<p>No messages from or to it.</p>\n");
	if (add_lines(v, h, from, DASHBOARD_LATEST) != 0)
		return -1;
	if (h->n > from + DASHBOARD_LATEST) {
		const struct hit *last = &h->list[from + DASHBOARD_LATEST - 1];

		text_add(v->out, "<p class=\"next\"><a rel=\"next\" href=\"search?q=");
		html_query(v->out, what.address);
		text_printf(v->out, "&amp;before=%lld-%s\">Older ones</a></p>\n", (long long)last->time, last->id);
	}
	return 0;
}

static int
add_queue_id(struct view *v, struct store_find what)
{
	struct hits *h = arena_alloc(v->arena, sizeof *h);
	bool found = false;
	int rc;

	what.max = STORIES;
	if (add_names(v, what.queue_id, &found) != 0)
		return -1;
	if (h == NULL || store_reader_find(v->reader, &what, keep_hit, h, &v->error) != 0)
		return v->error = h == NULL ? "memory is short" : v->error, -1;
	rc = add_lines(v, h, 0, STORIES);
	if (rc == 0 && h->n == 0 && !found)
		text_add(v->out, "<p>The audit knows nothing of it; it may be older than what is kept.</p>\n");
	return rc;
}

unsigned
dashboard_search(struct view *v)
{
	const char *word = view_argument(v, "q"), *id = NULL;
	struct store_find what = trace_what(v->arena, word, &id);
	int rc = 1;

	view_begin(v, "Search", false);
	if (word[0] == '\0')
		text_add(v->out, "<p>An address, a queue id of the MTA, an audit id, the name of an app, or a client's address.</p>\n");
	else if (id != NULL)
		rc = tell(v, id);
	else
		rc = what.address != NULL ? add_address(v, what) : add_queue_id(v, what);
	if (id != NULL && rc == 0)
		text_add(v->out, "<p>The audit does not know this id; it may be older than what is kept.</p>\n");
	view_end(v);
	return rc < 0 ? 0 : 200;
}
