/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See session.h.
 */
#include "gate/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crash.h"
#include "base/printable.h"
#include "gate/audit.h"
#include "gate/day.h"
#include "gate/log.h"
#include "gate/session-private.h"
#include "policy/decide.h"
#include "policy/method.h"

/* Most of a session's memory for one message: header, recipients, texts. */
#define MESSAGE_MEMORY (64u << 20)
#define CONNECTION_MEMORY (256u << 10)
#define REPLY_MAX 440u
/* CPU time that the rules of one message may cost; a pattern that is not done by
 * then is unknown. */
#define RULES_US 2000000

static const char *
known(struct arena *a, const char *s)
{
	return s == NULL ? "" : arena_string(a, s);
}

/* Ends the message, if there is one. May be called at any time. */
static void
end_message(struct session *s)
{
	if (s->tries)
		pauses_done(s->gate->pauses, &s->id, s->gate->clock->wall_ms(s->gate->clock->context), s->went);
	s->tries = s->went = false;
	if (s->sign != NULL)
		s->gate->signer->free(&s->sign);
	spool_free(&s->spool);
	rules_free(&s->message);
	snapshot_unref(&s->snapshot);
	arena_reset(s->arena);
	s->state = STATE_IDLE;
	s->n_signatures = 0;
	s->signing = "";
	s->stripped = 0;
	s->spent_us = s->sign_us = 0;
	s->after_cr = false;
	s->line = 0;
	s->queue_id = "";
	s->refused_recipient.verdict = VERDICT_ACCEPT;
	s->id.s[0] = '\0';
}

struct session *
session_new(const struct gate *g, const struct session_connect *c)
{
	struct session *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->gate = g;
	s->connection = arena_new(CONNECTION_MEMORY);
	s->arena = arena_new(MESSAGE_MEMORY);
	if (s->connection == NULL || s->arena == NULL) {
		session_free(&s);
		return NULL;
	}
	s->client = (struct client){
		.ip = c->ip, .name = known(s->connection, c->name), .helo = "", .login = "", .tls = "",
		.cert_subject = "", .cert_issuer = "", .cert_fingerprint = "",
	};
	ip_format(&c->ip, s->client.address);
	s->relay = c->relay == NULL ? g->relay : arena_string(s->connection, c->relay);
	end_message(s);
	return s;
}

void
session_free(struct session **s)
{
	if (*s == NULL)
		return;
	if ((*s)->arena != NULL)
		end_message(*s);
	arena_free(&(*s)->arena);
	arena_free(&(*s)->connection);
	free(*s);
	*s = NULL;
}

void
session_abort(struct session *s)
{
	end_message(s);
}

