/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A ring of WINDOW_SPAN slots; see window.h for the rules.
 */
#include "base/window.h"

#include <string.h>

static uint64_t
add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static int64_t
slot_length(uint32_t period)
{
	return (int64_t)period * 1000 / WINDOW_SLOTS;
}

static uint64_t *
cell(struct window *w, int64_t slot)
{
	return &w->used[slot % WINDOW_SPAN];
}

int64_t
window_slot(int64_t now_ms, uint32_t period)
{
	return now_ms < 0 ? 0 : now_ms / slot_length(period);
}

int64_t
window_start(int64_t slot, uint32_t period)
{
	return slot * slot_length(period);
}

void
window_advance(struct window *w, int64_t slot)
{
	if (slot <= w->newest)
		return;
	if (slot - w->newest >= WINDOW_SPAN)
		memset(w->used, 0, sizeof w->used);
	else
		for (int64_t s = w->newest + 1; s <= slot; s++)
			*cell(w, s) = 0;
	w->newest = slot;
}

uint64_t
window_used(const struct window *w, int64_t slot)
{
	int64_t first = slot - WINDOW_SLOTS;
	uint64_t sum = 0;

	if (first < w->newest - WINDOW_SLOTS)
		first = w->newest - WINDOW_SLOTS;
	if (first < 0)
		first = 0;
	for (int64_t s = first; s <= w->newest; s++)
		sum = add_saturating(sum, w->used[s % WINDOW_SPAN]);
	return sum;
}

void
window_add(struct window *w, int64_t slot, uint64_t amount)
{
	uint64_t *c;

	window_advance(w, slot);
	c = cell(w, w->newest);
	*c = add_saturating(*c, amount);
}

bool
window_add_late(struct window *w, int64_t slot, uint64_t amount)
{
	uint64_t *c;

	window_advance(w, slot);
	if (slot < 0 || slot < w->newest - WINDOW_SLOTS)
		return false;
	c = cell(w, slot);
	*c = add_saturating(*c, amount);
	return true;
}

void
window_join(struct window *w, const struct window *other)
{
	int64_t first = other->newest - WINDOW_SLOTS;

	window_advance(w, other->newest);
	if (first < w->newest - WINDOW_SLOTS)
		first = w->newest - WINDOW_SLOTS;
	for (int64_t s = first < 0 ? 0 : first; s <= other->newest; s++)
		if (*cell(w, s) < other->used[s % WINDOW_SPAN])
			*cell(w, s) = other->used[s % WINDOW_SPAN];
}

int64_t
window_wait(const struct window *w, int64_t now_ms, uint32_t period, uint64_t count,
	    uint64_t amount)
{
	int64_t now = window_slot(now_ms, period);

	if (amount > count)
		return -1;
	if (now < w->newest)
		now = w->newest;
	for (int64_t s = now; s <= now + WINDOW_SPAN; s++)
		if (window_used(w, s) <= count - amount) {
			int64_t wait = s * slot_length(period) - now_ms;

			return s == now || wait < 0 ? 0 : wait;
		}
	return 0;
}

/* The slots before the present one that tell the pace. */
#define PACE_SLOTS (WINDOW_SLOTS / 12)

/* How long `missing` units take at `pace` units in `elapsed` ms, rounded up. */
static double
time_for(uint64_t missing, uint64_t pace, int64_t elapsed)
{
	double ms = (double)missing * (double)elapsed / (double)pace;
	double whole = ms < 1e15 ? (double)(int64_t)ms : ms;

	return whole < ms ? whole + 1 : whole;
}

int64_t
window_forecast(const struct window *w, int64_t now_ms, uint32_t period, uint64_t count)
{
	int64_t length = slot_length(period), slot = window_slot(now_ms, period), began;
	int64_t now = slot < w->newest ? w->newest * length : now_ms < 0 ? 0 : now_ms;
	uint64_t pace;

	slot = now / length;
	began = slot < PACE_SLOTS ? 0 : (slot - PACE_SLOTS) * length;
	pace = window_used(w, slot - PACE_SLOTS + WINDOW_SLOTS);
	if (window_used(w, slot) >= count)
		return 0;
	if (pace == 0 || now == began)
		return -1;
	/* After WINDOW_SPAN slots all use is of that pace, and stays as it is. */
	for (int64_t s = slot; s <= slot + WINDOW_SPAN; s++) {
		int64_t first = (s - WINDOW_SLOTS) * length, from = first > now ? first : now;
		double ms = time_for(count - window_used(w, s), pace, now - began);

		if (ms < (double)((s + 1) * length - from))
			return from + (int64_t)ms - now_ms;
	}
	return -1;
}
