/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a session does to the message that goes out: signatures, tags, fields
 * taken out.
 */
#include <string.h>

#include "gate/session-private.h"
#include "gate/strip.h"

/* A field of the app's that does not go out: trusted further on, or a name that
 * only our rules may use. */
static bool
goes_out(const struct session *s, const struct header_field *f)
{
	return !strip_wants(f, s->relay) && !policy_is_tag(s->message.policy, f->name);
}

static void
start_signing(struct session *s)
{
	struct message *m = &s->message;
	const struct signing *g = m->signing;
	size_t n = g->n_keys < KEYS_MAX ? g->n_keys : KEYS_MAX;
	int64_t now = s->gate->clock->wall_ms(s->gate->clock->context) / 1000;

	s->sign = s->gate->signer->begin(s->gate->signer->context, &s->snapshot->key[g->first_key], n, s->id.s, now);
	if (s->sign == NULL)
		return;
	for (const struct header_field *f = m->header.first; f != NULL; f = f->next)
		if (goes_out(s, f))
			s->gate->signer->header(s->sign, f->name, f->value);
	for (const struct tag *t = m->tags; t != NULL; t = t->next)
		s->gate->signer->added(s->sign, t->name, t->value);
	s->gate->signer->eoh(s->sign);
}

/* Signs while the body streams, or where a tag may still come keeps the body
 * until its end. */
void
signing_prepare(struct session *s)
{
	if (!rules_tag_later(&s->message)) {
		rules_tag(&s->message);
		start_signing(s);
		return;
	}
	s->spool = spool_new();
}

/* One valid RSA signature satisfies "required"; with no RSA key, any does. */
static bool
signed_well(const struct session *s)
{
	bool any = false, rsa = false, has_rsa = false;

	for (size_t i = 0; i < s->n_signatures; i++) {
		bool is_rsa = s->signatures[i].key->algorithm == KEY_RSA_SHA256;

		any |= s->signatures[i].value != NULL;
		rsa |= is_rsa && s->signatures[i].value != NULL;
		has_rsa |= is_rsa;
	}
	return has_rsa ? rsa : any;
}

static void
sign_body(void *context, const void *data, size_t len)
{
	struct session *s = context;

	s->gate->signer->body(s->sign, data, len);
}

/* Signs the kept body now that the tags are known. */
static void
sign_spooled(struct session *s, const char **why_r)
{
	start_signing(s);
	if (s->sign != NULL && spool_read(s->spool, sign_body, s, why_r) != 0)
		s->gate->signer->free(&s->sign);
	spool_free(&s->spool); /* a connection may be idle for hours */
}

void
signing_finish(struct session *s)
{
	struct message *m = &s->message;
	const char *why = "the signer could not start";

	if (m->signing == NULL || m->app == NULL || m->app->sign == SIGN_NEVER) {
		s->signing = m->signing == NULL ? "no-key" : "not-signed";
		return;
	}
	if (!m->sign) {
		s->signing = "line-too-long";
		return;
	}
	if (s->spool != NULL)
		sign_spooled(s, &why);
	if (s->sign != NULL) {
		s->n_signatures = m->signing->n_keys < KEYS_MAX ? m->signing->n_keys : KEYS_MAX;
		s->gate->signer->end(s->sign, s->arena, s->signatures);
		for (size_t i = 0; i < s->n_signatures; i++)
			if (s->signatures[i].value == NULL)
				why = s->signatures[i].error;
	}
	s->signing = s->n_signatures > 0 && signed_well(s) ? "signed" : "unavailable";
	trace_add(&m->trace, "end", "signed", strcmp(s->signing, "signed") == 0 ? ANSWER_YES : ANSWER_NO,
		  "d=%s", m->signing->domain);
	if (strcmp(s->signing, "signed") == 0)
		return;
	s->gate->log(s->gate->log_context, true,
		     arena_printf(s->arena, "%s cannot sign for %s: %s", s->id.s, m->signing->domain, why));
	if (m->sign_required)
		message_refuse(m, "signing-unavailable", "the key for %s cannot be used; nothing leaves unsigned",
			       m->signing->domain);
}

static void
add_edit(struct session *s, const struct edit ***tail, bool insert, const char *name, size_t index, const char *value)
{
	struct edit *e = arena_alloc(s->arena, sizeof *e);

	if (e == NULL)
		return;
	*e = (struct edit){.insert = insert, .name = name, .index = index, .value = value};
	**tail = e;
	*tail = &e->next;
}

/* The last tag first: each goes on top of the others, so that they stand as they
 * were signed, which matters where two have one name. Returns the new tail. */
static const struct edit **
add_tags(struct session *s, const struct edit **tail)
{
	const struct edit **end = tail;

	for (const struct tag *t = s->message.tags; t != NULL; t = t->next) {
		struct edit *e = arena_alloc(s->arena, sizeof *e);

		if (e == NULL)
			break;
		*e = (struct edit){.insert = true, .name = t->name, .index = 1, .value = t->value, .next = *tail};
		if (*tail == NULL)
			end = &e->next;
		*tail = e;
	}
	return end;
}

/* Deletions from the last field up, so that no index moves; then our own
 * fields, the signatures on top. */
const struct edit *
signing_edits(struct session *s)
{
	const struct edit *first = NULL, **tail = &first;

	for (const struct header_field *f = s->message.header.first; f != NULL; f = f->next) {
		struct edit *e;

		if (goes_out(s, f) || (e = arena_alloc(s->arena, sizeof *e)) == NULL)
			continue;
		*e = (struct edit){.name = f->name, .index = f->index, .value = "", .next = first};
		if (first == NULL)
			tail = &e->next;
		first = e;
	}
	tail = add_tags(s, tail);
	add_edit(s, &tail, true, "X-Postern-Id", 1, s->id.s);
	for (size_t i = 0; i < s->n_signatures; i++)
		if (s->signatures[i].value != NULL)
			add_edit(s, &tail, true, "DKIM-Signature", 1, s->signatures[i].value);
	return first;
}

void
signing_count_stripped(struct session *s)
{
	for (const struct header_field *f = s->message.header.first; f != NULL; f = f->next)
		if (!goes_out(s, f))
			s->stripped++;
	if (s->stripped > 0)
		trace_add(&s->message.trace, "end", "stripped", ANSWER_NOTE, "%lld trusted fields",
			  (long long)s->stripped);
}
