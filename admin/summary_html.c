/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See summary.h: a page that needs nothing else, as mail programs show it: no script, nothing
 * that is fetched, tables whose sense does not depend on style. Words of others enter through
 * add_escaped() only.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "admin/summary.h"
#include "admin/terminal.h"
#include "admin/when.h"

#define ROWS 60

typedef unsigned long long ull;

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<title>Postern: summary</title>\n<style>\n"
	":root { color-scheme: light dark; --back: #fff; --text: #1c2430; --dim: #566070; --line: #d5dae1; --soft: #f3f5f8;"
	" --mark: #2f6fb3; --rejected: #b3261e; --deferred: #a04e10; }\n"
	"@media (prefers-color-scheme: dark) { :root { --back: #14181f; --text: #e6e9ee; --dim: #a0a9b6; --line: #363e4a;"
	" --soft: #1d232c; --mark: #6aa5e3; --rejected: #f2766d; --deferred: #f0a05a; } }\n"
	"body { background: #fff; background: var(--back); color: #1c2430; color: var(--text); font: 16px/1.45 system-ui, sans-serif;"
	" margin: 0 auto; max-width: 56rem; padding: 1rem; }\n"
	"h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } p { margin: .3rem 0; }\n"
	".dim { color: var(--dim); } .wide { overflow-x: auto; } code { overflow-wrap: anywhere; }\n"
	"dl { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); margin: 1rem 0; }\n"
	"dl div { background: var(--soft); border-radius: .4rem; padding: .5rem .7rem; }\n"
	"dt { color: var(--dim); font-size: .85rem; } dd { font-size: 1.25rem; margin: 0; }\n"
	"table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }\n"
	"th, td { border-bottom: 1px solid var(--line); padding: .35rem .5rem; text-align: right; vertical-align: top; }\n"
	"th { color: var(--dim); font-size: .85rem; font-weight: 600; white-space: nowrap; }\n"
	"td:first-child, th:first-child { text-align: left; min-width: 8rem; overflow-wrap: anywhere; }\n"
	"ul { list-style: none; margin: 0; padding: 0; } li { border-left: .25rem solid var(--line); margin: .6rem 0; overflow-wrap: anywhere;"
	" padding: .1rem .7rem; }\n"
	"ul.changed li { border-color: var(--mark); } ul.refused li { border-color: var(--rejected); }\n"
	"td.rejected { color: var(--rejected); } td.deferred { color: var(--deferred); }\n"
	"@media print { .wide { overflow: visible; } }\n"
	"</style>\n</head>\n<body>\n";

/* Text of others: nothing of it is markup, and what a terminal would not show is escaped here too. */
static void
add_escaped(struct text *out, const char *s)
{
	struct text safe = {0};

	terminal_safe(&safe, s);
	out->failed = out->failed || safe.failed;
	for (const char *c = text_string(&safe); *c != '\0'; c++) {
		const char *entity = *c == '&' ? "&amp;" : *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : *c == '"' ? "&quot;" : *c == '\'' ? "&#39;" : NULL;

		if (entity != NULL)
			text_add(out, entity);
		else
			text_add_char(out, *c);
	}
	text_free(&safe);
}

/* 1 234 567, as it is read in every country: with narrow blanks that do not break. */
static void
add_number(struct text *out, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%llu", (ull)n);

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			text_add(out, "&#8239;");
		text_add_char(out, digits[i]);
	}
}

static void
add_cell(struct text *out, const char *class, uint64_t n)
{
	if (class[0] != '\0' && n > 0)
		text_printf(out, "<td class=\"%s\">", class);
	else
		text_add(out, "<td>");
	add_number(out, n);
	text_add(out, "</td>");
}

static void
add_total(struct text *out, const char *name, uint64_t n)
{
	text_printf(out, "<div><dt>%s</dt><dd>", name);
	add_number(out, n);
	text_add(out, "</dd></div>\n");
}

