/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Connects to a server in a thread of its own, again and again while it is away,
 * so that nobody waits for one that is not there. For files of sql/ only.
 */
#ifndef POSTERN_SQL_CONNECTOR_H
#define POSTERN_SQL_CONNECTOR_H

#include "sql/db.h"

struct connector;

/* Begins to connect at once. NULL when memory or threads are short. */
struct connector *connector_new(const char *url);

/* Ends it; a try that is under way is waited for a few seconds, and then left to
 * itself. Sets *c to NULL. */
void connector_free(struct connector **c);

/* A connection with tables of this version, the caller's from now on; it is waited for
 * up to `ms` milliseconds, or until a try has failed. NULL: none so far, with why; it
 * goes on trying. One thread at a time. */
struct db *connector_take(struct connector *c, int64_t ms, struct db_failure *failure_r);

/* The server is there, but does not do what it is asked: no new try for so long. */
void connector_rest(struct connector *c, int64_t ms);

#endif
