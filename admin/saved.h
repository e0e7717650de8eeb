/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A saved message: read from a file, and handed to a session the way an MTA
 * hands over what it received.
 */
#ifndef POSTERN_ADMIN_SAVED_H
#define POSTERN_ADMIN_SAVED_H

#include "base/text.h"
#include "gate/session.h"

/* Adds a file's octets, "-" for standard input, with CRLF line ends where it has
 * bare LF. 0, or -1 with *error_r (static or from strerror). */
int saved_read(const char *path, struct text *t, const char **error_r);

/* Header, body and end of a message to a session that has taken a recipient.
 * The header ends at the empty line, or before a line that is no field. false
 * when the session itself failed. */
bool saved_give(struct session *s, const struct text *t);

#endif
