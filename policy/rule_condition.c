/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The conditions of rules: one small function each, and the table of them.
 */
#include <string.h>

#include "base/text.h"
#include "policy/rule-private.h"
#include "policy/words.h"

struct question {
	struct message *m;
	const struct rule *r;
	const struct rule_run *run;
	const struct recipient *only;
	const char **doubt_r;
};

static enum found
yes_if(bool b)
{
	return b ? FOUND_YES : FOUND_NO;
}

static bool
has_name(const struct names *n, const char *name)
{
	for (size_t i = 0; i < n->n; i++)
		if (strcmp(n->list[i], name) == 0)
			return true;
	return false;
}

static enum found
apps(const struct question *q)
{
	return yes_if(q->m->app != NULL && has_name(&q->r->apps, q->m->app->name));
}

static enum found
except(const struct question *q)
{
	return yes_if(q->m->app == NULL || !has_name(&q->r->except, q->m->app->name));
}

static enum found
tenants(const struct question *q)
{
	return yes_if(q->m->tenant != NULL && has_name(&q->r->tenants, q->m->tenant->name));
}

static enum found
methods(const struct question *q)
{
	return yes_if(q->m->app != NULL && (q->r->methods & 1u << q->m->app->method) != 0);
}

static enum found
clients(const struct question *q)
{
	const struct client *c = q->m->client;

	if (c->local)
		return yes_if(q->r->local);
	for (size_t i = 0; i < q->r->n_clients; i++)
		if (network_contains(&q->r->clients[i], &c->ip))
			return FOUND_YES;
	return FOUND_NO;
}

static enum found
logins(const struct question *q)
{
	return match_list_texts(&q->r->logins, &q->m->client->login, 1, q->m->budget);
}

static enum found
sender(const struct question *q)
{
	return match_list_address(&q->r->sender, &q->m->sender, q->m->budget);
}

static enum found
from(const struct question *q)
{
	if (!q->m->has_from)
		return FOUND_UNKNOWN;
	return match_list_address(&q->r->from, &q->m->from.address, q->m->budget);
}

/* The protocol version and "yes", or "no". */
static enum found
tls(const struct question *q)
{
	const char *version = q->m->client->tls;
	const char *const texts[] = {version[0] == '\0' ? "no" : "yes", version};

	return match_list_texts(&q->r->tls, texts, version[0] == '\0' ? 1 : 2, q->m->budget);
}

static enum found
hours(const struct question *q)
{
	unsigned now = (unsigned)q->m->minute;

	if (q->m->minute < 0)
		return FOUND_UNKNOWN;
	for (size_t i = 0; i < q->r->n_hours; i++) {
		const struct hours *h = &q->r->hours[i];

		if (h->from < h->to ? now >= h->from && now < h->to : now >= h->from || now < h->to)
			return FOUND_YES;
	}
	return FOUND_NO;
}

static enum found
weekdays(const struct question *q)
{
	if (q->m->weekday < 0)
		return FOUND_UNKNOWN;
	return yes_if((q->r->weekdays & 1u << q->m->weekday) != 0);
}

/* One recipient: of a class that is named, or matching a pattern, and nothing
 * that is negated. */
static enum found
recipient_holds(const struct question *q, const struct recipient *p)
{
	const struct rule *r = q->r;
	enum found any = yes_if((r->places & 1u << p->place) != 0);
	enum found none = yes_if((r->no_places & 1u << p->place) == 0);
	bool has_plain = r->places != 0;

	for (size_t i = 0; i < r->recipients.n; i++) {
		const struct match *item = &r->recipients.items[i];
		enum found answer = match_address(item, &p->address, q->m->budget);

		has_plain = has_plain || !item->is_negated;
		if (item->is_negated)
			none = found_and(none, found_not(answer));
		else
			any = found_or(any, answer);
	}
	return has_plain ? found_and(any, none) : none;
}

/* Any recipient will do; but to be let off the rules that follow, all of them
 * must: one recipient never exempts a sender. */
static enum found
recipients(const struct question *q)
{
	bool all = q->r->action == RULE_ACCEPT;
	enum found result = yes_if(all);

	if (q->only != NULL)
		return recipient_holds(q, q->only);
	for (const struct recipient *p = q->m->recipients; p != NULL; p = p->next)
		if (p->accepted)
			result = all ? found_and(result, recipient_holds(q, p))
				     : found_or(result, recipient_holds(q, p));
	return result;
}

static enum found
compares(const struct comparison *c, uint64_t value)
{
	switch (c->op) {
	case '<':
		return yes_if(value < c->value);
	case 'l':
		return yes_if(value <= c->value);
	case 'g':
		return yes_if(value >= c->value);
	case '=':
		return yes_if(value == c->value);
	default:
		return yes_if(value > c->value);
	}
}

static enum found
recipient_count(const struct question *q)
{
	return compares(&q->r->recipient_count, q->m->accepted);
}

static enum found
size(const struct question *q)
{
	return compares(&q->r->size, q->m->header.octets + q->m->body.octets);
}

/* Most readings of one field: every occurrence as it stands and decoded. */
#define READINGS_MAX 200u

/* A list against readings of a text; where they are not certain, what was not
 * found may have been overlooked, so that it is unknown also to what is negated. */
