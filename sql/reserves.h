/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The reserves of a charge as one text, for held mail. For files of sql/ only.
 */
#ifndef POSTERN_SQL_RESERVES_H
#define POSTERN_SQL_RESERVES_H

#include "base/arena.h"
#include "base/charge.h"
#include "base/text.h"

/* Appends them as JSON, nothing where there are none; t->failed when memory is short. */
void reserves_write(const struct charge *c, struct text *t);

/* Sets those of c, in the arena, from such a text. */
void reserves_read(struct arena *a, const char *text, struct charge *c);

#endif
