/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The policy file that is there, with what it includes, written again as one file:
 * every value as it stands, names of files made absolute, comments lost.
 */
#ifndef POSTERN_ADMIN_LEARN_PRESENT_H
#define POSTERN_ADMIN_LEARN_PRESENT_H

#include <stddef.h>

#include "base/text.h"

struct learn_present;

/* Reads a file that policy_load() has taken. NULL with a text in error_r. */
struct learn_present *learn_present_read(const char *file, char *error_r, size_t error_size);
void learn_present_free(struct learn_present **p);

/* Writes all but the apps; where those belong, write_apps() is called. */
void learn_present_write(const struct learn_present *p, struct text *t,
			 void (*write_apps)(void *context, struct text *t), void *context);

/* What is written behind the values of one of an app's lists: `add` is called for
 * "clients" and "senders", after the last value, in lines that begin with `indent`;
 * `has` says whether there is something to add. */
struct learn_additions {
	bool (*has)(void *context, const char *list);
	void (*add)(void *context, const char *list, const char *indent, struct text *t);
	void *context;
};

/* Writes the app of this index in the policy, as an element of `apps`. */
void learn_present_write_app(const struct learn_present *p, size_t index, const struct learn_additions *more,
			     struct text *t);

#endif
