/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See decide.h: the order of all checks.
 */
#include "policy/decide.h"

#include <string.h>

#include "base/printable.h"
#include "base/text.h"
#include "policy/alignment.h"
#include "policy/identify.h"
#include "policy/method.h"
#include "policy/rule.h"

/* A field beyond this may have been cut by the MTA (Postfix cuts at 60,000). */
#define FIELD_MAX 50000u
#define HEADER_MAX (256u * 1024)
#define FIELDS_MAX 1000u
/* RFC 5322 section 2.1.1: octets of a line without its CRLF. */
#define LINE_MAX_OCTETS 998u

/* Whether the MTA understood the address as we did. */
static bool
macro_agrees(struct message *m, const struct address *a, const char *macro)
{
	struct address other;
	struct address_error e;

	if (macro == NULL)
		return true;
	if (a->is_postmaster)
		return text_has_prefix(macro, "postmaster");
	if (address_parse_path(m->arena, macro, true, &other, &e) != 0)
		return false;
	return a->is_null ? other.is_null : address_same(a, &other);
}

static bool
parse_sender(struct message *m)
{
	struct address_error e;

	if (address_parse_path(m->arena, m->sender_typed, false, &m->sender, &e) != 0) {
		m->sender = (struct address){.local = "", .domain = "", .text = ""};
		trace_add(&m->trace, "mail", "sender-well-formed", ANSWER_NO, "column %zu: %s", e.column, e.what);
		message_refuse(m, "sender-malformed", "the envelope sender %s cannot be read for certain: column %zu "
			       "has %s, expected %s", printable(m->arena, m->sender_typed), e.column, e.what,
			       e.expected);
		return false;
	}
	if (m->sender.is_postmaster || !macro_agrees(m, &m->sender, m->sender_macro)) {
		trace_add(&m->trace, "mail", "sender-well-formed", ANSWER_NO, "the MTA understood %s",
			  m->sender_macro == NULL ? "nothing" : m->sender_macro);
		message_refuse(m, "sender-malformed", "the envelope sender %s was understood by the mail server as %s; "
			       "expected a plain local-part@domain", printable(m->arena, m->sender_typed),
			       m->sender_macro == NULL ? "?" : printable(m->arena, m->sender_macro));
		return false;
	}
	trace_add(&m->trace, "mail", "sender-well-formed", ANSWER_YES, "%s",
		  m->sender.is_null ? "<>" : m->sender.text);
	return true;
}

void
decide_mail(struct message *m)
{
	bool parsed;

	identify_app(m);
	parsed = parse_sender(m);
	identify_tenant(m);
	if (parsed && (m->app != NULL || m->tenant != NULL))
		alignment_check_sender(m);
}

/* What stands against this recipient: a keyword with a text, or NULL. */
static const char *
objection(struct message *m, struct recipient *r, const char *macro, const char *mailer, const char **text_r)
{
	struct address_error e;
	uint64_t most = m->app == NULL ? UINT64_MAX : m->app->max_recipients;
	const char *shown = printable(m->arena, r->typed);

	if (address_parse_path(m->arena, r->typed, false, &r->address, &e) != 0) {
		*text_r = arena_printf(m->arena, "the recipient %s cannot be read for certain: column %zu has %s, "
				       "expected %s", shown, e.column, e.what, e.expected);
		return "recipient-malformed";
	}
	if (r->address.is_null || r->address.has_routing || !macro_agrees(m, &r->address, macro)) {
		*text_r = arena_printf(m->arena, "the recipient %s %s; expected a plain local-part@domain", shown,
				       r->address.is_null ? "is empty" : r->address.has_routing
				       ? "holds a routing operator" : "was understood otherwise by the mail server");
		return "recipient-malformed";
	}
	r->place = method_place(m, &r->address, mailer);
	if (m->accepted >= most) {
		*text_r = arena_printf(m->arena, "%s may send to %llu recipients in one message; send the rest in "
				       "another", message_who(m), (unsigned long long)most);
		return "too-many-recipients";
	}
	return method_refuses(m, r, text_r);
}

static void
count_recipient(struct message *m, const struct recipient *r)
{
	m->accepted++;
	if (r->place == PLACE_INTERNAL)
		m->internal++;
	else if (r->place == PLACE_EXTERNAL)
		m->external++;
	else
		m->local++;
}

static void
append_recipient(struct message *m, struct recipient *r)
{
	if (m->last_recipient == NULL)
		m->recipients = r;
	else
		m->last_recipient->next = r;
	m->last_recipient = r;
}

/* How many accepted recipients stand in the trace: a long list does not help. */
#define TRACED_RECIPIENTS 20u
/* How many refused ones of a message are kept; more are only counted. */
#define KEPT_REFUSED 100u

/* What the admin's rules say of a recipient that all else allows. */
static struct decision
ask_rules(struct message *m, struct recipient *r, struct decision ok)
{
	struct decision d = ok;

	if (m->picked_up)
		return ok; /* the whole message is decided at its end */
	rules_recipient(m, r, &d);
	if (d.verdict == VERDICT_ACCEPT)
		return ok;
	r->reason = d.reason;
	if (m->mode == MODE_MONITOR) {
		message_refuse_with(m, d);
		return ok;
	}
	message_take_back(m, r, d.reason);
	m->refused++;
	return d;
}

