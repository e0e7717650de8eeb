/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See alignment.h.
 */
#include "policy/alignment.h"

#include <string.h>

#include "base/crash.h"
#include "base/printable.h"

enum alignment
alignment_of(const struct message *m, const struct address *a)
{
	const struct accepted_domain *d;

	if (a->is_literal || (d = policy_domain(m->policy, a->domain)) == NULL)
		return ALIGNMENT_NOT_ACCEPTED;
	if (d->sending_disabled || d->pending_removal)
		return ALIGNMENT_MAY_NOT_SEND;
	if (m->tenant != NULL && d->tenant != m->tenant)
		return ALIGNMENT_OTHER_TENANT;
	if (m->app == NULL || m->app->is_unknown)
		return a->has_routing || a->is_quoted ? ALIGNMENT_NOT_ALLOWED : ALIGNMENT_GOOD;
	for (size_t i = 0; i < m->app->n_senders; i++)
		if (address_matches(&m->app->senders[i], a))
			return ALIGNMENT_GOOD;
	return ALIGNMENT_NOT_ALLOWED;
}

const char *
alignment_text(enum alignment a)
{
	static const char *const texts[] = {
		"good", "no accepted domain", "an accepted domain that may not send",
		"another tenant's domain", "not among the app's senders",
	};

	return texts[a];
}

static bool
app_lists_null(const struct app *a)
{
	for (size_t i = 0; i < a->n_senders; i++)
		if (a->senders[i].is_null)
			return true;
	return false;
}

static void
check_null_sender(struct message *m)
{
	bool listed = m->app != NULL && app_lists_null(m->app) && m->app->n_tenants == 1;

	trace_add(&m->trace, "mail", "sender-allowed", listed ? ANSWER_YES : ANSWER_NO, "<>");
	if (!listed)
		message_refuse(m, "null-sender", "%s sends with a null sender, which only an app that lists \"<>\" "
			       "among its senders may do", message_who(m));
}

void
alignment_check_sender(struct message *m)
{
	enum alignment al;
	const char *shown = printable(m->arena, m->sender.text);

	if (FAULT("no-alignment"))
		return;
	if (m->sender.is_null) {
		check_null_sender(m);
		return;
	}
	al = alignment_of(m, &m->sender);
	trace_add(&m->trace, "mail", "sender-aligned", al == ALIGNMENT_GOOD ? ANSWER_YES : ANSWER_NO,
		  "%s%s%s", m->sender.text, al == ALIGNMENT_GOOD ? "" : ": ",
		  al == ALIGNMENT_GOOD ? "" : alignment_text(al));
	if (al == ALIGNMENT_NOT_ALLOWED)
		message_refuse(m, "sender-not-allowed", "%s may not send as %s; it may send as its own senders only",
			       message_who(m), shown);
	else if (al != ALIGNMENT_GOOD)
		message_refuse(m, "sender-not-accepted", "%s sends as %s, which is %s; Exchange Online relays only for "
			       "the tenant's accepted domains", message_who(m), shown, alignment_text(al));
}

/* What the audit remembers of form, by the check that found it. */
#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])
static const char *const from_form[] = {"from-missing", "from-multiple", "from-malformed"};
static const char *const display_form[] = {"from-not-allowed", "from-malformed"};
static const char *const header_form[] = {
	"header-resent", "header-malformed", "header-repeated", "header-too-large", "message-partial",
};

/* Parses the one From field; false when it was refused. */
static bool
parse_from(struct message *m)
{
	size_t n = header_count(&m->header, "From");
	struct address_error e;

	if (n == 0 && message_refuse_recorded(m, from_form, COUNT_OF(from_form)))
		return false;
	if (n != 1) {
		trace_add(&m->trace, "header", "from-single", ANSWER_NO, "%zu From fields", n);
		message_refuse(m, n == 0 ? "from-missing" : "from-multiple",
			       n == 0 ? "the message has no From field; one with one address is needed"
				      : "the message has several From fields; exactly one is needed");
		return false;
	}
	if (address_parse_mailbox(m->arena, header_find(&m->header, "From")->value, &m->from, &e) != 0) {
		trace_add(&m->trace, "header", "from-single", ANSWER_NO, "column %zu: %s", e.column, e.what);
		m->from = (struct mailbox){.address = {.local = "", .domain = "", .text = ""}, .display = ""};
		message_refuse(m, "from-malformed", "the From field cannot be read for certain: column %zu has %s, "
			       "expected %s", e.column, e.what, e.expected);
		return false;
	}
	m->has_from = true;
	trace_add(&m->trace, "header", "from-single", ANSWER_YES, "%s", m->from.address.text);
	return true;
}

