/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See traffic.h: the report as one page of HTML that needs nothing else: no script, nothing that is
 * fetched. Its parts are those of html.h.
 */
#include "config.h"

#include "admin/html.h"
#include "admin/traffic.h"
#include "admin/when.h"

#define ROWS 50
#define REASONS 20

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<title>Postern: mail report</title>\n<style>\n";
static const char body[] =
	"</style>\n</head>\n<body>\n";

int
report_html(const struct traffic *t, struct text *out)
{
	static const struct html_links no_links = {NULL, ""};
	char since[WHEN_SIZE], until[WHEN_SIZE];

	text_add(out, head);
	text_add(out, html_style);
	text_add(out, body);
	text_printf(out, "<h1>Mail by %s</h1>\n<p>", t->by);
	html_text(out, t->only[0] == '\0' ? "All mail" : t->only);
	text_printf(out, "</p>\n<p class=\"dim\">From %s to %s%s, beside the %lld hours before.</p>\n",
		    when_format(t->since, since), when_format(t->until, until), t->is_open ? " (the last hour is not over)" : "",
		    (long long)((t->since - t->before) / 3600000));
	if (t->total.messages == 0) {
		text_add(out, "<p>No mail.</p>\n");
	} else {
		html_totals(out, t);
		html_times(out, t);
		html_rows(out, t, ROWS, &no_links);
		html_reasons(out, t, REASONS, &no_links);
	}
	text_add(out, "<p class=\"dim\">Made by Postern.</p>\n</body>\n</html>\n");
	return out->failed ? -1 : 0;
}
