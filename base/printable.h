/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Untrusted text made fit for a log line, a terminal and an SMTP reply.
 */
#ifndef POSTERN_BASE_PRINTABLE_H
#define POSTERN_BASE_PRINTABLE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"

/* Adds s to t with every octet that is not printable ASCII written as \xHH
 * and the backslash doubled; at most `max` octets of input, then "...". */
void printable_add(struct text *t, const char *s, size_t len, size_t max);

/* The same as a new string in the arena; at most 200 octets of input. */
const char *printable(struct arena *a, const char *s);

/* Adds `s` as the value of key=value: bare when it needs no quotes, otherwise
 * in double quotes with ", \ and control octets escaped. Valid UTF-8 above
 * ASCII is kept, but for control, bidirectional and line separator code
 * points, which are escaped as \u{HEX}. */
void printable_add_value(struct text *t, const char *s, size_t len);

/* Adds `s` for a person at a terminal: the same code points are escaped, and
 * there are no quotes. In the second, line ends and tabs stay. */
void printable_add_line(struct text *t, const char *s, size_t len);
void printable_add_lines(struct text *t, const char *s, size_t len);

#endif
