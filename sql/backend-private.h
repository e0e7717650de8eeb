/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the backends over db.h share, and the files that write their rows:
 *     sqlite.c  postgres.c  open, transactions, the limits' time
 *     rows.c                messages, charges, refusals, policies
 *     hours.c               the traffic of each hour, added up
 *     held.c                mail that waits
 *     acts.c                what operators asked for
 *     boosts.c              what they did to a counter
 *     prune.c               what is older than is kept
 *     events.c              what happens to limits
 *     read.c                the readers
 *     deliveries.c          what became of the mail, written by another process than posternd
 *     schema.c              versions of the tables
 *     connector.c           connections to a server
 * All on the writer's thread, or before it starts; read.c has connections of its own.
 */
#ifndef POSTERN_SQL_BACKEND_PRIVATE_H
#define POSTERN_SQL_BACKEND_PRIVATE_H

#include <stdatomic.h>

#include "base/text.h"
#include "sql/db.h"
#include "sql/requests.h"
#include "sql/store-private.h"
#include "sql/usage.h"

enum statement {
	MESSAGE, RECIPIENT, SIGNATURE, CHARGE, RULE, POLICY_RULE, REFUSAL, LIMIT_FIND, LIMIT_NEW, LIMIT_COUNT,
	USE_READ, USE_WRITE, USE_PRUNE, OLD_MESSAGES, DROP_MESSAGE, DROP_RECIPIENTS, DROP_SIGNATURES,
	DROP_CHARGES, DROP_RULES, DROP_REFUSALS, FREE_LIMITS, LOCK_LIMIT, DROP_USE, DROP_LIMIT, ROLLBACK,
	HELD_NEW, HELD_CHARGE, HELD_COUNT, HELD_QUEUE, HELD_OLDEST, HELD_CHARGES, HELD_GRANT, HELD_GRANTED, HELD_CHARGED,
	HELD_OUT, HELD_STATE, HELD_SET, DROP_HELD, DROP_HELD_CHARGES, HELD_ANY, ACT_NEW, ACT_RESULT, DROP_ACTS,
	EVENT_NEW, EVENT_STATE, EVENT_LOOK, EVENT_LAST, EVENT_LATER, EVENT_NEXT, DROP_EVENTS,
	BOOST_SET, LIMIT_CHANGED, LIMITS_CHANGED, TALLIES, HOURS_ADD, DROP_HOURS, TIMING_ADD,
	STATEMENTS
};

struct flood;
struct hours;
struct served;

struct backend {
	struct db *db;            /* NULL: must be opened anew */
	struct db_query *query[STATEMENTS];
	struct store_options options;
	struct usage *usage;
	int64_t now;              /* the limits' time of this transaction, milliseconds */
	int64_t free_after;       /* the counter that prune.c last looked at */
	bool may_wait;            /* held messages of this relay may be waiting */
	int64_t grants;           /* how often held.c looked for some to let go */
	int n_queues;             /* in which they waited then */
	int64_t queue_limit;      /* the queue to go on behind, 0: from the first */
	char *queue_app;
	struct served *served;    /* held.c: when each queue was served */
	size_t n_served;
	int64_t stamps;
	/* Loads what many charges need at once; NULL where it is loaded one by one. */
	enum db_result (*load_all)(struct backend *b, const struct charge *charges, size_t n);
	_Atomic uint64_t near_percent;
	_Atomic int64_t quiet_ms;
	int64_t free_next;        /* when some counter may be free again, of the limits' clock; INT64_MAX: none */
	struct flood *floods;
	int64_t followed;         /* when boosts.c last looked at what others changed, 0: never */
	/* One transaction: begins, calls `work`, commits. 0, -1 or STORE_AWAY with a static text. Not
	 * within another. */
	int (*transaction)(struct backend *b, enum db_result (*work)(struct backend *b, void *context), void *context,
			   const char **error_r);
	/* The limits' time now, outside of transactions. */
	int64_t (*limit_now)(const struct backend *b);
	/* Called within its transaction for each message that was written; NULL for nothing. */
	enum db_result (*admitted)(struct backend *b, const struct admit *a);
	/* How much of a count of refusals is still to be added; NULL: all of it. */
	uint64_t (*uncounted)(struct backend *b, const struct refusal_delta *d);
	bool tells_nothing;       /* no events: its limits are not whole ones */
	struct hours *hours;
	bool is_shared;           /* others write this database too: what it holds counts, not memory */
};

/* Prepares the statements: 0, or -1 (db_error()). */
int backend_prepare(struct backend *b);

/* Closes the database; what memory knows of the limits stays, and is joined to
 * what is found when it is open again. */
void backend_close(struct backend *b);

/* Ends a transaction that failed. */
void backend_roll_back(struct backend *b);

/* All rows of a batch, within a transaction that the caller begins and ends. */
enum db_result rows_write(struct backend *b, const struct batch *batch);

/* Weighs charges, whose counters it finds and, where need be, loads, into counters[n].
 * What concerns these charges alone goes into *error_r. */
enum db_result rows_weigh(struct backend *b, struct counter **counters, struct charge *charges, size_t n,
			  const char **error_r);
/* The columns of a limit's state, and these columns of a row, but for who waits. */
#define STATE_COLUMNS "boost, boost_until, near_time, reached_time, freed_time, need, changed_time"
void rows_read_state(struct db_query *q, int column, struct counter_state *s);

