/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postern explain ID: the audit's own words on a message, and today's policy on
 * the same facts.
 */
#include "config.h"

#include "admin/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/database.h"
#include "admin/story.h"
#include "admin/terminal.h"
#include "admin/when.h"
#include "base/json.h"
#include "gate/replay.h"
#include "policy/file/file.h"

struct past {
	const char *id;
	bool json;
	struct replay *replay;
	bool found;
	uint64_t counted;       /* refusals that share the id of a stored message */
	int64_t last_time;
};

bool
explain_is_id(const char *s)
{
	return strlen(s) == 26 && strspn(s, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == 26 && access(s, F_OK) != 0;
}

static void
print_now(const struct replayed *now)
{
	const struct decision *d = now->decision;

	if (now->undecidable != NULL) {
		terminal_print("today: not known: %s\n", now->undecidable);
		return;
	}
	terminal_print("today: %s", verdict_name(d->verdict));
	if (d->reason[0] != '\0')
		terminal_print(", %d %s [%s] %s", d->code, d->enhanced, d->reason, d->text);
	fputs(" (limits aside)\n", stdout);
	if (now->would->verdict != d->verdict)
		terminal_print("       on trial; it would be: %s [%s] %s\n", verdict_name(now->would->verdict), now->would->reason,
		       now->would->text);
}

static void
set_now(struct jsonv *root, const struct replayed *now)
{
	struct jsonv *o = jsonv_set_object(root, "today");

	jsonv_set_text(o, "undecidable", now->undecidable);
	jsonv_set_text(o, "verdict", verdict_name(now->decision->verdict));
	jsonv_set_text(o, "reason", now->decision->reason);
	jsonv_set_integer(o, "code", now->decision->code);
	jsonv_set_text(o, "text", now->decision->text);
	jsonv_set_text(o, "would", verdict_name(now->would->verdict));
	jsonv_set_text(o, "would_reason", now->would->reason);
}

static int
print_json(const struct record *r, const struct charge *charges, size_t n, uint64_t counted,
	   const struct replayed *now)
{
	struct jsonv *root = jsonv_new_object();
	struct text t = {0};
	int rc;

	story_set_facts(root, r);
	jsonv_set_integer(root, "count", counted == 0 ? 1 : (int64_t)counted);
	story_set_lists(root, r, charges, n);
	set_now(root, now);
	rc = jsonv_write(root, true, &t);
	if (rc == 0)
		fputs(text_string(&t), stdout);
	jsonv_free(&root);
	text_free(&t);
	return rc;
}

static int
count_refusals(void *context, const struct refusal *f, uint64_t count, int64_t last_time)
{
	struct past *p = context;

	if (strcmp(f->stage, "eom") == 0) {
		p->counted += count;
		p->last_time = last_time;
	}
	return 0;
}

static int
show_message(void *context, const struct record *r, const struct charge *charges, size_t n)
{
	struct past *p = context;
	struct replayed now;
	char last[WHEN_SIZE];

	p->found = true;
	if (replay_message(p->replay, r, NULL, &now) != 0)
		return -2;
	if (p->json)
		return print_json(r, charges, n, p->counted, &now) == 0 ? 0 : -2;
	story_print_facts(r);
	story_print_then(r, charges, n);
	if (p->counted > 1)
		terminal_print("       the first of %llu refusals of its kind, the last at %s\n", (unsigned long long)p->counted,
		       when_format(p->last_time, last));
	print_now(&now);
	return 0;
}

static int
show_refusal(void *context, const struct refusal *f, uint64_t count, int64_t last_time)
{
	struct past *p = context;
	char first[WHEN_SIZE], last[WHEN_SIZE];
	struct replayed now;

	p->found = true;
	if (replay_refusal(p->replay, f, &now) != 0)
		return -2;
	if (p->json) {
		struct record r = {
			.id = f->id, .queue_id = f->queue_id, .time = f->time, .verdict = f->verdict, .reason = f->reason,
			.enhanced = f->enhanced, .text = f->text, .would = f->verdict, .would_reason = f->reason,
			.would_text = f->text, .mode = "enforce", .app = f->app, .tenant = f->tenant, .method = f->method,
			.client = f->client, .login = f->login, .sender = f->sender, .header_from = f->header_from,
			.subject = "", .signing = "", .policy = "", .trace = "", .code = f->code,
		};

		return print_json(&r, NULL, 0, count, &now) == 0 ? 0 : -2;
	}
	terminal_print("refused at %s, %llu times from %s to %s; the facts are those of the first\n\n", f->stage,
	       (unsigned long long)count, when_format(f->time, first), when_format(last_time, last));
	story_print_fact("client", f->client);
	story_print_fact("login", f->login);
	story_print_fact("app", f->app);
	story_print_fact("sender", f->sender[0] == '\0' ? "<>" : f->sender);
	story_print_fact("from", f->header_from);
	story_print_fact("recipient", f->recipient);
	terminal_print("\nthen:  %s, %d %s [%s] %s\n", f->verdict, f->code, f->enhanced, f->reason, f->text);
	print_now(&now);
	return 0;
}

/* A message that is stored, or else a count of refusals. */
static int
show(struct past *p, struct store_reader *reader)
{
	struct store_range range = {.id = p->id};
	const char *error = "memory is short";
	int rc = store_reader_refusals(reader, &range, true, count_refusals, p, &error);

	if (rc == 0)
		rc = store_reader_messages(reader, &range, show_message, p, &error);

	if (rc == 0 && !p->found)
		rc = store_reader_refusals(reader, &range, false, show_refusal, p, &error);
	if (rc != 0)
		fprintf(stderr, "postern explain: %s\n", error);
	else if (!p->found)
		fprintf(stderr, "postern explain: the audit has no message %s; it may be older than what is kept\n", p->id);
	return rc == 0 && p->found ? 0 : 1;
}

int
explain_past(const char *file, const char *id, bool json)
{
	struct past past = {.id = id, .json = json};
	struct problems *problems = NULL;
	struct policy *p = policy_load(file, &problems);
	struct store_reader *reader = NULL;
	char error[512];
	int r = 1;

	if (p == NULL)
		problems_print(problems, stderr);
	else if ((reader = database_open(p, error, sizeof error)) == NULL)
		fprintf(stderr, "postern explain: %s\n", error);
	else if ((past.replay = replay_new(p, reader)) == NULL)
		fputs("postern explain: memory is short\n", stderr);
	else
		r = show(&past, reader);
	problems_free(&problems);
	replay_free(&past.replay);
	store_reader_close(&reader);
	policy_unref(&p);
	return r;
}
