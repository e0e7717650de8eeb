/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See replay.h. Follows gate/session step by step: what a session learns from
 * the MTA comes from the row here.
 */
#include "gate/replay.h"

#include <stdlib.h>
#include <string.h>

#include "gate/day.h"
#include "policy/decide.h"

/* A subject of this length may have been cut. */
#define SUBJECT_KEPT 508u
#define CONDITION_US 1000000
/* Policies of the past that are remembered at once. */
#define NOTES_MAX 64u

struct replay {
	const struct policy *policy;
	struct arena *arena;
	struct client client;
	struct message message;
	struct recorded recorded;
	struct regex_budget budget;
	struct store_reader *reader;
	struct arena *notes_arena;  /* what the notes point at */
	struct policy_note notes[NOTES_MAX];
	size_t n_notes;
	struct decision refused;    /* of the last recipient that was refused */
};

static int64_t
spent(void *context)
{
	(void)context;
	return 0; /* the limits of each pattern are bound enough for what the audit keeps */
}

struct replay *
replay_new(const struct policy *p, struct store_reader *reader)
{
	struct replay *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->policy = p;
	r->reader = reader;
	r->arena = arena_new(0);
	r->notes_arena = arena_new(0);
	r->budget = (struct regex_budget){.spent_us = spent, .limit_us = CONDITION_US};
	if (r->arena == NULL || r->notes_arena == NULL)
		replay_free(&r);
	return r;
}

void
replay_free(struct replay **r)
{
	if (*r == NULL)
		return;
	if ((*r)->arena != NULL)
		rules_free(&(*r)->message);
	arena_free(&(*r)->arena);
	arena_free(&(*r)->notes_arena);
	free(*r);
	*r = NULL;
}

/* Hashed ("#" and 16 digits) or dropped ("#") subjects are not what came. */
static bool
is_whole_subject(const char *s)
{
	size_t n = strlen(s);

	if (s[0] == '#' && (n == 1 || (n == 17 && strspn(s + 1, "0123456789abcdef") == 16)))
		return false;
	return n < SUBJECT_KEPT;
}

/* The rules of the policy with this digest. */
static const struct policy_note *
note_of(struct replay *r, const char *policy)
{
	const char *error;

	for (size_t i = 0; i < r->n_notes; i++)
		if (strcmp(r->notes[i].policy, policy) == 0)
			return &r->notes[i];
	if (r->reader == NULL)
		return NULL;
	if (r->n_notes == NOTES_MAX) {
		r->n_notes = 0;
		arena_reset(r->notes_arena);
	}
	if (store_reader_policy(r->reader, policy, r->notes_arena, &r->notes[r->n_notes], &error) != 0)
		return NULL;
	return &r->notes[r->n_notes++];
}

/* Whether the rules were asked at all: they are after all other checks but the
 * limits and the signing. */
static bool
came_to_rules(const struct record *record)
{
	static const char *const later[] = {"rule:", "limit:", "signing-unavailable", "cannot-decide"};

	if (strcmp(record->verdict, "reject") != 0 && strcmp(record->verdict, "defer") != 0)
		return true;
	for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
		if (strncmp(record->reason, later[i], strlen(later[i])) == 0)
			return true;
	return false;
}

/* Which rules were asked: all up to the one that ended the search. */
static void
set_asked(struct replay *r, const struct record *record)
{
	const struct policy_note *note = came_to_rules(record) ? note_of(r, record->policy) : NULL;
	const struct record_rule *end = record->n_rule == 0 ? NULL : &record->rule[record->n_rule - 1];

	r->recorded.matches = record->rule;
	r->recorded.n_matches = record->n_rule;
	r->recorded.asked = note == NULL ? NULL : note->rules;
	r->recorded.n_asked = note == NULL ? 0 : note->n_rules;
	if (end == NULL || strcmp(end->mode, "monitor") == 0 || strcmp(end->action, "tag") == 0)
		return;
	for (size_t i = 0; i < r->recorded.n_asked; i++)
		if (strcmp(r->recorded.asked[i].name, end->name) == 0)
			r->recorded.n_asked = i + 1;
}

static void
set_client(struct client *c, const char *address, const char *login, const char *tls, const char *subject,
	   const char *issuer)
{
	*c = (struct client){
		.name = "", .helo = "", .login = login, .tls = tls, .cert_subject = subject, .cert_issuer = issuer,
		.cert_fingerprint = "", .local = strcmp(address, "local") == 0,
	};
	if (!c->local && ip_parse(address, &c->ip) == 0)
		ip_format(&c->ip, c->address);
}

/* As far as MAIL. */
static void
start(struct replay *r, const char *sender, int64_t time)
{
	struct message *m = &r->message;

	rules_free(m);
	arena_reset(r->arena);
	message_start(m, r->arena, r->policy, &r->client);
	m->recorded = &r->recorded;
	m->budget = &r->budget;
	day_set(m, time);
	m->sender_typed = strchr(sender, '<') != NULL ? arena_string(r->arena, sender)
						      : arena_printf(r->arena, "<%s>", sender);
	m->picked_up = r->client.local;
	r->refused = m->decision;
	decide_mail(m);
}

/* Whether a limit stands in the way already, as session_mail() and
 * session_rcpt() ask it. */