void
session_helo(struct session *s, const char *name)
{
	if (!text_same(s->client.helo, name))
		s->client.helo = arena_string(s->connection, name);
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* CPU time of this thread. */
static int64_t
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* What the message has cost so far; calls may come on different threads. */
static int64_t
spent_cpu(void *context)
{
	const struct session *s = context;

	return s->cpu_spent + cpu_us() - s->cpu_began;
}

/* Around what may run rules. */
static void
begin_rules(struct session *s)
{
	if (s->message.policy->n_rules > 0)
		s->cpu_began = cpu_us();
}

static void
end_rules(struct session *s)
{
	if (s->message.policy->n_rules > 0)
		s->cpu_spent += cpu_us() - s->cpu_began;
}

static struct audit_context
context(const struct session *s, const char *stage)
{
	return (struct audit_context){
		.id = s->id.s, .relay = s->gate->relay, .queue_id = s->queue_id, .stage = stage,
		.time = s->gate->clock->wall_ms(s->gate->clock->context), .decide_us = s->spent_us,
		.signing = s->signing, .stripped = s->stripped,
		.signatures = s->signatures, .n_signatures = s->n_signatures,
	};
}

static void
log_record(const struct session *s, const struct record *r)
{
	struct text line = {0};

	log_decision(r, &line);
	s->gate->log(s->gate->log_context, false, text_string(&line));
	text_free(&line);
}

static const struct reply *
go_on(struct session *s)
{
	s->reply = (struct reply){.action = ACTION_CONTINUE, .code = 250, .enhanced = "2.0.0", .text = ""};
	return &s->reply;
}

/* Postern itself failed; `why` is a static text for the log. */
static const struct reply *
fail(struct session *s, const char *why)
{
	char line[400];

	snprintf(line, sizeof line, "%s%sverdict=defer reason=cannot-decide text=\"%s\"", s->id.s,
		 s->id.s[0] == '\0' ? "" : " ", why);
	s->gate->log(s->gate->log_context, true, line);
	snprintf(s->failure, sizeof s->failure, "[cannot-decide] the mail gate itself failed; try again later%s%s%s",
		 s->id.s[0] == '\0' ? "" : " (id ", s->id.s, s->id.s[0] == '\0' ? "" : ")");
	s->reply = (struct reply){.action = ACTION_REFUSE, .code = 451, .enhanced = "4.3.0", .text = s->failure};
	return &s->reply;
}

/* The reply for a decision: "[keyword] text (id ID)". */
static const struct reply *
refuse(struct session *s, const struct decision *d, const char *id)
{
	const char *text = arena_substring(s->arena, d->text, strnlen(d->text, REPLY_MAX));

	s->reply = (struct reply){
		.action = ACTION_REFUSE, .code = d->code, .enhanced = d->enhanced,
		.text = arena_printf(s->arena, "[%s] %s (id %s)", d->reason, text, id),
	};
	if (arena_failed(s->arena))
		s->reply = (struct reply){.action = ACTION_REFUSE, .code = d->code, .enhanced = d->enhanced,
					  .text = "[refused] the mail gate refused this, and was short of memory"};
	return &s->reply;
}

/* Counts, logs and answers a refusal of the message or of one recipient. */
static const struct reply *
refused(struct session *s, const struct decision *d, const char *stage, const char *recipient)
{
	struct audit_context c = context(s, stage);
	struct refusal r;
	struct id id = s->id;
	bool is_new = false, keep;

	audit_refusal(&r, &s->message, d, &c, recipient);
	if (s->gate->store != NULL)
		id = store_refuse(s->gate->store, &r, &is_new);
	if (s->gate->store != NULL && strncmp(d->reason, "limit:", 6) == 0)
		store_reached(s->gate->store, s->message.charges, s->message.n_charges, id.s, r.app, r.tenant);
	keep = is_new && strcmp(stage, "eom") == 0;
	if (keep)
		audit_record(&s->record, &s->message, &c);
	else
		audit_brief(&s->record, &s->message, &c, recipient);
	s->record.id = id.s;
	s->record.verdict = s->record.would = verdict_name(d->verdict);
	s->record.reason = s->record.would_reason = d->reason;
	s->record.text = s->record.would_text = d->text;
	s->record.code = d->code;
	s->record.enhanced = d->enhanced;
	if (keep)
		store_record(s->gate->store, &s->record);
	log_record(s, &s->record);
	return refuse(s, d, id.s);
}

static void
unpack_mail(struct session *s, const struct session_mail *mail)
{
	struct client *c = &s->client;
	struct arena *a = s->arena;

	c->login = known(a, mail->login);
	c->tls = known(a, mail->tls);
	c->cert_subject = known(a, mail->cert_subject);
	c->cert_issuer = known(a, mail->cert_issuer);
	c->cert_fingerprint = known(a, mail->cert_fingerprint);
	c->local = mail->picked_up;
	s->message.sender_typed = known(a, mail->sender);
	s->message.sender_macro = mail->understood == NULL ? NULL : arena_string(a, mail->understood);
	s->queue_id = known(a, mail->queue_id);
}

static void
start_message(struct session *s, const struct session_mail *mail)
{
	const struct clock *clock = s->gate->clock;
	uint8_t chance[ID_RANDOM_OCTETS];

	end_message(s);
	s->snapshot = snapshot_current(s->gate->snapshots);
	clock->random(clock->context, chance, sizeof chance);
	s->id = id_make(clock->wall_ms(clock->context), chance);
	s->client.local = mail->picked_up;
	message_start(&s->message, s->arena, s->snapshot->policy, &s->client);
	s->budget = (struct regex_budget){.spent_us = spent_cpu, .context = s, .limit_us = RULES_US};
	s->cpu_spent = 0;
	s->message.budget = &s->budget;
	day_set(&s->message, clock->wall_ms(clock->context));
	unpack_mail(s, mail);
	s->state = STATE_MAIL;
}

/* Weighs the message's charges without charging. false where there is nothing to
 * weigh them by. */
static bool
weigh(struct session *s)
{
	struct message *m = &s->message;
	const char *error = "";

	if (s->gate->store != NULL) {
		store_peek(s->gate->store, m->charges, m->n_charges);
		return true;
	}
	if (s->gate->reader == NULL)
		return false;
	if (store_reader_peek(s->gate->reader, s->gate->clock, m->charges, m->n_charges, &error) == 0)
		return true;
	s->gate->log(s->gate->log_context, true, error);
	return false;
}

/* Whether a limit that does not hold or observe is already reached, as far as
 * memory knows; then *d_r is the decision. */
static bool
already_over(struct session *s, const struct recipient *only, struct decision *d_r)
{
	struct message *m = &s->message;

	if (m->mode == MODE_MONITOR || m->app == NULL)
		return false;
	limit_collect(m, only);
	if (!weigh(s))
		return false;
	return limit_is_reached(m, only != NULL, d_r);
}

/* The text for mail that is to wait. */
static void
refuse_paused(struct message *m, const struct pauses_answer *a, bool is_over, struct decision *d_r)
{
	const struct reason *why = reason_find("upstream-paused");
	char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];

	clock_write(a->since, since);
	clock_write(a->until, until);
	*d_r = (struct decision){
		.verdict = why->verdict, .reason = why->keyword, .code = why->code, .enhanced = why->enhanced,
		.text = arena_printf(m->arena, "mail of %s%s is paused since %s: %s; %s%s. Exchange Online said: %.160s",
				     m->tenant->name, a->external_only ? " to the outside" : "", since, a->keyword,
				     is_over ? "one message tries whether it goes again" : "it is tried again at ",
				     is_over ? "" : until, printable(m->arena, a->reply)),
	};
	trace_add(&m->trace, "rcpt", "upstream-open", ANSWER_NO, "%s since %s", a->keyword, since);
}

