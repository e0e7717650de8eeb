/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The daemon's side of operator.h: reads what was asked. The file is only read,
 * and a writer in it is never waited for: what cannot be read now is read a
 * moment later. On the writer's thread. For files of sql/ only.
 */
#ifndef POSTERN_SQL_REQUESTS_H
#define POSTERN_SQL_REQUESTS_H

#include <stddef.h>

#include "base/arena.h"
#include "sql/db.h"
#include "sql/operator.h"

/* Where requests for the store of this URL are kept, as a URL; the caller frees it.
 * NULL when memory is short. */
char *requests_url(const char *url);

struct requests;

/* NULL when memory is short. */
struct requests *requests_new(const char *url);
void requests_free(struct requests **r);

/* Reads those that were not read before, the oldest first, at most some hundreds;
 * they live until the next call. None where there is no file, or it is not to be
 * read just now. */
struct operator_request *requests_read(struct requests *r, size_t *n_r);

/* What was read last is taken up: it is not read again. */
void requests_done(struct requests *r);

/* What is wrong with the file (static) when requests_read() could not read it for
 * another reason than a writer in it, otherwise NULL. */
const char *requests_error(const struct requests *r);

/* The columns of a query in the order id, time, who, what, limit_name, key, amount,
 * until, message_id, scope, unit, period, as a request; its strings are in the arena. */
struct operator_request requests_row(struct db_query *q, struct arena *arena);

#endif
