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

#endif
