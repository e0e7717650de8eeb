/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Measuring as a limit counts: base/window's rolling windows of 60 slots, each slot
 * that the last period touches counted whole. So a peak is what a limit would have
 * come to, never less than the exact number in any such period. Pure.
 */
#ifndef POSTERN_ADMIN_LEARN_PEAKS_H
#define POSTERN_ADMIN_LEARN_PEAKS_H

#include "admin/learn.h"

/* Adds to a meter of this period (seconds) at a time not before the last one. */
void learn_meter_add(struct learn_meter *m, int64_t time, uint32_t period, uint64_t amount);

/* The peak with so many percent on top, as a person would write it: up to 10 as it
 * is, then 12, 15, 20, 25, 30, 40, 50, 60, 80, 100 and the same times 10, 100, ...
 * Never below the peak. */
uint64_t learn_round(uint64_t peak, unsigned head_room);

#endif