static bool
is_over(struct message *m, struct rehearsal *limits, const struct recipient *only, int64_t time,
	struct decision *d_r)
{
	if (limits == NULL || m->mode == MODE_MONITOR || m->app == NULL)
		return false;
	limit_collect(m, only);
	rehearsal_weigh(limits, m->charges, m->n_charges, time);
	return limit_is_reached(m, only != NULL, d_r);
}

static void
recipient(struct replay *r, const char *address, bool is_local, struct rehearsal *limits, int64_t time)
{
	struct message *m = &r->message;
	const char *typed = strchr(address, '<') != NULL ? address : arena_printf(r->arena, "<%s>", address);
	struct decision d = decide_recipient(m, typed, NULL, is_local ? "local" : "");

	if (d.verdict == VERDICT_ACCEPT && !m->picked_up && is_over(m, limits, m->last_recipient, time, &d))
		message_take_back(m, m->last_recipient, d.reason);
	if (d.verdict >= VERDICT_DEFER)
		r->refused = d;
}

/* The header as far as the audit keeps it. */
static void
header(struct replay *r, const struct record *record)
{
	struct message *m = &r->message;

	if (record->header_from[0] != '\0')
		header_add(&m->header, "From", arena_printf(r->arena, " <%s>", record->header_from), true);
	if (record->header_sender[0] != '\0')
		header_add(&m->header, "Sender", arena_printf(r->arena, " <%s>", record->header_sender), true);
	if (record->subject[0] != '\0' && r->recorded.has_subject)
		header_add(&m->header, "Subject", arena_printf(r->arena, " %s", record->subject), true);
	m->header.longest_signed_line = 0;
	decide_header(m);
}

static void
body(struct replay *r, const struct record *record)
{
	struct message *m = &r->message;
	uint64_t size = record->size < 0 ? 0 : (uint64_t)record->size;

	/* The sum is what counts: limits and rules know no other size. */
	m->header.octets = 0;
	m->body.octets = size;
	m->body.longest_line = strcmp(record->signing, "line-too-long") == 0 ||
			       strcmp(record->reason, "line-too-long") == 0 ||
			       strcmp(record->would_reason, "line-too-long") == 0 ? 1000 : 0;
	decide_body(m);
	if (m->sign && m->sign_required && strcmp(record->signing, "unavailable") == 0 && !message_is_refused(m))
		message_refuse(m, "signing-unavailable", "the key for %s could not be used then", m->signing->domain);
}

/* 0, or -1 when memory is short. */
static int
limits_at_end(struct replay *r, struct rehearsal *limits, int64_t time)
{
	struct message *m = &r->message;
	struct decision over;
	int charged;

	if (limits == NULL || m->undecidable != NULL)
		return 0;
	if (is_over(m, limits, NULL, time, &over)) {
		limit_decide(m);
		return 0;
	}
	limit_collect(m, NULL);
	charged = rehearsal_admit(limits, m->charges, m->n_charges, time);
	limit_decide(m);
	if (charged == 0 && m->decision.verdict == VERDICT_HOLD)
		return rehearsal_wait(limits, m->charges, m->n_charges, time);
	return charged < 0 ? -1 : 0;
}

static int
finish(struct replay *r, struct replayed *out)
{
	struct message *m = &r->message;
	bool nobody = m->accepted == 0 && !message_is_refused(m);

	*out = (struct replayed){
		.decision = nobody ? &r->refused : &m->decision, .would = nobody ? &r->refused : &m->would,
		.message = m,
	};
	if (m->undecidable != NULL)
		out->undecidable = arena_printf(r->arena, "rule %s asks for what the audit does not keep",
						m->undecidable->name);
	return arena_failed(r->arena) ? -1 : 0;
}

int
replay_message(struct replay *r, const struct record *record, struct rehearsal *limits, struct replayed *out)
{
	struct message *m = &r->message;
	struct decision over;

	set_client(&r->client, record->picked_up ? "local" : record->client, record->login, record->tls,
		   record->certificate, record->certificate_issuer);
	r->recorded = (struct recorded){
		.form = record->form, .has_subject = is_whole_subject(record->subject),
	};
	set_asked(r, record);
	start(r, record->sender, record->time);
	if (!m->picked_up && !message_is_refused(m) && is_over(m, limits, NULL, record->time, &over))
		limit_decide(m);
	if (!m->picked_up && message_is_refused(m))
		return finish(r, out);
	for (size_t i = 0; i < record->n_rcpt; i++)
		recipient(r, record->rcpt[i].address, strcmp(record->rcpt[i].place, "local") == 0, limits, record->time);
	if (m->accepted == 0)
		return finish(r, out);
	header(r, record);
	if (!message_is_refused(m))
		body(r, record);
	if (!message_is_refused(m) && limits_at_end(r, limits, record->time) != 0)
		return -1;
	return finish(r, out);
}

int
replay_refusal(struct replay *r, const struct refusal *f, struct replayed *out)
{
	struct message *m = &r->message;
	int rc;

	set_client(&r->client, f->client, f->login, f->tls, f->certificate, f->certificate_issuer);
	r->recorded = (struct recorded){.form = ""};
	start(r, f->sender, f->time);
	if (!message_is_refused(m) && f->recipient[0] != '\0')
		recipient(r, f->recipient, false, NULL, f->time);
	rc = finish(r, out);
	if (out->undecidable == NULL && out->decision->verdict < VERDICT_DEFER)
		out->undecidable = "it would pass where it was refused, and what came after is not known";
	return rc;
}
