/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a person reads. Subjects, HELO names, addresses and replies are somebody
 * else's words: what would move the cursor or turn the reading direction is escaped.
 */
#ifndef POSTERN_ADMIN_TERMINAL_H
#define POSTERN_ADMIN_TERMINAL_H

#include <stdbool.h>

#include "base/text.h"

/* printf() to standard output, with the escapes of printable_add_lines(). */
void terminal_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Adds text of others, escaped, as one line; and how many columns text takes that is. */
void terminal_safe(struct text *t, const char *s);
int terminal_columns(const char *s);

/* The columns of standard output, and whether it takes colors. */
int terminal_width(void);
int terminal_lines(void); /* 0: endless */
bool terminal_is_colored(void);

/* "NAME       VALUE" on one line whatever the value holds. */
void terminal_fact(const char *name, const char *value);

/* "    NAME        text" with its continuation below it. The text is ours. */
void terminal_wrapped(const char *name, const char *text);

#endif
