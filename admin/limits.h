/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The limits of a policy as the store has them: limits.c is the command,
 * limits_collect.c joins policy and store, limits_print.c shows, limits_act.c asks
 * the daemon, limits_find.c finds what a person names.
 */
#ifndef POSTERN_ADMIN_LIMITS_H
#define POSTERN_ADMIN_LIMITS_H

#include "base/arena.h"
#include "base/text.h"
#include "policy/policy.h"
#include "sql/store.h"

/* Those who spend most of a counter. */
#define LIMITS_SPENDERS 3

struct limits_spender {
	const char *name;
	uint64_t amount;
};

/* A share of a tenant's budget. */
struct limits_reserve {
	const char *app;
	uint64_t amount, used;
};

/* A counter of a limit. Times are milliseconds from now. */
struct limits_row {
	const struct limit *limit;
	const char *key;          /* "" for the limit as a whole */
	uint64_t count;           /* of today, without the boost */
	uint64_t boost;
	int64_t boost_until;      /* wall time; 0: no boost */
	uint64_t used, left;
	uint64_t held_back;       /* of what is left: for others */
	uint64_t kept;            /* of that, for critical apps */
	uint64_t waiting;
	bool is_near, is_reached; /* as the last event says */
	int64_t next_ms;          /* until some of what is used comes back; -1: nothing is used */
	int64_t free_ms;          /* until all of it has */
	int64_t spent_ms;         /* until it is spent at this pace; -1: never, 0: it is */
	struct limits_reserve *reserves;
	size_t n_reserves;
	const char *by;           /* "app", "sender", "client" */
	struct limits_spender spender[LIMITS_SPENDERS];
	size_t n_spenders;
	uint64_t others;          /* what the rest of them spent */
	size_t more;              /* counters of its limit that are not among the rows, with the last one */
};

struct limits {
	struct arena *arena;      /* of all but the rows' limits */
	int64_t now;              /* wall time */
	struct limits_row *rows;  /* in the order of the policy; of a limit per key the fullest first */
	size_t n_rows;
};

/* What to read. */
struct limits_query {
	const struct policy *policy;
	struct store_reader *reader;
	const char *app;          /* what concerns this app alone; "" for all */
	const char *limit, *key;  /* the counter of these alone; limit "" and key NULL for all */
	int keys;                 /* of a limit per key so many counters; the others are counted; 0: all */
	bool near_only;           /* those that are near or reached; with `keys`, of the fullest of a limit */
	bool without_spenders;    /* of none of them: the rows of the audit are not read */
	bool with_spenders;       /* also of limits that are less than half full: each costs a walk through its messages */
};

/* NULL with a static text. */
struct limits *limits_read(const struct limits_query *q, const char **error_r);
void limits_free(struct limits **l);

/* Calls `each` for every limit of the policy, tenants first; a result other than 0 ends it. */
int limits_each(const struct policy *p, int (*each)(void *context, const struct limit *l), void *context);

/* Prints the table, at most `width` columns where lines can be broken. */
void limits_print(const struct limits *l, int width, bool is_colored, struct text *t);
/* 0, or -1 when memory is short. */
int limits_print_json(const struct limits *l, bool is_pretty, struct text *t);

/* 187.2M for bytes, plain otherwise. */
const char *limits_amount(enum unit unit, uint64_t n, char buf[32]);

/* What a person named: a limit of the policy and one of its counters. */
struct limits_named {
	const struct limit *limit;
	const char *key;          /* as stored; in the arena */
};

/* `owner`: an app, a tenant or a method ("app:crm" where that could be two of them); `name`: the
 * limit with or without its owner; `key`: NULL for none. 0, or -1 with a text that says what was
 * expected. */
int limits_find(const struct policy *p, const char *owner, const char *name, const char *key, struct arena *a,
		struct limits_named *r, char *error_r, size_t error_size);

/* reset, boost, unboost, boosts: with the words behind it. The exit status. */
bool limits_is_act(const char *word);
int limits_act(const struct policy *p, int argc, char **argv, bool json);

#endif