/* Whether Exchange Online has stopped such mail, to this recipient; then *d_r is the decision. */
static bool
is_paused(struct session *s, const struct recipient *r, struct decision *d_r)
{
	struct message *m = &s->message;
	const bool is_monitored = m->mode == MODE_MONITOR;
	const struct pauses_mail mail = {
		.tenant = m->tenant == NULL ? "" : m->tenant->name, .sender = m->sender.text,
		.is_external = r->place == PLACE_EXTERNAL, .id = is_monitored ? NULL : &s->id,
	};
	int64_t now = s->gate->clock->wall_ms(s->gate->clock->context);
	struct pauses_answer a;
	struct decision d;

	if (s->gate->pauses == NULL || m->app == NULL || m->tenant == NULL || !m->tenant->upstream_pause ||
	    r->place == PLACE_LOCAL || !method_facts(m->app->method)->by_next_hop)
		return false;
	if (!pauses_hold(s->gate->pauses, &mail, now, &a)) {
		if (a.is_try && !s->tries)
			trace_add(&m->trace, "rcpt", "upstream-open", ANSWER_NOTE, "tries whether it goes again: %s", a.keyword);
		s->tries |= a.is_try && !is_monitored;
		return false;
	}
	refuse_paused(m, &a, now >= a.until, &d);
	if (is_monitored)
		message_refuse_with(m, d);
	else
		*d_r = d;
	return !is_monitored;
}

