/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See story.h.
 */
#include "config.h"

#include "admin/story.h"

#include <stdio.h>
#include <string.h>

#include "admin/terminal.h"
#include "admin/when.h"

void
story_print_fact(const char *name, const char *value)
{
	if (value[0] != '\0')
		terminal_fact(name, value);
}

void
story_each_fact(const struct record *r, void (*each)(void *context, const char *name, const char *value), void *context)
{
	const struct {
		const char *name, *value;
	} texts[] = {
		{"client", r->picked_up ? "local" : r->client}, {"login", r->login}, {"tls", r->tls}, {"app", r->app},
		{"tenant", r->tenant}, {"method", r->method}, {"sender", r->sender[0] == '\0' ? "<>" : r->sender},
		{"from", r->header_from},
	};
	char at[WHEN_SIZE];
	struct text v = {0};

	text_printf(&v, "%s, at %s, queue id %s", r->id, when_format(r->time, at), r->queue_id[0] == '\0' ? "not given" : r->queue_id);
	each(context, "message", text_string(&v));
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (texts[i].value[0] != '\0')
			each(context, texts[i].name, texts[i].value);
	for (size_t i = 0; i < r->n_rcpt; i++) {
		text_clear(&v);
		text_printf(&v, "%s, %s%s%s", r->rcpt[i].address, r->rcpt[i].place,
			    r->rcpt[i].reason[0] == '\0' ? "" : r->rcpt[i].accepted ? ", would be refused: " : ", refused: ", r->rcpt[i].reason);
		each(context, "recipient", text_string(&v));
	}
	if (r->subject[0] != '\0')
		each(context, "subject", r->subject);
	text_clear(&v);
	text_printf(&v, "%lld octets", (long long)r->size);
	each(context, "size", text_string(&v));
	text_free(&v);
}

void
story_each_charge(const struct record *r, const struct charge *charges, size_t n,
		  void (*each)(void *context, const char *name, const char *value), void *context)
{
	struct text v = {0};

	for (size_t i = 0; i < n; i++) {
		text_clear(&v);
		text_printf(&v, "%s%s%s: %llu of %llu were used, this message %s %llu", charges[i].name,
			    charges[i].key[0] == '\0' ? "" : " ", charges[i].key, (unsigned long long)charges[i].used,
			    (unsigned long long)charges[i].count, charges[i].exceeded ? "was over it with" : "added",
			    (unsigned long long)charges[i].amount);
		each(context, charge_is_tally_key(charges[i].key) ? "reserve" : "limit", text_string(&v));
	}
	for (size_t i = 0; i < r->n_signature; i++) {
		text_clear(&v);
		text_printf(&v, "d=%s s=%s %s: %s", r->signature[i].domain, r->signature[i].selector, r->signature[i].algorithm,
			    r->signature[i].result);
		each(context, "signature", text_string(&v));
	}
	text_free(&v);
}

void
story_outcome(const struct record *r, struct text *t)
{
	text_add(t, r->verdict);
	if (r->reason[0] != '\0')
		text_printf(t, ", %d %s [%s] %s", r->code, r->enhanced, r->reason, r->text);
}

void
story_trial(const struct record *r, struct text *t)
{
	if (strcmp(r->would, r->verdict) != 0 || strcmp(r->would_reason, r->reason) != 0)
		text_printf(t, "on trial; it would have been: %s [%s] %s", r->would, r->would_reason, r->would_text);
}

static void
print_fact(void *context, const char *name, const char *value)
{
	(void)context;
	terminal_fact(name, value);
}

void
story_print_facts(const struct record *r)
{
	story_each_fact(r, print_fact, NULL);
}

void
story_print_then(const struct record *r, const struct charge *charges, size_t n)
{
	struct text then = {0}, trial = {0};

	fputs("\nsteps:\n", stdout);
	terminal_print("%s", r->trace);
	story_each_charge(r, charges, n, print_fact, NULL);
	story_outcome(r, &then);
	story_trial(r, &trial);
	terminal_print("\nthen:  %s\n", text_string(&then));
	if (trial.len > 0)
		terminal_print("       %s\n", text_string(&trial));
	text_free(&then);
	text_free(&trial);
}

void
story_set_facts(struct jsonv *root, const struct record *r)
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
	char at[WHEN_SIZE];

	jsonv_set_text(root, "at", when_format(r->time, at));
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		jsonv_set_text(root, texts[i].name, texts[i].value);
	jsonv_set_integer(root, "code", r->code);
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

void
story_set_lists(struct jsonv *root, const struct record *r, const struct charge *charges, size_t n)
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
