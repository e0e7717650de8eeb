/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Audit ids: ULIDs, 26 characters of Crockford's base 32 that sort by time.
 */
#ifndef POSTERN_BASE_ID_H
#define POSTERN_BASE_ID_H

#include <stdint.h>

#define ID_LENGTH 26
#define ID_RANDOM_OCTETS 10

struct id {
	char s[ID_LENGTH + 1];
};

/* The id for a wall time in milliseconds since 1970 (48 bits are used; a
 * negative time counts as 0) and ten random octets. Pure. */
struct id id_make(int64_t wall_ms, const uint8_t random[ID_RANDOM_OCTETS]);

/* 1 when s is such an id (either case), 0 when it is not. */
int id_is_valid(const char *s);

/* The wall time in milliseconds that a valid id carries; -1 when not valid. */
int64_t id_time(const char *s);

#endif
