/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Domain names: A-label form, and what the public suffix list says. The only
 * module that knows libidn2 and libpsl. Pure (the list is the one built into
 * libpsl).
 */
#ifndef POSTERN_POLICY_DOMAIN_H
#define POSTERN_POLICY_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* The domain in A-labels and lower case: LDH labels (and underscore nowhere),
 * 1 to 63 octets each, 253 in all, no final dot, at least one label. UTF-8 is
 * converted by strict IDNA 2008 without mapping; an A-label that does not
 * decode to a valid label is an error. Returns NULL and sets *error_r (static
 * text) and *column_r (1 is the first octet) when it is none for certain. */
const char *domain_normalise(struct arena *a, const char *s, size_t len,
			     const char **error_r, size_t *column_r);

/* Whether `domain` is below `parent` (any depth, not equal); both normalised. */
bool domain_is_below(const char *domain, const char *parent);

/* Whether the whole name is a public suffix ("com", "co.uk"). */
bool domain_is_public_suffix(const char *domain);

/* The organisational domain ("contoso.co.uk" of "mail.contoso.co.uk"), a part
 * of the argument; the argument itself when there is none. */
const char *domain_organisational(const char *domain);

#endif
