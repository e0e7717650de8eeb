/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Refusals of a batch that a server may have committed although the connection was
 * lost. They are counts that come again, for nobody knows; if it turns out that they
 * are there, so much is left out of what is counted next. For postgres.c only.
 */
#ifndef POSTERN_SQL_DOUBT_H
#define POSTERN_SQL_DOUBT_H

#include "sql/store-private.h"

struct doubt;

struct doubt *doubt_new(void);
void doubt_free(struct doubt **d);

/* How much of a count is to be added in the present transaction, which doubt_keep(),
 * doubt_undo() or doubt_settle() ends. */
uint64_t doubt_left(struct doubt *d, const struct refusal_delta *r);
void doubt_keep(struct doubt *d);
void doubt_undo(struct doubt *d);

/* The present transaction may have been committed or not. `refusals`: of it, those that
 * come again in any case; copied. What memory has no room for may count twice. */
void doubt_open(struct doubt *d, const struct refusal_delta *refusals, size_t n);
/* Now it is known. */
void doubt_settle(struct doubt *d, bool was_done);

#endif
