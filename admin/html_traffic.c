/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See html.h: traffic. Charts are SVG, whose bars are stretched to the width there is; words stand beside them
 * as text, so that they stay readable on a phone, and every number of a chart is in a table as well.
 */
#include "config.h"

#include "admin/html.h"

#include <stdio.h>
#include <string.h>

#include "admin/limits.h"
#include "admin/when.h"

typedef unsigned long long ull;

static const char *const verdicts[] = {"accepted", "held", "deferred", "rejected", "discarded"};
#define VERDICTS 5
#define LINES 4

static void
add_total(struct text *out, const struct traffic *t, const char *name, uint64_t now, uint64_t before)
{
	char change[TRAFFIC_WORD];
	const char *word = traffic_change(t, now, before, change);

	text_printf(out, "<div><dt>%s</dt><dd>", name);
	html_number(out, now);
	text_printf(out, "%s%s%s</dd></div>\n", word[0] == '\0' ? "" : " <small>", strcmp(word, "=") == 0 ? "as before" : word,
		    word[0] == '\0' ? "" : "</small>");
}

void
html_totals(struct text *out, const struct traffic *t)
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

	text_add(out, "<details><summary>The same as a table</summary>\n<div class=\"wide\" tabindex=\"0\"><table>\n<caption>Messages by verdict over time</caption>\n"
		 "<tr><th scope=\"col\">from (UTC)</th><th scope=\"col\">accepted</th><th scope=\"col\">held</th>"
		 "<th scope=\"col\">deferred</th><th scope=\"col\">rejected</th><th scope=\"col\">discarded</th></tr>\n");
	for (size_t i = 0; i < t->n_steps; i++) {
		text_printf(out, "<tr><th scope=\"row\">%.16s</th>", when_format(t->steps[i].at, at));
		html_cell(out, "", t->steps[i].accepted);
		html_cell(out, "", t->steps[i].held);
		html_cell(out, "", t->steps[i].deferred);
		html_cell(out, "", t->steps[i].rejected);
		html_cell(out, "", t->steps[i].discarded);
		text_add(out, "</tr>\n");
	}
	text_add(out, "</table></div></details>\n");
}

/* The least that nothing is above and whose LINES stand at round numbers. */
static uint64_t
top_of(uint64_t most)
{
	static const unsigned steps[] = {1, 2, 3, 4, 5, 6, 8, 10};
	uint64_t unit = 1;

	for (;; unit *= 10)
		for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
			if (LINES * steps[i] * unit >= most || unit > UINT64_MAX / 1000)
				return LINES * steps[i] * unit;
}

static void
add_scale(struct text *out, uint64_t top)
{
	text_add(out, "<ol aria-hidden=\"true\">");
	for (uint64_t i = 0; i <= LINES; i++) {
		text_add(out, "<li>");
		html_number(out, top / LINES * i);
		text_add(out, "</li>");
	}
	text_add(out, "</ol>\n");
}

static void
add_grid(struct text *out)
{
	for (int i = 0; i < LINES; i++)
		text_printf(out, "<line class=\"grid\" x1=\"0\" x2=\"1000\" y1=\"%d\" y2=\"%d\"/>", 1000 / LINES * i, 1000 / LINES * i);
	text_add(out, "\n");
}

void
html_times(struct text *out, const struct traffic *t)
{
	char first[WHEN_SIZE], middle[WHEN_SIZE], last[WHEN_SIZE];
	uint64_t top = 1;

	for (size_t i = 0; i < t->n_steps; i++)
		top = sum_of(&t->steps[i]) > top ? sum_of(&t->steps[i]) : top;
	top = top_of(top);
	text_printf(out, "<h2>Over time</h2>\n<div class=\"plot\">\n");
	add_scale(out, top);
	text_printf(out, "<svg class=\"times\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" role=\"img\" aria-labelledby=\"times-title\" aria-describedby=\"times-desc\">\n"
		    "<title id=\"times-title\">Messages over time by verdict</title><desc id=\"times-desc\">A bar for each %lld h; "
		    "the table below has the numbers.</desc>\n", (long long)(t->step_ms / 3600000));
	when_format(t->steps[0].at, first);
	when_format(t->steps[t->n_steps / 2].at, middle);
	when_format(t->until, last);
	add_grid(out);
	for (size_t i = 0; i < t->n_steps; i++)
		add_step(out, t, i, top);
	text_printf(out, "</svg></div>\n<p class=\"axis\"><span>%.5s %.5s</span><span>%.5s %.5s</span><span>%.5s %.5s UTC</span></p>\n",
		    first + 5, first + 11, middle + 5, middle + 11, last + 5, last + 11);
	add_legend(out, t);
	add_times_table(out, t);
}

