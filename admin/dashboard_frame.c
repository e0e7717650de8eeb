/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See dashboard.h: what is around every page, and what several of them are made of. All links are relative, so that a web server can
 * have the pages below a path of its own.
 */
#include "config.h"

#include "admin/dashboard.h"

#include <string.h>

#include "admin/when.h"

const char dashboard_icon[] =
	"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" rx=\"6\" fill=\"#1f5c9e\"/>"
	"<path d=\"M9 26V14a7 7 0 0 1 14 0v12h-4V14a3 3 0 0 0-6 0v12z\" fill=\"#fff\"/></svg>\n";

/* Behind html_style. */
const char dashboard_style[] =
	"html { scroll-padding-top: 1rem; } body { max-width: 76rem; padding: 0 1rem 2rem; }\n"
	":root { --bad: #b3261e; --warn: #8a5a00; --good: #1f6f43; --card: #fff; }\n"
	"@media (prefers-color-scheme: dark) { :root { --bad: #f2766d; --warn: #e0b44c; --good: #6cc794; --card: #191f28; } }\n"
	".skip { background: var(--back); left: -99rem; padding: .5rem 1rem; position: absolute; z-index: 1; } .skip:focus { left: 1rem; }\n"
	":focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }\n"
	"header { align-items: center; border-bottom: 1px solid var(--line); display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: .7rem 0; }\n"
	".brand { align-items: center; color: var(--text); display: flex; font-size: 1.1rem; font-weight: 700; gap: .45rem; text-decoration: none; }"
	" .brand img { display: block; height: 1.5rem; width: 1.5rem; }\n"
	"nav ul { display: flex; flex-wrap: wrap; gap: 0 .2rem; list-style: none; margin: 0; padding: 0; }"
	" nav a { border-radius: .35rem; color: var(--text); display: block; padding: .3rem .55rem; text-decoration: none; }"
	" nav a:hover { background: var(--soft); } nav a[aria-current] { background: var(--soft); box-shadow: inset 0 -2px var(--link); font-weight: 600; }\n"
	"form { display: flex; gap: .4rem; margin-left: auto; } input, button { background: var(--card); border: 1px solid var(--dim); border-radius: .35rem;"
	" color: var(--text); font: inherit; padding: .25rem .55rem; } ::placeholder { color: var(--dim); opacity: 1; } input { min-width: 0; width: 17rem; } button { background: var(--soft); cursor: pointer; }\n"
	".title { align-items: baseline; display: flex; flex-wrap: wrap; gap: .3rem 1.5rem; justify-content: space-between; margin: 1.3rem 0 .4rem; }"
	" h1 { font-size: 1.5rem; overflow-wrap: anywhere; } .title nav { font-size: .9rem; }\n"
	"h2 { font-size: 1.15rem; margin-top: 2.2rem; } h3 { font-size: 1rem; margin: .2rem 0; overflow-wrap: anywhere; }\n"
	".needs { display: grid; gap: .5rem; list-style: none; margin: .8rem 0; padding: 0; }"
	" .needs li { background: var(--soft); border-left: .3rem solid var(--dim); border-radius: .3rem; overflow-wrap: anywhere; padding: .5rem .8rem; }"
	" .needs .now { border-color: var(--bad); } .needs .soon { border-color: var(--held); } .needs .fine { border-color: var(--good); }"
	" .needs p { color: var(--dim); font-size: .92rem; margin: 0; } .needs b { font-weight: 600; }\n"
	".asked { display: grid; gap: .5rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); list-style: none; margin: .8rem 0; padding: 0; }"
	" .asked a { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; display: block; height: 100%; padding: .55rem .8rem; text-decoration: none; box-sizing: border-box; }"
	" .asked a:hover { border-color: var(--link); } .asked small { color: var(--dim); display: block; }\n"
	".facts { border-top: 1px solid var(--line); display: block; margin: .8rem 0; } .facts div { background: none; border-bottom: 1px solid var(--line); border-radius: 0;"
	" display: grid; gap: .1rem 1rem; grid-template-columns: 8.5rem 1fr; padding: .3rem 0; } .facts dd { font-size: 1rem; overflow-wrap: anywhere; }\n"
	".card { border: 1px solid var(--line); border-radius: .4rem; margin: .8rem 0; padding: .7rem .9rem; } .card .facts { margin: .5rem 0 0; }\n"
	".tag { border: 1px solid currentColor; border-radius: 1rem; font-size: .8rem; padding: .05rem .55rem; white-space: nowrap; }"
	" .bad { color: var(--bad); } .warn { color: var(--warn); } .good { color: var(--good); }\n"
	".gauge { background: var(--line); border-radius: .2rem; height: .55rem; margin: .2rem 0; min-width: 7rem; } .gauge rect { fill: var(--accepted); }"
	" .gauge .warn { fill: var(--held); } .gauge .bad { fill: var(--rejected); } .gauge .rest { fill: var(--line); }\n"
	"time { white-space: nowrap; } td.left, th.left { text-align: left; } td.any { overflow-wrap: anywhere; min-width: 11rem; } .wide { position: relative; }"
	" td small, th small { color: var(--dim); display: block; font-size: .85rem; font-weight: 400; }\n"
	"ol.steps { font: .9rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; } ol.steps li { white-space: pre-wrap; } q { quotes: none; font: .92rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }\n"
	".next { margin: .8rem 0; } footer { border-top: 1px solid var(--line); color: var(--dim); font-size: .85rem; margin-top: 3rem; padding: .8rem 0; }\n"
	"@media (max-width: 40rem) { form { margin-left: 0; width: 100%; } input { flex: 1; width: auto; } .facts div { grid-template-columns: 6rem 1fr; }"
	" h1 { font-size: 1.3rem; } header { padding: .5rem 0; } dl { grid-template-columns: repeat(auto-fill, minmax(8.2rem, 1fr)); } }\n"
	"@media print { header, .title nav, form { display: none; } }\n";

