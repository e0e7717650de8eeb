/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Windows in memory: one per counter (scope, unit, period, key). The writer's
 * thread changes them; peek reads them from any thread. Changes of a batch
 * are kept by usage_keep() or taken back by usage_undo().
 */
#ifndef POSTERN_SQL_USAGE_H
#define POSTERN_SQL_USAGE_H

#include <stddef.h>

#include "base/charge.h"
#include "base/window.h"

struct usage;

/* What is stored with a counter beside its use; times are of the limits' clock. */
struct counter_state {
	uint64_t waiting;         /* held messages that wait for it */
	uint64_t boost;           /* added to its count ... */
	int64_t boost_until;      /* ... until then */
	int64_t changed_time;     /* when an operator last changed it, 0: never */
	int64_t near_time;        /* of its last event of this kind, 0: none */
	int64_t reached_time;
	int64_t freed_time;
	uint64_t need;            /* reached: it is free when so many units more fit; 0: not reached */
};

struct counter {
	struct counter *next;
	struct counter *next_touched;
	bool touched;
	int64_t limit_id;         /* the backend's key; 0: not known to its present file */
	struct counter_state state;
	struct window window;
	int64_t limit_id_before;  /* as they were before this batch */
	struct counter_state state_before;
	struct window before;
	uint64_t epoch;           /* of usage_detach() when it was last found; the first is 1 */
	uint64_t known;           /* the same, when it was last loaded; 0: never */
	uint64_t known_before;
	uint64_t chosen;          /* the backend's: to be loaded in its choice of this number */
	int64_t blocked;          /* the grant in which it had no room for an older message */
	uint64_t blocked_from;    /* and for those from whom so much or more is held back */
	enum unit unit;
	uint32_t period;
	uint32_t hash;
	char *scope;
	char *key;
};

struct usage *usage_new(void);
void usage_free(struct usage **u);

/* Finds the counter of a charge, or makes an empty one. While its limit_id is 0
 * it must be given to usage_load() before it is used. Writer only. NULL when
 * memory is short. The counter stays until usage_keep() or usage_undo(). */
struct counter *usage_find(struct usage *u, const struct charge *c);

/* The same for the counter of the charge's i-th reserve; *as_r is the charge that
 * names it, to load it by. It must be done for all reserves of all charges before
 * usage_weigh() is given their counters. */
struct counter *usage_find_sibling(struct usage *u, const struct charge *c, size_t i, struct charge *as_r);

/* Room for the counters of n charges, kept by u; the next call may move it.
 * Writer only. NULL when memory is short. */
struct counter **usage_room(struct usage *u, size_t n);

/* For a store that forgets: the counters of n charges, in usage_room(). They and
 * their siblings hold what there is to know. NULL when memory is short. */
struct counter **usage_find_all(struct usage *u, const struct charge *charges, size_t n);

/* Joins what the database holds to what is known: per slot the larger. */
void usage_load(struct usage *u, struct counter *c, int64_t limit_id, const struct window *w,
		const struct counter_state *state);

/* Takes what the database holds in place of what is known. */
void usage_set(struct usage *u, struct counter *c, int64_t limit_id, const struct window *w,
	       const struct counter_state *state);

/* Takes this state in place of what is known. */
void usage_set_state(struct usage *u, struct counter *c, const struct counter_state *state);

/* Nothing of it is used any more. */
void usage_empty(struct usage *u, struct counter *c);

/* Whether the counter of a charge is in memory as it was when an operator changed it then. */
bool usage_knows(struct usage *u, const struct charge *c, int64_t changed_time);

/* From when on an event of a counter may be told again, after one of its kind. Any thread. */
void usage_quiet(struct usage *u, int64_t quiet_ms);

/* One more or fewer held message waits for it. */
void usage_wait(struct usage *u, struct counter *c, int change);

/* Fills used, exceeded and retry_ms of each charge, and unspent of its reserves.
 * counters: as found, their siblings too; or NULL for a hint from what is there:
 * what is not is unused, and a reserve whose counter is not, or was loaded before
 * that of its charge, holds nothing back, so that a hint is never too strict.
 * Charges of one counter add up. */
void usage_weigh(struct usage *u, struct counter *const *counters, struct charge *charges,
		 size_t n, int64_t now_ms);

/* Adds to a counter; the slot's sum afterwards. */
uint64_t usage_add(struct usage *u, struct counter *c, int64_t now_ms, uint64_t amount);

/* The same at a time that may be past: false when nothing of it counts any more. */
bool usage_add_late(struct usage *u, struct counter *c, int64_t time_ms, uint64_t amount, uint64_t *sum_r);

void usage_keep(struct usage *u, int64_t now_ms);
void usage_undo(struct usage *u);

/* Forgets which limit_id these counters have (ascending): their rows are deleted,
 * for nothing of them is used any more. */
void usage_forget(struct usage *u, const int64_t *limit_ids, size_t n);

/* Forgets which limit_id the counters have, not what was used: the backend's
 * file is another one now. */
void usage_detach(struct usage *u);

#endif
