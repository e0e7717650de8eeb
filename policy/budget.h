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
 *
 * A budget limit is a limit of a tenant as a whole in external recipients that
 * does more than observe. Of each of them apps may hold a reserve, which others
 * cannot spend; critical apps can, and where there are some the last tenth is
 * theirs alone.
 */
#ifndef POSTERN_POLICY_BUDGET_H
#define POSTERN_POLICY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/charge.h"

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

/* As an app says it: recipients, or percent of each budget limit. */
struct share {
	uint64_t amount;        /* 0: none */
	bool is_percent;
};

struct app;
struct limit;
struct message;
struct tenant;

/* What an app holds of its tenant's budget limits. */
struct reserve {
	const struct app *app;
	const char *key;        /* of the counter of what it has spent: "app=billing" */
};

/* Whether a limit is one of a tenant's budget. */
bool budget_is_limit(const struct limit *l);

/* What a share is of a budget limit with this count, at most all of it. */
uint64_t budget_share(const struct share *s, uint64_t count);

/* What of such a count is for critical apps alone. */
uint64_t budget_kept(const struct tenant *t, uint64_t count);

/* Whether an app's mail is charged to its tenants' budgets. */
bool budget_charges(const struct app *a);

/* Notes with the charge of a budget limit what of it is not for this message. */
void budget_hold_back(const struct message *m, const struct limit *l, struct charge *c);

/* The charge that counts what a message's app spends of its reserve, beside `c`;
 * false where it holds none. */
bool budget_tally(const struct message *m, const struct limit *l, const struct charge *c, struct charge *tally_r);

/* "400OF are reserved for app billing, 1000 for critical apps": what is held back
 * from a weighed charge, or with `whole` what may be, as far as `rest` goes; "" for
 * nothing. In the arena. */
const char *budget_text(struct arena *a, const struct charge *c, const char *of, uint64_t rest, bool whole);

#endif
