/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See dashboard.h: what the next hop answered.
 */
#include "config.h"

#include "admin/dashboard.h"

#include <string.h>

#include "admin/replies.h"

static void
add_fact(struct view *v, const char *name, const char *value)
{
	text_printf(v->out, "<div><dt>%s</dt><dd>", name);
	view_text(v, value);
	text_add(v->out, "</dd></div>\n");
}

static void
add_meaning(struct view *v, const struct replies_group *g)
{
	char wait[M365_WAIT_SIZE];

	if (g->is_foreign)
		add_fact(v, "meaning", "Not explained: the server that said it is neither the next hop of the message's tenant nor a host of Exchange Online.");
	if (g->is_foreign || g->meaning.keyword[0] == '\0')
		return;
	add_fact(v, "meaning", g->meaning.cause);
	add_fact(v, "who acts", m365_who_name(g->meaning.who));
	add_fact(v, "what to do", g->meaning.action);
	add_fact(v, "wait", m365_wait_text(&g->meaning, wait));
}

static void
add_group(struct view *v, const struct replies_group *g)
{
	char share[TRAFFIC_WORD];
	const char *keyword = g->is_foreign ? "other servers" : g->meaning.keyword[0] == '\0' ? "no error" : g->meaning.keyword;

	text_printf(v->out, "<article class=\"card\"><h3>%s <span class=\"tag %s\">%s</span></h3>\n<p>", keyword, g->bounced > 0 ? "bad" : "warn",
		    g->is_foreign ? "not ours" : m365_class_name(g->meaning.class));
	html_number(v->out, g->recipients);
	text_add(v->out, " recipients, ");
	html_number(v->out, g->bounced);
	text_add(v->out, " of them for good; from ");
	view_time(v, g->first);
	text_add(v->out, " to ");
	view_time(v, g->last);
	text_add(v->out, "</p>\n<dl class=\"facts\">\n");
	add_meaning(v, g);
	text_add(v->out, "<div><dt>most of it</dt><dd>");
	view_link(v, "app", g->app, "(no app, or not in the audit)");
	text_printf(v->out, " (%s)", strcmp(traffic_share(g->of_app, g->recipients, share), "<1%") == 0 ? "less than 1%" : share);
	text_add(v->out, "</dd></div>\n<div><dt>last of it</dt><dd>");
	if (g->message_id[0] != '\0') {
		text_add(v->out, "<a href=\"message?id=");
		html_query(v->out, g->message_id);
		text_add(v->out, "\">");
		view_text(v, g->recipient);
		text_add(v->out, "</a>");
	} else {
		view_text(v, g->recipient);
	}
	text_add(v->out, "</dd></div>\n<div><dt>said</dt><dd><q>");
	view_text(v, g->reply);
	text_add(v->out, "</q></dd></div>\n");
	if (g->next_hop[0] != '\0')
		add_fact(v, "by", g->next_hop);
	text_add(v->out, "</dl></article>\n");
}

static void
add_all(struct view *v, const struct replies *r)
{
	text_add(v->out, "<p>");
	html_number(v->out, r->sent);
	text_add(v->out, " recipients got their mail, ");
	html_number(v->out, r->failed);
	text_add(v->out, " did not, or not yet.</p>\n");
	if (r->is_cut) {
		text_add(v->out, "<p class=\"dim\">These are the newest ");
		html_number(v->out, DASHBOARD_ROWS);
		text_add(v->out, ", which reach back to ");
		view_time(v, r->since);
		text_add(v->out, "; <code>postern report replies</code> reads them all.</p>\n");
	}
	for (size_t i = 0; i < r->n_groups; i++)
		add_group(v, &r->groups[i]);
}

unsigned
dashboard_replies(struct view *v)
{
	struct replies *r = replies_read(v->reader, v->since, v->until, "", DASHBOARD_ROWS, &v->error);

	if (r == NULL)
		return 0;
	view_begin(v, "What the next hop answered", true);
	if (r->is_followed)
		add_all(v, r);
	else
		text_add(v->out, "<p>Not known: <code>postern follow</code>, which reads the MTA's log, has not run here.</p>\n");
	replies_free(&r);
	view_end(v);
	return 200;
}
