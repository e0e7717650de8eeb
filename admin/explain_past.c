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
print_fact(const char *name, const char *value)
{
	if (value[0] != '\0')
		terminal_fact(name, value);
}

static void
print_facts(const struct record *r)
{
	char at[WHEN_SIZE];

	terminal_print("%-10s %s, at %s, queue id %s\n", "message", r->id, when_format(r->time, at),
	       r->queue_id[0] == '\0' ? "not given" : r->queue_id);
	print_fact("client", r->picked_up ? "local" : r->client);
	print_fact("login", r->login);
	print_fact("tls", r->tls);
	print_fact("app", r->app);
	print_fact("tenant", r->tenant);
	print_fact("method", r->method);
	print_fact("sender", r->sender[0] == '\0' ? "<>" : r->sender);
	print_fact("from", r->header_from);
	for (size_t i = 0; i < r->n_rcpt; i++)
		terminal_print("%-10s %s, %s%s%s\n", "recipient", r->rcpt[i].address, r->rcpt[i].place,
		       r->rcpt[i].reason[0] == '\0' ? "" : r->rcpt[i].accepted ? ", would be refused: " : ", refused: ",
		       r->rcpt[i].reason);
	print_fact("subject", r->subject);
	terminal_print("%-10s %lld octets\n", "size", (long long)r->size);
}

static void
print_then(const struct record *r, const struct charge *charges, size_t n)
{
	fputs("\nsteps:\n", stdout);
	terminal_print("%s", r->trace);
	for (size_t i = 0; i < n; i++)
		terminal_print("%-10s %s%s%s: %llu of %llu were used, this message %s %llu\n",
		       charge_is_tally_key(charges[i].key) ? "reserve" : "limit", charges[i].name,
		       charges[i].key[0] == '\0' ? "" : " ", charges[i].key, (unsigned long long)charges[i].used,
		       (unsigned long long)charges[i].count, charges[i].exceeded ? "was over it with" : "added",
		       (unsigned long long)charges[i].amount);
	for (size_t i = 0; i < r->n_signature; i++)
		terminal_print("signature  d=%s s=%s %s: %s\n", r->signature[i].domain, r->signature[i].selector,
		       r->signature[i].algorithm, r->signature[i].result);
	terminal_print("\nthen:  %s", r->verdict);
	if (r->reason[0] != '\0')
		terminal_print(", %d %s [%s] %s", r->code, r->enhanced, r->reason, r->text);
	putchar('\n');
	if (strcmp(r->would, r->verdict) != 0 || strcmp(r->would_reason, r->reason) != 0)
		terminal_print("       on trial; it would have been: %s [%s] %s\n", r->would, r->would_reason, r->would_text);
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

static void
set_charges(struct jsonv *root, const struct charge *charges, size_t n)
{
	struct jsonv *limits = jsonv_set_array(root, "limits"), *reserves = jsonv_set_array(root, "reserves");

	for (size_t i = 0; i < n; i++) {
		bool is_tally = charge_is_tally_key(charges[i].key);
		struct jsonv *o = jsonv_add_object(is_tally ? reserves : limits);

		jsonv_set_text(o, "name", charges[i].name);
		jsonv_set_text(o, "key", charges[i].key);
		jsonv_set_integer(o, "amount", (int64_t)charges[i].amount);
		jsonv_set_integer(o, "used", (int64_t)charges[i].used);
		jsonv_set_integer(o, "count", (int64_t)charges[i].count);
		if (!is_tally)
			jsonv_set_boolean(o, "exceeded", charges[i].exceeded);
	}
}

static void
set_lists(struct jsonv *root, const struct record *r, const struct charge *charges, size_t n)
{
	struct jsonv *list = jsonv_set_array(root, "recipients");
	const char *line = r->trace;

	for (size_t i = 0; i < r->n_rcpt; i++) {
		struct jsonv *o = jsonv_add_object(list);

		jsonv_set_text(o, "address", r->rcpt[i].address);
		jsonv_set_text(o, "place", r->rcpt[i].place);
		jsonv_set_boolean(o, "accepted", r->rcpt[i].accepted);
		jsonv_set_text(o, "reason", r->rcpt[i].reason);
	}
	set_charges(root, charges, n);
	list = jsonv_set_array(root, "trace");
	for (size_t len; *line != '\0'; line += len + (line[len] == '\n' ? 1 : 0)) {
		char step[1024];

		len = strcspn(line, "\n");
		snprintf(step, sizeof step, "%.*s", (int)(len < sizeof step ? len : sizeof step - 1), line);
		jsonv_add_text(list, step);
	}
}

static int
print_json(const struct record *r, const struct charge *charges, size_t n, uint64_t counted,
	   const struct replayed *now)
{
	const struct {
		const char *name, *value;
	} texts[] = {
		{"id", r->id}, {"queue_id", r->queue_id}, {"verdict", r->verdict}, {"reason", r->reason},
		{"enhanced", r->enhanced}, {"text", r->text}, {"would", r->would}, {"would_reason", r->would_reason},
		{"would_text", r->would_text}, {"mode", r->mode}, {"app", r->app}, {"tenant", r->tenant},
		{"method", r->method}, {"client", r->client}, {"login", r->login}, {"sender", r->sender},
		{"header_from", r->header_from}, {"subject", r->subject}, {"signing", r->signing}, {"policy", r->policy},
	};
	struct jsonv *root = jsonv_new_object();
	char at[WHEN_SIZE];
	struct text t = {0};
	int rc;

	jsonv_set_text(root, "at", when_format(r->time, at));
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		jsonv_set_text(root, texts[i].name, texts[i].value);
	jsonv_set_integer(root, "code", r->code);
	jsonv_set_integer(root, "count", counted == 0 ? 1 : (int64_t)counted);
	set_lists(root, r, charges, n);
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
	print_facts(r);
	print_then(r, charges, n);
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
	print_fact("client", f->client);
	print_fact("login", f->login);
	print_fact("app", f->app);
	print_fact("sender", f->sender[0] == '\0' ? "<>" : f->sender);
	print_fact("from", f->header_from);
	print_fact("recipient", f->recipient);
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
