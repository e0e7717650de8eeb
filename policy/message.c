/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See message.h.
 */
#include "policy/message.h"

#include <string.h>

#include "base/printable.h"

static const struct decision accepted = {
	.verdict = VERDICT_ACCEPT, .reason = "", .code = 250, .enhanced = "2.0.0", .text = "",
};

void
message_start(struct message *m, struct arena *a, const struct policy *p, const struct client *c)
{
	*m = (struct message){
		.arena = a, .policy = p, .client = c, .mode = p->mode,
		.sender_typed = "", .form = "", .day = -1, .minute = -1, .weekday = -1,
		.sender = {.local = "", .domain = "", .text = ""},
		.from = {.address = {.local = "", .domain = "", .text = ""}, .display = ""},
		.header_sender = {.address = {.local = "", .domain = "", .text = ""}, .display = ""},
		.decision = accepted, .would = accepted,
		.picked_up = c->local,
	};
	trace_start(&m->trace, a);
	header_start(&m->header, a);
}

void
message_note_form(struct message *m, const char *keyword)
{
	m->form = arena_printf(m->arena, "%s%s%s", m->form, m->form[0] == '\0' ? "" : " ", keyword);
}

void
message_would(struct message *m, struct decision d)
{
	if (m->would.verdict < d.verdict && m->would.verdict < VERDICT_DEFER)
		m->would = d;
}

void
message_refuse_with(struct message *m, struct decision d)
{
	message_would(m, d);
	if (m->mode == MODE_MONITOR) {
		trace_add(&m->trace, "decide", d.reason, ANSWER_NOTE,
			  "would %s, but only monitored", verdict_name(d.verdict));
		return;
	}
	if (m->decision.verdict < d.verdict && m->decision.verdict < VERDICT_DEFER)
		m->decision = d;
}

void
message_refuse(struct message *m, const char *keyword, const char *format, ...)
{
	const struct reason *r = reason_find(keyword);
	struct decision d = {.reason = keyword};
	va_list args;

	if (r == NULL)
		r = reason_find("cannot-decide");
	va_start(args, format);
	d.text = arena_vprintf(m->arena, format, args);
	va_end(args);
	if (r->is_form)
		message_note_form(m, keyword);
	d.verdict = r->verdict;
	d.code = r->code;
	d.enhanced = r->enhanced;
	message_refuse_with(m, d);
}

void
message_take_back(struct message *m, struct recipient *r, const char *reason)
{
	r->accepted = false;
	r->reason = reason;
	m->accepted--;
	if (r->place == PLACE_INTERNAL)
		m->internal--;
	else if (r->place == PLACE_EXTERNAL)
		m->external--;
	else
		m->local--;
}

static const char *
keyword_of(const char *word, size_t len, const char *const *keywords, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(keywords[i]) == len && strncmp(keywords[i], word, len) == 0)
			return keywords[i];
	return NULL;
}

bool
message_refuse_recorded(struct message *m, const char *const *keywords, size_t n)
{
	const char *s = m->recorded == NULL ? "" : m->recorded->form;
	bool any = false;

	while (*s != '\0') {
		size_t len = strcspn(s, " ");
		const char *keyword = keyword_of(s, len, keywords, n);

		s += len + strspn(s + len, " ");
		if (keyword == NULL)
			continue;
		trace_add(&m->trace, "header", "as-recorded", ANSWER_NO, "%s", keyword);
		message_refuse(m, keyword, "the message was found to be so when it came");
		any = true;
	}
	return any;
}

const char *
message_who(const struct message *m)
{
	const char *name = m->app == NULL || m->app->is_unknown ? "an unknown client" : m->app->name;
	const char *where = m->client->local ? "local" : m->client->address;

	if (where[0] == '\0')
		where = "no address";
	if (m->client->login[0] == '\0')
		return arena_printf(m->arena, "%s (%s)", name, where);
	return arena_printf(m->arena, "%s (%s, login %s)", name, where,
			    printable(m->arena, m->client->login));
}