/* Adds a charge to its counter. */
enum db_result rows_charge(struct backend *b, struct counter *k, const struct charge *c);
/* The same, of a message from an earlier time of the limits' clock: it counts for that time. */
enum db_result rows_charge_late(struct backend *b, struct counter *k, const struct charge *c, int64_t time);

/* A message that was admitted elsewhere, with its parts and its charges as they were weighed
 * there; no counter moves. DB_CONSTRAINT: it is recorded already. */
enum db_result rows_add(struct backend *b, const struct admit *a);
/* Both add to the roll-ups: hours_begin() before the first, hours_write() after the last. */
enum db_result rows_refusal(struct backend *b, const struct refusal_delta *d);
/* Takes a message out of the roll-ups, before it is removed. Likewise. */
enum db_result rows_uncount(struct backend *b, const char *id);

/* Removes a message with its parts. */
enum db_result prune_message(struct backend *b, const char *id);

/* Notes that the MTA holds this message since then. `counters`: of its charges. */
enum db_result held_add(struct backend *b, const struct admit *a, struct counter *const *counters, int64_t held_time);

/* The relay after this one, "" being before all, that holds or held mail; "" when it was the last. */
#define HELD_RELAY_SIZE 256
enum db_result held_next_relay(struct db *db, char relay[HELD_RELAY_SIZE]);

/* The store is one relay's alone: what it holds under an earlier name is held under the present
 * one. Outside of a transaction. 0, or -1. */
int held_adopt(struct backend *b);

/* Frees what held.c remembers. */
void held_free(struct backend *b);

/* Whether held_grant() has something to do. */
bool held_may_wait(const struct backend *b);

/* Lets those of the waiting messages of this relay go for which there is room. */
enum db_result held_grant(struct backend *b);

/* What requests about held mail do: rows of the table in acts.c. */
enum db_result held_act_release(struct backend *b, const struct operator_request *r, struct text *result);
enum db_result held_act_confirm(struct backend *b, const struct operator_request *r, struct text *result);

/* Requests take effect, those that did so before aside. Within a transaction, before held_grant(). */
enum db_result acts_apply(struct backend *b, const struct operator_request *requests, size_t n);
/* Notes messages that were let through unrecorded, as an act of this relay. */
enum db_result acts_unrecorded(struct backend *b, const struct unrecorded *u);
/* For the functions of the table: the request does nothing; `why` is for the one who asked. */
void acts_refuse(struct text *result, const char *why);
/* How long acts are kept beyond the audit, milliseconds; confirmations, of which there are
 * as many as messages, only for a while. */
#define ACTS_KEPT_MS (INT64_C(60) * 86400000)
#define CONFIRMATIONS_KEPT_MS INT64_C(3600000)
/* How long roll-ups are kept, or as long as the audit where that is longer. */
#define HOURS_KEPT_MS (INT64_C(400) * 86400000)

/* Wall time of the store's clock. */
int64_t backend_wall_ms(const struct backend *b);
/* What requests about a counter do, likewise. */
enum db_result boosts_act_reset(struct backend *b, const struct operator_request *r, struct text *result);
enum db_result boosts_act_boost(struct backend *b, const struct operator_request *r, struct text *result);
enum db_result boosts_act_unboost(struct backend *b, const struct operator_request *r, struct text *result);

/* Whether it is time, by the limits' clock, to look what others changed, and at first which
 * counters have a boost; and that. They are loaded, for what is not would be weighed without. */
bool boosts_due(const struct backend *b, int64_t now);
enum db_result boosts_follow(struct backend *b);

/* What a message did to its limits, told; see events.c. `counters`: of its charges. */
enum db_result events_admitted(struct backend *b, const struct admit *a, struct counter *const *counters);
enum db_result events_granted(struct backend *b, const struct charge *charges, size_t n,
			      struct counter *const *counters, const struct cause *cause);
enum db_result events_refused(struct backend *b, const struct reached *r);

/* Whether events_free_again() has something to do at this time of the limits' clock. */
bool events_due(struct backend *b, int64_t now);

/* Tells which counters that were reached are free again. */
enum db_result events_free_again(struct backend *b);

void events_free(struct backend *b);

/* See store_notify(); any thread. */
void backend_notify(void *backend, uint64_t near_percent, int64_t quiet_ms);

/* Until store_notify() says otherwise. */
#define NEAR_PERCENT 80
#define QUIET_MS 3600000

/* What nobody waits for: whether there may be something, at this time of the limits' clock;
 * and all of it, within a transaction. */
bool backend_may_tend(struct backend *b, int64_t now);
enum db_result backend_tend(struct backend *b);

/* Likewise: see struct store_ops.prune; *n_r: how many were deleted. */
enum db_result prune_rows(struct backend *b, int64_t before_ms, int max, int *n_r);

/* Says a line to admins. */
void backend_say(const struct backend *b, bool is_error, const char *line);

/* Brings the tables to this version of Postern, or finds that they are of a
 * newer one: NULL, or what is wrong (static). */
const char *schema_migrate(struct db *db);
/* For a reader: NULL, or why it cannot read these tables. */
const char *schema_check(struct db *db);

#endif
