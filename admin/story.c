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
story_print_facts(const struct record *r)
{
	char at[WHEN_SIZE];

	terminal_print("%-10s %s, at %s, queue id %s\n", "message", r->id, when_format(r->time, at),
	       r->queue_id[0] == '\0' ? "not given" : r->queue_id);
	story_print_fact("client", r->picked_up ? "local" : r->client);
	story_print_fact("login", r->login);
	story_print_fact("tls", r->tls);
	story_print_fact("app", r->app);
	story_print_fact("tenant", r->tenant);
	story_print_fact("method", r->method);
	story_print_fact("sender", r->sender[0] == '\0' ? "<>" : r->sender);
	story_print_fact("from", r->header_from);
	for (size_t i = 0; i < r->n_rcpt; i++)
		terminal_print("%-10s %s, %s%s%s\n", "recipient", r->rcpt[i].address, r->rcpt[i].place,
		       r->rcpt[i].reason[0] == '\0' ? "" : r->rcpt[i].accepted ? ", would be refused: " : ", refused: ",
		       r->rcpt[i].reason);
	story_print_fact("subject", r->subject);
	terminal_print("%-10s %lld octets\n", "size", (long long)r->size);
}

void
story_print_then(const struct record *r, const struct charge *charges, size_t n)
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
