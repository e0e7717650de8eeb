/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See day.h.
 */
#include "gate/day.h"

#include <time.h>

#define DAY_MS INT64_C(86400000)

void
day_set(struct message *m, int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm day;

	m->day = wall_ms / DAY_MS;
	if (m->policy->n_rules == 0 || localtime_r(&seconds, &day) == NULL)
		return;
	m->minute = day.tm_hour * 60 + day.tm_min;
	m->weekday = day.tm_wday;
}
