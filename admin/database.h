/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The database as the commands of postern open it.
 */
#ifndef POSTERN_ADMIN_DATABASE_H
#define POSTERN_ADMIN_DATABASE_H

#include <stddef.h>

#include "policy/policy.h"
#include "sql/store.h"

/* Opens the policy's database for reading. Root becomes the file's owner first,
 * for good, so that no file is left that the daemon cannot write: load policy
 * and keys before. NULL with a text in error_r (caller's buffer). */
struct store_reader *database_open(const struct policy *p, char *error_r, size_t error_size);

/* Opens the database at `url` in the same way or, where it is NULL, the one that the policy
 * file names. NULL where that cannot be, and it is told on standard error, as of the
 * command with this name. */
struct store_reader *database_reader(const char *command, const char *policy_file, const char *url);
/* Only the latter. 0, or -1 with a text. */
int database_become_owner(const struct policy *p, char *error_r, size_t error_size);

#endif
