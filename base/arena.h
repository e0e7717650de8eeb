/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Per-message memory. An arena hands out memory that is freed all at once.
 * Failure is sticky: after the first failed allocation arena_failed() stays
 * true, strings come back as "" and the message ends in a temporary failure.
 * An arena belongs to one message or one policy; it takes no lock.
 */
#ifndef POSTERN_BASE_ARENA_H
#define POSTERN_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;

/* A new arena that hands out at most `limit` octets (0: no bound). NULL when memory is short. */
struct arena *arena_new(size_t limit);

/* Frees the arena and all it handed out; sets *a to NULL. NULL is fine. */
void arena_free(struct arena **a);

/* Takes back all that was handed out, keeps one block, clears the failure. */
void arena_reset(struct arena *a);

/* Zeroed memory, aligned for any object; NULL on failure, which sticks. */
void *arena_alloc(struct arena *a, size_t size);

/* The same for `count` objects of `size` octets; an overflow is a failure. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* Copies; terminated by NUL. Never NULL: "" on failure, which sticks. */
const char *arena_string(struct arena *a, const char *s);
const char *arena_substring(struct arena *a, const char *s, size_t len);
const char *arena_printf(struct arena *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
const char *arena_vprintf(struct arena *a, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* A copy in ASCII lower case; other octets as they are (never the locale's). */
const char *arena_lower(struct arena *a, const char *s, size_t len);

/* Whether an allocation has failed since arena_new() or arena_reset(). */
bool arena_failed(const struct arena *a);

/* Octets handed out so far. */
size_t arena_used(const struct arena *a);

#endif
