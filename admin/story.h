/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A message as the audit has it, for a person and as JSON: what explain and trace share.
 */
#ifndef POSTERN_ADMIN_STORY_H
#define POSTERN_ADMIN_STORY_H

#include <stddef.h>

#include "base/charge.h"
#include "base/json.h"
#include "base/record.h"
#include "base/text.h"

/* Who, as whom, to whom; what it was charged and how it was signed, each a name and a value that lives for the call. */
void story_each_fact(const struct record *r, void (*each)(void *context, const char *name, const char *value), void *context);
void story_each_charge(const struct record *r, const struct charge *charges, size_t n,
		       void (*each)(void *context, const char *name, const char *value), void *context);
/* What came of it; and what would have with nothing on trial, nothing where that is the same. */
void story_outcome(const struct record *r, struct text *t);
void story_trial(const struct record *r, struct text *t);

/* "NAME       VALUE", or nothing where the value is "". */
void story_print_fact(const char *name, const char *value);
/* Who, as whom, to whom; and the checks, limits, signatures and what came of them. */
void story_print_facts(const struct record *r);
void story_print_then(const struct record *r, const struct charge *charges, size_t n);

/* The same as members of an object: texts and numbers; recipients, limits, reserves and the steps. */
void story_set_facts(struct jsonv *root, const struct record *r);
void story_set_lists(struct jsonv *root, const struct record *r, const struct charge *charges, size_t n);

#endif
