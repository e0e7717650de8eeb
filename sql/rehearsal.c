/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Limits without a database, for what-if: see store.h.
 */
#include <stdlib.h>

#include "sql/store.h"
#include "sql/usage.h"

struct rehearsal {
	struct usage *usage;
};

struct rehearsal *
rehearsal_new(void)
{
	struct rehearsal *r = calloc(1, sizeof *r);

	if (r != NULL && (r->usage = usage_new()) == NULL) {
		free(r);
		r = NULL;
	}
	return r;
}

void
rehearsal_free(struct rehearsal **r)
{
	if (*r == NULL)
		return;
	usage_free(&(*r)->usage);
	free(*r);
	*r = NULL;
}

void
rehearsal_weigh(struct rehearsal *r, struct charge *charges, size_t n, int64_t now_ms)
{
	usage_weigh(r->usage, NULL, charges, n, now_ms);
}

int
rehearsal_admit(struct rehearsal *r, struct charge *charges, size_t n, int64_t now_ms)
{
	struct counter **counters = usage_find_all(r->usage, charges, n);
	bool stopped = false;

	if (counters == NULL)
		return -1;
	usage_weigh(r->usage, counters, charges, n, now_ms);
	for (size_t i = 0; i < n; i++)
		stopped = stopped || charge_stops(&charges[i]);
	for (size_t i = 0; !stopped && i < n; i++)
		usage_add(r->usage, counters[i], now_ms, charges[i].amount);
	usage_keep(r->usage, now_ms);
	return stopped ? 0 : 1;
}
