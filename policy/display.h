/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Display names as a reader sees them: RFC 2047 encoded words decoded. Pure,
 * linear in time. For address.c; others use struct mailbox.
 */
#ifndef POSTERN_POLICY_DISPLAY_H
#define POSTERN_POLICY_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct display {
	const char *text;       /* in the arena */
	bool has_encoded_word;
	bool is_certain;        /* see struct mailbox */
};

/* Decodes the encoded words of `raw`, also those that standards would not
 * (within quotes, without white space around). Control octets that come out
 * of one become spaces and take the certainty away. */
void display_decode(struct arena *a, const char *raw, size_t len, struct display *r);

#endif
