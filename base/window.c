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
