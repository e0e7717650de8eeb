/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pieces of the mail that postern sends to people: header fields and bodies, with
 * line ends of one LF, as sendmail takes them. Pure: any thread.
 */
#ifndef POSTERN_ADMIN_MAIL_H
#define POSTERN_ADMIN_MAIL_H

#include <stdint.h>

#include "base/text.h"

/* "Subject: ...": plain ASCII as it is, folded at blanks; anything else as encoded words (RFC 2047),
 * control octets too, so that no text can begin another field. */
void mail_add_subject(struct text *t, const char *s);
/* "Date: ..." of a wall time in milliseconds. */
void mail_add_date(struct text *t, int64_t ms);
/* Tells the messages of one event to several addresses apart. */
uint32_t mail_hash(const char *s);
/* A body in quoted-printable (RFC 2045, section 6.7); no line begins with a full stop. */
void mail_add_quoted(struct text *t, const char *s);

#endif
