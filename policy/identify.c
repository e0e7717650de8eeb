/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See identify.h.
 */
#include "policy/identify.h"

#include "base/text.h"

static bool
client_matches(const struct app *a, const struct client *c)
{
	if (c->local)
		return a->local;
	if (c->ip.family == NETWORK_NONE)
		return false;
	for (size_t i = 0; i < a->n_clients; i++)
		if (network_contains(&a->clients[i], &c->ip))
			return true;
	return false;
}

static bool
any_glob(const char *const *globs, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (text_glob(globs[i], s))
			return true;
	return false;
}

/* An app without logins matches sessions without one; "*" matches both. */
static bool
login_matches(const struct app *a, const struct client *c)
{
	if (a->n_logins == 0)
		return c->login[0] == '\0';
	return any_glob(a->logins, a->n_logins, c->login);
}

static bool
certificate_matches(const struct app *a, const struct client *c)
{
	const char *const said[] = {c->cert_subject, c->cert_issuer, c->cert_fingerprint};

	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
		if (said[i][0] != '\0' && any_glob(a->certificates, a->n_certificates, said[i]))
			return true;
	return false;
}

bool
identify_matches(const struct app *a, const struct client *c)
{
	bool names_clients = a->n_clients > 0 || a->local;

	if (names_clients && !client_matches(a, c))
		return false;
	if (!login_matches(a, c))
		return false;
	if (a->n_certificates > 0 && !certificate_matches(a, c))
		return false;
	return names_clients || a->n_logins > 0 || a->n_certificates > 0;
}

/* Whether the session's login or certificate is one that this app names. */
static bool
proof_is_of(const struct app *a, const struct client *c)
{
	return (c->login[0] != '\0' && a->n_logins > 0 && login_matches(a, c)) ||
	       certificate_matches(a, c);
}

/* Two apps of which one owns the address and the other the proof. */
static bool
find_conflict(const struct message *m, const struct app **by_client_r, const struct app **by_proof_r)
{
	const struct policy *p = m->policy;

	*by_client_r = *by_proof_r = NULL;
	for (size_t i = 0; i < p->n_apps; i++) {
		const struct app *a = &p->apps[i];

		if (*by_client_r == NULL && client_matches(a, m->client))
			*by_client_r = a;
		if (*by_proof_r == NULL && proof_is_of(a, m->client))
			*by_proof_r = a;
	}
	return *by_client_r != NULL && *by_proof_r != NULL && *by_client_r != *by_proof_r;
}

static void
no_app(struct message *m)
{
	const struct app *by_client, *by_proof;

	if (find_conflict(m, &by_client, &by_proof)) {
		trace_add(&m->trace, "mail", "app", ANSWER_NO, "address of %s, login or certificate of %s",
			  by_client->name, by_proof->name);
		message_refuse(m, "identity-conflict",
			       "%s: the client address belongs to app %s, the login or certificate to app %s; "
			       "they must belong to one", message_who(m), by_client->name, by_proof->name);
		return;
	}
	trace_add(&m->trace, "mail", "app", ANSWER_NO, "%s",
		  m->policy->unknown == NULL ? "no app matches" : "no app matches, taken as an unknown client");
	m->app = m->policy->unknown;
	if (m->app == NULL || m->app->mode == MODE_MONITOR) {
		if (m->app != NULL)
			m->mode = MODE_MONITOR;
		message_refuse(m, "unknown-client", "%s matches no app of this relay; "
			       "the mail admin can add it to the policy", message_who(m));
	}
}

void
identify_app(struct message *m)
{
	for (size_t i = 0; i < m->policy->n_apps; i++) {
		const struct app *a = &m->policy->apps[i];

		if (identify_matches(a, m->client)) {
			m->app = a;
			m->mode = a->mode;
			trace_add(&m->trace, "mail", "app", ANSWER_YES, "%s, method %s", a->name,
				  method_facts(a->method)->name);
			return;
		}
	}
	no_app(m);
}

/* The app's own mode, else that of the message's tenant, which can put unknown
 * clients on trial but not end a trial of theirs. */
static void
choose_mode(struct message *m)
{
	if (m->tenant == NULL || m->app->has_mode)
		return;
	if (!m->app->is_unknown || m->tenant->mode == MODE_MONITOR)
		m->mode = m->tenant->mode;
}

void
identify_tenant(struct message *m)
{
	const struct accepted_domain *d;

	d = m->sender.is_null ? NULL : policy_domain(m->policy, m->sender.domain);
	if (m->app == NULL) {
		m->tenant = d == NULL ? NULL : d->tenant;
		return;
	}
	for (size_t i = 0; i < m->app->n_tenants; i++)
		if (d != NULL && d->tenant == m->app->tenants[i])
			m->tenant = d->tenant;
	if (m->tenant == NULL && m->app->n_tenants == 1)
		m->tenant = m->app->tenants[0];
	choose_mode(m);
}
