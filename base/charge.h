/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A charge: one limit that one message is held against. Made by policy/limit,
 * weighed by the store. Plain data; strings are borrowed from the message.
 */
#ifndef POSTERN_BASE_CHARGE_H
#define POSTERN_BASE_CHARGE_H

#include <stdbool.h>
#include <stdint.h>

/* What a limit counts. The order is stored: never renumber. */
enum unit {
	UNIT_MESSAGES,
	UNIT_RECIPIENTS,
	UNIT_EXTERNAL_RECIPIENTS,
	UNIT_BYTES,
	UNIT_COUNT
};

/* What happens over the limit, the strongest last. */
enum over {
	OVER_OBSERVE,
	OVER_HOLD,
	OVER_DEFER,
	OVER_REJECT
};

struct charge {
	/* Identity of the counter: usage survives a change of count or over. */
	const char *scope;     /* "app:crm", "tenant:contoso", "method:smtp-auth" */
	enum unit unit;
	uint32_t period;       /* seconds, a multiple of 60 */
	const char *key;       /* "" for the scope as a whole, or "client=10.1.9.7" */

	const char *name;      /* derived: "crm/messages-per-minute" */
	uint64_t count;        /* N: how many units per period */
	uint64_t amount;       /* what this message adds */
	enum over over;
	bool enforced;         /* false in monitor mode: charged beyond N if need be */
	bool has_waited;       /* held mail whose turn it may be: nothing that waits stands before it */

	/* Filled by store_peek() and store_admit(). */
	uint64_t used;         /* in the last period, before this message */
	uint64_t waiting;      /* over is hold: held messages before this one, which stand in its way */
	bool exceeded;         /* used + amount > count, or others wait */
	int64_t retry_ms;      /* when exceeded: milliseconds until it would fit; -1: never (amount > count) */
};

/* Whether a charge stands in the way of the message. */
static inline bool
charge_stops(const struct charge *c)
{
	return c->exceeded && c->enforced && c->over != OVER_OBSERVE;
}

#endif
