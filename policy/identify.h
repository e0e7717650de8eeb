/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which app a client is, and which of its tenants a sender selects. Pure.
 */
#ifndef POSTERN_POLICY_IDENTIFY_H
#define POSTERN_POLICY_IDENTIFY_H

#include "policy/message.h"

/* Sets m->app (first match in file order) and m->mode, or refuses with
 * unknown-client or identity-conflict. */
void identify_app(struct message *m);

/* Sets m->tenant from the envelope sender's domain (settled rule: the domain
 * selects which of the app's tenants), or the app's one tenant; and m->mode to
 * the tenant's where the app has none of its own. */
void identify_tenant(struct message *m);

/* Whether the app's clients, logins or certificates match; an empty list
 * matches anything, but an app without logins only sessions without one. */
bool identify_matches(const struct app *a, const struct client *c);

#endif
