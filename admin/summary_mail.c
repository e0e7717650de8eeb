/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See summary.h: the message, text and HTML beside each other, with what keeps programs from
 * answering it. The same summary to the same address has the same Message-ID, should a crash
 * have it sent twice.
 */
#include "config.h"

#include "admin/summary.h"

#include <string.h>

#include "admin/mail.h"

/* "=_" is in no quoted-printable body. */
#define BOUNDARY "=_postern-summary"

static void
add_part(struct text *t, const char *type, const char *body)
{
	text_printf(t, "\n--" BOUNDARY "\nContent-Type: text/%s; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n", type);
	mail_add_quoted(t, body);
}

static void
add_header(const struct summary *s, int64_t now, struct arena *a, struct text *t)
{
	const char *from = s->policy->notify.from, *at = strrchr(from, '@'), *kind = s->facts->ranges.is_daily ? "day" : "week";
	const char *domain = at == NULL ? "localhost" : at + 1;

	text_printf(t, "From: Postern <%s>\nTo: <%s>\n", from, s->to);
	mail_add_subject(t, arena_printf(a, "Postern: %s", summary_title(s, a)));
	mail_add_date(t, now);
	text_printf(t, "Message-ID: <postern-summary-%s.%lld.%08lx@%s>\n", kind, (long long)s->facts->until, (unsigned long)mail_hash(s->to), domain);
	text_printf(t, "List-Id: Postern summaries <postern-summary.%s>\n", domain);
	text_add(t, "Auto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\nMIME-Version: 1.0\n"
		 "Content-Type: multipart/alternative; boundary=\"" BOUNDARY "\"\n");
}

void
summary_mail(const struct summary *s, int64_t now, struct arena *a, struct text *t)
{
	struct text body = {0};

	add_header(s, now, a, t);
	summary_text(s, a, &body);
	add_part(t, "plain", text_string(&body));
	t->failed = t->failed || body.failed;
	text_clear(&body);
	summary_html(s, a, &body);
	add_part(t, "html", text_string(&body));
	t->failed = t->failed || body.failed;
	text_add(t, "\n--" BOUNDARY "--\n");
	text_free(&body);
}
