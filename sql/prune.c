/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Deleting, in small steps, what is older than is kept.
 */
#include <stdio.h>

#include "sql/backend-private.h"

#define PRUNE_MAX 200

struct old {
	char id[PRUNE_MAX][27];
	int n;
};

enum db_result
prune_message(struct backend *b, const char *id)
{
	static const enum statement drops[] = {
		DROP_RECIPIENTS, DROP_SIGNATURES, DROP_CHARGES, DROP_RULES, DROP_HELD, DROP_HELD_CHARGES, DROP_MESSAGE,
	};
	enum db_result rc = DB_DONE;

	for (size_t k = 0; rc == DB_DONE && k < sizeof drops / sizeof drops[0]; k++) {
		int i = 0;

		db_bind_text(b->query[drops[k]], &i, id);
		rc = db_run(b->query[drops[k]]);
	}
	return rc;
}

/* What operators asked for. */
static enum db_result
prune_acts(struct backend *b, int64_t before_ms, int max)
{
	struct db_query *q = b->query[DROP_ACTS];
	int i = 0;

	db_bind_int(q, &i, before_ms - ACTS_KEPT_MS);
	db_bind_int(q, &i, backend_wall_ms(b) - CONFIRMATIONS_KEPT_MS);
	db_bind_int(q, &i, max);
	return db_run(q);
}

/* The oldest hour of the roll-ups, which are small: they stay for longer than the audit. */
static enum db_result
prune_hours(struct backend *b, int64_t before_ms)
{
	int64_t kept = backend_wall_ms(b) - HOURS_KEPT_MS;
	struct db_query *q = b->query[DROP_HOURS];
	int i = 0;

	db_bind_int(q, &i, before_ms < kept ? before_ms : kept);
	return db_run(q);
}

/* The messages from before the time, and the counted refusals. */
static enum db_result
prune_audit(struct backend *b, int64_t before_ms, int max, int *n_r)
{
	struct db_query *q = b->query[OLD_MESSAGES];
	struct old old = {.n = 0};
	enum db_result rc;
	int i = 0;

	db_bind_int(q, &i, before_ms);
	db_bind_int(q, &i, max);
	while ((rc = db_step(q)) == DB_ROW && old.n < PRUNE_MAX)
		snprintf(old.id[old.n++], sizeof old.id[0], "%s", db_text(q, 0));
	db_reset(q);
	for (int k = 0; rc == DB_DONE && k < old.n; k++)
		rc = prune_message(b, old.id[k]);
	if (rc != DB_DONE)
		return rc;
	q = b->query[DROP_REFUSALS];
	i = 0;
	db_bind_int(q, &i, before_ms);
	db_bind_int(q, &i, max);
	rc = db_run(q);
	*n_r = old.n + (rc == DB_DONE ? (int)db_changes(b->db) : 0);
	if (rc != DB_DONE)
		return rc;
	q = b->query[DROP_EVENTS];
	i = 0;
	db_bind_int(q, &i, before_ms);
	db_bind_int(q, &i, max);
	rc = db_run(q);
	*n_r += rc == DB_DONE ? (int)db_changes(b->db) : 0;
	if (rc == DB_DONE)
		rc = prune_acts(b, before_ms, max);
	return rc == DB_DONE ? prune_hours(b, before_ms) : rc;
}

/* Another relay may have used it meanwhile: it is looked at again under its lock. */
static enum db_result
drop_limit(struct backend *b, int64_t id)
{
	struct db_query *q = b->query[DROP_LIMIT];
	enum db_result rc = DB_DONE;
	int i = 0;

	if (b->query[LOCK_LIMIT] != NULL) {
		db_bind_int(b->query[LOCK_LIMIT], &i, id);
		rc = db_run(b->query[LOCK_LIMIT]);
	}
	if (rc != DB_DONE)
		return rc;
	i = 0;
	db_bind_int(q, &i, id);
	db_bind_int(q, &i, b->now);
	rc = db_step(q);
	db_reset(q);
	if (rc != DB_ROW)
		return rc;
	q = b->query[DROP_USE];
	i = 0;
	db_bind_int(q, &i, id);
	return db_run(q);
}

/* The next counters in turn: those of which nothing is used go, so that keys that
 * never come back (a recipient, a client) do not stay for ever. */
static enum db_result
prune_limits(struct backend *b, int max)
{
	struct db_query *q = b->query[FREE_LIMITS];
	int64_t free_ids[PRUNE_MAX];
	int i = 0, n = 0, n_free = 0;
	enum db_result rc;

	db_bind_int(q, &i, b->free_after);
	db_bind_int(q, &i, max);
	db_bind_int(q, &i, b->now);
	db_bind_int(q, &i, b->now - atomic_load(&b->quiet_ms));
	while ((rc = db_step(q)) == DB_ROW && n++ < PRUNE_MAX) {
		b->free_after = db_int(q, 0);
		if (db_int(q, 1) == 0)
			free_ids[n_free++] = b->free_after;
	}
	db_reset(q);
	if (n < max)
		b->free_after = 0; /* round again */
	usage_forget(b->usage, free_ids, (size_t)n_free);
	for (int k = 0; rc == DB_DONE && k < n_free; k++)
		rc = drop_limit(b, free_ids[k]);
	return rc;
}

enum db_result
prune_rows(struct backend *b, int64_t before_ms, int max, int *n_r)
{
	enum db_result rc = max > PRUNE_MAX ? DB_FAILED : prune_audit(b, before_ms, max, n_r);

	return rc == DB_DONE ? prune_limits(b, max) : rc;
}
