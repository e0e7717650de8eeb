/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The relay's day, for rules with hours or weekdays.
 */
#ifndef POSTERN_GATE_DAY_H
#define POSTERN_GATE_DAY_H

#include "policy/message.h"

/* Sets m's minute and weekday from wall time in milliseconds, in the time zone
 * of this process; leaves them unknown where there are no rules. Any thread. */
void day_set(struct message *m, int64_t wall_ms);

#endif
