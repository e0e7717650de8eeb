/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From the times of all messages to limits. The events are read once more, in the
 * order of time; each app has five meters, each client of a pool and each sender of
 * a shared address one.
 */
#include "config.h"

#include "admin/learn_peaks.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE 60u
#define HOUR 3600u
#define DAY 86400u
/* Exchange Online's: messages an hour to a mailbox, and external recipients a day
 * from onmicrosoft.com. */
#define MAILBOX_HOUR 3600u
#define ONMICROSOFT_DAY 100u
#define LIMITS_MAX (LEARN_MEASURES + 1)

static const struct {
	enum unit unit;
	uint32_t period;
	uint64_t least;         /* below this a limit would only get in the way */
} measures[LEARN_MEASURES] = {
	[LEARN_MESSAGES_MINUTE] = {UNIT_MESSAGES, MINUTE, 5},
	[LEARN_MESSAGES_HOUR] = {UNIT_MESSAGES, HOUR, 10},
	[LEARN_MESSAGES_DAY] = {UNIT_MESSAGES, DAY, 20},
	[LEARN_EXTERNAL_HOUR] = {UNIT_EXTERNAL_RECIPIENTS, HOUR, 10},
	[LEARN_EXTERNAL_DAY] = {UNIT_EXTERNAL_RECIPIENTS, DAY, 20},
};

void
learn_meter_add(struct learn_meter *m, int64_t time, uint32_t period, uint64_t amount)
{
	int64_t slot = window_slot(time, period);
	uint64_t used;

	if (amount == 0)
		return;
	window_add(&m->window, slot, amount);
	used = window_used(&m->window, slot);
	if (used > m->peak) {
		m->peak = used;
		m->at = time;
	}
}

const char *
learn_period_name(uint32_t period)
{
	return period == MINUTE ? "minute" : period == HOUR ? "hour" : "day";
}

uint64_t
learn_round(uint64_t peak, unsigned head_room)
{
	static const uint64_t steps[] = {10, 12, 15, 20, 25, 30, 40, 50, 60, 80};
	uint64_t scale = 1, x;

	if (peak > UINT64_MAX / 100000)
		return peak;
	x = (peak * (100 + (uint64_t)head_room) + 99) / 100;
	if (x <= 10)
		return x;
	for (;; scale *= 10)
		for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
			if (steps[i] * scale >= x)
				return steps[i] * scale;
}

/* A meter of its own, made when first asked for. */
static int
add_own(struct learn_meter **m, int64_t time)
{
	if (*m == NULL)
		*m = calloc(1, sizeof **m);
	if (*m == NULL)
		return -1;
	learn_meter_add(*m, time, HOUR, 1);
	return 0;
}

static int
one_event(struct learn *l, const struct learn_event *e)
{
	struct learn_source *s = learn_source(l, e->source);
	struct learn_app *a = s->app == 0 ? NULL : &l->apps[s->app - 1];

	if (a == NULL || learn_sender(l, e->sender)->is_stray)
		return 0;
	for (int i = 0; i < LEARN_MEASURES; i++)
		learn_meter_add(&a->meters[i], e->time, measures[i].period,
				measures[i].unit == UNIT_MESSAGES ? 1 : e->external);
	if (a->is_pool && add_own(&s->meter, e->time) != 0)
		return -1;
	return a->is_shared ? add_own(&learn_sender(l, e->sender)->meter, e->time) : 0;
}

static int
read_events(struct learn *l)
{
	struct learn_event events[512];
	size_t n;

	if (fflush(l->events) != 0 || fseek(l->events, 0, SEEK_SET) != 0)
		return -1;
	while ((n = fread(events, sizeof events[0], sizeof events / sizeof events[0], l->events)) > 0)
		for (size_t i = 0; i < n; i++)
			if (one_event(l, &events[i]) != 0)
				return -1;
	return ferror(l->events) ? -1 : 0;
}