static enum found
readings(const struct question *q, const struct match_list *l, const char *const *texts, size_t n, bool is_certain)
{
	enum found *answers = arena_array(q->m->arena, l->n, sizeof *answers);

	for (size_t i = 0; answers != NULL && i < l->n; i++) {
		answers[i] = match_texts(&l->items[i], texts, n, q->m->budget);
		if (!is_certain && answers[i] == FOUND_NO) {
			answers[i] = FOUND_UNKNOWN;
			*q->doubt_r = "an encoded word in a header field cannot be read for certain";
		}
	}
	return answers == NULL ? FOUND_UNKNOWN : match_list_holds(l, answers);
}

/* Whether a text has one reading: no encoded words, and UTF-8. */
static bool
is_plain(const char *s)
{
	return strstr(s, "=?") == NULL && text_is_utf8(s, strlen(s));
}

/* A list against all fields of a name, as they stand and decoded. */
static enum found
fields(const struct question *q, const char *name, const struct match_list *l, bool is_empty_if_missing)
{
	const char *texts[READINGS_MAX] = {NULL};
	bool is_certain, all_certain = true;
	struct arena *a = q->m->arena;
	size_t n = 0;

	for (const struct header_field *f = q->m->header.first; f != NULL; f = f->next) {
		if (!text_same(f->name, name))
			continue;
		if (n + 2 > READINGS_MAX)
			return FOUND_UNKNOWN;
		texts[n++] = header_unfold(a, f->value);
		if (is_plain(texts[n - 1]))
			continue;
		texts[n] = words_decode(a, texts[n - 1], &is_certain);
		n++;
		all_certain = all_certain && is_certain;
	}
	if (n == 0 && is_empty_if_missing)
		texts[n++] = "";
	return readings(q, l, texts, n, all_certain);
}

static enum found
subject(const struct question *q)
{
	if (q->m->recorded != NULL && !q->m->recorded->has_subject)
		return FOUND_UNKNOWN;
	return fields(q, "Subject", &q->r->subject, true);
}

static enum found
header(const struct question *q)
{
	enum found r = FOUND_YES;

	if (q->m->recorded != NULL)
		return FOUND_UNKNOWN;
	for (size_t i = 0; i < q->r->n_headers && r != FOUND_NO; i++)
		r = found_and(r, fields(q, q->r->headers[i].name, &q->r->headers[i].patterns, false));
	return r;
}

static enum found
attachment(const struct question *q)
{
	return rule_body_holds(q->m, q->r, q->run, CONDITION_ATTACHMENT);
}

static enum found
attachment_type(const struct question *q)
{
	return rule_body_holds(q->m, q->r, q->run, CONDITION_ATTACHMENT_TYPE);
}

static enum found
body(const struct question *q)
{
	return rule_body_holds(q->m, q->r, q->run, CONDITION_BODY);
}

static const struct {
	const char *name;
	enum found (*holds)(const struct question *q);
} conditions[CONDITION_COUNT] = {
	[CONDITION_APPS] = {"apps", apps},
	[CONDITION_EXCEPT] = {"except", except},
	[CONDITION_TENANTS] = {"tenants", tenants},
	[CONDITION_METHODS] = {"methods", methods},
	[CONDITION_CLIENTS] = {"clients", clients},
	[CONDITION_LOGINS] = {"logins", logins},
	[CONDITION_SENDER] = {"sender", sender},
	[CONDITION_TLS] = {"tls", tls},
	[CONDITION_HOURS] = {"hours", hours},
	[CONDITION_WEEKDAYS] = {"weekdays", weekdays},
	[CONDITION_RECIPIENTS] = {"recipients", recipients},
	[CONDITION_RECIPIENT_COUNT] = {"recipient-count", recipient_count},
	[CONDITION_FROM] = {"from", from},
	[CONDITION_SUBJECT] = {"subject", subject},
	[CONDITION_HEADER] = {"header", header},
	[CONDITION_SIZE] = {"size", size},
	[CONDITION_ATTACHMENT] = {"attachment", attachment},
	[CONDITION_ATTACHMENT_TYPE] = {"attachment-type", attachment_type},
	[CONDITION_BODY] = {"body", body},
};

const char *
rule_condition_name(enum rule_condition c)
{
	return conditions[c].name;
}

enum found
rule_holds(struct message *m, const struct rule *r, const struct rule_run *run,
	   const struct recipient *only, uint32_t mask, struct rule_notes *notes_r)
{
	const char *doubt;
	const struct question q = {.m = m, .r = r, .run = run, .only = only, .doubt_r = &doubt};
	enum found result = FOUND_YES;

	for (int c = 0; c < CONDITION_COUNT && result != FOUND_NO; c++) {
		enum found answer;

		if ((r->given & mask & RULE_BIT(c)) == 0)
			continue;
		doubt = rule_body_doubt(m, (enum rule_condition)c);
		answer = conditions[c].holds(&q);
		if (answer == FOUND_UNKNOWN && notes_r->doubt == NULL)
			notes_r->doubt = doubt != NULL ? doubt : "a pattern has reached its limits";
		result = found_and(result, answer);
		if (result == FOUND_NO)
			notes_r->failed = (enum rule_condition)c;
	}
	return result;
}