void
html_row_bar(struct text *out, const struct store_traffic *s, uint64_t most)
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
add_row(struct text *out, const struct traffic *t, const struct traffic_row *r, const struct html_links *links)
{
	char share[TRAFFIC_WORD], change[TRAFFIC_WORD], size[32];

	text_add(out, "<tr><th scope=\"row\">");
	html_link(out, links->page, r->name, links->more, traffic_name(t, r->name));
	html_row_bar(out, &r->now, t->rows[0].now.messages);
	text_add(out, "</th>");
	html_cell(out, "", r->now.messages);
	text_add(out, "<td>");
	html_text(out, traffic_share(r->now.messages, t->total.messages, share));
	text_printf(out, "</td><td>%s</td>", r->is_known_before ? traffic_change(t, r->now.messages, r->before, change) : "?");
	html_cell(out, "rejected-n", r->now.rejected);
	html_cell(out, "deferred-n", r->now.deferred);
	html_cell(out, "", r->now.held);
	html_cell(out, "", r->now.is_unsigned);
	html_cell(out, "", r->now.external);
	text_printf(out, "<td>%s</td></tr>\n", limits_amount(UNIT_BYTES, r->now.bytes, size));
}

void
html_rows(struct text *out, const struct traffic *t, size_t max, const struct html_links *links)
{
	size_t n = t->n_rows < max ? t->n_rows : max;
	uint64_t others = t->others;

	text_printf(out, "<h2>By %s</h2>\n<div class=\"wide\" tabindex=\"0\"><table>\n<caption>Most messages first</caption>\n"
		    "<tr><th scope=\"col\">%s</th><th scope=\"col\">messages</th>"
		    "<th scope=\"col\">share</th><th scope=\"col\">change</th><th scope=\"col\">rejected</th><th scope=\"col\">deferred</th>"
		    "<th scope=\"col\">held</th><th scope=\"col\">unsigned</th><th scope=\"col\">external</th><th scope=\"col\">size</th></tr>\n",
		    t->by, t->by);
	for (size_t i = 0; i < n; i++)
		add_row(out, t, &t->rows[i], links);
	for (size_t i = n; i < t->n_rows; i++)
		others += t->rows[i].now.messages;
	if (others > 0) {
		text_printf(out, "<tr><th scope=\"row\">%s</th>", t->is_gone ? "(some of it is not kept any more)" : "(others)");
		html_cell(out, "", others);
		text_add(out, "<td colspan=\"8\"></td></tr>\n");
	}
	text_add(out, "</table></div>\n");
}

static void
add_reason(struct text *out, const struct traffic *t, const struct traffic_reason *r, const struct html_links *links)
{
	char change[TRAFFIC_WORD], share[TRAFFIC_WORD];

	text_add(out, "<tr><th scope=\"row\">");
	html_link(out, links->page == NULL ? NULL : "reason", r->reason, links->more, r->reason[0] == '\0' ? "(no reason)" : r->reason);
	text_add(out, "</th><td>");
	html_text(out, r->verdict);
	text_add(out, "</td>");
	html_cell(out, "", r->messages);
	text_printf(out, "<td>%s</td><td class=\"words\">", traffic_change(t, r->messages, r->before, change));
	if (r->app[0] != '\0') {
		html_link(out, links->page == NULL ? NULL : "app", r->app, links->more, r->app);
		text_add(out, " (");
		html_text(out, traffic_share(r->of_app, r->messages, share));
		text_add(out, ")");
	}
	text_add(out, "</td><td class=\"words\">");
	html_text(out, traffic_advice(r));
	text_add(out, "</td></tr>\n");
}

void
html_reasons(struct text *out, const struct traffic *t, size_t max, const struct html_links *links)
{
	text_add(out, "<h2>Refused, deferred, held</h2>\n");
	if (t->n_reasons == 0) {
		text_add(out, "<p>Nothing was.</p>\n");
		return;
	}
	text_add(out, "<div class=\"wide\" tabindex=\"0\"><table>\n<caption>Why, and what can be done</caption>\n"
		 "<tr><th scope=\"col\">reason</th><th scope=\"col\">verdict</th>"
		 "<th scope=\"col\">messages</th><th scope=\"col\">change</th><th scope=\"col\" class=\"words\">most of it</th>"
		 "<th scope=\"col\" class=\"words\">what its owner can do</th></tr>\n");
	for (size_t i = 0; i < t->n_reasons && i < max; i++)
		add_reason(out, t, &t->reasons[i], links);
	text_add(out, "</table></div>\n");
	if (t->n_reasons > max)
		text_printf(out, "<p>And %zu reasons more.</p>\n", t->n_reasons - max);
}
