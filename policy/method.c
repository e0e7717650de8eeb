/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What each method reaches and bears: the facts of microsoft's side in one
 * table, and the check of one recipient against it.
 */
#include "policy/method.h"

#include "base/printable.h"
#include "base/text.h"

#define MEGABYTE (UINT64_C(1) << 20)

static const struct method_facts methods[METHOD_COUNT] = {
	[METHOD_CONNECTOR] = {
		.name = "connector", .title = "a connector", .max_recipients = 1000,
		.by_next_hop = true,
		.counts_to_tenant_rate = true,
	},
	[METHOD_SMTP_AUTH] = {
		.name = "smtp-auth", .title = "SMTP AUTH", .max_recipients = 500,
		.by_next_hop = true,
		.counts_to_tenant_rate = true, .spends_mailbox_rate = true,
	},
	[METHOD_DIRECT_SEND] = {
		.name = "direct-send", .title = "Direct Send", .accepted_only = true,
		.by_next_hop = true,
		.external_reason = "direct-send-external", .max_recipients = 1000,
	},
	[METHOD_HVE] = {
		.name = "hve", .title = "High Volume Email", .accepted_only = true,
		.external_reason = "method-external", .max_recipients = 50, .max_size = 10 * MEGABYTE,
	},
	[METHOD_ACS] = {
		.name = "acs", .title = "Azure Communication Services", .max_recipients = 1000,
	},
};

const struct method_facts *
method_facts(enum method m)
{
	return &methods[m];
}

enum place
method_place(const struct message *m, const struct address *a, const char *mailer)
{
	const struct accepted_domain *d;

	if (a->is_postmaster || text_same(mailer, "local"))
		return PLACE_LOCAL;
	d = a->is_literal ? NULL : policy_domain(m->policy, a->domain);
	/* Another tenant of ours is external; an unknown client has no tenant. */
	if (d != NULL && (m->tenant == NULL || d->tenant == m->tenant))
		return PLACE_INTERNAL;
	return PLACE_EXTERNAL;
}

/* Null senders go outside by certificate only. */
static bool
null_sender_reaches(const struct message *m)
{
	return !m->sender.is_null || m->tenant == NULL ||
	       m->tenant->connector_auth == CONNECTOR_BY_CERTIFICATE;
}

const char *
method_refuses(const struct message *m, const struct recipient *r, const char **text_r)
{
	const struct method_facts *f;
	const char *shown = printable(m->arena, r->address.text);

	if (r->place != PLACE_EXTERNAL || m->app == NULL)
		return NULL;
	f = method_facts(m->app->method);
	if (f->accepted_only) {
		*text_r = arena_printf(m->arena, "%s sends by %s, which reaches only the own domains of %s; %s is outside. "
				       "Use a connector or smtp-auth app.", message_who(m), f->title,
				       m->tenant == NULL ? "the tenant" : m->tenant->name, shown);
		return f->external_reason;
	}
	if (!null_sender_reaches(m)) {
		*text_r = arena_printf(m->arena, "%s sends with a null sender to %s, which is outside; Exchange Online "
				       "relays that only for a certificate connector", message_who(m), shown);
		return "null-sender";
	}
	return NULL;
}
