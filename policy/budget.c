/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See budget.h.
 */
#include "policy/budget.h"

#include <math.h>

bool
budget_is_known(const struct tenant_rate *r)
{
	return r->is_trial || r->licenses > 0;
}

static uint64_t
formula(uint64_t licenses)
{
	return (uint64_t)floor(500.0 * pow((double)licenses, 0.7) + 9500.0 + 0.5);
}

/* A day before its creation is one of its first. */
static uint64_t
percent_on(int64_t created, int64_t day)
{
	if (created == 0 || day >= created + BUDGET_YOUNG_DAYS)
		return 100;
	return day >= created + BUDGET_NEW_DAYS ? BUDGET_YOUNG_PERCENT : BUDGET_NEW_PERCENT;
}

uint64_t
budget_rate(const struct tenant_rate *r, int64_t day)
{
	if (r->is_trial)
		return BUDGET_TRIAL;
	return r->licenses == 0 ? 0 : formula(r->licenses) * percent_on(r->created, day) / 100;
}

uint64_t
budget_rate_most(const struct tenant_rate *r)
{
	if (r->is_trial)
		return BUDGET_TRIAL_MOST;
	return r->licenses == 0 ? 0 : formula(r->licenses);
}
