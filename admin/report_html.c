/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See traffic.h: the report as one page of HTML that needs nothing else: no script, nothing that is
 * fetched. Charts are SVG, whose bars are stretched to the width there is; words stand beside them
 * as text, so that they stay readable on a phone, and every number of a chart is in a table as well.
 *
 * Text of others enters through add_escaped() only.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "admin/limits.h"
#include "admin/terminal.h"
#include "admin/traffic.h"
#include "admin/when.h"

#define ROWS 50
#define REASONS 20

typedef unsigned long long ull;


static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<title>Postern: mail report</title>\n<style>\n"
	":root { color-scheme: light dark; --back: #fff; --text: #1c2430; --dim: #566070; --line: #d5dae1; --soft: #f3f5f8;"
	" --accepted: #2f6fb3; --held: #b58900; --deferred: #d9772b; --deferred-text: #a04e10; --rejected: #b3261e; --discarded: #7b8794; }\n"
	"@media (prefers-color-scheme: dark) { :root { --back: #14181f; --text: #e6e9ee; --dim: #a0a9b6; --line: #363e4a;"
	" --soft: #1d232c; --accepted: #6aa5e3; --held: #d9b53a; --deferred: #f0a05a; --deferred-text: #f0a05a; --rejected: #f2766d; --discarded: #8c97a5; } }\n"
	"body { background: var(--back); color: var(--text); font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 64rem;"
	" padding: 1rem; }\n"
	"h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } p { margin: .3rem 0; }\n"
	".dim { color: var(--dim); } .wide { overflow-x: auto; }\n"
	"dl { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); margin: 1rem 0; }\n"
	"dl div { background: var(--soft); border-radius: .4rem; padding: .5rem .7rem; }\n"
	"dt { color: var(--dim); font-size: .85rem; } dd { font-size: 1.25rem; margin: 0; } dd small { color: var(--dim); font-size: .8rem; }\n"
	"table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }\n"
	"th, td { border-bottom: 1px solid var(--line); padding: .35rem .5rem; text-align: right; vertical-align: top; }\n"
	"th { color: var(--dim); font-size: .85rem; font-weight: 600; white-space: nowrap; }\n"
	"td:first-child, th:first-child, .words { text-align: left; } td:first-child { min-width: 9rem; overflow-wrap: anywhere; }\n"
	".words { min-width: 12rem; overflow-wrap: anywhere; }\n"
	"svg { display: block; width: 100%; } svg.times { height: 11rem; border-bottom: 1px solid var(--line); }"
	" svg.bar { height: .5rem; margin-top: .25rem; }\n"
	".axis { color: var(--dim); display: flex; font-size: .85rem; justify-content: space-between; }\n"
	".legend { display: flex; flex-wrap: wrap; font-size: .85rem; gap: .2rem 1rem; list-style: none; margin: .5rem 0; padding: 0; }\n"
	".legend svg { display: inline-block; height: .8rem; margin-right: .35rem; vertical-align: -.1rem; width: .8rem; }\n"
	".accepted { fill: var(--accepted); } .held { fill: var(--held); } .deferred { fill: var(--deferred); }"
	" .rejected { fill: var(--rejected); } .discarded { fill: var(--discarded); }\n"
	"td.rejected-n { color: var(--rejected); } td.deferred-n { color: var(--deferred-text); }\n"
	"summary { cursor: pointer; }\n"
	"@media print { .wide { overflow: visible; } }\n"
	"</style>\n</head>\n<body>\n";

static const char *const verdicts[] = {"accepted", "held", "deferred", "rejected", "discarded"};
#define VERDICTS 5