/* Where no single recipient can be refused: the first of them that is to wait stops the message. */
static void
pause_picked_up(struct session *s)
{
	struct message *m = &s->message;
	struct decision d;

	for (struct recipient *r = m->recipients; m->picked_up && r != NULL && !message_is_refused(m); r = r->next)
		if (r->accepted && is_paused(s, r, &d))
			message_refuse_with(m, d);
}

const struct reply *
session_mail(struct session *s, const struct session_mail *mail)
{
	struct message *m = &s->message;
	int64_t began = now_us();
	struct decision over;

	start_message(s, mail);
	decide_mail(m);
	if (!m->picked_up && !message_is_refused(m) && already_over(s, NULL, &over))
		limit_decide(m);
	s->spent_us += now_us() - began;
	if (arena_failed(s->arena))
		return fail(s, "out of memory at MAIL");
	if (m->picked_up || !message_is_refused(m))
		return go_on(s);
	s->state = STATE_DONE;
	return refused(s, &m->decision, "mail", NULL);
}

/* A path without its angle brackets, for people. */
static const char *
shown_path(struct arena *a, const char *path)
{
	size_t n = strlen(path);

	if (n > 2 && path[0] == '<' && path[n - 1] == '>')
		path = arena_substring(a, path + 1, n - 2);
	return printable(a, path);
}

const struct reply *
session_rcpt(struct session *s, const char *recipient, const char *understood,
	     const char *mailer, const char *queue_id)
{
	struct message *m = &s->message;
	int64_t began = now_us();
	struct decision d;

	if (s->state != STATE_MAIL)
		return fail(s, "RCPT out of order");
	if (queue_id != NULL && s->queue_id[0] == '\0')
		s->queue_id = arena_string(s->arena, queue_id);
	begin_rules(s);
	d = decide_recipient(m, recipient, understood, mailer == NULL ? "" : mailer);
	end_rules(s);
	if (arena_failed(s->arena))
		return fail(s, "out of memory at RCPT");
	if (d.verdict == VERDICT_ACCEPT && !m->picked_up &&
	    (is_paused(s, m->last_recipient, &d) || already_over(s, m->last_recipient, &d)))
		message_take_back(m, m->last_recipient, d.reason);
	s->spent_us += now_us() - began;
	if (d.verdict < VERDICT_DEFER)
		return go_on(s);
	s->refused_recipient = d;
	return refused(s, &d, "rcpt", shown_path(s->arena, recipient));
}

void
session_header(struct session *s, const char *name, const char *value)
{
	if (s->state == STATE_MAIL)
		header_add(&s->message.header, name, value, signer_covers(name));
}

void
session_eoh(struct session *s)
{
	int64_t began = now_us();

	if (s->state != STATE_MAIL)
		return;
	s->state = STATE_BODY;
	begin_rules(s);
	decide_header(&s->message);
	end_rules(s);
	if (s->message.sign && !message_is_refused(&s->message)) {
		int64_t signing = now_us();

		signing_prepare(s);
		s->sign_us += now_us() - signing;
	}
	s->spent_us += now_us() - began;
}

/* Notes what lines of the body are like; works over any chunk borders. */
static void
scan_body(struct session *s, const char *p, size_t len)
{
	struct body_facts *b = &s->message.body;
	const char *end = p + len;

	b->octets += len;
	if (!b->has_nul && memchr(p, '\0', len) != NULL)
		b->has_nul = true;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl == NULL ? end : nl;
		const char *cr = memchr(p, '\r', (size_t)(stop - p));
		bool cr_last = stop > p ? stop[-1] == '\r' : s->after_cr;

		if (s->after_cr && stop > p)
			b->has_bare_line_end = true;
		if (cr != NULL && cr + 1 < stop)
			b->has_bare_line_end = true;
		s->line += (size_t)(stop - p);
		s->after_cr = cr_last;
		if (nl == NULL)
			break;
		if (!cr_last)
			b->has_bare_line_end = true;
		s->line -= cr_last ? 1 : 0;
		if (s->line > b->longest_line)
			b->longest_line = s->line;
		s->line = 0;
		s->after_cr = false;
		p = nl + 1;
	}
	if (s->line > b->longest_line + 1)
		b->longest_line = s->line - 1; /* its last octet may be a CR */
}

