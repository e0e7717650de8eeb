/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What changes between what happened and what would: groups of messages that
 * change in the same way.
 */
#ifndef POSTERN_ADMIN_DIFFERENCE_H
#define POSTERN_ADMIN_DIFFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/message.h"
#include "sql/store.h"

struct outcome {
	const char *verdict;
	const char *reason;
};

struct outcome outcome_of(const struct decision *d);

struct difference;

/* NULL when memory is short. */
struct difference *difference_new(void);
void difference_free(struct difference **d);

/* `count` messages, of which `id` names one. undecidable: NULL, or why what
 * would be cannot be told. Strings are copied. -1 when memory is short. */
int difference_add(struct difference *d, const char *id, const char *app, const struct outcome *then,
		   const struct outcome *now, const char *undecidable, uint64_t count);

/* Prints to standard output, for people or as JSON. The exit status. */
int difference_print(const struct difference *d, const char *policy, const struct store_range *range,
		     bool json);

#endif
