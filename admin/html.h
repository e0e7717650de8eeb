/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What pages of HTML are made of, for the report that is mailed and for the dashboard. Text of others
 * enters through html_text() and html_query() only.
 */
#ifndef POSTERN_ADMIN_HTML_H
#define POSTERN_ADMIN_HTML_H

#include "admin/traffic.h"
#include "base/text.h"

/* The style of both, without <style>. */
extern const char html_style[];

/* Adds text of others, as text or as the value of an attribute in double quotes: nothing of it is markup,
 * and what would move the cursor or turn the reading direction is shown as its escape. */
void html_text(struct text *out, const char *s);

/* Adds text of others as a value in the query of a URL, which may stand in such an attribute. */
void html_query(struct text *out, const char *s);

/* "<a href="PAGE?name=NAME">LABEL</a>", with more of the query behind it ("&amp;since=7d", ours, "" for none); the
 * label alone where page is NULL. */
void html_link(struct text *out, const char *page, const char *name, const char *more, const char *label);

/* 1 234 567, and as a cell of a table, with a class where it is not 0. */
void html_number(struct text *out, uint64_t n);
void html_cell(struct text *out, const char *class, uint64_t n);

/* Where the names in a table lead: "app", "sender", ..., or NULL; reasons and apps too where it is not. */
struct html_links {
	const char *page;
	const char *more;         /* as above */
};

/* The parts of a report: sums as tiles; a chart of the times with its table; the rows; why mail was stopped. At most so
 * many rows. */
void html_totals(struct text *out, const struct traffic *t);
void html_times(struct text *out, const struct traffic *t);
void html_rows(struct text *out, const struct traffic *t, size_t max, const struct html_links *links);
void html_reasons(struct text *out, const struct traffic *t, size_t max, const struct html_links *links);

/* A bar of one sum by verdict, as long as its share of the largest. */
void html_row_bar(struct text *out, const struct store_traffic *s, uint64_t most);

/* The page of a name by what traffic is told apart by ("app"), NULL where there is none. */
const char *html_page_of(const char *by);

#endif
