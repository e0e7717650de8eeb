/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See limit-clock.h.
 */
#include "sql/limit-clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

enum limit_clock_start
limit_clock_start(struct limit_clock *c, const struct clock *clock)
{
	const char *boot = clock->boot_id(clock->context);
	int64_t now = clock->boot_ms(clock->context), wall = clock->wall_ms(clock->context);
	int64_t since = wall - c->latest;
	bool is_new = c->boot_id[0] == '\0' && c->latest == 0;

	if (!is_new && strcmp(c->boot_id, boot) == 0 && c->anchor_boot <= now)
		return LIMIT_CLOCK_CONTINUES;
	snprintf(c->boot_id, sizeof c->boot_id, "%s", boot);
	c->anchor_boot = now;
	c->anchor_wall = since < 0 ? c->latest : wall;
	if (since < 0)
		return LIMIT_CLOCK_BEHIND;
	return !is_new && since > DAY_MS ? LIMIT_CLOCK_AHEAD : LIMIT_CLOCK_ANEW;
}
