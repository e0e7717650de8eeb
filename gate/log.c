/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See log.h.
 */
#include "gate/log.h"

#include <string.h>

#include "base/printable.h"

static void
add(struct text *t, const char *key, const char *value)
{
	if (value[0] == '\0')
		return;
	text_printf(t, " %s=", key);
	printable_add_value(t, value, strlen(value));
}

void
log_decision(const struct record *r, struct text *t)
{
	text_add(t, r->id);
	add(t, "verdict", r->verdict);
	add(t, "reason", r->reason);
	if (strcmp(r->verdict, r->would) != 0 || strcmp(r->reason, r->would_reason) != 0) {
		add(t, "would", r->would);
		add(t, "would-reason", r->would_reason);
	}
	add(t, "stage", r->stage);
	add(t, "queue", r->queue_id);
	add(t, "app", r->app);
	add(t, "tenant", r->tenant);
	add(t, "method", r->method);
	add(t, "client", r->picked_up ? "local" : r->client);
	add(t, "login", r->login);
	add(t, "sender", r->sender[0] == '\0' ? "<>" : r->sender);
	add(t, "from", r->header_from);
	if (r->n_rcpt > 0)
		add(t, "rcpt", r->rcpt[0].address);
	text_printf(t, " recipients=%lld external=%lld size=%lld", (long long)r->recipients,
		    (long long)r->external, (long long)r->size);
	add(t, "signing", r->signing);
	add(t, "text", r->text[0] != '\0' ? r->text : r->would_text);
}

/* Octets; syslog takes some more. */
#define LINE_MAX_OCTETS 700

void
log_recipients(const struct record *r, size_t *next, struct text *t)
{
	text_printf(t, "%s unrecorded", r->id);
	do
		add(t, r->rcpt[*next].accepted ? "rcpt" : "refused-rcpt", r->rcpt[*next].address);
	while (++*next < r->n_rcpt && strlen(text_string(t)) < LINE_MAX_OCTETS);
}
