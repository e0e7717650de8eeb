/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A store that forgets: for tests, with the same rules as the database.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sql/store-private.h"
#include "sql/usage.h"

struct memory {
	struct usage *usage;
	const struct clock *clock;
};

static void *
memory_open(const struct store_options *o, char *error_r, size_t error_size)
{
	struct memory *m = calloc(1, sizeof *m);

	if (m != NULL && (m->usage = usage_new()) != NULL) {
		m->clock = o->clock;
		return m;
	}
	free(m);
	snprintf(error_r, error_size, "out of memory");
	return NULL;
}

static void
memory_close(void *backend)
{
	struct memory *m = backend;

	usage_free(&m->usage);
	free(m);
}

static int64_t
now_ms(const struct memory *m)
{
	return m->clock->boot_ms(m->clock->context);
}

static const char *
admit_one(struct memory *m, struct admit *a, int64_t now)
{
	struct counter **counters = usage_find_all(m->usage, a->charges, a->n_charges);
	bool stopped = false;

	if (counters == NULL)
		return "out of memory";
	usage_weigh(m->usage, counters, a->charges, a->n_charges, now);
	for (size_t i = 0; i < a->n_charges; i++)
		stopped = stopped || charge_stops(&a->charges[i]);
	a->charged = !stopped;
	if (a->settle != NULL)
		a->settle(a, stopped);
	for (size_t i = 0; !stopped && i < a->n_charges; i++)
		usage_add(m->usage, counters[i], now, a->charges[i].amount);
	return NULL;
}

static int
memory_commit(void *backend, const struct batch *b, const char **error_r)
{
	struct memory *m = backend;
	int64_t now = now_ms(m);

	(void)error_r;
	for (size_t i = 0; i < b->n_admits; i++)
		b->admit_errors[i] = admit_one(m, b->admits[i], now);
	usage_keep(m->usage, now);
	return 0;
}

static void
memory_peek(void *backend, struct charge *charges, size_t n)
{
	struct memory *m = backend;

	usage_weigh(m->usage, NULL, charges, n, now_ms(m));
}

const struct store_ops store_memory_ops = {
	.scheme = "memory:", .open = memory_open, .close = memory_close, .commit = memory_commit,
	.peek = memory_peek,
};
