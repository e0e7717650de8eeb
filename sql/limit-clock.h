/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The limits' clock, as the database keeps it: see store.h. Pure. For files of
 * sql/ only.
 */
#ifndef POSTERN_SQL_LIMIT_CLOCK_H
#define POSTERN_SQL_LIMIT_CLOCK_H

#include <stdint.h>

#include "base/clock.h"

struct limit_clock {
	char boot_id[64];
	int64_t anchor_wall;      /* milliseconds: the wall time ... */
	int64_t anchor_boot;      /* ... at this time of the boot clock */
	int64_t latest;           /* the latest time charged at, to a second */
};

enum limit_clock_start {
	LIMIT_CLOCK_CONTINUES,    /* the same boot: the old anchor holds */
	LIMIT_CLOCK_ANEW,         /* anchored to wall time */
	LIMIT_CLOCK_BEHIND,       /* wall time is before the latest charge: anchored there */
	LIMIT_CLOCK_AHEAD         /* wall time is more than a day after it */
};

/* Makes what was stored (boot_id "" where nothing was) fit the present boot. */
enum limit_clock_start limit_clock_start(struct limit_clock *c, const struct clock *clock);

/* Limits' time less boot time. */
static inline int64_t
limit_clock_offset(const struct limit_clock *c)
{
	return c->anchor_wall - c->anchor_boot;
}

#endif
