/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Limits: how an admin writes one, its derived name, which limits a message is
 * charged against, and what it means when one is hit. Pure.
 */
#ifndef POSTERN_POLICY_LIMIT_H
#define POSTERN_POLICY_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/charge.h"
#include "policy/budget.h"

enum limit_key {
	LIMIT_PER_SCOPE,        /* the app (or tenant) as a whole */
	LIMIT_PER_SENDER,
	LIMIT_PER_SENDER_DOMAIN,
	LIMIT_PER_LOGIN,
	LIMIT_PER_CLIENT,
	LIMIT_PER_RECIPIENT,
	LIMIT_PER_RECIPIENT_DOMAIN
};

struct limit {
	const char *scope;      /* "app:crm" */
	const char *name;       /* "crm/messages-per-minute" */
	uint64_t count;         /* of tenant-rate: what it comes to once the tenant is not young any more */
	const struct tenant_rate *rate; /* the count is "tenant-rate", of this tenant; NULL else */
	enum unit unit;
	uint32_t period;        /* seconds */
	enum limit_key key;
	enum over over;
	const char *tally;      /* of a budget limit: what the counters of its reserves are named; NULL of others */
	bool only_onmicrosoft;  /* built in: senders in *.onmicrosoft.com only */
};

/* Parses "COUNT UNIT/PERIOD [per KEY] [then ACTION]". `scope` is e.g.
 * "app:crm", and the name is derived from what follows its colon. The count
 * "tenant-rate" stands for what `rate` is on the day of a message, and is an
 * error where rate is NULL or not known; rate must live as long as the limit. 0,
 * or -1 with *column_r (1 is the first octet) and *error_r (in the arena) saying
 * what was expected. */
int limit_parse(struct arena *a, const char *text, const char *scope, const struct tenant_rate *rate,
		struct limit *r, size_t *column_r, const char **error_r);

/* The count on that day, in days since 1970 UTC. */
uint64_t limit_count(const struct limit *l, int64_t day);

/* Whether a limit of this count cannot be reached where never more than `most`
 * pass in any `seconds`: so many such windows cover its period. */
bool limit_is_above(const struct limit *l, uint64_t most, uint32_t seconds);

/* "messages", "recipients", "external-recipients", "bytes". */
const char *limit_unit_name(enum unit unit);
const char *limit_over_name(enum over over);

/* "sender": what stands before "=" in the keys of its counters; "app" for a limit
 * that has one counter alone, whose key is "". */
const char *limit_key_name(enum limit_key key);

/* "minute", "15-minutes", ...; in the arena, or static. */
const char *limit_period_name(struct arena *a, uint32_t seconds);

struct message;
struct recipient;
struct decision;

/* The charges of a message as it stands, in m->charges. Called again as more is
 * known. `only`: of the recipients, this one alone is held against limits per
 * recipient (it stands last in m->recipients); NULL: all of them. */
void limit_collect(struct message *m, const struct recipient *only);

/* What the weighed charges in m->charges amount to: limit:NAME with count, limit
 * and when to try again; reject beats defer beats hold. Makes it m's decision and
 * puts it into its trace; nothing when none is exceeded. */
void limit_decide(struct message *m);

/* Before the end of the message: whether a limit that does not hold or observe is
 * reached already by the weighed charges; then *d_r is the decision. Nothing is
 * held before the end; and a recipient too many (is_recipient) can go with the
 * next message, so that "never" does not apply to it. Changes m->charges. */
bool limit_is_reached(struct message *m, bool is_recipient, struct decision *d_r);

#endif
