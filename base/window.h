/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The arithmetic of rolling windows, pure.
 *
 * A period T is cut into WINDOW_SLOTS slots; the slot of a time t is
 * floor(t / (T / WINDOW_SLOTS)). Every slot that the last T touches, up to
 * WINDOW_SLOTS + 1 of them, counts whole. So no interval of length T ever
 * holds more than was allowed, and capacity comes back at most T/60 late.
 * Times are milliseconds of the limits' clock (see sql/store.h), which never
 * runs backwards.
 */
#ifndef POSTERN_BASE_WINDOW_H
#define POSTERN_BASE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_SLOTS 60
#define WINDOW_SPAN (WINDOW_SLOTS + 1)

/* One counter's recent use: used[s % WINDOW_SPAN] belongs to slot s, for the
 * slots (newest - WINDOW_SLOTS) .. newest. Start with {0}. */
struct window {
	int64_t newest;
	uint64_t used[WINDOW_SPAN];
};

/* The slot of a time; period in seconds, a multiple of 60. */
int64_t window_slot(int64_t now_ms, uint32_t period);

/* When a slot begins, in milliseconds. */
int64_t window_start(int64_t slot, uint32_t period);

/* Forgets what lies before the last period, seen from `slot`. A slot before
 * `newest` changes nothing. */
void window_advance(struct window *w, int64_t slot);

/* Units used in the last period at `slot` (saturating). */
uint64_t window_used(const struct window *w, int64_t slot);

/* Adds amount to `slot`, advancing first; a slot before `newest` counts as `newest`. */
void window_add(struct window *w, int64_t slot, uint64_t amount);

/* Adds amount to a slot that may be past: it counts there as long as the others of that time
 * do. false, and nothing is added, when that is over (a slot that is ahead is advanced to). */
bool window_add_late(struct window *w, int64_t slot, uint64_t amount);

/* Joins what another record of the same counter knows: per slot the larger. */
void window_join(struct window *w, const struct window *other);

/* Milliseconds from now until `amount` more fit under `count`: 0 when they
 * fit now, -1 when they never will (amount > count). */
int64_t window_wait(const struct window *w, int64_t now_ms, uint32_t period,
		    uint64_t count, uint64_t amount);

/* Milliseconds from now until `count` is spent if use goes on, evenly, at the
 * pace of the last twelfth of the period (the present slot and the five before
 * it, over the time since they began), while what is older falls out: 0 when it
 * is spent now, -1 when it never will be at that pace. */
int64_t window_forecast(const struct window *w, int64_t now_ms, uint32_t period, uint64_t count);

#endif
