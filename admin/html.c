/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See html.h: what leads into a page.
 */
#include "config.h"

#include "admin/html.h"

#include <stdio.h>
#include <string.h>

#include "admin/terminal.h"

typedef unsigned long long ull;

const char html_style[] =
	":root { color-scheme: light dark; --back: #fff; --text: #1c2430; --dim: #566070; --line: #d5dae1; --soft: #f3f5f8;"
	" --link: #1f5c9e; --accepted: #2f6fb3; --held: #b58900; --deferred: #d9772b; --deferred-text: #a04e10; --rejected: #b3261e; --discarded: #7b8794; }\n"
	"@media (prefers-color-scheme: dark) { :root { --back: #14181f; --text: #e6e9ee; --dim: #a0a9b6; --line: #363e4a;"
	" --soft: #1d232c; --link: #8ebcf0; --accepted: #6aa5e3; --held: #d9b53a; --deferred: #f0a05a; --deferred-text: #f0a05a; --rejected: #f2766d; --discarded: #8c97a5; } }\n"
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
	"td:first-child, th:first-child, .words { text-align: left; } th[scope=row] { color: var(--text); font-size: inherit; font-weight: 400;"
	" white-space: normal; } td:first-child, th[scope=row] { min-width: 9rem; overflow-wrap: anywhere; }\n"
	".words { min-width: 12rem; overflow-wrap: anywhere; }\n"
	"caption { color: var(--dim); font-size: .85rem; padding: .2rem .5rem; text-align: left; }\n"
	"svg { display: block; width: 100%; } .plot { display: flex; gap: .4rem; margin-top: .5rem; } .plot ol { color: var(--dim); display: flex;"
	" flex-direction: column-reverse; font-size: .8rem; font-variant-numeric: tabular-nums; height: 12rem; justify-content: space-between; line-height: 1;"
	" list-style: none; margin: -.4rem 0 0; padding: 0; text-align: right; } svg.times { border-bottom: 1px solid var(--line); flex: 1; height: 11.2rem; min-width: 0; }"
	" .grid { stroke: var(--line); stroke-width: 1px; vector-effect: non-scaling-stroke; }"
	" svg.bar { height: .5rem; margin-top: .25rem; }\n"
	".axis { color: var(--dim); display: flex; font-size: .85rem; justify-content: space-between; }\n"
	".legend { display: flex; flex-wrap: wrap; font-size: .85rem; gap: .2rem 1rem; list-style: none; margin: .5rem 0; padding: 0; }\n"
	".legend svg { display: inline-block; height: .8rem; margin-right: .35rem; vertical-align: -.1rem; width: .8rem; }\n"
	".accepted { fill: var(--accepted); } .held { fill: var(--held); } .deferred { fill: var(--deferred); }"
	" .rejected { fill: var(--rejected); } .discarded { fill: var(--discarded); }\n"
	"td.rejected-n { color: var(--rejected); } td.deferred-n { color: var(--deferred-text); }\n"
	"a { color: var(--link); } summary { cursor: pointer; }\n"
	"@media print { .wide { overflow: visible; } }\n";

/* Text of others: nothing of it is markup, and what a terminal would not show is escaped here too. */
void
html_text(struct text *out, const char *s)
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
void
html_number(struct text *out, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%llu", (ull)n);

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			text_add(out, "&#8239;");
		text_add_char(out, digits[i]);
	}
}

void
html_cell(struct text *out, const char *class, uint64_t n)
{
	text_printf(out, "<td%s%s%s>", class[0] != '\0' && n > 0 ? " class=\"" : "", n > 0 ? class : "",
		    class[0] != '\0' && n > 0 ? "\"" : "");
	html_number(out, n);
	text_add(out, "</td>");
}

void
html_query(struct text *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (text_is_alpha(*s) || text_is_digit(*s) || strchr("-._~", *s) != NULL)
			text_add_char(out, *s);
		else
			text_printf(out, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

void
html_link(struct text *out, const char *page, const char *name, const char *more, const char *label)
{
	if (page != NULL) {
		text_printf(out, "<a href=\"%s?name=", page);
		html_query(out, name);
		text_printf(out, "%s\">", more);
	}
	html_text(out, label);
	text_add(out, page == NULL ? "" : "</a>");
}

const char *
html_page_of(const char *by)
{
	static const char *const pages[] = {"app", "department", "tenant", "method", "sender", "client", "reason"};

	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
		if (strcmp(by, pages[i]) == 0)
			return pages[i];
	return NULL;
}
