/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A charge: one limit that one message is held against. Made by policy/limit,
 * weighed by the store. Plain data; strings are borrowed from the message.
 *
 * Of a limit's count a part may be reserved for others: its counter has siblings
 * (same scope, unit and period, another key) that count what each of those has
 * spent of it, and what they have not spent is held back from this message. Their
 * own messages bring a charge to the sibling, a tally, beside the one to the limit.
 */
#ifndef POSTERN_BASE_CHARGE_H
#define POSTERN_BASE_CHARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* What is reserved beside a charge's counter. */
struct charge_reserve {
	const char *key;       /* of the sibling, "app=billing" */
	const char *name;      /* of the sibling, "contoso/external-recipients-per-day-per-app" */
	uint64_t amount;

	/* Filled by store_peek() and store_admit(). */
	uint64_t unspent;      /* of the amount: this is held back */
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

	/* What of the count is not for this message. */
	uint64_t kept;         /* always, whatever is used; at most the count */
	struct charge_reserve *reserves; /* as far as they are not spent */
	size_t n_reserves;

	/* It counts what one app spends of the limit, whose reserve is `count`. It is no
	 * limit of its own: never exceeded, and only the counter is of use. */
	bool tally;

	/* Set by store_peek() and store_admit() where the database is away and each relay grants
	 * its share: count is that share, of so many; 0: count is all there is. */
	uint64_t whole;

	/* Filled by store_peek() and store_admit(). */
	uint64_t used;         /* in the last period, before this message */
	uint64_t boost;        /* what an operator has added to count for now; see charge_count() */
	uint64_t waiting;      /* over is hold: held messages before this one, which stand in its way */
	bool exceeded;         /* used + amount + what is held back > charge_count(), or others wait */
	int64_t retry_ms;      /* when exceeded: milliseconds until it would fit; -1: never */
	bool charged;          /* as store_reader_messages() finds it: at once, or when held mail was let go */
	bool is_told;          /* that the counter was reached is an event already, or not to be one now */
};

/* How many units there are per period at present. */
static inline uint64_t
charge_count(const struct charge *c)
{
	return c->count > UINT64_MAX - c->boost ? UINT64_MAX : c->count + c->boost;
}

/* What is held back from a weighed charge. */
static inline uint64_t
charge_held(const struct charge *c)
{
	uint64_t held = c->kept;

	for (size_t i = 0; i < c->n_reserves; i++)
		held = c->reserves[i].unspent > UINT64_MAX - held ? UINT64_MAX : held + c->reserves[i].unspent;
	return held;
}

/* Whether a key that was stored is that of a tally; no limit has such a key. */
static inline bool
charge_is_tally_key(const char *key)
{
	return strncmp(key, "app=", 4) == 0;
}

/* The counter of a reserve, as a charge that adds nothing names it. */
static inline struct charge
charge_sibling(const struct charge *c, size_t i)
{
	return (struct charge){
		.scope = c->scope, .unit = c->unit, .period = c->period, .key = c->reserves[i].key,
		.name = c->reserves[i].name, .count = c->reserves[i].amount, .over = OVER_OBSERVE, .tally = true,
	};
}

/* Whether a charge stands in the way of the message. */
static inline bool
charge_stops(const struct charge *c)
{
	return c->exceeded && c->enforced && c->over != OVER_OBSERVE;
}

#endif
