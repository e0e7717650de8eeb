/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Numbers for texts: a bounded set of strings, each with the number of its first
 * use. For postern learn and report; one thread at a time.
 */
#ifndef POSTERN_ADMIN_LEARN_TABLE_H
#define POSTERN_ADMIN_LEARN_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct learn_table;

/* At most `max` strings. NULL when memory is short. */
struct learn_table *learn_table_new(uint32_t max);
void learn_table_free(struct learn_table **t);

/* The number of the string: 1, 2, 3 in the order of first use; *is_new_r (may be
 * NULL) says whether this is it. 0 when the table is full or memory is short. */
uint32_t learn_table_add(struct learn_table *t, const char *s, bool *is_new_r);

/* The number, 0 when it is not there. */
uint32_t learn_table_find(const struct learn_table *t, const char *s);

/* The string with this number; "" for 0. Lives as long as the table. */
const char *learn_table_text(const struct learn_table *t, uint32_t number);

uint32_t learn_table_count(const struct learn_table *t);

/* Whether an allocation failed: numbers of 0 are then not those of a full table. */
bool learn_table_failed(const struct learn_table *t);

#endif