static const struct {
	const char *path, *title;
} pages[] = {
	{".", "Overview"}, {"apps", "Apps"}, {"refusals", "Refusals"}, {"replies", "Replies"}, {"limits", "Limits"},
	{"methods", "Direct Send"}, {"unsigned", "Unsigned"},
};

static const struct {
	const char *range, *title;
} ranges[] = {
	{"24h", "24 hours"}, {"7d", "7 days"}, {"30d", "30 days"}, {"yesterday", "Yesterday"},
};

const char *
view_argument(const struct view *v, const char *name)
{
	const char *s = http_argument(v->request, name);

	return s == NULL ? "" : s;
}

void
view_text(struct view *v, const char *s)
{
	html_text(v->out, s);
}

void
view_link(struct view *v, const char *page, const char *name, const char *none)
{
	html_link(v->out, page, name, v->more, name[0] == '\0' ? none : name);
}

void
view_time(struct view *v, int64_t ms)
{
	char at[WHEN_SIZE];

	when_format(ms, at);
	text_printf(v->out, "<time datetime=\"%s\">%.10s %.5s</time>", at, at, at + 11);
}

static void
add_pages(struct view *v)
{
	text_add(v->out, "<nav aria-label=\"Pages\"><ul>");
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
		text_printf(v->out, "<li><a href=\"%s%s%s\"%s>%s</a></li>", pages[i].path, v->more[0] == '\0' ? "" : "?",
			    v->more[0] == '\0' ? "" : v->more + strlen("&amp;"), strcmp(v->path, pages[i].path) == 0 ? " aria-current=\"page\"" : "",
			    pages[i].title);
	text_add(v->out, "</ul></nav>\n");
}

