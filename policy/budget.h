/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A tenant's budget: how many recipients outside Exchange Online takes from it
 * in a rolling day. Pure.
 *
 * By Microsoft's formula (2025): 500 x licences^0.7 + 9500, rounded to nearest,
 * of licences that are paid. Of a tenant in its first 31 days a tenth, in the 30
 * days after these a quarter of it, rounded down (announced in August 2026). Of a
 * trial Microsoft's page still says 5000, the same announcement 500: the smaller
 * one is taken here, for mail beyond what Exchange Online takes comes back as
 * undeliverable, mail beyond ours only later.
 */
#ifndef POSTERN_POLICY_BUDGET_H
#define POSTERN_POLICY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_TRIAL 500u
#define BUDGET_TRIAL_MOST 5000u

/* Until when the budget of a young tenant is a part of it: days from its
 * creation, and percent. */
#define BUDGET_NEW_DAYS 31
#define BUDGET_NEW_PERCENT 10u
#define BUDGET_YOUNG_DAYS 61
#define BUDGET_YOUNG_PERCENT 25u

/* What a tenant's rate rests on. */
struct tenant_rate {
	uint64_t licenses;      /* paid ones; 0 when not given */
	bool is_trial;
	int64_t created;        /* the day, in days since 1970 UTC; 0 when not given */
};

/* Whether it is enough to know a rate from. */
bool budget_is_known(const struct tenant_rate *r);

/* The rate on that day, in days since 1970 UTC (-1, not known: of a new tenant
 * that of its first days); 0 when it is not known. */
uint64_t budget_rate(const struct tenant_rate *r, int64_t day);

/* The most it may come to at any time, by any of Microsoft's figures; 0 when it
 * is not known. */
uint64_t budget_rate_most(const struct tenant_rate *r);

#endif
