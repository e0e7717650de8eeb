/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The Direct Send inventory, and what was not granted: as comments of the draft.
 */
#include "config.h"

#include "admin/learn.h"

#include <stdlib.h>
#include <string.h>

#include "admin/learn_yaml.h"
#include "admin/when.h"
#include "policy/reason.h"

#define LISTED_MAX 200u
#define CLIENTS_MAX 1000u
#define SAID 80u

typedef unsigned long long ull;

bool
learn_is_kept(const struct learn_app *a)
{
	if (a->known == NULL)
		return false;
	for (size_t i = 0; i < a->n_grants; i++)
		if (!a->grants[i].is_known && !a->grants[i].is_stray)
			return false;
	for (size_t i = 0; i < a->n_clients; i++)
		if (!a->clients[i].is_known && !a->clients[i].is_stray)
			return false;
	return true;
}

const char *
learn_state(const struct learn_app *a)
{
	if (a->known == NULL)
		return a->is_stray ? "stray" : "new";
	return learn_is_kept(a) ? "kept" : "changed";
}

const struct learn_app *
learn_app_of(const struct learn *l, const struct learn_source *s)
{
	return s->app == 0 ? NULL : &l->apps[s->app - 1];
}

struct learn_sums
learn_sum(const struct learn *l)
{
	struct learn_sums r = {0};

	for (size_t i = 0; i < l->n_apps; i++) {
		const struct learn_app *a = &l->apps[i];

		*(a->known != NULL ? &r.known : a->is_stray ? &r.stray : &r.proposed) += a->messages;
		*(a->known != NULL ? &r.n_known : a->is_stray ? &r.n_stray : &r.n_proposed) += 1;
	}
	for (size_t i = 0; i < l->n_sources; i++) {
		r.findings += l->sources[i].findings;
		r.beyond += l->sources[i].beyond;
	}
	return r;
}

static int
by_reason(const void *a, const void *b)
{
	const struct learn_finding *x = a, *y = b;
	int r = strcmp(x->reason, y->reason);

	if (r == 0)
		r = (x->messages < y->messages) - (x->messages > y->messages);
	return r != 0 ? r : strcmp(x->id, y->id);
}

static int
by_count(const void *a, const void *b)
{
	const struct learn_refused *x = a, *y = b;
	int r = (x->count < y->count) - (x->count > y->count);

	return r != 0 ? r : strcmp(x->id, y->id);
}

void
learn_sort_findings(struct learn *l)
{
	if (l->n_findings > 1)
		qsort(l->findings, l->n_findings, sizeof l->findings[0], by_reason);
	if (l->n_refused > 1)
		qsort(l->refused, l->n_refused, sizeof l->refused[0], by_count);
}

/* A client that proves nothing, as the inventory lists it. */
static bool
is_unproven(const struct learn_source *s)
{
	return s->login[0] == '\0' && s->certificate[0] == '\0' && s->all > 0;
}

static void
write_senders(const struct learn *l, const struct learn_source *s, struct text *t)
{
	const struct learn_sender *top = NULL;
	size_t n = 0;

	for (uint32_t i = s->senders; i != 0; i = learn_sender(l, i)->next) {
		const struct learn_sender *x = learn_sender(l, i);

		n += x->envelope > 0;
		if (x->envelope > 0 && (top == NULL || x->envelope > top->envelope))
			top = x;
	}
	text_add(t, "  ");
	learn_yaml_said(t, top == NULL ? "-" : top->text, SAID);
	if (n > 1)
		text_printf(t, " and %zu more", n - 1);
}

static void
write_client(const struct learn *l, const struct learn_source *s, struct text *t)
{
	const struct learn_app *a = learn_app_of(l, s);

	text_printf(t, "#   %-39s %8llu %9llu %9llu  %-20s", s->client[0] == '\0' ? "(not known)" : s->client,
		    (ull)s->all, (ull)s->all_internal, (ull)s->all_external,
		    a == NULL ? "(none)" : a->is_stray ? "(seen once)" : a->name);
	write_senders(l, s, t);
	text_add(t, "  owner: ");
	learn_yaml_said(t, a == NULL || a->known == NULL ? "" : a->known->owner, SAID);
	text_add_char(t, '\n');
}

