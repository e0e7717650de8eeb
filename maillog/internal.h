/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the files of maillog/.
 */
#ifndef POSTERN_MAILLOG_INTERNAL_H
#define POSTERN_MAILLOG_INTERNAL_H

#include "maillog/maillog.h"

/* Reading from the left. A reader that fails moves nothing. */

/* Whether s begins with it; then *s is behind it. */
bool take(char **s, const char *what);
/* The value up to `end`, which is cut off; *s is behind it. NULL where there is no such end. */
char *take_until(char **s, const char *end);
/* An address in angle brackets and `end` behind it: without the brackets. Within them no octet is taken
 * that a path of RFC 5321 cannot have outside of quotes, so that its end is certain. */
char *take_path(char **s, const char *end);
/* The length of such an address at s, from "<" to ">"; 0 for none. */
size_t path_length(const char *s);
/* An enhanced status code and `end`. */
char *take_dsn(char **s, const char *end);

void read_postfix(struct maillog_event *e, const char *program, char *message);
void read_sendmail(struct maillog_event *e, char *message);

/* A stamp at the line's begin, behind which *s is then; -1 for none. */
int64_t read_stamp(char **s, struct maillog_clock *c);

#endif