struct decision
decide_recipient(struct message *m, const char *typed, const char *macro, const char *mailer)
{
	static const char *const places[] = {"internal", "external", "local"};
	struct decision ok = {.verdict = VERDICT_ACCEPT, .reason = "", .code = 250, .enhanced = "2.1.5", .text = ""};
	struct recipient *r = arena_alloc(m->arena, sizeof *r);
	const struct reason *why;
	const char *text = "", *keyword;

	if (r == NULL)
		return ok; /* the arena remembers; the session answers */
	r->typed = arena_string(m->arena, typed);
	r->address = (struct address){.local = "", .domain = "", .text = r->typed};
	r->place = PLACE_EXTERNAL;
	r->reason = "";
	keyword = objection(m, r, macro, mailer, &text);
	r->accepted = keyword == NULL || m->mode == MODE_MONITOR || m->picked_up;
	m->refused += !r->accepted;
	if (r->accepted || m->refused <= KEPT_REFUSED)
		append_recipient(m, r);
	if (r->accepted ? m->accepted < TRACED_RECIPIENTS : m->refused <= TRACED_RECIPIENTS)
		trace_add(&m->trace, "rcpt", "recipient-reached", keyword == NULL ? ANSWER_YES : ANSWER_NO, "%s: %s",
			  r->address.text, keyword == NULL ? places[r->place] : keyword);
	if (r->accepted)
		count_recipient(m, r);
	if (keyword == NULL)
		return ask_rules(m, r, ok);
	r->reason = keyword;
	if (m->picked_up || m->mode == MODE_MONITOR) {
		message_refuse(m, keyword, "%s", text);
		return ok;
	}
	why = reason_find(keyword);
	return (struct decision){.verdict = why->verdict, .reason = keyword, .code = why->code,
				 .enhanced = why->enhanced, .text = text};
}

/* Checks of form that concern no identity. */
static void
check_header_form(struct message *m)
{
	const char *name;

	if (m->header.largest > FIELD_MAX || m->header.octets > HEADER_MAX || m->header.count > FIELDS_MAX) {
		trace_add(&m->trace, "header", "header-size", ANSWER_NO, "%zu fields, %zu octets, largest %zu",
			  m->header.count, m->header.octets, m->header.largest);
		message_refuse(m, "header-too-large", "the header has %zu fields and %zu octets, the largest field %zu; "
			       "at most %u, %u and %u can be passed on unharmed", m->header.count, m->header.octets,
			       m->header.largest, FIELDS_MAX, HEADER_MAX, FIELD_MAX);
	}
	if ((name = header_broken(&m->header)) != NULL)
		message_refuse(m, "header-malformed", "the field %s is broken: a name or a line end in it is not "
			       "what a header field may hold", printable(m->arena, name));
	if ((name = header_repeated(&m->header)) != NULL) {
		trace_add(&m->trace, "header", "fields-single", ANSWER_NO, "%s", name);
		message_refuse(m, "header-repeated", "the field %s stands more than once; it may stand once",
			       printable(m->arena, name));
	}
	if (strcmp(header_media_type(&m->header, m->arena), "message/partial") == 0)
		message_refuse(m, "message-partial", "the message is a fragment (message/partial); send it whole");
}

/* Whether and with which keys the message is to be signed. */
static void
choose_keys(struct message *m)
{
	enum sign_wish wish = m->app == NULL ? SIGN_DEFAULT : m->app->sign;

	if (!m->has_from || wish == SIGN_NEVER) {
		trace_add(&m->trace, "header", "sign", ANSWER_NO, "%s",
			  m->has_from ? "the app says never" : "no From to sign for");
		return;
	}
	m->signing = m->from.address.is_literal ? NULL : policy_signing(m->policy, m->from.address.domain);
	m->sign_required_in_words = wish == SIGN_REQUIRED;
	m->sign_required = wish == SIGN_REQUIRED || (wish == SIGN_DEFAULT && m->signing != NULL);
	m->sign = m->signing != NULL;
	trace_add(&m->trace, "header", "sign", m->sign ? ANSWER_YES : ANSWER_NO, "%s%s",
		  m->sign ? "d=" : "no key for ", m->sign ? m->signing->domain : m->from.address.domain);
	if (!m->sign && m->sign_required)
		message_refuse(m, "signing-unavailable", "mail of %s must be signed, and there is no key for %s",
			       message_who(m), m->from.address.domain);
}

void
decide_header(struct message *m)
{
	alignment_check_header(m);
	check_header_form(m);
	choose_keys(m);
	rules_header(m);
}

static void
check_lines(struct message *m)
{
	size_t longest = m->body.longest_line;

	if (longest < m->header.longest_signed_line)
		longest = m->header.longest_signed_line;
	if (!m->sign || longest <= LINE_MAX_OCTETS)
		return;
	trace_add(&m->trace, "body", "lines-fit", ANSWER_NO, "%zu octets", longest);
	m->sign = false;
	if (m->sign_required_in_words)
		message_refuse(m, "line-too-long", "a line has %zu octets; beyond %u the next hop rewraps it, which "
			       "would break the signature that is required", longest, LINE_MAX_OCTETS);
}

void
decide_body(struct message *m)
{
	uint64_t size = m->header.octets + m->body.octets;
	uint64_t most = m->app == NULL ? 0 : m->app->max_size;
	static const char *const body_form[] = {"body-malformed"};

	(void)message_refuse_recorded(m, body_form, 1);
	if (m->body.has_nul || m->body.has_bare_line_end) {
		trace_add(&m->trace, "body", "body-well-formed", ANSWER_NO, "%s",
			  m->body.has_nul ? "NUL octets" : "bare line ends");
		message_refuse(m, "body-malformed", "the body holds %s, which the next hop changes or refuses",
			       m->body.has_nul ? "NUL octets" : "line ends that are not CRLF");
	}
	if (most != 0 && size > most) {
		trace_add(&m->trace, "body", "size", ANSWER_NO, "%llu octets", (unsigned long long)size);
		message_refuse(m, "message-too-large", "the message has %llu octets; %s may send %llu",
			       (unsigned long long)size, message_who(m), (unsigned long long)most);
	}
	check_lines(m);
	rules_decide(m);
}