static const struct learn *sorting;

static int
by_traffic(const void *a, const void *b)
{
	const struct learn_source *x = learn_source(sorting, *(const uint32_t *)a);
	const struct learn_source *y = learn_source(sorting, *(const uint32_t *)b);
	int r = (x->all < y->all) - (x->all > y->all);

	return r != 0 ? r : strcmp(x->client, y->client);
}

static void
write_clients(const struct learn *l, struct text *t)
{
	uint32_t *order = calloc(l->n_sources + 1, sizeof *order);
	size_t n = 0;

	for (uint32_t i = 1; order != NULL && i <= l->n_sources; i++)
		if (is_unproven(learn_source(l, i)))
			order[n++] = i;
	sorting = l;
	if (n > 1)
		qsort(order, n, sizeof *order, by_traffic);
	text_printf(t, "#\n# Direct Send inventory: %zu client%s sent without login or certificate%s\n", n,
		    n == 1 ? "" : "s", n == 0 ? "." : "; their messages and recipients:");
	if (n > 0)
		text_printf(t, "#   %-39s %8s %9s %9s  %-20s  %s\n", "client", "messages", "internal", "external",
			    "app", "sender");
	for (size_t i = 0; i < n && i < CLIENTS_MAX; i++)
		write_client(l, learn_source(l, order[i]), t);
	if (n > CLIENTS_MAX)
		text_printf(t, "#   and %zu more\n", n - CLIENTS_MAX);
	free(order);
}

/* What Exchange Online would refuse of an app if it took no Direct Send. */
static void
write_breakage(const struct learn *l, struct text *t)
{
	uint64_t messages = 0, recipients = 0;
	size_t n = 0;

	for (size_t i = 0; i < l->n_apps; i++) {
		const struct learn_app *a = &l->apps[i];

		if (a->method != METHOD_DIRECT_SEND || a->messages == 0 || a->is_stray)
			continue;
		n++;
		messages += a->messages;
		recipients += a->internal;
	}
	text_printf(t, "# If Direct Send were closed today (Set-OrganizationConfig -RejectDirectSend $true),\n"
		    "# %zu app%s of method direct-send would break: %llu messages to %llu recipients, each\n"
		    "# refused with 550 5.7.68, where the relay hands them over without a connector that matches.\n"
		    "# What goes by a connector is not touched.%s\n", n, n == 1 ? "" : "s", (ull)messages,
		    (ull)recipients, n == 0 ? "" : " These are:");
	for (size_t i = 0; i < l->n_apps; i++) {
		const struct learn_app *a = &l->apps[i];

		if (a->method == METHOD_DIRECT_SEND && a->messages > 0 && !a->is_stray)
			text_printf(t, "#   %-39s %8llu messages, %llu recipients, %llu messages without proof\n",
				    a->name, (ull)a->messages, (ull)a->internal, (ull)a->without_proof);
	}
}

void
learn_write_inventory(const struct learn *l, struct text *t)
{
	write_clients(l, t);
	write_breakage(l, t);
}

/* What a reason means: the words of the refusals, and our own. */
static const char *
meaning_of(const char *reason)
{
	static const struct {
		const char *reason, *text;
	} own[] = {
		{"no-client-address", "the MTA did not say the address, and there is no login or certificate"},
		{"login-unusual", "a login that no pattern matches alone"},
		{"certificate-unusual", "a certificate name that no pattern matches alone"},
		{"login-of-another-tenant", "the login is an address of another tenant than the sender"},
		{"sender-not-allowed", "no sender for an app: quoted, with % ! or * in it, or rewritten (SRS)"},
		{"from-not-allowed", "From, or its display name, shows an address that the app should not use"},
	};
	const struct reason *r = reason_find(reason);

	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		if (strcmp(own[i].reason, reason) == 0)
			return own[i].text;
	if (strncmp(reason, "rule:", 5) == 0)
		return "a rule of the policy refuses it";
	return r == NULL ? "" : r->when;
}

