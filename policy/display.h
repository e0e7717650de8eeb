/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Display names as a reader sees them. For address.c.
 */
#ifndef POSTERN_POLICY_DISPLAY_H
#define POSTERN_POLICY_DISPLAY_H

#include "base/text.h"
#include "policy/address.h"

/* From the raw display name and comments (unquoted): fills m->display,
 * has_encoded_word and display_is_certain. */
void display_read(struct arena *a, const struct text *raw, struct mailbox *m);

#endif