static void
add_totals(const struct summary *s, struct text *out)
{
	struct store_traffic t = summary_total(s);

	text_add(out, "<dl>\n");
	add_total(out, "messages", t.messages);
	add_total(out, "accepted", t.accepted);
	add_total(out, "refused", t.rejected);
	add_total(out, "deferred", t.deferred);
	add_total(out, "held", t.held);
	add_total(out, "unsigned", t.is_unsigned);
	add_total(out, "external", t.external);
	text_add(out, "</dl>\n");
}

/* An element of a list; below it what to do, and a command, where there are any. */
static void
add_item(struct text *out, const char *s, const char *more, const char *command)
{
	text_add(out, "<li><p>");
	add_escaped(out, s);
	text_add(out, "</p>");
	if (more[0] != '\0') {
		text_add(out, "<p class=\"dim\">");
		add_escaped(out, more);
		text_add(out, "</p>");
	}
	if (command[0] != '\0') {
		text_add(out, "<p><code>");
		add_escaped(out, command);
		text_add(out, "</code></p>");
	}
	text_add(out, "</li>\n");
}

/* A list whose heading comes with its first element. */
struct list {
	struct text *out;
	const char *heading, *class;
	int n;
};

static void
list_item(struct list *l, const char *s, const char *more, const char *command)
{
	if (l->n++ == 0)
		text_printf(l->out, "<h2>%s</h2>\n<ul class=\"%s\">\n", l->heading, l->class);
	if (l->n <= ROWS)
		add_item(l->out, s, more, command);
}

static void
list_end(struct list *l)
{
	if (l->n > ROWS)
		text_printf(l->out, "<li><p>and %d more</p></li>\n", l->n - ROWS);
	if (l->n > 0)
		text_add(l->out, "</ul>\n");
}

static void
add_drifts(const struct summary *s, struct arena *a, struct text *out)
{
	struct list l = {out, "What changed", "changed", 0};

	for (size_t i = 0; i < s->facts->n_drifts; i++) {
		const struct drift *d = &s->facts->drifts[i];

		if (summary_has(s, d->app))
			list_item(&l, drift_text(d, a), "", d->id[0] == '\0' ? "" : arena_printf(a, "postern trace %s", d->id));
	}
	list_end(&l);
	if (l.n == 0)
		text_printf(out, "<h2>What changed</h2>\n<p>%s</p>\n", s->facts->is_young ? "Too little is known yet to tell: the audit is too young."
			    : s->facts->is_short ? "Too little is kept to tell: audit: keep is too short." : "Nothing that is unusual.");
}

static void
add_app(const struct summary *s, const struct summary_app *x, struct text *out)
{
	char change[SUMMARY_WORD];

	text_add(out, "<tr><td>");
	add_escaped(out, summary_app_name(x->name));
	text_add(out, "</td>");
	add_cell(out, "", x->now.messages);
	text_add(out, "<td>");
	add_escaped(out, summary_change(s, x, change));
	text_add(out, "</td>");
	add_cell(out, "rejected", x->now.rejected);
	add_cell(out, "deferred", x->now.deferred);
	add_cell(out, "", x->now.held);
	add_cell(out, "", x->now.is_unsigned);
	add_cell(out, "", x->now.external);
	text_add(out, "</tr>\n");
}

static void
add_apps(const struct summary *s, struct text *out)
{
	int n = 0;

	text_add(out, "<h2>Mail by app</h2>\n<div class=\"wide\" tabindex=\"0\"><table>\n<tr><th scope=\"col\">app</th><th scope=\"col\">messages</th>"
		 "<th scope=\"col\">change</th><th scope=\"col\">refused</th><th scope=\"col\">deferred</th><th scope=\"col\">held</th>"
		 "<th scope=\"col\">unsigned</th><th scope=\"col\">external</th></tr>\n");
	for (size_t i = 0; i < s->facts->n_apps; i++) {
		const struct summary_app *x = &s->facts->apps[i];

		if ((x->now.messages > 0 || x->before > 0) && summary_has(s, x->name) && n++ < ROWS)
			add_app(s, x, out);
	}
	text_add(out, "</table></div>\n");
	if (n > ROWS)
		text_printf(out, "<p>and %d apps more</p>\n", n - ROWS);
}

