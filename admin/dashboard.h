/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the files of postern dashboard: dashboard.c is the command and finds the page for a path,
 * dashboard_frame.c is what all pages have around them, the others are the pages. They only show: what is shown
 * is read and judged by traffic.h, limits.h, trace.h, replies.h and needs.h.
 */
#ifndef POSTERN_ADMIN_DASHBOARD_H
#define POSTERN_ADMIN_DASHBOARD_H

#include "admin/html.h"
#include "admin/http.h"
#include "policy/policy.h"
#include "sql/store.h"

/* A page reads at most so many rows of the audit, the newest; the roll-ups it reads whole. */
#define DASHBOARD_ROWS 20000
/* Messages in a list. */
#define DASHBOARD_LATEST 20

/* One request. */
struct view {
	const struct http_request *request;
	struct store_reader *reader;
	const struct policy *policy; /* NULL: only the database is known */
	struct arena *arena;
	struct text *out;
	int64_t now, since, until;
	const char *range;        /* "24h", "7d", "30d", "yesterday" */
	const char *more;         /* "&amp;since=24h", "" for the usual one */
	const char *path;         /* of this page, "app"; */
	const char *query;        /* and its name as it stands in a URL in HTML, "name=crm&amp;", "" for none */
	bool is_followed;         /* what became of mail is known */
	const char *error;        /* why a page could not be made; static */
};

/* Makes the page; its status, 0 where view.error says why there is none. */
typedef unsigned dashboard_page(struct view *v);
dashboard_page dashboard_home, dashboard_apps, dashboard_one, dashboard_refusals, dashboard_replies, dashboard_limits,
	dashboard_methods, dashboard_unsigned, dashboard_search, dashboard_message, dashboard_latest;

/* An argument of the request, "" where there is none. */
const char *view_argument(const struct view *v, const char *name);

/* Begins and ends a page. has_range: with links to the other ranges. */
void view_begin(struct view *v, const char *title, bool has_range);
void view_end(struct view *v);
/* A whole page that says what is wrong; text of ours. */
unsigned view_refuse(struct view *v, unsigned status, const char *title, const char *text);
/* Text of others. */
void view_text(struct view *v, const char *s);
/* A link to the page of a name with the range of this page; "none" is shown for "". */
void view_link(struct view *v, const char *page, const char *name, const char *none);
void view_time(struct view *v, int64_t ms);
extern const char dashboard_style[];
extern const char dashboard_icon[];

/* A table of so many columns, with a title to be heard; its heads are separated by "|", "<" before those with words. */
void view_table(struct view *v, const char *caption, const char *heads);
void view_table_end(struct view *v);

struct limits_row;
/* A limit with a bar of its use, as a cell's content; in a word how it stands, "" for well. */
void view_gauge(struct view *v, const struct limits_row *r);
const char *view_limit_state(const struct limits_row *r);
/* Adds limits as a table, those of `app` alone, or of all where it is ""; those close to full alone. -1 with v->error. */
int view_limits(struct view *v, const char *app, const char *scope, bool near_only);

/* Adds the newest messages of a kind with what became of them, and a link to older ones. `page`: where that leads, with
 * its query. -1 with v->error. */
int view_latest(struct view *v, struct store_latest what, const char *heading);

/* Since when rows can be read for this within bounds, which is said on the page where it is later than v->since; -1 with v->error. */
int view_bound(struct view *v, unsigned only, const char *name, int64_t *since_r);

/* A kind of page by its path: "app" and its enum store_traffic_by; 0 for none. */
unsigned view_kind(const char *path);

#endif
