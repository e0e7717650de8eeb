/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a relay granted by itself is reported to the database that it shares, and
 * deleted from its own file. On the writer's thread. For files of sql/ only.
 *
 * Each step is a transaction there and then one here; a process that dies between
 * the two repeats the step. A message is added once, for its id is its own; refusals,
 * which are counts, are first moved into a table of those that are being reported,
 * under a number that the database remembers.
 */
#ifndef POSTERN_SQL_REPORT_H
#define POSTERN_SQL_REPORT_H

#include "sql/backend-private.h"

struct report {
	struct backend *local, *main;
	const char *local_url;
	uint64_t messages;        /* how many were reported */
};

/* Within a transaction of the file: gives it a name, or finds the one it has. *is_ours_r is false where
 * it has none and holds messages: it is an audit of another kind, and nothing of it is to be reported. */
enum db_result report_claim(struct backend *local, bool *is_ours_r);

/* Reports some rows. 1: there may be more; 0: there is nothing left; -1, or STORE_AWAY where
 * the shared database is away, with a static text. */
int report_step(struct report *r, const char **error_r);

/* Within a transaction of the file: keeps what the whole limits say of a message that was
 * granted by their shares, or not. `whole`: its charges before they were made shares. */
enum db_result report_keep(struct backend *local, const struct admit *a, const struct charge *whole);

#endif