static void
sign_body(struct session *s, const void *data, size_t len)
{
	int64_t began = now_us();

	s->gate->signer->body(s->sign, data, len);
	s->sign_us += now_us() - began;
}

bool
session_body(struct session *s, const void *data, size_t len)
{
	int64_t began = now_us();

	if (s->state == STATE_MAIL)
		session_eoh(s);
	if (s->state != STATE_BODY || len == 0)
		return s->state == STATE_BODY;
	if (message_is_refused(&s->message))
		return false;
	scan_body(s, data, len);
	if (rules_want_body(&s->message)) {
		begin_rules(s);
		rules_body(&s->message, data, len);
		end_rules(s);
	}
	if (s->spool != NULL)
		spool_add(s->spool, data, len);
	else if (s->sign != NULL)
		sign_body(s, data, len);
	s->spent_us += now_us() - began;
	return true;
}

/* Forgets what limits made of the message before. */
static void
decide_anew(struct session *s)
{
	struct message *m = &s->message;

	m->decision = s->before_limits.decision;
	m->would = s->before_limits.would;
	m->trace.last = s->before_limits.step;
	m->trace.last->next = NULL;
}

/* On the writer's thread, while session_eom() waits: the charges are weighed. */
static void
settle(struct admit *a, bool stopped)
{
	struct session *s = a->context;
	struct audit_context c = context(s, "eom");

	(void)stopped;
	decide_anew(s);
	if (a->is_share)
		trace_add(&s->message.trace, "end", "share", ANSWER_NOTE, "the database is away: held against this relay's "
			  "share of each limit");
	limit_decide(&s->message);
	a->held = s->message.decision.verdict == VERDICT_HOLD;
	audit_record(&s->record, &s->message, &c);
}

/* The reply for a message that is not refused. */
static void
take(struct session *s)
{
	const struct decision *d = &s->message.decision;

	s->reply = (struct reply){.action = ACTION_ACCEPT, .code = 250, .enhanced = "2.0.0", .text = ""};
	s->went = d->verdict == VERDICT_ACCEPT;
	if (d->verdict == VERDICT_HOLD) {
		s->reply.action = ACTION_HOLD;
		s->reply.text = arena_printf(s->arena, "[%s] %s (id %s)", d->reason, d->text, s->id.s);
	} else if (d->verdict == VERDICT_DISCARD) {
		s->reply.action = ACTION_DISCARD;
	}
}

static const struct reply *
admitted(struct session *s, const struct edit **edits_r)
{
	const struct decision *d = &s->message.decision;

	log_record(s, &s->record);
	if (d->verdict >= VERDICT_DEFER)
		return refuse(s, d, s->id.s);
	*edits_r = signing_edits(s);
	if (arena_failed(s->arena))
		return fail(s, "out of memory at the end of the message");
	take(s);
	return &s->reply;
}

/* Which option lets a message pass that could not be recorded; NULL: none. */
static const char *
passes_by(const struct message *m, bool is_away)
{
	if (is_away && m->policy->database_away != AWAY_ON_FAILURE)
		return m->policy->database_away == AWAY_ACCEPT ? "database-away: accept" : NULL;
	return (m->app == NULL ? m->policy->on_failure : m->app->on_failure) == ON_FAILURE_ACCEPT
	       ? "on-failure: accept" : NULL;
}

/* The log is all that will be known of the message. */
static void
log_unrecorded(struct session *s, const char *option)
{
	struct text line = {0};

	s->gate->log(s->gate->log_context, true, arena_printf(s->arena, "%s accepted unrecorded and uncharged (%s)",
							      s->id.s, option));
	log_record(s, &s->record);
	for (size_t next = 0; next < s->record.n_rcpt;) {
		log_recipients(&s->record, &next, &line);
		s->gate->log(s->gate->log_context, false, text_string(&line));
		text_clear(&line);
	}
	text_free(&line);
	store_unrecorded(s->gate->store);
}

