/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Header fields that Exchange Online or Postern itself trusts, which an app
 * must not bring along.
 */
#ifndef POSTERN_GATE_STRIP_H
#define POSTERN_GATE_STRIP_H

#include <stdbool.h>

#include "policy/header.h"

/* Whether the field is to be taken out: X-MS-Exchange-Organization-* and its
 * kin, X-Postern-*, and Authentication-Results (RFC 8601) that speak with this
 * relay's name. */
bool strip_wants(const struct header_field *f, const char *relay);

#endif