static void
add_ranges(struct view *v)
{
	text_add(v->out, "<nav aria-label=\"Time\"><ul>");
	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		text_printf(v->out, "<li><a href=\"%s?%ssince=%s\"%s>%s</a></li>", v->path, v->query, ranges[i].range,
			    strcmp(v->range, ranges[i].range) == 0 ? " aria-current=\"true\"" : "", ranges[i].title);
	text_add(v->out, "</ul></nav>");
}

void
view_begin(struct view *v, const char *title, bool has_range)
{
	text_add(v->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
	view_text(v, title);
	text_add(v->out, " - Postern</title>\n<link rel=\"stylesheet\" href=\"style.css\">\n<link rel=\"icon\" type=\"image/svg+xml\" href=\"icon.svg\">\n"
		 "</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n<header>\n"
		 "<a class=\"brand\" href=\".\"><img src=\"icon.svg\" alt=\"\" width=\"24\" height=\"24\">Postern</a>\n");
	add_pages(v);
	text_add(v->out, "<form action=\"search\" method=\"get\" role=\"search\"><input type=\"search\" name=\"q\" maxlength=\"320\" "
		 "aria-label=\"Address, queue id, audit id, app or client\" placeholder=\"address, id, app or client\" value=\"");
	view_text(v, view_argument(v, "q"));
	text_add(v->out, "\"><button>Find</button></form>\n</header>\n<main id=\"main\">\n<div class=\"title\"><h1>");
	view_text(v, title);
	text_add(v->out, "</h1>");
	if (has_range)
		add_ranges(v);
	text_add(v->out, "</div>\n");
}

void
view_end(struct view *v)
{
	text_add(v->out, "</main>\n<footer>As of ");
	view_time(v, v->now);
	text_add(v->out, " UTC. All times are UTC. Postern " PACKAGE_VERSION "; nothing can be changed here.</footer>\n</body>\n</html>\n");
}

unsigned
view_refuse(struct view *v, unsigned status, const char *title, const char *text)
{
	text_clear(v->out);
	view_begin(v, title, false);
	text_printf(v->out, "<p>%s</p>\n", text);
	view_end(v);
	return status;
}

/* ---- parts */

void
view_table(struct view *v, const char *caption, const char *heads)
{
	text_printf(v->out, "<div class=\"wide\" tabindex=\"0\"><table>\n<caption>%s</caption>\n<tr>", caption);
	while (*heads != '\0') {
		size_t len = strcspn(heads, "|");
		bool is_left = heads[0] == '<';

		text_printf(v->out, "<th scope=\"col\"%s>%.*s</th>", is_left ? " class=\"left\"" : "", (int)(len - is_left), heads + is_left);
		heads += len + (heads[len] == '|');
	}
	text_add(v->out, "</tr>\n");
}

void
view_table_end(struct view *v)
{
	text_add(v->out, "</table></div>\n");
}

int
view_bound(struct view *v, unsigned only, const char *name, int64_t *since_r)
{
	const struct store_traffic_query q = {.since = v->since, .until = v->until, .only = only, .name = name};
	int64_t newest = 0, hour = 3600000;

	if (store_reader_newest(v->reader, &q, DASHBOARD_ROWS, &newest, &v->error) != 0)
		return -1;
	*since_r = v->since;
	if (newest <= v->since)
		return 0;
	/* Whole hours, as they are asked for; but the last one in any case. */
	*since_r = (newest + hour - 1) / hour * hour;
	if (*since_r >= v->until)
		*since_r = newest / hour * hour;
	text_add(v->out, "<p class=\"dim\">Senders and clients are read from the newest ");
	html_number(v->out, DASHBOARD_ROWS);
	text_add(v->out, " messages, which reach back to ");
	view_time(v, *since_r);
	text_add(v->out, "; <code>postern report</code> reads them all.</p>\n");
	return 0;
}

unsigned
view_kind(const char *path)
{
	return html_page_of(path) == NULL ? 0 : traffic_by(path);
}