/* The store could not be written: what the policy says of that becomes of the message,
 * which has passed every other check and is signed where it must be. */
static const struct reply *
not_recorded(struct session *s, const struct admit *a, const char *error, const struct edit **edits_r)
{
	const char *option = passes_by(&s->message, a->is_away);
	struct audit_context c = context(s, "eom");

	if (option == NULL)
		return fail(s, error);
	decide_anew(s); /* the limits may have been weighed before it failed */
	audit_record(&s->record, &s->message, &c);
	*edits_r = signing_edits(s);
	if (arena_failed(s->arena))
		return fail(s, "out of memory at the end of the message");
	log_unrecorded(s, option);
	take(s);
	return &s->reply;
}

static const struct reply *
admit(struct session *s, const struct edit **edits_r)
{
	struct message *m = &s->message;
	struct admit a = {.record = &s->record, .settle = settle, .context = s};
	const char *error = "";

	limit_collect(m, NULL);
	for (size_t i = 0; i < m->n_charges && i < 12; i++)
		if (!m->charges[i].tally)
			trace_add(&m->trace, "end", "charged", ANSWER_NOTE, "%s %llu", m->charges[i].name,
				  (unsigned long long)m->charges[i].amount);
	if (arena_failed(s->arena))
		return fail(s, "out of memory at the end of the message");
	a.charges = m->charges;
	a.n_charges = m->n_charges;
	s->before_limits.decision = m->decision;
	s->before_limits.would = m->would;
	s->before_limits.step = m->trace.last;
	if (s->gate->store == NULL) {
		(void)weigh(s);
		settle(&a, false);
	} else {
		struct audit_context c = context(s, "eom");

		audit_record(&s->record, m, &c);
		if (store_admit(s->gate->store, &a, &error) != 0)
			return not_recorded(s, &a, error, edits_r);
	}
	CRASH_POINT("eom-before-reply");
	return admitted(s, edits_r);
}

static void
finish_signing(struct session *s)
{
	int64_t began = now_us();

	signing_finish(s);
	s->sign_us += now_us() - began;
	if (s->gate->store != NULL && s->n_signatures > 0)
		store_signed(s->gate->store, s->sign_us);
}

const struct reply *
session_eom(struct session *s, const char *queue_id, const struct edit **edits_r)
{
	struct message *m = &s->message;
	int64_t began = now_us();
	struct decision over;

	*edits_r = NULL;
	if (s->state == STATE_MAIL)
		session_eoh(s);
	if (s->state != STATE_BODY || m->accepted == 0)
		return fail(s, "end of message out of order");
	s->state = STATE_DONE;
	if (queue_id != NULL)
		s->queue_id = arena_string(s->arena, queue_id);
	if (!message_is_refused(m)) {
		begin_rules(s);
		decide_body(m);
		end_rules(s);
	}
	signing_count_stripped(s);
	pause_picked_up(s);
	if (!message_is_refused(m) && already_over(s, NULL, &over))
		limit_decide(m);
	if (!message_is_refused(m) && m->decision.verdict != VERDICT_DISCARD)
		finish_signing(s);
	s->spent_us += now_us() - began;
	if (arena_failed(s->arena))
		return fail(s, "out of memory at the end of the message");
	if (message_is_refused(m))
		return refused(s, &m->decision, "eom", m->recipients->address.text);
	return admit(s, edits_r);
}

const struct message *
session_message(const struct session *s)
{
	return s->state == STATE_IDLE ? NULL : &s->message;
}

const struct decision *
session_refused_recipient(const struct session *s)
{
	return s->refused_recipient.verdict == VERDICT_ACCEPT ? NULL : &s->refused_recipient;
}

const char *
session_id(const struct session *s)
{
	return s->id.s;
}

const struct signature *
session_signatures(const struct session *s, size_t *n_r)
{
	*n_r = s->n_signatures;
	return s->signatures;
}
