/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What this relay is called in the audit.
 */
#ifndef POSTERN_GATE_RELAY_H
#define POSTERN_GATE_RELAY_H

#include <stddef.h>

struct policy;

/* The policy's `relay`, or the host's name; cut to size. Any thread. */
void relay_name(const struct policy *p, char *name_r, size_t size);

#endif
