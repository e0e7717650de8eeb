/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What rules ask of the body: its text is handed to their patterns while it
 * streams, names and types of attachments are compared as they come. Without a
 * rule that asks there is no reader.
 */
#include <stdio.h>
#include <string.h>

#include "policy/mime.h"
#include "policy/rule-private.h"

#define TYPE_SIZE 256u

struct body_reader {
	struct message *m;
	struct rules_run *run;
	struct mime *mime;
	char type[TYPE_SIZE];       /* of the present part, whose names are still to come */
	bool is_attachment;
};

/* The conditions on the body that this rule may still come to. */
static uint32_t
asks(const struct rule *r, const struct rule_run *run)
{
	const uint32_t mask = RULE_BIT(CONDITION_BODY) | RULE_BIT(CONDITION_ATTACHMENT) |
			      RULE_BIT(CONDITION_ATTACHMENT_TYPE);

	return run->known == FOUND_NO ? 0 : r->given & mask;
}

static void
compare(struct body_reader *b, const struct match_list *l, enum found *answers, const char *text)
{
	for (size_t i = 0; answers != NULL && i < l->n; i++)
		if (answers[i] != FOUND_YES)
			answers[i] = found_or(answers[i], match_texts(&l->items[i], &text, 1, b->m->budget));
}

/* The present part is an attachment: its type counts. */
static void
count_type(struct body_reader *b)
{
	const struct policy *p = b->m->policy;

	if (b->is_attachment)
		return;
	b->is_attachment = true;
	for (size_t i = 0; i < b->run->n; i++)
		compare(b, &p->rules[i].attachment_type, b->run->rules[i].types, b->type);
}

/* Text without a name that is not said to be an attachment is what people
 * read; anything else is an attachment. */
static void
on_part(void *context, const char *type, const char *disposition)
{
	struct body_reader *b = context;

	snprintf(b->type, sizeof b->type, "%s", type);
	b->is_attachment = false;
	if (strncmp(type, "text/", 5) != 0 || strcmp(disposition, "attachment") == 0)
		count_type(b);
}

static void
on_name(void *context, const char *name)
{
	struct body_reader *b = context;
	const struct policy *p = b->m->policy;

	count_type(b);
	for (size_t i = 0; i < b->run->n; i++)
		compare(b, &p->rules[i].attachment, b->run->rules[i].names, name);
}

static void
on_text(void *context, const char *utf8, size_t len)
{
	struct body_reader *b = context;
	const struct policy *p = b->m->policy;

	for (size_t i = 0; i < b->run->n; i++)
		for (size_t j = 0; b->run->rules[i].scans != NULL && j < p->rules[i].body.n; j++)
			regex_scan_add(b->run->rules[i].scans[j], utf8, len);
}

/* Room for the answers of one rule. -1 when memory was short. */
static int
prepare(struct message *m, const struct rule *r, struct rule_run *run)
{
	uint32_t a = asks(r, run);

	if ((a & RULE_BIT(CONDITION_ATTACHMENT)) != 0 &&
	    (run->names = arena_array(m->arena, r->attachment.n, sizeof *run->names)) == NULL)
		return -1;
	if ((a & RULE_BIT(CONDITION_ATTACHMENT_TYPE)) != 0 &&
	    (run->types = arena_array(m->arena, r->attachment_type.n, sizeof *run->types)) == NULL)
		return -1;
	if ((a & RULE_BIT(CONDITION_BODY)) == 0)
		return 0;
	run->scans = arena_array(m->arena, r->body.n, sizeof *run->scans);
	for (size_t i = 0; run->scans != NULL && i < r->body.n; i++)
		run->scans[i] = regex_scan_new(m->arena, r->body.items[i].regex, m->budget);
	return run->scans == NULL ? -1 : 0;
}

void
rule_body_start(struct message *m, struct rules_run *run)
{
	const struct policy *p = m->policy;
	struct mime_events events = {.part = on_part, .name = on_name};
	struct body_reader *b;
	uint32_t asked = 0;

	if (m->recorded != NULL)
		return;
	for (size_t i = 0; i < run->n; i++)
		asked |= asks(&p->rules[i], &run->rules[i]);
	if (asked == 0 || (b = arena_alloc(m->arena, sizeof *b)) == NULL)
		return;
	*b = (struct body_reader){.m = m, .run = run};
	for (size_t i = 0; i < run->n; i++)
		if (prepare(m, &p->rules[i], &run->rules[i]) != 0)
			return; /* the arena remembers; the message is deferred */
	if ((asked & RULE_BIT(CONDITION_BODY)) != 0)
		events.text = on_text;
	run->reader = b;
	b->mime = mime_new(&m->header, &events, b);
}

void
rule_body_free(struct message *m, struct rules_run *run)
{
	for (size_t i = 0; i < run->n; i++)
		for (size_t j = 0; run->rules[i].scans != NULL && j < m->policy->rules[i].body.n; j++)
			regex_scan_free(&run->rules[i].scans[j]);
	if (run->reader != NULL)
		mime_free(&run->reader->mime);
}

bool
rules_want_body(const struct message *m)
{
	return m->rules != NULL && m->rules->reader != NULL;
}

void
rules_body(struct message *m, const void *data, size_t len)
{
	if (rules_want_body(m) && m->rules->reader->mime != NULL)
		mime_body(m->rules->reader->mime, data, len);
}

/* What the patterns of a list came to; where the reading is not certain, what was
 * not found may have been overlooked. */
static enum found
judge(const struct match_list *l, enum found *answers, const char *uncertain)
{
	if (answers == NULL)
		return FOUND_UNKNOWN;
	for (size_t i = 0; uncertain != NULL && i < l->n; i++)
		if (answers[i] == FOUND_NO)
			answers[i] = FOUND_UNKNOWN;
	return match_list_holds(l, answers);
}

static enum found
judge_body(const struct message *m, const struct rule *r, const struct rule_run *run, const char *uncertain)
{
	enum found *answers = run->scans == NULL ? NULL
			      : arena_array(m->arena, r->body.n, sizeof *answers);

	for (size_t i = 0; answers != NULL && i < r->body.n; i++)
		answers[i] = regex_scan_end(run->scans[i]);
	return judge(&r->body, answers, uncertain);
}

enum found
rule_body_holds(const struct message *m, const struct rule *r, const struct rule_run *run,
		enum rule_condition c)
{
	const struct mime *mime = m->rules == NULL || m->rules->reader == NULL ? NULL : m->rules->reader->mime;

	if (mime == NULL || run == NULL)
		return FOUND_UNKNOWN;
	if (c == CONDITION_BODY)
		return judge_body(m, r, run, mime_text_uncertain(mime));
	if (c == CONDITION_ATTACHMENT)
		return judge(&r->attachment, run->names, mime_parts_uncertain(mime));
	return judge(&r->attachment_type, run->types, mime_parts_uncertain(mime));
}

void
rule_body_end(struct message *m)
{
	if (rules_want_body(m) && m->rules->reader->mime != NULL)
		mime_end(m->rules->reader->mime);
}

const char *
rule_body_doubt(const struct message *m, enum rule_condition c)
{
	const struct body_reader *b = m->rules == NULL ? NULL : m->rules->reader;

	if (b == NULL || c < CONDITION_ATTACHMENT)
		return NULL;
	if (b->mime == NULL)
		return "memory is short";
	return c == CONDITION_BODY ? mime_text_uncertain(b->mime) : mime_parts_uncertain(b->mime);
}
