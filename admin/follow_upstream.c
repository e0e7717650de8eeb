/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See follow.h. The lines of tries do not have the sender, so it is kept from those that do, in as many
 * places as there are; one that falls on the place of another takes it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/follow.h"
#include "admin/m365.h"
#include "base/text.h"
#include "policy/pause.h"

#define PLACES 16384u

struct follow_senders {
	struct {
		uint64_t key;
		char *sender;
	} places[PLACES];
};

struct follow_senders *
follow_senders_new(void)
{
	return calloc(1, sizeof(struct follow_senders));
}

void
follow_senders_free(struct follow_senders **s)
{
	if (*s == NULL)
		return;
	for (size_t i = 0; i < PLACES; i++)
		free((*s)->places[i].sender);
	free(*s);
	*s = NULL;
}

/* FNV-1a over both names. */
static uint64_t
key_of(const struct deliveries_key *k)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (const char *s = k->instance; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	h = (h ^ 0xff) * UINT64_C(1099511628211);
	for (const char *s = k->queue_id; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	return h;
}

void
follow_note_sender(struct follow_senders *s, const struct deliveries_key *k, const char *sender)
{
	uint64_t key = key_of(k);
	char **place = &s->places[key % PLACES].sender;

	if (*place != NULL && s->places[key % PLACES].key == key && strcmp(*place, sender) == 0)
		return;
	free(*place);
	*place = strdup(sender); /* NULL: not known */
	s->places[key % PLACES].key = key;
}

const char *
follow_sender(const struct follow_senders *s, const struct deliveries_key *k)
{
	uint64_t key = key_of(k);

	return s->places[key % PLACES].key == key ? s->places[key % PLACES].sender : NULL;
}

static bool
is_among(const char *tenants, const char *name)
{
	size_t len = strlen(name);

	for (const char *s = tenants; (s = strstr(s, name)) != NULL; s++)
		if (s > tenants && s[-1] == ',' && s[len] == ',')
			return true;
	return false;
}

/* The domain's record among the accepted ones; NULL for none. `address` may be "". */
static const struct accepted_domain *
domain_of(const struct policy *p, const char *address)
{
	const char *at = strrchr(address, '@');
	char domain[256];

	if (at == NULL || strlen(at + 1) >= sizeof domain)
		return NULL;
	for (size_t i = 0; i <= strlen(at + 1); i++)
		domain[i] = text_lower_char(at[1 + i]);
	return policy_domain(p, domain);
}

/* Whose mail it is, of those whose next hop answered: the sender's tenant; the only one where the sender has none.
 * NULL: not certain. */
static const struct tenant *
tenant_of(const struct policy *p, const char *sender, const char *tenants)
{
	const struct accepted_domain *d = domain_of(p, sender);
	const struct tenant *only = NULL;

	if (d != NULL)
		return is_among(tenants, d->tenant->name) ? d->tenant : NULL;
	for (size_t i = 0; i < p->n_tenants; i++) {
		if (!is_among(tenants, p->tenants[i].name))
			continue;
		if (only != NULL)
			return NULL;
		only = &p->tenants[i];
	}
	return only;
}

static int
store_good(struct deliveries *d, const struct policy *p, const struct tenant *tenant, const char *sender, const struct deliveries_try *t)
{
	const struct accepted_domain *to = domain_of(p, t->recipient);
	char lower[512];
	size_t i = 0;

	for (; sender[i] != '\0' && i < sizeof lower - 1; i++)
		lower[i] = text_lower_char(sender[i]);
	lower[i] = '\0';
	return deliveries_good(d, tenant->name, lower, to == NULL || to->tenant != tenant, t->key.time);
}

static int
store_said(struct deliveries *d, const struct tenant *tenant, const struct pause_rule *rule, const char *sender,
	   const struct deliveries_try *t)
{
	char buf[512];
	struct deliveries_said s = {
		.tenant = tenant->name, .sender = pause_scope(rule, sender, buf, sizeof buf), .keyword = rule->keyword, .reply = t->reply,
		.every_relay = rule->every_relay, .external_only = rule->external_only, .time = t->key.time, .wait_ms = rule->wait_ms,
		.settle_ms = PAUSE_SETTLE_MS, .old_ms = rule->wait_ms + PAUSE_OLD_MS,
	};

	return s.sender == NULL ? 0 : deliveries_said(d, &s);
}

int
follow_upstream(struct deliveries *d, const struct policy *p, const char *sender, const struct deliveries_try *t)
{
	const bool is_sendmail = strcmp(t->key.instance, "sendmail") == 0;
	const struct pause_rule *rule;
	const struct tenant *tenant;
	struct m365_reply reply;

	if (t->next_hop_of[0] == '\0' || sender == NULL || (tenant = tenant_of(p, sender, t->next_hop_of)) == NULL)
		return 0;
	if (strcmp(t->status, "sent") == 0)
		return store_good(d, p, tenant, sender, t);
	reply = m365_read(t->reply, is_sendmail && t->next_hop[0] != '\0' ? t->dsn : NULL);
	rule = reply.is_reply ? pause_rule(m365_explain(&reply, t->reply).keyword) : NULL;
	return rule == NULL ? 0 : store_said(d, tenant, rule, sender, t);
}
