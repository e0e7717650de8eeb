/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Times on the command line and in what the commands print.
 */
#ifndef POSTERN_ADMIN_WHEN_H
#define POSTERN_ADMIN_WHEN_H

#include <stdint.h>

#define WHEN_SIZE 24

/* "7d", "24h", "90m", "2 weeks": so long before `now`; or a date, "2026-11-17" or
 * "2026-11-17T08:30:00Z" (UTC); "today", "yesterday": when that began (UTC). Milliseconds since 1970 in *r. 0, or -1 when it
 * is none of these. */
int when_parse(const char *s, int64_t now_ms, int64_t *r);

/* When something ends: "15:40" (the next time that it is so late here), "2026-11-17T15:40" (here),
 * "2026-11-17T15:40:00Z", "+2h" (from now). Likewise. */
int when_parse_end(const char *s, int64_t now_ms, int64_t *r);

/* For people, in the time zone of this process: "15:40" today, "tomorrow 15:40", "Nov 17 15:40". */
const char *when_clock(int64_t ms, int64_t now_ms, char buf[WHEN_SIZE]);

/* How long, in few characters: "40s", "34m", "5h", "3d", rounded. */
const char *when_span(int64_t ms, char buf[WHEN_SIZE]);

/* "2026-11-17T08:30:00Z". */
const char *when_format(int64_t ms, char buf[WHEN_SIZE]);

#endif
