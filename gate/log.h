/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One line per decision.
 */
#ifndef POSTERN_GATE_LOG_H
#define POSTERN_GATE_LOG_H

#include "base/record.h"
#include "base/text.h"

/* Adds the line for a record: the audit id first, then key=value, untrusted
 * text made printable; no line end. */
void log_decision(const struct record *r, struct text *t);

/* Those recipients from *next on that one line takes, of a message that is in no
 * database; moves *next on. At least one. */
void log_recipients(const struct record *r, size_t *next, struct text *t);

#endif
