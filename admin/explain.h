/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the files of postern explain.
 */
#ifndef POSTERN_ADMIN_EXPLAIN_H
#define POSTERN_ADMIN_EXPLAIN_H

#include <stdbool.h>

/* Whether the argument is an audit id (a ULID) and not the name of a file. */
bool explain_is_id(const char *s);

/* What was decided of the message with this audit id, step by step, and what the
 * policy file would decide today. The exit status. */
int explain_past(const char *file, const char *id, bool json);

#endif
