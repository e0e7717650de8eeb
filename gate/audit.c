/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See audit.h.
 */
#include "gate/audit.h"

#include <string.h>

#include "base/printable.h"
#include "base/text.h"

/* How much of a subject is kept, in octets; cut between characters. */
#define SUBJECT_MAX 512u

static const char *
cut_utf8(struct arena *a, const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n <= max)
		return s;
	n = max;
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return arena_substring(a, s, n);
}

/* FNV-1a, 64 bits: equal subjects can be told to be equal, no more. */
static const char *
hash_subject(struct arena *a, const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return arena_printf(a, "#%016llx", (unsigned long long)h);
}

static const char *
unfolded(const struct message *m, const char *name)
{
	const struct header_field *f = header_find(&m->header, name);

	return f == NULL ? "" : cut_utf8(m->arena, header_unfold(m->arena, f->value), SUBJECT_MAX);
}

static const char *
kept_subject(const struct message *m)
{
	const char *s;

	if (m->policy->subjects == SUBJECTS_DROP)
		return "#"; /* there may have been one */
	s = unfolded(m, "Subject");
	if (s[0] == '\0' || m->policy->subjects == SUBJECTS_KEEP)
		return s;
	return hash_subject(m->arena, s);
}

static void
fill_who(struct record *r, const struct message *m)
{
	const struct client *c = m->client;

	r->app = m->app == NULL ? "" : m->app->name;
	r->tenant = m->tenant == NULL ? "" : m->tenant->name;
	r->method = m->app == NULL ? "" : method_facts(m->app->method)->name;
	r->department = m->app == NULL ? "" : m->app->department;
	r->client = c->address;
	r->client_name = c->name;
	r->helo = c->helo;
	r->login = c->login;
	r->tls = c->tls;
	r->certificate = c->cert_subject;
	r->certificate_issuer = c->cert_issuer;
	r->picked_up = m->picked_up;
	r->policy = m->policy->digest;
}

static void
fill_message(struct record *r, const struct message *m)
{
	r->sender = m->sender.text[0] == '\0' && !m->sender.is_null
		    ? printable(m->arena, m->sender_typed) : m->sender.text;
	r->sender_domain = m->sender.domain;
	r->header_from = m->from.address.text;
	r->header_from_domain = m->from.address.domain;
	r->header_sender = m->header_sender.address.text;
	r->subject = kept_subject(m);
	r->message_id = unfolded(m, "Message-ID");
	r->size = (int64_t)(m->header.octets + m->body.octets);
	r->recipients = (int64_t)m->accepted;
	r->internal = (int64_t)m->internal;
	r->external = (int64_t)m->external;
	r->local = (int64_t)m->local;
}

static void
fill_recipients(struct record *r, const struct message *m)
{
	static const char *const places[] = {"internal", "external", "local"};
	size_t n = 0;

	for (const struct recipient *p = m->recipients; p != NULL; p = p->next)
		n++;
	r->rcpt = arena_array(m->arena, n, sizeof *r->rcpt);
	for (const struct recipient *p = m->recipients; r->rcpt != NULL && p != NULL; p = p->next)
		r->rcpt[r->n_rcpt++] = (struct record_recipient){
			.address = p->address.text, .domain = p->address.domain,
			.place = places[p->place], .accepted = p->accepted, .reason = p->reason,
		};
}

static void
fill_signatures(struct record *r, const struct message *m, const struct audit_context *c)
{
	r->signature = arena_array(m->arena, c->n_signatures, sizeof *r->signature);
	for (size_t i = 0; r->signature != NULL && i < c->n_signatures; i++) {
		const struct signature *s = &c->signatures[i];

		r->signature[r->n_signature++] = (struct record_signature){
			.domain = s->key->domain, .selector = s->key->selector,
			.algorithm = key_algorithm_name(s->key->algorithm),
			.result = s->value != NULL ? "signed" : s->error,
		};
	}
}

static void
fill_rules(struct record *r, const struct message *m)
{
	size_t n = 0;

	for (const struct rule_match *x = m->rule_matches; x != NULL; x = x->next)
		n++;
	r->rule = n == 0 ? NULL : arena_array(m->arena, n, sizeof *r->rule);
	for (const struct rule_match *x = m->rule_matches; r->rule != NULL && x != NULL; x = x->next)
		r->rule[r->n_rule++] = (struct record_rule){
			.name = x->rule->name, .action = rule_action_name(x->rule->action),
			.mode = x->rule->is_on_trial ? "monitor" : "enforce",
			.answer = x->answer == FOUND_YES ? "yes" : "unknown", .decided = x->decided,
		};
}

/* All but recipients, signatures and trace. */
static void
fill_decision(struct record *r, const struct message *m, const struct audit_context *c)
{
	*r = (struct record){
		.id = c->id, .time = c->time, .relay = c->relay, .queue_id = c->queue_id, .stage = c->stage,
		.verdict = verdict_name(m->decision.verdict), .reason = m->decision.reason,
		.code = m->decision.code, .enhanced = m->decision.enhanced, .text = m->decision.text,
		.would = verdict_name(m->would.verdict), .would_reason = m->would.reason,
		.would_text = m->would.text, .mode = m->mode == MODE_MONITOR ? "monitor" : "enforce",
		.form = m->form,
		.signing = c->signing, .stripped = c->stripped, .decide_us = c->decide_us, .trace = "",
	};
	fill_who(r, m);
	fill_message(r, m);
}

void
audit_brief(struct record *r, const struct message *m, const struct audit_context *c, const char *recipient)
{
	fill_decision(r, m, c);
	if (recipient == NULL || (r->rcpt = arena_array(m->arena, 1, sizeof *r->rcpt)) == NULL)
		return;
	r->rcpt[0] = (struct record_recipient){.address = recipient, .domain = "", .place = "", .reason = ""};
	r->n_rcpt = 1;
}

void
audit_record(struct record *r, const struct message *m, const struct audit_context *c)
{
	struct text trace = {0};

	fill_decision(r, m, c);
	fill_recipients(r, m);
	fill_signatures(r, m, c);
	fill_rules(r, m);
	trace_write(&m->trace, &trace);
	r->trace = arena_string(m->arena, text_string(&trace));
	text_free(&trace);
}

void
audit_refusal(struct refusal *r, const struct message *m, const struct decision *d,
	      const struct audit_context *c, const char *recipient)
{
	*r = (struct refusal){
		.id = c->id, .time = c->time, .stage = c->stage, .verdict = verdict_name(d->verdict),
		.reason = d->reason, .code = d->code, .enhanced = d->enhanced, .text = d->text,
		.app = m->app == NULL ? "" : m->app->name,
		.tenant = m->tenant == NULL ? "" : m->tenant->name,
		.method = m->app == NULL ? "" : method_facts(m->app->method)->name,
		.client = m->client->local ? "local" : m->client->address, .login = m->client->login,
		.tls = m->client->tls, .certificate = m->client->cert_subject,
		.certificate_issuer = m->client->cert_issuer,
		.sender = m->sender.text[0] == '\0' && !m->sender.is_null
			  ? printable(m->arena, m->sender_typed) : m->sender.text,
		.header_from = m->from.address.text,
		.recipient = recipient == NULL ? "" : recipient, .queue_id = c->queue_id,
		.policy = m->policy->digest, .department = m->app == NULL ? "" : m->app->department,
	};
}
