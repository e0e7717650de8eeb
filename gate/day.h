/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The day of a message: UTC's for the tenant's rate, the relay's for rules with
 * hours or weekdays.
 */
#ifndef POSTERN_GATE_DAY_H
#define POSTERN_GATE_DAY_H

#include "policy/message.h"

/* Sets m's day, minute and weekday from wall time in milliseconds, the latter two
 * in the time zone of this process and only where there are rules. Any thread. */
void day_set(struct message *m, int64_t wall_ms);

#endif
