/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the readers: read.c, read_held.c. For those only.
 */
#ifndef POSTERN_SQL_READ_PRIVATE_H
#define POSTERN_SQL_READ_PRIVATE_H

#include "sql/backend-private.h"

struct reader {
	struct db *db;
};

/* The connection, with the time anew that a server has for one call. */
struct db *reader_db(struct reader *r);

#endif
