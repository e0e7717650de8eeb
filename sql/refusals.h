/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Refusals are counted here by kind until the writer takes the counts.
 */
#ifndef POSTERN_SQL_REFUSALS_H
#define POSTERN_SQL_REFUSALS_H

#include "sql/store-private.h"

struct refusals;

struct refusals *refusals_new(void);
void refusals_free(struct refusals **r);

/* See store_refuse(). Any thread. */
struct id refusals_count(struct refusals *r, const struct refusal *what, bool *is_new_r);

/* Hands out up to max counts to be written; they stay valid until refusals_done(). */
size_t refusals_take(struct refusals *r, struct refusal_delta *deltas, size_t max);

/* Ends what refusals_take() began; what was not written counts again. */
void refusals_done(struct refusals *r, bool is_written, int64_t now_ms);

#endif
