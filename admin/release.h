/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts of postern release: release.c the command, release_follow.c the
 * child of postern-unhold, release_list.c what waits.
 */
#ifndef POSTERN_ADMIN_RELEASE_H
#define POSTERN_ADMIN_RELEASE_H

#include <stdbool.h>

#include "sql/store.h"

/* Has the MTA let go what was granted: queue ids to standard output, answers from standard
 * input. `relay`: whose mail, NULL where the store is one relay's alone. Without `follow` it
 * ends when nothing is granted. The exit status. */
int release_follow(const char *url, const char *relay, bool follow);

/* Prints who waits for what. The exit status. */
int release_list(struct store_reader *r, bool json);

#endif