static void
add_stops(const struct summary *s, struct arena *a, struct text *out)
{
	struct list causes = {out, "Refused, deferred, held", "refused", 0}, limits = {out, "Limits", "limits", 0};

	for (size_t i = 0; i < s->facts->n_causes; i++) {
		const struct summary_cause *c = &s->facts->causes[i];

		if (summary_has(s, c->app))
			list_item(&causes, arena_printf(a, "%s: %llu by %s (%s)", summary_app_name(c->app), (ull)c->messages, c->reason, c->verdict),
				  summary_advice(c), "");
	}
	list_end(&causes);
	for (size_t i = 0; i < s->facts->n_limits; i++) {
		const struct summary_limit *x = &s->facts->limits[i];

		if (summary_has(s, x->app))
			list_item(&limits, arena_printf(a, "%s%s%s: %s", x->name, x->key[0] == '\0' ? "" : " ", x->key, summary_limit_text(x, a)), "", "");
	}
	list_end(&limits);
}

static void
add_states(const struct summary *s, struct arena *a, struct text *out)
{
	struct list bare = {out, "Left without a DKIM signature", "unsigned", 0}, held = {out, "Held now", "held", 0};

	for (size_t i = 0; i < s->facts->n_apps; i++) {
		const struct summary_app *x = &s->facts->apps[i];

		if (x->now.is_unsigned > 0 && summary_has(s, x->name))
			list_item(&bare, arena_printf(a, "%s: %llu of %llu", summary_app_name(x->name), (ull)x->now.is_unsigned,
						      (ull)(x->now.accepted + x->now.held)), "", "");
	}
	list_end(&bare);
	for (size_t i = 0; i < s->facts->n_apps; i++) {
		const struct summary_app *x = &s->facts->apps[i];

		if (x->waiting + x->kept > 0 && summary_has(s, x->name))
			list_item(&held, arena_printf(a, "%s: %llu wait for a limit, %llu until somebody lets them go", summary_app_name(x->name),
						      (ull)x->waiting, (ull)x->kept), "", "postern release --list");
	}
	list_end(&held);
}

static void
add_answers(const struct summary *s, struct arena *a, struct text *out)
{
	struct list l = {out, "What Microsoft answered", "refused", 0};

	for (size_t i = 0; i < s->facts->n_answers; i++) {
		const struct summary_answer *x = &s->facts->answers[i];

		if (summary_has(s, x->app))
			list_item(&l, arena_printf(a, "%s: %llu recipient%s %s%s%s", summary_app_name(x->app), (ull)x->recipients,
						   x->recipients == 1 ? "" : "s", x->status, x->meaning.keyword[0] == '\0' ? "" : ", ", x->meaning.keyword),
				  summary_answer_text(x, a), x->reply);
	}
	list_end(&l);
}

void
summary_html(const struct summary *s, struct arena *a, struct text *out)
{
	char since[WHEN_SIZE];

	text_add(out, head);
	text_printf(out, "<h1>%s</h1>\n<p class=\"dim\">", s->is_admin ? "All mail through this relay" : "The mail of your apps");
	add_escaped(out, summary_range(s, a));
	text_add(out, "</p>\n");
	if (s->not_since > 0)
		text_printf(out, "<p>The summaries since %s were not sent, for postern summary did not run or could not; this is the last one.</p>\n",
			    when_format(s->not_since, since));
	if (summary_is_empty(s)) {
		text_add(out, "<p>Nothing to tell: no mail, nothing that waits.</p>\n");
	} else {
		add_totals(s, out);
		add_drifts(s, a, out);
		add_apps(s, out);
		add_stops(s, a, out);
		add_states(s, a, out);
		add_answers(s, a, out);
	}
	text_printf(out, "<p class=\"dim\">Sent by Postern%s.</p>\n</body>\n</html>\n",
		    s->is_admin ? "" : ", because an app names this address as its owner");
}