/* A display name that shows an address the app may not use, or that cannot
 * be read for certain. */
static void
check_display(struct message *m)
{
	const char *rest = m->from.display;
	struct address found;

	if (message_refuse_recorded(m, display_form, COUNT_OF(display_form)))
		return;
	if (!m->from.display_is_certain || address_display_is_hostile(m->from.display)) {
		trace_add(&m->trace, "header", "display-name", ANSWER_NO, "%s",
			  m->from.display_is_certain ? "shows an address or turns the reading direction"
						     : "cannot be read for certain");
		if (m->from.display_is_certain)
			message_note_form(m, "from-not-allowed");
		message_refuse(m, m->from.display_is_certain ? "from-not-allowed" : "from-malformed",
			       m->from.display_is_certain
			       ? "the display name in From hides an address or turns the reading direction"
			       : "the display name in From cannot be read for certain; expected UTF-8 text "
				 "or encoded words in a known charset");
		return;
	}
	while ((rest = address_find_in_text(m->arena, rest, &found)) != NULL) {
		const struct accepted_domain *d = found.is_null ? NULL : policy_domain(m->policy, found.domain);

		if (d == NULL || address_same(&found, &m->from.address) ||
		    alignment_of(m, &found) == ALIGNMENT_GOOD)
			continue;
		trace_add(&m->trace, "header", "display-name", ANSWER_NO, "shows %s", found.text);
		message_note_form(m, "from-not-allowed");
		message_refuse(m, "from-not-allowed", "the display name in From shows %s, which %s may not use",
			       printable(m->arena, found.text), message_who(m));
		return;
	}
}

static void
check_from(struct message *m)
{
	enum alignment al;
	const char *shown;

	if (!parse_from(m))
		return;
	al = alignment_of(m, &m->from.address);
	shown = printable(m->arena, m->from.address.text);
	trace_add(&m->trace, "header", "from-aligned", al == ALIGNMENT_GOOD ? ANSWER_YES : ANSWER_NO,
		  "%s%s%s", m->from.address.text, al == ALIGNMENT_GOOD ? "" : ": ",
		  al == ALIGNMENT_GOOD ? "" : alignment_text(al));
	if (al == ALIGNMENT_NOT_ALLOWED)
		message_refuse(m, "from-not-allowed", "%s may not write From: %s; it may use its own senders only",
			       message_who(m), shown);
	else if (al == ALIGNMENT_OTHER_TENANT)
		message_refuse(m, "from-not-aligned", "From: %s belongs to another tenant than the envelope sender; "
			       "both must be of tenant %s", shown, m->tenant->name);
	else if (al != ALIGNMENT_GOOD)
		message_refuse(m, "from-not-accepted", "From: %s is %s", shown, alignment_text(al));
	check_display(m);
}

static void
check_header_sender(struct message *m)
{
	const struct header_field *f = header_find(&m->header, "Sender");
	struct address_error e;
	enum alignment al;

	if (f == NULL)
		return;
	if (address_parse_mailbox(m->arena, f->value, &m->header_sender, &e) != 0) {
		m->header_sender = (struct mailbox){.address = {.local = "", .domain = "", .text = ""}, .display = ""};
		trace_add(&m->trace, "header", "sender-field", ANSWER_NO, "column %zu: %s", e.column, e.what);
		message_refuse(m, "header-malformed", "the Sender field cannot be read for certain: column %zu has %s, "
			       "expected %s", e.column, e.what, e.expected);
		return;
	}
	al = alignment_of(m, &m->header_sender.address);
	trace_add(&m->trace, "header", "sender-field", al == ALIGNMENT_GOOD ? ANSWER_YES : ANSWER_NO,
		  "%s", m->header_sender.address.text);
	if (al != ALIGNMENT_GOOD)
		message_refuse(m, "header-sender", "Sender: %s is %s; leave it out or use one of the app's senders",
			       printable(m->arena, m->header_sender.address.text), alignment_text(al));
}

void
alignment_check_header(struct message *m)
{
	const char *name = header_resent(&m->header);

	check_from(m);
	check_header_sender(m);
	(void)message_refuse_recorded(m, header_form, COUNT_OF(header_form));
	if (name != NULL) {
		trace_add(&m->trace, "header", "resent", ANSWER_NO, "%s", name);
		message_refuse(m, "header-resent", "the message has a %s field; an application does not resend",
			       printable(m->arena, name));
	}
}