static void
write_finding(const struct learn *l, const struct learn_finding *f, struct text *t)
{
	const struct learn_source *s = learn_source(l, f->source);
	const struct learn_app *a = learn_app_of(l, s);
	char at[WHEN_SIZE];

	text_printf(t, "#   %8llu  %s", (ull)f->messages, s->client[0] == '\0' ? "(no address)" : s->client);
	if (s->login[0] != '\0') {
		text_add(t, ", login ");
		learn_yaml_said(t, s->login, SAID);
	}
	if (s->certificate[0] != '\0') {
		text_add(t, ", certificate ");
		learn_yaml_said(t, s->certificate, SAID);
	}
	text_printf(t, "%s%s: ", a == NULL ? "" : ", app ", a == NULL ? "" : a->name);
	learn_yaml_said(t, f->address, SAID);
	text_printf(t, ", last %s, e.g. %s\n", when_format(f->last, at), f->id);
}

static void
write_all_findings(const struct learn *l, struct text *t)
{
	size_t of_reason = 0;

	for (size_t i = 0; i < l->n_findings; i++) {
		const struct learn_finding *f = &l->findings[i];

		if (i == 0 || strcmp(f->reason, l->findings[i - 1].reason) != 0) {
			if (of_reason > LISTED_MAX)
				text_printf(t, "#   and %zu more\n", of_reason - LISTED_MAX);
			text_add(t, "# ");
			learn_yaml_said(t, f->reason, SAID);
			text_printf(t, ": %s\n", meaning_of(f->reason));
			of_reason = 0;
		}
		if (of_reason++ < LISTED_MAX)
			write_finding(l, f, t);
	}
	if (of_reason > LISTED_MAX)
		text_printf(t, "#   and %zu more\n", of_reason - LISTED_MAX);
}

static void
write_refused(const struct learn *l, struct text *t)
{
	if (l->n_refused > 0)
		text_printf(t, "# Refused when it came, %llu in all, and no evidence for anything here:\n",
			    (ull)l->n_refusals);
	for (size_t i = 0; i < l->n_refused && i < LISTED_MAX; i++) {
		const struct learn_refused *r = &l->refused[i];

		text_printf(t, "#   %8llu  ", (ull)r->count);
		learn_yaml_said(t, r->client, SAID);
		if (r->login[0] != '\0') {
			text_add(t, ", login ");
			learn_yaml_said(t, r->login, SAID);
		}
		text_add(t, ": ");
		learn_yaml_said(t, r->reason, SAID);
		text_add(t, ", sender ");
		learn_yaml_said(t, r->sender[0] == '\0' ? "<>" : r->sender, SAID);
		text_printf(t, ", e.g. %s\n", r->id);
	}
	if (l->n_refused > LISTED_MAX)
		text_printf(t, "#   and %zu more kinds\n", l->n_refused - LISTED_MAX);
}

void
learn_write_findings(const struct learn *l, struct text *t)
{
	struct learn_sums s = learn_sum(l);

	text_add(t, "\n# Not granted. By what is above, this mail is refused once its app is enforced, or unknown\n"
		 "# clients are refused:\n");
	if (l->n_findings == 0)
		text_add(t, "#   nothing was found\n");
	write_all_findings(l, t);
	write_refused(l, t);
	if (s.beyond + l->beyond_sources + l->beyond_findings + l->beyond_refused > 0)
		text_printf(t, "# Beyond what is kept apart: %llu messages with more than %u senders of one client,\n"
			    "# %llu of more than %u clients, %llu not granted and %llu refused ones beyond %u kinds.\n",
			    (ull)s.beyond, LEARN_SENDERS_OF_SOURCE, (ull)l->beyond_sources, LEARN_SOURCES_MAX,
			    (ull)l->beyond_findings, (ull)l->beyond_refused, LEARN_FINDINGS_MAX);
}