static bool
has_onmicrosoft(const struct learn_app *a)
{
	static const char tail[] = ".onmicrosoft.com";

	for (size_t i = 0; i < a->n_grants; i++) {
		size_t n = strlen(a->grants[i].text);

		if (n > strlen(tail) && strcmp(a->grants[i].text + n - strlen(tail), tail) == 0)
			return true;
	}
	return false;
}

/* What Exchange Online takes of this at most; 0 where it sets no bound or it is not
 * known. */
static uint64_t
bound_of(const struct learn_app *a, const struct learn_limit *x, const char **why_r)
{
	uint64_t rate = 0;

	if (a->method == METHOD_DIRECT_SEND && x->unit == UNIT_MESSAGES && x->period == HOUR) {
		*why_r = "3600 an hour is what a mailbox may receive";
		return MAILBOX_HOUR;
	}
	if (x->unit != UNIT_EXTERNAL_RECIPIENTS || !method_facts(a->method)->counts_to_tenant_rate)
		return 0;
	if (has_onmicrosoft(a)) {
		*why_r = "100 a day is what onmicrosoft.com may send outside";
		return ONMICROSOFT_DAY;
	}
	for (size_t i = 0; i < a->n_tenants; i++) {
		if (!budget_is_known(&a->tenants[i]->rate))
			return 0;
		rate += budget_rate_most(&a->tenants[i]->rate);
	}
	*why_r = "more than the tenant's rate allows";
	return rate;
}

static void
add_limit(struct learn *l, struct learn_app *a, struct learn_limit x, uint64_t least)
{
	const char *why = NULL;
	uint64_t bound;

	x.count = learn_round(x.peak, l->head_room);
	x.count = x.count < least ? least : x.count;
	bound = bound_of(a, &x, &why);
	if (bound > 0 && x.count > bound) {
		/* What was measured did pass: to one mailbox or tenant it cannot be all of it. */
		x.count = x.peak > bound ? x.peak : bound;
		x.bound = why;
	}
	a->limits[a->n_limits++] = x;
}

/* The busiest client of a pool, or sender of a shared address. */
static void
add_keyed(struct learn *l, struct learn_app *a)
{
	struct learn_limit x = {
		.unit = UNIT_MESSAGES, .period = HOUR, .key = a->is_pool ? "client" : "sender", .who = "",
	};

	for (size_t i = 0; i < a->n_sources; i++) {
		const struct learn_source *s = learn_source_of(l, a, i);

		if (a->is_pool && s->meter != NULL && s->meter->peak > x.peak) {
			x.peak = s->meter->peak;
			x.at = s->meter->at;
			x.who = s->client;
		}
		for (uint32_t j = s->senders; j != 0 && !a->is_pool; j = learn_sender(l, j)->next) {
			const struct learn_sender *y = learn_sender(l, j);

			if (y->meter == NULL || y->meter->peak <= x.peak)
				continue;
			x.peak = y->meter->peak;
			x.at = y->meter->at;
			x.who = y->text;
		}
	}
	if (x.peak > 0)
		add_limit(l, a, x, measures[LEARN_MESSAGES_HOUR].least);
}

static void
make_limits(struct learn *l, struct learn_app *a)
{
	a->limits = arena_array(l->arena, LIMITS_MAX, sizeof *a->limits);
	if (a->limits == NULL || a->known != NULL)
		return;
	for (int i = 0; i < LEARN_MEASURES; i++)
		if (a->meters[i].peak > 0)
			add_limit(l, a, (struct learn_limit){
				.unit = measures[i].unit, .period = measures[i].period, .key = "", .who = "",
				.peak = a->meters[i].peak, .at = a->meters[i].at,
			}, measures[i].least);
	if (a->is_pool || a->is_shared)
		add_keyed(l, a);
}

int
learn_peaks(struct learn *l)
{
	if (read_events(l) != 0)
		return -1;
	for (size_t i = 0; i < l->n_apps; i++)
		make_limits(l, &l->apps[i]);
	return arena_failed(l->arena) ? -1 : 0;
}