/* Text of others: nothing of it is markup, and what a terminal would not show is escaped here too. */
static void
add_escaped(struct text *out, const char *s)
{
	struct text safe = {0};

	terminal_safe(&safe, s);
	out->failed = out->failed || safe.failed;
	for (const char *c = text_string(&safe); *c != '\0'; c++) {
		if (*c == '&')
			text_add(out, "&amp;");
		else if (*c == '<')
			text_add(out, "&lt;");
		else if (*c == '>')
			text_add(out, "&gt;");
		else if (*c == '"')
			text_add(out, "&quot;");
		else if (*c == '\'')
			text_add(out, "&#39;");
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
	text_printf(out, "<td%s%s%s>", class[0] != '\0' && n > 0 ? " class=\"" : "", n > 0 ? class : "",
		    class[0] != '\0' && n > 0 ? "\"" : "");
	add_number(out, n);
	text_add(out, "</td>");
}

static void
add_total(struct text *out, const struct traffic *t, const char *name, uint64_t now, uint64_t before)
{
	char change[TRAFFIC_WORD];
	const char *word = traffic_change(t, now, before, change);

	text_printf(out, "<div><dt>%s</dt><dd>", name);
	add_number(out, now);
	text_printf(out, "%s%s%s</dd></div>\n", word[0] == '\0' ? "" : " <small>", strcmp(word, "=") == 0 ? "as before" : word,
		    word[0] == '\0' ? "" : "</small>");
}

static void
add_totals(struct text *out, const struct traffic *t)
{
	const struct store_traffic *n = &t->total, *b = &t->total_before;
	uint64_t reported = 0;
	char size[32];

	text_add(out, "<dl>\n");
	add_total(out, t, "messages", n->messages, b->messages);
	add_total(out, t, "accepted", n->accepted, b->accepted);
	add_total(out, t, "rejected", n->rejected, b->rejected);
	add_total(out, t, "deferred", n->deferred, b->deferred);
	add_total(out, t, "held", n->held, b->held);
	if (n->discarded + b->discarded > 0)
		add_total(out, t, "discarded", n->discarded, b->discarded);
	add_total(out, t, "unsigned", n->is_unsigned, b->is_unsigned);
	if (n->on_trial + b->on_trial > 0)
		add_total(out, t, "trial differs", n->on_trial, b->on_trial);
	add_total(out, t, "external recipients", n->external, b->external);
	text_printf(out, "<div><dt>size</dt><dd>%s</dd></div>\n", limits_amount(UNIT_BYTES, n->bytes, size));
	for (size_t i = 0; i < t->n_reported; i++)
		reported += t->reported[i].recipients;
	if (reported > 0)
		add_total(out, t, "reported undeliverable later", reported, reported);
	if (t->waiting + t->kept > 0)
		add_total(out, t, "the MTA holds now", t->waiting + t->kept, t->waiting + t->kept);
	text_add(out, "</dl>\n");
}

static uint64_t
sum_of(const struct traffic_step *s)
{
	return s->accepted + s->held + s->deferred + s->rejected + s->discarded;
}

static void
add_bar(struct text *out, const char *class, double x, double y, double width, double height)
{
	if (width > 0 && height > 0)
		text_printf(out, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>", class, x, y, width, height);
}

static void
add_step(struct text *out, const struct traffic *t, size_t i, uint64_t most)
{
	const struct traffic_step *s = &t->steps[i];
	const uint64_t n[VERDICTS] = {s->accepted, s->held, s->deferred, s->rejected, s->discarded};
	double wide = 1000.0 / (double)t->n_steps, y = 1000;
	char at[WHEN_SIZE];

	text_printf(out, "<g><title>%s: %llu accepted, %llu held, %llu deferred, %llu rejected</title>", when_format(s->at, at),
		    (ull)s->accepted, (ull)s->held, (ull)s->deferred, (ull)s->rejected);
	for (int v = 0; v < VERDICTS; v++) {
		double height = 1000.0 * (double)n[v] / (double)most;

		y -= height;
		add_bar(out, verdicts[v], (double)i * wide + wide * 0.08, y, wide * 0.84, height);
	}
	text_add(out, "</g>\n");
}

static void
add_legend(struct text *out, const struct traffic *t)
{
	const uint64_t n[VERDICTS] = {
		t->total.accepted, t->total.held, t->total.deferred, t->total.rejected, t->total.discarded,
	};

	text_add(out, "<ul class=\"legend\">");
	for (int v = 0; v < VERDICTS; v++)
		if (n[v] > 0)
			text_printf(out, "<li><svg viewBox=\"0 0 1 1\" aria-hidden=\"true\"><rect class=\"%s\" width=\"1\" height=\"1\"/></svg>%s</li>",
				    verdicts[v], verdicts[v]);
	text_add(out, "</ul>\n");
}

static void
add_times_table(struct text *out, const struct traffic *t)
{
	char at[WHEN_SIZE];

	text_add(out, "<details><summary>The same as a table</summary>\n<div class=\"wide\" tabindex=\"0\"><table>\n"
		 "<tr><th scope=\"col\">from (UTC)</th><th scope=\"col\">accepted</th><th scope=\"col\">held</th>"
		 "<th scope=\"col\">deferred</th><th scope=\"col\">rejected</th><th scope=\"col\">discarded</th></tr>\n");
	for (size_t i = 0; i < t->n_steps; i++) {
		text_printf(out, "<tr><td>%.16s</td>", when_format(t->steps[i].at, at));
		add_cell(out, "", t->steps[i].accepted);
		add_cell(out, "", t->steps[i].held);
		add_cell(out, "", t->steps[i].deferred);
		add_cell(out, "", t->steps[i].rejected);
		add_cell(out, "", t->steps[i].discarded);
		text_add(out, "</tr>\n");
	}
	text_add(out, "</table></div></details>\n");
}

static void
add_times(struct text *out, const struct traffic *t)
{
	char first[WHEN_SIZE], last[WHEN_SIZE];
	uint64_t most = 1;

	for (size_t i = 0; i < t->n_steps; i++)
		most = sum_of(&t->steps[i]) > most ? sum_of(&t->steps[i]) : most;
	text_printf(out, "<h2>Over time</h2>\n<p class=\"axis\"><span>at most %llu in %lld h</span></p>\n", (ull)most,
		    (long long)(t->step_ms / 3600000));
	text_add(out, "<svg class=\"times\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" role=\"img\" "
		 "aria-label=\"Messages over time by verdict; the table below has the numbers\">\n");
	for (size_t i = 0; i < t->n_steps; i++)
		add_step(out, t, i, most);
	text_printf(out, "</svg>\n<p class=\"axis\"><span>%.16s</span><span>%.16s UTC</span></p>\n",
		    when_format(t->steps[0].at, first), when_format(t->until, last));
	add_legend(out, t);
	add_times_table(out, t);
}

/* As long as its share of the largest. */
static void
add_row_bar(struct text *out, const struct store_traffic *s, uint64_t most)
{
	const uint64_t n[VERDICTS] = {s->accepted, s->held, s->deferred, s->rejected, s->discarded};
	double x = 0;

	text_add(out, "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
	for (int v = 0; v < VERDICTS; v++) {
		double width = 1000.0 * (double)n[v] / (double)(most == 0 ? 1 : most);

		add_bar(out, verdicts[v], x, 0, width, 10);
		x += width;
	}
	text_add(out, "</svg>");
}

static void
add_row(struct text *out, const struct traffic *t, const struct traffic_row *r)
{
	char share[TRAFFIC_WORD], change[TRAFFIC_WORD], size[32];

	text_add(out, "<tr><td>");
	add_escaped(out, traffic_name(t, r->name));
	add_row_bar(out, &r->now, t->rows[0].now.messages);
	text_add(out, "</td>");
	add_cell(out, "", r->now.messages);
	text_add(out, "<td>");
	add_escaped(out, traffic_share(r->now.messages, t->total.messages, share));
	text_printf(out, "</td><td>%s</td>", r->is_known_before ? traffic_change(t, r->now.messages, r->before, change) : "?");
	add_cell(out, "rejected-n", r->now.rejected);
	add_cell(out, "deferred-n", r->now.deferred);
	add_cell(out, "", r->now.held);
	add_cell(out, "", r->now.is_unsigned);
	add_cell(out, "", r->now.external);
	text_printf(out, "<td>%s</td></tr>\n", limits_amount(UNIT_BYTES, r->now.bytes, size));
}

static void
add_rows(struct text *out, const struct traffic *t)
{
	size_t n = t->n_rows < ROWS ? t->n_rows : ROWS;
	uint64_t others = t->others;

	text_printf(out, "<h2>By %s</h2>\n<div class=\"wide\" tabindex=\"0\"><table>\n<tr><th scope=\"col\">%s</th><th scope=\"col\">messages</th>"
		    "<th scope=\"col\">share</th><th scope=\"col\">change</th><th scope=\"col\">rejected</th><th scope=\"col\">deferred</th>"
		    "<th scope=\"col\">held</th><th scope=\"col\">unsigned</th><th scope=\"col\">external</th><th scope=\"col\">size</th></tr>\n",
		    t->by, t->by);
	for (size_t i = 0; i < n; i++)
		add_row(out, t, &t->rows[i]);
	for (size_t i = n; i < t->n_rows; i++)
		others += t->rows[i].now.messages;
	if (others > 0) {
		text_printf(out, "<tr><td>%s</td>", t->is_gone ? "(some of it is not kept any more)" : "(others)");
		add_cell(out, "", others);
		text_add(out, "<td colspan=\"8\"></td></tr>\n");
	}
	text_add(out, "</table></div>\n");
}

static void
add_reason(struct text *out, const struct traffic *t, const struct traffic_reason *r)
{
	char change[TRAFFIC_WORD], share[TRAFFIC_WORD];

	text_add(out, "<tr><td>");
	add_escaped(out, r->reason[0] == '\0' ? "(no reason)" : r->reason);
	text_add(out, "</td><td>");
	add_escaped(out, r->verdict);
	text_add(out, "</td>");
	add_cell(out, "", r->messages);
	text_printf(out, "<td>%s</td><td class=\"words\">", traffic_change(t, r->messages, r->before, change));
	if (r->app[0] != '\0') {
		add_escaped(out, r->app);
		text_add(out, " (");
		add_escaped(out, traffic_share(r->of_app, r->messages, share));
		text_add(out, ")");
	}
	text_add(out, "</td><td class=\"words\">");
	add_escaped(out, traffic_advice(r));
	text_add(out, "</td></tr>\n");
}

static void
add_reasons(struct text *out, const struct traffic *t)
{
	text_add(out, "<h2>Refused, deferred, held</h2>\n");
	if (t->n_reasons == 0) {
		text_add(out, "<p>Nothing was.</p>\n");
		return;
	}
	text_add(out, "<div class=\"wide\" tabindex=\"0\"><table>\n<tr><th scope=\"col\">reason</th><th scope=\"col\">verdict</th>"
		 "<th scope=\"col\">messages</th><th scope=\"col\">change</th><th scope=\"col\" class=\"words\">most of it</th>"
		 "<th scope=\"col\" class=\"words\">what its owner can do</th></tr>\n");
	for (size_t i = 0; i < t->n_reasons && i < REASONS; i++)
		add_reason(out, t, &t->reasons[i]);
	text_add(out, "</table></div>\n");
	if (t->n_reasons > REASONS)
		text_printf(out, "<p>And %zu reasons more.</p>\n", t->n_reasons - REASONS);
}

int
report_html(const struct traffic *t, struct text *out)
{
	char since[WHEN_SIZE], until[WHEN_SIZE];

	text_add(out, head);
	text_printf(out, "<h1>Mail by %s</h1>\n<p class=\"dim\">From %s to %s%s, beside the %lld hours before.</p>\n", t->by,
		    when_format(t->since, since), when_format(t->until, until), t->is_open ? " (the last hour is not over)" : "",
		    (long long)((t->since - t->before) / 3600000));
	if (t->total.messages == 0) {
		text_add(out, "<p>No mail.</p>\n");
	} else {
		add_totals(out, t);
		add_times(out, t);
		add_rows(out, t);
		add_reasons(out, t);
	}
	text_add(out, "<p class=\"dim\">Made by Postern.</p>\n</body>\n</html>\n");
	return out->failed ? -1 : 0;
}
